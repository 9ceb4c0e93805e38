"""Reading what was recorded: rows not yet folded and blocks, as one. Times are event times, on the gateway's clock.

Rows are found by their lane's primary key (a lane holds only the last minutes of rows), blocks by unit, lane and time.
A damaged block is left out and logged: charts show a hole, and ``lastmile audit`` names it.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt
import structlog
from sqlalchemy import Connection, Row, select

from gateway.adapters import blocks, tables
from gateway.contract import wire
from gateway.contract.digest import digest
from gateway.contract.envelope import Instant, Lane
from gateway.contract.observation import Event, Observation
from gateway.contract.quantity import LEADS
from gateway.contract.waveform import WaveFrame
from gateway.ports import RecordFlag

PRACTICE: Final = RecordFlag.TEST | RecordFlag.SERVICE
LONGEST_BLOCK: Final = 3_600_000_000  # us; windows are ten minutes, a frame of slow samples may stick out
AnyRow = Row[*tuple[Any, ...]]
_LEAD_ORDER: Final = {name: number for number, name in enumerate(LEADS)}
_log = structlog.get_logger("history")


class Stored(msgspec.Struct, frozen=True, gc=False):
    """One record of the past: what a row says, wherever it lies now."""

    lane_id: int
    seq: int
    device: str
    event_at: Instant
    received_at: Instant
    flags: int
    payload: bytes


# ---- records of a unit in a span of time ----------------------------------------------------------------------------


def unfolded(
    connection: Connection, unit: str, lane: Lane, start: Instant, end: Instant, device: str | None = None
) -> Iterator[Stored]:
    """Rows with ``start <= event_at < end``, by lane and number."""
    record, of = tables.record, tables.lane
    query = (
        select(*(record.c[name] for name in Stored.__struct_fields__))
        .join_from(of, record, record.c.lane_id == of.c.id)
        .where(of.c.unit == unit, of.c.lane == lane.value, record.c.event_at >= start, record.c.event_at < end)
        .order_by(record.c.lane_id, record.c.seq)
    )
    if device is not None:
        query = query.where(record.c.device == device)
    return (Stored(*row) for row in connection.execute(query))


def blocks_of(
    connection: Connection, unit: str, lane: Lane, start: Instant, end: Instant, device: str | None = None
) -> Iterator[AnyRow]:
    """Rows of table block that touch the span, oldest first, without their data."""
    block = tables.block
    query = (
        select(*(column for column in block.c if column.name != "data"))
        .where(block.c.unit == unit, block.c.lane == lane.value)
        .where(block.c.start_at > start - LONGEST_BLOCK, block.c.start_at < end, block.c.end_at >= start)
        .order_by(block.c.start_at)
    )
    if device is not None:
        query = query.where(block.c.device == device)
    return iter(connection.execute(query))


def opened(connection: Connection, block: AnyRow) -> list[Stored]:
    """The records of one block; none when it is damaged, or was deleted by retention just now."""
    data = connection.execute(select(tables.block.c.data).where(tables.block.c.id == block.id)).scalar()
    if data is None:
        return []
    try:
        rows = blocks.unfold(block.lane_id, Lane(block.lane), block.device, block.header, data)
    except blocks.BlockError as error:
        _log.error("damaged-block", block=block.id, unit=block.unit, error=str(error))
        return []
    return [Stored(r.lane_id, r.seq, r.device, r.event_at, r.received_at, r.flags, r.payload) for r in rows]


def records(
    connection: Connection, unit: str, lane: Lane, start: Instant, end: Instant, device: str | None = None
) -> Iterator[Stored]:
    """Every record with ``start <= event_at < end``: blocks first, then rows."""
    for block in blocks_of(connection, unit, lane, start, end, device):
        yield from (one for one in opened(connection, block) if start <= one.event_at < end)
    yield from unfolded(connection, unit, lane, start, end, device)


def stored_digest(connection: Connection, lane_id: int, seq: int) -> int | None:
    """The content digest (gateway.contract.digest) of a stored record.

    None when neither a row nor a block holds it in readable form: then nobody can say whether a repeat differs.
    """
    record, block = tables.record, tables.block
    found = connection.execute(
        select(record.c.payload, tables.lane.c.lane)
        .join(tables.lane, tables.lane.c.id == record.c.lane_id)
        .where(record.c.lane_id == lane_id, record.c.seq == seq)
    ).first()
    if found is not None:
        return _digest(Lane(found.lane), found.payload)
    headers = connection.execute(
        select(block.c.id, block.c.header)
        .where(block.c.lane_id == lane_id, block.c.first_seq <= seq, block.c.last_seq >= seq)
        .order_by(block.c.first_seq.desc())
    )
    return next((d for row in headers if (d := _digest_in(row, seq)) is not None), None)


def _digest(lane: Lane, payload: bytes) -> int | None:
    try:
        message = wire.decode(lane.channel, payload)
        return digest(message) if isinstance(message, Observation | Event | WaveFrame) else None
    except wire.WireError as error:
        _log.error("damaged-record", lane=lane.value, error=str(error))
        return None


def _digest_in(block: AnyRow, seq: int) -> int | None:
    try:
        return blocks.read_header(block.header).digest_of(seq)
    except blocks.BlockError as error:
        _log.error("damaged-block", block=block.id, error=str(error))
        return None


def messages(lane: Lane, found: Iterable[Stored]) -> Iterator[tuple[Stored, wire.Message]]:
    """Records with what their payloads say; one that the disk has damaged is left out and logged."""
    for one in found:
        try:
            yield one, wire.decode(lane.channel, one.payload)
        except wire.WireError as error:
            _log.error("damaged-record", lane_id=one.lane_id, seq=one.seq, error=str(error))


# ---- numerics -------------------------------------------------------------------------------------------------------


def latest(connection: Connection, unit: str) -> list[dict[str, Any]]:
    """The last value of every quantity of every device of the unit."""
    table = tables.latest
    query = (
        select(
            table.c.device, table.c.quantity, table.c.value, table.c.event_at.label("at"), table.c.received_at,
            table.c.derived,
        )
        .where(table.c.unit == unit)
        .order_by(table.c.device, table.c.quantity)
    )  # fmt: skip
    return [dict(row._mapping) for row in connection.execute(query)]  # noqa: SLF001  SQLAlchemy's public name for it


def points(
    connection: Connection, unit: str, quantity: str, start: Instant, end: Instant, device: str | None = None
) -> list[dict[str, Any]]:
    """Every plausible value with ``start <= at < end``, oldest first: at, received_at, device, value, test."""
    found = [
        {
            "at": one.event_at, "received_at": one.received_at, "device": one.device, "value": value,
            "test": bool(one.flags & RecordFlag.TEST),
        }
        for one, value in _values(records(connection, unit, Lane.OBS, start, end, device), quantity)
    ]  # fmt: skip
    return sorted(found, key=lambda point: (point["at"], point["value"]))


def series(
    connection: Connection, unit: str, quantity: str, start: Instant, end: Instant, step: int, device: str | None = None
) -> list[dict[str, Any]]:
    """Plausible values by step of ``step`` us counted from 1970: {"at": start of step, "n", "min", "max", "mean"}.

    A block that lies wholly in one step and in the span is read from its header. ``step`` 0: ``points``.
    """
    if step <= 0:
        return points(connection, unit, quantity, start, end, device)
    steps: dict[int, blocks.Signal] = {}
    for at, signal in _signals(connection, unit, quantity, start, end, step, device):
        number = at // step
        steps[number] = blocks.merge(steps[number], signal) if number in steps else signal
    return [
        {"at": number * step, "n": one.n, "min": one.min, "max": one.max, "mean": one.sum / one.n}
        for number, one in sorted(steps.items())
    ]


def _signals(
    connection: Connection, unit: str, quantity: str, start: Instant, end: Instant, step: int, device: str | None
) -> Iterator[tuple[Instant, blocks.Signal]]:
    for block in blocks_of(connection, unit, Lane.OBS, start, end, device):
        inside = start <= block.start_at and block.end_at < end and block.start_at // step == block.end_at // step
        if inside and (summary := _summary(block)) is not None:
            yield from ((block.start_at, one) for one in summary if one.name == quantity)
        else:
            within = (one for one in opened(connection, block) if start <= one.event_at < end)
            yield from _single(_values(within, quantity), quantity)
    yield from _single(_values(unfolded(connection, unit, Lane.OBS, start, end, device), quantity), quantity)


def _summary(block: AnyRow) -> list[blocks.Signal] | None:
    """None when some of the block was measured in service mode: it must be opened to leave that out."""
    try:
        header = blocks.read_header(block.header)
        return None if (header.column("flags") & RecordFlag.SERVICE).any() else header.signals
    except blocks.BlockError as error:
        _log.error("damaged-block", block=block.id, unit=block.unit, error=str(error))
        return []


def _single(values: Iterable[tuple[Stored, float]], quantity: str) -> Iterator[tuple[Instant, blocks.Signal]]:
    return ((one.event_at, blocks.Signal(quantity, 1, value, value, value)) for one, value in values)


def _values(found: Iterable[Stored], quantity: str) -> Iterator[tuple[Stored, float]]:
    """Values of a quantity; what a device in service mode said of it is no measurement."""
    for one, message in messages(Lane.OBS, (one for one in found if not one.flags & RecordFlag.SERVICE)):
        value = message.values.get(quantity) if isinstance(message, Observation) else None
        if value is not None and blocks.plausible(quantity, value):
            yield one, value


# ---- waveforms ------------------------------------------------------------------------------------------------------


class Segment(msgspec.Struct, frozen=True):
    """An unbroken run of samples: nothing missing inside, something missing (or other settings) on either side.

    ``samples``: (len(leads), n) int16; physical value = sample x ``scale``. ``n0``: number of the first sample.
    ``leads`` come in the order of the contract's table.
    """

    start_at: Instant
    fs: float
    scale: float
    leads: tuple[str, ...]
    n0: int
    samples: npt.NDArray[np.int16]
    filter: str  # as the device says it
    practice: bool  # of a training, or of a device in service or test: nobody's


class _Frame(msgspec.Struct, frozen=True):
    """A frame as the device made it: of one record, or of the two that a weak link makes of it."""

    lane_id: int
    event_at: Instant
    observed_at: Instant
    n0: int
    fs: float
    scale: float
    filter: str
    practice: bool
    rows: dict[str, npt.NDArray[np.int16]]  # lead: samples, all of one length

    @property
    def n(self) -> int:
        return len(next(iter(self.rows.values())))


class _Piece(msgspec.Struct, frozen=True):
    """One frame's part inside the window. ``key``: pieces of one segment have it in common."""

    key: tuple[int, float, float, tuple[str, ...], str, bool]
    n0: int
    at: Instant
    samples: npt.NDArray[np.int16]


