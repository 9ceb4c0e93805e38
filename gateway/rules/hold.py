"""How long a condition must hold before it counts, and before it counts as over. Pure, on event time."""

from enum import Enum
from typing import Final

import msgspec

from gateway.contract.envelope import Instant
from gateway.contract.quantity import SECOND
from gateway.rules.condition import Memory

# After a longer pause in the data a half-elapsed duration starts again: two minutes and a half, because many monitors
# hand their numbers over once a minute, and one may be missing. Two breaching values at its ends are a breach.
MAX_PAUSE: Final = 150 * SECOND
PAUSES: Final = 2  # or after half of the duration, where that is longer: readings may be minutes apart


class Edge(Enum):
    RAISE = 1
    CLEAR = 2


class Hold(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """State of one (subject, rule) at one device: ``since`` when breaching (or, while firing, clearing) began.

    Of a switch ``since`` is when it went on.
    """

    firing: bool = False
    since: Instant | None = None
    last_at: Instant = 0
    memory: Memory = ()  # of the row's condition
    untold: bool = False  # taken over while firing, and the alert has not heard from this device yet

    @property
    def idle(self) -> bool:
        """Whether nothing has begun."""
        return self.since is None and not self.firing and not self.memory


class Holds(msgspec.Struct, frozen=True):
    """One (subject, rule) as it is stored: the hold of each device that measures."""

    devices: dict[str, Hold] = {}


def hold(
    state: Hold, *, breached: bool, cleared: bool, at: Instant, for_: int, clear_for: int, memory: Memory = ()
) -> tuple[Hold, Edge | None]:
    """The state after one more value, and the edge it makes. A value older than the last one changes nothing."""
    if at < state.last_at:
        return state, None
    toward_edge = cleared if state.firing else breached
    if not toward_edge:
        return Hold(state.firing, None, at, memory, state.untold), None
    duration = clear_for if state.firing else for_
    paused = at - state.last_at > max(MAX_PAUSE, duration // PAUSES)
    since = at if state.since is None or paused else state.since
    if at - since < duration:
        return Hold(state.firing, since, at, memory, state.untold), None
    edge = Edge.CLEAR if state.firing else Edge.RAISE
    return Hold(not state.firing, None, at, memory), edge
