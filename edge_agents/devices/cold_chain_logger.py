"""Cold-chain logger with eight probes on Modbus: its newest eight records, so that a lost link loses none of them.

Input registers, 16 bits unless noted::

    0 status bits: 0 clock not set, 1 battery low, 2 fault    5 number of the newest record u32, from 1
    1 battery %                                               7 how many records follow: 8
    2 the logger's time u32, s since 1970 UTC                 8 records of 12 registers: number u32, time u32 (s since
    4 interval of its records, s                                1970 UTC), probes 1 to 8 s16 x 0.1 degC

Record n stands in place (n - 1) mod 8. A probe's 8000 says that it is broken, 7FFF that there is none. What is read is
records and no snapshots: each is told once, with the time it was made at, also those made while nobody asked. When more
than eight were made meanwhile the rest is an event, ``records-missed``. A logger that does not know the time numbers
its records all the same; they are dated back from their arrival. An agent that starts again knows which of the eight
have been told.

Source: this project's own profile for simulators (loggers have protocols of their makers); this table is its
definition.
"""

import struct
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from edge_agents.device import FrameError, FrameReason, Numeric, Occurrence, Reading, Yields
from edge_agents.devices._register_fields import Number, Type, alarm_bits, parse, to_words
from edge_agents.devices._registers import ANY_UNIT, RegisterMap
from edge_agents.protocol import Modbus, Poll, modbus_frame
from gateway.contract.envelope import Instant

KIND: Final = "cold_chain_logger"
HEAD, RECORD, RECORDS = 8, 12, 8  # registers before the records, registers of one, how many of them
CLOCK, INTERVAL, NEWEST, PROBES = 2, 4, 5, 4  # where they stand; the probes within a record
SIZE: Final = HEAD + RECORD * RECORDS
PROTOCOL: Final = Modbus(polls=(Poll(function=4, address=0, count=SIZE, every=5.0),))
MAP: Final = RegisterMap(  # the head, and the record in the first place
    function=4,
    numbers=(
        Number(1, "battery"),
        *(
            Number(HEAD + PROBES + probe, f"cargo-temperature-{probe + 1}", Type.S16, 10, fault="probe-fault")
            for probe in range(8)
        ),
    ),
    alarms=alarm_bits(0, "clock-unset", "battery-low", "device-fault"),
)
MISSED: Final = "records-missed"
YIELDS: Final = Yields(quantities=MAP.quantities, events=(MISSED,), conditions=MAP.conditions)
_SECOND: Final = 1_000_000
_NO_PROBES: Final = {row.address: row.nothing[0] for row in MAP.numbers if row.address >= HEAD}


def encode(reading: Reading) -> bytes:
    """A poll's answer with this one record. Raises ValueError when the map has no place for the reading."""
    held = registers(reading, 1)
    words = [held.get(at, 0) for at in range(SIZE)]
    return modbus_frame(ANY_UNIT, 4, 0, SIZE, struct.pack(f">{SIZE}H", *words))


