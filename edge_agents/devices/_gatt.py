"""What devices with a GATT server share: fields of a value, Date Time, battery and device information.

A frame is the characteristic's 16-bit UUID and its value (edge_agents.protocol). Fields that a later version of a
profile may append are passed over, as the Bluetooth specifications ask of clients.

Sources: GATT Specification Supplement (Date Time), Battery Service 1.0, Device Information Service 1.1.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from edge_agents.device import INFORMATION_EVENT, FrameError, FrameReason, Numeric, Occurrence, Reading
from edge_agents.devices._float11073 import Read, float32, sfloat
from edge_agents.devices._zone import zone_option
from edge_agents.protocol import GATT_HEAD, gatt_frame
from gateway.contract.envelope import Instant
from gateway.contract.quantity import QUANTITIES

BATTERY_LEVEL: Final = 0x2A19
INFORMATION: Final = {0x2A29: "maker", 0x2A24: "model", 0x2A25: "serial", 0x2A26: "firmware"}
COMPANION_READ: Final = (*INFORMATION, BATTERY_LEVEL)  # for PROTOCOL.read: what such devices have beside their service
BATTERY_LOW: Final = "battery-low"
CLOCK_UNSET: Final = "clock-unset"
LOW_PERCENT: Final = 15
_REMEMBERED: Final = 256
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_EARLIEST: Final = -12_212_553_600_000_000  # 1583-01-01, the first whole year of the Gregorian calendar
_LATEST: Final = 253_402_300_799_000_000
LONG_AGO: Final = _EARLIEST - 1  # arrival of what is recalled: no device's clock shows it


class Fields:
    """The fields of one value, in order; a value that ends too early is a FrameError."""

    def __init__(self, frame: bytes, zone: tzinfo = UTC) -> None:
        """``frame`` has a head; ``zone`` is that of the device's clock."""
        self.frame = frame
        self._zone = zone
        self._at = GATT_HEAD.size

    @property
    def left(self) -> int:
        """Bytes not read yet."""
        return len(self.frame) - self._at

    def take(self, size: int) -> bytes:
        """The next bytes."""
        if self.left < size:
            raise FrameError(FrameReason.LENGTH, self.frame)
        self._at += size
        return self.frame[self._at - size : self._at]

    def uint(self, size: int) -> int:
        """An unsigned integer of so many bytes."""
        return int.from_bytes(self.take(size), "little")

    def sint(self, size: int) -> int:
        """A signed integer."""
        return int.from_bytes(self.take(size), "little", signed=True)

    def sfloat(self) -> Read:
        """An SFLOAT: number, or None and why."""
        return sfloat(self.uint(2))

    def float32(self) -> Read:
        """A FLOAT."""
        return float32(self.uint(4))

    def date_time(self) -> Instant | None:
        """A Date Time, local time of the device's clock; None when year, month or day is unknown (0)."""
        year = self.uint(2)
        month, day, hour, minute, second = self.take(5)
        try:
            at = datetime(year or 2000, month or 1, day or 1, hour, minute, second, tzinfo=self._zone)
        except ValueError as error:
            raise FrameError(FrameReason.OUT_OF_RANGE, self.frame, str(error)) from error
        return (at - _EPOCH) // _MICROSECOND if year and month and day else None


def pack_date_time(at: Instant | None) -> bytes:
    """The seven bytes of a whole second, or of an unset clock.

    Raises:
        ValueError: a year that Date Time cannot tell.
    """
    if at is None:
        return bytes(7)
    if not _EARLIEST <= at <= _LATEST:
        raise ValueError(f"Date Time cannot tell {at}")
    when = _EPOCH + at // 1_000_000 * timedelta(seconds=1)
    return when.year.to_bytes(2, "little") + bytes([when.month, when.day, when.hour, when.minute, when.second])


def bits_set(word: int, table: dict[int, str]) -> frozenset[str]:
    """What the bits of a status word mean; bits the table does not have mean nothing to us."""
    return frozenset(meaning for bit, meaning in table.items() if word >> bit & 1)


class Measured:
    """Collects the values of one reading: what a special value or an implausible number means stands beside it."""

    def __init__(self) -> None:
        self.values: dict[str, float | None] = {}
        self.invalid: dict[str, str] = {}

    def add(self, name: str, read: Read, factor: float = 1.0, digits: int = 3) -> None:
        """A quantity, converted to its unit."""
        value, reason = read
        if value is not None:
            value = round(value * factor, digits)
            row = QUANTITIES[name]
            if not row.low <= value <= row.high:
                value, reason = None, "out-of-range"
        self.values[name] = value
        if value is None:
            self.invalid[name] = reason

    def spoil(self, names: tuple[str, ...], reason: str) -> None:
        """The device says itself that these are worth nothing."""
        for name in names:
            if name in self.values:
                self.values[name] = None
                self.invalid[name] = reason

    def disown(self, names: tuple[str, ...], reason: str) -> None:
        """The device sends numbers for these and says that they are none; one that is none already keeps its reason."""
        self.spoil(tuple(name for name in names if self.values.get(name) is not None), reason)


