"""The heart-rate stop rule of a training: in early rehabilitation and as an outpatient, of adults who are not pregnant.

Source: ACSM's Guidelines for Exercise Testing and Prescription. Early (in hospital): at most resting + 20/min after a
heart attack, + 30/min after surgery, never above 120/min. Outpatient: 40 to 80 % of heart-rate reserve (Karvonen 1957:
rest + share x (maximum - rest)), and at least 10/min below a recorded ischaemic threshold. Without an exercise test the
maximum is 208 - 0.7 x age (Tanaka 2001, doi 10.1016/S0735-1097(00)01054-8), marked, and not for anybody on a beta
blocker. Symptoms stop a training whatever the rate. From memory of the guideline, for a site to confirm.
"""

from typing import Final, Literal

import msgspec

from gateway.derive.population import ADULTS, YEAR_DAYS
from gateway.derive.scores.score import Person, Refused, refuse

NAME: Final = "rehab-heart-rate"
SOURCE: Final = "ACSM; Karvonen 1957; Tanaka 2001; to be confirmed by the site"
EARLY_RISE: Final = {"infarction": 20.0, "surgery": 30.0}
EARLY_CEILING: Final = 120.0
LOW_SHARE: Final = 0.4
HIGH_SHARE: Final = 0.8
BELOW_ISCHAEMIA: Final = 10.0


class Plan(msgspec.Struct, frozen=True, tag="rehab", tag_field="kind"):
    """What a clinician has recorded; rates in 1/min. ``early``: why somebody trains in hospital; None = outpatient."""

    resting: float
    maximum: float | None = None  # of an exercise test
    early: Literal["infarction", "surgery"] | None = None
    ischaemic_threshold: float | None = None
    beta_blocker: bool = False


class Limits(msgspec.Struct, frozen=True):
    """The training range. Above ``stop`` the training stops. ``estimated``: the maximum is a formula's."""

    low: float
    stop: float
    estimated: bool
    assumed: bool


def limits(plan: Plan, person: Person) -> Limits | Refused:
    """The range of somebody's training, or why there is none."""
    placed = person.placed
    refused = refuse(NAME, placed, ADULTS)
    if refused is not None:
        return refused
    if plan.early is not None:
        stop = min(plan.resting + EARLY_RISE[plan.early], EARLY_CEILING)
        return _within(plan, person, Limits(plan.resting, stop, False, placed.assumed))
    maximum, estimated = plan.maximum, plan.maximum is None
    if maximum is None:
        if person.age_days is None or plan.beta_blocker:
            why = "a beta blocker" if plan.beta_blocker else "an unknown age"
            sentence = f"no exercise test, and {why} allows no estimate of the maximum"
            return Refused(NAME, placed.population, sentence, "no-maximum")
        maximum = 208 - 0.7 * (person.age_days / YEAR_DAYS)
    reserve = maximum - plan.resting
    low, stop = plan.resting + LOW_SHARE * reserve, plan.resting + HIGH_SHARE * reserve
    return _within(plan, person, Limits(low, stop, estimated, placed.assumed))


def _within(plan: Plan, person: Person, found: Limits) -> Limits | Refused:
    """The limits under the ischaemic threshold; a plan whose numbers leave no room is refused."""
    stop = found.stop
    if plan.ischaemic_threshold is not None:
        stop = min(stop, plan.ischaemic_threshold - BELOW_ISCHAEMIA)
    if stop <= plan.resting:
        return Refused(NAME, person.placed.population, "the plan leaves no room above the resting rate", "no-room")
    return Limits(min(found.low, stop), stop, found.estimated, found.assumed)


def judge(rate: float, found: Limits) -> Literal["below", "within", "stop"]:
    """Where a heart rate lies; how long it must last before anybody is told is the rule's business."""
    return "stop" if rate > found.stop else "below" if rate < found.low else "within"
