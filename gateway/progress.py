"""How far the database lies behind the broker's log, and what the gateway still waits for."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from gateway.changes import Batch
from gateway.contract.envelope import Instant
from gateway.contract.quantity import SECOND

HANGS: Final = 2 * SECOND  # the path ticks twice a second even when nothing arrives: later than this it hangs


@asynccontextmanager
async def patience(troubles: dict[str, str], part: str) -> AsyncIterator[None]:
    """Names ``part`` as the reason for not being ready while the block runs."""
    troubles[part] = "connecting"
    yield
    del troubles[part]


class Progress:
    """Follows the path's loop: ``begin`` with each batch, ``done`` after its commit.

    0 is said only when the log has been read to its end and all of it is committed. While a commit runs, the broker is
    away or the loop hangs, the lag is the age of the newest moment of which that was true.
    """

    def __init__(self, committed_to: Instant) -> None:
        self._current_to = committed_to  # everything logged until then is in the database
        self._caught_up = False
        self._read_at = committed_to

    def begin(self, now: Instant) -> None:
        """A batch was read, ``now``; nothing of it is committed yet."""
        self._caught_up = False
        self._read_at = now

    def done(self, batch: Batch) -> None:
        """It is committed."""
        if batch.read_to_end:
            self._caught_up = True
            self._current_to = max(self._current_to, self._read_at)
        elif batch.position is not None:
            self._current_to = max(self._current_to, batch.position.logged_at)

    def lag(self, now: Instant) -> int:
        """us; 0 = all there is has been committed."""
        behind = max(0, now - self._current_to)
        return 0 if self._caught_up and behind < HANGS else behind
