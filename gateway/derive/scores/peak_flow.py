"""Zones of peak expiratory flow against somebody's personal best, from five years on.

Source: the traffic-light plan of the NHLBI asthma guideline (EPR-3, 2007): green from 80 %, yellow from 50 %, red
below. A personal best is entered by a person, never taken from the data.
"""

from typing import Final

import msgspec

from gateway.derive.population import YEAR_DAYS, Placed
from gateway.derive.scores.score import Refused, half_up

NAME: Final = "peak-flow-zone"
SOURCE: Final = "NHLBI EPR-3 (2007)"
YOUNGEST_DAYS: Final = round(5 * YEAR_DAYS)
GREEN_FROM: Final = 80.0
YELLOW_FROM: Final = 50.0


class Plan(msgspec.Struct, frozen=True, tag="peak-flow", tag_field="kind"):
    """What a clinician has recorded: the best flow of somebody's good weeks, L/min."""

    personal_best: float


class PeakFlow(msgspec.Struct, frozen=True):
    """``percent`` of the personal best."""

    zone: str
    percent: float
    assumed: bool


def zone(flow: float, personal_best: float, placed: Placed, age_days: int | None) -> PeakFlow | Refused:
    """The zone of a flow; both in L/min.

    Raises:
        ValueError: a personal best that is not above zero.
    """
    if personal_best <= 0:
        raise ValueError(f"personal best {personal_best}")
    refused = refuse_age(placed, age_days)
    if refused is not None:
        return refused
    # Not rounded first: 79.6 % is not green.
    zones = (("green", GREEN_FROM), ("yellow", YELLOW_FROM))
    colour = next((name for name, share in zones if 100 * flow >= share * personal_best), "red")
    return PeakFlow(colour, half_up(100 * flow / personal_best), placed.assumed)


def limits(plan: Plan) -> tuple[float, float]:
    """Below the first the flow is yellow, below the second red; L/min."""
    return GREEN_FROM * plan.personal_best / 100, YELLOW_FROM * plan.personal_best / 100


def refuse_age(placed: Placed, age_days: int | None) -> Refused | None:
    """The refusal of somebody too young to blow as hard as they can."""
    if age_days is not None and 0 <= age_days < YOUNGEST_DAYS:
        return Refused(NAME, placed.population, "made for people from five years on", "too-young")
    return None
