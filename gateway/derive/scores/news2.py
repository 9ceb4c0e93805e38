"""NEWS2, 0 to 20, of adults from 16 years who are not pregnant.

Source: Royal College of Physicians, National Early Warning Score (NEWS) 2, London 2017, chart 1 and the table of
responses. Scale 2 of SpO2 holds only where a clinician has recorded it. Deviations: values are rounded half-up to the
chart's resolution first; an input that is missing or too old makes the total a lower bound.
"""

from typing import Final

from gateway.contract.envelope import Instant
from gateway.contract.quantity import HOUR
from gateway.derive.population import ADULTS
from gateway.derive.scores.score import (
    OXYGEN,
    PULSE,
    Chart,
    Inputs,
    Item,
    Person,
    Steps,
    Sum,
    Words,
)

HIGHEST: Final = 20
OXYGEN_ITEM: Final = Item("oxygen", OXYGEN, Words({"air": 0, "oxygen": 2, "oxygen-high": 2}), worst=True)
_SCALE_ONE: Final = Steps((91, 93, 95), (3, 2, 1, 0))
_SCALE_TWO_AIR: Final = Steps((83, 85, 87), (3, 2, 1, 0))
_SCALE_TWO_OXYGEN: Final = Steps((83, 85, 87, 92, 94, 96), (3, 2, 1, 0, 1, 2, 3))


def _chart(saturation: Steps) -> Chart:
    return (
        Item("resp-rate", ("resp-rate",), Steps((8, 11, 20, 24), (3, 1, 0, 2, 3))),
        Item("spo2", ("spo2",), saturation),
        OXYGEN_ITEM,
        Item("bp-systolic", ("bp-systolic",), Steps((90, 100, 110, 219), (3, 2, 1, 0, 3))),
        Item("pulse", PULSE, Steps((40, 50, 90, 110, 130), (3, 1, 0, 1, 2, 3))),
        Item(
            "consciousness",
            ("consciousness",),
            Words({"alert": 0, "confused": 3, "voice": 3, "pain": 3, "unresponsive": 3}),
        ),
        Item("temperature", ("temperature",), Steps((35.0, 36.0, 38.0, 39.0), (3, 1, 0, 1, 2), decimals=1)),
    )


CHARTS: Final = (_chart(_SCALE_ONE), _chart(_SCALE_TWO_AIR), _chart(_SCALE_TWO_OXYGEN))

# us between observations, at most (RCP; 12 h for a score of 0 as commonly quoted); 0 = continuous monitoring
OBSERVE_WITHIN: Final = {"none": 12 * HOUR, "low": 6 * HOUR, "low-medium": HOUR, "medium": HOUR, "high": 0}


def choose(charts: tuple[Chart, ...], person: Person, inputs: Inputs, now: Instant) -> Chart:
    """The chart that holds for a person now. Without word on oxygen scale 2 reads as on air: the lower bound."""
    scale_one, scale_two_air, scale_two_oxygen = charts
    if person.scale_two is None:
        return scale_one
    oxygen = OXYGEN_ITEM.read(inputs, now)
    return scale_two_air if oxygen is None or oxygen.value == "air" else scale_two_oxygen


def risk(total: int, single: bool) -> str:
    """RCP's clinical risk; ``single``: some part scores 3."""
    if total >= 7:
        return "high"
    if total >= 5:
        return "medium"
    if single:
        return "low-medium"
    return "low" if total >= 1 else "none"


NEWS2: Final = Sum("news2", "RCP 2017", ADULTS, CHARTS, choose, risk, mark=3)
