"""Puts units into the registry and bars them; used by the command line, beside a running gateway or without one."""

import secrets
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects.sqlite import insert

from gateway.adapters import tables
from gateway.adapters.auth_callout import hash_token
from gateway.adapters.migrate import migrate
from gateway.adapters.sql import DATABASE_NAME, Database, connect
from gateway.contract.envelope import Instant
from gateway.contract.identity import Provenance
from gateway.contract.topic import UnitAddress


def open_database(data: Path) -> Database:
    """The database of a data directory, made or migrated if need be."""
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    database = Database(connect(data / DATABASE_NAME))
    try:
        migrate(database.engine)
    except BaseException:
        database.close()
        raise
    return database


def enrol(connection: Connection, address: UnitAddress, name: str, provenance: Provenance, now: Instant) -> str:
    """Registers a unit (and its site), or gives a registered one a new token; returns the token: 256 random bits."""
    token = secrets.token_urlsafe(32)
    row = {
        "id": address.unit, "site": address.site, "kind": str(address.kind), "name": name,
        "provenance": str(provenance), "token_hash": hash_token(token), "registered_at": now, "revoked_at": None,
    }  # fmt: skip
    connection.execute(insert(tables.site).values(id=address.site, name=address.site).on_conflict_do_nothing())
    connection.execute(insert(tables.unit).values(row).on_conflict_do_update(index_elements=["id"], set_=row))
    return token


def revoke(connection: Connection, unit: str, now: Instant) -> bool:
    """Bars a unit; false when there is none of that id or it is barred already. What it sent stays."""
    table = tables.unit
    bar = update(table).where(table.c.id == unit, table.c.revoked_at.is_(None)).values(revoked_at=now)
    return connection.execute(bar).rowcount > 0


def every_unit(connection: Connection) -> list[Any]:
    """All units ever registered, by id: rows of table ``unit``."""
    return list(connection.execute(select(tables.unit).order_by(tables.unit.c.id)))
