"""Alerts on the fetal heart: the baseline of ten minutes and lost signal, of somebody who is pregnant. No diagnosis.

What ends them: lost signal ends with a good trace, and with the trace: a CTG that was taken off has lost nothing. A
baseline ends only with one that is back within its limits, or when the unit speaks of somebody else; where the
recording stopped meanwhile, nothing says that the heart has recovered, and a physician is still to read the trace.
"""

from typing import Final

from gateway.derive.scores import fetal
from gateway.rules.condition import Direction, Threshold
from gateway.rules.row import Kind, Ladder, Priority, Row

_SOURCE: Final = "FIGO 2015: baseline 110 to 160/min over ten minutes; priority: project default"

FETAL: Final = (
    Row(
        "fetal-bradycardia", Kind.PHYSIOLOGICAL, Priority.HIGH, _SOURCE,
        Threshold("fetal-baseline", Direction.BELOW, fetal.LOW, 2, 0, 0, stands=True),
        zh="胎心率基线过低：请医师阅图", en="Fetal baseline low: a physician reads the trace",
        populations=fetal.POPULATIONS, ladder=Ladder.CLINICAL, derivation=fetal.NAME,
    ),
    Row(
        "fetal-tachycardia", Kind.PHYSIOLOGICAL, Priority.MEDIUM, _SOURCE,
        Threshold("fetal-baseline", Direction.ABOVE, fetal.HIGH, 2, 0, 0, stands=True),
        zh="胎心率基线过高：请医师阅图", en="Fetal baseline high: a physician reads the trace",
        populations=fetal.POPULATIONS, ladder=Ladder.CLINICAL, derivation=fetal.NAME,
    ),
    Row(
        "fetal-signal-lost", Kind.PHYSIOLOGICAL, Priority.LOW,
        "FIGO 1987: with more than 20 % lost a trace cannot be read",
        Threshold("fetal-signal-loss", Direction.ABOVE, 100 * fetal.MOST_LOSS, 5, 0, 0, stands=True),
        zh="胎心信号丢失过多：调整探头", en="Fetal signal lost too often: reposition the transducer",
        populations=fetal.POPULATIONS, ladder=Ladder.CLINICAL, derivation=fetal.NAME,
    ),
)  # fmt: skip
