"""Sessions as associations of every device of a unit: folded anew from their marks, with the batch that brings one.

Only a stretch is folded: from the session the first new mark may belong to until nothing can be different. What a
person has said of a session (whose it was, that it was not) is kept whatever comes late.
"""

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, delete, func, insert, select, update
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
_END: Final = ("end_at", "end_reason", "idle_at")
_BOUNDS: Final = ("start_at", *_END)
_TOLD: Final = ("subject", "source", *_BOUNDS)
_FOREVER: Final = 2**62


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
    covering = select(func.min(start_at)).where(_of(unit), end_at.is_(None) | (end_at > first), start_at <= first)
    found = connection.execute(covering).scalar()
    if found is None:
        before = connection.execute(select(func.max(end_at)).where(_of(unit), end_at <= first)).scalar()
        return first - LONGEST_UNKNOWN if before is None else max(first - LONGEST_UNKNOWN, before)
    return int(found) if found == first else _start(connection, unit, found)


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
    """Makes the rows say what the fold says, but for what a person has said: that stays, and moves with its session."""
    rows = list(known)
    spoken = [row for row in rows if _is_confirmed(row)]
    by_start = {row["start_at"]: row for row in rows if not _is_confirmed(row)}
    moved = _carry(connection, spoken, wanted)
    for sitting in wanted:
        if sitting.start_at in moved:
            continue
        told = {name: getattr(sitting, name) for name in _TOLD}
        row = by_start.pop(sitting.start_at, None)
        if row is None:
            place = {"unit": unit, "device": EVERY_DEVICE} | _denied(spoken, sitting)
            _welcome(connection, sitting.subject, now)
            connection.execute(insert(_association).values(place | told))
        elif any(row[name] != value for name, value in told.items()):
            _welcome(connection, sitting.subject, now)
            connection.execute(update(_association).where(_association.c.id == row["id"]).values(told))
    gone = [row["id"] for row in by_start.values()]
    if gone:
        connection.execute(delete(_association).where(_association.c.id.in_(gone)))


def _carry(connection: Connection, spoken: list[RowMapping], wanted: list[Sitting]) -> set[Instant]:
    """Moves rows of which a person has spoken to where their session is now; gives the beginnings of those sessions.

    When two of them have become one session, one row is all of it, and the other keeps its part: that nobody knows
    goes before whose it is, else the first is all of it, for what began later counts in its part.
    """
    taken: set[Instant] = set()
    for row in sorted(spoken, key=lambda row: (row["voided_at"] is None, row["start_at"], row["id"])):
        sitting = _heir(row, wanted)
        if sitting is None:
            continue
        names: tuple[str, ...] = _BOUNDS
        if sitting.start_at in taken:
            names = _END if (row["end_at"] or _FOREVER) > (sitting.end_at or _FOREVER) else ()
        taken.add(sitting.start_at)
        told = {name: getattr(sitting, name) for name in names}
        if any(row[name] != value for name, value in told.items()):
            connection.execute(update(_association).where(_association.c.id == row["id"]).values(told))
    return taken


def _heir(row: RowMapping, wanted: list[Sitting]) -> Sitting | None:
    """The session a row is about: that began with it, that it is now a later part of, or that has most of it."""
    start_at = row["start_at"]
    shared = [one for one in wanted if one.start_at == start_at or _overlap(row, one) > 0]
    began = [sitting for sitting in shared if sitting.start_at <= start_at]
    return began[0] if began else max(shared, key=lambda sitting: _overlap(row, sitting), default=None)


def _overlap(row: RowMapping, sitting: Sitting) -> int:
    ends = row["end_at"] or _FOREVER, sitting.end_at or _FOREVER
    return int(min(ends) - max(row["start_at"], sitting.start_at))


def _denied(spoken: list[RowMapping], sitting: Sitting) -> dict[str, Any]:
    """A session that falls in two was of nobody in both parts; one that began after that was said is another."""
    for row in spoken:
        is_of_it = row["subject"] == sitting.subject and _overlap(row, sitting) > 0
        if is_of_it and sitting.start_at < (row["voided_at"] or -_FOREVER):
            return {name: row[name] for name in ("voided_at", "confirmed_by")}
    return {}


def _is_confirmed(row: RowMapping) -> bool:
    return row["confirmed_by"] is not None or row["voided_at"] is not None


def _welcome(connection: Connection, subject: str, now: Instant) -> None:
    """A pseudonym nobody has registered yet is a person without a name."""
    nobody = {"id": subject, "name": "", "created_at": now}
    connection.execute(sqlite.insert(_person).values(nobody).on_conflict_do_nothing())
