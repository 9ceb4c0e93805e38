"""Folds closed windows of records into blocks: block in and rows out in one transaction of the writer thread.

    record rows --> group by device and window --> fold, open again, compare --> insert block, delete rows
    (read-only connection, this thread)                                         (writer thread, one block at a time)

A window is closed when its end and the receipt of its last row are ``GRACE`` ago. What comes later makes a block of
its own. Killed anywhere, either the rows are there or the block is.
"""

import threading
from collections.abc import Callable, Iterator
from typing import Final

import msgspec
import structlog
from sqlalchemy import Connection, Engine, delete, func, insert, literal, or_, select, text

from gateway.adapters import blocks, tables
from gateway.contract.envelope import Instant, Lane
from gateway.failpoint import failpoint
from gateway.ports import RecordRow, Writer

SECOND: Final = 1_000_000
WINDOWS: Final = {Lane.WAVE: 60 * SECOND, Lane.OBS: 600 * SECOND, Lane.EVENT: 600 * SECOND}  # ADR 0005
GRACE: Final = 30 * SECOND
FUTURE: Final = 3600 * SECOND  # a row whose event time lies ahead is folded this long after it came
INTERVAL: Final = 10.0  # s between passes
BREATH: Final = 0.002  # s between two lanes: the event loop's turn
MAX_RECORDS: Final = 1_500  # per block, and
MAX_BYTES: Final = 1 << 20  # of payload: bounds how long one transaction holds the writer
READ_BYTES: Final = 8 << 20  # of payload in memory at once
RETRY: Final = 600 * SECOND  # before a lane that could not be folded is tried again

_log = structlog.get_logger("compactor")

# Every lane that has rows, by jumping from one key prefix to the next: O(lanes), not O(rows).
_LANES: Final = text(
    "WITH RECURSIVE found(id) AS (SELECT min(lane_id) FROM record UNION ALL"
    " SELECT (SELECT min(lane_id) FROM record WHERE lane_id > found.id) FROM found WHERE found.id IS NOT NULL)"
    " SELECT id FROM found WHERE id IS NOT NULL"
)


class CompactionError(RuntimeError):
    """A block would not have opened to its rows, or the rows changed meanwhile; the rows are kept."""


class _Lane(msgspec.Struct, frozen=True):
    id: int
    unit: str
    lane: Lane

    @property
    def window(self) -> int:
        return WINDOWS[self.lane]


class Compactor:
    """``step`` is one pass over all lanes. Not for several threads at once."""

    def __init__(self, engine: Engine, writer: Writer) -> None:
        self._engine = engine
        self._writer = writer
        self._due: dict[int, Instant] = {}  # lane id: not before

    def run(self, stop: threading.Event, clock: Callable[[], Instant]) -> None:
        """Makes a pass every ``INTERVAL`` until ``stop`` is set; meant for a thread of its own."""
        while not stop.wait(INTERVAL):
            self.step(clock(), stop)

    def step(self, now: Instant, stop: threading.Event | None = None) -> int:
        """Folds what is closed at ``now``; returns how many blocks were written."""
        with self._engine.connect() as connection:
            lanes = set(connection.execute(_LANES).scalars())
        self._due = {lane: due for lane, due in self._due.items() if lane in lanes}
        written = 0
        for lane_id in sorted(lanes):
            if stop is not None and stop.wait(BREATH):
                break
            if self._due.get(lane_id, now) <= now:
                written += self._fold_lane(lane_id, now)
        return written

    def _fold_lane(self, lane_id: int, now: Instant) -> int:
        written, more = 0, True
        while more:
            with self._engine.connect() as connection:
                lane = _lane(connection, lane_id)
                groups, more = _closed(connection, lane, now)
            try:
                for group in groups:
                    self._fold(lane, group)
                    written += 1
            except CompactionError as error:
                _log.error("not-folded", unit=lane.unit, lane=lane.lane.value, error=str(error))
                self._due[lane_id] = now + RETRY
                return written
        with self._engine.connect() as connection:
            self._due[lane_id] = _next_due(connection, lane_id, now)
        return written

    def _fold(self, lane: _Lane, rows: list[RecordRow]) -> None:
        """One block: encoded and checked here, written and the rows deleted in the writer thread."""
        folded = blocks.fold(lane.lane, rows)
        if blocks.unfold(lane.id, lane.lane, rows[0].device, folded.header, folded.data) != rows:
            raise CompactionError(f"block of {folded.first_seq}..{folded.last_seq} does not open to its rows")
        seqs = [row.seq for row in rows]
        failpoint("compact-before-commit")
        self._writer.submit(lambda connection: _replace(connection, lane, rows[0].device, folded, seqs)).result()
        failpoint("compact-after-commit")


