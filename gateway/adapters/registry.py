"""Sites, units and devices as the API shows them (port `gateway.api.ports.Registry`)."""

from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Row, Select, func, select

from gateway.adapters import tables, windows
from gateway.api.ports import Sites
from gateway.contract.envelope import Hello, Presence

_unit, _link, _gap, _lane, _device = tables.unit, tables.unit_link, tables.gap, tables.lane, tables.device
_hello: Final = msgspec.json.Decoder(Hello)


def sites(connection: Connection, scope: Sites) -> list[dict[str, Any]]:
    """Sites in scope with their number of units, by id."""
    units = func.count(_unit.c.id).filter(_unit.c.revoked_at.is_(None))
    query = (
        select(tables.site.c.id, tables.site.c.name, units.label("units"))
        .outerjoin(_unit, _unit.c.site == tables.site.c.id)
        .group_by(tables.site.c.id)
        .order_by(tables.site.c.id)
    )
    if scope is not None:
        query = query.where(tables.site.c.id.in_(scope))
    return [dict(row) for row in connection.execute(query).mappings()]


def units(connection: Connection, scope: Sites, site: str | None = None) -> list[dict[str, Any]]:
    """Units in scope, by id; only those of ``site`` when it is given."""
    query = _units(scope).order_by(_unit.c.id)
    if site is not None:
        query = query.where(_unit.c.site == site)
    return [_to_unit(row) for row in connection.execute(query)]


def unit(connection: Connection, unit: str, scope: Sites) -> dict[str, Any] | None:
    """One unit, none when it is unknown or out of scope."""
    row = connection.execute(_units(scope).where(_unit.c.id == unit)).first()
    return _to_unit(row) if row else None


def _units(scope: Sites) -> Select[Any]:
    open_gaps = (
        select(func.count())
        .select_from(_gap.join(_lane, _lane.c.id == _gap.c.lane_id))
        .where(
            _lane.c.unit == _unit.c.id, _gap.c.healed_at.is_(None), _gap.c.lost_at.is_(None), _gap.c.shed_at.is_(None)
        )
        .scalar_subquery()
    )
    query = select(
        _unit.c.id, _unit.c.site, _unit.c.kind, _unit.c.name, windows.provenance().label("provenance"),
        _unit.c.registered_at, _unit.c.revoked_at,
        _link.c.presence, _link.c.hello_at, _link.c.hello, _link.c.clock_offset, _link.c.clock_error,
        open_gaps.label("gaps_open"),
    ).outerjoin(_link, _link.c.unit == _unit.c.id)  # fmt: skip
    return query if scope is None else query.where(_unit.c.site.in_(scope))


def _to_unit(row: Row[Any]) -> dict[str, Any]:
    hello = _hello.decode(row.hello) if row.hello else None
    return {
        "id": row.id,
        "site": row.site,
        "kind": row.kind,
        "name": row.name,
        "provenance": row.provenance,
        "registered_at": row.registered_at,
        "revoked_at": row.revoked_at,
        "link": row.presence or "never",
        "link_mode": hello.link_mode if hello else "full",
        "hello_at": row.hello_at,
        "firmware": hello.firmware if hello else "",
        "profile": hello.profile if hello else "",
        "outbox_records": hello.outbox_records if hello and hello.presence is Presence.ONLINE else None,
        "clock_offset": row.clock_offset,
        "clock_error": row.clock_error,
        "gaps_open": row.gaps_open,
    }


def devices(connection: Connection, unit: str) -> list[dict[str, Any]]:
    """Devices heard of behind a unit, with the newest time anything of theirs was received."""
    newest = (
        select(func.max(tables.latest.c.received_at))
        .where(tables.latest.c.unit == _device.c.unit, tables.latest.c.device == _device.c.device)
        .scalar_subquery()
    )
    query = (
        select(_device.c.device.label("id"), _device.c.first_seen_at, newest.label("received_at"))
        .where(_device.c.unit == unit)
        .order_by(_device.c.device)
    )
    return [dict(row) for row in connection.execute(query).mappings()]
