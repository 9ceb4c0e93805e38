"""What was measured of a person: found at read time by unit, device and event time (port `gateway.api.ports.Subjects`).

Nothing of a person is copied to a reading, so a late binding or a correction changes at once whose reading it is.
What counts for an instant, if several do: what a person has confirmed, then the single device before a session, then
the one that began last. Readings of a training or of a device in service or test are nobody's.
"""

from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Select, func, or_, select, tuple_

from gateway.adapters import blocks, history, tables
from gateway.api.ports import PageRequest, Sites
from gateway.care.sitting import EVERY_DEVICE
from gateway.contract.envelope import Instant, Lane
from gateway.contract.observation import Event, Observation
from gateway.contract.quantity import ECG_LEADS_12, HOUR, SECOND
from gateway.fleet import GATEWAY_DEVICE
from gateway.ports import RecordFlag

FOREVER: Final = 2**62
LATEST_SPANS: Final = 50  # the newest associations that are searched for a person's newest values ...
LATEST_REACH: Final = HOUR  # ... and how far back from the end of each
CHEST_LEADS: Final = frozenset(ECG_LEADS_12[6:])
LONGEST_FRAME: Final = 10 * SECOND
_association, _unit = tables.association, tables.unit


class Binding(msgspec.Struct, frozen=True):
    """A row of table ``association``, as far as it says who."""

    id: int
    unit: str
    device: str
    subject: str
    start_at: Instant
    end_at: Instant | None
    confirmed_by: str | None

    def covers(self, device: str, at: Instant) -> bool:
        return self.device in (EVERY_DEVICE, device) and self.start_at <= at < (self.end_at or FOREVER)

    @property
    def rank(self) -> tuple[bool, bool, Instant, int]:
        return self.confirmed_by is not None, self.device != EVERY_DEVICE, self.start_at, self.id


class Whose:
    """Who each device of one unit spoke for during a stretch of time."""

    def __init__(self, connection: Connection, unit: str, start: Instant, end: Instant) -> None:
        columns = (_association.c[name] for name in Binding.__struct_fields__)
        query = select(*columns).where(
            _association.c.unit == unit, _association.c.voided_at.is_(None), _association.c.start_at < end,
            or_(_association.c.end_at.is_(None), _association.c.end_at > start),
        )  # fmt: skip
        rows = [Binding(*row) for row in connection.execute(query)]
        self._rows = sorted(rows, key=lambda row: row.rank, reverse=True)

    def binding(self, device: str, at: Instant) -> Binding | None:
        """The association that counts; none = unbound."""
        return next((row for row in self._rows if row.covers(device, at)), None)

    def subject(self, device: str, at: Instant) -> str | None:
        """The person; none = unbound."""
        binding = self.binding(device, at)
        return None if binding is None else binding.subject

    def last_end(self, device: str, at: Instant) -> Instant:
        """When the device last ceased to speak for somebody."""
        ends = (row.end_at for row in self._rows if row.end_at is not None and row.device in (EVERY_DEVICE, device))
        return max((end for end in ends if end <= at), default=-FOREVER)


# ---- a person's readings --------------------------------------------------------------------------------------------


def latest(connection: Connection, subject: str, scope: Sites) -> list[dict[str, Any]]:
    """Newest value of each quantity, by quantity: unit, device, quantity, value, at, received_at, derived."""
    newest: dict[str, dict[str, Any]] = {}
    for span in _spans(connection, subject, scope)[:LATEST_SPANS]:
        _newest_stored(connection, span, subject, newest)
        if span.end_at is None and span.device != EVERY_DEVICE:
            continue  # the table of newest values has them
        end = span.end_at or FOREVER
        start = max(span.start_at, end - LATEST_REACH) if span.end_at else span.start_at
        for one, unit, name, value in _values(connection, span, subject, start, end):
            values = one.device, name, value, one.event_at, one.received_at, one.device == GATEWAY_DEVICE
            _keep_newer(newest, _value_row(unit, *values))
    return [newest[name] for name in sorted(newest)]


def _newest_stored(connection: Connection, span: Binding, subject: str, newest: dict[str, dict[str, Any]]) -> None:
    """Newest values the unit's devices have given, where they are this person's."""
    whose = Whose(connection, span.unit, span.start_at, span.end_at or FOREVER)
    for row in history.latest(connection, span.unit):
        place = row["device"], row["at"]
        if "/" not in row["quantity"] and span.covers(*place) and whose.subject(*place) == subject:
            _keep_newer(newest, _value_row(span.unit, *(row[name] for name in _VALUE_NAMES)))


_VALUE_NAMES: Final = ("device", "quantity", "value", "at", "received_at", "derived")


