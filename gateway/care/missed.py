"""Uploads that somebody at home agreed to and that do not come: tier after tier of who asks after them.

Nothing is kept but which alerts are open. What is missing follows from the plan and from when a measurement last came,
both stored, so that a restart finds the same; each tier is an alert of its own, the graver one mutes the milder.
Processing time: an upload is something that arrives.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from gateway.contract.envelope import Instant
from gateway.contract.quantity import QUANTITIES
from gateway.derive.plans import CarePlan, PlanKind
from gateway.derive.scores import uploads
from gateway.fleet import Fleet, UnitState
from gateway.rules.hold import Edge
from gateway.rules.patient import Patient
from gateway.rules.plan_rows import UPLOADS, upload_code
from gateway.rules.row import Row
from gateway.rules.ruleset import Ruleset
from gateway.rules.threshold import Finding

CODES: Final = frozenset(row.code for row in UPLOADS)
PERSONAL: Final = frozenset(name for name, row in QUANTITIES.items() if row.loinc) - {"ambient-temperature"}


class UploadWatch:
    """``raised``: (unit, alert) of those that are open."""

    def __init__(self, raised: Iterable[tuple[str, str]] = ()) -> None:
        self._raised = {(unit, code) for unit, code in raised if code in CODES}

    def judge_anew(self, ended: Iterable[tuple[str, str]]) -> None:
        """These alerts were practice and have ended with it; what is really missing is raised with the next check."""
        self._raised -= set(ended)

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
                wanted |= {(unit, code): why for code, why in _missing(fleet.states[unit], patient, rows, now)}
        ended = [
            Finding(rows[code], Edge.CLEAR, f"unit/{unit}", unit, None, now)
            for unit, code in sorted(self._raised - wanted.keys())
        ]
        raised = [
            Finding(
                rows[code], Edge.RAISE, f"unit/{unit}", unit, None, now, details=wanted[unit, code] | version,
                simulated=simulated(unit),
            )
            for unit, code in sorted(wanted.keys() - self._raised)
        ]  # fmt: skip
        self._raised = set(wanted)
        return ended + raised


def _missing(
    state: UnitState, patient: Patient, rows: Mapping[str, Row], now: Instant
) -> Iterable[tuple[str, dict[str, Any]]]:
    """The tiers that are reached, each with why."""
    plan = patient.plans.get(PlanKind.UPLOADS)
    if plan is None or not isinstance(plan.content, uploads.Plan):
        return
    last = _last_upload(state, plan.content.quantity, plan.set_at)
    missed = uploads.judge(last, now, every=plan.content.every, grace=plan.content.grace)
    for tier in uploads.TIERS:
        row = rows[upload_code(tier)]
        here = row.places is None or state.registered.address.kind in row.places
        if missed.count >= tier.missed and row.enabled and here:
            yield row.code, _explain(tier, missed, last, plan, patient)


def _last_upload(state: UnitState, quantity: str | None, began: Instant) -> Instant:
    """When a measurement that is awaited last came; nothing is due before the plan began."""
    awaited = PERSONAL if quantity is None else {quantity}
    came = (one.received_at for (_, name), one in state.latest.items() if name in awaited and not one.derived)
    return max([began, *came])


def _explain(
    tier: uploads.Tier, missed: uploads.Missed, last: Instant, plan: CarePlan, patient: Patient
) -> dict[str, Any]:
    return {
        "missed": missed.count, "since": missed.since, "last": last, "task": tier.act, "person": patient.id,
        "plan": plan.id, "plan_by": plan.set_by,
    }  # fmt: skip