class GattDecoder:
    """Hands each frame to the method for its characteristic; battery and device information are understood for all.

    What a device states about itself in several characteristics is stated together. A Date Time bears no zone: the
    option ``utc_offset`` ("+08:00") says what the clock of the device shows.
    """

    def __init__(
        self, layouts: dict[int, Callable[[Fields, Instant], list[Reading]]], utc_offset: str = "+00:00"
    ) -> None:
        """``layouts``: what reads the characteristics of the device's own service."""
        self._zone = zone_option(utc_offset)
        self._layouts = {**layouts, BATTERY_LEVEL: self._battery}
        self._layouts.update(dict.fromkeys(INFORMATION, self._information))
        self._information_known: dict[int, str] = {}
        self._told: dict[bytes, None] = {}  # the last frames with a time of their own
        self._had: list[bytes] = []  # of those, what `had` has not said yet
        self._battery_low: frozenset[str] = frozenset()
        self._stated: frozenset[str] = frozenset()

    def feed(self, data: bytes, received_at: Instant) -> list[Reading | FrameError]:
        """See edge_agents.device.Decoder."""
        if not data:
            return []
        try:
            return [*self._read(data, received_at)]
        except FrameError as error:
            return [error]

    def had(self) -> list[bytes]:
        """See edge_agents.device.Recalling."""
        had, self._had = self._had, []
        return had

    def recall(self, frames: Iterable[bytes]) -> None:
        """See edge_agents.device.Recalling: they are fed again, and what they say is passed over."""
        for frame in frames:
            self.feed(frame, LONG_AGO)
        self._had.clear()

    def _read(self, frame: bytes, received_at: Instant) -> list[Reading]:
        if len(frame) < GATT_HEAD.size:
            raise FrameError(FrameReason.LENGTH, frame)
        layout = self._layouts.get(GATT_HEAD.unpack_from(frame)[0])
        if layout is None:
            raise FrameError(FrameReason.UNKNOWN_TYPE, frame)
        return layout(Fields(frame, self._zone), received_at)

    def state(self, codes: frozenset[str]) -> frozenset[str]:
        """Conditions the device's service states now; with what other characteristics have stated."""
        self._stated = codes
        return codes | self._battery_low

    def once(self, fields: Fields, reading: Numeric, received_at: Instant) -> list[Reading]:
        """The reading, unless it bears a time of its own and was had before, bit for bit.

        A device that has not got its confirmation stores the measurement and sends it once more.
        """
        if reading.observed_at == received_at:
            return [reading]
        if fields.frame in self._told:
            return []
        self._told[fields.frame] = None
        self._had.append(fields.frame)
        if len(self._told) > _REMEMBERED:
            del self._told[next(iter(self._told))]
        return [reading]

    def _battery(self, fields: Fields, received_at: Instant) -> list[Reading]:
        level = fields.uint(1)
        if fields.left:
            raise FrameError(FrameReason.LENGTH, fields.frame)
        if level > 100:
            raise FrameError(FrameReason.OUT_OF_RANGE, fields.frame)
        self._battery_low = frozenset({BATTERY_LOW} if level <= LOW_PERCENT else ())
        conditions = self._stated | self._battery_low
        return [Numeric(observed_at=received_at, values={"battery": float(level)}, conditions=conditions)]

    def _information(self, fields: Fields, received_at: Instant) -> list[Reading]:
        """Said once, and again when it has changed (other firmware, another device at the address)."""
        characteristic: int = GATT_HEAD.unpack_from(fields.frame)[0]
        text = fields.take(fields.left).rstrip(b"\x00").decode("utf-8", "replace")[:64]
        if not text or self._information_known.get(characteristic) == text:
            return []
        self._information_known[characteristic] = text
        details = {INFORMATION[characteristic]: text}
        return [Occurrence(observed_at=received_at, name=INFORMATION_EVENT, details=details)]


def encode_companion(reading: Reading) -> bytes | None:
    """The frame of a battery level or of device information; None for what belongs to the device's own service."""
    match reading:
        case Numeric(values={"battery": float(level), **rest}) if not rest:
            return gatt_frame(BATTERY_LEVEL, bytes([round(level)]))
        case Occurrence(name=name, details=details) if name == INFORMATION_EVENT and len(details) == 1:
            for characteristic, key in INFORMATION.items():
                if key in details:
                    return gatt_frame(characteristic, str(details[key]).encode())
    return None
