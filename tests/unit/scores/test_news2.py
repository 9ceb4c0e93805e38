"""NEWS2 row by row, on both sides of every boundary, typed from the Royal College's chart and not from our table."""

import pytest

from gateway.contract.quantity import HOUR, MINUTE
from gateway.derive.population import Population
from gateway.derive.scores.news2 import HIGHEST, NEWS2
from gateway.derive.scores.score import Missing, Part, Person, Reading, Refused, ScaleTwo, Value
from tests.unit.scores.tables import ADULT, NOW, PREGNANT, SCALE_TWO, UNKNOWN, WELL, child, inputs, points, scored

RESPIRATION = [(0, 3), (8, 3), (9, 1), (11, 1), (12, 0), (20, 0), (21, 2), (24, 2), (25, 3), (60, 3)]
SCALE_1 = [(50, 3), (91, 3), (92, 2), (93, 2), (94, 1), (95, 1), (96, 0), (100, 0)]
SCALE_2_AIR = [(83, 3), (84, 2), (85, 2), (86, 1), (87, 1), (88, 0), (92, 0), (93, 0), (100, 0)]
SCALE_2_OXYGEN = [*SCALE_2_AIR[:7], (93, 1), (94, 1), (95, 2), (96, 2), (97, 3), (100, 3)]
SYSTOLIC = [(60, 3), (90, 3), (91, 2), (100, 2), (101, 1), (110, 1), (111, 0), (219, 0), (220, 3), (280, 3)]
PULSE = [
    (30, 3),
    (40, 3),
    (41, 1),
    (50, 1),
    (51, 0),
    (90, 0),
    (91, 1),
    (110, 1),
    (111, 2),
    (130, 2),
    (131, 3),
    (200, 3),
]
TEMPERATURE = [
    (33.0, 3),
    (35.0, 3),
    (35.1, 1),
    (36.0, 1),
    (36.1, 0),
    (38.0, 0),
    (38.1, 1),
    (39.0, 1),
    (39.1, 2),
    (41, 2),
]
HALVES = [("temperature", 35.04, 3), ("temperature", 35.05, 1), ("temperature", 38.05, 1), ("temperature", 38.04, 0),
          ("temperature", 39.05, 2), ("spo2", 91.4, 3), ("spo2", 91.5, 2), ("spo2", 95.5, 0), ("resp-rate", 8.5, 1),
          ("resp-rate", 24.5, 3), ("resp-rate", 20.49, 0), ("bp-systolic", 90.5, 2),
          ("bp-systolic", 219.5, 3)]  # fmt: skip


@pytest.mark.parametrize(("value", "expected"), RESPIRATION)
def test_respiration(value: float, expected: int) -> None:
    assert points(NEWS2, ADULT, "resp-rate", {"resp-rate": value}) == expected


@pytest.mark.parametrize("oxygen", ["air", "oxygen", "oxygen-high"])
@pytest.mark.parametrize(("value", "expected"), SCALE_1)
def test_saturation_scale_1(value: float, oxygen: str, expected: int) -> None:
    assert points(NEWS2, ADULT, "spo2", {"spo2": value, "oxygen": oxygen}) == expected


@pytest.mark.parametrize(("value", "expected"), SCALE_2_AIR)
def test_saturation_scale_2_on_air(value: float, expected: int) -> None:
    assert points(NEWS2, SCALE_TWO, "spo2", {"spo2": value, "oxygen": "air"}) == expected


@pytest.mark.parametrize("oxygen", ["oxygen", "oxygen-high"])
@pytest.mark.parametrize(("value", "expected"), SCALE_2_OXYGEN)
def test_saturation_scale_2_on_oxygen(value: float, oxygen: str, expected: int) -> None:
    assert points(NEWS2, SCALE_TWO, "spo2", {"spo2": value, "oxygen": oxygen}) == expected


@pytest.mark.parametrize(("value", "expected"), SYSTOLIC)
def test_systolic(value: float, expected: int) -> None:
    assert points(NEWS2, ADULT, "bp-systolic", {"bp-systolic": value}) == expected


@pytest.mark.parametrize("source", ["heart-rate", "pulse-rate"])
@pytest.mark.parametrize(("value", "expected"), PULSE)
def test_pulse(value: float, source: str, expected: int) -> None:
    assert points(NEWS2, ADULT, "pulse", {source: value}) == expected


@pytest.mark.parametrize(("value", "expected"), TEMPERATURE)
def test_temperature(value: float, expected: int) -> None:
    assert points(NEWS2, ADULT, "temperature", {"temperature": value}) == expected


@pytest.mark.parametrize(
    ("level", "expected"), [("alert", 0), ("confused", 3), ("voice", 3), ("pain", 3), ("unresponsive", 3)]
)
def test_consciousness(level: str, expected: int) -> None:
    assert points(NEWS2, ADULT, "consciousness", {"consciousness": level}) == expected


@pytest.mark.parametrize(("word", "expected"), [("air", 0), ("oxygen", 2), ("oxygen-high", 2)])
def test_oxygen(word: str, expected: int) -> None:
    assert points(NEWS2, ADULT, "oxygen", {"oxygen": word}) == expected


