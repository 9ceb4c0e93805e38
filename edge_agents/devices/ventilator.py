"""Ventilator that speaks Draeger's MEDIBUS (Savina, Evita 4, Evita XL): what it measures, what it lacks, its alarms.

Frames are those of _medibus.py. The ventilator is asked without pause, one question after the other::

    24 measured values    of each: code, two hexadecimal digits; value, four characters. What is not there is not valid
    27 alarms, page 1     of each: priority (30 + 1 to 31), code, a phrase of twelve characters. The same code means
    2E alarms, page 2     something else on the other page

Its own commands are answered, nothing is ever set. One question is open at a time, and only its answer brings the next:
an answer that comes twice brings none. When it sends that it is idle, or initialises, 1 s or more after a question,
the question or its answer was lost: it is asked from the start, and so it is at any word when ten seconds have gone.

What is wrong with the breathing circuit, the gas or the supply is a technical condition; what is wrong with the patient
is an alarm. Pressures come in mbar and are told in cm[H2O]; a value that was there once and is not any more is no
measurement. How fast it answers is the ventilator's affair: of values that say the same of what is missing one a second
is taken. Of priorities the upper ones are high (from 26) and the lower ones low (up to 10).

Source: Draeger, Instructions for Use, MEDIBUS for Intensive Care Devices: Evita 4, Evita 2 dura, Evita XL, Savina.
"""

import re
from collections import deque
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final, NamedTuple

from edge_agents.device import FrameError, FrameReason, Numeric, Occurrence, Reading, Yields
from edge_agents.devices._medibus import (
    IDENTIFY,
    IDLE,
    INITIALISE,
    NAK,
    SOH,
    Frame,
    FrameBuffer,
    command,
    response,
)
from edge_agents.protocol import Stream
from gateway.contract.envelope import Instant
from gateway.contract.quantity import QUANTITIES

KIND: Final = "ventilator"
PROTOCOL: Final = Stream(baud=19200, clock=False)
MEASURED, PAGE_1, PAGE_2 = 0x24, 0x27, 0x2E
IDENTITY: Final = b"0161'Lastmile'01.00:04.00"  # 0161 is what the protocol definition asks of a computer
ALARM_ON, ALARM_OFF = "device-alarm-on", "device-alarm-off"
ABSENT: Final = "no-measurement"
_NEXT: Final = {INITIALISE: MEASURED, MEASURED: PAGE_1, PAGE_1: PAGE_2, PAGE_2: MEASURED}
_NUMBER: Final = re.compile(r"-?[0-9]{1,4}(\.[0-9]{1,2})?")
_HEX: Final = re.compile(rb"[0-9A-F]{2}")
_MBAR: Final = 1.01972  # cm[H2O]
_KPA: Final = 7.50062  # mm[Hg]
_VALUE, _ALARM = 6, 15  # bytes of a record
_EVERY: Final = 900_000  # us: a second, for a ventilator that answers once a second
_ON_ITS_WAY: Final = 1_000_000  # us: it answers far sooner; an idle one may have sent that before it heard the question
_GIVEN_UP: Final = 10_000_000  # us: the response was due by then (_medibus.py)


class Number(NamedTuple):
    """A measured value: four characters in the form, times the factor in the quantity's unit."""

    code: int
    quantity: str
    form: str
    factor: float = 1.0
    digits: int = 1


class Alarm(NamedTuple):
    """An alarm by page and code, as the device writes it, and the condition or the patient's alarm that it means."""

    page: int
    code: int
    priority: int
    phrase: str
    means: str


