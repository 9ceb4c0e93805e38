"""A line of text with a check: shared by the sensors whose protocol this project defines.

``<tag>,<time>,<mode>,<code>,<fields>*<check>`` CR LF, the form of the crew panel's lines (crew_panel.py)::

    tag     kind and version of the protocol, as LMD1
    time    us since 1970, of the sensor's own clock; empty when it has none: the time of arrival counts
    mode    N normal, T test or demonstration
    code    what the line says, two digits; each device has its table
    fields  URL-encoded key=value pairs joined by &
    check   CRC-16/CCITT-FALSE of all before *, four hex digits

A field of a measuring line is a decimal number in the quantity's unit, or ! and the reason why there is none. Its field
``c`` lists all technical conditions the sensor is in now, joined by spaces; a sensor that states none leaves it out.
"""

import re
from binascii import crc_hqx
from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import parse_qsl, urlencode

from edge_agents.device import FrameError, FrameReason, Numeric, Occurrence, Reading, Yields
from edge_agents.devices._details import TIME_LIMIT, Event, parsed, written
from edge_agents.devices._lines import LineBuffer
from edge_agents.devices._privacy import withheld
from gateway.contract.condition import split
from gateway.contract.envelope import Instant
from gateway.contract.quantity import QUANTITIES

REASONS: Final = ("no-measurement", "sensor-off", "searching", "out-of-range", "sensor-fault")
CONDITION_KEY: Final = "c"
_NUMBER: Final = re.compile(r"-?[0-9]{1,9}(\.[0-9]{1,6})?")
_TIME: Final = re.compile(r"-?[0-9]{1,20}")


class Line(NamedTuple):
    """What one line says."""

    at: Instant
    test: bool
    code: str
    fields: dict[str, str]


class Field(NamedTuple):
    """One number of a measuring line."""

    key: str
    quantity: str
    digits: int  # after the point


def write(tag: str, line: Line) -> bytes:
    """The bytes of a line."""
    text = f"{tag},{line.at},{'T' if line.test else 'N'},{line.code},{urlencode(line.fields)}".encode()
    return b"%s*%04X\r\n" % (text, crc_hqx(text, 0xFFFF))


def parse(tag: str, raw: bytes, received_at: Instant) -> Line:
    """What a line says.

    Raises:
        FrameError: with the reason.
    """
    text, star, check = raw.rpartition(b"*")
    if not star:
        raise FrameError(FrameReason.SYNTAX, raw)
    if b"%04X" % crc_hqx(text, 0xFFFF) != check:
        raise FrameError(FrameReason.CHECKSUM, raw)
    parts = text.decode("ascii", "replace").split(",")
    if len(parts) != 5 or parts[0] != tag or parts[2] not in ("N", "T"):
        raise FrameError(FrameReason.SYNTAX, raw)
    fields = dict(parse_qsl(parts[4], keep_blank_values=True))
    return Line(_time(parts[1], received_at, raw), parts[2] == "T", parts[3], fields)


def _time(text: str, received_at: Instant, raw: bytes) -> Instant:
    if not text:
        return received_at
    if not _TIME.fullmatch(text):
        raise FrameError(FrameReason.SYNTAX, raw, "time")
    if abs(int(text)) > TIME_LIMIT:
        raise FrameError(FrameReason.OUT_OF_RANGE, raw, "time")
    return int(text)


