"""Alerts that a detector or a device decides: rhythm, ST, what a bed or a chair says of the person. No limits here.

A detector says that criteria are met; a physician reads the tracing. Criteria and their sources stand with each
detector (``gateway/derive/ecg``).

Limits of rate and regularity are an adult's (domain facts 10.1): a child's rate is judged by ``heart-rate-severe-*``,
with limits of its own. Asystole, VF, VT and a pause speak of everybody: no heart may stand still for three seconds.
"""

from typing import Final

from gateway.derive.population import Population
from gateway.rules.row import Kind, Ladder, Priority, Row
from gateway.rules.vital_rows import GROWN

_LEADS: Final = ("lead-off",)
_CRITICAL: Final = "domain facts 2.4 and 10.1; meets criteria, needs a physician"


def _rhythm(
    code: str, priority: Priority, zh: str, en: str, *, lethal: bool = False,
    inhibited_by: tuple[str, ...] = (), populations: frozenset[Population] | None = None,
) -> Row:  # fmt: skip
    return Row(
        code, Kind.PHYSIOLOGICAL, priority, _CRITICAL, latching=lethal, zh=zh, en=en, ladder=Ladder.CLINICAL,
        inhibited_by=(*inhibited_by, *_LEADS), lethal=lethal, populations=populations,
    )  # fmt: skip


RHYTHM: Final = (
    _rhythm("asystole", Priority.HIGH, "疑似心脏停搏", "Asystole criteria met", lethal=True),
    _rhythm("ventricular-fibrillation", Priority.HIGH, "疑似心室颤动", "VF criteria met", lethal=True),
    _rhythm("ventricular-tachycardia", Priority.HIGH, "疑似室性心动过速", "VT criteria met", lethal=True),
    _rhythm("pause", Priority.HIGH, "心搏长间歇", "Pause between beats", inhibited_by=("asystole",)),
    _rhythm(
        "extreme-bradycardia", Priority.HIGH, "极度心动过缓", "Extreme bradycardia",
        inhibited_by=("asystole",), populations=GROWN,
    ),
    _rhythm(
        "extreme-tachycardia", Priority.HIGH, "极度心动过速", "Extreme tachycardia",
        inhibited_by=("ventricular-tachycardia", "ventricular-fibrillation"), populations=GROWN,
    ),
    _rhythm(
        "irregular-rhythm", Priority.MEDIUM, "心律不齐，符合房颤特征", "Irregular rhythm, consistent with AF",
        populations=GROWN,
    ),
    _rhythm("premature-beats", Priority.LOW, "频发早搏", "Frequent premature beats", populations=GROWN),
)  # fmt: skip

SIGNS: Final = (
    *RHYTHM,
    Row(
        "ecg-read", Kind.PHYSIOLOGICAL, Priority.MEDIUM, "domain facts 10.2: a task for a physician, no diagnosis",
        latching=True, zh="心电图 ST 段达到标准，请医师 10 分钟内判读",
        en="ECG meets ST criteria: a physician reads it within 10 min", ladder=Ladder.CLINICAL,
    ),
    Row(
        "bed-exit", Kind.PHYSIOLOGICAL, Priority.MEDIUM, "the bed's own report; priority is a project default",
        zh="离床", en="Out of bed", ladder=Ladder.CLINICAL,
    ),
    Row(
        "device-alarm", Kind.PHYSIOLOGICAL, Priority.MEDIUM, "the device's own alarm, by the name it gives it",
        zh="设备报警", en="Alarm of the device", ladder=Ladder.CLINICAL,
    ),
    Row(
        "tip-over", Kind.PHYSIOLOGICAL, Priority.HIGH, "the wheelchair's own report: a fall, IEC 60601-1-8 prompt harm",
        latching=True, zh="轮椅翻倒", en="Wheelchair tipped over", ladder=Ladder.CLINICAL,
    ),
    Row(
        "help-button", Kind.PHYSIOLOGICAL, Priority.HIGH, "a person asks for help",
        latching=True, zh="呼叫求助", en="Help button pressed", ladder=Ladder.CLINICAL,
    ),
    Row(
        "tag-left", Kind.PHYSIOLOGICAL, Priority.MEDIUM, "site policy: which scanners stand at a way out (alerts.toml)",
        zh="佩戴标签者已离开出口", en="A tag has left by an exit", ladder=Ladder.CLINICAL,
    ),
    Row(
        "missed-while-blind", Kind.PHYSIOLOGICAL, Priority.LOW, "DESIGN: too late to page, too grave to be forgotten",
        latching=True, zh="失联期间漏报，待处理", en="Missed while blind: to be looked at", ladder=Ladder.CLINICAL,
    ),
)  # fmt: skip