def _value_row(unit: str, *values: Any) -> dict[str, Any]:
    return {"unit_id": unit, **dict(zip(_VALUE_NAMES, values, strict=True))}


def _keep_newer(newest: dict[str, dict[str, Any]], row: dict[str, Any]) -> None:
    known = newest.get(row["quantity"])
    if known is None or row["at"] >= known["at"]:
        newest[row["quantity"]] = row


def series(
    connection: Connection, subject: str, scope: Sites, quantity: str, start: Instant, end: Instant
) -> list[dict[str, Any]]:
    """Every value with ``start <= at < end``, oldest first: at, value, unit_id, device."""
    found = [
        {"at": one.event_at, "value": value, "unit_id": unit, "device": one.device}
        for span in _spans(connection, subject, scope, start, end)
        for one, unit, name, value in _values(
            connection, span, subject, max(start, span.start_at), min(end, span.end_at or FOREVER)
        )
        if name == quantity
    ]
    return sorted(found, key=lambda row: row["at"])


def events(connection: Connection, subject: str, scope: Sites, start: Instant, end: Instant) -> list[dict[str, Any]]:
    """What happened at devices that spoke for the person, oldest first."""
    found = []
    for span in _spans(connection, subject, scope, start, end):
        inside = max(start, span.start_at), min(end, span.end_at or FOREVER)
        for one, message in _mine(connection, span, subject, Lane.EVENT, *inside):
            if isinstance(message, Event):
                found.append(history.happening(one, message) | {"unit_id": span.unit})
    return sorted(found, key=lambda row: row["at"])


def bound_time(connection: Connection, subject: str, scope: Sites, start: Instant, end: Instant, now: Instant) -> int:
    """How much of a stretch of time devices spoke for the person, us: what reading it costs."""
    spans = _spans(connection, subject, scope, start, end)
    return sum(max(0, min(end, span.end_at or max(now, span.start_at)) - max(start, span.start_at)) for span in spans)


def _spans(
    connection: Connection, subject: str, scope: Sites, start: Instant = -FOREVER, end: Instant = FOREVER
) -> list[Binding]:
    """The person's associations that touch the time, newest first."""
    columns = (_association.c[name] for name in Binding.__struct_fields__)
    query = (
        select(*columns)
        .where(_association.c.subject == subject, _association.c.voided_at.is_(None), _association.c.start_at < end)
        .where(or_(_association.c.end_at.is_(None), _association.c.end_at > start))
        .order_by(_association.c.start_at.desc(), _association.c.id.desc())
    )
    if scope is not None:
        query = query.join(_unit, _unit.c.id == _association.c.unit).where(_unit.c.site.in_(scope))
    return [Binding(*row) for row in connection.execute(query)]


def _mine(
    connection: Connection, span: Binding, subject: str, lane: Lane, start: Instant, end: Instant
) -> Iterator[tuple[history.Stored, Any]]:
    """The records of a span that are the person's: another association may say otherwise for a part of it."""
    whose = Whose(connection, span.unit, start, end)
    device = None if span.device == EVERY_DEVICE else span.device
    found = history.records(connection, span.unit, lane, start, end, device)
    for one, message in history.messages(lane, (one for one in found if not one.flags & history.PRACTICE)):
        if span.covers(one.device, one.event_at) and whose.subject(one.device, one.event_at) == subject:
            yield one, message


def _plausible(message: Observation) -> Iterator[tuple[str, float]]:
    for name, value in message.values.items():
        if value is not None and blocks.plausible(name, value):
            yield name, value


def _values(
    connection: Connection, span: Binding, subject: str, start: Instant, end: Instant
) -> Iterator[tuple[history.Stored, str, str, float]]:
    for one, message in _mine(connection, span, subject, Lane.OBS, start, end):
        if isinstance(message, Observation):
            for name, value in _plausible(message):
                yield one, span.unit, name, value


# ---- where 12-lead ECGs lie -----------------------------------------------------------------------------------------


def bound(connection: Connection, unit: str, device: str, at: Instant) -> dict[str, Any]:
    """Whom the device spoke for, and since when: subject, start_at.

    ``subject`` none: for nobody, since it last spoke for somebody, or for an hour.
    """
    hour_ago = at - LATEST_REACH
    whose = Whose(connection, unit, hour_ago, at + 1)
    if (binding := whose.binding(device, at)) is not None:
        return {"subject": binding.subject, "start_at": binding.start_at}
    return {"subject": None, "start_at": max(whose.last_end(device, at), hour_ago)}


