"""Who is placed where, to the day."""

import pytest

from gateway.derive.population import Placed, Population, Pregnancy, place

BANDS = [
    (0, Population.NEONATE),
    (27, Population.NEONATE),
    (28, Population.INFANT),
    (364, Population.INFANT),
    (365, Population.TODDLER),
    (1460, Population.TODDLER),
    (1461, Population.CHILD),
    (4382, Population.CHILD),
    (4383, Population.ADOLESCENT),
    (5843, Population.ADOLESCENT),
    (5844, Population.ADULT),
    (40_000, Population.ADULT),
]


@pytest.mark.parametrize(("age_days", "population"), BANDS)
def test_an_age_has_one_population(age_days: int, population: Population) -> None:
    assert place(age_days) == Placed(population, assumed=False)


@pytest.mark.parametrize("age_days", [None, -1])
def test_an_unknown_age_is_an_adult_with_a_mark(age_days: int | None) -> None:
    assert place(age_days) == Placed(Population.ADULT, assumed=True)


@pytest.mark.parametrize("age_days", [None, 5000, 12_000])
@pytest.mark.parametrize(
    ("pregnancy", "population"),
    [(Pregnancy.PREGNANT, Population.PREGNANT), (Pregnancy.POSTPARTUM, Population.POSTPARTUM)],
)
def test_pregnancy_outweighs_age(age_days: int | None, pregnancy: Pregnancy, population: Population) -> None:
    assert place(age_days, pregnancy) == Placed(population)