@pytest.mark.parametrize(("name", "value", "expected"), HALVES)
def test_halves_are_rounded_up_first(name: str, value: float, expected: int) -> None:
    assert points(NEWS2, ADULT, name, {name: value}) == expected


def test_somebody_well_scores_nothing() -> None:
    score = scored(NEWS2, ADULT, inputs(WELL))
    assert (score.value, score.complete, score.risk, score.text, score.missing) == (0, True, "none", "0", ())


def test_the_worst_of_everything_is_the_highest() -> None:
    worst: dict[str, Value] = {
        "resp-rate": 30, "spo2": 80, "oxygen": "oxygen", "bp-systolic": 80, "heart-rate": 140,
        "consciousness": "pain", "temperature": 34.0,
    }  # fmt: skip
    score = scored(NEWS2, ADULT, inputs(worst))
    assert (score.value, score.risk) == (HIGHEST, "high")
    assert score.marked == ("resp-rate", "spo2", "bp-systolic", "pulse", "consciousness", "temperature")
    assert Part("pulse", 140, 3, NOW) in score.parts


@pytest.mark.parametrize(
    ("changed", "total", "risk"),
    [
        ({"heart-rate": 95}, 1, "low"),
        ({"heart-rate": 95, "oxygen": "oxygen", "spo2": 95}, 4, "low"),
        ({"resp-rate": 25}, 3, "low-medium"),
        ({"resp-rate": 25, "spo2": 95}, 4, "low-medium"),
        ({"heart-rate": 95, "oxygen": "oxygen", "spo2": 93}, 5, "medium"),
        ({"heart-rate": 115, "oxygen": "oxygen", "spo2": 93}, 6, "medium"),
        ({"heart-rate": 115, "oxygen": "oxygen", "spo2": 93, "temperature": 38.5}, 7, "high"),
    ],
)
def test_risk(changed: dict[str, Value], total: int, risk: str) -> None:
    score = scored(NEWS2, ADULT, inputs(WELL | changed))
    assert (score.value, score.risk) == (total, risk)


def test_a_partial_score_is_a_lower_bound_that_names_what_is_missing() -> None:
    score = scored(NEWS2, ADULT, inputs({"resp-rate": 25, "spo2": 93}))
    assert (score.value, score.complete, score.text, score.risk) == (5, False, ">= 5", "medium")
    assert [gap.name for gap in score.missing] == ["oxygen", "bp-systolic", "pulse", "consciousness", "temperature"]
    assert {gap.why for gap in score.missing} == {"absent"}


def test_without_any_input_there_is_no_bound() -> None:
    score = scored(NEWS2, ADULT, {})
    assert (score.value, score.complete, score.text, score.risk) == (None, False, "-", "")


@pytest.mark.parametrize(
    ("name", "part", "validity"),
    [
        ("resp-rate", "resp-rate", 5 * MINUTE), ("spo2", "spo2", 5 * MINUTE), ("heart-rate", "pulse", 5 * MINUTE),
        ("bp-systolic", "bp-systolic", 15 * MINUTE), ("temperature", "temperature", 4 * HOUR),
        ("consciousness", "consciousness", 15 * MINUTE), ("oxygen", "oxygen", 15 * MINUTE),
    ],
)  # fmt: skip
def test_an_input_counts_until_it_is_too_old(name: str, part: str, validity: int) -> None:
    given = inputs(WELL)
    young = given | {name: Reading(WELL[name], NOW - validity)}
    assert scored(NEWS2, ADULT, young).complete
    old = given | {name: Reading(WELL[name], NOW - validity - 1)}
    assert scored(NEWS2, ADULT, old).missing == (Missing(part, "stale", NOW - validity - 1),)


def test_the_pulse_of_the_oximeter_stands_in_for_an_ecg_that_has_ceased() -> None:
    given = inputs(WELL) | {"heart-rate": Reading(70, NOW - 60_000_000), "pulse-rate": Reading(135, NOW)}
    assert Part("pulse", 135, 3, NOW) in scored(NEWS2, ADULT, given).parts


def test_somebody_on_oxygen_by_any_account_is_on_oxygen() -> None:
    given = inputs(WELL | {"oxygen": "air", "oxygen/flow": "oxygen"})
    assert scored(NEWS2, ADULT, given).value == 2


def test_scale_2_without_word_on_oxygen_is_the_lower_bound() -> None:
    without = {name: value for name, value in WELL.items() if name != "oxygen"} | {"spo2": 98}
    score = scored(NEWS2, SCALE_TWO, inputs(without))
    assert (score.value, score.complete) == (0, False)


def test_scale_2_needs_the_clinician_who_recorded_it() -> None:
    with pytest.raises(ValueError, match="clinician"):
        ScaleTwo("", NOW)


@pytest.mark.parametrize("person", [child(0.01), child(0.5), child(3), child(8), child(15.9), PREGNANT])
def test_it_refuses_everybody_else_and_says_why(person: Person) -> None:
    result = NEWS2.evaluate(person, inputs(WELL), NOW)
    assert isinstance(result, Refused)
    assert "made for adult" in result.reason


def test_an_unknown_age_is_scored_with_a_mark() -> None:
    score = scored(NEWS2, UNKNOWN, inputs(WELL))
    assert (score.population, score.assumed) == (Population.ADULT, True)
    assert not scored(NEWS2, child(16.01), inputs(WELL)).assumed
