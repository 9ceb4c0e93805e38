"""The audit log: append-only rows, each chained to the one before by SHA-256 (port `gateway.api.ports.AuditTrail`).

What the chain tells: any change, swap or removal of rows that leaves a later row in place. Rows cut off the end, or
a whole tail computed anew, show only against a head kept elsewhere: `head` gives it, `verify` takes it.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, insert, select

from gateway.adapters import tables
from gateway.contract.envelope import Instant

GENESIS: Final = "0" * 64
_log = tables.audit_log


@dataclass(frozen=True, slots=True)
class Head:
    """The last row at some moment; keep it outside the database to notice a shortened log."""

    id: int
    chain: str


def head(connection: Connection) -> Head:
    """The log's last row; id 0 when it is empty."""
    row = connection.execute(select(_log.c.id, _log.c.chain).order_by(_log.c.id.desc()).limit(1)).first()
    return Head(row.id, row.chain) if row else Head(0, GENESIS)


def _link(previous: str, row: tuple[int, Instant, str, str, str, str]) -> str:
    return hashlib.sha256(json.dumps([previous, *row], ensure_ascii=True).encode()).hexdigest()


def append(connection: Connection, at: Instant, actor: str, action: str, target: str, details: dict[str, Any]) -> None:
    """Adds one row in the caller's (write) transaction."""
    last = head(connection)
    row = (last.id + 1, at, actor, action, target, json.dumps(details, ensure_ascii=False, sort_keys=True))
    names = ("id", "at", "actor", "action", "target", "details")
    connection.execute(insert(_log).values(**dict(zip(names, row, strict=True)), chain=_link(last.chain, row)))


def verify(connection: Connection, anchor: Head | None = None) -> list[int]:
    """Ids of the rows that do not continue the row before them; empty = unbroken.

    With ``anchor``, a head kept from earlier, its id is listed too when that row is gone or different.
    """
    broken = []
    previous = Head(0, GENESIS)
    anchored = anchor is None or anchor.id == 0
    rows = connection.execute(
        select(_log.c.id, _log.c.at, _log.c.actor, _log.c.action, _log.c.target, _log.c.details, _log.c.chain).order_by(
            _log.c.id
        )
    )
    for row in rows:
        *content, chain = row
        if row.id != previous.id + 1 or chain != _link(previous.chain, tuple(content)):
            broken.append(row.id)
        previous = Head(row.id, chain)
        anchored = anchored or previous == anchor
    if anchor is not None and not anchored and anchor.id not in broken:
        broken.append(anchor.id)
    return broken
