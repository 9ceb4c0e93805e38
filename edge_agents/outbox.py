"""The durable outbox: every record stays here, under its number, until the gateway says it is committed.

Synchronous and single-threaded: ``outbox_writer.OutboxWriter`` runs it in a thread of its own. Every method that
changes something is one transaction (shedding is one of its own), on the disk when it returns.

    append_batch -> [make room: shed the oldest, declared] -> commit        acknowledge -> delete what is committed
"""

import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from edge_agents.failpoint import hit
from edge_agents.outbox_codec import DamagedRecordError, pack, unpack
from edge_agents.outbox_file import DamagedOutboxError, DiskFullError, is_full, lock, naming_damage
from edge_agents.outbox_ledger import Account, Changes, Ledger, Stream, epoch_id_of, row_key, seq_of
from edge_agents.outbox_schema import PAGE_SIZE, SQL, TABLES, connect, migrate
from edge_agents.ranges import RangeSet, from_wire
from gateway.contract.envelope import MAX_RANGES_PER_LANE, Epoch, Lane, LaneAck, LaneState, Seq

SHED_ORDER: Final = (Lane.WAVE, Lane.OBS)  # events are never shed
WAL_BYTES: Final = 8 * 1024 * 1024  # the log beside the file: half until a checkpoint, half for the largest batch
DELETED_AT_ONCE: Final = 1000  # records; deleting rewrites their pages
RESERVE_BYTES: Final = 512 * 1024
CHECKED_AT_OPEN: Final = 64 * 1024 * 1024  # larger files are checked record by record as they are read
MAX_STREAMS_DECLARED: Final = 600  # lane states in one hello; the others follow when these are complete
_ROW_OVERHEAD: Final = 12  # bytes of a row beyond its payload: key, cell header


class Entry(msgspec.Struct, frozen=True):
    """A numbered record on its way into the outbox."""

    stream: Stream  # its epoch is one of this process
    seq: Seq
    payload: bytes
    live: bool = True  # may be sent ahead of the backlog
    appended_at: float = 0.0  # monotonic seconds


class Row(NamedTuple):
    """A record read back."""

    seq: Seq
    payload: bytes


