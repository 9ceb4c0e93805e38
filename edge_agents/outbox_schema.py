"""The outbox file: its tables, its version, and how an older file becomes a current one.

One record table per lane, so that every lane appends at the right edge of its own B-tree (full pages) and waveforms
can be shed from the left edge without touching the rest. The integer key is ``epoch.id << 48 | seq``.
"""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from edge_agents.failpoint import hit
from gateway.contract.envelope import Lane

PAGE_SIZE: Final = 8192  # measured: see outbox_codec.py
SEQ_BITS: Final = 48
MAX_EPOCHS: Final = 2**15 - 1

TABLES: Final[dict[Lane, str]] = {
    Lane.EVENT: "event_record",
    Lane.OBS: "obs_record",
    Lane.WAVE: "wave_record",
}


class RecordSql(NamedTuple):
    """The statements on one lane's record table."""

    insert: str  # (key, payload)
    read: str  # (first key, last key, most rows) -> key, payload
    oldest: str  # (first key, last key) -> key or NULL
    nth: str  # (first key, last key, n) -> the key after n others
    lengths: str  # () -> key, payload length, oldest first
    delete: str  # (first key, last key)
    delete_to: str  # (last key)


def _record_sql(table: str) -> RecordSql:
    return RecordSql(
        insert=f"INSERT INTO {table} VALUES (?, ?)",  # noqa: S608  table names are the constants above
        read=f"SELECT id, payload FROM {table} WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?",  # noqa: S608
        oldest=f"SELECT min(id) FROM {table} WHERE id BETWEEN ? AND ?",  # noqa: S608
        nth=f"SELECT id FROM {table} WHERE id BETWEEN ? AND ? ORDER BY id LIMIT 1 OFFSET ?",  # noqa: S608
        lengths=f"SELECT id, length(payload) FROM {table} ORDER BY id LIMIT 20000",  # noqa: S608
        delete=f"DELETE FROM {table} WHERE id BETWEEN ? AND ?",  # noqa: S608
        delete_to=f"DELETE FROM {table} WHERE id <= ?",  # noqa: S608
    )


SQL: Final = {lane: _record_sql(table) for lane, table in TABLES.items()}


class UnknownVersionError(RuntimeError):
    """The file was written by a newer program; it is left alone."""


def _version_1(db: sqlite3.Connection) -> None:
    """Epochs, the next number of each lane, and the records."""
    db.execute("CREATE TABLE epoch (id INTEGER PRIMARY KEY, epoch TEXT NOT NULL UNIQUE)")
    db.execute(
        "CREATE TABLE lane (epoch_id INTEGER NOT NULL, lane TEXT NOT NULL, next INTEGER NOT NULL,"
        " PRIMARY KEY (epoch_id, lane)) WITHOUT ROWID"
    )
    for table in TABLES.values():
        db.execute(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, payload BLOB NOT NULL)")


def _version_2(db: sqlite3.Connection) -> None:
    """Declared shedding, the watermark, and a counter of records so that a full file opens at once."""
    db.execute("ALTER TABLE lane ADD COLUMN watermark INTEGER NOT NULL DEFAULT 0")
    db.execute("ALTER TABLE lane ADD COLUMN records INTEGER NOT NULL DEFAULT 0")
    db.execute(
        "CREATE TABLE shed (epoch_id INTEGER NOT NULL, lane TEXT NOT NULL, first INTEGER NOT NULL,"
        " last INTEGER NOT NULL, PRIMARY KEY (epoch_id, lane, first)) WITHOUT ROWID"
    )
    for lane, table in TABLES.items():
        db.execute(
            f"UPDATE lane SET records = (SELECT count(*) FROM {table} WHERE id >> {SEQ_BITS} = lane.epoch_id)"  # noqa: S608
            " WHERE lane = ?",
            (lane.value,),
        )


MIGRATIONS: Final[tuple[Callable[[sqlite3.Connection], None], ...]] = (_version_1, _version_2)
VERSION: Final = len(MIGRATIONS)


def connect(path: Path) -> sqlite3.Connection:
    """A connection whose commits are on the disk when they return; the file is created if need be."""
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=64)
    try:
        db.execute(f"PRAGMA page_size = {PAGE_SIZE}")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA busy_timeout = 5000")
        db.execute("PRAGMA cache_size = -4000")
    except sqlite3.Error:
        db.close()
        raise
    return db


def migrate(db: sqlite3.Connection, target: int = VERSION) -> int:
    """Bring the file to ``target`` in one transaction; returns the version it had.

    Raises:
        UnknownVersionError: the file is newer than this program.
    """
    found = int(db.execute("PRAGMA user_version").fetchone()[0])
    if found > VERSION:
        raise UnknownVersionError(f"outbox version {found}, this program knows {VERSION}")
    if found >= target:
        return found
    db.execute("BEGIN IMMEDIATE")
    try:
        for step in MIGRATIONS[found:target]:
            step(db)
        db.execute(f"PRAGMA user_version = {target}")
        hit("in-migration")
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise
    return found
