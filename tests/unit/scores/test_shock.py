"""Shock indices and the estimate of mean pressure."""

import pytest

from gateway.contract.quantity import MINUTE
from gateway.derive.scores.score import Formula, Inputs, Missing, Person, Reading, Refused, Score, Value
from gateway.derive.scores.shock import MEAN_ESTIMATE, MODIFIED_SHOCK_INDEX, SHOCK_INDEX, estimate_mean
from tests.unit.scores.tables import ADULT, NOW, PREGNANT, UNKNOWN, child, inputs


def scored(score: Formula, given: Inputs, person: Person = ADULT) -> Score:
    result = score.evaluate(person, given, NOW)
    assert isinstance(result, Score), result
    return result


@pytest.mark.parametrize(
    ("rate", "systolic", "value", "risk"),
    [
        (70, 120, 0.58, "none"),
        (89, 100, 0.89, "none"),
        (90, 100, 0.9, "watch"),
        (99, 100, 0.99, "watch"),
        (100, 100, 1.0, "alert"),
        (140, 70, 2.0, "alert"),
        (179, 200, 0.9, "watch"),  # 0.895, rounded half-up first
    ],
)
def test_shock_index(rate: float, systolic: float, value: float, risk: str) -> None:
    score = scored(SHOCK_INDEX, inputs({"heart-rate": rate, "bp-systolic": systolic}))
    assert (score.value, score.risk, score.complete) == (value, risk, True)
    assert [(part.name, part.value, part.points) for part in score.parts] == [
        ("pulse", rate, None), ("bp-systolic", systolic, None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("rate", "mean", "value", "risk"),
    [(69, 100, 0.69, "alert"), (70, 100, 0.7, "none"), (130, 100, 1.3, "none"), (131, 100, 1.31, "alert")],
)
def test_modified_shock_index(rate: float, mean: float, value: float, risk: str) -> None:
    score = scored(MODIFIED_SHOCK_INDEX, inputs({"heart-rate": rate, "bp-mean": mean}))
    assert (score.value, score.risk) == (value, risk)


@pytest.mark.parametrize(
    ("systolic", "diastolic", "mean"),
    [(120, 80, 93.3), (90, 60, 70.0), (100, 47, 64.7), (110, 110, None), (80, 90, None)],
)
def test_one_third_rule(systolic: float, diastolic: float, mean: float | None) -> None:
    assert estimate_mean(systolic, diastolic) == mean


@pytest.mark.parametrize(("diastolic", "value", "risk"), [(48, 65.3, "none"), (47.5, 65.0, "none"), (47, 64.7, "low")])
def test_an_estimate_below_65_is_low(diastolic: float, value: float, risk: str) -> None:
    score = scored(MEAN_ESTIMATE, inputs({"bp-systolic": 100, "bp-diastolic": diastolic}))
    assert (score.value, score.risk) == (value, risk)


CUFF: dict[str, Value] = {"bp-systolic": 120, "bp-diastolic": 80, "heart-rate": 93.3}


def test_a_measured_mean_makes_the_estimate_needless() -> None:
    assert scored(MEAN_ESTIMATE, inputs(CUFF | {"bp-mean": 90})).value is None
    assert scored(MEAN_ESTIMATE, inputs(CUFF | {"bp-mean": 90})).missing == ()
    names = [part.name for part in scored(MODIFIED_SHOCK_INDEX, inputs(CUFF | {"bp-mean": 90})).parts]
    assert names == ["pulse", "bp-mean"]


def test_a_mean_of_another_measurement_does_not_count() -> None:
    given = inputs(CUFF) | {"bp-mean": Reading(60, NOW - MINUTE)}
    assert scored(MEAN_ESTIMATE, given).value == 93.3
    assert [part.name for part in scored(MODIFIED_SHOCK_INDEX, given).parts] == ["pulse", "bp-mean-estimate"]


def test_two_pressures_of_two_measurements_make_no_mean() -> None:
    given = inputs(CUFF) | {"bp-diastolic": Reading(80, NOW - MINUTE)}
    assert scored(MEAN_ESTIMATE, given).value is None
    assert scored(MODIFIED_SHOCK_INDEX, given).value is None


def test_what_is_missing_is_named() -> None:
    score = scored(SHOCK_INDEX, {"heart-rate": Reading(80, NOW), "bp-systolic": Reading(100, NOW - 16 * MINUTE)})
    assert (score.value, score.complete, score.text) == (None, False, "-")
    assert score.missing == (Missing("bp-systolic", "stale", NOW - 16 * MINUTE),)


@pytest.mark.parametrize("person", [child(10), PREGNANT])
@pytest.mark.parametrize("score", [SHOCK_INDEX, MODIFIED_SHOCK_INDEX])
def test_the_indices_are_for_adults(score: Formula, person: Person) -> None:
    assert isinstance(score.evaluate(person, inputs(CUFF), NOW), Refused)
    assert scored(score, inputs(CUFF), UNKNOWN).assumed
