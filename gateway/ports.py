"""What the pipeline hands on, and the seams it hands it through. Adapters implement them."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final, Protocol, TypeVar

import msgspec

from gateway.contract.envelope import Instant, Lane

T = TypeVar("T")


class RecordFlag:
    """What admission found out about a record; stored with it. Plain bits: an IntFlag's ``&`` costs a microsecond."""

    BACKFILL: Final = 1  # the agent sent it from its backlog
    LATE: Final = 2  # backfill, or over 60 s old when it came
    TEST: Final = 4  # the device was in test, demo or calibration mode
    HISTORICAL: Final = 8  # too late for its quantity's clinical validity: never pages
    CLOCK_CORRECTED: Final = 16  # event_at = observed_at + measured offset
    CLOCK_UNTRUSTED: Final = 32  # event_at = received_at
    VALUE_REFUSED: Final = 64  # one value was out of its plausible range; see the reject row
    SERVICE: Final = 128  # the device was in service mode: stored, shown as such, raises nothing


class LogMessage(msgspec.Struct, frozen=True, gc=False):
    """One message of the broker's log. ``sequence`` is 0 for a tick that only carries the time."""

    sequence: int
    logged_at: Instant
    subject: str  # as the device published it: lm.v1.site.kind.unit.channel
    payload: bytes


class RecordRow(msgspec.Struct, frozen=True, gc=False):
    """A row of table ``record``."""

    lane_id: int
    seq: int
    device: str
    observed_at: Instant
    event_at: Instant
    received_at: Instant
    flags: int
    payload: bytes


class MuteBoard(msgspec.Struct, frozen=True):
    """An account whose open boards all make no sound, since then. ``sites``: which it shows; None = all."""

    account: str
    sites: frozenset[str] | None
    since: Instant


class LiveFeed(Protocol):
    """Where screens get what is new. Never blocks, never raises; the gateway's API implements it."""

    def wave(self, unit: str, payload: bytes) -> None:
        """A waveform frame, as published. Called before the commit."""
        ...

    def notify(self, kind: str, unit: str, body: dict[str, Any]) -> None:
        """A JSON message of the feed (observations before the commit; unit, alert, event after it)."""
        ...

    @property
    def watched(self) -> bool:
        """Whether a screen is open or may soon resume; else observations need not be told: a snapshot will."""
        ...

    def mute_boards(self) -> list[MuteBoard]:
        """The boards that would sound no alert now."""
        ...


class NoFeed:
    """A feed nobody watches."""

    watched = False

    def wave(self, unit: str, payload: bytes) -> None: ...

    def notify(self, kind: str, unit: str, body: dict[str, Any]) -> None: ...

    def mute_boards(self) -> list[MuteBoard]:
        return []


class Writer(Protocol):
    """The one thread that writes to the database."""

    def submit(self, job: Callable[[Any], T]) -> "Future[T]":
        """Runs ``job(connection)`` in a transaction of its own, after the jobs submitted before."""
        ...


__all__ = ["Instant", "Lane", "LiveFeed", "LogMessage", "MuteBoard", "NoFeed", "RecordFlag", "RecordRow", "Writer"]