def registers(reading: Reading, number: int, interval: int = 10) -> dict[int, int]:
    """The registers, by address, that a new record changes.

    Raises:
        ValueError: the map has no place for it.
    """
    image = {1: MAP.numbers[0].nothing[0]} | _NO_PROBES | MAP.image(reading)
    unset = isinstance(reading, Numeric) and "clock-unset" in (reading.conditions or ())
    time = to_words(0 if unset else reading.observed_at // _SECOND, Type.U32)
    image |= _pair(HEAD, to_words(number, Type.U32)) | _pair(HEAD + 2, time)
    shift = (number - 1) % RECORDS * RECORD
    moved = {at + shift if at >= HEAD else at: word for at, word in image.items()}
    head = _pair(CLOCK, time) | {INTERVAL: interval, HEAD - 1: RECORDS} | _pair(NEWEST, to_words(number, Type.U32))
    return moved | head


def _pair(address: int, words: tuple[int, ...]) -> dict[int, int]:
    return dict(enumerate(words, address))


class _Record(NamedTuple):
    number: int
    made_at: Instant
    said: Numeric
    held: bytes  # its registers


class Decoder:
    """Answers of a logger to its records, each once."""

    def __init__(self) -> None:
        self._last = 0  # number of the newest record told
        self._conditions: frozenset[str] | None = None
        self._told_before: list[bytes] = []  # registers of records that an earlier process told, until the first answer
        self._had: list[bytes] = []

    def had(self) -> list[bytes]:
        """See edge_agents.device.Recalling."""
        had, self._had = self._had, []
        return had

    def recall(self, frames: Iterable[bytes]) -> None:
        """See edge_agents.device.Recalling; what stands in a logger is among the last."""
        self._told_before = [*frames][-RECORDS:]

    def feed(self, data: bytes, received_at: Instant) -> list[Reading | FrameError]:
        """See edge_agents.device.Decoder."""
        if not data:
            return []
        try:
            return self._read(data, received_at)
        except FrameError as error:
            return [error]

    def _read(self, frame: bytes, received_at: Instant) -> list[Reading | FrameError]:
        block = parse(frame)
        if (block.function, block.address, block.size) != (4, 0, SIZE):
            raise FrameError(FrameReason.UNKNOWN_TYPE, frame, f"{block.size} registers from {block.address}")
        words = block.words
        records = [record for place in range(RECORDS) if (record := _record(words, place, frame, received_at))]
        newest = words[NEWEST] << 16 | words[NEWEST + 1]
        if self._told_before:
            self._last = _told_until(self._told_before, records)
            self._told_before = []
        if newest < self._last:  # a new logger, or one that has begun again
            self._last = 0
        new = sorted(r for r in records if r.number > self._last)
        found: list[Reading | FrameError] = [*self._missed(new, received_at)]
        for record in new:
            found.append(self._said(record, record.number == newest))
            self._had.append(record.held)
            self._last = record.number
        head = MAP.decode(_view(words, (newest - 1) % RECORDS), received_at).numeric
        if head is not None and head.conditions != self._conditions:
            self._conditions = head.conditions
            if not new:
                found.append(Numeric(observed_at=received_at, values={}, conditions=head.conditions))
        return found

    def _missed(self, new: list[_Record], received_at: Instant) -> list[Occurrence]:
        if not new or not self._last or new[0].number == self._last + 1:
            return []
        details: dict[str, Any] = {"first": self._last + 1, "last": new[0].number - 1}
        return [Occurrence(observed_at=received_at, name=MISSED, details=details)]

    @staticmethod
    def _said(record: _Record, is_newest: bool) -> Numeric:
        """Of an older record only the probes: battery and conditions are those of now."""
        said = record.said
        probes = {name: value for name, value in said.values.items() if is_newest or name != "battery"}
        invalid = {name: reason for name, reason in said.invalid.items() if name in probes}
        conditions = said.conditions if is_newest else None
        return Numeric(observed_at=record.made_at, values=probes, invalid=invalid, conditions=conditions)


def _told_until(told: list[bytes], records: list[_Record]) -> int:
    """Number of the last record told; 0 when what stands in the logger contradicts that: it is another one."""
    last = _number(told[-1])
    before = {number: held for held in told if (number := _number(held)) <= last}  # above: of a logger before that
    return 0 if any(before.get(record.number, record.held) != record.held for record in records) else last


def _number(held: bytes) -> int:
    return int.from_bytes(held[:4], "big")


def _view(words: list[int], place: int) -> bytes:
    """The head and one record, as if it stood in the first place."""
    start = HEAD + place * RECORD
    view = words[:HEAD] + words[start : start + RECORD]
    return modbus_frame(ANY_UNIT, 4, 0, len(view), struct.pack(f">{len(view)}H", *view))


def _record(words: list[int], place: int, frame: bytes, received_at: Instant) -> _Record | None:
    """The record in a place; None when there is none yet. Raises FrameError when it cannot stand there."""
    start = HEAD + place * RECORD
    number, time = (words[at] << 16 | words[at + 1] for at in (start, start + 2))
    newest = words[NEWEST] << 16 | words[NEWEST + 1]
    if not number:
        return None
    if number > newest or number <= newest - RECORDS or (number - 1) % RECORDS != place:
        raise FrameError(FrameReason.OUT_OF_RANGE, frame, f"record {number} in place {place}, the newest is {newest}")
    said = MAP.decode(_view(words, place), received_at).numeric
    if said is None:
        return None
    made_at = time * _SECOND
    if not time or (said.conditions is not None and "clock-unset" in said.conditions):
        made_at = received_at - (newest - number) * words[INTERVAL] * _SECOND
    return _Record(number, made_at, said, struct.pack(f">{RECORD}H", *words[start : start + RECORD]))
