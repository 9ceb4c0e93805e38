"""MEWS, qSOFA and GCS row by row."""

import pytest

from gateway.derive.scores.gcs import GCS
from gateway.derive.scores.mews import HIGHEST, MEWS
from gateway.derive.scores.qsofa import QSOFA
from gateway.derive.scores.score import Person, Reading, Refused, Sum, Value
from tests.unit.scores.tables import ADULT, NOW, PREGNANT, UNKNOWN, WELL, child, inputs, points, scored

MEWS_ROWS: list[tuple[str, list[tuple[Value, int]]]] = [
    ("bp-systolic", [(70, 3), (71, 2), (80, 2), (81, 1), (100, 1), (101, 0), (199, 0), (200, 2)]),
    ("heart-rate", [(40, 2), (41, 1), (50, 1), (51, 0), (100, 0), (101, 1), (110, 1), (111, 2), (129, 2), (130, 3)]),
    ("resp-rate", [(8, 2), (9, 0), (14, 0), (15, 1), (20, 1), (21, 2), (29, 2), (30, 3)]),
    ("temperature", [(34.9, 2), (34.94, 2), (34.95, 0), (35.0, 0), (38.4, 0), (38.44, 0), (38.45, 2), (38.5, 2)]),
    ("consciousness", [("alert", 0), ("confused", 1), ("voice", 1), ("pain", 2), ("unresponsive", 3)]),
]
PARTS = {"heart-rate": "pulse"}


@pytest.mark.parametrize(
    ("name", "value", "expected"), [(name, value, expected) for name, row in MEWS_ROWS for value, expected in row]
)
def test_mews(name: str, value: Value, expected: int) -> None:
    assert points(MEWS, ADULT, PARTS.get(name, name), {name: value}) == expected


def test_mews_triggers_from_five() -> None:
    four: dict[str, Value] = {"resp-rate": 30, "heart-rate": 105}
    assert scored(MEWS, ADULT, inputs(WELL | four)).risk == "none"
    five = scored(MEWS, ADULT, inputs(WELL | four | {"bp-systolic": 95}))
    assert (five.value, five.risk) == (5, "trigger")
    worst: dict[str, Value] = {
        "bp-systolic": 60, "heart-rate": 140, "resp-rate": 35, "temperature": 39, "consciousness": "unresponsive",
    }  # fmt: skip
    assert scored(MEWS, ADULT, inputs(worst)).value == HIGHEST


QSOFA_ROWS: list[tuple[str, str, Value, int]] = [
    ("resp-rate", "resp-rate", 21, 0),
    ("resp-rate", "resp-rate", 21.49, 0),
    ("resp-rate", "resp-rate", 21.5, 1),
    ("resp-rate", "resp-rate", 22, 1),
    ("bp-systolic", "bp-systolic", 100, 1),
    ("bp-systolic", "bp-systolic", 101, 0),
    ("consciousness", "mentation", "alert", 0),
    ("consciousness", "mentation", "confused", 1),
    ("consciousness", "mentation", "unresponsive", 1),
    ("gcs", "mentation", 15, 0),
    ("gcs", "mentation", 14, 1),
    ("gcs", "mentation", 3, 1),
]


@pytest.mark.parametrize(("name", "part", "value", "expected"), QSOFA_ROWS)
def test_qsofa(name: str, part: str, value: Value, expected: int) -> None:
    assert points(QSOFA, ADULT, part, {name: value}) == expected


def test_qsofa_is_positive_from_two() -> None:
    one = scored(QSOFA, ADULT, inputs(WELL | {"resp-rate": 22}))
    two = scored(QSOFA, ADULT, inputs(WELL | {"resp-rate": 22, "bp-systolic": 100}))
    assert (one.value, one.risk, two.value, two.risk) == (1, "none", 2, "trigger")


def test_qsofa_takes_the_newer_judgement() -> None:
    given = inputs(WELL) | {"gcs": Reading(14, NOW - 60_000_000)}
    assert scored(QSOFA, ADULT, given).value == 0
    given = inputs(WELL, NOW - 60_000_000) | {"gcs": Reading(14, NOW)}
    assert scored(QSOFA, ADULT, given).value == 1


@pytest.mark.parametrize("eye", range(1, 5))
@pytest.mark.parametrize("verbal", range(1, 6))
@pytest.mark.parametrize("motor", range(1, 7))
def test_gcs_is_the_sum_of_its_parts(eye: int, verbal: int, motor: int) -> None:
    total = eye + verbal + motor
    score = scored(GCS, ADULT, inputs({"gcs-eye": eye, "gcs-verbal": verbal, "gcs-motor": motor}))
    assert (score.value, score.complete, score.risk) == (total, True, "coma" if total <= 8 else "none")


def test_a_gcs_that_lacks_a_part_is_a_bound_without_a_risk() -> None:
    score = scored(GCS, ADULT, inputs({"gcs-eye": 1, "gcs-motor": 2}))
    assert (score.value, score.text, score.risk) == (4, ">= 4", "")


@pytest.mark.parametrize(
    ("score", "person"),
    [(MEWS, child(10)), (MEWS, PREGNANT), (QSOFA, child(10)), (QSOFA, PREGNANT), (GCS, child(3)), (GCS, child(0.5))],
)
def test_they_refuse_everybody_else(score: Sum, person: Person) -> None:
    result = score.evaluate(person, inputs(WELL), NOW)
    assert isinstance(result, Refused)
    assert result.population in result.reason


@pytest.mark.parametrize("person", [child(4.01), child(15), PREGNANT, UNKNOWN])
def test_gcs_is_for_everybody_from_four_years(person: Person) -> None:
    assert scored(GCS, person, inputs({"gcs-eye": 4, "gcs-verbal": 5, "gcs-motor": 6})).value == 15
