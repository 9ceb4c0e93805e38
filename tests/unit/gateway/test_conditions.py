"""Conditions other than a plain limit: repeated readings, change within a time, several limits together."""

import pytest

from gateway.contract.quantity import HOUR, MINUTE, SECOND
from gateway.rules.condition import BUCKETS, Change, Combined, Condition, Direction, Memory, Part, Threshold
from gateway.rules.hold import Edge, Hold, hold
from gateway.rules.row import Hours
from tests.unit.gateway.builders import NOW

RAISED = Threshold("bp-systolic", Direction.ABOVE, 140, 5, 0, 0, inclusive=True, readings=2, within=30 * MINUTE)


def edges(condition: Condition, *fed: tuple[str, int, float]) -> list[tuple[int, Edge]]:
    """What comes of (quantity, second, value) one after the other; the state goes through JSON each time, as stored."""
    state, found = Hold(), []
    for quantity, second, value in fed:
        verdict = condition.judge(state.memory, quantity, value, NOW + second * SECOND)
        state, edge = hold(
            state, breached=verdict.breached, cleared=verdict.cleared, at=NOW + second * SECOND,
            for_=condition.for_, clear_for=condition.clear_for, memory=verdict.memory,
        )  # fmt: skip
        if edge is not None:
            found.append((second, edge))
    return found


def pressure(*fed: tuple[int, float]) -> list[tuple[str, int, float]]:
    return [("bp-systolic", second, value) for second, value in fed]


@pytest.mark.parametrize(
    ("fed", "expected"),
    [
        ([(0, 150), (300, 145)], [(300, Edge.RAISE)]),
        ([(0, 150)], []),
        ([(0, 150), (300, 120), (600, 150)], []),
        ([(0, 150), (1801, 150)], []),
        ([(0, 140), (1800, 140)], [(1800, Edge.RAISE)]),
        ([(0, 150), (60, 150), (120, 136), (180, 135)], [(60, Edge.RAISE), (180, Edge.CLEAR)]),
    ],
)
def test_so_many_readings_in_a_row_and_not_too_far_apart(
    fed: list[tuple[int, float]], expected: list[tuple[int, Edge]]
) -> None:
    assert edges(RAISED, *pressure(*fed)) == expected


GAIN = Change("weight", Direction.ABOVE, 2, 72 * HOUR, 0.5)


def days(*fed: tuple[float, float]) -> list[tuple[str, int, float]]:
    return [("weight", round(day * 86_400), value) for day, value in fed]


@pytest.mark.parametrize(
    ("fed", "raised"),
    [
        ([(0, 80), (1, 81), (2, 82), (3, 82.1)], True),
        ([(0, 80), (1, 81), (2, 82)], False),
        ([(0, 80), (3.1, 82.5)], False),
        ([(0, 82), (1, 80), (2, 81)], False),
        ([(0, 82), (1, 80), (2, 82.2)], True),
    ],
)
def test_a_change_counts_from_the_lowest_point_within_its_time(fed: list[tuple[float, float]], raised: bool) -> None:
    assert bool(edges(GAIN, *days(*fed))) is raised


def test_a_fall_is_judged_from_the_highest_point_and_ends_inside_its_hysteresis() -> None:
    fall = Change("spo2", Direction.BELOW, 4, 60 * SECOND, 1)
    fed = [("spo2", second, value) for second, value in ((0, 97), (10, 96), (20, 92), (30, 93), (75, 93), (80, 92))]
    assert edges(fall, *fed) == [(20, Edge.RAISE), (75, Edge.CLEAR)]


def test_a_window_remembers_no_more_than_its_buckets_and_never_loses_the_lowest() -> None:
    memory: Memory = ()
    lowest = 70.0
    for minute in range(72 * 60):
        value = lowest if minute == 100 else 80.0
        memory = GAIN.judge(memory, "weight", value, NOW + minute * MINUTE).memory
    assert len(memory) <= BUCKETS + 1
    assert GAIN.judge(memory, "weight", 80.0, NOW + 72 * HOUR).breached, "70 to 80 within three days"


def both(every: bool, unknown: bool = False) -> Combined:
    return Combined(
        (
            Part(Threshold("bp-systolic", Direction.ABOVE, 180, 5, 0, 0, inclusive=True)),
            Part(Threshold("bp-diastolic", Direction.ABOVE, 110, 5, 0, 0, inclusive=True), unknown),
        ),
        every=every,
    )


SYS, DIA = "bp-systolic", "bp-diastolic"


@pytest.mark.parametrize(
    ("condition", "fed", "expected"),
    [
        (both(every=False), [(SYS, 0, 150), (DIA, 0, 110)], [(0, Edge.RAISE)]),
        (both(every=False), [(SYS, 0, 180), (DIA, 0, 90)], [(0, Edge.RAISE)]),
        (both(every=False), [(SYS, 0, 185), (SYS, 60, 176), (SYS, 120, 175)], [(0, Edge.RAISE), (120, Edge.CLEAR)]),
        (both(every=False), [(SYS, 0, 185), (DIA, 0, 115), (SYS, 60, 120), (DIA, 61, 80)],
         [(0, Edge.RAISE), (61, Edge.CLEAR)]),
        (both(every=True), [(SYS, 0, 185)], []),
        (both(every=True), [(SYS, 0, 185), (DIA, 10, 115), (DIA, 20, 100)], [(10, Edge.RAISE), (20, Edge.CLEAR)]),
        (both(every=True), [(SYS, 0, 185), (DIA, 1801, 115)], []),  # the first is past its 30 minutes
        (both(every=True, unknown=True), [(SYS, 0, 185)], [(0, Edge.RAISE)]),
        (both(every=True, unknown=True), [(DIA, 0, 90), (SYS, 10, 185)], []),
        (both(every=True, unknown=True), [(DIA, 0, 90), (SYS, 1900, 185)], [(1900, Edge.RAISE)]),
    ],
)  # fmt: skip
def test_and_and_or(condition: Combined, fed: list[tuple[str, int, float]], expected: list[tuple[int, Edge]]) -> None:
    assert edges(condition, *fed) == expected


@pytest.mark.parametrize(
    ("hours", "minute", "is_open"),
    [
        (Hours(480, 1080), 480, True), (Hours(480, 1080), 1080, False), (Hours(480, 1080), 479, False),
        (Hours(1260, 360), 1300, True), (Hours(1260, 360), 100, True), (Hours(1260, 360), 360, False),
    ],
)  # fmt: skip
def test_hours_are_those_of_the_site_and_may_pass_midnight(hours: Hours, minute: int, is_open: bool) -> None:
    midnight = NOW - NOW % (24 * HOUR)
    assert hours.open(midnight + minute * MINUTE, 0) is is_open
    assert hours.open(midnight + minute * MINUTE - 8 * HOUR, 8 * HOUR) is is_open


def test_readings_that_are_minutes_apart_make_a_duration_of_an_hour() -> None:
    """A logger that reads every five minutes: half the duration is the longest pause."""
    warm = Threshold("cargo-temperature-1", Direction.ABOVE, 30, 0.5, HOUR, 0)
    fed = [("cargo-temperature-1", 300 * n, 31.0) for n in range(13)]
    assert edges(warm, *fed) == [(3600, Edge.RAISE)]
    assert edges(warm, fed[0], ("cargo-temperature-1", 1801, 31.0), ("cargo-temperature-1", 3600, 31.0)) == []
