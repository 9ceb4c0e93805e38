"""What was heard of fetal hearts before a start: read back, so that a trace goes on instead of filling anew."""

from collections.abc import Mapping
from typing import Final

from sqlalchemy import Connection, select

from gateway.adapters import tables
from gateway.adapters.history import points
from gateway.contract.envelope import Instant
from gateway.contract.quantity import MINUTE
from gateway.derive.fetal_watch import LOSS, QUANTITY, Sound
from gateway.derive.scores.fetal import WINDOW
from gateway.fleet import GATEWAY_DEVICE, Fleet, Latest

_MORE: Final = MINUTE  # than the window: so that one that was full is full


def traces(connection: Connection, fleet: Fleet, now: Instant) -> dict[str, list[Sound]]:
    """By unit, where a value is young enough to count or something was told; none of a test or an exercise.

    Only of whoever the unit speaks for now: nothing from before the last time that this changed.
    """
    found: dict[str, list[Sound]] = {}
    for unit, state in fleet.states.items():
        heard = [one.event_at for (_, quantity), one in state.latest.items() if quantity == QUANTITY]
        young = any(at > now - WINDOW for at in heard)
        if young or _told(state.latest):
            start = max(now - WINDOW - _MORE, _changed_at(connection, unit, now))
            rows = points(connection, unit, QUANTITY, start, max(heard) + 1) if young else []
            found[unit] = [(row["device"], row["value"], row["at"]) for row in rows if not row["test"]]
    return found


def _told(latest: Mapping[tuple[str, str], Latest]) -> bool:
    """Whether a loss of signal still stands there: that its trace is over has not been told."""
    loss = latest.get((GATEWAY_DEVICE, LOSS))
    return loss is not None and loss.value is not None


def _changed_at(connection: Connection, unit: str, now: Instant) -> Instant:
    """When somebody last came to the unit or left it."""
    of = tables.association.c
    query = select(of.start_at, of.end_at).where(of.unit == unit, of.start_at <= now, of.voided_at.is_(None))
    times = (at for row in connection.execute(query) for at in row if at is not None and at <= now)
    return max(times, default=0)