class Outbox:
    """One SQLite file of records waiting for their acks, at most ``max_bytes`` large unless events alone exceed it."""

    def __init__(self, path: Path, *, epoch: Epoch, max_bytes: int, deferred_epoch: Epoch | None = None) -> None:
        """Open or create the file, migrate it, and load the ledger of streams.

        ``epoch`` is the running process's; ``deferred_epoch`` numbers what it puts off on purpose (weak link).

        Raises:
            OutboxBusyError: another process has it.
            DamagedOutboxError: the file is torn or corrupt (see outbox_salvage.py).
        """
        self.path = path
        self.epoch = epoch
        self.max_bytes = max_bytes
        self._running = frozenset(e for e in (epoch, deferred_epoch) if e is not None)
        self.damaged_records = 0
        self.shed_counts: dict[Lane, int] = {}  # records shed, by lane; whoever reports them clears it
        self._wal_bytes = min(WAL_BYTES, max_bytes // 8)
        self._limit = max_bytes - self._wal_bytes
        self._reserve = path.with_name(path.name + ".reserve")
        self._lock: int | None = lock(path)
        try:
            with naming_damage():
                self._db = connect(path)
                self.migrated_from = migrate(self._db)
                self._db.execute(f"PRAGMA wal_autocheckpoint = {max(4, self._wal_bytes // (2 * PAGE_SIZE))}")
                self._check_structure()
                self._ledger = Ledger(self._db)
                self._epoch_ids = {e: i for e in self._running if (i := self._ledger.epoch_id(e)) is not None}
        except BaseException:
            self.close()
            raise
        self._make_reserve()

    def close(self) -> None:
        """Close the file; everything committed stays. Once is enough."""
        if hasattr(self, "_db"):
            self._db.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    # ---- what is in it

    @property
    def used_bytes(self) -> int:
        """Bytes of the pages in use (free pages are reused before the file grows)."""
        pages = self._db.execute("PRAGMA page_count").fetchone()[0]
        free = self._db.execute("PRAGMA freelist_count").fetchone()[0]
        return int(pages - free) * PAGE_SIZE

    @property
    def records(self) -> int:
        """Records held."""
        return self._ledger.records

    @property
    def accounts(self) -> Mapping[Stream, Account]:
        """The ledger of streams that are not complete."""
        return self._ledger.accounts

    def lane_states(self) -> list[LaneState]:
        """What the next hello declares: the running epoch's three lanes, then older streams, oldest first."""
        running = [Stream(self.epoch, lane) for lane in TABLES]
        older = sorted(
            (s for s in self.accounts if s.epoch != self.epoch), key=lambda s: (self.accounts[s].epoch_id, s.lane)
        )
        return [self._lane_state(stream) for stream in (running + older)[:MAX_STREAMS_DECLARED]]

    def _lane_state(self, stream: Stream) -> LaneState:
        account = self.accounts.get(stream) or Account(0)
        return LaneState(
            epoch=stream.epoch,
            lane=stream.lane,
            first=self.oldest(stream, 0),
            next=account.next,
            shed=account.shed.to_wire(MAX_RANGES_PER_LANE),
        )

    def oldest(self, stream: Stream, first: Seq) -> Seq:
        """The first number from ``first`` on that is held; the stream's ``next`` when there is none."""
        account = self.accounts.get(stream) or Account(0)
        keys = (account.key(first), account.key(account.next))
        oldest = self._db.execute(SQL[stream.lane].oldest, keys).fetchone()[0]
        return account.next if oldest is None else seq_of(oldest)

    def read(self, stream: Stream, first: Seq, last: Seq, max_records: int, max_bytes: int) -> list[Row]:
        """Records of ``stream`` from ``first`` to ``last`` in order, as many as fit (at least one, if there is one).

        A record whose checksum is wrong is deleted and counted: the ack that asks for it will learn that it is gone.
        """
        account = self.accounts.get(stream)
        if account is None:
            return []
        rows: list[Row] = []
        size = 0
        with naming_damage():
            keys = (account.key(first), account.key(last), max_records)
            for key, stored in self._db.execute(SQL[stream.lane].read, keys).fetchall():
                try:
                    payload = unpack(key, stored)
                except DamagedRecordError:
                    self._drop_damaged(stream, key)
                    continue
                if rows and size + len(payload) > max_bytes:
                    break
                rows.append(Row(seq_of(key), payload))
                size += len(payload)
        return rows

    # ---- in

    def append_batch(self, entries: Sequence[Entry], unborn: Mapping[Stream, RangeSet] | None = None) -> list[Entry]:
        """Store the entries of the running epoch in one transaction; returns those stored, the rest are declared shed.

        ``unborn``: numbers given out whose records were dropped before they could be stored; they become shed ranges.

        Raises:
            DiskFullError: the disk is full even after shedding; nothing changed but what was shed.
        """
        try:
            return self._append(entries, unborn or {})
        except sqlite3.OperationalError as error:
            if not is_full(error):
                raise
        self._shrink_to_disk()
        try:
            return self._append(entries, unborn or {})
        except sqlite3.OperationalError as error:
            if not is_full(error):
                raise
            raise DiskFullError(str(error)) from error

    def lift_limit(self) -> None:
        """Try the configured size again after a full disk lowered it."""
        self._limit = self.max_bytes - self._wal_bytes
        self._make_reserve()

    def _append(self, entries: Sequence[Entry], unborn: Mapping[Stream, RangeSet]) -> list[Entry]:
        packed, dropped = self._fit(entries)
        for stream, ranges in unborn.items():
            dropped.setdefault(stream, RangeSet()).update(ranges)
        by_stream: dict[Stream, list[tuple[int, bytes]]] = {stream: [] for stream in dropped}
        for entry, key, body in packed:
            by_stream.setdefault(entry.stream, []).append((key, body))
        changes: Changes = {}
        for epoch in {stream.epoch for stream in by_stream}:
            self._epoch_id(epoch)
        with self._transaction():
            for stream, rows in by_stream.items():
                self._db.executemany(SQL[stream.lane].insert, rows)
                lost = dropped.get(stream, RangeSet())
                last = max([seq_of(key) for key, _ in rows[-1:]] + [last for _, last in lost])
                old = self.accounts.get(stream) or Account(self._epoch_id(stream.epoch))
                changes[stream] = _grown(old, last + 1, len(rows), lost)
            self._ledger.write(changes)
            hit("before-append-commit")
        self._ledger.apply(changes)
        self._count_shed((stream.lane, ranges.count) for stream, ranges in dropped.items())
        hit("after-append-commit")
        return [entry for entry, _, _ in packed]

    def _epoch_id(self, epoch: Epoch) -> int:
        """The epoch's key. It gets its row with its first record: restarts which record nothing leave nothing."""
        known = self._epoch_ids.get(epoch)
        if known is None:
            with self._transaction():
                known = self._ledger.add_epoch(epoch)
            self._epoch_ids[epoch] = known
        return known

    # ---- room

    def _fit(self, entries: Sequence[Entry]) -> tuple[list[tuple[Entry, int, bytes]], dict[Stream, RangeSet]]:
        """Key, pack and make room; a lane that cannot have room gives up its new entries, events never."""
        packed: list[tuple[Entry, int, bytes]] = []
        for entry in entries:
            key = row_key(self._epoch_id(entry.stream.epoch), entry.seq)
            packed.append((entry, key, pack(key, entry.stream.lane, entry.payload)))
        dropped: dict[Stream, RangeSet] = {}
        for lane in SHED_ORDER:
            if self._make_room(sum(len(body) + _ROW_OVERHEAD for _, _, body in packed), lane):
                break
            for entry, _, _ in packed:
                if entry.stream.lane is lane:
                    dropped.setdefault(entry.stream, RangeSet()).add(entry.seq)
            packed = [item for item in packed if item[0].stream.lane is not lane]
            if not packed:
                break
        return packed, dropped

    def _make_room(self, need: int, lane: Lane) -> bool:
        """Shed the oldest records of ``lane`` until ``need`` more bytes fit; False when that did not suffice."""
        while (over := self.used_bytes + need - self._limit) > 0:
            if not self._shed_oldest(lane, max(over, self._limit // 128)):
                return False
        return True

    def _shed_oldest(self, lane: Lane, wanted: int) -> bool:
        """Delete about ``wanted`` bytes of the lane's oldest records, declaring each number; False when it is empty."""
        names = {account.epoch_id: stream for stream, account in self.accounts.items() if stream.lane is lane}
        by_stream: dict[Stream, RangeSet] = {}
        size = last_key = 0
        cursor = self._db.execute(SQL[lane].lengths)
        for key, length in cursor:
            by_stream.setdefault(names[epoch_id_of(key)], RangeSet()).add(seq_of(key))
            size += length + _ROW_OVERHEAD
            last_key = key
            if size >= wanted:
                break
        cursor.close()
        if not by_stream:
            return False
        changes: Changes = {}
        for stream, numbers in by_stream.items():
            old = self.accounts[stream]
            changes[stream] = _grown(old, old.next, -numbers.count, numbers)
        with self._transaction():
            self._db.execute(SQL[lane].delete_to, (last_key,))
            self._ledger.write(changes)
            hit("before-shed-commit")
        self._ledger.apply(changes)
        self._count_shed((lane, numbers.count) for numbers in by_stream.values())
        hit("after-shed-commit")
        return True

    def _count_shed(self, counts: Iterable[tuple[Lane, int]]) -> None:
        for lane, count in counts:
            self.shed_counts[lane] = self.shed_counts.get(lane, 0) + count

    def _shrink_to_disk(self) -> None:
        """After "disk full": live within the file as it is now, and give the reserve back to the disk."""
        self._reserve.unlink(missing_ok=True)
        pages = int(self._db.execute("PRAGMA page_count").fetchone()[0])
        self._limit = min(self._limit, max(pages * PAGE_SIZE - RESERVE_BYTES, 16 * PAGE_SIZE))

    def _make_reserve(self) -> None:
        """Keep a little disk aside, so that shedding itself has room to write when the disk is full."""
        if self.max_bytes < 16 * RESERVE_BYTES or self._reserve.exists():
            return
        try:
            with self._reserve.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, RESERVE_BYTES)
        except OSError:  # the disk is full already: there is nothing to set aside
            self._reserve.unlink(missing_ok=True)

    # ---- out

    def acknowledge(self, acks: Sequence[LaneAck]) -> int:
        """Delete what the gateway has committed; returns the number of records deleted.

        One transaction, after as many small ones as keep the log beside the file small when much is acked at once.

        Numbers an ack names as missing are kept, wherever they stand. A stream of an older epoch that is complete
        (watermark = next, nothing missing) is forgotten. Streams this outbox does not know are ignored.
        """
        before = self.records
        for ack in acks:
            self._delete_ahead(ack)
        changes: Changes = {}
        with self._transaction():
            for ack in acks:
                stream = Stream(ack.epoch, ack.lane)
                if (account := self.accounts.get(stream)) is not None:
                    changes[stream] = self._acknowledge(stream, account, ack)
            self._ledger.write(changes)
            hit("before-ack-delete")
        self._ledger.apply(changes)
        hit("after-ack-delete")
        return before - self.records

    def _delete_ahead(self, ack: LaneAck) -> None:
        """Delete all but the last DELETED_AT_ONCE of the records an ack frees, in transactions of that size."""
        stream = Stream(ack.epoch, ack.lane)
        for first, last in _done(ack, self.accounts[stream]) if stream in self.accounts else ():
            while (account := self.accounts[stream]).records > DELETED_AT_ONCE:
                keys = (account.key(first), account.key(last), DELETED_AT_ONCE)
                row = self._db.execute(SQL[ack.lane].nth, keys).fetchone()
                if row is None:
                    break
                changes: Changes = {stream: _grown(account, account.next, -DELETED_AT_ONCE, RangeSet())}
                with self._transaction():
                    self._db.execute(SQL[ack.lane].delete, (keys[0], row[0] - 1))
                    self._ledger.write(changes)
                self._ledger.apply(changes)

    def _acknowledge(self, stream: Stream, account: Account, ack: LaneAck) -> Account | None:
        watermark = min(ack.watermark, account.next)
        done = _done(ack, account)
        deleted = 0
        for first, last in done:
            keys = (account.key(first), account.key(last))
            deleted += self._db.execute(SQL[stream.lane].delete, keys).rowcount
        if watermark == account.next and not ack.missing and stream.epoch not in self._running:
            return None
        shed = account.shed.copy()
        shed.subtract(done)
        return Account(
            account.epoch_id, account.next, max(account.watermark, watermark), account.records - deleted, shed
        )

    # ---- guards

    def _drop_damaged(self, stream: Stream, key: int) -> None:
        account = self.accounts[stream]
        changes: Changes = {stream: _grown(account, account.next, -1, RangeSet())}
        with self._transaction():
            self._db.execute(SQL[stream.lane].delete, (key, key))
            self._ledger.write(changes)
        self._ledger.apply(changes)
        self.damaged_records += 1

    def _check_structure(self) -> None:
        if self.path.stat().st_size <= CHECKED_AT_OPEN:
            verdict = self._db.execute("PRAGMA quick_check(1)").fetchone()[0]
            if verdict != "ok":
                raise DamagedOutboxError(str(verdict))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with naming_damage():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # SQLite itself may have rolled back (disk full)
                    self._db.execute("ROLLBACK")
                raise


def _done(ack: LaneAck, account: Account) -> RangeSet:
    """The numbers an ack says need not be kept."""
    done = RangeSet([(0, min(ack.watermark, account.next) - 1)])
    done.subtract(from_wire(ack.missing))
    return done


def _grown(old: Account, following: Seq, records: int, shed: RangeSet) -> Account:
    """The account with ``next = following``, ``records`` more rows (or fewer) and more numbers shed."""
    union = old.shed.copy()
    union.update(shed)
    return Account(old.epoch_id, max(old.next, following), old.watermark, old.records + records, union)