def waveform(
    connection: Connection,
    unit: str,
    device: str,
    start: Instant,
    end: Instant,
    leads: Sequence[str] | None = None,
) -> list[Segment]:
    """The samples taken in ``start <= t < end``, oldest segment first; ``leads`` None = all the device has.

    Pieces are joined where their sample numbers follow on each other, never across a gap; a sample that was
    recorded twice comes once. What a weak link carried as lead II and the other leads is one again, where both came.
    """
    early = start - LONGEST_BLOCK  # a frame that began before the window may reach into it
    frames: list[_Frame] = []
    for block in blocks_of(connection, unit, Lane.WAVE, start, end, device):
        frames += _frames(opened(connection, block))
    frames += _frames(unfolded(connection, unit, Lane.WAVE, early, end, device))
    found = [piece for frame in _whole(frames) if (piece := _cut(frame, start, end, leads)) is not None]
    segments: list[list[_Piece]] = []
    for piece in sorted(found, key=lambda piece: (piece.key, piece.n0)):
        _append(segments, piece)
    return sorted((_segment(pieces) for pieces in segments), key=lambda segment: segment.start_at)


def _frames(found: Iterable[Stored]) -> Iterator[_Frame]:
    for one, frame in messages(Lane.WAVE, found):
        if isinstance(frame, WaveFrame) and frame.n:
            samples = np.frombuffer(frame.samples, "<i2").reshape(len(frame.leads), -1)
            rows = dict(zip(frame.leads, samples, strict=True))
            yield _Frame(
                one.lane_id, one.event_at, frame.observed_at, frame.n0, frame.fs, frame.scale, frame.filter,
                bool(one.flags & PRACTICE), rows,
            )  # fmt: skip


