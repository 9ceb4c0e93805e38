"""One lane's books: every number it ever gave out lies in exactly one class, or is named."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, Protocol
from zlib import crc32

import msgspec
import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, Row, func, select

from gateway.adapters import blocks, tables
from gateway.adapters.audit_outbox import OutboxFile, OutboxLane
from gateway.adapters.audit_report import Difference, Findings, Mask, Totals
from gateway.contract import wire
from gateway.contract.digest import digest
from gateway.contract.envelope import Lane
from gateway.contract.observation import Event, Observation
from gateway.contract.waveform import WaveFrame

CHUNK: Final = 1 << 20  # numbers looked at together: bounds the memory
_INTEGERS = np.int64
AnyRow = Row[*tuple[Any, ...]]


class LaneBook(msgspec.Struct, frozen=True):
    """A lane as the database, the unit's last hello and its outbox know it. ``id`` None: not in the database."""

    id: int | None
    unit: str
    epoch: str
    lane: Lane
    next: int = 0
    seen_at: int = 0
    announced: int = 0  # next of the last hello
    kept: list[tuple[OutboxFile, OutboxLane]] = []

    @property
    def produced(self) -> int:
        """How many numbers were given out."""
        return max(self.next, self.announced, *(lane.next for _, lane in self.kept), 0)


class Witness(Protocol):
    """Who wants to see the records that are stored."""

    def stored(
        self,
        book: LaneBook,
        device: str,
        seqs: npt.NDArray[np.int64],
        observed_at: npt.NDArray[np.int64],
        digests: npt.NDArray[np.uint32],
    ) -> None: ...


class _Classes:
    """How often each number of a chunk occurs in each class."""

    def __init__(self, first: int, size: int) -> None:
        self.first = first
        self.size = size
        self.records, self.blocks, self.retired, self.rejected = (np.zeros(size, np.uint8) for _ in range(4))
        self.open, self.shed, self.gone, self.healed = (np.zeros(size, np.uint8) for _ in range(4))
        self.outbox, self.outbox_shed, self.acked = (np.zeros(size, np.uint8) for _ in range(3))

    @property
    def last(self) -> int:
        return self.first + self.size - 1

    def span(self, counts: npt.NDArray[np.uint8], first: int, last: int) -> None:
        """Counts the numbers ``first`` to ``last``, as far as they lie in the chunk."""
        counts[max(first - self.first, 0) : max(last - self.first + 1, 0)] += 1

    def at(self, counts: npt.NDArray[np.uint8], seqs: npt.NDArray[np.int64]) -> None:
        """Counts the given numbers, as far as they lie in the chunk."""
        inside = seqs[(seqs >= self.first) & (seqs <= self.last)] - self.first
        np.add.at(counts, inside, 1)


