"""Opening an outbox that may be broken: the damaged file is set aside, what can be read of it moves to a new one.

Numbers that could not be read are not hidden: the stream's ``next`` comes along, so the gateway keeps asking for them
and the hello answers *gone*.
"""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from edge_agents.outbox import Outbox
from edge_agents.outbox_codec import DamagedRecordError, unpack
from edge_agents.outbox_file import DamagedOutboxError
from edge_agents.outbox_schema import SEQ_BITS, SQL, TABLES, connect, migrate
from gateway.contract.envelope import Epoch, Lane

_CHUNK: Final = 200
_MAX_LEAP: Final = 1 << 20
_MOST_KEYS: Final = 1 << 62


class Damage(msgspec.Struct, frozen=True, kw_only=True):
    """What happened to a broken outbox file."""

    reason: str
    set_aside: str  # name of the file it now is
    salvaged: int  # records that moved to the new file
    ledger_lost: bool  # the table of streams was unreadable: nothing of it can be declared


def open_outbox(
    path: Path, *, epoch: Epoch, max_bytes: int, deferred_epoch: Epoch | None = None
) -> tuple[Outbox, Damage | None]:
    """The outbox at ``path``, after setting a broken file aside and saving what it holds.

    Raises:
        OutboxBusyError: another process has it.
    """
    try:
        return Outbox(path, epoch=epoch, max_bytes=max_bytes, deferred_epoch=deferred_epoch), None
    except DamagedOutboxError as error:
        return replace_outbox(path, epoch=epoch, max_bytes=max_bytes, deferred_epoch=deferred_epoch, reason=str(error))


def replace_outbox(
    path: Path, *, epoch: Epoch, max_bytes: int, deferred_epoch: Epoch | None, reason: str
) -> tuple[Outbox, Damage]:
    """Set the broken file at ``path`` aside and open a new one with what could be read of it."""
    aside = _set_aside(path, epoch)
    salvaged, ledger_lost = _salvage(aside, path)
    damage = Damage(reason=reason, set_aside=aside.name, salvaged=salvaged, ledger_lost=ledger_lost)
    return Outbox(path, epoch=epoch, max_bytes=max_bytes, deferred_epoch=deferred_epoch), damage


def _set_aside(path: Path, epoch: Epoch) -> Path:
    number = 0
    while (aside := path.with_name(f"{path.name}.damaged-{epoch}-{number}")).exists():
        number += 1
    for suffix in ("", "-wal", "-shm"):
        source = path.with_name(path.name + suffix)
        if source.exists():
            source.rename(aside.with_name(aside.name + suffix))
    return aside


def _salvage(broken: Path, fresh: Path) -> tuple[int, bool]:
    """Copy the ledger and every readable record; returns how many records, and whether the ledger was unreadable."""
    target = connect(fresh)
    source = sqlite3.connect(broken, isolation_level=None)
    try:
        migrate(target)
        target.execute("BEGIN IMMEDIATE")
        try:
            _copy_ledger(source, target)
        except sqlite3.DatabaseError:
            target.execute("ROLLBACK")
            return 0, True
        salvaged = sum(_copy_records(source, target, lane) for lane in TABLES)
        target.execute("COMMIT")
        return salvaged, False
    finally:
        source.close()
        target.close()


def _copy_ledger(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    target.executemany("INSERT INTO epoch VALUES (?, ?)", source.execute("SELECT id, epoch FROM epoch").fetchall())
    version = source.execute("PRAGMA user_version").fetchone()[0]
    columns = "epoch_id, lane, next, watermark" if version >= 2 else "epoch_id, lane, next, 0"
    lanes = source.execute(f"SELECT {columns} FROM lane").fetchall()  # noqa: S608
    target.executemany("INSERT INTO lane (epoch_id, lane, next, watermark) VALUES (?, ?, ?, ?)", lanes)
    if version >= 2:
        target.executemany("INSERT INTO shed VALUES (?, ?, ?, ?)", source.execute("SELECT * FROM shed").fetchall())


def _copy_records(source: sqlite3.Connection, target: sqlite3.Connection, lane: Lane) -> int:
    epochs = {row[0] for row in target.execute("SELECT id FROM epoch")}
    counts: dict[int, list[int]] = {}  # epoch id -> [records, next]
    for key, stored in _readable(source, lane):
        try:
            unpack(key, stored)
        except DamagedRecordError:
            continue
        epoch_id = key >> SEQ_BITS
        if epoch_id not in epochs:
            continue
        if target.execute(SQL[lane].insert.replace("INSERT", "INSERT OR IGNORE"), (key, stored)).rowcount:
            count = counts.setdefault(epoch_id, [0, 0])
            count[0] += 1
            count[1] = max(count[1], (key & ((1 << SEQ_BITS) - 1)) + 1)
    for epoch_id, (records, following) in counts.items():
        target.execute(
            "INSERT INTO lane (epoch_id, lane, next, records) VALUES (?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET next = max(next, excluded.next), records = excluded.records",
            (epoch_id, lane.value, following, records),
        )
    return sum(records for records, _ in counts.values())


def _readable(source: sqlite3.Connection, lane: Lane) -> Iterator[tuple[int, bytes]]:
    """Rows in key order; a stretch that cannot be read is leapt over, in growing leaps."""
    first = 0
    leap = 1
    while True:
        try:
            rows = source.execute(SQL[lane].read, (first, _MOST_KEYS, _CHUNK)).fetchall()
        except sqlite3.DatabaseError:
            if leap > _MAX_LEAP:
                yield from _readable_backwards(source, lane, first)
                return
            first, leap = first + leap, leap * 2
            continue
        if not rows:
            return
        for key, stored in rows:
            if isinstance(key, int) and isinstance(stored, bytes):
                yield key, stored
        first, leap = rows[-1][0] + 1, 1


def _readable_backwards(source: sqlite3.Connection, lane: Lane, floor: int) -> Iterator[tuple[int, bytes]]:
    """Rows above a stretch too long to leap over, from the newest down to the first that cannot be read."""
    query = SQL[lane].read.replace("ORDER BY id", "ORDER BY id DESC")
    last = _MOST_KEYS
    for size in (_CHUNK, 10, 1):
        while True:
            try:
                rows = source.execute(query, (floor, last, size)).fetchall()
            except sqlite3.DatabaseError:
                break
            if not rows:
                return
            yield from ((key, stored) for key, stored in rows if isinstance(stored, bytes))
            last = rows[-1][0] - 1
