"""What the bridge must not forget: which messages it has taken, and records the gateway has not acknowledged.

    take: message new? -> number its records -> one transaction, on the disk     acknowledge -> delete what is committed

Synchronous; the bridge runs it in one thread. One process a file.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from gateway.contract.envelope import Ack, Epoch, Instant, Seq
from gateway.contract.topic import Channel, UnitAddress

VERSION: Final = 1
# seen: a message by the hash of its topic and payload; what a broker delivers again is the same bytes.
# waiting: a record until the gateway says it is committed. Without epoch it has no number: nobody will acknowledge it.
_SCHEMA: Final = """
CREATE TABLE seen (key BLOB PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX seen_by_age ON seen (at);
CREATE TABLE waiting (
  id INTEGER PRIMARY KEY, unit TEXT NOT NULL, epoch TEXT, lane TEXT NOT NULL, seq INTEGER,
  subject TEXT NOT NULL, payload BLOB NOT NULL, once TEXT NOT NULL, at INTEGER NOT NULL,
  UNIQUE (unit, epoch, lane, seq)
);
CREATE INDEX waiting_by_age ON waiting (at)
"""
_INSERT: Final = (
    "INSERT INTO waiting (unit, epoch, lane, seq, subject, payload, once, at)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id"
)
_OLDEST: Final = "SELECT id, epoch, subject, payload, once FROM waiting WHERE id > ? ORDER BY id LIMIT ?"
_SPAN: Final = (
    "SELECT id, epoch, subject, payload, once FROM waiting"
    " WHERE unit = ? AND epoch = ? AND lane = ? AND seq BETWEEN ? AND ? ORDER BY seq"
)
_DELETE_SPAN: Final = "DELETE FROM waiting WHERE unit = ? AND epoch = ? AND lane = ? AND seq BETWEEN ? AND ?"
_DELETE_BEYOND: Final = (
    "DELETE FROM waiting WHERE id IN (SELECT id FROM"
    " (SELECT id, sum(length(payload)) OVER (ORDER BY id DESC) AS size FROM waiting) WHERE size > ?)"
)


class StoreError(OSError):
    """The file cannot be used: another bridge has it, it is damaged, or a newer program wrote it."""


class Draft(NamedTuple):
    """Something to publish that has no number yet."""

    address: UnitAddress
    channel: Channel
    build: Callable[[Epoch, Seq], bytes]  # its bytes under a number


class Notice(NamedTuple):
    """Something to publish that never gets a number."""

    subject: str
    payload: bytes


class Parcel(NamedTuple):
    """What one foreign message became."""

    key: bytes
    contents: Sequence[Draft | Notice]


class Waiting(NamedTuple):
    """A row of ``waiting``, ready to publish."""

    id: int
    epoch: Epoch | None
    subject: str
    payload: bytes
    once: str  # Nats-Msg-Id: the message, whichever bridge carries it; "" = only the number tells


def message_key(topic: str, payload: bytes) -> bytes:
    """By what a message is known when it comes again."""
    return blake2b(payload, digest_size=16, key=blake2b(topic.encode(), digest_size=32).digest()).digest()


class Store:
    """The bridge's SQLite file. ``epoch``: this start's; sequence numbers count from 0 for each unit and lane."""

    def __init__(self, path: Path, epoch: Epoch) -> None:
        """Opens or makes the file; raises StoreError."""
        self.epoch = epoch
        self._next: dict[tuple[UnitAddress, Channel], Seq] = {}
        try:
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=0)
            self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._migrate()
        except sqlite3.Error as error:
            raise StoreError(f"{path}: {error}") from error

    def close(self) -> None:
        self._db.close()

    # ---- in

    def take(self, parcels: Iterable[Parcel], now: Instant) -> list[Waiting]:
        """Numbers and keeps what is new; returns it, on the disk. What has been taken before yields nothing.

        Raises:
            sqlite3.OperationalError: the disk is full or failing; nothing changed.
        """
        added: list[Waiting] = []
        following = dict(self._next)
        with self._transaction():
            for parcel in parcels:
                seen = self._db.execute("INSERT OR IGNORE INTO seen (key, at) VALUES (?, ?)", (parcel.key, now))
                if seen.rowcount:
                    for place, each in enumerate(parcel.contents):
                        added.append(self._keep(each, f"{parcel.key.hex()}.{place}", following, now))
        self._next = following
        return added

    def _keep(
        self, each: Draft | Notice, once: str, following: dict[tuple[UnitAddress, Channel], Seq], now: Instant
    ) -> Waiting:
        if isinstance(each, Notice):
            (id_,) = self._db.execute(_INSERT, ("", None, "", None, *each, once, now)).fetchone()
            return Waiting(id_, None, *each, once)
        lane = (each.address, each.channel)
        seq = following.get(lane, 0)
        following[lane] = seq + 1
        subject, payload = each.address.subject(each.channel), each.build(self.epoch, seq)
        row = (each.address.unit, self.epoch, each.channel.value, seq, subject, payload, once, now)
        (id_,) = self._db.execute(_INSERT, row).fetchone()
        return Waiting(id_, self.epoch, subject, payload, once)

    # ---- out

    def waiting(self, after: int, most: int) -> list[Waiting]:
        """The oldest rows beyond id ``after``."""
        rows = self._db.execute(_OLDEST, (after, most))
        return [Waiting(*row) for row in rows]

    def published(self, rows: Iterable[Waiting]) -> None:
        """The log has them: those without a number need nothing more."""
        if ids := [(row.id,) for row in rows if row.epoch is None]:
            with self._transaction():
                self._db.executemany("DELETE FROM waiting WHERE id = ?", ids)

    def replace(self, rows: Iterable[Waiting]) -> None:
        """Other contents under the same numbers."""
        changed = [(row.payload, row.once, row.id) for row in rows]
        with self._transaction():
            self._db.executemany("UPDATE waiting SET payload = ?, once = ? WHERE id = ?", changed)

    def acknowledge(self, unit: str, ack: Ack) -> list[Waiting]:
        """Deletes what the gateway has committed; returns what it misses and we have."""
        wanted: list[Waiting] = []
        with self._transaction():
            for lane in ack.lanes:
                first = 0
                name = (unit, lane.epoch, lane.lane.value)
                for span in lane.missing:
                    self._delete(name, first, span.first - 1)
                    first = span.last + 1
                    found = self._db.execute(_SPAN, (*name, span.first, span.last))
                    wanted += [Waiting(*row) for row in found]
                self._delete(name, first, lane.watermark - 1)
        return wanted

    def _delete(self, lane: tuple[str, str, str], first: Seq, last: Seq) -> None:
        self._db.execute(_DELETE_SPAN, (*lane, first, last))

    # ---- room

    def forget(self, *, seen_before: Instant | None, kept_before: Instant, max_bytes: int) -> int:
        """Deletes what is older than that, and the oldest records beyond ``max_bytes``; how many records."""
        with self._transaction():
            if seen_before is not None:
                self._db.execute("DELETE FROM seen WHERE at < ?", (seen_before,))
            dropped = self._db.execute("DELETE FROM waiting WHERE at < ?", (kept_before,)).rowcount
            dropped += self._db.execute(_DELETE_BEYOND, (max_bytes,)).rowcount
        return int(dropped)

    @property
    def depth(self) -> int:
        """Records the gateway has not acknowledged."""
        return int(self._db.execute("SELECT count(*) FROM waiting").fetchone()[0])

    # ---- file

    def _migrate(self) -> None:
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version > VERSION:
            raise sqlite3.DatabaseError(f"a newer program wrote it (version {version})")
        with self._transaction():
            if version < VERSION:
                for statement in _SCHEMA.split(";"):
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version = {VERSION}")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # SQLite itself may have rolled back (disk full)
                self._db.execute("ROLLBACK")
            raise


decode_ack: Final = msgspec.json.Decoder(Ack).decode
