"""How whoever lies in a bed was last told to lie: read back after a start, and for the API."""

from collections.abc import Collection, Iterable, Iterator
from typing import Final

import msgspec
from sqlalchemy import Connection, or_, select

from gateway.adapters import tables
from gateway.adapters.history import Stored, messages, opened
from gateway.contract.envelope import Instant, Lane
from gateway.contract.observation import Event
from gateway.contract.quantity import HOUR
from gateway.derive.derivation import DERIVED_EPOCH
from gateway.derive.pressure import EVENT, Care
from gateway.fleet import GATEWAY_DEVICE

LOOK_BACK: Final = 7 * 24 * HOUR  # somebody who has not been heard of for longer is not lying there any more


def load(connection: Connection, units: Iterable[str], now: Instant) -> dict[str, Care]:
    """Of each of these units that has been told of."""
    found = {unit: newest(connection, unit, now) for unit in units}
    return {unit: care for unit, care in found.items() if care is not None}


def handed_over(connection: Connection, units: Collection[str], now: Instant) -> dict[str, Instant]:
    """Of each unit that has spoken for somebody else than now: when it last did. What was told before is not theirs."""
    who = tables.association.c
    query = (
        select(who.unit, who.subject, who.start_at, who.end_at)
        .where(who.unit.in_(units), who.voided_at.is_(None), who.start_at <= now)
        .where(or_(who.end_at.is_(None), who.end_at > now - LOOK_BACK))
        .order_by(who.start_at, who.id)
    )
    rows = connection.execute(query).all()
    present = {row.unit: row for row in rows if row.end_at is None or row.end_at > now}
    found: dict[str, Instant] = {}
    for row in rows:
        current = present.get(row.unit)
        if current is None or current.subject != row.subject:
            ended_at = row.end_at or now
            until = ended_at if current is None else min(ended_at, current.start_at)
            found[row.unit] = max(until, found.get(row.unit, 0))
    return found


def newest(connection: Connection, unit: str, now: Instant) -> Care | None:
    """The last word about a bed; None when there is none young enough."""
    for _, said in messages(Lane.EVENT, _newest_first(connection, unit, now - LOOK_BACK)):
        if isinstance(said, Event) and said.name == EVENT:
            return msgspec.convert(said.details, Care)
    return None


def _newest_first(connection: Connection, unit: str, since: Instant) -> Iterator[Stored]:
    """Events the gateway made of a unit: rows not yet folded, then blocks, each only when it is asked for."""
    record, of, block = tables.record, tables.lane, tables.block
    rows = (
        select(*(record.c[name] for name in Stored.__struct_fields__))
        .join_from(of, record, record.c.lane_id == of.c.id)
        .where(of.c.unit == unit, of.c.epoch == DERIVED_EPOCH, of.c.lane == Lane.EVENT.value)
        .where(record.c.event_at >= since)
        .order_by(record.c.seq.desc())
    )
    yield from (Stored(*row) for row in connection.execute(rows))
    folded = (
        select(*(column for column in block.c if column.name != "data"))
        .where(block.c.unit == unit, block.c.lane == Lane.EVENT.value, block.c.device == GATEWAY_DEVICE)
        .where(block.c.start_at >= since)
        .order_by(block.c.start_at.desc(), block.c.last_seq.desc())
    )
    for row in connection.execute(folded):
        yield from sorted(opened(connection, row), key=lambda one: one.seq, reverse=True)