class LaneAudit:
    """Audits lanes against one snapshot of the database."""

    def __init__(self, connection: Connection, findings: Findings, witness: Witness | None) -> None:
        self._db = connection
        self._findings = findings
        self._witness = witness

    def run(self, book: LaneBook) -> Totals:
        """Names every difference of the lane; returns its totals."""
        totals = Totals(produced=book.produced)
        for first in range(0, book.produced, CHUNK):
            classes = _Classes(first, min(CHUNK, book.produced - first))
            self._fill(book, classes)
            self._judge(book, classes, totals)
        self._beyond(book)
        return totals

    # ---- gathering ------------------------------------------------------------------------------------------------

    def _fill(self, book: LaneBook, classes: _Classes) -> None:
        for file, lane in book.kept:
            numbers = np.fromiter(file.numbers(lane, classes.first, classes.last), _INTEGERS)
            classes.outbox[numbers - classes.first] = 1
            classes.span(classes.acked, 0, lane.watermark - 1)
            for first, last in lane.shed:
                classes.span(classes.outbox_shed, first, last)
        if book.id is None:
            return
        self._fill_records(book, classes)
        for block in self._blocks(book.id, classes):
            self._fill_block(book, block, classes)
        self._fill_ledger(book, book.id, classes)

    def _fill_records(self, book: LaneBook, classes: _Classes) -> None:
        record = tables.record
        query = (
            select(record.c.seq, record.c.device, record.c.observed_at, record.c.payload)
            .where(record.c.lane_id == book.id, record.c.seq.between(classes.first, classes.last))
            .order_by(record.c.seq)
        )
        seen: dict[str, list[tuple[int, int, int]]] = {}
        for row in self._db.execute(query):
            classes.records[row.seq - classes.first] += 1
            if (found := self._check_payload(book, row)) is not None:
                seen.setdefault(row.device, []).append((row.seq, row.observed_at, found))
        if self._witness is not None:
            for device, triples in seen.items():
                seqs, times, digests = np.array(triples, _INTEGERS).T
                self._witness.stored(book, device, seqs, times, digests.astype(np.uint32))

    def _check_payload(self, book: LaneBook, row: AnyRow) -> int | None:
        """The record's digest; None, and a difference, when its payload is not what its row says."""
        try:
            message = wire.decode(book.lane.channel, row.payload)
        except wire.WireError as error:
            self._name(book, "payload-damaged", row.seq, row.seq, str(error.reason))
            return None
        if not isinstance(message, Observation | Event | WaveFrame):
            return None
        said = (message.epoch, message.seq, message.device, message.observed_at)
        if said != (book.epoch, row.seq, row.device, row.observed_at):
            self._name(book, "payload-foreign", row.seq, row.seq, f"payload says {said[0]} {said[1]} {said[2]}")
        return digest(message)

    def _blocks(self, lane_id: int, classes: _Classes) -> Iterator[AnyRow]:
        block = tables.block
        query = (
            select(block)
            .where(block.c.lane_id == lane_id, block.c.first_seq <= classes.last, block.c.last_seq >= classes.first)
            .order_by(block.c.first_seq)
        )
        return iter(self._db.execute(query.execution_options(yield_per=16)))

    def _fill_block(self, book: LaneBook, block: AnyRow, classes: _Classes) -> None:
        here = max(block.first_seq, classes.first)
        try:
            header = blocks.read_header(block.header)
            seqs = header.column("seq")
        except blocks.BlockError as error:
            self._name(book, "block-damaged", here, min(block.last_seq, classes.last), str(error))
            return
        classes.at(classes.blocks, seqs)
        if block.first_seq < classes.first:  # looked at with the chunk before
            return
        if crc32(block.data) != header.data:
            self._name(book, "block-damaged", block.first_seq, block.last_seq, "data: checksum")
        if (block.records, block.first_seq, block.last_seq) != (len(seqs), seqs[0], seqs[-1]):
            self._name(book, "block-foreign", block.first_seq, block.last_seq, "its header names other numbers")
        if (block.unit, block.lane, header.epoch) != (book.unit, book.lane.value, header.epoch and book.epoch):
            said = f"{block.unit} {header.epoch} {block.lane}"
            self._name(book, "block-foreign", block.first_seq, block.last_seq, f"block says {said}")
        if self._witness is not None:
            digests = np.frombuffer(header.digests, "<u4").astype(np.uint32)
            self._witness.stored(book, block.device, seqs, header.column("observed_at"), digests)

    def _fill_ledger(self, book: LaneBook, lane_id: int, classes: _Classes) -> None:
        """Gaps, retired ranges and whole rejects."""
        for gap in self._touching(tables.gap, "first", "last", lane_id, classes):
            if gap.first > gap.last or (gap.lost_at is not None and gap.shed_at is not None):
                self._name(book, "gap-inconsistent", gap.first, gap.last, f"row {gap.id}")
            classes.span(getattr(classes, _fate(gap)), gap.first, gap.last)
        for row in self._touching(tables.retired, "first_seq", "last_seq", lane_id, classes):
            if row.records != row.last_seq - row.first_seq + 1:
                self._name(book, "retired-inconsistent", row.first_seq, row.last_seq, f"counts {row.records}")
            classes.span(classes.retired, row.first_seq, row.last_seq)
        reject = tables.reject
        query = select(reject.c.seq).where(reject.c.lane_id == lane_id, reject.c.whole)
        numbers = self._db.execute(query.where(reject.c.seq.between(classes.first, classes.last))).scalars()
        classes.at(classes.rejected, np.fromiter(numbers, _INTEGERS))

    def _touching(self, table: Any, first: str, last: str, lane_id: int, classes: _Classes) -> Sequence[AnyRow]:
        query = select(table).where(table.c.lane_id == lane_id)
        return self._db.execute(query.where(table.c[first] <= classes.last, table.c[last] >= classes.first)).all()

    # ---- judging --------------------------------------------------------------------------------------------------

    def _judge(self, book: LaneBook, c: _Classes, totals: Totals) -> None:
        copies = c.records.astype(np.uint16) + c.blocks + c.retired + c.rejected
        stored, outbox = copies > 0, c.outbox > 0
        shed = ((c.shed > 0) | (c.outbox_shed > 0)) & ~stored
        gone = (c.gone > 0) & ~stored & ~shed
        missing = ~(stored | outbox | shed | gone)
        passed = np.arange(c.first, c.first + c.size) < book.next  # the database says it came
        not_wanted = passed & (c.open == 0) & (c.shed == 0) & (c.gone == 0) & ~stored
        self._masks(book, c.first, {
            "double": copies > 1,
            "gap-covers-stored": ((c.open > 0) | (c.shed > 0) | (c.gone > 0)) & stored,
            "gap-overlap": c.open.astype(np.uint16) + c.shed + c.gone > 1,
            "gap-not-healed": (c.healed > 0) & ~stored & ~shed & ~gone & (c.open == 0),
            "gone-in-outbox": outbox & (c.gone > 0),
            "shed-in-outbox": outbox & shed,
            "ack-before-commit": (missing & (c.acked > 0)) | (not_wanted & outbox),
            "outbox-hole": missing & (c.acked == 0) & bool(book.kept),
            "missing": missing & (not book.kept),
        })  # fmt: skip
        totals.add(_totals(c, copies, stored=stored, outbox=outbox, shed=shed, gone=gone, missing=missing))

    def _masks(self, book: LaneBook, first: int, kinds: dict[str, Mask]) -> None:
        for kind, mask in kinds.items():
            self._findings.mask(Difference(kind, book.unit, book.epoch, book.lane.value), mask, first)

    def _beyond(self, book: LaneBook) -> None:
        """What has a number that was never given out, or that the lane does not know of."""
        for file, lane in book.kept:
            if (highest := file.highest(lane)) >= lane.next:
                self._name(book, "beyond", lane.next, highest, f"in outbox {file.path.name}")
        if book.id is None:
            return
        for table, column in _NUMBERED:
            top = self._db.execute(select(func.max(column)).where(table.c.lane_id == book.id)).scalar()
            if top is not None and top >= book.next:
                self._name(book, "beyond", book.next, top, f"in table {table.name}")

    def _name(self, book: LaneBook, kind: str, first: int, last: int, detail: str) -> None:
        self._findings.add(Difference(kind, book.unit, book.epoch, book.lane.value, first, last, detail))


_NUMBERED: Final = (
    (tables.record, tables.record.c.seq),
    (tables.block, tables.block.c.last_seq),
    (tables.retired, tables.retired.c.last_seq),
    (tables.gap, tables.gap.c.last),
)


def _fate(gap: AnyRow) -> str:
    """The class the numbers of a gap row belong to."""
    if gap.healed_at is not None:
        return "healed"
    return "shed" if gap.shed_at is not None else "gone" if gap.lost_at is not None else "open"


def _totals(
    c: _Classes, copies: npt.NDArray[np.uint16], *, stored: Mask, outbox: Mask, shed: Mask, gone: Mask, missing: Mask
) -> Totals:
    return Totals(
        stored=_count([stored]),
        outbox=_count([outbox]),
        unacked=_count([outbox, stored]),
        shed=_count([shed]),
        gone=_count([gone]),
        missing=_count([missing]),
        duplicates=int(copies.sum()) - _count([stored]),
        retired=_count([c.retired > 0]),
        rejected=_count([c.rejected > 0]),
    )


def _count(masks: Iterable[Mask]) -> int:
    return int(np.count_nonzero(np.logical_and.reduce(list(masks))))
