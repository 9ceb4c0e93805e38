"""Scores are told when they change and stand until then: their alerts wait for time, not for another value."""

import pytest

from gateway.contract.quantity import SECOND
from gateway.rules.engine import Rules
from gateway.rules.hold import Edge, Holds
from gateway.rules.ruleset import read_ruleset
from gateway.rules.threshold import Finding, Thresholds
from tests.unit.gateway.builders import NOW

SCORE = "news2-at-least"
Found = list[tuple[int, str, Edge]]


def rules_of() -> Rules:
    return Rules(Thresholds())


def told(rules: Rules, second: int, score: float, age: int = 0) -> Found:
    at = NOW + second * SECOND
    return seen(rules.value("bed-1", "gateway", SCORE, score, at, age, derived=True, simulated=True))


def looked(rules: Rules, second: int) -> Found:
    return seen(rules.check(NOW + second * SECOND, lambda _unit: True))


def seen(findings: list[Finding]) -> Found:
    return [((one.at - NOW) // SECOND, one.row.code, one.edge) for one in findings]


def test_a_score_that_stands_is_raised_by_time_alone_and_explained() -> None:
    rules = rules_of()
    assert told(rules, 0, 6) == []
    assert looked(rules, 29) == []
    [found] = rules.check(NOW + 33 * SECOND, lambda unit: unit == "bed-1")
    assert (found.row.code, found.edge, found.at) == ("news2-medium", Edge.RAISE, NOW + 30 * SECOND)
    assert (found.value, found.limit, found.device, found.simulated) == (6, 5, "gateway", True)
    assert found.details["since"] == NOW
    assert looked(rules, 34) == []


@pytest.mark.parametrize("asked", [True, False])
def test_whoever_asks_first_the_edge_is_the_same(asked: bool) -> None:
    """The next change finds it as the clock does: at the time at which it fell due."""
    rules = rules_of()
    told(rules, 0, 5)
    by_clock = looked(rules, 31) if asked else []
    assert by_clock + told(rules, 40, 1) == [(30, "news2-medium", Edge.RAISE)]
    assert looked(rules, 99) == []
    assert looked(rules, 101) == [(100, "news2-medium", Edge.CLEAR)]


def test_what_is_gone_within_half_a_minute_calls_nobody() -> None:
    rules = rules_of()
    found = [edge for second in range(0, 600, 20) for edge in told(rules, second, 8) + told(rules, second + 9, 3)]
    assert found + looked(rules, 900) == []


def test_one_that_flaps_is_raised_once() -> None:
    rules = rules_of()
    told(rules, 0, 6)
    found = looked(rules, 31)
    found += [edge for second in range(40, 600, 50) for edge in told(rules, second, 4) + told(rules, second + 20, 6)]
    assert found == [(30, "news2-medium", Edge.RAISE)]


def test_a_half_elapsed_clock_survives_a_restart_without_another_value() -> None:
    first = rules_of()
    told(first, 0, 7)
    again = rules_of()
    for subject, code, state in first.take_dirty():
        assert isinstance(state, Holds)
        again.thresholds.restore(subject, code, state.devices)
    assert sorted(looked(again, 45)) == [(30, "news2-high", Edge.RAISE), (30, "news2-medium", Edge.RAISE)]


def test_nobody_inherits_the_clock_of_somebody_else() -> None:
    rules = rules_of()
    told(rules, 0, 9)
    rules.thresholds.forget("unit/bed-1")
    assert looked(rules, 60) == []


# ---- repeated measurements ------------------------------------------------------------------------------------------

REPEATED = b"[alert.bp-systolic-low]\nrepeat = 120\n"


def measured(rules: Rules, second: int, pressure: float) -> Found:
    at = NOW + second * SECOND
    return seen(rules.value("amb-1", "cuff", "bp-systolic", pressure, at, 0, derived=False, simulated=False))


@pytest.mark.parametrize(
    ("fed", "found"),
    [
        ([(0, 85), (60, 86)], [(60, Edge.RAISE)]),
        ([(0, 85), (60, 120)], []),
        ([(0, 85), (60, 92)], []),
        ([(0, 85)], [(120, Edge.RAISE)]),
        ([(0, 85), (300, 86)], [(120, Edge.RAISE)]),
        ([(0, 85), (300, 120)], [(120, Edge.RAISE), (300, Edge.CLEAR)]),
        ([(0, 85), (60, 86), (120, 96)], [(60, Edge.RAISE), (120, Edge.CLEAR)]),
    ],
    ids=["confirmed", "taken back", "taken back inside the hysteresis", "nobody measured again", "too late to confirm",
         "too late to take back", "and over"],
)  # fmt: skip
@pytest.mark.parametrize("restart", [False, True])
def test_a_reading_waits_for_a_second_one_and_is_told_when_none_comes(
    fed: list[tuple[int, float]], found: list[tuple[int, Edge]], restart: bool
) -> None:
    rules, edges = Rules(Thresholds(read_ruleset(REPEATED))), []
    stored: dict[tuple[str, str], Holds] = {}
    for second, pressure in fed:
        edges += measured(rules, second, pressure)
        stored |= {(subject, code): state for subject, code, state in rules.thresholds.take_dirty()}
        if restart:
            rules = Rules(Thresholds(read_ruleset(REPEATED)))
            for (subject, code), state in stored.items():
                rules.thresholds.restore(subject, code, state.devices)
    edges += looked(rules, 1000)
    assert [(second, edge) for second, code, edge in edges if code == "bp-systolic-low"] == found
