"""The rate of a group's robot and the pauses between attempts, under a clock in the hand."""

import random as seeded

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.adapters.notify.pace import ATTEMPTS, GIVE_UP_AFTER, TokenBucket, hopeless, pause
from tests.unit.notify.notices import MINUTE, SECOND, T0


def greedy(per_minute: int, until: int, restarts: set[int] = frozenset()) -> list[int]:  # type: ignore[assignment]
    """When messages go that are sent as soon as they may; a restart makes the bucket anew."""
    bucket, now, sent = TokenBucket(per_minute, T0), T0, []
    while (now := bucket.ready_at(now)) < until:
        bucket.take(now)
        sent.append(now)
        if len(sent) in restarts:
            bucket = TokenBucket(per_minute, now)
    return sent


def most_in_a_minute(times: list[int]) -> int:
    return max(sum(1 for other in times if at <= other < at + MINUTE) for at in times)


@given(st.integers(2, 20), st.lists(st.integers(0, 5 * 60), max_size=60))
def test_no_minute_has_more_than_the_limit(per_minute: int, idle_seconds: list[int]) -> None:
    bucket, now, sent = TokenBucket(per_minute, T0), T0, []
    for idle in idle_seconds:
        now = bucket.ready_at(now + idle * SECOND // 10)
        bucket.take(now)
        sent.append(now)
    assert not sent or most_in_a_minute(sent) <= per_minute


@given(st.sets(st.integers(1, 60)))
def test_neither_has_one_with_restarts_in_it(restarts: set[int]) -> None:
    assert most_in_a_minute(greedy(20, T0 + 5 * MINUTE, restarts)) <= 20


def test_the_limit_is_used_in_the_long_run_and_a_rested_bucket_gives_a_burst() -> None:
    assert len(greedy(20, T0 + 60 * MINUTE)) == pytest.approx(15 * 60, abs=2)
    bucket, later = TokenBucket(20, T0), T0 + 10 * MINUTE
    for _ in range(5):
        assert bucket.ready_at(later) == later
        bucket.take(later)
    assert bucket.ready_at(later) == later + 4 * SECOND


def test_a_new_bucket_is_empty() -> None:
    assert TokenBucket(20, T0).ready_at(T0) == T0 + 4 * SECOND


def test_pauses_double_up_to_ten_minutes_and_are_spread_over_all_of_it() -> None:
    longest = [pause(attempt, lambda: 1.0) // SECOND for attempt in range(1, ATTEMPTS + 1)]
    assert longest == [5, 10, 20, 40, 80, 160, 320, 600]
    assert pause(5, lambda: 0.0) == 0
    dice = seeded.Random(7)
    sample = [pause(3, dice.random) for _ in range(2_000)]
    assert min(sample) < SECOND < 19 * SECOND < max(sample) <= 20 * SECOND
    assert sum(sample) / len(sample) == pytest.approx(10 * SECOND, rel=0.05)


@pytest.mark.parametrize(
    ("attempts", "age", "given_up"),
    [
        (1, 0, False),
        (ATTEMPTS - 1, 0, False),
        (ATTEMPTS, 0, True),
        (1, GIVE_UP_AFTER - 1, False),
        (1, GIVE_UP_AFTER, True),
    ],
)
def test_retries_are_bounded_by_number_and_by_time(attempts: int, age: int, given_up: bool) -> None:
    assert hopeless(attempts, T0, T0 + age) is given_up