NUMBERS: Final = (  # of several for one quantity the first is what `encode` writes
    Number(0x88, "tidal-volume", "{:4.0f}"),
    Number(0x82, "tidal-volume", "{:4.2f}", 1000),
    Number(0xB9, "minute-volume", "{:4.1f}"),
    Number(0xB8, "minute-volume", "{:4.2f}", digits=2),
    Number(0x7D, "peak-airway-pressure", "{:3.0f} ", _MBAR),
    Number(0x78, "peep", "{:3.0f} ", _MBAR),
    Number(0xF0, "fio2", "{:3.0f} "),
    Number(0xD6, "resp-rate", "{:3.0f} "),
    Number(0xE6, "etco2", "{:3.0f} "),
    Number(0xE3, "etco2", "{:4.1f}", _KPA),
    Number(0xEB, "spo2", "{:3.0f} "),
    Number(0xE1, "pulse-rate", "{:3.0f} "),
)
CONDITIONS: Final = (  # likewise
    Alarm(PAGE_1, 0x9A, 30, "PAW LOW", "disconnected-circuit"),
    Alarm(PAGE_1, 0x10, 30, "PAW HIGH", "airway-pressure-high"),
    Alarm(PAGE_2, 0x6A, 30, "TUBE OBSTRUC", "occlusion"),
    Alarm(PAGE_1, 0x13, 30, "LO O2 SUPPLY", "pressure-low"),
    Alarm(PAGE_1, 0xBD, 10, "LO O2 SUPPLY", "pressure-low"),
    Alarm(PAGE_1, 0x12, 31, "AIR SUPPLY ?", "pressure-low"),
    Alarm(PAGE_2, 0x5C, 21, "BATTERY LOW", "battery-low"),
    Alarm(PAGE_1, 0x4B, 31, "BATTERY ERR", "battery-low"),
    Alarm(PAGE_2, 0x5A, 24, "INT BATT ON", "mains-lost"),
    Alarm(PAGE_1, 0x42, 30, "FLOW SENSOR?", "sensor-fault"),
    Alarm(PAGE_1, 0xA4, 30, "VOL ERR", "sensor-fault"),
    Alarm(PAGE_1, 0xAD, 30, "PRESS ERR", "sensor-fault"),
    Alarm(PAGE_1, 0xA1, 28, "% O2 ERR", "sensor-fault"),
    Alarm(PAGE_1, 0x6A, 28, "CO2 ERR", "sensor-fault"),
    Alarm(PAGE_1, 0xD9, 28, "CO2 SENSOR ?", "sensor-fault"),
    Alarm(PAGE_1, 0x35, 28, "SPO2SEN DISC", "sensor-fault"),
    Alarm(PAGE_1, 0x68, 28, "SPO2 ERR", "sensor-fault"),
    Alarm(PAGE_1, 0x9F, 31, "SAVINA ERR", "device-fault"),
    Alarm(PAGE_1, 0xB0, 30, "EXP-VALVE ?", "device-fault"),
    Alarm(PAGE_1, 0xC7, 29, "CYCLE FAILED", "device-fault"),
    Alarm(PAGE_1, 0xC8, 31, "MIXER INOP", "device-fault"),
    Alarm(PAGE_1, 0xCA, 27, "FAN ERR", "device-fault"),
    Alarm(PAGE_2, 0x91, 30, "LOSS OF DATA", "device-fault"),
    Alarm(PAGE_2, 0x96, 30, "PEEP V  ERR", "device-fault"),
)
ALARMS: Final = (
    Alarm(PAGE_1, 0x98, 29, "APNEA SAVINA", "apnoea"),
    Alarm(PAGE_1, 0x90, 29, "RESP RATE HI", "resp-rate-high"),
    Alarm(PAGE_1, 0x19, 29, "MIN VOL LOW", "minute-volume-low"),
    Alarm(PAGE_1, 0x9B, 29, "MIN VOL HIGH", "minute-volume-high"),
    Alarm(PAGE_1, 0x33, 22, "TIDVOL LO", "tidal-volume-low"),
    Alarm(PAGE_1, 0xE8, 29, "TIDVOL HI", "tidal-volume-high"),
    Alarm(PAGE_1, 0xDA, 30, "PEEP HIGH", "peep-high"),
    Alarm(PAGE_1, 0x27, 28, "ET CO2 LOW", "etco2-low"),
    Alarm(PAGE_1, 0x28, 28, "ET CO2 HIGH", "etco2-high"),
    Alarm(PAGE_1, 0x08, 28, "% O2 LOW", "fio2-low"),
    Alarm(PAGE_1, 0x37, 28, "% O2 HIGH", "fio2-high"),
    Alarm(PAGE_1, 0x07, 28, "SPO2 LOW", "spo2-low"),
    Alarm(PAGE_1, 0x02, 28, "SPO2 PULS LO", "pulse-rate-low"),
    Alarm(PAGE_1, 0x1E, 28, "SPO2 PULS HI", "pulse-rate-high"),
)
PRIORITIES: Final = {"low": 5, "medium": 20, "high": 30}  # what is written for a word
YIELDS: Final = Yields(
    quantities=tuple(dict.fromkeys(number.quantity for number in NUMBERS)),
    events=(ALARM_ON, ALARM_OFF),
    conditions=tuple(dict.fromkeys(alarm.means for alarm in CONDITIONS)),
)
_NUMBER_OF: Final = {number.code: number for number in NUMBERS}
_CONDITION_OF: Final = {(alarm.page, alarm.code): alarm.means for alarm in CONDITIONS}
_ALARM_OF: Final = {(alarm.page, alarm.code): alarm.means for alarm in ALARMS}


