"""What was heard of fetal hearts before a start: read back, so that a trace goes on instead of filling anew."""

from typing import Final

from sqlalchemy import Connection

from gateway.adapters.history import points
from gateway.contract.envelope import Instant
from gateway.contract.quantity import MINUTE
from gateway.derive.fetal_watch import QUANTITY
from gateway.derive.scores.fetal import WINDOW
from gateway.fleet import Fleet

Trace = list[tuple[float, Instant]]  # value, time; oldest first
_MORE: Final = MINUTE  # than the window: so that one that was full is full


def traces(connection: Connection, fleet: Fleet, now: Instant) -> dict[str, Trace]:
    """By unit, where a value is young enough to count; none of a test or an exercise."""
    found: dict[str, Trace] = {}
    for unit, state in fleet.states.items():
        heard = [one.event_at for (_, quantity), one in state.latest.items() if quantity == QUANTITY]
        if any(at > now - WINDOW for at in heard):
            rows = points(connection, unit, QUANTITY, now - WINDOW - _MORE, max(heard) + 1)
            found[unit] = [(row["value"], row["at"]) for row in rows if not row["test"]]
    return found
