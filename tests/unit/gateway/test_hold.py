"""Half-elapsed durations, on event time."""

from dataclasses import dataclass, field

import pytest

from gateway.contract.quantity import SECOND
from gateway.rules.hold import Edge, Hold, hold

FOR, CLEAR_FOR = 10 * SECOND, 5 * SECOND


@dataclass
class Rule:
    """A limit of 130 with 5 of hysteresis, fed (second, value)."""

    state: Hold = field(default_factory=Hold)
    edges: list[tuple[int, Edge]] = field(default_factory=list)

    def feed(self, second: int, value: float) -> None:
        self.state, edge = hold(
            self.state, breached=value > 130, cleared=value <= 125, at=second * SECOND, for_=FOR, clear_for=CLEAR_FOR
        )
        if edge is not None:
            self.edges.append((second, edge))


def test_raises_when_the_condition_has_held() -> None:
    rule = Rule()
    for second in range(100, 115):
        rule.feed(second, 140)
    assert rule.edges == [(110, Edge.RAISE)]


def test_one_value_below_starts_again() -> None:
    rule = Rule()
    for second in range(100, 125):
        rule.feed(second, 120 if second == 108 else 140)
    assert rule.edges == [(119, Edge.RAISE)]


def test_clears_only_beyond_the_hysteresis_and_after_its_duration() -> None:
    rule = Rule(Hold(firing=True, last_at=99 * SECOND))
    for second in range(100, 110):
        rule.feed(second, 127)
    assert rule.edges == []
    for second in range(110, 120):
        rule.feed(second, 124)
    assert rule.edges == [(115, Edge.CLEAR)]


def test_an_older_value_changes_nothing() -> None:
    rule = Rule()
    rule.feed(100, 140)
    before = rule.state
    rule.feed(90, 100)
    assert rule.state == before


def test_a_long_pause_in_the_data_proves_nothing() -> None:
    rule = Rule()
    rule.feed(100, 140)
    rule.feed(251, 140)
    assert rule.edges == []
    rule.feed(261, 140)
    assert rule.edges == [(261, Edge.RAISE)]


def test_numbers_that_come_once_a_minute_raise_and_clear() -> None:
    """As many monitors hand them over; one that is missing does not begin it anew."""
    rule = Rule()
    for second, value in ((60, 80), (120, 140), (240, 140), (300, 80), (360, 80)):
        rule.feed(second, value)
    assert rule.edges == [(240, Edge.RAISE), (360, Edge.CLEAR)]


@pytest.mark.parametrize("kill_at", range(100, 110))
def test_the_state_alone_carries_a_half_elapsed_duration(kill_at: int) -> None:
    """What a restart finds in the database is enough: ``since`` and ``firing``, with the last time they changed."""
    rule = Rule()
    for second in range(100, kill_at + 1):
        rule.feed(second, 140)
    again = Rule(Hold(rule.state.firing, rule.state.since, 100 * SECOND))
    for second in range(kill_at + 1, 115):
        again.feed(second, 140)
    assert again.edges == [(110, Edge.RAISE)]
