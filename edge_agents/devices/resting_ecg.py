"""Resting electrocardiograph: a recording of 10 s, transferred in chunks after it was made; 12 leads or one.

The block is that of _blocks.py with sync bytes 4C 45; payloads, little-endian::

    1 recording   time i64 (of its first sample, us since 1970) | recording u32 | layout u8 | samples/s u16
                  | samples u32
    2 chunk       time i64 (of the chunk's first sample) | layout u8 | samples/s u16 | leads off u16
                  | samples i16, lead after lead
    3 end         as 1

    layout 1: 12 leads in the order I II III aVR aVL aVF V1..V6; layout 2: lead I alone (finger electrodes)
    one step is 2.5 uV; a bit of "leads off" per lead, lowest bit first: its samples are replaced by "no sample"

Every chunk can be read by itself, so one that is damaged costs only its own samples. ``n0`` of its frame counts samples
from 1970: recordings do not follow each other, and a chunk lies where its time says. The event ``ecg-recorded`` comes
with the end: recording, leads, seconds, and how many samples did not arrive. Source: layout of this project, amplitude
and rate as AHA 2007 asks (500 /s, <= 5 uV); SCP-ECG and MFER are file formats, not transfers.
"""

import struct
from typing import Any, Final, NamedTuple

from edge_agents.device import FrameError, FrameReason, Occurrence, Reading, Waveform, Yields
from edge_agents.devices._blocks import Block, BlockDecoder, write
from edge_agents.protocol import Stream
from gateway.contract.envelope import Instant
from gateway.contract.quantity import ECG_LEADS_12
from gateway.contract.waveform import NO_SAMPLE

KIND: Final = "resting_ecg"
PROTOCOL: Final = Stream()
SYNC: Final = b"\x4c\x45"
RECORDING, CHUNK, END = 1, 2, 3
LAYOUTS: Final[dict[int, tuple[str, ...]]] = {1: ECG_LEADS_12, 2: ("I",)}
SCALE: Final = 0.0025  # mV
FILTER: Final = "0.05-150 Hz"
STARTED: Final = "ecg-started"
RECORDED: Final = "ecg-recorded"
YIELDS: Final = Yields(leads=ECG_LEADS_12, events=(STARTED, RECORDED))
_SECOND: Final = 1_000_000
_LAST_TIME: Final = 2**52  # us: year 2112
_MAX_SAMPLES: Final = 2**20
_MAX_CHUNKS: Final = 1024  # of one recording, that are remembered
_EVENT: Final = struct.Struct("<qIBHI")
_CHUNK: Final = struct.Struct("<qBHH")
_BLANK: Final = struct.pack("<h", NO_SAMPLE)


class _Recording(NamedTuple):
    """The payload of a start or an end."""

    time: Instant
    number: int
    layout: int
    fs: int
    samples: int


