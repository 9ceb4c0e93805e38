"""Pressure-mapping mat on a bed: 8 rows of 16 cells, every few seconds.

The block is that of _blocks.py with sync bytes 4C 50, type 1; its payload, little-endian::

    time i64 (us since 1970) | rows u8 | columns u8 | cells u16 each, 0.01 kPa, row by row from the head,
                                                      within a row from the person's right
    FFFF  the cell gives nothing        FFFE  more than it can measure

A block gives two readings: the event ``pressure-map`` with ``rows``, ``columns`` and ``kpa`` (null where a cell gives
nothing) and the number contact-pressure-peak, which is no number while a cell measures more than it can. Broken cells
are the technical condition sensor-fault, over-pressure is pressure-high. Source: layout of this project; the number of
cells and the unit are those of the mats that publish their data (PhysioNet pmd: 32 x 64, in counts).
"""

import struct
from typing import Final

from edge_agents.device import FrameError, FrameReason, Numeric, Occurrence, Reading, Yields
from edge_agents.devices._blocks import TIME_LIMIT, Block, BlockDecoder, write
from edge_agents.protocol import Stream

KIND: Final = "pressure_map"
PROTOCOL: Final = Stream()
SYNC: Final = b"\x4c\x50"
MAP: Final = 1
ROWS: Final = 8
COLUMNS: Final = 16
EVENT: Final = "pressure-map"
PEAK: Final = "contact-pressure-peak"
YIELDS: Final = Yields(quantities=(PEAK,), events=(EVENT,), conditions=("sensor-fault", "pressure-high"))
NOTHING: Final = 0xFFFF
TOO_MUCH: Final = 0xFFFE
_STEP: Final = 100  # counts of a kPa
_HIGHEST: Final = 10_000  # counts: 100 kPa
_LAYOUT: Final = struct.Struct(f"<qBB{ROWS * COLUMNS}H")


def encode(reading: Reading, sequence: int = 0) -> bytes:
    """The block of a map; raises ValueError for anything else. ``over`` in its details lists cells over their range."""
    if not isinstance(reading, Occurrence) or reading.name != EVENT:
        raise ValueError(f"a mat cannot say {reading!r}")
    over = frozenset(reading.details.get("over", ()))
    cells = [TOO_MUCH if place in over else _counts(value) for place, value in enumerate(reading.details["kpa"])]
    try:
        payload = _LAYOUT.pack(reading.observed_at, ROWS, COLUMNS, *cells)
    except struct.error as error:
        raise ValueError(f"no map of {ROWS} x {COLUMNS}: {error}") from error
    return write(SYNC, MAP, payload, test=reading.test, sequence=sequence)


def _counts(kpa: float | None) -> int:
    return NOTHING if kpa is None else round(kpa * _STEP)


def _decode(block: Block) -> list[Reading]:
    """The event and the peak; raises FrameError."""
    if block.kind != MAP:
        raise FrameError(FrameReason.UNKNOWN_TYPE, block.frame, f"type {block.kind}")
    if len(block.payload) != _LAYOUT.size:
        raise FrameError(FrameReason.LENGTH, block.frame, f"{len(block.payload)} bytes")
    at, rows, columns, *cells = _LAYOUT.unpack(block.payload)
    if (rows, columns) != (ROWS, COLUMNS) or abs(at) > TIME_LIMIT:
        raise FrameError(FrameReason.OUT_OF_RANGE, block.frame, f"{rows} x {columns} at {at}")
    if strange := [cell for cell in cells if _HIGHEST < cell < TOO_MUCH]:
        raise FrameError(FrameReason.OUT_OF_RANGE, block.frame, f"a cell of {strange[0]}")
    over = [place for place, cell in enumerate(cells) if cell == TOO_MUCH]
    kpa = [cell / _STEP if cell <= _HIGHEST else None for cell in cells]
    details = {"rows": ROWS, "columns": COLUMNS, "kpa": kpa} | ({"over": over} if over else {})
    return [
        Occurrence(observed_at=at, name=EVENT, details=details, test=block.test),
        _peak(at, cells, test=block.test),
    ]


def _peak(at: int, cells: list[int], *, test: bool) -> Numeric:
    measured = [cell for cell in cells if cell <= _HIGHEST]
    over, broken = TOO_MUCH in cells, NOTHING in cells
    value = max(measured) / _STEP if measured and not over else None
    invalid = {} if value is not None else {PEAK: "out-of-range" if over else "sensor-fault"}
    stated = {"pressure-high": over, "sensor-fault": broken}
    conditions = frozenset(code for code, present in stated.items() if present)
    return Numeric(observed_at=at, values={PEAK: value}, invalid=invalid, conditions=conditions, test=test)


class Decoder(BlockDecoder):
    """Blocks of a mat to readings."""

    def __init__(self) -> None:
        super().__init__(SYNC, _decode)
