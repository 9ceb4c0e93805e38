"""Shifts: entered and listed by people, read by the lifecycle of alerts (port `gateway.api.alert_ports.Rosters`)."""

import json
from typing import Any

import msgspec
from sqlalchemy import Connection, Select, delete, insert, select, tuple_

from gateway.adapters import tables
from gateway.alerts.roster import Roster, Shift, Staff
from gateway.api.ports import PageRequest, Sites
from gateway.contract.envelope import Instant

_shift, _account = tables.shift, tables.account


def load(connection: Connection, now: Instant) -> Roster:
    """Shifts that are not over, all accounts that may sign in, and which sites have ever had a shift."""
    names = Shift.__struct_fields__
    rows = connection.execute(select(_shift).where(_shift.c.end_at > now).order_by(_shift.c.start_at, _shift.c.id))
    shifts = [msgspec.convert({name: row[name] for name in names}, Shift) for row in rows.mappings()]
    accounts = connection.execute(
        select(_account.c.name, _account.c.role, _account.c.sites).where(_account.c.disabled_at.is_(None))
    )
    staff = [Staff(row.name, row.role, tuple(json.loads(row.sites))) for row in accounts]
    kept = connection.execute(select(_shift.c.site).distinct()).scalars()
    return Roster(shifts, sorted(staff, key=lambda one: one.account), frozenset(kept))


def shifts(connection: Connection, scope: Sites, page: PageRequest, *, since: Instant) -> list[dict[str, Any]]:
    """Shifts that end after ``since``, by beginning, after the position (start_at, id)."""
    query = _in_scope(scope).where(_shift.c.end_at > since)
    if page.after is not None:
        query = query.where(tuple_(_shift.c.start_at, _shift.c.id) > tuple_(*page.after))
    query = query.order_by(_shift.c.start_at, _shift.c.id).limit(page.limit)
    return [dict(row) for row in connection.execute(query).mappings()]


def shift(connection: Connection, id: str, scope: Sites) -> dict[str, Any] | None:
    """One, none when unknown or out of scope."""
    row = connection.execute(_in_scope(scope).where(_shift.c.id == id)).mappings().first()
    return dict(row) if row else None


def add(connection: Connection, row: dict[str, Any]) -> None:
    """Enters a shift."""
    connection.execute(insert(_shift).values(row))


def remove(connection: Connection, id: str) -> bool:
    """Takes a shift out; false when it is gone already. The audit log keeps that it was there."""
    return connection.execute(delete(_shift).where(_shift.c.id == id)).rowcount > 0


def _in_scope(scope: Sites) -> Select[Any]:
    query = select(_shift)
    return query if scope is None else query.where(_shift.c.site.in_(scope))
