"""The outbox's account of its streams: numbers given out, watermarks, records held, ranges shed. Rows and memory."""

import sqlite3
from typing import Final, NamedTuple

import msgspec

from edge_agents.outbox_schema import MAX_EPOCHS, SEQ_BITS
from edge_agents.ranges import RangeSet
from gateway.contract.envelope import Epoch, Lane, Seq

_SEQ_MASK: Final = (1 << SEQ_BITS) - 1


class Stream(NamedTuple):
    """One sequence of numbers."""

    epoch: Epoch
    lane: Lane


class Account(msgspec.Struct, frozen=True):
    """One stream's line in the ledger."""

    epoch_id: int
    next: Seq = 0  # the number after the last one committed
    watermark: Seq = 0  # of the last ack
    records: int = 0  # rows held
    shed: RangeSet = msgspec.field(default_factory=RangeSet)  # dropped for want of room, not yet passed by an ack

    def key(self, seq: Seq) -> int:
        """The row key of a number of this stream."""
        return row_key(self.epoch_id, seq)


Changes = dict[Stream, Account | None]  # None: the stream is complete and forgotten


class Ledger:
    """Accounts by stream. ``write`` goes into the caller's transaction, ``apply`` follows once that is committed."""

    def __init__(self, db: sqlite3.Connection) -> None:
        """Load the accounts."""
        self._db = db
        self.accounts: dict[Stream, Account] = {}
        query = "SELECT epoch, lane, epoch_id, next, watermark, records FROM lane JOIN epoch ON epoch.id = epoch_id"
        for epoch, lane, epoch_id, following, watermark, records in db.execute(query):
            self.accounts[Stream(epoch, Lane(lane))] = Account(epoch_id, following, watermark, records)
        query = "SELECT epoch, lane, first, last FROM shed JOIN epoch ON epoch.id = epoch_id"
        for epoch, lane, first, last in db.execute(query):
            self.accounts[Stream(epoch, Lane(lane))].shed.add(first, last)

    @property
    def records(self) -> int:
        """Records held in all streams."""
        return sum(account.records for account in self.accounts.values())

    def epoch_id(self, epoch: Epoch) -> int | None:
        """The key of an epoch that has a row."""
        row = self._db.execute("SELECT id FROM epoch WHERE epoch = ?", (epoch,)).fetchone()
        return int(row[0]) if row else None

    def add_epoch(self, epoch: Epoch) -> int:
        """Give the epoch a row (inside the caller's transaction) and return its key; later epochs get larger keys.

        Raises:
            OverflowError: every key is taken by an epoch that waits for acks.
        """
        taken = [row[0] for row in self._db.execute("SELECT id FROM epoch ORDER BY id")]
        epoch_id = taken[-1] + 1 if taken else 1
        if epoch_id > MAX_EPOCHS:  # thousands of restarts without one ack: reuse the lowest free key
            free = set(range(1, MAX_EPOCHS + 1)).difference(taken)
            if not free:
                raise OverflowError(f"{MAX_EPOCHS} epochs wait for acks")
            epoch_id = min(free)
        self._db.execute("INSERT INTO epoch VALUES (?, ?)", (epoch_id, epoch))
        return epoch_id

    def write(self, changes: Changes) -> None:
        """Write changed accounts inside the caller's transaction; epochs left without streams lose their row."""
        for stream, account in changes.items():
            old = self.accounts.get(stream)
            if account is None and old is not None:
                self._db.execute("DELETE FROM lane WHERE epoch_id = ? AND lane = ?", (old.epoch_id, stream.lane.value))
            elif account is not None and account != old:
                self._write_account(stream, account, old)
        for epoch in {stream.epoch for stream, account in changes.items() if account is None}:
            if all(changes.get(s, self.accounts[s]) is None for s in self.accounts if s.epoch == epoch):
                self._db.execute("DELETE FROM epoch WHERE epoch = ?", (epoch,))

    def apply(self, changes: Changes) -> None:
        """Take over changes whose transaction has been committed."""
        for stream, account in changes.items():
            if account is None:
                self.accounts.pop(stream, None)
            else:
                self.accounts[stream] = account

    def _write_account(self, stream: Stream, account: Account, old: Account | None) -> None:
        lane = stream.lane.value
        self._db.execute(
            "INSERT INTO lane (epoch_id, lane, next, watermark, records) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET next = excluded.next, watermark = excluded.watermark,"
            " records = excluded.records",
            (account.epoch_id, lane, account.next, account.watermark, account.records),
        )
        if account.shed != (old.shed if old else RangeSet()):
            self._db.execute("DELETE FROM shed WHERE epoch_id = ? AND lane = ?", (account.epoch_id, lane))
            rows = [(account.epoch_id, lane, first, last) for first, last in account.shed]
            self._db.executemany("INSERT INTO shed VALUES (?, ?, ?, ?)", rows)


def row_key(epoch_id: int, seq: Seq) -> int:
    """The row key of a number."""
    return (epoch_id << SEQ_BITS) + seq


def seq_of(key: int) -> Seq:
    """The sequence number in a row key."""
    return key & _SEQ_MASK


def epoch_id_of(key: int) -> int:
    """The epoch's key in a row key."""
    return key >> SEQ_BITS
