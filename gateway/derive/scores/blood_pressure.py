"""Categories of one reading's blood pressure, the higher of the two numbers' categories. A reading is no diagnosis.

Source: China: grades from 140/90 (Chinese guidelines for the management of hypertension; default here). AHA: Whelton et
al., 2017 ACC/AHA guideline, kept in 2025. ESC: grades of the European guideline. Urgent referral of a kiosk from
180/110, hypotension below 90 systolic. By secondary copies (domain facts 1.7, 10.1): a site replaces the table.
"""

from typing import Final

import msgspec

from gateway.derive.population import ADULTS, Placed
from gateway.derive.scores.score import Refused, half_up, refuse

NAME: Final = "bp-category"
HYPOTENSION_BELOW: Final = 90.0
URGENT_SYSTOLIC: Final = 180.0
URGENT_DIASTOLIC: Final = 110.0


class Grade(msgspec.Struct, frozen=True):
    """Reached from either number on."""

    code: str
    systolic: float
    diastolic: float


class Table(msgspec.Struct, frozen=True):
    """``grades``: rising; whoever reaches none is ``normal``."""

    name: str
    source: str
    grades: tuple[Grade, ...]


class Category(msgspec.Struct, frozen=True):
    """``urgent``: to be measured again after five minutes' rest, then to be seen by a doctor."""

    code: str
    table: str
    urgent: bool
    hypotension: bool
    assumed: bool


_GRADES: Final = (Grade("grade-1", 140, 90), Grade("grade-2", 160, 100), Grade("grade-3", 180, 110))
CHINA: Final = Table(
    "china", "Chinese guidelines for the management of hypertension", (Grade("high-normal", 120, 80), *_GRADES)
)
ESC: Final = Table("esc", "grades of the European guideline (ESC/ESH)", (Grade("high-normal", 130, 85), *_GRADES))
# "Crisis" is above 180/120 after rounding; "elevated" is by the systolic alone: 80 diastolic is stage 1 already.
AHA: Final = Table(
    "aha",
    "ACC/AHA guideline 2017",
    (Grade("elevated", 120, 80), Grade("stage-1", 130, 80), Grade("stage-2", 140, 90), Grade("severe", 181, 121)),
)
TABLES: Final = {table.name: table for table in (CHINA, AHA, ESC)}


def categorise(systolic: float, diastolic: float, placed: Placed, table: Table = CHINA) -> Category | Refused:
    """The category of one reading, mmHg.

    Raises:
        ValueError: diastolic is not below systolic; that is no blood pressure.
    """
    refused = refuse(NAME, placed, ADULTS)
    if refused is not None:
        return refused
    upper, lower = half_up(systolic), half_up(diastolic)
    if lower >= upper:
        raise ValueError(f"{systolic}/{diastolic} is no blood pressure")
    reached = [grade.code for grade in table.grades if upper >= grade.systolic or lower >= grade.diastolic]
    urgent = upper >= URGENT_SYSTOLIC or lower >= URGENT_DIASTOLIC
    code = reached[-1] if reached else "normal"
    return Category(code, table.name, urgent, upper < HYPOTENSION_BELOW, placed.assumed)
