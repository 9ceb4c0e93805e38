"""The audit: per unit, epoch and lane, produced = stored + outbox + declared shed + gone, or it says where not.

Outboxes are read first, then one snapshot of the database: a record acknowledged in between is in both, which is
allowed. With the simulators' ledgers (of a system at rest) every single reading is followed to where it is now.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from rich.console import Console
from sqlalchemy import Connection, select

from gateway.adapters import clock, tables
from gateway.adapters.audit_halves import FrameSource
from gateway.adapters.audit_lane import LaneAudit, LaneBook
from gateway.adapters.audit_ledger import UnitWitness
from gateway.adapters.audit_outbox import OutboxError, OutboxFile, Unpack
from gateway.adapters.audit_report import Difference, Findings, LaneReport, Report, Totals, UnitReport, show
from gateway.adapters.history import stored_digest
from gateway.adapters.sql import DATABASE_NAME, connect
from gateway.contract import wire
from gateway.contract.digest import digest
from gateway.contract.envelope import Hello, Instant, Lane
from gateway.contract.observation import Event, Observation
from gateway.contract.topic import Channel
from gateway.contract.waveform import WaveFrame

STILL: Final = 10_000_000  # us; a lane that changed later than this before the outbox was read may be ahead of it

Key = tuple[str, str, Lane]  # unit, epoch, lane


class StreamState(msgspec.Struct, frozen=True):
    """The broker's log: when it was made (as table position says it) and the last number it gave."""

    created: str
    last_sequence: int


def run_audit(
    data_dir: Path,
    outboxes: Sequence[Path],
    ledger_dir: Path | None,
    json_path: Path | None = None,
    *,
    unpack: Unpack | None = None,
    stream: StreamState | None = None,
    console: Console | None = None,
) -> int:
    """Audits, prints, writes the report to ``json_path`` if given; returns the exit code: 1 on any difference.

    ``unpack`` opens a record stored in an outbox. Without it the content of records that are still in an outbox is
    not compared with the ledger, only their number. ``stream``: state of the broker's log, if the broker runs.
    """
    report = audit(data_dir, outboxes, ledger_dir, unpack=unpack, stream=stream, now=clock.now())
    show(report, console or Console())
    if json_path is not None:
        json_path.write_bytes(msgspec.json.format(msgspec.json.encode(report)) + b"\n")
    return 0 if report.ok else 1


def audit(
    data_dir: Path,
    outboxes: Sequence[Path],
    ledger_dir: Path | None,
    *,
    unpack: Unpack | None,
    stream: StreamState | None = None,
    now: Instant,
) -> Report:
    """The books of a data directory; ``now`` is when the outboxes are read."""
    findings = Findings()
    files = list(_open_outboxes(outboxes, findings))
    engine = connect(data_dir / DATABASE_NAME, readonly=True)
    try:
        with engine.connect() as connection:  # one transaction, one snapshot
            units = _Books(connection, files, findings, now).by_unit()
            reports = [
                _audit_unit(connection, unit, books, findings, ledger_dir, unpack) for unit, books in units.items()
            ]
            _check_orphans(connection, findings)
            _check_position(connection, stream, findings)
    finally:
        engine.dispose()
        for file in files:
            file.close()
    if ledger_dir is not None:
        _check_unknown_ledgers(ledger_dir, units, findings)
    totals = _sum(report.totals for report in reports)
    return Report(ok=findings.count == 0, units=reports, differences=findings.found, totals=totals)


def _open_outboxes(paths: Sequence[Path], findings: Findings) -> Iterable[OutboxFile]:
    for path in paths:
        try:
            yield OutboxFile(path)
        except OutboxError as error:
            findings.add(Difference("outbox-unreadable", path.stem, detail=str(error)))


class _Books:
    """Which lanes there are, and what each of the three parties says about them."""

    def __init__(self, connection: Connection, files: list[OutboxFile], findings: Findings, now: Instant) -> None:
        self._db = connection
        self._files = files
        self._findings = findings
        self._now = now
        self._books: dict[Key, LaneBook] = {}

    def by_unit(self) -> dict[str, list[LaneBook]]:
        """Every unit's lanes, in order."""
        self._take_database()
        self._take_hellos()
        for file in self._files:
            self._take_outbox(file)
        found: dict[str, list[LaneBook]] = {unit: [] for unit in self._db.execute(select(tables.unit.c.id)).scalars()}
        for key in sorted(self._books):
            found.setdefault(key[0], []).append(self._books[key])
        return found

    def _take_database(self) -> None:
        for row in self._db.execute(select(tables.lane)):
            key = (row.unit, row.epoch, Lane(row.lane))
            self._books[key] = LaneBook(row.id, *key, next=row.next, seen_at=row.seen_at)

    def _take_hellos(self) -> None:
        for unit, payload in self._db.execute(select(tables.unit_link.c.unit, tables.unit_link.c.hello)):
            try:
                hello = wire.decode(Channel.HELLO, payload)
            except wire.WireError as error:
                self._findings.add(Difference("hello-damaged", unit, detail=str(error.reason)))
                continue
            for state in hello.lanes if isinstance(hello, Hello) else ():
                key = (unit, state.epoch, state.lane)
                book = self._books.get(key, LaneBook(None, *key))
                self._books[key] = msgspec.structs.replace(book, announced=state.next)

    def _take_outbox(self, file: OutboxFile) -> None:
        unit = self._unit_of(file)
        for lane in file.lanes:
            key = (unit, lane.epoch, lane.lane)
            book = self._books.get(key, LaneBook(None, *key))
            self._books[key] = msgspec.structs.replace(book, kept=[*book.kept, (file, lane)])
            if lane.next < book.next and book.seen_at < self._now - STILL:
                detail = f"outbox {file.path.name} will give these numbers again"
                self._findings.add(Difference("seq-reset", *key, lane.next, book.next - 1, detail))

    def _unit_of(self, file: OutboxFile) -> str:
        """The unit whose epochs the file has; a file the database has never heard from goes by its name."""
        epochs = {lane.epoch for lane in file.lanes}
        units = {unit for unit, epoch, _ in self._books if epoch in epochs}
        if len(units) > 1:
            self._findings.add(Difference("outbox-shared", ",".join(sorted(units)), detail=file.path.name))
        return min(units, default=file.path.stem)


