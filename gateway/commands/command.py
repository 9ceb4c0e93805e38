r"""A remote command and the table of its moves.

    requested --send--> sent --accept--> accepted        the unit carried it out and read it back
        |                |  \--refuse--> refused         the unit, or the device, did not; the refusal says why
     expire            expire
        v                v
     expired         unanswered
     (never sent:    (nobody knows: look at the device)
      not done)

``sent`` is committed before the first publish, so that *expired* is a promise: no unit can have carried it out.
"""

from enum import StrEnum
from typing import Any, Final

import msgspec

from gateway.contract.envelope import Instant


class State(StrEnum):
    REQUESTED = "requested"
    SENT = "sent"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    EXPIRED = "expired"
    UNANSWERED = "unanswered"

    @property
    def open(self) -> bool:
        """Whether something may still happen to it."""
        return self in {State.REQUESTED, State.SENT}


class Move(StrEnum):
    SEND = "send"
    ACCEPT = "accept"
    REFUSE = "refuse"
    EXPIRE = "expire"


TRANSITIONS: Final[dict[tuple[State, Move], State]] = {
    (State.REQUESTED, Move.SEND): State.SENT,
    (State.REQUESTED, Move.EXPIRE): State.EXPIRED,
    (State.SENT, Move.ACCEPT): State.ACCEPTED,
    (State.SENT, Move.REFUSE): State.REFUSED,
    (State.SENT, Move.EXPIRE): State.UNANSWERED,
}


class IllegalMove(ValueError):
    """The command's state does not allow this move."""

    def __init__(self, state: State, move: Move) -> None:
        super().__init__(f"cannot {move} a command that is {state}")
        self.state = state
        self.move = move


def next_state(state: State, move: Move) -> State:
    """Where the move leads.

    Raises:
        IllegalMove: the table has no such row.
    """
    try:
        return TRANSITIONS[state, move]
    except KeyError:
        raise IllegalMove(state, move) from None


class RemoteCommand(msgspec.Struct, frozen=True, kw_only=True):
    """What a person asked of a unit, or of a device behind it; a row of table ``command``."""

    id: str
    site: str
    unit: str
    device: str  # "" = the unit's agent itself
    name: str
    arguments: dict[str, Any]
    reason: str  # as the person typed it
    requested_by: str
    role: str
    requested_at: Instant
    expires_at: Instant
    state: State = State.REQUESTED
    sent_at: Instant | None = None  # from here on it may have been carried out
    ended_at: Instant | None = None
    refusal: str | None = None  # reason code of the unit or the device
    result: dict[str, Any] | None = None  # what the device says it is set to


class CommandChange(msgspec.Struct, frozen=True):
    """A command as it is after a move, and who made it."""

    command: RemoteCommand
    at: Instant
    actor: str


class Conflict(StrEnum):
    """Why a request does not become a command."""

    COMMAND_OPEN = "command-open"  # the same command to the same device waits for its reply: order would be chance
    TOO_MANY_OPEN = "too-many-open"
    UNIT_REVOKED = "unit-revoked"


class CommandConflict(Exception):
    """The request cannot be taken now."""

    def __init__(self, reason: Conflict, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class ReplyReason(StrEnum):
    """Why a reply changes nothing; it is kept as a reject."""

    UNKNOWN_COMMAND = "unknown-command"  # this gateway did not send it, or long ago
    FOREIGN_COMMAND = "foreign-command"  # it was sent to another unit
    LATE_REPLY = "late-reply"  # it had been given up: the payload says what became of it
    CONFLICTING_REPLY = "conflicting-reply"  # it was answered before, differently
    UNEXPECTED_REPLY = "unexpected-reply"  # it has not been sent yet
