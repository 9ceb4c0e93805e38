"""Bedside PEWS and MEOWS row by row."""

import pytest

from gateway.derive.scores.meows import MEOWS
from gateway.derive.scores.pews import HIGHEST, PEWS
from gateway.derive.scores.score import Person, Refused, Value
from tests.unit.scores.tables import ADULT, NOW, POSTPARTUM, PREGNANT, UNKNOWN, WELL, child, inputs, points, scored

# Critical Care 2009;13:R135, table 1: (1 from or to, 2 from or to, 4 from or to) below, then above
PULSE = {0.1: (110, 90, 80, 150, 180, 190), 0.5: (100, 80, 70, 150, 170, 180), 2: (90, 70, 60, 120, 150, 170),
         8: (70, 60, 50, 110, 130, 150), 14: (60, 49, 40, 100, 120, 140)}  # fmt: skip
SYSTOLIC = {0.1: (60, 50, 45, 80, 100, 130), 0.5: (80, 70, 60, 100, 120, 150), 2: (90, 75, 65, 110, 125, 160),
            8: (90, 80, 70, 120, 140, 170), 14: (100, 85, 75, 130, 150, 190)}  # fmt: skip
BREATHS = {0.1: (29, 19, 15, 61, 81, 91), 0.5: (24, 19, 15, 51, 71, 81), 2: (19, 15, 12, 41, 61, 71),
           8: (19, 14, 10, 31, 41, 51), 14: (11, 10, 9, 17, 23, 30)}  # fmt: skip
CHARTS = {"heart-rate": PULSE, "bp-systolic": SYSTOLIC, "resp-rate": BREATHS}
NAMES = {"heart-rate": "pulse"}


def by_the_paper(row: tuple[int, ...], value: float) -> int:
    low1, low2, low4, high1, high2, high4 = row
    for limit, given in ((low4, 4), (low2, 2), (low1, 1)):
        if value <= limit:
            return given
    return next((given for limit, given in ((high4, 4), (high2, 2), (high1, 1)) if value >= limit), 0)


@pytest.mark.parametrize("name", CHARTS)
@pytest.mark.parametrize("years", PULSE)
def test_pews_by_age(name: str, years: float) -> None:
    row = CHARTS[name][years]
    for edge in row:
        for value in (edge - 1, edge, edge + 1):
            assert points(PEWS, child(years), NAMES.get(name, name), {name: value}) == by_the_paper(row, value), value


@pytest.mark.parametrize(
    ("days", "years"),
    [(90, 0.1), (91, 0.5), (364, 0.5), (365, 2), (1460, 2), (1461, 8), (4382, 8), (4383, 14), (5843, 14)],
)
def test_pews_changes_its_table_to_the_day(days: int, years: float) -> None:
    values: list[Value] = [60, 75, 95, 105, 115, 125, 145, 155, 175, 185]
    for value in values:
        expected = by_the_paper(PULSE[years], float(value))
        assert points(PEWS, Person(age_days=days), "pulse", {"heart-rate": value}) == expected


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("capillary-refill", 2.9, 0), ("capillary-refill", 3, 4), ("capillary-refill", 2.94, 0),
        ("respiratory-effort", "normal", 0), ("respiratory-effort", "mild", 1), ("respiratory-effort", "moderate", 2),
        ("respiratory-effort", "severe", 4), ("spo2", 95, 0), ("spo2", 94, 1), ("spo2", 91, 1), ("spo2", 90, 2),
        ("oxygen", "air", 0), ("oxygen", "oxygen", 2), ("oxygen", "oxygen-high", 4),
    ],
)  # fmt: skip
def test_pews_at_any_age(name: str, value: Value, expected: int) -> None:
    assert points(PEWS, child(5), name, {name: value}) == expected


WORST: dict[str, Value] = {"heart-rate": 40, "bp-systolic": 40, "capillary-refill": 4, "resp-rate": 5,
                           "respiratory-effort": "severe", "spo2": 80, "oxygen": "oxygen-high"}  # fmt: skip


@pytest.mark.parametrize("person", [child(0.01), child(0.5), child(2), child(8), child(14)])
def test_pews_goes_to_26_and_triggers_from_8(person: Person) -> None:
    assert scored(PEWS, person, inputs(WORST)).value == HIGHEST
    assert scored(PEWS, person, inputs({"capillary-refill": 3, "respiratory-effort": "severe"})).risk == "trigger"
    seven = scored(PEWS, person, inputs({"capillary-refill": 3, "spo2": 92, "oxygen": "oxygen"}))
    assert (seven.value, seven.risk) == (7, "none")


@pytest.mark.parametrize("person", [ADULT, PREGNANT, UNKNOWN])
def test_pews_refuses_everybody_else(person: Person) -> None:
    result = PEWS.evaluate(person, inputs(WORST), NOW)
    assert isinstance(result, Refused)
    assert result.reason == "age is not known" if person is UNKNOWN else "made for" in result.reason


# (value, 1 yellow or 2 red) on both sides of every limit of the chart
MEOWS_ROWS: list[tuple[str, list[tuple[Value, int]]]] = [
    ("temperature", [(34.9, 2), (35.0, 1), (36.0, 1), (36.1, 0), (38.0, 0), (38.1, 2)]),
    ("bp-systolic", [(89, 2), (90, 1), (100, 1), (101, 0), (149, 0), (150, 1), (160, 1), (161, 2)]),
    ("bp-diastolic", [(89, 0), (90, 1), (100, 1), (101, 2)]),
    ("heart-rate", [(39, 2), (40, 1), (50, 1), (51, 0), (99, 0), (100, 1), (120, 1), (121, 2)]),
    ("resp-rate", [(9, 2), (10, 0), (20, 0), (21, 1), (30, 1), (31, 2)]),
    ("spo2", [(94, 2), (95, 0)]),
    ("consciousness", [("alert", 0), ("confused", 1), ("voice", 1), ("pain", 2), ("unresponsive", 2)]),
]


@pytest.mark.parametrize(
    ("name", "value", "expected"), [(name, value, expected) for name, row in MEOWS_ROWS for value, expected in row]
)
def test_meows(name: str, value: Value, expected: int) -> None:
    assert points(MEOWS, PREGNANT, NAMES.get(name, name), {name: value}) == expected


@pytest.mark.parametrize("person", [PREGNANT, POSTPARTUM])
@pytest.mark.parametrize(
    ("changed", "risk", "red"),
    [
        ({}, "none", ()),
        ({"heart-rate": 105}, "none", ()),
        ({"heart-rate": 105, "resp-rate": 22}, "trigger", ()),
        ({"bp-diastolic": 105}, "trigger", ("bp-diastolic",)),
    ],
)
def test_one_red_or_two_yellow_trigger(
    person: Person, changed: dict[str, Value], risk: str, red: tuple[str, ...]
) -> None:
    score = scored(MEOWS, person, inputs(WELL | changed))
    assert (score.risk, score.marked, score.complete) == (risk, red, True)


@pytest.mark.parametrize("person", [ADULT, UNKNOWN, child(5)])
def test_meows_refuses_everybody_else(person: Person) -> None:
    assert isinstance(MEOWS.evaluate(person, inputs(WELL), NOW), Refused)