def encode(reading: Reading) -> bytes:
    """What the ventilator answers: measured values, all technical conditions, or its only alarm.

    Raises:
        ValueError: it has no place for the reading, or the reading holds both values and conditions.
    """
    match reading:
        case Numeric(values=values, conditions=None, test=False) if any(v is not None for v in values.values()):
            return measured(values, reading.invalid)
        case Numeric(values=values, conditions=frozenset() as conditions, test=False) if not values:
            return alarms(conditions)
        case Occurrence(name=name, details={"alarm": str(alarm), "priority": str(priority)}, test=False) if (
            name in {ALARM_ON, ALARM_OFF} and priority in PRIORITIES
        ):
            row = _row(ALARMS, alarm)
            return response(PAGE_1, _record(row._replace(priority=PRIORITIES[priority])) if name == ALARM_ON else b"")
        case _:
            raise ValueError(f"a ventilator cannot say {reading!r}")


def measured(values: Mapping[str, float | None], invalid: Mapping[str, str]) -> bytes:
    """The response with values; one that cannot be measured is left out. Raises ValueError as `encode`."""
    rows = {number.quantity: number for number in reversed(NUMBERS)}
    if strange := values.keys() - rows:
        raise ValueError(f"no code for {', '.join(sorted(strange))}")
    if any(values[name] is None and reason != ABSENT for name, reason in invalid.items()):
        raise ValueError("no word for why a value is not there")
    known = [(rows[name], value) for name, value in values.items() if value is not None]
    return response(MEASURED, b"".join(b"%02X%s" % (row.code, _written(row, value)) for row, value in known))


def alarms(conditions: Iterable[str], of_patient: Iterable[str] = ()) -> bytes:
    """The responses with both pages of alarms. Raises ValueError as `encode`."""
    rows = [_row(CONDITIONS, name) for name in sorted(conditions)] + [_row(ALARMS, name) for name in sorted(of_patient)]
    pages = {page: b"".join(_record(row) for row in rows if row.page == page) for page in (PAGE_1, PAGE_2)}
    return response(PAGE_1, pages[PAGE_1]) + response(PAGE_2, pages[PAGE_2])


def _row(table: Collection[Alarm], means: str) -> Alarm:
    row = next((row for row in table if row.means == means), None)
    if row is None:
        raise ValueError(f"no alarm for {means}")
    return row


def _record(row: Alarm) -> bytes:
    return b"%c%02X%-12s" % (0x30 + row.priority, row.code, row.phrase.encode())


def _written(row: Number, value: float) -> bytes:
    text = row.form.format(value / row.factor)
    if len(text) != _VALUE - 2:
        raise ValueError(f"{row.quantity} {value} does not fit")
    return text.encode()


