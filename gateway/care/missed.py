"""Uploads that somebody at home agreed to and that do not come: tier after tier of who asks after them.

Nothing is kept but which alerts are open. What is missing follows from the plan, from when the unit began to speak for
its person, and from when a measurement last came for the plan: all are stored, so that a restart finds the same. Each
tier is an alert of its own, the graver one mutes the milder. Processing time: an upload is something that arrives.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from gateway.admit import Admitted
from gateway.contract.envelope import Instant
from gateway.contract.observation import Observation
from gateway.contract.quantity import MINUTE, QUANTITIES
from gateway.derive.plans import CarePlan, PlanKind
from gateway.derive.scores import uploads
from gateway.fleet import GATEWAY_DEVICE, Fleet, Latest
from gateway.ports import RecordFlag
from gateway.rules.hold import Edge
from gateway.rules.patient import Patient
from gateway.rules.plan_rows import UPLOADS, upload_code
from gateway.rules.row import Row
from gateway.rules.ruleset import Ruleset
from gateway.rules.threshold import Finding

CODES: Final = frozenset(row.code for row in UPLOADS)
PERSONAL: Final = frozenset(name for name, row in QUANTITIES.items() if row.loinc) - {"ambient-temperature"}


class UploadWatch:
    """``raised``: (unit, alert) of those that are open, and the person each is about; "" when nobody knows."""

    def __init__(self, raised: Mapping[tuple[str, str], str] | None = None) -> None:
        self._raised = {key: person for key, person in (raised or {}).items() if key[1] in CODES}

    def judge_anew(self, ended: Iterable[tuple[str, str]]) -> None:
        """These alerts were practice and have ended with it; what is really missing is raised with the next check."""
        for key in ended:
            self._raised.pop(key, None)

    def hear(self, fleet: Fleet, record: Admitted, body: Observation, patient: Patient) -> None:
        """Notes that an awaited measurement of the patient came. Practice is none, nor is what a predecessor measured.

        It is kept beside the newest values, which a training overwrites and its end deletes.
        """
        plan = patient.plans.get(PlanKind.UPLOADS)
        if plan is None or record.flags & RecordFlag.TEST or record.event_at < patient.since:
            return
        unit, key, at = record.route.address.unit, (GATEWAY_DEVICE, _mark(plan)), record.received_at
        known = fleet.states[unit].latest.get(key)
        if (known is None or at - known.received_at >= MINUTE) and _brings(body, plan):
            fleet.observe(unit, *key, Latest(None, record.event_at, at, derived=True))

    def check(
        self,
        fleet: Fleet,
        patients: Mapping[str, Patient],
        ruleset: Ruleset,
        now: Instant,
        simulated: Callable[[str], bool],
    ) -> list[Finding]:
        """What begins and ends to be missing. Call it about once a second."""
        rows, version = ruleset.rows, {"rules_version": ruleset.version}
        wanted: dict[tuple[str, str], dict[str, Any]] = {}
        for unit, patient in patients.items():
            if patient.plans and unit in fleet.states:
                wanted |= {(unit, code): why for code, why in _missing(fleet, unit, patient, rows, now)}
        kept = {key for key, why in wanted.items() if self._raised.get(key) in ("", why["person"])}
        ended = [
            Finding(rows[code], Edge.CLEAR, f"unit/{unit}", unit, None, now)
            for unit, code in sorted(self._raised.keys() - kept)
        ]
        raised = [
            Finding(
                rows[code], Edge.RAISE, f"unit/{unit}", unit, None, now, details=wanted[unit, code] | version,
                simulated=simulated(unit),
            )
            for unit, code in sorted(wanted.keys() - kept)
        ]  # fmt: skip
        self._raised = {key: why["person"] for key, why in wanted.items()}
        return ended + raised


def _missing(
    fleet: Fleet, unit: str, patient: Patient, rows: Mapping[str, Row], now: Instant
) -> Iterable[tuple[str, dict[str, Any]]]:
    """The tiers that are reached, each with why."""
    plan = patient.plans.get(PlanKind.UPLOADS)
    if plan is None or not isinstance(plan.content, uploads.Plan):
        return
    last = _last_upload(fleet, plan, patient)
    missed = uploads.judge(last, now, every=plan.content.every, grace=plan.content.grace)
    for tier in uploads.TIERS:
        row = rows[upload_code(tier)]
        here = row.places is None or fleet.states[unit].registered.address.kind in row.places
        if missed.count >= tier.missed and row.enabled and here:
            yield row.code, _explain(tier, missed, last, plan, patient)


def _mark(plan: CarePlan) -> str:
    """The name under which the arrival of what the plan awaits is kept; a plan is one person's."""
    return f"upload/{plan.id}"


def _brings(body: Observation, plan: CarePlan) -> bool:
    """Whether a device measured what the plan awaits."""
    wanted = plan.content.quantity if isinstance(plan.content, uploads.Plan) else None
    awaited = PERSONAL if wanted is None else {wanted}
    measured = {name for name, value in body.values.items() if value is not None}
    return body.device != GATEWAY_DEVICE and not awaited.isdisjoint(measured)


def _last_upload(fleet: Fleet, plan: CarePlan, patient: Patient) -> Instant:
    """When a measurement last came, from any unit; nothing is due before plan and unit are there for the patient."""
    came = (one for state in fleet.states.values() if (one := state.latest.get((GATEWAY_DEVICE, _mark(plan)))))
    return max([plan.set_at, patient.since, *(one.received_at for one in came)])


def _explain(
    tier: uploads.Tier, missed: uploads.Missed, last: Instant, plan: CarePlan, patient: Patient
) -> dict[str, Any]:
    return {
        "missed": missed.count, "since": missed.since, "last": last, "task": tier.act, "person": patient.id,
        "plan": plan.id, "plan_by": plan.set_by,
    }  # fmt: skip
