"""Whom a limit or a score is made for. One that is made for others refuses and says why.

Source: neonate = the first 28 days of life, infant = the first year (WHO); the bands of childhood are those of the
Bedside PEWS (Parshuram 2009, doi 10.1186/cc7998), adult begins with NEWS2's 16 years, post-partum are the six weeks
in which the obstetric charts hold (Singh 2012, doi 10.1111/j.1365-2044.2011.06896.x).
"""

from enum import StrEnum
from functools import lru_cache
from typing import Final

import msgspec

YEAR_DAYS: Final = 365.25


class Population(StrEnum):
    NEONATE = "neonate"
    INFANT = "infant"
    TODDLER = "toddler"
    CHILD = "child"
    ADOLESCENT = "adolescent"
    ADULT = "adult"
    PREGNANT = "pregnant"
    POSTPARTUM = "postpartum"


class Pregnancy(StrEnum):
    NONE = "none"  # also: not known
    PREGNANT = "pregnant"
    POSTPARTUM = "postpartum"  # up to six weeks after the birth; whoever records it also ends it


CHILDREN: Final = frozenset(
    {Population.NEONATE, Population.INFANT, Population.TODDLER, Population.CHILD, Population.ADOLESCENT}
)
MATERNAL: Final = frozenset({Population.PREGNANT, Population.POSTPARTUM})
ADULTS: Final = frozenset({Population.ADULT})

_ENDS: Final = (  # the first age, in days, that is too old for it
    (28, Population.NEONATE),
    (round(YEAR_DAYS), Population.INFANT),
    (round(4 * YEAR_DAYS), Population.TODDLER),
    (round(12 * YEAR_DAYS), Population.CHILD),
    (round(16 * YEAR_DAYS), Population.ADOLESCENT),
)
_OF_PREGNANCY: Final = {
    Pregnancy.PREGNANT: Population.PREGNANT,
    Pregnancy.POSTPARTUM: Population.POSTPARTUM,
}


class Placed(msgspec.Struct, frozen=True):
    """Somebody's population. ``assumed``: the age is not known, so adult is a guess that every screen must show."""

    population: Population
    assumed: bool = False


@lru_cache(maxsize=4096)
def place(age_days: int | None, pregnancy: Pregnancy = Pregnancy.NONE) -> Placed:
    """The population of a person; pregnancy outweighs age, and an age below zero is no age at all."""
    if pregnancy in _OF_PREGNANCY:
        return Placed(_OF_PREGNANCY[pregnancy])
    if age_days is None or age_days < 0:
        return Placed(Population.ADULT, assumed=True)
    return Placed(next((population for end, population in _ENDS if age_days < end), Population.ADULT))
