"""Bedside PEWS, 0 to 26, of children.

Source: Parshuram, Hutchison and Middaugh, Development and initial validation of the Bedside Paediatric Early Warning
System score, Critical Care 2009;13:R135 (doi 10.1186/cc7998), table 1, the seven items that were kept; 8 had
sensitivity 82 % and specificity 93 %. Many others are in use (Brighton, Ireland, NHS England): a site replaces `BANDS`.
Deviations: the heart rate of 4 to 12 years counts 4 points from 150 (the table prints > 150); somebody whose age is
not known is refused, for every table needs it.
"""

from typing import Final

from gateway.contract.envelope import Instant
from gateway.derive.population import CHILDREN, YEAR_DAYS
from gateway.derive.scores.score import OXYGEN, PULSE, Chart, Inputs, Item, Person, Steps, Sum, Words, trigger_from

HIGHEST: Final = 26
TRIGGER: Final = 8
_POINTS: Final = (4, 2, 1, 0, 1, 2, 4)

# (first age in days that is too old, heart rate, systolic, respiratory rate): each the last value of its step
BANDS: Final = (
    (91, (80, 90, 110, 149, 179, 189), (45, 50, 60, 79, 99, 129), (15, 19, 29, 60, 80, 90)),
    (round(YEAR_DAYS), (70, 80, 100, 149, 169, 179), (60, 70, 80, 99, 119, 149), (15, 19, 24, 50, 70, 80)),
    (round(4 * YEAR_DAYS), (60, 70, 90, 119, 149, 169), (65, 75, 90, 109, 124, 159), (12, 15, 19, 40, 60, 70)),
    (round(12 * YEAR_DAYS), (50, 60, 70, 109, 129, 149), (70, 80, 90, 119, 139, 169), (10, 14, 19, 30, 40, 50)),
    (round(16 * YEAR_DAYS), (40, 49, 60, 99, 119, 139), (75, 85, 100, 129, 149, 189), (9, 10, 11, 16, 22, 29)),
)


def _chart(pulse: tuple[int, ...], systolic: tuple[int, ...], breaths: tuple[int, ...]) -> Chart:
    return (
        Item("pulse", PULSE, Steps(pulse, _POINTS)),
        Item("bp-systolic", ("bp-systolic",), Steps(systolic, _POINTS)),
        Item("capillary-refill", ("capillary-refill",), Steps((2.9,), (0, 4), decimals=1)),
        Item("resp-rate", ("resp-rate",), Steps(breaths, _POINTS)),
        Item(
            "respiratory-effort", ("respiratory-effort",), Words({"normal": 0, "mild": 1, "moderate": 2, "severe": 4})
        ),
        Item("spo2", ("spo2",), Steps((90, 94), (2, 1, 0))),
        Item("oxygen", OXYGEN, Words({"air": 0, "oxygen": 2, "oxygen-high": 4}), worst=True),
    )  # fmt: skip


CHARTS: Final = tuple(_chart(pulse, systolic, breaths) for _, pulse, systolic, breaths in BANDS)


def choose(charts: tuple[Chart, ...], person: Person, _inputs: Inputs, _now: Instant) -> Chart:
    """The chart of an age."""
    age = person.age_days
    assert age is not None  # else the person would have been taken for an adult
    return next(chart for (end, *_), chart in zip(BANDS, charts, strict=True) if age < end)


PEWS: Final = Sum("pews", "Bedside PEWS 2009", CHILDREN, CHARTS, choose, trigger_from(TRIGGER))
