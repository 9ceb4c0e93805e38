"""How fast and how often: the rate of a group's robot, the pauses between attempts. Pure: times are arguments."""

from collections.abc import Callable
from typing import Final

from gateway.contract.envelope import Instant
from gateway.contract.quantity import MINUTE, SECOND

ATTEMPTS: Final = 8
GIVE_UP_AFTER: Final = 60 * MINUTE  # since it was first due
_BASE: Final = 5 * SECOND
_LONGEST: Final = 10 * MINUTE
_BURST_SHARE: Final = 4  # a quarter of a minute's messages may go at once


class TokenBucket:
    """At most ``per_minute`` in any 60 s: what it holds at most plus what comes in within a minute is just that.

    It starts empty, which is never more than it held before a restart, so the rule also stands over ``kill -9``.
    """

    def __init__(self, per_minute: int, now: Instant) -> None:
        self._burst = max(1, per_minute // _BURST_SHARE)
        self._interval = -(-MINUTE // (per_minute - self._burst))  # us a token, rounded up
        self._full_at = now + self._burst * self._interval

    def ready_at(self, now: Instant) -> Instant:
        """When the next token is there: ``now`` or later."""
        return max(now, self._full_at - (self._burst - 1) * self._interval)

    def take(self, now: Instant) -> None:
        """Takes the token that :meth:`ready_at` said is there."""
        self._full_at = max(now, self._full_at) + self._interval


def pause(attempts: int, random: Callable[[], float]) -> Instant:
    """How long to wait after the ``attempts``-th failure: full jitter, so that many do not come back at once.

    Anything from 0 to 5 s doubling to 10 min. Source: M. Brooker, "Exponential backoff and jitter", 2015.
    """
    longest: Instant = min(_LONGEST, _BASE << (attempts - 1))
    return round(random() * longest)


def hopeless(attempts: int, due_at: Instant, now: Instant) -> bool:
    """Whether a failed delivery is given up: a person has to look at it."""
    return attempts >= ATTEMPTS or now - due_at >= GIVE_UP_AFTER
