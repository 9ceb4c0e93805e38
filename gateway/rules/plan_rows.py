"""Alerts that stand on a person's care plan: training, peak flow, measuring at home. Without a plan there are none.

The limit in a row is what would count at most; the one that counts follows from the plan (``limits_of``).
"""

from typing import Final

from gateway.contract.quantity import SECOND
from gateway.contract.topic import UnitKind
from gateway.derive.plans import CarePlan, Plans
from gateway.derive.population import ADULTS
from gateway.derive.scores import peak_flow, rehab, uploads
from gateway.derive.scores.score import Person, Refused
from gateway.rules.condition import Direction, Threshold
from gateway.rules.patient import PersonLimit
from gateway.rules.row import Kind, Ladder, Priority, Row

REHAB_STOP: Final = "rehab-heart-rate-stop"
PEAK_FLOW_YELLOW: Final = "peak-flow-yellow"
PEAK_FLOW_RED: Final = "peak-flow-red"
_PHYSIOLOGICAL, _CLINICAL = Kind.PHYSIOLOGICAL, Ladder.CLINICAL
_HOME: Final = frozenset({UnitKind.HOMECARE_BED})
_HEALTHIEST: Final = 1000.0  # L/min: nobody's personal best is beyond it

TRAINING: Final = (
    Row(
        REHAB_STOP, _PHYSIOLOGICAL, Priority.MEDIUM, f"limit: {rehab.SOURCE}; delay: project default",
        Threshold("heart-rate", Direction.ABOVE, rehab.EARLY_CEILING, 5, 10 * SECOND, 30 * SECOND),
        zh="心率超过康复训练上限：停止训练", en="Heart rate above the training limit: stop the training",
        populations=ADULTS, ladder=_CLINICAL, needs_plan=True, derivation=rehab.NAME,
        inhibited_by=("heart-rate-severe-high", "extreme-tachycardia", "lead-off"),
    ),
)  # fmt: skip

FLOW: Final = (
    Row(
        PEAK_FLOW_YELLOW, _PHYSIOLOGICAL, Priority.LOW, peak_flow.SOURCE,
        Threshold("peak-flow", Direction.BELOW, _HEALTHIEST * peak_flow.GREEN_FROM / 100, 0, 0, 0),
        zh="峰流速黄区：按个人哮喘计划处理", en="Peak flow in the yellow zone: follow the asthma plan",
        ladder=_CLINICAL, inhibited_by=(PEAK_FLOW_RED,), needs_plan=True, derivation=peak_flow.NAME,
    ),
    Row(
        PEAK_FLOW_RED, _PHYSIOLOGICAL, Priority.MEDIUM, f"{peak_flow.SOURCE}; priority: project default",
        Threshold("peak-flow", Direction.BELOW, _HEALTHIEST * peak_flow.YELLOW_FROM / 100, 0, 0, 0, each=True),
        latching=True, zh="峰流速红区：立即联系医生", en="Peak flow in the red zone: a doctor now", ladder=_CLINICAL,
        needs_plan=True, derivation=peak_flow.NAME,
    ),
)  # fmt: skip


def _missed(tier: uploads.Tier, priority: Priority, zh: str, en: str, graver: tuple[str, ...]) -> Row:
    return Row(
        upload_code(tier), Kind.TECHNICAL, priority, f"{tier.missed} in a row; project default, to be confirmed",
        zh=zh, en=en, places=_HOME, ladder=_CLINICAL, inhibited_by=graver, derivation=uploads.NAME,
    )  # fmt: skip


def upload_code(tier: uploads.Tier) -> str:
    """The alert of a tier."""
    return f"uploads-{tier.act}"


_CODES: Final = tuple(upload_code(tier) for tier in uploads.TIERS)
_REMIND, _CALL, _CONTACT, _VISIT = uploads.TIERS
UPLOADS: Final = (
    _missed(_REMIND, Priority.LOW, "居家测量未上传：提醒本人", "No upload from home: remind the person", _CODES[1:]),
    _missed(_CALL, Priority.MEDIUM, "居家测量连续未上传：护士电话", "No uploads from home: a nurse calls", _CODES[2:]),
    _missed(
        _CONTACT, Priority.MEDIUM, "居家测量多日未上传：联系第二联系人", "No uploads from home: ask the second contact",
        _CODES[3:],
    ),
    _missed(_VISIT, Priority.MEDIUM, "居家测量长期未上传：上门访视", "No uploads from home: visit", ()),
)  # fmt: skip

PLANNED: Final = TRAINING + FLOW + UPLOADS


def limits_of(plans: Plans, person: Person) -> dict[str, PersonLimit]:
    """The limits that follow from somebody's plans, by alert; none from a plan that is not for who they are now."""
    return {
        code: PersonLimit(plan.id, code, limit, plan.set_by, plan.expires_at)
        for plan in plans.values()
        for code, limit in _limits(plan, person).items()
    }


def _limits(plan: CarePlan, person: Person) -> dict[str, float]:
    match plan.content:
        case rehab.Plan() as training:
            found = rehab.limits(training, person)
            return {} if isinstance(found, Refused) else {REHAB_STOP: found.stop}
        case peak_flow.Plan() as best:
            if peak_flow.refuse_age(person.placed, person.age_days) is not None:
                return {}
            yellow, red = peak_flow.limits(best)
            return {PEAK_FLOW_YELLOW: yellow, PEAK_FLOW_RED: red}
        case uploads.Plan():
            return {}
