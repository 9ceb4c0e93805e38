"""Multi-parameter patient monitor on a serial line or TCP: protocol LMM-1.

A frame, little-endian throughout::

    A5 5A | type u8 | flags u8 | sequence u16 | payload length u16 | header check u16 | payload | check u16

Header check: CRC-16/CCITT-FALSE of the 8 bytes before it, so that a damaged length cannot swallow good frames.
Check: the same CRC of the payload, started with the header check, so that a payload cannot move to another header.
Flags bit 0: the monitor is in demonstration or calibration mode. Every payload starts with the monitor's own time
(i64, us since 1970, of the first sample for signals).

Source: this project's own protocol (there is no open one all monitors speak); the tables below are its definition.
"""

import struct
from binascii import crc_hqx
from collections.abc import Callable
from enum import IntEnum
from typing import Any, Final, NamedTuple

from edge_agents.device import FrameError, FrameReason, Numeric, Occurrence, Reading, Waveform, Yields
from edge_agents.protocol import Stream
from gateway.contract.envelope import Instant
from gateway.contract.quantity import ECG_LEADS_12, QUANTITIES
from gateway.contract.waveform import NO_SAMPLE

KIND: Final = "patient_monitor"
PROTOCOL: Final = Stream()
SYNC: Final = b"\xa5\x5a"
MAX_PAYLOAD: Final = 8192
FLAG_TEST: Final = 0x01

_HEADER: Final = struct.Struct("<2sBBHHH")
_CHECK: Final = struct.Struct("<H")
_WAVE: Final = struct.Struct("<qQHHH")  # time, number of first sample, samples/s, samples per lead, leads that are off
_EVENT: Final = struct.Struct("<qBBHq")  # time, code, priority, lead mask, argument
_TIME_LIMIT: Final = 2**62
_NO_SAMPLE_BYTES: Final = struct.pack("<h", NO_SAMPLE)


class FrameType(IntEnum):
    """What a payload holds."""

    NUMERICS = 1
    NIBP = 2
    ECG = 3
    PLETH = 4
    EVENT = 5


class Field(NamedTuple):
    """One u16 of a numeric frame: value = raw / divisor in the quantity's unit."""

    quantity: str
    divisor: int


NUMERIC_LAYOUT: Final[dict[int, tuple[Field, ...]]] = {
    FrameType.NUMERICS: (
        Field("heart-rate", 1),
        Field("pulse-rate", 1),
        Field("spo2", 10),
        Field("perfusion-index", 100),
        Field("resp-rate", 1),
        Field("etco2", 10),
        Field("temperature", 100),
    ),
    FrameType.NIBP: (Field("bp-systolic", 1), Field("bp-diastolic", 1), Field("bp-mean", 1)),
}
NOT_FITTED: Final = 0xFFFC  # the monitor has no such sensor: the quantity is not in the reading at all
SPECIAL: Final = {0xFFFF: "no-measurement", 0xFFFE: "sensor-off", 0xFFFD: "searching", 0xFFFB: "out-of-range"}


class Signal(NamedTuple):
    """One sampled frame type. A bit of the off mask per lead, lowest bit first."""

    leads: tuple[str, ...]
    scale: float  # physical value of one step, in the lead's unit
    filter: str


SIGNAL_LAYOUT: Final[dict[int, Signal]] = {
    FrameType.ECG: Signal(ECG_LEADS_12, 0.0025, "0.05-150 Hz"),
    FrameType.PLETH: Signal(("pleth",), 0.001, ""),
}

ALARMS: Final = {
    1: "asystole",
    2: "ventricular-fibrillation",
    3: "apnoea",
    4: "spo2-low",
    5: "heart-rate-high",
    6: "heart-rate-low",
}
SENSORS: Final = {1: "spo2", 2: "temperature", 3: "nibp", 4: "resp"}
PRIORITIES: Final = {0: "low", 1: "medium", 2: "high"}


class Detail(NamedTuple):
    """How an event's (priority, mask, argument) become details, and back."""

    read: Callable[[int, int, int], dict[str, Any]]
    write: Callable[[dict[str, Any]], tuple[int, int, int]]


