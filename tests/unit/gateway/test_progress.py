"""How far the database lies behind the log: 0 only when nothing is left."""

from gateway.changes import Batch, Position
from gateway.contract.envelope import Instant
from gateway.contract.quantity import SECOND
from gateway.progress import Progress
from tests.unit.gateway.builders import NOW


def batch(logged_at: Instant | None = None, *, caught_up: bool = True, trouble: str | None = None) -> Batch:
    position = None if logged_at is None else Position("", 1, logged_at)
    return Batch([], NOW, position, caught_up, trouble=trouble)


def through(progress: Progress, taken: Batch, now: Instant) -> None:
    progress.begin(now)
    progress.done(taken)


def test_nothing_read_yet_is_no_zero() -> None:
    assert Progress(NOW).lag(NOW + 3 * SECOND) == 3 * SECOND


def test_caught_up_is_zero_however_old_the_last_message_is() -> None:
    progress = Progress(NOW)
    through(progress, batch(NOW), NOW)
    through(progress, batch(), NOW + 3600 * SECOND)
    assert progress.lag(NOW + 3600 * SECOND) == 0


def test_with_messages_left_it_is_the_age_of_the_newest_committed_one() -> None:
    progress = Progress(NOW)
    through(progress, batch(NOW + 10 * SECOND, caught_up=False), NOW + 60 * SECOND)
    assert progress.lag(NOW + 60 * SECOND) == 50 * SECOND


def test_without_the_broker_it_grows_from_the_last_moment_it_was_caught_up() -> None:
    progress = Progress(NOW)
    through(progress, batch(), NOW + 100 * SECOND)
    for second in range(101, 131):
        through(progress, batch(trouble="connection refused"), NOW + second * SECOND)
    assert progress.lag(NOW + 130 * SECOND) == 30 * SECOND


def test_a_commit_that_hangs_after_a_drained_batch_shows() -> None:
    progress = Progress(NOW)
    through(progress, batch(), NOW)
    progress.begin(NOW + SECOND)
    assert progress.lag(NOW + 11 * SECOND) == 11 * SECOND
    progress.done(batch(NOW + SECOND))
    assert progress.lag(NOW + 11 * SECOND) == 10 * SECOND, "and the loop has not come round since"
    through(progress, batch(), NOW + 11 * SECOND)
    assert progress.lag(NOW + 11 * SECOND) == 0


def test_a_loop_that_stands_still_shows_though_it_was_caught_up() -> None:
    progress = Progress(NOW)
    through(progress, batch(), NOW)
    assert progress.lag(NOW + SECOND) == 0
    assert progress.lag(NOW + 20 * SECOND) == 20 * SECOND


def test_a_wall_clock_set_back_gives_no_negative_lag() -> None:
    progress = Progress(NOW)
    through(progress, batch(trouble="away"), NOW)
    assert progress.lag(NOW - 5 * SECOND) == 0
