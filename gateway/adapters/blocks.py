"""A closed window of one lane and device as one block: folded, it opens bit-exact to the same rows.

What makes a record differ from its neighbour (number, times, sample counter, samples) is taken out of the payload and
kept in columns; what is left is the *template*: a handful for waveforms, the values for numerics. A payload that the
contract's encoder would not write byte for byte is kept as it came (spliced around its samples, or verbatim).

The header tells without opening the data: how many, from when, n / min / max / sum of every signal, and a digest of
every record, so that a late duplicate is told from a conflict.
"""

from collections.abc import Sequence
from enum import IntEnum
from functools import lru_cache
from typing import Any, Final
from zlib import crc32

import msgspec
import numpy as np
import zstandard

from gateway.adapters.samples import Integers, Samples, pack_integers, pack_leads, unpack_integers, unpack_leads
from gateway.contract import wire
from gateway.contract.digest import digest
from gateway.contract.envelope import Instant, Lane
from gateway.contract.observation import Event, Observation
from gateway.contract.quantity import QUANTITIES
from gateway.contract.waveform import NO_SAMPLE, WaveFrame
from gateway.ports import RecordRow

CODEC: Final = "lm-pco-1"  # written into block.codec; every released codec is opened for ever


class BlockError(ValueError):
    """The bytes are not a block, or were damaged: what they hold cannot be trusted."""


class Signal(msgspec.Struct, frozen=True, array_like=True):
    """One quantity (its unit) or lead (physical value): what a chart needs without opening the data."""

    name: str
    n: int
    min: float
    max: float
    sum: float


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """Everything but the payloads. Columns are compressed int64, one value a record, in seq order."""

    records: int
    epoch: str  # as the payloads say; "" when they cannot be read or differ
    signals: list[Signal]
    seq: bytes
    observed_at: bytes
    event_at: bytes
    received_at: bytes
    flags: bytes
    digests: bytes  # uint32 little-endian each, gateway.contract.digest
    content: int  # CRC-32 of the open rows
    data: int  # CRC-32 of the block's data

    def column(self, name: str) -> Integers:
        """``seq``, ``observed_at``, ``event_at``, ``received_at`` or ``flags``: (records,) int64."""
        return unpack_integers(getattr(self, name), self.records)

    def digest_of(self, seq: int) -> int | None:
        """Digest of one record; None when the block does not hold it."""
        column = self.column("seq")
        at = int(np.searchsorted(column, seq))
        if at == len(column) or column[at] != seq:
            return None
        return int.from_bytes(self.digests[4 * at : 4 * at + 4], "little")


class _Sealed(msgspec.Struct, frozen=True, array_like=True):
    crc: int
    body: bytes


class _Kind(IntEnum):
    CANONICAL = 0  # template = the message with number, time, counter and samples blank
    VERBATIM = 1  # template = the payload
    SPLICED = 2  # template = [what stands before the samples, what stands behind them]


class _Shape(msgspec.Struct, frozen=True, array_like=True):
    leads: tuple[str, ...]
    n: int  # samples per lead and record
    records: int
    streams: list[bytes]


class _Body(msgspec.Struct, frozen=True, kw_only=True):
    templates: bytes  # zstd of a MessagePack list
    template: bytes  # column: index into templates
    kinds: bytes  # zstd, one byte a record
    n0: bytes = b""
    shape: bytes = b""  # column: index into shapes, -1 = no samples taken out
    shapes: list[_Shape] = []


class Folded(msgspec.Struct, frozen=True, kw_only=True):
    """A block ready for its row."""

    first_seq: int
    last_seq: int
    records: int
    start_at: Instant
    end_at: Instant
    header: bytes
    data: bytes


class _Part(msgspec.Struct, frozen=True):
    """One record taken apart."""

    kind: _Kind
    template: bytes
    digest: int
    message: wire.Message | None

    @property
    def frame(self) -> WaveFrame | None:
        """The frame whose samples were taken out, if they were."""
        return self.message if isinstance(self.message, WaveFrame) and self.kind is not _Kind.VERBATIM else None


_encode = msgspec.msgpack.Encoder().encode
_compress = zstandard.ZstdCompressor(level=9).compress


# ---- folding --------------------------------------------------------------------------------------------------------


def fold(lane: Lane, rows: Sequence[RecordRow]) -> Folded:
    """One block of rows of one lane and device, given in seq order (at least one)."""
    parts = [_take_apart(lane, row) for row in rows]
    data = _encode(_body(parts))
    header = Header(
        records=len(rows),
        epoch=_epoch(parts),
        signals=_signals(parts),
        **{name: pack_integers(_column(rows, name)) for name in _COLUMNS},
        digests=np.array([part.digest for part in parts], "<u4").tobytes(),
        content=_content(rows),
        data=crc32(data),
    )
    body = _encode(header)
    return Folded(
        first_seq=rows[0].seq,
        last_seq=rows[-1].seq,
        records=len(rows),
        start_at=min(row.event_at for row in rows),
        end_at=max(_end_at(row, part.message) for row, part in zip(rows, parts, strict=True)),
        header=_encode(_Sealed(crc32(body), body)),
        data=data,
    )