def _code(table: dict[int, str], name: object) -> int:
    return next(code for code, known in table.items() if known == name)


def _lead_mask(names: list[str]) -> int:
    return sum(1 << ECG_LEADS_12.index(name) for name in names)


_LEADS = Detail(
    lambda _, mask, __: {"leads": [lead for bit, lead in enumerate(ECG_LEADS_12) if mask >> bit & 1]},
    lambda details: (0, _lead_mask(details["leads"]), 0),
)
_ALARM = Detail(
    lambda priority, _, code: {"alarm": ALARMS[code], "priority": PRIORITIES[priority]},
    lambda details: (_code(PRIORITIES, details["priority"]), 0, _code(ALARMS, details["alarm"])),
)
_SENSOR = Detail(
    lambda _, __, code: {"sensor": SENSORS[code]},
    lambda details: (0, 0, _code(SENSORS, details["sensor"])),
)
_STEP = Detail(lambda _, __, step: {"step": step}, lambda details: (0, 0, details["step"]))

EVENT_LAYOUT: Final[dict[int, tuple[str, Detail]]] = {
    1: ("lead-off", _LEADS),
    2: ("lead-on", _LEADS),
    3: ("sensor-off", _SENSOR),
    4: ("sensor-on", _SENSOR),
    5: ("device-alarm-on", _ALARM),
    6: ("device-alarm-off", _ALARM),
    7: ("clock-set", _STEP),  # step in us the monitor's clock was moved by
}


YIELDS: Final = Yields(
    quantities=tuple(field.quantity for fields in NUMERIC_LAYOUT.values() for field in fields),
    leads=tuple(lead for signal in SIGNAL_LAYOUT.values() for lead in signal.leads),
    events=tuple(name for name, _ in EVENT_LAYOUT.values()),
)


class _NumericCodec(NamedTuple):
    """A numeric frame type made ready: its struct and, per field, the raw values that are plausible."""

    packing: struct.Struct
    fields: tuple[tuple[str, int, int, int], ...]  # quantity, divisor, lowest raw, highest raw


def _ready(fields: tuple[Field, ...]) -> _NumericCodec:
    rows = tuple(
        (name, divisor, round(QUANTITIES[name].low * divisor), round(QUANTITIES[name].high * divisor))
        for name, divisor in fields
    )
    return _NumericCodec(struct.Struct(f"<q{len(fields)}H"), rows)


_NUMERIC: Final = {kind: _ready(fields) for kind, fields in NUMERIC_LAYOUT.items()}
_EVENT_CODES: Final = {name: code for code, (name, _) in EVENT_LAYOUT.items()}


def encode(reading: Reading, sequence: int = 0) -> bytes:
    """The frame a monitor sends for a reading.

    Raises:
        ValueError: the layout has no place for the reading's quantities, leads, event or value.
    """
    try:
        kind, payload = _payload(reading)
    except (struct.error, KeyError, StopIteration, OverflowError) as error:
        raise ValueError(f"{reading!r} does not fit LMM-1: {error!r}") from error
    head = _HEADER.pack(SYNC, kind, FLAG_TEST * reading.test, sequence % 65536, len(payload), 0)[:-2]
    header_check = crc_hqx(head, 0xFFFF)
    return b"".join((head, _CHECK.pack(header_check), payload, _CHECK.pack(crc_hqx(payload, header_check))))


def _payload(reading: Reading) -> tuple[int, bytes]:
    match reading:
        case Numeric():
            return _numeric_payload(reading)
        case Waveform():
            return _wave_payload(reading)
        case Occurrence():
            code = _EVENT_CODES[reading.name]
            priority, mask, argument = EVENT_LAYOUT[code][1].write(reading.details)
            return FrameType.EVENT, _EVENT.pack(reading.observed_at, code, priority, mask, argument)