def _whole(frames: Iterable[_Frame]) -> list[_Frame]:
    """Frames with the halves that a weak link made put together: the same samples in time, other leads.

    The halves lie in two lanes. The whole counts to the older one, which the agent began with whole frames; so it
    follows on what was sent before and after the link was weak.
    """
    found: dict[tuple[int, Instant, float, float, int], list[_Frame]] = {}
    for frame in sorted(frames, key=lambda frame: frame.lane_id):
        same = found.setdefault((frame.n0, frame.observed_at, frame.fs, frame.scale, frame.n), [])
        at = next((at for at, other in enumerate(same) if _complement(other, frame)), None)
        if at is None:
            same.append(frame)
        else:
            same[at] = msgspec.structs.replace(same[at], rows=same[at].rows | frame.rows)
    return [frame for same in found.values() for frame in same]


def _complement(one: _Frame, other: _Frame) -> bool:
    return one.lane_id != other.lane_id and one.rows.keys().isdisjoint(other.rows)


def _cut(frame: _Frame, start: Instant, end: Instant, wanted: Sequence[str] | None) -> _Piece | None:
    """The frame's samples in ``start <= t < end`` of the wanted leads; None when there are none."""
    first = max(0, _ceil((start - frame.event_at) * frame.fs / 1e6))
    last = min(frame.n, _ceil((end - frame.event_at) * frame.fs / 1e6))
    names = [name for name in frame.rows if wanted is None or name in wanted]
    if first >= last or not names:
        return None
    names.sort(key=lambda name: _LEAD_ORDER.get(name, len(_LEAD_ORDER)))
    samples = np.array([frame.rows[name][first:last] for name in names])
    key = (frame.lane_id, frame.fs, frame.scale, tuple(names), frame.filter, frame.practice)
    return _Piece(key, frame.n0 + first, frame.event_at + round(first * 1e6 / frame.fs), samples)


