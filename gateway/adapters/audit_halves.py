"""Frames that a weak link made the agent store as two records: the rhythm lead at once, the other leads later.

The simulator's ledger has the whole frame as one reading. Its samples are those of the other leads with the rhythm
lead's put back where it was; the digest tells which place that is. So the halves are checked to the last sample.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import combinations
from typing import Final, NamedTuple

from sqlalchemy import Connection, select

from gateway.adapters import history, tables
from gateway.adapters.audit_lane import LaneBook
from gateway.adapters.audit_outbox import Unpack
from gateway.contract import wire
from gateway.contract.digest import digest_parts
from gateway.contract.envelope import Lane
from gateway.contract.quantity import LEADS
from gateway.contract.topic import Channel
from gateway.contract.waveform import WaveFrame

LoadFrame = Callable[[str, int], WaveFrame | None]  # epoch, number
_ORDER: Final = {name: number for number, name in enumerate(LEADS)}
_RHYTHM: Final = {"II", "MLII", "ECG"}  # what a weak link carries live, where a device has it


class Candidate(NamedTuple):
    """A stored record that no reading of the ledger equals; ``at`` is whatever its owner knows it by."""

    at: int
    epoch: str
    seq: int


class Pair(NamedTuple):
    """Two candidates that are one reading, and that reading's digest."""

    one: int
    other: int
    digest: int


def pairs(candidates: Iterable[Candidate], wanted: set[int], load: LoadFrame) -> Iterator[Pair]:
    """Which of the candidates, all of one device and moment, belong together; ``wanted``: the ledger's digests then."""
    frames = {one.at: frame for one in candidates if (frame := load(one.epoch, one.seq)) is not None}
    used: set[int] = set()
    for one, other in combinations(frames, 2):
        if used.isdisjoint((one, other)) and (found := rejoin(frames[one], frames[other], wanted)) is not None:
            used |= {one, other}
            yield Pair(one, other, found)


def rejoin(one: WaveFrame, other: WaveFrame, wanted: set[int]) -> int | None:
    """The digest of the frame whose halves these are, if it is one of ``wanted``; else None.

    The other leads keep their order; every place of the single lead is tried, the one of the table of leads first.
    """
    single, rest = (one, other) if len(one.leads) == 1 else (other, one)
    if len(single.leads) != 1 or single.leads[0] in rest.leads or _grid(single) != _grid(rest):
        return None
    size = 2 * single.n
    usual = sum(_ORDER[name] < _ORDER[single.leads[0]] for name in rest.leads)
    for place in sorted(range(len(rest.leads) + 1), key=lambda place: place != usual):
        samples = rest.samples[: place * size] + single.samples + rest.samples[place * size :]
        found = digest_parts(single.device, single.observed_at, samples)
        if found in wanted:
            return found
    return None


def is_half(frame: WaveFrame | None) -> bool:
    """Whether the frame can be one of two: a single lead, or several without the lead that is sent live."""
    return frame is not None and (len(frame.leads) == 1 or _RHYTHM.isdisjoint(frame.leads))


def _grid(frame: WaveFrame) -> tuple[str, int, int, float, float, int]:
    return frame.device, frame.observed_at, frame.n0, frame.fs, frame.scale, frame.n


class FrameSource:
    """Waveform records of one unit by number, from rows, blocks or the outbox; asked in rising order it is quick."""

    def __init__(self, connection: Connection, books: Iterable[LaneBook], unpack: Unpack | None) -> None:
        """``unpack`` None: what only an outbox holds is not found."""
        self._db = connection
        self._books = {book.epoch: book for book in books if book.lane is Lane.WAVE}
        self._unpack = unpack
        self._opened: dict[str, dict[int, bytes]] = {}  # epoch: the block opened last

    def load(self, epoch: str, seq: int) -> WaveFrame | None:
        """The record; None when there is none that can be read."""
        book = self._books.get(epoch)
        payload = None if book is None else self._row(book, seq) or self._in_block(book, seq) or self._kept(book, seq)
        if payload is None:
            return None
        try:
            message = wire.decode(Channel.WAVE, payload)
        except wire.WireError:
            return None
        return message if isinstance(message, WaveFrame) else None

    def _row(self, book: LaneBook, seq: int) -> bytes | None:
        record = tables.record
        query = select(record.c.payload).where(record.c.lane_id == book.id, record.c.seq == seq)
        payload: bytes | None = self._db.execute(query).scalar()
        return payload

    def _in_block(self, book: LaneBook, seq: int) -> bytes | None:
        if seq in (known := self._opened.get(book.epoch, {})):
            return known[seq]
        block = tables.block
        query = select(block).where(block.c.lane_id == book.id, block.c.first_seq <= seq, block.c.last_seq >= seq)
        for row in self._db.execute(query).all():
            rows = {one.seq: one.payload for one in history.opened(self._db, row)}
            if seq in rows:
                self._opened[book.epoch] = rows
                return rows[seq]
        return None

    def _kept(self, book: LaneBook, seq: int) -> bytes | None:
        if self._unpack is None:
            return None
        found = (payload for file, lane in book.kept for _, payload in file.payloads(lane, seq, seq, self._unpack))
        return next((payload for payload in found if payload is not None), None)
