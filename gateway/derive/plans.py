"""What clinicians plan for one person: a training range, a personal best, how often they measure at home.

A plan is entered by a person, with a reason and an expiry, and never taken from data. What follows from it is worked
out anew from whoever the person is now: a range that was made for an adult is none while she is pregnant.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeAlias, TypeVar

import msgspec

from gateway.contract.envelope import Instant
from gateway.derive.scores import peak_flow, rehab, uploads
from gateway.derive.scores.score import Person, Refused


class PlanKind(StrEnum):
    """At most one plan of a kind counts for somebody at a time."""

    REHAB = "rehab"
    PEAK_FLOW = "peak-flow"
    UPLOADS = "uploads"


Content: TypeAlias = rehab.Plan | peak_flow.Plan | uploads.Plan
T = TypeVar("T", rehab.Plan, peak_flow.Plan, uploads.Plan)


class CarePlan(msgspec.Struct, frozen=True):
    """A plan that counts now. Its reason stays in the database: somebody typed it."""

    id: str
    content: Content
    set_by: str
    set_at: Instant
    expires_at: Instant


Plans: TypeAlias = Mapping[str, CarePlan]  # by kind


def refusal(content: Content, person: Person) -> Refused | None:
    """Why nothing follows from a plan for this person; None when something does."""
    match content:
        case rehab.Plan():
            found = rehab.limits(content, person)
            return found if isinstance(found, Refused) else None
        case peak_flow.Plan():
            return peak_flow.refuse_age(person.placed, person.age_days)
        case uploads.Plan():
            return None


def planned(plans: Plans, kind: type[T]) -> T | None:
    """The plan of a kind, if there is one."""
    return next((plan.content for plan in plans.values() if isinstance(plan.content, kind)), None)
