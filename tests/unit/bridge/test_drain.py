"""When the queue that waited at the foreign broker has come."""

from gateway.bridge.drain import LONGEST, STALLED, Drain
from gateway.contract.quantity import HOUR, SECOND

NOW = 1_700_000_000_000_000
SKEW = 90 * SECOND


def test_a_constant_age_is_a_wrong_clock() -> None:
    subject = Drain()
    assert subject.waited("a", SKEW, NOW)
    assert subject.waited("a", SKEW, NOW + STALLED - 1)
    assert not subject.waited("a", SKEW, NOW + STALLED)
    assert not subject.active


def test_a_long_queue_is_one_to_its_end() -> None:
    """An hour of readings of two slow monitors that comes at ten times the pace; one speaks every two minutes only."""
    subject, measured, now = Drain(), NOW - HOUR, NOW
    while measured < now:
        assert subject.waited("often", now - measured + SKEW, now)
        if measured % (120 * SECOND) == 0:
            assert subject.waited("seldom", now - measured + 2 * SKEW, now)
        measured, now = measured + SECOND, now + SECOND // 10
    live = [subject.waited("often", SKEW, now + second * SECOND) for second in range(32)]
    assert live[:25] == [True] * 25
    assert not live[31]


def test_a_fresh_reading_ends_it_for_all() -> None:
    subject = Drain()
    assert subject.waited("slow", SKEW, NOW)
    assert not subject.waited("right", 0, NOW)
    assert not subject.waited("slow", SKEW, NOW)


def test_a_fast_clock_ends_nothing() -> None:
    subject = Drain()
    assert not subject.waited("fast", -HOUR, NOW)
    assert subject.waited("right", HOUR, NOW)


def test_it_ends_whatever_comes() -> None:
    subject, age = Drain(), 10_000 * HOUR
    for second in range(LONGEST // SECOND):
        assert subject.waited("odd", age - second * HOUR, NOW + second * SECOND)
    assert not subject.waited("odd", age - LONGEST // SECOND * HOUR, NOW + LONGEST)


def test_it_begins_anew() -> None:
    subject = Drain()
    subject.end()
    assert not subject.waited("a", SKEW, NOW)
    subject.begin()
    assert subject.waited("a", SKEW, NOW)
    assert subject.waited("a", SKEW, NOW + STALLED // 2)
