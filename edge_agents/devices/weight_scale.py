"""Weight scale with the Bluetooth Weight Scale Service (0x181D), in kilograms and metres or pounds and inches.

A measurement (0x2A9D, indicated) may bear the body mass index and the height the scale has stored. Its steps are those
of the service; the feature (0x2A9E, read) only says how exact the scale is.

Source: Bluetooth Weight Scale Profile and Service 1.0.1, GATT Specification Supplement 3.245 and 3.246.
"""

from typing import Final

from edge_agents.device import INFORMATION_EVENT, FrameError, FrameReason, Numeric, Reading, Yields
from edge_agents.devices._float11073 import NO_MEASUREMENT, Read
from edge_agents.devices._gatt import (
    BATTERY_LOW,
    CLOCK_UNSET,
    COMPANION_READ,
    Fields,
    GattDecoder,
    Measured,
    encode_companion,
    pack_date_time,
)
from edge_agents.protocol import Gatt, gatt_frame
from gateway.contract.envelope import Instant

MEASUREMENT: Final = 0x2A9D
FEATURE: Final = 0x2A9E
KIND: Final = "weight_scale"
PROTOCOL: Final = Gatt(service=0x181D, subscribe=(MEASUREMENT,), read=(*COMPANION_READ, FEATURE))

IMPERIAL, HAS_TIME, HAS_USER, HAS_INDEX = 0x01, 0x02, 0x04, 0x08
UNSUCCESSFUL: Final = 0xFFFF
KILOGRAM_STEP: Final = 0.005
POUND_STEP: Final = 0.01 * 0.45359237  # kg
CENTIMETRE_STEP: Final = 0.1
INCH_STEP: Final = 0.1 * 2.54  # cm
INDEX_STEP: Final = 0.1
YIELDS: Final = Yields(
    quantities=("weight", "bmi", "height", "battery"),
    events=(INFORMATION_EVENT,),
    conditions=(CLOCK_UNSET, BATTERY_LOW),
)


def encode(reading: Reading) -> bytes:
    """The indication of a measurement, metric.

    Raises:
        ValueError: the scale cannot say that.
    """
    if (frame := encode_companion(reading)) is not None:
        return frame
    match reading:
        case Numeric(values={"weight": weight, **rest}) if (
            rest.keys() in ({"bmi", "height"}, set()) and not reading.test
        ):
            unset = CLOCK_UNSET in (reading.conditions or ())
            time = pack_date_time(None if unset else reading.observed_at)
            value = bytes([HAS_TIME | (HAS_INDEX if rest else 0)]) + _steps(weight, KILOGRAM_STEP) + time
            if rest:
                value += _steps(rest["bmi"], INDEX_STEP) + _steps(rest["height"], CENTIMETRE_STEP)
            return gatt_frame(MEASUREMENT, value)
    raise ValueError(f"a scale cannot say {reading!r}")


def _steps(value: float | None, step: float) -> bytes:
    return (UNSUCCESSFUL if value is None else round(value / step)).to_bytes(2, "little")


class Decoder(GattDecoder):
    """Values of characteristics to readings."""

    def __init__(self, utc_offset: str = "+00:00") -> None:
        """``utc_offset``: of the device's clock."""
        super().__init__({MEASUREMENT: self._measurement, FEATURE: self._feature}, utc_offset)

    def _measurement(self, fields: Fields, received_at: Instant) -> list[Reading]:
        flags = fields.uint(1)
        imperial = flags & IMPERIAL
        measured = Measured()
        measured.add("weight", _count(fields), POUND_STEP if imperial else KILOGRAM_STEP)
        at, conditions = received_at, frozenset[str]()
        if flags & HAS_TIME:
            known = fields.date_time()
            at = received_at if known is None else known
            conditions = frozenset({CLOCK_UNSET} if known is None else ())
        if flags & HAS_USER:
            fields.uint(1)  # which of the scale's users, not who
        if flags & HAS_INDEX:
            measured.add("bmi", _count(fields), INDEX_STEP)
            measured.add("height", _count(fields), INCH_STEP if imperial else CENTIMETRE_STEP)
        reading = Numeric(
            observed_at=at, values=measured.values, invalid=measured.invalid, conditions=self.state(conditions)
        )
        return self.once(fields, reading, received_at)

    def _feature(self, fields: Fields, _received_at: Instant) -> list[Reading]:
        if fields.left != 4:
            raise FrameError(FrameReason.LENGTH, fields.frame)
        return []


def _count(fields: Fields) -> Read:
    """A number of steps; all ones mean that the measurement was unsuccessful."""
    steps = fields.uint(2)
    return (None, NO_MEASUREMENT) if steps == UNSUCCESSFUL else (float(steps), "")
