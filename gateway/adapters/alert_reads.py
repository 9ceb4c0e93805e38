"""Alerts as the API lists them, newest first (port `gateway.api.ports.AlertReads`)."""

from typing import Any

from sqlalchemy import Connection, Select, or_, select, tuple_

from gateway.adapters import tables
from gateway.api.ports import PageRequest, Sites

_alert, _unit = tables.alert, tables.unit
_OPEN = ("firing", "acknowledged", "latched")  # pending has not come true yet


def alerts(
    connection: Connection, scope: Sites, page: PageRequest, *, open_only: bool, unit: str | None
) -> list[dict[str, Any]]:
    """At most ``page.limit`` alerts after the position (raised_at, id)."""
    query = _in_scope(scope).order_by(_alert.c.raised_at.desc(), _alert.c.id.desc()).limit(page.limit)
    if open_only:
        query = query.where(_alert.c.state.in_(_OPEN))
    if unit is not None:
        query = query.where(_alert.c.unit == unit)
    if page.after is not None:
        query = query.where(tuple_(_alert.c.raised_at, _alert.c.id) < tuple_(*page.after))
    return [dict(row) for row in connection.execute(query).mappings()]


def alert(connection: Connection, alert_id: str, scope: Sites) -> dict[str, Any] | None:
    """One alert, none when unknown or out of scope."""
    row = connection.execute(_in_scope(scope).where(_alert.c.id == alert_id)).mappings().first()
    return dict(row) if row else None


def _in_scope(scope: Sites) -> Select[Any]:
    """An alert without a unit is about the gateway itself and concerns everybody."""
    query = select(_alert)
    if scope is None:
        return query
    mine = select(_unit.c.id).where(_unit.c.site.in_(scope))
    return query.where(or_(_alert.c.unit == "", _alert.c.unit.in_(mine)))