class Layout(NamedTuple):
    """What the lines of one kind of sensor mean: codes of events, codes of measuring lines and their fields."""

    tag: str
    events: Mapping[str, Event] = {}
    measurements: Mapping[str, tuple[Field, ...]] = {}
    conditions: tuple[str, ...] = ()  # those that the sensor can state
    private: bool = False  # people may be named in a line: nothing of a refused one is kept

    def yields(self) -> Yields:
        """All the sensor may say."""
        fields = (field for fields in self.measurements.values() for field in fields)
        quantities = tuple(dict.fromkeys(field.quantity for field in fields))
        return Yields(
            quantities=quantities, events=tuple(e.name for e in self.events.values()), conditions=self.conditions
        )

    def encode(self, reading: Reading) -> bytes:
        """The line a sensor sends for a reading.

        Raises:
            ValueError: the layout has no place for the event, its details, a quantity, a condition or a reason.
        """
        if isinstance(reading, Numeric):
            code, fields = self._texts(reading)
        elif isinstance(reading, Occurrence):
            code = next((code for code, event in self.events.items() if event.name == reading.name), "")
            if not code:
                raise ValueError(f"{self.tag} cannot say {reading.name}")
            fields = written(self.events[code], reading.details)
        else:
            raise ValueError(f"{self.tag} has no signals")  # noqa: TRY004 - one error for all it cannot say
        return write(self.tag, Line(reading.observed_at, reading.test, code, fields))

    def decode(self, line: Line, raw: bytes) -> Reading:
        """What a line says; raises FrameError. A number that is not plausible is no number."""
        if (fields := self.measurements.get(line.code)) is not None:
            return self._numeric(line, raw, fields)
        if (event := self.events.get(line.code)) is None:
            raise FrameError(FrameReason.UNKNOWN_TYPE, raw, f"code {line.code!r}")
        try:
            details = parsed(event, line.fields)
        except ValueError as error:
            raise FrameError(FrameReason.OUT_OF_RANGE, raw, str(error)) from error
        return Occurrence(observed_at=line.at, name=event.name, details=details, test=line.test)

    def _texts(self, reading: Numeric) -> tuple[str, dict[str, str]]:
        for code, fields in self.measurements.items():
            if reading.values.keys() <= {field.quantity for field in fields}:
                texts = {field.key: _text(reading, field) for field in fields if field.quantity in reading.values}
                if reading.conditions is not None:
                    texts[CONDITION_KEY] = " ".join(sorted(reading.conditions))
                return code, texts
        raise ValueError(f"{self.tag} has no line for {', '.join(sorted(reading.values))}")

    def _numeric(self, line: Line, raw: bytes, fields: tuple[Field, ...]) -> Numeric:
        values: dict[str, float | None] = {}
        invalid: dict[str, str] = {}
        for field in fields:
            if (text := line.fields.get(field.key)) is not None:
                values[field.quantity], reason = _value(text, field, raw)
                if reason:
                    invalid[field.quantity] = reason
        conditions = self._conditions(line.fields, raw)
        if not values and conditions is None:
            raise FrameError(FrameReason.SYNTAX, raw, "nothing measured")
        return Numeric(observed_at=line.at, values=values, invalid=invalid, conditions=conditions, test=line.test)

    def _conditions(self, fields: Mapping[str, str], raw: bytes) -> frozenset[str] | None:
        if (text := fields.get(CONDITION_KEY)) is None:
            return None
        found = frozenset(text.split())
        if strange := [condition for condition in found if split(condition)[0] not in self.conditions]:
            raise FrameError(FrameReason.UNKNOWN_TYPE, raw, f"condition {strange[0]!r}")
        return found


def _text(reading: Numeric, field: Field) -> str:
    value = reading.values[field.quantity]
    if value is not None:
        return f"{value:.{field.digits}f}"
    reason = reading.invalid.get(field.quantity, REASONS[0])
    if reason not in REASONS:
        raise ValueError(f"no word for {reason}")
    return f"!{reason}"


def _value(text: str, field: Field, raw: bytes) -> tuple[float | None, str]:
    """The number, or why there is none."""
    if text.startswith("!"):
        return None, text[1:] if text[1:] in REASONS else REASONS[0]
    if not _NUMBER.fullmatch(text):
        raise FrameError(FrameReason.SYNTAX, raw, f"{field.quantity} {text!r}")
    value, row = round(float(text), field.digits), QUANTITIES[field.quantity]
    return (value, "") if row.low <= value <= row.high else (None, "out-of-range")


class LineDecoder:
    """Bytes to readings by a layout."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._lines = LineBuffer(layout.tag.encode() + b",")

    def feed(self, data: bytes, received_at: Instant) -> list[Reading | FrameError]:
        """See edge_agents.device.Decoder."""
        return [self._one(line, received_at) for line in self._lines.feed(data)]

    def _one(self, raw: bytes | FrameError, received_at: Instant) -> Reading | FrameError:
        try:
            if isinstance(raw, FrameError):
                raise raw
            return self._decode(parse(self._layout.tag, raw, received_at), raw)
        except FrameError as error:
            return FrameError(error.reason, withheld(error.frame)) if self._layout.private else error

    def _decode(self, line: Line, raw: bytes) -> Reading:
        """What a device does with a line; raises FrameError."""
        return self._layout.decode(line, raw)
