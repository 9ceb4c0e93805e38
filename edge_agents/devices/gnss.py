"""Satellite receiver speaking NMEA 0183: RMC, GGA and GST of one epoch become one position.

Any talker is heard (GP, GN, GL, GA, BD, GB ...). Other sentences with a right checksum are passed over. A void fix, a
dilution over 5 and a jump that no ambulance can make are refused. A receiver that sends only one of RMC and GGA, or no
GST, is understood after its first epoch. From GST comes the position error: the root of the summed squares of the
standard deviations of latitude and longitude (DRMS), and that of the altitude.

Positions are kept in WGS-84. A source that speaks GCJ-02 or BD-09 (a phone's map, some Chinese trackers) is declared by
the option ``datum`` of the profile's row; it is converted (edge_agents/datum.py), and the event ``position-datum`` says
so once after each start. NMEA's own DTM sentence is passed over: such sources do not send it.

Source: NMEA 0183 4.1 sentence formats as pynmeagps knows them; limits from this project's domain facts.
"""

import math
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from pynmeagps import NMEAReader, calc_checksum
from pynmeagps.exceptions import NMEAMessageError, NMEAParseError, NMEAStreamError, NMEATypeError

from edge_agents.datum import DATUMS, WGS_84, to_wgs84
from edge_agents.device import FrameError, FrameReason, Numeric, Occurrence, Reading, Yields
from edge_agents.devices._lines import LineBuffer
from edge_agents.protocol import Stream
from gateway.contract.envelope import Instant
from gateway.contract.quantity import QUANTITIES

KIND: Final = "gnss"
PROTOCOL: Final = Stream(baud=9600)
KNOT: Final = 1.852  # km/h
MAX_HDOP: Final = 5.0
MAX_JUMP_KMH: Final = 250.0
JUMP_SLACK_KM: Final = 0.05  # receiver noise must not look like speed
REACQUIRED_AFTER: Final = 3  # as many fixes that agree with each other replace the last good position

# quantity, sentence, pynmeagps attribute, factor, digits kept
FIELDS: Final = (
    ("latitude", "RMC", "lat", 1.0, 8),
    ("longitude", "RMC", "lon", 1.0, 8),
    ("speed", "RMC", "spd", KNOT, 3),
    ("course", "RMC", "cog", 1.0, 2),
    ("latitude", "GGA", "lat", 1.0, 8),
    ("longitude", "GGA", "lon", 1.0, 8),
    ("altitude", "GGA", "alt", 1.0, 2),
    ("hdop", "GGA", "HDOP", 1.0, 2),
    ("altitude-error", "GST", "stdAlt", 1.0, 3),
)
ERROR: Final = "position-error"
DATUM_EVENT: Final = "position-datum"
YIELDS: Final = Yields(quantities=(*dict.fromkeys(name for name, *_ in FIELDS), ERROR), events=(DATUM_EVENT,))
SIMULATOR_MODE: Final = "S"  # RMC positioning mode of a receiver in simulation: a test reading
_USED: Final = (b"RMC,", b"GGA,", b"GST,")
_PLACES: Final = frozenset({"RMC", "GGA"})  # GST alone makes no position
_HALF_DAY: Final = timedelta(hours=12)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_CENTURY_END: Final = 3_124_224_000_000_000  # 2069-01-01: NMEA's year 69 is 1969
_MICROSECOND: Final = timedelta(microseconds=1)


def encode(reading: Reading) -> bytes:
    """The sentences of a position, GST first if its error is known; without a latitude, those of no fix.

    Raises:
        ValueError: not a position, or a time outside 1970 to 2068 (RMC has two digits for the year).
    """
    if not isinstance(reading, Numeric):
        raise ValueError(f"a receiver cannot say {reading!r}")  # noqa: TRY004 - one error for all it cannot say
    if not 0 <= reading.observed_at < _CENTURY_END:
        raise ValueError(f"RMC cannot tell the time {reading.observed_at}")
    at = _EPOCH + reading.observed_at // 1000 * 1000 * _MICROSECOND
    stamp = f"{at:%H%M%S}.{at.microsecond // 1000:03d}"
    get = reading.values.get
    latitude, longitude = get("latitude"), get("longitude")
    place = ",,,"
    if fix := latitude is not None and longitude is not None:
        place = f"{_angle(latitude, 2, 'NS')},{_angle(longitude, 3, 'EW')}"
    speed = get("speed")
    knots = _number(None if speed is None else speed / KNOT, 3)
    mode = (SIMULATOR_MODE if reading.test else "A") if fix else "N"
    rmc = f"GNRMC,{stamp},{'AV'[not fix]},{place},{knots},{_number(get('course'), 2)},{at:%d%m%y},,,{mode}"
    quality, satellites = ("1", "09") if fix else ("0", "00")
    gga = f"GNGGA,{stamp},{place},{quality},{satellites},{_number(get('hdop'), 2)},{_number(get('altitude'), 1)},M,,M,,"
    texts = (_gst(reading, stamp), rmc, gga) if ERROR in reading.values else (rmc, gga)
    return b"".join(f"${text}*{calc_checksum(text)}\r\n".encode() for text in texts)


