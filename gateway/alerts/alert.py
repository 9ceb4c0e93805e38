"""An alert and the table of its moves (words of IEEE 11073 and Alertmanager). A half-elapsed "for" is none yet."""

from enum import StrEnum
from typing import Final
from uuid import UUID, uuid5

import msgspec

from gateway.contract.envelope import Instant
from gateway.rules.catalogue import Kind, Priority

_NAMESPACE: Final = UUID("5d0f5f1c-7f0e-4b6e-9d1c-2f1b6a1c0a11")


class State(StrEnum):
    FIRING = "firing"
    ACKNOWLEDGED = "acknowledged"
    LATCHED = "latched"  # over as soon as it had happened, but somebody has to see it
    RESOLVED = "resolved"


class Move(StrEnum):
    RAISE = "raise"
    ACKNOWLEDGE = "acknowledge"
    CLEAR = "clear"


TRANSITIONS: Final[dict[tuple[State, Move], State]] = {
    (State.FIRING, Move.ACKNOWLEDGE): State.ACKNOWLEDGED,
    (State.FIRING, Move.CLEAR): State.RESOLVED,
    (State.ACKNOWLEDGED, Move.CLEAR): State.RESOLVED,
    (State.LATCHED, Move.ACKNOWLEDGE): State.RESOLVED,
    (State.LATCHED, Move.RAISE): State.LATCHED,
    (State.LATCHED, Move.CLEAR): State.RESOLVED,  # of practice, with the training; the book keeps every real one
}


class IllegalMove(ValueError):
    """The alert's state does not allow this move."""

    def __init__(self, state: State, move: Move) -> None:
        super().__init__(f"cannot {move} an alert that is {state}")
        self.state = state
        self.move = move


class UnknownAlert(LookupError):
    """No alert has this id."""


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One episode of one rule for one subject: one id from raise to resolve."""

    id: str
    subject: str
    unit: str
    device: str | None
    rule: str
    kind: Kind
    priority: Priority
    state: State
    quantity: str | None
    value: float | None
    limit: float | None
    raised_at: Instant
    updated_at: Instant
    acknowledged_at: Instant | None = None
    acknowledged_by: str | None = None
    resolved_at: Instant | None = None
    simulated: bool = False


def alert_id(subject: str, rule: str, raised_at: Instant) -> str:
    """The id of the episode: the same input read twice makes the same alert."""
    return str(uuid5(_NAMESPACE, f"{subject} {rule} {raised_at}"))


def next_state(state: State, move: Move) -> State:
    """Where the move leads.

    Raises:
        IllegalMove: the table has no such row.
    """
    try:
        return TRANSITIONS[state, move]
    except KeyError:
        raise IllegalMove(state, move) from None
