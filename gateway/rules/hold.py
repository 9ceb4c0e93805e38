"""How long a condition must hold before it counts, and before it counts as over. Pure, on event time."""

from enum import Enum
from typing import Final

import msgspec

from gateway.contract.envelope import Instant
from gateway.contract.quantity import SECOND

MAX_PAUSE: Final = 30 * SECOND  # after a longer pause in the data a half-elapsed duration starts again


class Edge(Enum):
    RAISE = 1
    CLEAR = 2


class Hold(msgspec.Struct, frozen=True, gc=False):
    """State of one (subject, rule): ``since`` when breaching (or, while firing, clearing) began."""

    firing: bool = False
    since: Instant | None = None
    last_at: Instant = 0


def hold(
    state: Hold, *, breached: bool, cleared: bool, at: Instant, for_: int, clear_for: int
) -> tuple[Hold, Edge | None]:
    """The state after one more value, and the edge it makes. A value older than the last one changes nothing."""
    if at < state.last_at:
        return state, None
    toward_edge = cleared if state.firing else breached
    if not toward_edge:
        return Hold(state.firing, None, at), None
    paused = at - state.last_at > MAX_PAUSE
    since = at if state.since is None or paused else state.since
    if at - since < (clear_for if state.firing else for_):
        return Hold(state.firing, since, at), None
    edge = Edge.CLEAR if state.firing else Edge.RAISE
    return Hold(not state.firing, None, at), edge