def _gst(reading: Numeric, stamp: str) -> str:
    """A circle of error: as much north as east."""
    error = reading.values[ERROR]
    side = _number(None if error is None else error / math.sqrt(2), 3)
    return f"GNGST,{stamp},,{side},{side},0.0,{side},{side},{_number(reading.values.get('altitude-error'), 3)}"


def _angle(value: float, digits: int, letters: str) -> str:
    """Degrees and minutes with five decimals, and the letter of the hemisphere."""
    degrees, minutes = divmod(round(abs(value) * 60 * 100_000), 60 * 100_000)
    return f"{degrees:0{digits}d}{minutes / 100_000:08.5f},{letters[value < 0]}"


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _parse(line: bytes) -> Any:
    """The pynmeagps message of a sentence in use with a fix; None for other sound sentences; raises FrameError."""
    body, star, check = line[1:].partition(b"*")
    if not star or not line.isascii():
        raise FrameError(FrameReason.SYNTAX, line)
    if calc_checksum(body.decode()) != check.decode().upper():
        raise FrameError(FrameReason.CHECKSUM, line)
    if body[2:6] not in _USED:
        return None
    try:
        message = NMEAReader.parse(line)
    except (NMEAParseError, NMEAMessageError, NMEATypeError, NMEAStreamError, ValueError, IndexError) as error:
        raise FrameError(FrameReason.SYNTAX, line, str(error)) from error
    if message.msgID == "GST":
        if not isinstance(message.time, time):
            raise FrameError(FrameReason.SYNTAX, line, "no time")
        return message
    if getattr(message, "status", "A") != "A" or not getattr(message, "quality", 1):
        raise FrameError(FrameReason.NO_FIX, line)
    if not (isinstance(message.lat, float) and isinstance(message.lon, float) and isinstance(message.time, time)):
        raise FrameError(FrameReason.SYNTAX, line, "no position or no time")
    return message


class Decoder:
    """NMEA 0183 bytes to positions; keeps the open epoch, the last position and a candidate after a jump."""

    def __init__(self, datum: str = WGS_84) -> None:
        """``datum``: in which the source gives its positions; raises ValueError when there is none of that name."""
        if datum not in DATUMS:
            raise ValueError(f"datum {datum!r}: expected one of {', '.join(DATUMS)}")
        self._datum = datum
        self._declared = datum == WGS_84  # nothing to declare
        self._lines = LineBuffer(b"$")
        self._parts: dict[str, Any] = {}  # sentence name to message, of the open epoch
        self._frames: list[bytes] = []
        self._usual: set[str] = set()  # sentences the receiver sends each epoch
        self._time = time.min  # of the open epoch
        self._gate = _JumpGate()
        self._last_at: Instant | None = None

    def feed(self, data: bytes, received_at: Instant) -> list[Reading | FrameError]:
        """See edge_agents.device.Decoder; ``received_at`` supplies the date when the receiver sends none."""
        found: list[Reading | FrameError] = []
        for line in self._lines.feed(data):
            if isinstance(line, FrameError):
                found.append(line)
            else:
                self._sentence(line, received_at, found)
        return found

    def _sentence(self, line: bytes, received_at: Instant, found: list[Reading | FrameError]) -> None:
        try:
            message = _parse(line)
        except FrameError as error:
            found.append(error)
            return
        if message is None:
            return
        if message.time != self._time:
            self._usual = (self._usual & _PLACES) | self._parts.keys()  # GST may come and go
            self._emit(received_at, found)
            self._parts = {}
            self._time = message.time
        if message.msgID not in self._parts:
            late = message.msgID == "GST" and bool(self._parts) and not self._frames
            self._parts[message.msgID] = message
            if late:  # the epoch's position is out already; from the next one on it will be waited for
                return
            self._frames.append(line)
            if self._parts.keys() >= (self._usual or _PLACES):
                self._emit(received_at, found)

    def _emit(self, received_at: Instant, found: list[Reading | FrameError]) -> None:
        """Adds the open epoch's position, once."""
        if not self._frames or not self._parts.keys() & _PLACES:
            self._frames = []
            return
        frame = b"\r\n".join(self._frames)
        self._frames = []
        try:
            position = self._position(frame, received_at)
        except FrameError as error:
            found.append(error)
            return
        if not self._declared:
            self._declared = True
            details = {"declared": self._datum, "kept": WGS_84}
            found.append(Occurrence(observed_at=position.observed_at, name=DATUM_EVENT, details=details))
        found.append(position)

    def _position(self, frame: bytes, received_at: Instant) -> Numeric:
        observed_at = self._observed_at(frame, received_at)
        values, invalid = _values(self._parts)
        latitude, longitude = values["latitude"], values["longitude"]
        if latitude is None or longitude is None:
            raise FrameError(FrameReason.OUT_OF_RANGE, frame, "position")
        if (values.get("hdop") or 0.0) > MAX_HDOP:
            raise FrameError(FrameReason.OUT_OF_RANGE, frame, f"hdop {values['hdop']}")
        latitude, longitude = (round(angle, 8) for angle in to_wgs84(latitude, longitude, self._datum))
        values |= {"latitude": latitude, "longitude": longitude}
        if not self._gate.passes(observed_at, latitude, longitude):
            raise FrameError(FrameReason.OUT_OF_RANGE, frame, "jump")
        self._last_at = observed_at
        test = getattr(self._parts.get("RMC"), "posMode", "") == SIMULATOR_MODE
        return Numeric(observed_at=observed_at, values=values, invalid=invalid, test=test)

    def _observed_at(self, frame: bytes, received_at: Instant) -> Instant:
        """The epoch's time; the date is RMC's, else the one that lies nearest to what was last known."""
        day = getattr(self._parts.get("RMC"), "date", None)
        if isinstance(day, date):
            return (datetime.combine(day, self._time, UTC) - _EPOCH) // _MICROSECOND
        known = received_at if self._last_at is None else self._last_at
        try:
            near = _EPOCH + timedelta(microseconds=known)
            at = datetime.combine(near.date(), self._time, UTC)
            at += timedelta(days=(near - at > _HALF_DAY) - (at - near > _HALF_DAY))
        except OverflowError as error:
            raise FrameError(FrameReason.OUT_OF_RANGE, frame, "no date") from error
        return (at - _EPOCH) // _MICROSECOND


