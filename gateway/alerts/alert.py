"""An alert and the table of its moves (words of IEEE 11073, IEC 60601-1-8 and Alertmanager).

    pending --raise--> firing --acknowledge--> acknowledged --clear--> resolved
            --happen-> latched  (an instant)                           resolved --reopen--> firing, --happen--> latched
    firing --clear--> resolved, --latch--> latched --acknowledge--> resolved, --raise--> firing

A *pending* alert is a half-elapsed "for": shown, and never stored before it is raised. What changes nothing about the
state (somebody was told, a silence began) is a `Mark`: a line of the history, no move.
"""

from enum import StrEnum
from typing import Final
from uuid import UUID, uuid5

import msgspec

from gateway.contract.envelope import Instant
from gateway.rules.catalogue import Kind, Priority

_NAMESPACE: Final = UUID("5d0f5f1c-7f0e-4b6e-9d1c-2f1b6a1c0a11")


class State(StrEnum):
    PENDING = "pending"
    FIRING = "firing"
    ACKNOWLEDGED = "acknowledged"
    LATCHED = "latched"  # over, but somebody has to see it
    RESOLVED = "resolved"


class Move(StrEnum):
    RAISE = "raise"
    HAPPEN = "happen"  # what happens at an instant and cannot end by itself
    ACKNOWLEDGE = "acknowledge"
    CLEAR = "clear"
    LATCH = "latch"  # its condition ended, and nobody had acknowledged it
    REOPEN = "reopen"  # it came again soon after it was resolved: the same episode


class Mark(StrEnum):
    """What an alert's history tells beside its moves."""

    NOTIFY = "notify"  # a step of its ladder, or a reminder
    SILENCE = "silence"
    UNSILENCE = "unsilence"
    INHIBIT = "inhibit"
    RELEASE = "release"
    JOIN = "join"  # another device measures the same


TRANSITIONS: Final[dict[tuple[State, Move], State]] = {
    (State.PENDING, Move.RAISE): State.FIRING,
    (State.PENDING, Move.HAPPEN): State.LATCHED,
    (State.PENDING, Move.CLEAR): State.RESOLVED,  # never came true; nothing of it is stored
    (State.FIRING, Move.ACKNOWLEDGE): State.ACKNOWLEDGED,
    (State.FIRING, Move.CLEAR): State.RESOLVED,
    (State.FIRING, Move.LATCH): State.LATCHED,
    (State.ACKNOWLEDGED, Move.CLEAR): State.RESOLVED,
    (State.LATCHED, Move.ACKNOWLEDGE): State.RESOLVED,
    (State.LATCHED, Move.RAISE): State.FIRING,
    (State.LATCHED, Move.HAPPEN): State.LATCHED,
    (State.LATCHED, Move.CLEAR): State.RESOLVED,  # of practice, with the training; the book keeps every real one
    (State.RESOLVED, Move.REOPEN): State.FIRING,
    (State.RESOLVED, Move.HAPPEN): State.LATCHED,
}

UNSEEN: Final = frozenset({State.FIRING, State.LATCHED})  # nobody has taken it yet


class IllegalMove(ValueError):
    """The alert's state does not allow this move."""

    def __init__(self, state: State, move: Move, owner: str | None = None) -> None:
        super().__init__(f"cannot {move} an alert that is {state}")
        self.state = state
        self.move = move
        self.owner = owner  # who has acknowledged it


class UnknownAlert(LookupError):
    """No alert has this id."""


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One episode of one rule for one subject: one id from raise to resolve, and through every reopening."""

    id: str
    subject: str
    unit: str
    device: str | None  # that measured it; None: several do, or it is about none
    rule: str
    kind: Kind
    priority: Priority
    state: State
    quantity: str | None
    value: float | None
    limit: float | None
    raised_at: Instant  # of its latest occurrence; the history has the earlier ones
    updated_at: Instant
    acknowledged_at: Instant | None = None
    acknowledged_by: str | None = None
    resolved_at: Instant | None = None
    simulated: bool = False
    group_key: str = ""  # whose alerts stand together on a screen: "person/<pseudonym>", or "unit/<unit>"
    reopened: int = 0
    ladder: str = ""  # name of the ladder it climbs; "" = none yet
    step: int = 0  # how many of its steps have been taken
    next_step_at: Instant | None = None  # None: acknowledged, muted, over, or nobody is told of such an alert
    notices: int = 0
    silenced_by: str | None = None  # id of the silence
    inhibited_by: str | None = None  # id of the alert that mutes this one

    @property
    def muted(self) -> bool:
        """Whether it stays visible but tells nobody."""
        return self.silenced_by is not None or self.inhibited_by is not None


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