def first_sample(time: Instant, fs: int) -> int:
    """The number of the sample taken at this time, counted from 1970."""
    return (time * fs + _SECOND // 2) // _SECOND


def encode(reading: Reading, sequence: int = 0) -> bytes:
    """The block of a chunk, of the start or of the end of a recording.

    Raises:
        ValueError: not of an electrocardiograph.
    """
    try:
        kind, payload = _wave(reading) if isinstance(reading, Waveform) else _event(reading)
    except (struct.error, KeyError, StopIteration) as error:
        raise ValueError(f"an electrocardiograph cannot say it: {error!r}") from error
    return write(SYNC, kind, payload, test=reading.test, sequence=sequence)


def _wave(wave: Waveform) -> tuple[int, bytes]:
    layout = next(code for code, leads in LAYOUTS.items() if leads == wave.leads)
    fs = int(wave.fs)
    if wave.n0 != first_sample(wave.observed_at, fs) or wave.scale != SCALE:
        raise ValueError("n0 or scale of another device")
    row = len(wave.samples) // len(wave.leads)
    empty = _BLANK * (row // 2)
    off = sum(1 << i for i in range(len(wave.leads)) if wave.samples[i * row : (i + 1) * row] == empty)
    return CHUNK, _CHUNK.pack(wave.observed_at, layout, fs, off) + wave.samples


def _event(reading: Reading) -> tuple[int, bytes]:
    if not isinstance(reading, Occurrence) or reading.name not in YIELDS.events:
        raise ValueError(f"an electrocardiograph cannot say {reading!r}")
    details = reading.details
    layout = next(code for code, leads in LAYOUTS.items() if len(leads) == details["leads"])
    fs, samples = int(details["fs"]), round(details["seconds"] * details["fs"])
    kind = END if reading.name == RECORDED else RECORDING
    return kind, _EVENT.pack(reading.observed_at, details["recording"], layout, fs, samples)


class Decoder(BlockDecoder):
    """Blocks of an electrocardiograph to readings; remembers which samples have come since the last recording."""

    def __init__(self) -> None:
        super().__init__(SYNC, self._decode_block)
        self._arrived: list[tuple[int, int]] = []  # first sample and number of samples of each chunk

    def _decode_block(self, block: Block) -> list[Reading]:
        match block.kind:
            case 1 | 3:
                return [self._event(block)]
            case 2:
                wave = _decode_chunk(block)
                self._arrived = self._arrived[1 - _MAX_CHUNKS :]
                self._arrived.append((wave.n0, len(wave.samples) // 2 // len(wave.leads)))
                return [wave]
        raise FrameError(FrameReason.UNKNOWN_TYPE, block.frame, f"type {block.kind}")

    def _event(self, block: Block) -> Occurrence:
        if len(block.payload) != _EVENT.size:
            raise FrameError(FrameReason.LENGTH, block.frame, f"{len(block.payload)} bytes")
        about = _Recording(*_EVENT.unpack(block.payload))
        _check(block, about.time, about.layout, about.fs)
        if about.samples > _MAX_SAMPLES:
            raise FrameError(FrameReason.OUT_OF_RANGE, block.frame, f"{about.samples} samples")
        details: dict[str, Any] = {
            "recording": about.number,
            "leads": len(LAYOUTS[about.layout]),
            "fs": about.fs,
            "seconds": about.samples / about.fs,
        }
        if block.kind == RECORDING:
            return Occurrence(observed_at=about.time, name=STARTED, details=details, test=block.test)
        start = first_sample(about.time, about.fs)
        came = sum(n for first, n in dict(self._arrived).items() if start <= first < start + about.samples)
        self._arrived.clear()
        details["missing"] = max(0, about.samples - came)
        return Occurrence(observed_at=about.time, name=RECORDED, details=details, test=block.test)


def _check(block: Block, time: Instant, layout: int, fs: int) -> None:
    if layout not in LAYOUTS or not fs or not 0 <= time <= _LAST_TIME:
        raise FrameError(FrameReason.OUT_OF_RANGE, block.frame, f"layout {layout}, {fs}/s, {time} us")


def _decode_chunk(block: Block) -> Waveform:
    if len(block.payload) < _CHUNK.size:
        raise FrameError(FrameReason.LENGTH, block.frame, f"{len(block.payload)} bytes")
    time, layout, fs, off = _CHUNK.unpack_from(block.payload)
    _check(block, time, layout, fs)
    leads, samples = LAYOUTS[layout], block.payload[_CHUNK.size :]
    row, rest = divmod(len(samples), len(leads))
    if rest or row % 2 or not row:
        raise FrameError(FrameReason.LENGTH, block.frame, f"{len(samples)} bytes for {len(leads)} leads")
    blank = _BLANK * (row // 2)
    rows = [blank if off >> i & 1 else samples[i * row : (i + 1) * row] for i in range(len(leads))]
    return Waveform(
        observed_at=time, n0=first_sample(time, fs), fs=float(fs), leads=leads, scale=SCALE, samples=b"".join(rows),
        filter=FILTER, test=block.test,
    )  # fmt: skip