def _ceil(value: float) -> int:
    return -int(-value // 1)


def _append(segments: list[list[_Piece]], piece: _Piece) -> None:
    """Puts the piece behind the last segment, less what that holds already, or starts a new one."""
    if segments and segments[-1][0].key == piece.key:
        last = segments[-1][-1]
        known = last.n0 + last.samples.shape[1] - piece.n0
        if known >= piece.samples.shape[1]:
            return
        if known >= 0:
            segments[-1].append(msgspec.structs.replace(piece, n0=piece.n0 + known, samples=piece.samples[:, known:]))
            return
    segments.append([piece])


def _segment(pieces: list[_Piece]) -> Segment:
    first = pieces[0]
    _, fs, scale, leads, band, practice = first.key
    samples = np.ascontiguousarray(np.concatenate([piece.samples for piece in pieces], axis=1), dtype=np.int16)
    return Segment(first.at, fs, scale, leads, first.n0, samples, band, practice)


def recent_frames(connection: Connection, unit: str, since: Instant) -> list[bytes]:
    """Waveform frames as the agent published them with ``event_at >= since``, oldest first: what a new screen shows."""
    found = unfolded(connection, unit, Lane.WAVE, since, 2**62)
    return [one.payload for one in sorted(found, key=lambda one: one.event_at)]


# ---- events ---------------------------------------------------------------------------------------------------------


def events(connection: Connection, unit: str, start: Instant, end: Instant) -> list[dict[str, Any]]:
    """What happened in ``start <= at < end``, oldest first: at, received_at, device, name, details, late."""
    found = messages(Lane.EVENT, records(connection, unit, Lane.EVENT, start, end))
    return sorted((happening(one, said) for one, said in found if isinstance(said, Event)), key=lambda row: row["at"])


def happening(one: Stored, event: Event) -> dict[str, Any]:
    """An event as it is told."""
    return {
        "at": one.event_at,
        "received_at": one.received_at,
        "device": one.device,
        "name": event.name,
        "details": event.details,
        "late": bool(one.flags & RecordFlag.LATE),
        "test": bool(one.flags & RecordFlag.TEST),
    }
