"""What a batch brings, and everything it changes: what a commit writes, all of it or nothing."""

from typing import Any

import msgspec

from gateway.admit import Admitted, Duplicate, Greeting
from gateway.alerts.book import Transition
from gateway.alerts.notice import Notice
from gateway.alerts.silence import Silence
from gateway.care.sessions import SessionWork
from gateway.care.window import WindowChange
from gateway.commands.command import CommandChange
from gateway.contract.envelope import Instant
from gateway.fleet import Latest
from gateway.ledger import Absence, LaneLedger
from gateway.ports import LogMessage
from gateway.rules.hold import Hold, Holds
from gateway.unpack import Refused


class Position(msgspec.Struct, frozen=True):
    """How far the broker's log has been committed."""

    stream_created: str
    sequence: int
    logged_at: Instant


class Batch(msgspec.Struct, frozen=True):
    """What the inbox hands over at once; empty when only time has passed."""

    messages: list[LogMessage]
    now: Instant
    position: Position | None = None  # after the last of ``messages``
    caught_up: bool = True
    notes: list[tuple[str, str]] = []  # (alert code, why): what happened to the log
    trouble: str | None = None  # why the broker cannot be read now; None = it can

    @property
    def read_to_end(self) -> bool:
        """Whether the log holds nothing that has not been looked at."""
        return self.caught_up and self.trouble is None


class LaneChange(msgspec.Struct, frozen=True, gc=False):
    """A lane as it is after the batch, and the absences that changed."""

    lane: LaneLedger
    next: int
    seen_at: Instant
    absences: list[Absence]


class Act(msgspec.Struct, frozen=True):
    """A line of the audit log about what a person did, where no row of its own says so."""

    at: Instant
    actor: str
    action: str
    target: str
    details: dict[str, Any]


class Rejection(msgspec.Struct, frozen=True, gc=False):
    """A refused message; with its lane when it is accounted for by its number."""

    refused: Refused
    lane: LaneLedger | None = None


class Changes(msgspec.Struct):
    """The outcome of one batch."""

    position: Position | None = None
    records: list[Admitted] = []
    duplicates: list[Duplicate] = []
    rejections: list[Rejection] = []
    greetings: list[Greeting] = []
    devices: list[tuple[str, str, Instant]] = []
    lanes: list[LaneChange] = []
    latest: list[tuple[str, str, str, Latest]] = []
    transitions: list[Transition] = []
    holds: list[tuple[str, str, Hold | Holds]] = []  # of a switch one, of a limit one a device
    commands: list[CommandChange] = []
    windows: list[WindowChange] = []
    sessions: SessionWork | None = None
    silences: list[Silence] = []
    notices: list[Notice] = []
    acts: list[Act] = []

    @property
    def empty(self) -> bool:
        """Whether there is nothing to write but, perhaps, a newer position."""
        return not any(
            (self.records, self.duplicates, self.rejections, self.greetings, self.lanes, self.latest,
             self.transitions, self.holds, self.commands, self.windows, self.sessions, self.silences, self.notices)
        )  # fmt: skip