_COLUMNS: Final = ("seq", "observed_at", "event_at", "received_at", "flags")


def _epoch(parts: Sequence[_Part]) -> str:
    epochs = {getattr(part.message, "epoch", "") for part in parts}
    return epochs.pop() if len(epochs) == 1 else ""


def _column(rows: Sequence[RecordRow], name: str) -> Integers:
    return np.array([getattr(row, name) for row in rows], np.int64)


def _content(rows: Sequence[RecordRow]) -> int:
    """CRC-32 over everything a row says except its lane and device, which the block's own row says."""
    crc = 0
    for row in rows:
        crc = crc32(b"%d %d %d %d %d " % (row.seq, row.observed_at, row.event_at, row.received_at, row.flags), crc)
        crc = crc32(row.payload, crc)
    return crc


def _take_apart(lane: Lane, row: RecordRow) -> _Part:
    try:
        message = wire.decode(lane.channel, row.payload)
    except wire.WireError:
        return _Part(_Kind.VERBATIM, row.payload, crc32(row.payload), None)
    if not isinstance(message, Observation | Event | WaveFrame):
        return _Part(_Kind.VERBATIM, row.payload, crc32(row.payload), None)
    template = wire.encode(_fill(message, 0, 0, 0, b""))
    if wire.encode(_fill(message, row.seq, row.observed_at, getattr(message, "n0", 0), None)) == row.payload:
        return _Part(_Kind.CANONICAL, template, digest(message), message)
    if isinstance(message, WaveFrame) and (at := row.payload.find(message.samples)) >= 0:
        ends = [row.payload[:at], row.payload[at + len(message.samples) :]]
        return _Part(_Kind.SPLICED, _encode(ends), digest(message), message)
    return _Part(_Kind.VERBATIM, row.payload, digest(message), message)


def _fill(message: Any, seq: int, observed_at: Instant, n0: int, samples: bytes | None) -> Any:
    """The message with its number, time and (of a frame) counter and samples replaced; samples None = as they are."""
    if not isinstance(message, WaveFrame):
        return msgspec.structs.replace(message, seq=seq, observed_at=observed_at)
    kept = message.samples if samples is None else samples
    return msgspec.structs.replace(message, seq=seq, observed_at=observed_at, n0=n0, samples=kept)


def _body(parts: Sequence[_Part]) -> _Body:
    known: dict[bytes, int] = {}
    index = [known.setdefault(part.template, len(known)) for part in parts]
    body = _Body(
        templates=_compress(_encode(list(known))),
        template=pack_integers(np.array(index, np.int64)),
        kinds=_compress(bytes(part.kind for part in parts)),
    )
    if all(part.frame is None for part in parts):
        return body
    groups = _by_shape(parts)
    place = {key: number for number, key in enumerate(groups)}
    shape = [-1 if part.frame is None else place[_shape_key(part.frame)] for part in parts]
    n0 = [0 if part.frame is None else part.frame.n0 for part in parts]
    return msgspec.structs.replace(
        body,
        n0=pack_integers(np.array(n0, np.int64)),
        shape=pack_integers(np.array(shape, np.int64)),
        shapes=[
            _Shape(leads, n, len(frames), pack_leads(leads, _join(frames))) for (leads, n), frames in groups.items()
        ],
    )


def _shape_key(frame: WaveFrame) -> tuple[tuple[str, ...], int]:
    return tuple(frame.leads), frame.n


def _by_shape(parts: Sequence[_Part]) -> dict[tuple[tuple[str, ...], int], list[WaveFrame]]:
    groups: dict[tuple[tuple[str, ...], int], list[WaveFrame]] = {}
    for part in parts:
        if part.frame is not None:
            groups.setdefault(_shape_key(part.frame), []).append(part.frame)
    return groups


def _join(frames: Sequence[WaveFrame]) -> Samples:
    """(leads, frames x n) int16: each lead's samples of all frames, one after another."""
    leads = len(frames[0].leads)
    stacked = np.frombuffer(b"".join(frame.samples for frame in frames), "<i2").reshape(len(frames), leads, -1)
    return np.ascontiguousarray(stacked.transpose(1, 0, 2)).reshape(leads, -1).astype(np.int16, copy=False)


def _end_at(row: RecordRow, message: wire.Message | None) -> Instant:
    return row.event_at + (message.end_at - message.observed_at if isinstance(message, WaveFrame) else 0)


# ---- statistics -----------------------------------------------------------------------------------------------------


def plausible(quantity: str, value: float | None) -> bool:
    """Whether a chart may show the value: measured, and inside the quantity's plausible range."""
    row = QUANTITIES.get(quantity)
    return row is not None and value is not None and row.low <= value <= row.high