def spans(connection: Connection, subject: str, scope: Sites, before: Instant) -> list[dict[str, Any]]:
    """When which device spoke for the person before an instant, newest first: unit, device (none: all), from, to."""
    return [
        {
            "unit": span.unit, "device": None if span.device == EVERY_DEVICE else span.device,
            "start_at": span.start_at, "end_at": min(span.end_at or FOREVER, before),
        }
        for span in _spans(connection, subject, scope, end=before)[:LATEST_SPANS]
    ]  # fmt: skip


def chest_leads(
    connection: Connection, unit: str, device: str | None, start: Instant, end: Instant
) -> list[dict[str, Any]]:
    """Stretches in which a device's chest leads may be stored, newest first: device, start_at, end_at.

    Blocks say which leads they hold; rows not yet folded do not, and count.
    """
    found = [
        (block.device, block.start_at, block.end_at + 1)
        for block in history.blocks_of(connection, unit, Lane.WAVE, start, end, device)
        if _holds_chest_leads(block)
    ]
    found += [tuple(row) for row in connection.execute(_unfolded_waves(unit, device, start, end))]
    within = ((name, max(first, start), min(last, end)) for name, first, last in _joined(found))
    rows = [{"device": name, "start_at": first, "end_at": last} for name, first, last in within if first < last]
    return sorted(rows, key=lambda row: row["end_at"], reverse=True)


def _holds_chest_leads(block: history.AnyRow) -> bool:
    try:
        return any(signal.name in CHEST_LEADS for signal in blocks.read_header(block.header).signals)
    except blocks.BlockError:
        return False  # whoever opens it says so


def _unfolded_waves(unit: str, device: str | None, start: Instant, end: Instant) -> Select[Any]:
    record, lane = tables.record, tables.lane
    query = (
        select(record.c.device, func.min(record.c.event_at), func.max(record.c.event_at) + LONGEST_FRAME)
        .join_from(lane, record, record.c.lane_id == lane.c.id)
        .where(lane.c.unit == unit, lane.c.lane == Lane.WAVE.value)
        .where(record.c.event_at >= start, record.c.event_at < end)
        .group_by(record.c.device)
    )
    return query if device is None else query.where(record.c.device == device)


def _joined(found: list[tuple[str, Instant, Instant]]) -> Iterator[tuple[str, Instant, Instant]]:
    """Stretches of one device that touch, as one."""
    for name, of_device in groupby(sorted(found), key=itemgetter(0)):
        first, last = -FOREVER, -FOREVER
        for _, start, end in of_device:
            if start > last:
                yield name, first, last
                first = start
            last = max(last, end)
        yield name, first, last


# ---- a unit's sessions ----------------------------------------------------------------------------------------------


def sessions(
    connection: Connection, unit: str, page: PageRequest, now: Instant, *, start: Instant, end: Instant
) -> list[dict[str, Any]]:
    """Sessions that touch ``start <= t < end``, newest first, after the position (start_at, id).

    Each with what was measured in it, by device and quantity.
    """
    query = (
        select(_association)
        .where(_association.c.unit == unit, _association.c.device == EVERY_DEVICE, _association.c.start_at < end)
        .where(or_(_association.c.end_at.is_(None), _association.c.end_at > start))
        .order_by(_association.c.start_at.desc(), _association.c.id.desc())
        .limit(page.limit)
    )
    if page.after is not None:
        query = query.where(tuple_(_association.c.start_at, _association.c.id) < (page.after[0], int(page.after[1])))
    rows = [dict(row) for row in connection.execute(query).mappings()]
    return [row | _measured(connection, row, now) for row in rows]


def _measured(connection: Connection, row: dict[str, Any], now: Instant) -> dict[str, Any]:
    """What was measured in a session, and whether any of it was practice."""
    start, end = row["start_at"], row["end_at"] or max(now, row["start_at"]) + HOUR
    whose = Whose(connection, row["unit"], start, end)
    found: dict[tuple[str, str], dict[str, Any]] = {}
    practice = False
    records: Iterable[history.Stored] = history.records(connection, row["unit"], Lane.OBS, start, end)
    for one, message in history.messages(Lane.OBS, records):
        practice = practice or bool(one.flags & RecordFlag.TEST)
        bound = row["voided_at"] is not None or whose.subject(one.device, one.event_at) == row["subject"]
        if isinstance(message, Observation) and bound and not one.flags & RecordFlag.SERVICE:
            for name, value in _plausible(message):
                _count(found, one, name, value)
    measured = [found[key] for key in sorted(found)]
    return {"measured": measured, "test": practice}


def _count(found: dict[tuple[str, str], dict[str, Any]], one: history.Stored, name: str, value: float) -> None:
    known = found.setdefault(
        (one.device, name), {"device": one.device, "quantity": name, "n": 0, "at": one.event_at, "value": value}
    )
    known["n"] += 1
    if one.event_at >= known["at"]:
        known |= {"at": one.event_at, "value": value}
