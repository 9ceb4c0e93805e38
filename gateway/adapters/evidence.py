"""Gaps and refused input as the API lists them (port `gateway.api.ports.Evidence`)."""

from typing import Any

from sqlalchemy import Connection, Select, select

from gateway.adapters import tables
from gateway.api.ports import PageRequest, Sites

_gap, _lane, _unit, _reject = tables.gap, tables.lane, tables.unit, tables.reject
_REJECT_COLUMNS = [column for column in _reject.c if column.name not in {"payload", "lane_id", "seq"}]


def gaps(
    connection: Connection, scope: Sites, page: PageRequest, *, unit: str | None, open_only: bool
) -> list[dict[str, Any]]:
    """At most ``page.limit`` gaps with a smaller id than ``page.after``, newest first."""
    query = (
        select(_gap, _lane.c.unit, _lane.c.epoch, _lane.c.lane)
        .join(_lane, _lane.c.id == _gap.c.lane_id)
        .order_by(_gap.c.id.desc())
        .limit(page.limit)
    )
    if scope is not None:
        query = query.join(_unit, _unit.c.id == _lane.c.unit).where(_unit.c.site.in_(scope))
    if unit is not None:
        query = query.where(_lane.c.unit == unit)
    if open_only:
        query = query.where(_gap.c.healed_at.is_(None), _gap.c.lost_at.is_(None), _gap.c.shed_at.is_(None))
    if page.after is not None:
        query = query.where(_gap.c.id < page.after[0])
    return [dict(row) for row in connection.execute(query).mappings()]


def rejects(
    connection: Connection, scope: Sites, page: PageRequest, *, unit: str | None, reason: str | None
) -> list[dict[str, Any]]:
    """At most ``page.limit`` rejects with a smaller id than ``page.after``, newest first, without payloads."""
    query = _in_scope(select(*_REJECT_COLUMNS), scope).order_by(_reject.c.id.desc()).limit(page.limit)
    if unit is not None:
        query = query.where(_reject.c.unit == unit)
    if reason is not None:
        query = query.where(_reject.c.reason == reason)
    if page.after is not None:
        query = query.where(_reject.c.id < page.after[0])
    return [dict(row) for row in connection.execute(query).mappings()]


def reject(connection: Connection, reject: int, scope: Sites) -> dict[str, Any] | None:
    """One reject with its payload, none when unknown or out of scope."""
    query = _in_scope(select(*_REJECT_COLUMNS, _reject.c.payload), scope).where(_reject.c.id == reject)
    row = connection.execute(query).mappings().first()
    return dict(row) if row else None


def _in_scope(query: Select[Any], scope: Sites) -> Select[Any]:
    """Input that names no registered unit belongs to no site: only those who may see every site get it."""
    if scope is None:
        return query
    return query.join(_unit, _unit.c.id == _reject.c.unit).where(_unit.c.site.in_(scope))