def _signals(parts: Sequence[_Part]) -> list[Signal]:
    values: dict[str, list[float]] = {}
    for part in parts:
        if isinstance(part.message, Observation):
            for name, value in part.message.values.items():
                if value is not None and plausible(name, value):
                    values.setdefault(name, []).append(value)
    found = [Signal(name, len(v), min(v), max(v), sum(v)) for name, v in values.items()]
    return found + _lead_signals([part.message for part in parts if isinstance(part.message, WaveFrame)])


def _lead_signals(frames: Sequence[WaveFrame]) -> list[Signal]:
    found: dict[str, Signal] = {}
    groups: dict[tuple[tuple[str, ...], int, float], list[WaveFrame]] = {}
    for frame in frames:
        groups.setdefault((*_shape_key(frame), frame.scale), []).append(frame)
    for (leads, _, scale), group in groups.items():
        for name, samples in zip(leads, _join(group), strict=True):
            measured = samples[samples != NO_SAMPLE]
            if measured.size:
                low, high = float(measured.min()) * scale, float(measured.max()) * scale
                signal = Signal(name, int(measured.size), low, high, float(measured.sum(dtype=np.int64)) * scale)
                found[name] = merge(found[name], signal) if name in found else signal
    return list(found.values())


def merge(one: Signal, other: Signal) -> Signal:
    """The statistics of both together."""
    return Signal(one.name, one.n + other.n, min(one.min, other.min), max(one.max, other.max), one.sum + other.sum)


# ---- opening --------------------------------------------------------------------------------------------------------

_sealed = msgspec.msgpack.Decoder(_Sealed)
_header = msgspec.msgpack.Decoder(Header)
_bodies = msgspec.msgpack.Decoder(_Body)
_lists = msgspec.msgpack.Decoder(list[bytes])


def read_header(data: bytes) -> Header:
    """The header of a block.

    Raises:
        BlockError: it was damaged.
    """
    try:
        sealed = _sealed.decode(data)
        if crc32(sealed.body) != sealed.crc:
            raise BlockError("header: checksum")
        return _header.decode(sealed.body)
    except msgspec.DecodeError as error:
        raise BlockError(f"header: {error}") from error


def unfold(lane_id: int, lane: Lane, device: str, header: bytes, data: bytes) -> list[RecordRow]:
    """The rows the block was folded from, in seq order.

    Raises:
        BlockError: header or data were damaged. Checksums are compared before anything is decompressed.
    """
    head = read_header(header)
    if crc32(data) != head.data:
        raise BlockError("data: checksum")
    columns = [head.column(name).tolist() for name in _COLUMNS]
    payloads = _payloads(lane, head.records, _bodies.decode(data), columns[0], columns[1])
    rows = [
        RecordRow(lane_id, seq, device, observed_at, event_at, received_at, flags, payload)
        for seq, observed_at, event_at, received_at, flags, payload in zip(*columns, payloads, strict=True)
    ]
    if _content(rows) != head.content:
        raise BlockError("content: checksum")
    return rows


def _payloads(lane: Lane, count: int, body: _Body, seqs: list[int], times: list[int]) -> list[bytes]:
    unpack = zstandard.ZstdDecompressor().decompress
    templates = _lists.decode(unpack(body.templates))
    index = unpack_integers(body.template, count).tolist()
    n0, samples = _samples(body, count)
    return [
        _put_together(lane, kind, templates[index[at]], seqs[at], times[at], n0[at], samples[at])
        for at, kind in enumerate(unpack(body.kinds))
    ]


def _put_together(lane: Lane, kind: int, template: bytes, seq: int, at: int, n0: int, samples: bytes) -> bytes:
    match kind:
        case _Kind.VERBATIM:
            return template
        case _Kind.SPLICED:
            return samples.join(_lists.decode(template))
        case _:
            return wire.encode(_fill(_template(lane, template), seq, at, n0, samples))


_BLANK: Final[dict[Lane, Any]] = {
    Lane.OBS: msgspec.json.Decoder(Observation),
    Lane.EVENT: msgspec.json.Decoder(Event),
    Lane.WAVE: msgspec.msgpack.Decoder(WaveFrame),
}


@lru_cache(maxsize=256)
def _template(lane: Lane, template: bytes) -> Any:
    """The blank message: not through ``wire.decode``, which rightly refuses a frame without samples."""
    return _BLANK[lane].decode(template)


def _samples(body: _Body, count: int) -> tuple[list[int], list[bytes]]:
    """Sample counter and samples of every record; 0 and b"" where none were taken out."""
    if not body.shapes:
        return [0] * count, [b""] * count
    queues = [iter(_frames(shape)) for shape in body.shapes]
    shapes = unpack_integers(body.shape, count).tolist()
    return unpack_integers(body.n0, count).tolist(), [b"" if at < 0 else next(queues[at]) for at in shapes]


def _frames(shape: _Shape) -> list[bytes]:
    leads = unpack_leads(shape.leads, shape.streams, shape.records * shape.n)
    stacked = leads.reshape(len(shape.leads), shape.records, shape.n).transpose(1, 0, 2)
    return [frame.astype("<i2").tobytes() for frame in stacked]