def _numeric_payload(reading: Numeric) -> tuple[int, bytes]:
    kind = next(
        kind for kind, fields in NUMERIC_LAYOUT.items() if {f.quantity for f in fields} >= reading.values.keys()
    )
    raw = [_raw(reading, quantity, divisor) for quantity, divisor in NUMERIC_LAYOUT[kind]]
    return kind, _NUMERIC[kind].packing.pack(reading.observed_at, *raw)


def _raw(reading: Numeric, quantity: str, divisor: int) -> int:
    if quantity not in reading.values:
        return NOT_FITTED
    value = reading.values[quantity]
    if value is None:
        return _code(SPECIAL, reading.invalid.get(quantity, "no-measurement"))
    raw = round(value * divisor)
    if raw >= min(SPECIAL):
        raise ValueError(f"{quantity} {value} is too large for its field")
    return raw


def _wave_payload(wave: Waveform) -> tuple[int, bytes]:
    kind = next(kind for kind, signal in SIGNAL_LAYOUT.items() if signal.leads == wave.leads)
    row, rest = divmod(len(wave.samples), len(wave.leads))
    if rest or row % 2 or not row:
        raise ValueError(f"{len(wave.samples)} bytes do not divide into {len(wave.leads)} leads")
    empty = _NO_SAMPLE_BYTES * (row // 2)
    mask = sum(1 << i for i in range(len(wave.leads)) if wave.samples[i * row : (i + 1) * row] == empty)
    return kind, _WAVE.pack(wave.observed_at, wave.n0, int(wave.fs), row // 2, mask) + wave.samples


def _decode_frame(frame: bytes) -> Reading:
    """The reading of a frame whose checks were right; raises FrameError."""
    _, kind, flags, _, _, _ = _HEADER.unpack_from(frame)
    decode = _DECODERS.get(kind)
    if decode is None:
        raise FrameError(FrameReason.UNKNOWN_TYPE, frame, f"frame type {kind}")
    reading = decode(frame, kind, frame[_HEADER.size : -2], bool(flags & FLAG_TEST))
    if not -_TIME_LIMIT <= reading.observed_at <= _TIME_LIMIT:
        raise FrameError(FrameReason.OUT_OF_RANGE, frame, f"time {reading.observed_at}")
    return reading


def _decode_numeric(frame: bytes, kind: int, payload: bytes, test: bool) -> Numeric:
    codec = _NUMERIC[kind]
    if len(payload) != codec.packing.size:
        raise FrameError(FrameReason.LENGTH, frame, f"{len(payload)} bytes, not {codec.packing.size}")
    observed_at, *raws = codec.packing.unpack(payload)
    values: dict[str, float | None] = {}
    invalid: dict[str, str] = {}
    for (quantity, divisor, low, high), raw in zip(codec.fields, raws, strict=True):
        if low <= raw <= high:
            values[quantity] = raw / divisor
        elif raw != NOT_FITTED:
            values[quantity] = None
            invalid[quantity] = SPECIAL.get(raw, "out-of-range")
    return Numeric(observed_at=observed_at, values=values, invalid=invalid, test=test)


def _decode_wave(frame: bytes, kind: int, payload: bytes, test: bool) -> Waveform:
    signal = SIGNAL_LAYOUT[kind]
    if len(payload) < _WAVE.size:
        raise FrameError(FrameReason.LENGTH, frame, f"{len(payload)} bytes")
    observed_at, n0, fs, n, off = _WAVE.unpack_from(payload)
    samples = payload[_WAVE.size :]
    if n == 0 or len(samples) != 2 * n * len(signal.leads):
        raise FrameError(FrameReason.LENGTH, frame, f"{len(samples)} bytes for {n} samples")
    if fs == 0 or n0 >= _TIME_LIMIT:
        raise FrameError(FrameReason.OUT_OF_RANGE, frame, f"fs {fs}, n0 {n0}")
    if off:
        samples = _blank(samples, 2 * n, off, len(signal.leads))
    return Waveform(
        observed_at=observed_at,
        n0=n0,
        fs=float(fs),
        leads=signal.leads,
        scale=signal.scale,
        samples=samples,
        filter=signal.filter,
        test=test,
    )


def _blank(samples: bytes, row: int, off: int, leads: int) -> bytes:
    """The samples with every lead of the off mask made NO_SAMPLE, whatever the monitor put there."""
    blank = _NO_SAMPLE_BYTES * (row // 2)
    return b"".join(blank if off >> i & 1 else samples[i * row : (i + 1) * row] for i in range(leads))


def _decode_event(frame: bytes, _kind: int, payload: bytes, test: bool) -> Occurrence:
    if len(payload) != _EVENT.size:
        raise FrameError(FrameReason.LENGTH, frame, f"{len(payload)} bytes, not {_EVENT.size}")
    observed_at, code, priority, mask, argument = _EVENT.unpack(payload)
    if code not in EVENT_LAYOUT:
        raise FrameError(FrameReason.UNKNOWN_TYPE, frame, f"event {code}")
    name, detail = EVENT_LAYOUT[code]
    try:
        details = detail.read(priority, mask, argument)
    except KeyError as error:
        raise FrameError(FrameReason.OUT_OF_RANGE, frame, f"{name} with unknown code {error}") from error
    return Occurrence(observed_at=observed_at, name=name, details=details, test=test)


_DECODERS: Final[dict[int, Callable[[bytes, int, bytes, bool], Reading]]] = {
    **dict.fromkeys(NUMERIC_LAYOUT, _decode_numeric),
    **dict.fromkeys(SIGNAL_LAYOUT, _decode_wave),
    FrameType.EVENT: _decode_event,
}


class Decoder:
    """LMM-1 bytes to readings. Holds at most one frame; after damage it looks for the next sync bytes."""

    def __init__(self) -> None:
        self.lost = 0  # frames the sequence number says are missing
        self._buffer = bytearray()
        self._expected: int | None = None

    def feed(self, data: bytes, received_at: Instant) -> list[Reading | FrameError]:
        """See edge_agents.device.Decoder."""
        del received_at  # the monitor has a clock of its own
        self._buffer += data
        found: list[Reading | FrameError] = []
        while (item := self._next()) is not None:
            found.append(item)
        return found

    def _next(self) -> Reading | FrameError | None:
        """The next item of the buffer, None when more bytes are needed."""
        if noise := self._next_sync(0):
            return self._refuse(FrameReason.NOISE, noise)
        if len(self._buffer) < _HEADER.size:
            return None
        return self._frame(self._buffer)

    def _frame(self, buffer: bytearray) -> Reading | FrameError | None:
        """The frame at the start of the buffer, which holds at least a header."""
        _, _, _, sequence, length, header_check = _HEADER.unpack_from(buffer)
        if crc_hqx(buffer[: _HEADER.size - 2], 0xFFFF) != header_check:
            return self._refuse(FrameReason.CHECKSUM, self._next_sync(1))
        if length > MAX_PAYLOAD:
            return self._refuse(FrameReason.LENGTH, self._next_sync(1))
        end = _HEADER.size + length
        if len(buffer) < end + _CHECK.size:
            return None
        if crc_hqx(buffer[_HEADER.size : end], header_check) != _CHECK.unpack_from(buffer, end)[0]:
            return self._refuse(FrameReason.CHECKSUM, self._next_sync(1))
        return self._take(end + _CHECK.size, sequence)

    def _take(self, size: int, sequence: int) -> Reading | FrameError:
        frame = bytes(self._buffer[:size])
        del self._buffer[:size]
        if self._expected is not None:
            self.lost += (sequence - self._expected) % 65536
        self._expected = (sequence + 1) % 65536
        try:
            return _decode_frame(frame)
        except FrameError as error:
            return error

    def _refuse(self, reason: FrameReason, size: int) -> FrameError:
        frame = bytes(self._buffer[:size])
        del self._buffer[:size]
        return FrameError(reason, frame)

    def _next_sync(self, start: int) -> int:
        """Where the next frame may begin: at sync bytes, or at a last byte that may be the first of them."""
        found = self._buffer.find(SYNC, start)
        if found >= 0:
            return found
        return len(self._buffer) - (len(self._buffer) > start and self._buffer[-1] == SYNC[0])
