"""Service mode and training: written with the batch that changes them, listed for the API, loaded at the start.

Each beginning and each end is a line of the audit log, in the same
transaction as the row.
"""

from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, case, delete, insert, or_, select, update

from gateway.adapters import audit_log, tables
from gateway.adapters.paging import newest_first
from gateway.api.ports import PageRequest, Sites
from gateway.care.desk import REMEMBERED
from gateway.care.window import Mode, ServiceWindow, State, WindowChange
from gateway.contract.envelope import Instant
from gateway.contract.identity import Provenance

_window, _unit, _latest = tables.service_window, tables.unit, tables.latest


def write(connection: Connection, changes: list[WindowChange]) -> None:
    """Runs inside the commit's transaction."""
    for change in changes:
        window = change.window
        row: dict[str, Any] = msgspec.to_builtins(window)
        if window.state is State.ON:
            connection.execute(insert(_window).values(row))
        else:
            connection.execute(update(_window).where(_window.c.id == window.id).values(row))
        if window.mode is Mode.TRAINING and window.ended_at is not None:
            _forget_values(connection, window.unit, window.started_at, window.ended_at)
        kind = "training" if window.mode is Mode.TRAINING else "service"
        event = "started" if window.state is State.ON else str(window.state)
        audit_log.append(connection, change.at, change.actor, f"{kind}-{event}", window.id, _details(window))


def _details(window: ServiceWindow) -> dict[str, Any]:
    about = {"unit": window.unit, "device": window.device, "mode": str(window.mode)}
    if window.state is not State.ON:
        return about
    return about | {"reason": window.reason, "role": window.role, "expires_at": window.expires_at}


def _forget_values(connection: Connection, unit: str, start: Instant, end: Instant) -> None:
    """What was practised stays in the records, flagged; it is nobody's newest value."""
    during = (_latest.c.event_at >= start, _latest.c.event_at < end)
    connection.execute(delete(_latest).where(_latest.c.unit == unit, *during))


def load(connection: Connection, now: Instant) -> list[ServiceWindow]:
    """Those that are on, and those that ended not long ago."""
    query = select(_window).where(or_(_window.c.state == State.ON, _window.c.ended_at > now - REMEMBERED))
    names = ServiceWindow.__struct_fields__
    rows = connection.execute(query).mappings()
    return [msgspec.convert({name: row[name] for name in names}, ServiceWindow) for row in rows]


def provenance() -> ColumnElement[str]:
    """Of a unit as people should see it now: a live one in training is a test."""
    own = _window.alias("training")
    practises = select(own.c.id).where(own.c.unit == _unit.c.id, own.c.device == "", own.c.state == State.ON)
    training = and_(_unit.c.provenance == Provenance.LIVE, practises.correlate(_unit).exists())
    return case((training, str(Provenance.TEST)), else_=_unit.c.provenance)


def windows(connection: Connection, scope: Sites, page: PageRequest, *, unit: str | None) -> list[dict[str, Any]]:
    """Windows in scope, newest first, after the position (started_at, id)."""
    query = newest_first(select(_window), _window.c.started_at, _window.c.id, page)
    if scope is not None:
        query = query.join(_unit, _unit.c.id == _window.c.unit).where(_unit.c.site.in_(scope))
    if unit is not None:
        query = query.where(_window.c.unit == unit)
    return [dict(row) for row in connection.execute(query).mappings()]
