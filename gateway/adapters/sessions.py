"""Sessions as associations of every device of a unit: folded anew from their marks, with the batch that brings one.

Only a stretch is folded: from the session the first new mark may belong to until nothing can be different. What a
person has said of a session (whose it was, that it was not) is kept whatever comes late.
"""

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, delete, insert, select, update
from sqlalchemy.dialects import sqlite

from gateway.adapters import tables
from gateway.admit import OLDEST_BACKLOG
from gateway.care.sessions import SessionWork
from gateway.care.sitting import EVERY_DEVICE, Folder, Kind, Mark, Sitting
from gateway.contract.envelope import Instant
from gateway.contract.quantity import HOUR

LONGEST_UNKNOWN: Final = 2 * HOUR  # how long a session may go on before somebody is identified in it
KEPT: Final = OLDEST_BACKLOG + 24 * HOUR  # how long marks may still be joined by a late one
_association, _mark, _person = tables.association, tables.session_mark, tables.person
_BOUNDS: Final = ("end_at", "end_reason", "idle_at")
_TOLD: Final = ("subject", "source", *_BOUNDS)


def write(connection: Connection, work: SessionWork | None) -> None:
    """Runs inside the commit's transaction."""
    if work is None:
        return
    for unit, marks in work.marks.items():
        connection.execute(insert(_mark), [_mark_row(unit, mark) for mark in marks])
        times = [mark.at for mark in marks]
        _refold(connection, unit, min(times), max(times), work)
        connection.execute(delete(_mark).where(_mark.c.unit == unit, _mark.c.event_at < work.now - KEPT))
    for unit in work.due:
        is_open = and_(_association.c.unit == unit, _association.c.idle_at.is_not(None))
        for start_at in connection.execute(select(_association.c.start_at).where(is_open)).scalars().all():
            _refold(connection, unit, start_at, start_at, work)


def deadlines(connection: Connection) -> dict[str, Instant]:
    """When each unit's open session is given up."""
    query = select(_association.c.unit, _association.c.idle_at).where(_association.c.idle_at.is_not(None))
    return {row.unit: row.idle_at for row in connection.execute(query.order_by(_association.c.idle_at))}


def end_by_person(connection: Connection, unit: str, at: Instant, now: Instant) -> None:
    """A person's end of a session counts like one the kiosk told of, also when marks come late."""
    connection.execute(insert(_mark).values(_mark_row(unit, Mark(Kind.END, at, now))))


def _mark_row(unit: str, mark: Mark) -> dict[str, Any]:
    return {
        "unit": unit,
        "mark": str(mark.kind),
        "subject": mark.subject,
        "source": mark.source,
        "number": mark.number,
        "event_at": mark.at,
        "received_at": mark.received_at,
    }


def _refold(connection: Connection, unit: str, first: Instant, last: Instant, work: SessionWork) -> None:
    """Folds from the session the first new mark may belong to until nothing after the last one can be different."""
    start, stop = _start(connection, unit, first), None
    folder, wanted = Folder(work.idle), list[Sitting]()
    for at, marks in groupby(_marks(connection, unit, start), key=lambda mark: mark.at):
        if at > last and not folder.is_open and not _is_covered(connection, unit, at):
            stop = at
            break
        wanted += [ended for mark in sorted(marks, key=lambda mark: mark.rank) for ended in folder.feed(mark)]
    if stop is None:
        wanted += folder.finish(work.now)
    mine = _of(unit) & (_association.c.start_at >= start)
    present = mine if stop is None else mine & (_association.c.start_at < stop)
    known = connection.execute(select(_association).where(present)).mappings().all()
    _replace(connection, unit, known, wanted, work.now)


def _of(unit: str) -> ColumnElement[bool]:
    return and_(_association.c.unit == unit, _association.c.device == EVERY_DEVICE)


def _start(connection: Connection, unit: str, first: Instant) -> Instant:
    """From where sessions may change: a mark reaches back to its session's start.

    A session that nobody is identified in yet has no row: it is looked for as far back as ``LONGEST_UNKNOWN``.
    """
    start_at, end_at = _association.c.start_at, _association.c.end_at
    earlier = select(start_at, end_at).where(_of(unit), start_at <= first).order_by(start_at.desc()).limit(1)
    before = connection.execute(earlier).first()
    if before is None:
        return first - LONGEST_UNKNOWN
    is_over = before.end_at is not None and before.end_at <= first
    return max(first - LONGEST_UNKNOWN, before.end_at) if is_over else int(before.start_at)


def _is_covered(connection: Connection, unit: str, at: Instant) -> bool:
    """Whether a session as it is known now is on at that time: then what follows may hang on it."""
    start_at, end_at = _association.c.start_at, _association.c.end_at
    covering = select(_association.c.id).where(_of(unit), start_at <= at, end_at.is_(None) | (end_at > at))
    return connection.execute(covering.limit(1)).first() is not None


def _marks(connection: Connection, unit: str, start: Instant) -> Iterator[Mark]:
    mine = select(_mark).where(_mark.c.unit == unit, _mark.c.event_at >= start).order_by(_mark.c.event_at)
    return (_to_mark(row) for row in connection.execute(mine).mappings())


def _to_mark(row: RowMapping) -> Mark:
    told = row["subject"], row["source"], row["number"]
    return Mark(Kind(row["mark"]), row["event_at"], row["received_at"], *told)


def _replace(
    connection: Connection, unit: str, known: Iterable[RowMapping], wanted: list[Sitting], now: Instant
) -> None:
    """Makes the rows say what the fold says, but for what a person has said; such a row stays in any case."""
    by_start = {row["start_at"]: row for row in known}
    for sitting in wanted:
        told = {name: getattr(sitting, name) for name in _TOLD}
        row = by_start.pop(sitting.start_at, None)
        if row is None:
            _welcome(connection, sitting.subject, now)
            place = {"unit": unit, "device": EVERY_DEVICE, "start_at": sitting.start_at}
            connection.execute(insert(_association).values(place | told))
            continue
        if _is_confirmed(row):
            told = {name: told[name] for name in _BOUNDS}
        if any(row[name] != value for name, value in told.items()):
            _welcome(connection, sitting.subject, now)
            connection.execute(update(_association).where(_association.c.id == row["id"]).values(told))
    gone = [row["id"] for row in by_start.values() if not _is_confirmed(row)]
    if gone:
        connection.execute(delete(_association).where(_association.c.id.in_(gone)))


def _is_confirmed(row: RowMapping) -> bool:
    return row["confirmed_by"] is not None or row["voided_at"] is not None


def _welcome(connection: Connection, subject: str, now: Instant) -> None:
    """A pseudonym nobody has registered yet is a person without a name."""
    nobody = {"id": subject, "name": "", "created_at": now}
    connection.execute(sqlite.insert(_person).values(nobody).on_conflict_do_nothing())
