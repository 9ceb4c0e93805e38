"""Silences: written with the batch that changes them, listed for the API, loaded at the start.

Each beginning and each end is a line of the audit log, in the same transaction as the row.
"""

from typing import Any

import msgspec
from sqlalchemy import Connection, Select, insert, select, update

from gateway.adapters import audit_log, tables
from gateway.adapters.paging import newest_first
from gateway.alerts.silence import Silence
from gateway.api.ports import PageRequest, Sites

_silence, _unit = tables.silence, tables.unit


def write(connection: Connection, changes: list[Silence]) -> None:
    """Runs inside the commit's transaction."""
    for silence in changes:
        row: dict[str, Any] = msgspec.to_builtins(silence)
        about: dict[str, Any] = {"unit": silence.unit, "subject": silence.subject, "rule": silence.rule}
        if silence.ended_at is None or silence.ended_by is None:
            connection.execute(insert(_silence).values(row))
            about |= {"reason": silence.reason, "role": silence.role, "expires_at": silence.expires_at}
            audit_log.append(connection, silence.created_at, silence.author, "silence-started", silence.id, about)
        else:
            connection.execute(update(_silence).where(_silence.c.id == silence.id).values(row))
            audit_log.append(connection, silence.ended_at, silence.ended_by, "silence-ended", silence.id, about)


def load(connection: Connection) -> list[Silence]:
    """Those that are on, also those that ran out while nobody ran the gateway: it ends them itself."""
    names = Silence.__struct_fields__
    rows = connection.execute(select(_silence).where(_silence.c.ended_at.is_(None))).mappings()
    return [msgspec.convert({name: row[name] for name in names}, Silence) for row in rows]


def silences(connection: Connection, scope: Sites, page: PageRequest, *, on_only: bool) -> list[dict[str, Any]]:
    """Newest first, after the position (created_at, id)."""
    query = newest_first(_in_scope(scope), _silence.c.created_at, _silence.c.id, page)
    if on_only:
        query = query.where(_silence.c.ended_at.is_(None))
    return [dict(row) for row in connection.execute(query).mappings()]


def silence(connection: Connection, id: str, scope: Sites) -> dict[str, Any] | None:
    """One, none when unknown or out of scope."""
    row = connection.execute(_in_scope(scope).where(_silence.c.id == id)).mappings().first()
    return dict(row) if row else None


def _in_scope(scope: Sites) -> Select[Any]:
    query = select(_silence)
    if scope is None:
        return query
    return query.join(_unit, _unit.c.id == _silence.c.unit).where(_unit.c.site.in_(scope))
