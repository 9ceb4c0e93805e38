"""Whether the queue that waited at the foreign broker has come. The broker does not say: its pace and its silence do.

Whatever a device's clock shows: as long as it drains, a queue brings each device's readings with ever less age, and one
directly after the other. What comes as fast as it is measured keeps its age, even when a wrong clock makes that hours.
"""

from collections.abc import Hashable
from typing import Final

from gateway.admit import FUTURE_TOLERANCE, LATE_AFTER
from gateway.contract.envelope import Instant
from gateway.contract.quantity import SECOND

QUIET_SECONDS: Final = 2.0  # nothing comes although everything is acknowledged: nothing waits
STALLED: Final = 30 * SECOND  # no device's readings have become younger: this is their clock, not their wait
PROGRESS: Final = 2 * SECOND  # younger by less than this is jitter
LONGEST: Final = 30 * 60 * SECOND  # whatever comes


class Drain:
    """Active from the program's start: nobody knows what waits before the first connection."""

    def __init__(self) -> None:
        self.active = True
        self._since: Instant | None = None  # the first record
        self._progress: Instant = 0
        self._youngest: dict[Hashable, int] = {}  # age by source

    def begin(self) -> None:
        """A queue may have built up."""
        self.active, self._since, self._youngest = True, None, {}

    def end(self) -> None:
        """Everything that waited has come."""
        self.active, self._youngest = False, {}

    def waited(self, source: Hashable, age: int, now: Instant) -> bool:
        """Whether a record of this age (us) has waited at the foreign broker, as far as anybody can tell."""
        if not self.active:
            return False
        fresh = -FUTURE_TOLERANCE <= age <= LATE_AFTER  # and a session's queue is in order
        if fresh or self._is_over(source, age, now):
            self.end()
            return False
        return age > LATE_AFTER

    def _is_over(self, source: Hashable, age: int, now: Instant) -> bool:
        if self._since is None:
            self._since = self._progress = now
        if age <= self._youngest.setdefault(source, age) - PROGRESS:
            self._youngest[source] = age
            self._progress = now
        # abs: also after the wall clock was set back
        return abs(now - self._progress) >= STALLED or abs(now - self._since) >= LONGEST
