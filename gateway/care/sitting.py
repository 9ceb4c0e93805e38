"""Sessions of a unit as the fold of marks, whatever order these came in. Pure, on event time.

Somebody who is identified at a health kiosk begins a session; every device of the unit speaks for them until they say
that they are done, somebody else is identified, or nobody has used the unit for some minutes. A kiosk that counts its
sessions may identify somebody after they began: then all of that session is theirs. A card that cannot be told ends
the session before; what is measured then is nobody's until a person says whose it is.

A reading that comes late counts where it belongs: it may join two halves, or lengthen a session that was given up.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Any, Final

import msgspec

from gateway.contract.envelope import Instant
from gateway.contract.quantity import SECOND

EVERY_DEVICE: Final = "*"  # the device of an association that is a session
USE_STEP: Final = 15 * SECOND  # use is noted once in so long, and held to have lasted so long
MOST_DELAY: Final = 60 * SECOND  # how long a session that may go on waits for what is on its way


class Kind(StrEnum):
    """What a mark says; at one instant an end goes before a start, a start before a use."""

    END = "end"
    START = "start"
    USE = "use"


_ORDER: Final = {kind: number for number, kind in enumerate(Kind)}


class Mark(msgspec.Struct, frozen=True):
    """One thing that begins, ends or prolongs a session.

    ``subject``: of a start; None = cannot be told, or not yet. ``number``: the kiosk's own of its session.
    """

    kind: Kind
    at: Instant
    received_at: Instant
    subject: str | None = None
    source: str | None = None
    number: int | None = None

    @property
    def rank(self) -> tuple[Any, ...]:
        """Their order, the same however they came."""
        number = -1 if self.number is None else self.number
        return self.at, _ORDER[self.kind], number, self.subject or "", self.source or "", self.received_at


class EndReason(StrEnum):
    ENDED = "ended"  # they said so
    REPLACED = "replaced"  # somebody else was identified
    IDLE = "idle"  # nobody used the unit


class Sitting(msgspec.Struct, frozen=True):
    """One session. ``idle_at``: when an open one is given up should nobody use the unit any more."""

    subject: str
    source: str
    start_at: Instant
    end_at: Instant | None
    end_reason: EndReason | None
    idle_at: Instant | None


class _Open:
    """The session that is on while marks are folded; without a subject nobody knows whose it is."""

    def __init__(self, mark: Mark) -> None:
        self.start_at = mark.at
        self.who = mark
        self.number = mark.number
        self.last = mark

    def reaches(self, idle: int) -> Instant:
        """When it ends unless it is used again."""
        return self.last.at + USE_STEP + idle

    def goes_on(self, mark: Mark) -> bool:
        """Whether a start is of this session: the kiosk says so by its number, else the person is the same."""
        if self.number is not None and self.number == mark.number:
            return None in (self.who.subject, mark.subject) or self.who.subject == mark.subject
        uncounted = None in (self.number, mark.number)
        return uncounted and mark.subject is not None and self.who.subject == mark.subject

    def take(self, mark: Mark) -> None:
        """Goes on with a mark that is of it; somebody may be identified only now."""
        self.last = mark
        if mark.kind is Kind.START:
            self.number = mark.number if self.number is None else self.number
            self.who = mark if self.who.subject is None and mark.subject is not None else self.who

    def close(self, at: Instant, reason: EndReason) -> list[Sitting]:
        return self._sitting(at, reason, None)

    def settle(self, idle: int, now: Instant) -> list[Sitting]:
        """What it is when nothing more is known: open, or given up."""
        delay = self.last.received_at - self.last.at
        idle_at = self.reaches(idle) + min(max(delay, 0), MOST_DELAY)
        return self._sitting(None, None, idle_at) if now < idle_at else self.close(self.reaches(idle), EndReason.IDLE)

    def _sitting(self, end_at: Instant | None, reason: EndReason | None, idle_at: Instant | None) -> list[Sitting]:
        """Nothing when nobody was identified, or when it ended as it began."""
        subject, source = self.who.subject, self.who.source or ""
        if subject is None or end_at == self.start_at:
            return []
        return [Sitting(subject, source, self.start_at, end_at, reason, idle_at)]


class Folder:
    """Takes marks in the order of their `rank` and gives the sessions they end."""

    def __init__(self, idle: int) -> None:
        """``idle``: us without use after which a session is given up."""
        self._idle = idle
        self._current: _Open | None = None

    @property
    def is_open(self) -> bool:
        return self._current is not None

    def feed(self, mark: Mark) -> list[Sitting]:
        current, ended = self._current, list[Sitting]()
        if current is not None and mark.at >= current.reaches(self._idle):
            ended += current.close(current.reaches(self._idle), EndReason.IDLE)
            current = None
        if mark.kind is Kind.START and (current is None or not current.goes_on(mark)):
            ended += current.close(mark.at, EndReason.REPLACED) if current else []
            current = _Open(mark) if mark.subject is not None or mark.number is not None else None
        elif current is not None and mark.kind is Kind.END:
            if mark.number is None or current.number in (None, mark.number):  # else of one that is over
                ended += current.close(mark.at, EndReason.ENDED)
                current = None
        elif current is not None:
            current.take(mark)
        self._current = current
        return ended

    def finish(self, now: Instant) -> list[Sitting]:
        """What is on when no more marks are known."""
        return self._current.settle(self._idle, now) if self._current else []


def fold(marks: Iterable[Mark], idle: int, now: Instant) -> list[Sitting]:
    """The sessions the marks make, oldest first."""
    folder = Folder(idle)
    ended = [sitting for mark in sorted(marks, key=lambda mark: mark.rank) for sitting in folder.feed(mark)]
    return ended + folder.finish(now)