def _replace(connection: Connection, lane: _Lane, device: str, folded: blocks.Folded, seqs: list[int]) -> None:
    connection.execute(
        insert(tables.block).values(
            unit=lane.unit, lane=lane.lane.value, device=device, lane_id=lane.id, codec=blocks.CODEC,
            **msgspec.structs.asdict(folded),
        )
    )  # fmt: skip
    failpoint("compact-in-transaction")
    record = tables.record
    gone = connection.execute(delete(record).where(record.c.lane_id == lane.id, record.c.seq.in_(seqs)))
    if gone.rowcount != len(seqs):
        raise CompactionError(f"{gone.rowcount} of {len(seqs)} rows were still there")


def _lane(connection: Connection, lane_id: int) -> _Lane:
    table = tables.lane
    row = connection.execute(select(table.c.unit, table.c.lane).where(table.c.id == lane_id)).one()
    return _Lane(lane_id, row.unit, Lane(row.lane))


def _closed(connection: Connection, lane: _Lane, now: Instant) -> tuple[list[list[RecordRow]], bool]:
    """Groups of rows to fold, and whether there is more than was read."""
    record, window = tables.record, lane.window
    settled = now - GRACE
    number = record.c.event_at.op("/")(literal(window))  # integer division, as // for times after 1970
    growing = {
        tuple(row)
        for row in connection.execute(
            select(record.c.device, number)
            .distinct()
            .where(record.c.lane_id == lane.id, record.c.received_at > settled)
        )
    }
    query = (
        select(*(record.c[name] for name in RecordRow.__struct_fields__), number)
        .where(record.c.lane_id == lane.id, record.c.received_at <= settled)
        .where(or_(record.c.event_at < settled // window * window, record.c.received_at < now - FUTURE))
        .order_by(record.c.seq)
    )
    rows = ((RecordRow(*row[:-1]), row[-1]) for row in connection.execute(query))
    groups: dict[tuple[str, int], list[RecordRow]] = {}
    size = 0
    for row, window_number in rows:
        if (key := (row.device, window_number)) not in growing:
            groups.setdefault(key, []).append(row)
            size += len(row.payload)
        if size > READ_BYTES:
            break
    return [piece for group in groups.values() for piece in _pieces(group)], size > READ_BYTES


def _pieces(group: list[RecordRow]) -> Iterator[list[RecordRow]]:
    """The group in blocks of bounded size."""
    piece: list[RecordRow] = []
    size = 0
    for row in group:
        if piece and (len(piece) >= MAX_RECORDS or size + len(row.payload) > MAX_BYTES):
            yield piece
            piece, size = [], 0
        piece.append(row)
        size += len(row.payload)
    if piece:
        yield piece


def _next_due(connection: Connection, lane_id: int, now: Instant) -> Instant:
    """When the oldest row of what is left closes; a row that should have closed already is looked at next time."""
    record, lane = tables.record, _lane(connection, lane_id)
    query = select(record.c.event_at, record.c.received_at).where(record.c.lane_id == lane_id)
    head = connection.execute(query.order_by(record.c.seq).limit(1)).first()
    if head is None:
        return now
    received: Instant = head.received_at
    closes: Instant = (head.event_at // lane.window + 1) * lane.window
    return max(min(closes, received + FUTURE), received) + GRACE


def backlog(connection: Connection) -> int:
    """Rows not folded yet: a gauge for the metrics."""
    return int(connection.execute(select(func.count()).select_from(tables.record)).scalar_one())
