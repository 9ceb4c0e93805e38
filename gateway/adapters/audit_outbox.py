"""Reading an agent's outbox file from outside: which numbers it holds, has shed, and believes acknowledged.

The file's layout belongs to the agent (schema versions 1 and 2 are known here); it is opened read-only.
"""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from gateway.contract.envelope import Lane

KNOWN_VERSIONS: Final = (1, 2)
SEQ_BITS: Final = 48
_TABLES: Final = {Lane.EVENT: "event_record", Lane.OBS: "obs_record", Lane.WAVE: "wave_record"}

Unpack = Callable[[int, bytes], bytes]  # (key, stored bytes) -> payload; raises ValueError when damaged


class OutboxError(ValueError):
    """The file is not an outbox this program can read."""


class OutboxLane(msgspec.Struct, frozen=True):
    """One stream of the file. ``shed``: inclusive ranges it dropped and declared, not yet passed by an ack."""

    epoch_id: int
    epoch: str
    lane: Lane
    next: int
    watermark: int
    shed: list[tuple[int, int]]


class OutboxFile:
    """One outbox, as it was when it was opened."""

    def __init__(self, path: Path) -> None:
        """Opens a snapshot of the file.

        Raises:
            OutboxError: there is no such file, or it is not an outbox of a known version.
        """
        self.path = path
        try:
            self._db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
            self._db.execute("BEGIN")
            version = int(self._db.execute("PRAGMA user_version").fetchone()[0])
            if version not in KNOWN_VERSIONS:
                raise OutboxError(f"{path}: outbox version {version}, known are {KNOWN_VERSIONS}")
            self.lanes = list(self._read_lanes(version))
        except sqlite3.Error as error:
            raise OutboxError(f"{path}: {error}") from error

    def close(self) -> None:
        self._db.close()

    def numbers(self, lane: OutboxLane, first: int, last: int) -> Iterator[int]:
        """The numbers ``first`` to ``last`` that are in the file, in order."""
        query = f"SELECT id FROM {_TABLES[lane.lane]} WHERE id BETWEEN ? AND ? ORDER BY id"  # noqa: S608  a constant
        base = lane.epoch_id << SEQ_BITS
        return (key - base for (key,) in self._db.execute(query, (base + first, base + last)))

    def payloads(self, lane: OutboxLane, first: int, last: int, unpack: Unpack) -> Iterator[tuple[int, bytes | None]]:
        """Number and payload of the records ``first`` to ``last``; payload None when it is damaged."""
        table = _TABLES[lane.lane]
        query = f"SELECT id, payload FROM {table} WHERE id BETWEEN ? AND ? ORDER BY id"  # noqa: S608  a constant
        base = lane.epoch_id << SEQ_BITS
        for key, stored in self._db.execute(query, (base + first, base + last)):
            try:
                yield key - base, unpack(key, stored)
            except ValueError:
                yield key - base, None

    def highest(self, lane: OutboxLane) -> int:
        """The highest number in the file; -1 when it holds none."""
        query = f"SELECT max(id) FROM {_TABLES[lane.lane]} WHERE id BETWEEN ? AND ?"  # noqa: S608  a constant
        base = lane.epoch_id << SEQ_BITS
        (key,) = self._db.execute(query, (base, base + (1 << SEQ_BITS) - 1)).fetchone()
        return -1 if key is None else int(key) - base

    def _read_lanes(self, version: int) -> Iterator[OutboxLane]:
        watermark = "watermark" if version >= 2 else "0"
        query = f"SELECT epoch_id, epoch, lane, next, {watermark} FROM lane JOIN epoch ON epoch.id = epoch_id"  # noqa: S608
        for epoch_id, epoch, lane, following, acked in self._db.execute(query).fetchall():
            shed: list[tuple[int, int]] = []
            if version >= 2:
                ranges = "SELECT first, last FROM shed WHERE epoch_id = ? AND lane = ? ORDER BY first"
                shed = self._db.execute(ranges, (epoch_id, lane)).fetchall()
            yield OutboxLane(epoch_id, epoch, Lane(lane), following, acked, shed)
