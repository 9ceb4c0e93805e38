"""Body thermometer with the Bluetooth Health Thermometer Service (0x1809).

A measurement (0x2A1C, indicated) in Celsius or Fahrenheit, leaving in Celsius. Values while it still measures (0x2A1E,
notified) are no measurement: they are checked and left out. Where it was measured is told as an event when it changes.

Source: Bluetooth Health Thermometer Profile and Service 1.0, GATT Specification Supplement 3.216 and 3.218.
"""

from typing import Final

from edge_agents.device import INFORMATION_EVENT, FrameError, FrameReason, Numeric, Occurrence, Reading, Yields
from edge_agents.devices._float11073 import NO_MEASUREMENT, Read, pack_float32
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

MEASUREMENT: Final = 0x2A1C
INTERMEDIATE: Final = 0x2A1E
TYPE: Final = 0x2A1D
KIND: Final = "thermometer"
PROTOCOL: Final = Gatt(service=0x1809, subscribe=(MEASUREMENT, INTERMEDIATE), read=(*COMPANION_READ, TYPE))

IN_FAHRENHEIT, HAS_TIME, HAS_TYPE = 0x01, 0x02, 0x04
SITES: Final = {
    1: "armpit",
    2: "body",
    3: "ear",
    4: "finger",
    5: "gastrointestinal-tract",
    6: "mouth",
    7: "rectum",
    8: "toe",
    9: "tympanum",
}
SITE_EVENT: Final = "measurement-site"
YIELDS: Final = Yields(
    quantities=("temperature", "battery"),
    events=(SITE_EVENT, INFORMATION_EVENT),
    conditions=(CLOCK_UNSET, BATTERY_LOW),
)


def encode(reading: Reading) -> bytes:
    """The indication of a measurement in Celsius, or the type of the thermometer.

    Raises:
        ValueError: the device cannot say that.
    """
    if (frame := encode_companion(reading)) is not None:
        return frame
    match reading:
        case Numeric(values={"temperature": value, **rest}) if not rest and not reading.test:
            unset = CLOCK_UNSET in (reading.conditions or ())
            time = pack_date_time(None if unset else reading.observed_at)
            number = pack_float32(value, reading.invalid.get("temperature", NO_MEASUREMENT))
            return gatt_frame(MEASUREMENT, bytes([HAS_TIME]) + number + time)
        case Occurrence(name=name, details={"site": site, **rest}) if name == SITE_EVENT and not rest:
            for code, text in SITES.items():
                if text == site:
                    return gatt_frame(TYPE, bytes([code]))
    raise ValueError(f"a thermometer cannot say {reading!r}")


class Decoder(GattDecoder):
    """Values of characteristics to readings."""

    def __init__(self, utc_offset: str = "+00:00") -> None:
        """``utc_offset``: of the device's clock."""
        super().__init__(
            {MEASUREMENT: self._measurement, INTERMEDIATE: self._intermediate, TYPE: self._type}, utc_offset
        )
        self._site = 0

    def _measurement(self, fields: Fields, received_at: Instant) -> list[Reading]:
        reading, site = self._parse(fields, received_at)
        found = self.once(fields, reading, received_at)
        return [*self._at_site(site, reading.observed_at), *found] if found else []

    def _intermediate(self, fields: Fields, received_at: Instant) -> list[Reading]:
        self._parse(fields, received_at)
        return []

    def _parse(self, fields: Fields, received_at: Instant) -> tuple[Numeric, int]:
        flags = fields.uint(1)
        number = fields.float32()
        at, conditions = received_at, frozenset[str]()
        if flags & HAS_TIME:
            known = fields.date_time()
            at = received_at if known is None else known
            conditions = frozenset({CLOCK_UNSET} if known is None else ())
        site = fields.uint(1) if flags & HAS_TYPE else 0
        measured = Measured()
        measured.add("temperature", _celsius(number) if flags & IN_FAHRENHEIT else number, digits=2)
        reading = Numeric(
            observed_at=at, values=measured.values, invalid=measured.invalid, conditions=self.state(conditions)
        )
        return reading, site

    def _type(self, fields: Fields, received_at: Instant) -> list[Reading]:
        """Of a thermometer that has one place only."""
        site = fields.uint(1)
        if fields.left:
            raise FrameError(FrameReason.LENGTH, fields.frame)
        return self._at_site(site, received_at)

    def _at_site(self, site: int, at: Instant) -> list[Reading]:
        if site == self._site or site not in SITES:
            return []
        self._site = site
        return [Occurrence(observed_at=at, name=SITE_EVENT, details={"site": SITES[site]})]


def _celsius(fahrenheit: Read) -> Read:
    value, reason = fahrenheit
    return (None if value is None else (value - 32) * 5 / 9), reason
