"""Classes of one glucose reading, mmol/L, of people with diabetes outside pregnancy and the first month of life.

Source: ADA Standards of Care (hypoglycaemia levels 1 and 2), international consensus on time in range (3.9-10.0; above
13.9 level 2), mg/dL = mmol/L x 18.0156. Urgent at a kiosk or at home: <= 3.9 or >= 16.7 (domain facts 10.1). Level 3 is
anybody who needs help, whatever the number: a person says so, not a meter.
"""

from typing import Final

import msgspec

from gateway.derive.population import MATERNAL, Placed, Population
from gateway.derive.scores.score import Refused, half_up, refuse

NAME: Final = "glucose-class"
SOURCE: Final = "ADA Standards of Care; consensus on time in range"
MG_PER_MMOL: Final = 18.0156
POPULATIONS: Final = frozenset(Population) - MATERNAL - {Population.NEONATE}
URGENT_LOW: Final = 3.9
URGENT_HIGH: Final = 16.7
CLASSES: Final = (  # the first value that is too high for it
    ("hypo-2", 3.0),
    ("hypo-1", 3.9),
    ("in-range", 10.1),
    ("hyper-1", 14.0),
)
HIGHEST: Final = "hyper-2"


class Glucose(msgspec.Struct, frozen=True):
    """The class of a reading."""

    code: str
    urgent: bool
    assumed: bool


def classify(mmol: float, placed: Placed) -> Glucose | Refused:
    """The class of one reading, rounded half-up to 0.1 mmol/L as meters show it."""
    refused = refuse(NAME, placed, POPULATIONS)
    if refused is not None:
        return refused
    shown = half_up(mmol, 1)
    code = next((code for code, end in CLASSES if shown < end), HIGHEST)
    return Glucose(code, shown <= URGENT_LOW or shown >= URGENT_HIGH, placed.assumed)


def to_mmol(milligrams: float) -> float:
    """mg/dL to mmol/L."""
    return milligrams / MG_PER_MMOL