class Decoder:
    """Answers of the ventilator to readings; asks the next question after each."""

    def __init__(self) -> None:
        self._frames = FrameBuffer()
        self._to_write: deque[bytes] = deque(maxlen=8)  # nobody may be there to write it
        self._open: int | None = None  # the question that has no answer yet
        self._asked_at: Instant = 0
        self._known: dict[str, None] = {}  # quantities that were there
        self._active: dict[int, dict[int, str]] = {}  # by page: alarms with the priority at their beginning
        self._stated: frozenset[str] | None = None
        self._told: Numeric | None = None  # the last values

    def greet(self, now: Instant) -> tuple[bytes, ...]:
        """See edge_agents.device.Greeter: communication begins with this command of either side."""
        self._frames = FrameBuffer()
        self._to_write.clear()
        self._open, self._asked_at = INITIALISE, now
        return (command(INITIALISE),)

    def answers(self) -> bytes:
        """See edge_agents.device.Answering: responses to the ventilator's commands, and the next question."""
        data = b"".join(self._to_write)
        self._to_write.clear()
        return data

    def feed(self, data: bytes, received_at: Instant) -> list[Reading | FrameError]:
        """See edge_agents.device.Decoder."""
        found: list[Reading | FrameError] = []
        for item in self._frames.feed(data):
            try:
                found += self._heard(item, received_at)
            except FrameError as error:
                found.append(error)
        return found

    def _heard(self, item: Frame | FrameError, at: Instant) -> list[Reading]:
        if isinstance(item, FrameError):
            if item.frame[:1] == bytes((SOH,)) and self._open is not None:
                self._ask(self._open, at)
            raise item
        if item.is_command:
            self._to_write.append(response(item.code, IDENTITY if item.code == IDENTIFY else b""))
            if item.code in {INITIALISE, IDLE} and self._has_waited(_ON_ITS_WAY, at):
                self._ask(MEASURED, at)
        elif item.code == NAK and self._open is not None:
            self._ask(self._open, at)
        elif item.code == self._open:
            self._ask(_NEXT[item.code], at)
        if self._has_waited(_GIVEN_UP, at):
            self._ask(MEASURED, at)
        return [] if item.is_command else self._told_in(item, at)

    def _has_waited(self, limit: int, at: Instant) -> bool:
        """Whether nothing is open, or has been for so long; a clock that was set back says nothing, so it is asked."""
        return self._open is None or not 0 <= at - self._asked_at < limit

    def _ask(self, code: int, at: Instant) -> None:
        self._open, self._asked_at = code, at
        self._to_write.append(command(code))

    def _told_in(self, item: Frame, at: Instant) -> list[Reading]:
        if item.code == MEASURED:
            return self._values(item, at)
        return self._alarms(item, at) if item.code in {PAGE_1, PAGE_2} else []

    def _values(self, frame: Frame, at: Instant) -> list[Reading]:
        values: dict[str, float | None] = dict.fromkeys(self._known)
        invalid = dict.fromkeys(self._known, ABSENT)
        for code, _, text in _records(frame, _VALUE, 0):
            if (row := _NUMBER_OF.get(code)) is None or values.get(row.quantity) is not None:
                continue
            values[row.quantity], reason = _read(row, text)
            invalid[row.quantity] = reason
            self._known[row.quantity] = None
        numeric = Numeric(observed_at=at, values=values, invalid={k: why for k, why in invalid.items() if why})
        if not values or (self._told and _is_soon(self._told, numeric)):
            return []
        self._told = numeric
        return [numeric]

    def _alarms(self, frame: Frame, at: Instant) -> list[Reading]:
        page, before = frame.code, self._active.get(frame.code, {})
        now = {
            code: before.get(code) or _word(priority[0] - 0x30, frame)
            for code, priority, _ in _records(frame, _ALARM, 1)
        }
        self._active[page] = now
        return [*_changes(page, before, now, at), *self._conditions(at)]

    def _conditions(self, at: Instant) -> list[Reading]:
        """A statement without a value, when both pages are known and something has changed."""
        if len(self._active) < 2:
            return []
        stated = frozenset(
            _CONDITION_OF[page, code]
            for page, codes in self._active.items()
            for code in codes
            if (page, code) in _CONDITION_OF
        )
        if stated == self._stated:
            return []
        self._stated = stated
        return [Numeric(observed_at=at, values={}, conditions=stated)]


def _is_soon(told: Numeric, now: Numeric) -> bool:
    return 0 <= now.observed_at - told.observed_at < _EVERY and told.invalid == now.invalid


def _changes(page: int, before: dict[int, str], now: dict[int, str], at: Instant) -> list[Occurrence]:
    gone, come = before.keys() - now.keys(), now.keys() - before.keys()
    return [
        Occurrence(observed_at=at, name=name, details=_details(_ALARM_OF[page, code], priorities[code]))
        for name, codes, priorities in ((ALARM_OFF, gone, before), (ALARM_ON, come, now))
        for code in sorted(codes)
        if (page, code) in _ALARM_OF
    ]


def _details(alarm: str, priority: str) -> dict[str, Any]:
    return {"alarm": alarm, "priority": priority}


def _records(frame: Frame, size: int, code_at: int) -> list[tuple[int, bytes, str]]:
    """Of each record: its code, what stands before it, and the text after it.

    Raises:
        FrameError: there is half a record, or a code that is no number.
    """
    if len(frame.data) % size:
        raise FrameError(FrameReason.LENGTH, frame.raw)
    found = []
    for start in range(0, len(frame.data), size):
        record = frame.data[start : start + size]
        before, code, rest = record[:code_at], record[code_at : code_at + 2], record[code_at + 2 :]
        if not _HEX.fullmatch(code):
            raise FrameError(FrameReason.SYNTAX, frame.raw)
        found.append((int(code, 16), before, rest.decode("ascii")))
    return found


def _read(row: Number, text: str) -> tuple[float | None, str]:
    """The value, or why there is none."""
    if not _NUMBER.fullmatch(text.strip()):
        return None, ABSENT
    value, quantity = round(float(text) * row.factor, row.digits), QUANTITIES[row.quantity]
    return (value, "") if quantity.low <= value <= quantity.high else (None, "out-of-range")


def _word(priority: int, frame: Frame) -> str:
    if not 1 <= priority <= 31:
        raise FrameError(FrameReason.OUT_OF_RANGE, frame.raw, f"priority {priority}")
    return "high" if priority > 25 else "medium" if priority > 10 else "low"
