"""Alerts about how somebody lies: a task for whoever looks after them, no word about their skin.

A limit of theirs is set as any other limit of one patient: an interval of their own is the limit of ``turn-overdue``.
"""

from typing import Final

from gateway.contract.quantity import MINUTE
from gateway.contract.topic import UnitKind
from gateway.derive.pressure import DOSE, UNTURNED
from gateway.derive.scores import pressure_dose, turn_clock
from gateway.rules.condition import Direction, Threshold
from gateway.rules.row import Kind, Ladder, Priority, Row

_HOME: Final = frozenset({UnitKind.HOMECARE_BED})
_HYSTERESIS: Final = pressure_dose.LIMIT / 10  # the zone that is worst next may be near it too

# No ``for``: a dose is a sum over hours, a turn clock is time itself. What a turn sets back ends at once.
BED: Final = (
    Row(
        "pressure-dose-high", Kind.PHYSIOLOGICAL, Priority.LOW,
        "300 mmHg h: Reswick and Rogers 1976, too lenient for short, high pressure; a ranking, no forecast",
        Threshold(DOSE, Direction.ABOVE, pressure_dose.LIMIT, _HYSTERESIS, 0, 0, inclusive=True),
        zh="局部受压剂量达到上限：请减压或翻身", en="Pressure dose at its limit: relieve or turn", places=_HOME,
        ladder=Ladder.CLINICAL, derivation=pressure_dose.NAME,
    ),
    Row(
        "turn-overdue", Kind.PHYSIOLOGICAL, Priority.LOW,
        "every 2 h by custom, domain facts 10.1; EPUAP/NPIAP/PPPIA 2019 asks for the person's own interval",
        Threshold(
            UNTURNED, Direction.ABOVE, turn_clock.TURN_EVERY / MINUTE, 0, 0, 0, inclusive=True
        ),
        zh="翻身超时", en="Turn overdue", places=_HOME, ladder=Ladder.CLINICAL,
        inhibited_by=("pressure-dose-high",), derivation=turn_clock.NAME,
    ),
)  # fmt: skip