def _values(parts: dict[str, Any]) -> tuple[dict[str, float | None], dict[str, str]]:
    """Quantities of an epoch; an empty field is "no-measurement", an implausible one "out-of-range"."""
    values: dict[str, float | None] = {}
    invalid: dict[str, str] = {}
    for quantity, sentence, attribute, factor, digits in FIELDS:
        if sentence in parts and quantity not in values:
            value = _finite(getattr(parts[sentence], attribute, ""))
            _add(quantity, None if value is None else round(value * factor, digits), values, invalid)
    if (gst := parts.get("GST")) is not None:
        north, east = _finite(gst.stdLat), _finite(gst.stdLong)
        error = None if north is None or east is None else round(math.hypot(north, east), 3)
        _add(ERROR, error, values, invalid)
    return values, invalid


def _finite(raw: Any) -> float | None:
    return float(raw) if isinstance(raw, int | float) and math.isfinite(raw) else None


def _add(quantity: str, value: float | None, values: dict[str, float | None], invalid: dict[str, str]) -> None:
    row = QUANTITIES[quantity]
    plausible = value is not None and row.low <= value <= row.high
    values[quantity] = value if plausible else None
    if not plausible:
        invalid[quantity] = "no-measurement" if value is None else "out-of-range"


class _JumpGate:
    """Refuses positions that the vehicle cannot have reached, until several of them agree with each other."""

    def __init__(self) -> None:
        self._good: tuple[Instant, float, float] | None = None
        self._candidate: tuple[Instant, float, float] | None = None
        self._agreeing = 0

    def passes(self, at: Instant, latitude: float, longitude: float) -> bool:
        fix = (at, latitude, longitude)
        if self._good is not None and not _reachable(self._good, fix):
            agrees = self._candidate is not None and _reachable(self._candidate, fix)
            self._agreeing = self._agreeing + 1 if agrees else 1
            self._candidate = fix
            if self._agreeing < REACQUIRED_AFTER:
                return False
        self._good, self._candidate, self._agreeing = fix, None, 0
        return True


def _reachable(a: tuple[Instant, float, float], b: tuple[Instant, float, float]) -> bool:
    hours = abs(b[0] - a[0]) / 3_600_000_000
    north = math.radians(b[1] - a[1])
    east = math.radians((b[2] - a[2] + 180) % 360 - 180) * math.cos(math.radians((a[1] + b[1]) / 2))
    return 6371.0 * math.hypot(north, east) <= MAX_JUMP_KMH * hours + JUMP_SLACK_KM
