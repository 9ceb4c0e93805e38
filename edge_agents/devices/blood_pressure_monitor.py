"""Blood pressure cuff with the Bluetooth Blood Pressure Service (0x1810).

A measurement (0x2A35, indicated) is a reading of all its pressures; while the cuff inflates the device may show its
pressure (0x2A36, notified). Pressures come in mmHg or kPa and leave in mmHg. What the device says of the measurement
itself (cuff loose, moved, irregular pulse) is a technical condition that holds until the next measurement.
Numbers taken with a cuff that is loose or misplaced are none.

Source: Bluetooth Blood Pressure Profile and Service 1.1.1, GATT Specification Supplement 3.30 and 3.127.
"""

from typing import Final

from edge_agents.device import INFORMATION_EVENT, Numeric, Reading, Yields
from edge_agents.devices._float11073 import NO_MEASUREMENT, pack_sfloat
from edge_agents.devices._gatt import (
    BATTERY_LOW,
    CLOCK_UNSET,
    COMPANION_READ,
    Fields,
    GattDecoder,
    Measured,
    bits_set,
    encode_companion,
    pack_date_time,
)
from edge_agents.protocol import Gatt, gatt_frame
from gateway.contract.envelope import Instant

MEASUREMENT: Final = 0x2A35
CUFF_PRESSURE: Final = 0x2A36
KIND: Final = "blood_pressure_monitor"
PROTOCOL: Final = Gatt(service=0x1810, subscribe=(MEASUREMENT, CUFF_PRESSURE), read=COMPANION_READ, pair=True)

KILOPASCAL: Final = 7.500616827  # mmHg
PRESSURES: Final = ("bp-systolic", "bp-diastolic", "bp-mean")
# flag bits
IN_KPA, HAS_TIME, HAS_PULSE, HAS_USER, HAS_STATUS = 0x01, 0x02, 0x04, 0x08, 0x10
STATUS: Final = {  # bits 3 and 4 tell where the pulse lies against the device's own limits
    0: "body-moved",
    1: "cuff-error/loose",
    2: "irregular-pulse",
    5: "cuff-error/position",
}
SPOILING: Final = frozenset({"cuff-error/loose", "cuff-error/position"})  # the others only mark a measurement
YIELDS: Final = Yields(
    quantities=(*PRESSURES, "pulse-rate", "cuff-pressure", "battery"),
    events=(INFORMATION_EVENT,),
    conditions=("body-moved", "cuff-error", "irregular-pulse", CLOCK_UNSET, BATTERY_LOW),
)


def encode(reading: Reading) -> bytes:
    """The indication of a measurement or the notification of a cuff pressure, in mmHg.

    Raises:
        ValueError: the device cannot say that.
    """
    if (frame := encode_companion(reading)) is not None:
        return frame
    names = set(reading.values) if isinstance(reading, Numeric) else set()
    if not isinstance(reading, Numeric) or not names or reading.test:
        raise ValueError(f"a cuff cannot say {reading!r}")
    if names <= {*PRESSURES, "pulse-rate"}:
        return gatt_frame(MEASUREMENT, _pack(reading, PRESSURES))
    if names <= {"cuff-pressure", "pulse-rate"}:
        return gatt_frame(CUFF_PRESSURE, _pack(reading, ("cuff-pressure", "", "")))
    raise ValueError(f"a cuff cannot say {reading!r}")


def _pack(reading: Numeric, pressures: tuple[str, ...]) -> bytes:
    conditions = reading.conditions or frozenset()
    status = sum(1 << bit for bit, condition in STATUS.items() if condition in conditions)
    flags = HAS_TIME | (HAS_PULSE if "pulse-rate" in reading.values else 0)
    flags |= HAS_STATUS if reading.conditions is not None else 0
    time = pack_date_time(None if CLOCK_UNSET in conditions else reading.observed_at)
    value = bytes([flags]) + b"".join(_number(reading, name) for name in pressures) + time
    if flags & HAS_PULSE:
        value += _number(reading, "pulse-rate")
    return value + (status.to_bytes(2, "little") if flags & HAS_STATUS else b"")


def _number(reading: Numeric, name: str) -> bytes:
    return pack_sfloat(reading.values.get(name), reading.invalid.get(name, NO_MEASUREMENT))


class Decoder(GattDecoder):
    """Values of characteristics to readings."""

    def __init__(self, utc_offset: str = "+00:00") -> None:
        """``utc_offset``: of the device's clock."""
        super().__init__({MEASUREMENT: self._measurement, CUFF_PRESSURE: self._cuff_pressure}, utc_offset)

    def _measurement(self, fields: Fields, received_at: Instant) -> list[Reading]:
        """Stored until it is confirmed, and sent again if it was not."""
        return self.once(fields, self._reading(fields, received_at, PRESSURES), received_at)

    def _cuff_pressure(self, fields: Fields, received_at: Instant) -> list[Reading]:
        """Laid out as a measurement whose second and third pressure mean nothing."""
        return [self._reading(fields, received_at, ("cuff-pressure", "", ""))]

    def _reading(self, fields: Fields, received_at: Instant, pressures: tuple[str, ...]) -> Numeric:
        flags = fields.uint(1)
        measured = Measured()
        factor = KILOPASCAL if flags & IN_KPA else 1.0
        for name in pressures:
            number = fields.sfloat()
            if name:
                measured.add(name, number, factor, digits=2)
        at, conditions = received_at, frozenset[str]()
        if flags & HAS_TIME:
            known = fields.date_time()
            at = received_at if known is None else known
            conditions = frozenset({CLOCK_UNSET} if known is None else ())
        if flags & HAS_PULSE:
            measured.add("pulse-rate", fields.sfloat())
        if flags & HAS_USER:
            fields.uint(1)  # which of the device's users, not who
        if flags & HAS_STATUS:
            conditions |= bits_set(fields.uint(2), STATUS)
        if conditions & SPOILING:
            measured.disown((*PRESSURES, "pulse-rate"), NO_MEASUREMENT)
        return Numeric(
            observed_at=at, values=measured.values, invalid=measured.invalid, conditions=self.state(conditions)
        )