def _audit_unit(
    connection: Connection,
    unit: str,
    books: list[LaneBook],
    findings: Findings,
    ledger_dir: Path | None,
    unpack: Unpack | None,
) -> UnitReport:
    path = None if ledger_dir is None else ledger_dir / f"{unit}.jsonl"
    frames = FrameSource(connection, books, unpack)
    witness = UnitWitness(unit, findings, frames.load) if path is not None and path.exists() else None
    lane_audit = LaneAudit(connection, findings, witness)
    lanes = [LaneReport(unit, book.epoch, book.lane.value, lane_audit.run(book)) for book in books]
    totals = _sum(lane.totals for lane in lanes)
    if witness is not None and path is not None:
        contentless = _contentless(lanes, waiting=unpack is None)
        if unpack is not None:
            for book in books:
                _show_outbox(connection, book, witness, findings, unpack)
        totals.unread = witness.compare(path, contentless)
    return UnitReport(unit, totals, lanes)


def _contentless(lanes: Iterable[LaneReport], *, waiting: bool) -> dict[str, int]:
    """Per lane, numbers that are accounted for without content to compare; ``waiting``: those in outboxes too."""
    found: dict[str, int] = {}
    for lane in lanes:
        t = lane.totals
        numbers = t.shed + t.gone + t.retired + t.rejected + (t.outbox - t.unacked if waiting else 0)
        found[lane.lane] = found.get(lane.lane, 0) + numbers
    return found


def _show_outbox(
    connection: Connection, book: LaneBook, witness: UnitWitness, findings: Findings, unpack: Unpack
) -> None:
    """Shows the witness the records that only an outbox holds."""
    for file, lane in book.kept:
        for seq, payload in file.payloads(lane, 0, lane.next, unpack):
            if book.id is not None and stored_digest(connection, book.id, seq) is not None:
                continue
            try:
                message = wire.decode(book.lane.channel, payload or b"")
            except wire.WireError:
                message = None
            if not isinstance(message, Observation | Event | WaveFrame):
                base = Difference("outbox-damaged", book.unit, book.epoch, book.lane.value, seq, seq, file.path.name)
                findings.add(base)
                continue
            seqs, times = np.array([seq], np.int64), np.array([message.observed_at], np.int64)
            witness.stored(book, message.device, seqs, times, np.array([digest(message)], np.uint32))


def _check_orphans(connection: Connection, findings: Findings) -> None:
    """Records and blocks of lanes that do not exist."""
    known = select(tables.lane.c.id)
    for table, first, last in (
        (tables.record, tables.record.c.seq, tables.record.c.seq),
        (tables.block, tables.block.c.first_seq, tables.block.c.last_seq),
    ):
        for row in connection.execute(select(first, last).where(table.c.lane_id.not_in(known)).limit(1000)):
            findings.add(Difference("orphan", "", first=row[0], last=row[1], detail=f"in table {table.name}"))


def _check_position(connection: Connection, stream: StreamState | None, findings: Findings) -> None:
    """The position in the log was committed with what was received, and the log has come that far."""
    table = tables.position
    positions = connection.execute(select(table.c.stream_created, table.c.sequence)).all()
    received = connection.execute(select(tables.lane.c.id).where(tables.lane.c.next > 0).limit(1)).first()
    if received is not None and not any(row.sequence > 0 for row in positions):
        findings.add(Difference("position-missing", "", detail="records without a position in the log"))
    for row in positions:
        if stream is not None and row.stream_created == stream.created and row.sequence > stream.last_sequence:
            first, last = stream.last_sequence + 1, row.sequence
            findings.add(Difference("position-beyond-stream", "", first=first, last=last))


def _check_unknown_ledgers(ledger_dir: Path, units: dict[str, list[LaneBook]], findings: Findings) -> None:
    """A simulator that wrote a ledger for a unit nobody knows."""
    for path in sorted(ledger_dir.glob("*.jsonl")):
        if path.stem not in units:
            findings.add(Difference("ledger-unknown-unit", path.stem, detail=path.name))


def _sum(parts: Iterable[Totals]) -> Totals:
    total = Totals()
    for part in parts:
        total.add(part)
    return total
