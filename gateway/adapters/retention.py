"""Deletes the oldest blocks by age and by disk budget, and keeps account of every number it deletes.

A deletion writes the numbers into table ``retired`` in the same transaction, so ``lastmile audit`` still balances.
Waveforms go first; over budget, a whole day of the oldest goes at a time, in small transactions between live commits.
"""

import threading
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec
import structlog
from sqlalchemy import Connection, Engine, delete, insert, select

from gateway.adapters import blocks, tables
from gateway.contract.envelope import Instant, Lane
from gateway.failpoint import failpoint
from gateway.ports import Writer

DAY: Final = 86_400_000_000
INTERVAL: Final = 60.0  # s between passes
BATCH: Final = 16  # blocks or rejects deleted in one transaction
VACUUM_PAGES: Final = 256  # given back in one transaction: 1 MB
ORDER: Final = (Lane.WAVE, Lane.OBS, Lane.EVENT)  # what goes first when the disk is full

_log = structlog.get_logger("retention")


class Reason(StrEnum):
    AGE = "age"
    BUDGET = "budget"


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """How long and how much is kept. Ages count from event time of a block's first record; None = for ever."""

    waveforms: int | None = 30 * DAY
    numerics: int | None = 3 * 365 * DAY
    events: int | None = None
    rejects: int | None = 90 * DAY
    budget: int | None = None  # bytes of the database file and its WAL

    def age(self, lane: Lane) -> int | None:
        """How long records of a lane are kept."""
        return {Lane.WAVE: self.waveforms, Lane.OBS: self.numerics, Lane.EVENT: self.events}[lane]


