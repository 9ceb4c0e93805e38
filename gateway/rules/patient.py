"""Whom a unit's values speak of, as far as limits depend on it: population, oxygen target, limits of their own."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import msgspec

from gateway.contract.envelope import Instant
from gateway.contract.quantity import QUANTITIES
from gateway.derive.plans import Plans
from gateway.derive.population import Placed, Population
from gateway.derive.scores.score import Person
from gateway.rules.condition import Direction, Threshold
from gateway.rules.row import Priority, Row

_RANK: Final = {Priority.LOW: 0, Priority.MEDIUM: 1, Priority.HIGH: 2}
OXYGEN_TARGET: Final = "88-92"  # recorded by a clinician for hypercapnic respiratory failure, never inferred


class PersonLimit(msgspec.Struct, frozen=True):
    """An alert's limit for one patient; ``id`` is of the entry in ``person_limit``, or of the care plan that gives it.

    Its reason stays in the database: somebody typed it.
    """

    id: str
    rule: str
    limit: float
    set_by: str
    expires_at: Instant


class Patient(msgspec.Struct, frozen=True):
    """One unit's patient; ``id`` is a pseudonym, "" while nobody is bound. ``person``: what scores depend on.

    ``since``: from when the unit's devices speak for them.
    """

    id: str = ""
    placed: Placed = Placed(Population.ADULT, assumed=True)
    oxygen_target: str | None = None
    limits: dict[str, PersonLimit] = {}  # by alert; also what follows from care plans
    person: Person = Person()
    plans: Plans = {}
    since: Instant = 0


NOBODY: Final = Patient()


def limit_for(row: Row, patient: Patient) -> float | None:
    """The limit that counts for the patient: their own, else that of the oxygen target, else their population's.

    None when the row has no one limit.
    """
    if row.threshold is None:
        return None
    own = patient.limits.get(row.code)
    if own is not None:
        return own.limit
    if patient.oxygen_target == OXYGEN_TARGET and row.target_limit is not None:
        return row.target_limit
    return row.limits.get(patient.placed.population, row.threshold.limit)


def silent_on(row: Row, patient: Patient) -> str | None:
    """Why the row does not speak of the patient; None when it does."""
    if row.needs_target and patient.oxygen_target != OXYGEN_TARGET:
        return f"no oxygen target of {OXYGEN_TARGET} % is recorded"
    if row.needs_plan and row.code not in patient.limits:
        return "no care plan of this person gives it a limit"
    return row.refuses(patient.placed.population)


def row_for(row: Row, patient: Patient) -> Row | None:
    """The row with the limit that counts for the patient; None when it does not speak of them."""
    if silent_on(row, patient) is not None:
        return None
    limit = limit_for(row, patient)
    if limit is None or row.threshold is None or limit == row.threshold.limit:
        return row
    threshold: Threshold = msgspec.structs.replace(row.threshold, limit=limit)
    return msgspec.structs.replace(row, condition=threshold)


class LimitRefused(StrEnum):
    """Why a limit cannot be set for somebody."""

    UNKNOWN_ALERT = "unknown-alert"
    NO_LIMIT = "no-limit"  # a device, a detector or a care plan decides, or there are several limits
    OUT_OF_RANGE = "limit-out-of-range"
    OTHER_POPULATION = "other-population"  # the row does not speak of the person at all
    BEYOND_GRAVER = "beyond-graver"  # the graver alert on the same side would be raised first
    CROSSES = "crosses"  # every value would raise one alert or another


class Refused(msgspec.Struct, frozen=True):
    """The reason, and a sentence for whoever asked."""

    reason: LimitRefused
    detail: str


def check_limit(rows: Mapping[str, Row], patient: Patient, code: str, limit: float) -> Refused | None:
    """Why the limit cannot be set; None when it can."""
    row = rows.get(code)
    if row is None:
        return Refused(LimitRefused.UNKNOWN_ALERT, f"there is no alert {code}")
    if row.threshold is None:
        return Refused(LimitRefused.NO_LIMIT, f"{code} has no single limit")
    if row.needs_plan:
        return Refused(LimitRefused.NO_LIMIT, f"the limit of {code} follows from a care plan")
    known = QUANTITIES[row.threshold.quantity]
    if not known.low <= limit <= known.high:
        return Refused(LimitRefused.OUT_OF_RANGE, f"expected {known.low:g} to {known.high:g} {known.unit}")
    why = row.refuses(patient.placed.population)
    if why is not None:
        return Refused(LimitRefused.OTHER_POPULATION, why)
    others = [one for one in rows.values() if one.code != code and one.enabled]
    return next((refused for one in others if (refused := _clash(row, limit, one, patient)) is not None), None)


def _clash(row: Row, limit: float, other: Row, patient: Patient) -> Refused | None:
    """Whether the limit and that of another row on the same quantity contradict each other."""
    fitted, mine = row_for(other, patient), row.threshold
    if fitted is None or fitted.threshold is None or mine is None or fitted.threshold.quantity != mine.quantity:
        return None
    above, theirs = mine.direction is Direction.ABOVE, fitted.threshold.limit
    if fitted.threshold.direction is not mine.direction:
        crosses = limit <= theirs if above else limit >= theirs
        return Refused(LimitRefused.CROSSES, f"{other.code} is raised at {theirs:g}") if crosses else None
    if _RANK[other.priority] <= _RANK[row.priority]:
        return None
    beyond = limit > theirs if above else limit < theirs
    return Refused(LimitRefused.BEYOND_GRAVER, f"{other.code} is raised at {theirs:g} already") if beyond else None
