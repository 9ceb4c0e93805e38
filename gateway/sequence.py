"""Puts each lane's live records in number order for the rules: at once when contiguous, else after two seconds."""

from typing import Final

import msgspec

from gateway.admit import Admitted
from gateway.contract.envelope import Instant
from gateway.contract.quantity import SECOND

PATIENCE: Final = 2 * SECOND  # how long a hole may hold back what follows it
MAX_HELD: Final = 1024


class _Cursor(msgspec.Struct):
    next: int
    held: dict[int, Admitted]
    held_since: Instant


class Sequencer:
    """One cursor a lane; only lanes with a hole hold anything."""

    def __init__(self) -> None:
        self._cursors: dict[int, _Cursor] = {}
        self._waiting: set[int] = set()

    def restore(self, lane_id: int, next: int) -> None:
        """Where a lane stood when the gateway stopped."""
        self._cursors[lane_id] = _Cursor(next, {}, 0)

    def hold(self, lane_id: int, next: int, held: list[Admitted]) -> None:
        """A lane that had a hole when the gateway stopped: ``held`` are stored but have not been evaluated."""
        since = min(record.received_at for record in held)
        self._cursors[lane_id] = _Cursor(next, {record.body.seq: record for record in held}, since)
        self._waiting.add(lane_id)

    def take(self, record: Admitted) -> list[Admitted]:
        """The records that may be evaluated now that this one is here, in order."""
        seq = record.body.seq
        cursor = self._cursors.get(record.lane.id)
        if cursor is None:
            cursor = self._cursors[record.lane.id] = _Cursor(seq, {}, 0)
        if seq == cursor.next:
            cursor.next = seq + 1
            return [record, *self._drain(record.lane.id, cursor)] if cursor.held else [record]
        if seq < cursor.next or record.body.backfill:
            return [record]
        if not cursor.held:
            cursor.held_since = record.received_at
            self._waiting.add(record.lane.id)
        cursor.held[seq] = record
        return self._skip(record.lane.id, cursor) if len(cursor.held) >= MAX_HELD else []

    def expire(self, now: Instant) -> list[Admitted]:
        """Records whose hole did not fill in time."""
        released: list[Admitted] = []
        for lane_id in sorted(self._waiting):
            cursor = self._cursors[lane_id]
            while cursor.held and now - cursor.held_since >= PATIENCE:
                released += self._skip(lane_id, cursor)
                cursor.held_since = min((record.received_at for record in cursor.held.values()), default=now)
        return released

    def _skip(self, lane_id: int, cursor: _Cursor) -> list[Admitted]:
        cursor.next = min(cursor.held)
        return self._drain(lane_id, cursor)

    def _drain(self, lane_id: int, cursor: _Cursor) -> list[Admitted]:
        released = []
        while (record := cursor.held.pop(cursor.next, None)) is not None:
            released.append(record)
            cursor.next += 1
        if not cursor.held:
            self._waiting.discard(lane_id)
        elif released:  # the next hole is as old as what came first of what is beyond it
            cursor.held_since = min(record.received_at for record in cursor.held.values())
        return released