class Retention:
    """``step`` is one pass. Not for several threads at once."""

    def __init__(self, engine: Engine, writer: Writer, path: Path, policy: Policy) -> None:
        self._engine = engine
        self._writer = writer
        self._path = path
        self.policy = policy
        self._damaged: set[int] = set()  # blocks whose numbers cannot be read: they stay, and the audit names them

    def run(self, stop: threading.Event, clock: Callable[[], Instant]) -> None:
        """Makes a pass every ``INTERVAL`` until ``stop`` is set; meant for a thread of its own."""
        while not stop.wait(INTERVAL):
            self.step(clock(), stop)

    def step(self, now: Instant, stop: threading.Event | None = None) -> int:
        """Deletes what is too old, then, while over budget, the oldest day; returns how many records went."""
        gone = 0
        for lane in ORDER:
            if (age := self.policy.age(lane)) is not None:
                gone += self._retire(lane, now - age, Reason.AGE, now, stop)
        gone += self._retire_rejects(now, stop)
        while self._over_budget() and (oldest := self._oldest_day()) and not (stop and stop.is_set()):
            lane, until = oldest
            gone += self._retire(lane, until, Reason.BUDGET, now, stop)
        self._shrink(stop)
        return gone

    def _retire(self, lane: Lane, until: Instant, reason: Reason, now: Instant, stop: threading.Event | None) -> int:
        """Deletes the blocks of a lane that begin before ``until``; found through the index, unit by unit."""
        block = tables.block
        query = select(block.c.id).where(block.c.lane == lane.value, block.c.start_at < until)
        ids: list[int] = []
        with self._engine.connect() as connection:
            for unit in connection.execute(select(tables.unit.c.id)).scalars().all():
                found = connection.execute(query.where(block.c.unit == unit).order_by(block.c.start_at)).scalars()
                ids += [one for one in found if one not in self._damaged]
        gone = 0
        for at in range(0, len(ids), BATCH):
            if stop is not None and stop.is_set():
                break
            gone += self._delete(ids[at : at + BATCH], reason, now)
        if gone:
            _log.info("retired", lane=lane.value, records=gone, reason=reason.value, until=until)
        return gone

    def _delete(self, ids: Sequence[int], reason: Reason, now: Instant) -> int:
        failpoint("retire-before-commit")
        gone, damaged = self._writer.submit(lambda connection: _delete_blocks(connection, ids, reason, now)).result()
        failpoint("retire-after-commit")
        self._damaged.update(damaged)
        return gone

    def _retire_rejects(self, now: Instant, stop: threading.Event | None) -> int:
        if self.policy.rejects is None:
            return 0
        until, gone = now - self.policy.rejects, 0
        while not (stop and stop.is_set()):
            found, counted = self._writer.submit(lambda connection: _delete_rejects(connection, until, now)).result()
            gone += counted
            if not found:
                break
        return gone

    def _over_budget(self) -> bool:
        if self.policy.budget is None:
            return False
        with self._engine.connect() as connection:
            return used_bytes(connection, self._path) > self.policy.budget

    def _oldest_day(self) -> tuple[Lane, Instant] | None:
        """The lane that goes first and the end of its oldest day; None when there are no blocks."""
        with self._engine.connect() as connection:
            units = connection.execute(select(tables.unit.c.id)).scalars().all()
            for lane in ORDER:
                starts = [at for unit in units if (at := self._oldest(connection, unit, lane)) is not None]
                if starts:
                    return lane, (min(starts) // DAY + 1) * DAY
        return None

    def _oldest(self, connection: Connection, unit: str, lane: Lane) -> Instant | None:
        """Start of the unit's oldest block of a lane."""
        block = tables.block
        query = select(block.c.start_at).where(block.c.unit == unit, block.c.lane == lane.value)
        query = query.where(block.c.id.not_in(self._damaged)).order_by(block.c.start_at).limit(1)
        return connection.execute(query).scalar()

    def _shrink(self, stop: threading.Event | None) -> None:
        """Gives free pages back to the file system, a megabyte at a time, keeping a tenth for what comes next."""
        while not (stop and stop.is_set()):
            with self._engine.connect() as connection:
                free, pages = _pragma(connection, "freelist_count"), _pragma(connection, "page_count")
            if free <= max(VACUUM_PAGES, pages // 10) or not self._writer.submit(_vacuum).result():
                break


def used_bytes(connection: Connection, path: Path) -> int:
    """Pages in use and the WAL. Free pages do not count: they are used again before the file grows."""
    pages = _pragma(connection, "page_count") - _pragma(connection, "freelist_count")
    wal = path.with_name(path.name + "-wal")
    return pages * _pragma(connection, "page_size") + (wal.stat().st_size if wal.exists() else 0)


def _pragma(connection: Connection, name: str) -> int:
    return int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())


def _vacuum(connection: Connection) -> int:
    """How many pages went; 0 when the file cannot shrink (auto_vacuum is not incremental)."""
    before = _pragma(connection, "freelist_count")
    driver = connection.connection.dbapi_connection
    if driver is not None:  # past SQLAlchemy: the pragma frees a page a step, and claims to return no rows
        driver.execute(f"PRAGMA incremental_vacuum({VACUUM_PAGES})").fetchall()
    return before - _pragma(connection, "freelist_count")


def _delete_blocks(connection: Connection, ids: Sequence[int], reason: Reason, now: Instant) -> tuple[int, list[int]]:
    """Deletes blocks; returns how many records went and which blocks could not be read."""
    block = tables.block
    found = connection.execute(select(block.c.id, block.c.lane_id, block.c.header).where(block.c.id.in_(ids))).all()
    numbers: dict[int, list[int]] = {}
    damaged = []
    for row in found:
        try:
            seqs = blocks.read_header(row.header).column("seq").tolist()
        except blocks.BlockError as error:
            _log.error("damaged-block-kept", block=row.id, error=str(error))
            damaged.append(row.id)
        else:
            numbers.setdefault(row.lane_id, []).extend(seqs)
    for lane_id, seqs in numbers.items():
        retire(connection, lane_id, seqs, reason, now)
    failpoint("retire-in-transaction")
    connection.execute(delete(block).where(block.c.id.in_([row.id for row in found if row.id not in damaged])))
    return sum(map(len, numbers.values())), damaged


def _delete_rejects(connection: Connection, until: Instant, now: Instant) -> tuple[int, int]:
    """Deletes some rejects received before ``until``; returns how many, and how many of them accounted for a number."""
    reject = tables.reject
    query = select(reject.c.id, reject.c.lane_id, reject.c.seq, reject.c.whole).where(reject.c.received_at < until)
    found = connection.execute(query.order_by(reject.c.received_at).limit(64 * BATCH)).all()
    numbers: dict[int, list[int]] = {}
    for row in found:
        if row.whole and row.lane_id is not None and row.seq is not None:
            numbers.setdefault(row.lane_id, []).append(row.seq)
    for lane_id, seqs in numbers.items():
        retire(connection, lane_id, seqs, Reason.AGE, now)
    connection.execute(delete(reject).where(reject.c.id.in_([row.id for row in found])))
    return len(found), sum(map(len, numbers.values()))


def retire(connection: Connection, lane_id: int, seqs: Iterable[int], reason: Reason, now: Instant) -> None:
    """Enters numbers into ``retired``, joined with the ranges of the same reason they touch."""
    table = tables.retired
    runs = _runs((seq, seq) for seq in seqs)
    low, high = runs[0][0] - 1, runs[-1][1] + 1
    same = (table.c.lane_id == lane_id, table.c.reason == reason.value)
    touching = connection.execute(
        select(table.c.id, table.c.first_seq, table.c.last_seq)
        .where(*same, table.c.first_seq <= high, table.c.last_seq >= low)
    ).all()  # fmt: skip
    connection.execute(delete(table).where(table.c.id.in_([row.id for row in touching])))
    merged = _runs([*runs, *((row.first_seq, row.last_seq) for row in touching)])
    values = [
        {"lane_id": lane_id, "first_seq": first, "last_seq": last, "records": last - first + 1,
         "at": now, "reason": reason.value}
        for first, last in merged
    ]  # fmt: skip
    connection.execute(insert(table), values)


def _runs(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The ranges in order, those that touch or overlap joined."""
    found: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(last, found[-1][1]))
        else:
            found.append((first, last))
    return found
