"""Pulse oximeter with the Bluetooth Pulse Oximeter Service (0x1822): spot checks and continuous measurement.

A spot check (0x2A5E, indicated) may bear a time, a continuous value (0x2A5F, notified) bears none. Demonstration and
test data are test readings. What the device says of sensor and signal is a technical condition; a value it calls
invalid or unavailable is none, nor is one that a sensor gives that is broken or not on the person, nor a pulse of 0.

Source: Bluetooth Pulse Oximeter Profile and Service 1.0.1, GATT Specification Supplement 3.174 and 3.176.
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

SPOT: Final = 0x2A5E
CONTINUOUS: Final = 0x2A5F
KIND: Final = "pulse_oximeter"
PROTOCOL: Final = Gatt(service=0x1822, subscribe=(SPOT, CONTINUOUS), read=COMPANION_READ, restart_after=30.0)

VALUES: Final = ("spo2", "pulse-rate")
# flag bits of a spot check, and of a continuous measurement
SPOT_TIME, SPOT_MEASUREMENT, SPOT_SENSOR, SPOT_AMPLITUDE, SPOT_NO_CLOCK = 0x01, 0x02, 0x04, 0x08, 0x10
FAST, SLOW, MEASUREMENT, SENSOR, AMPLITUDE = 0x01, 0x02, 0x04, 0x08, 0x10
# bits of the measurement status
DEMONSTRATION, TESTING, CALIBRATING, UNAVAILABLE, QUESTIONABLE, INVALID = 10, 11, 12, 13, 14, 15
SENSOR_STATUS: Final = {
    1: "device-fault",
    2: "irregular-pulse",
    3: "signal-poor/inadequate",
    4: "signal-poor/weak",
    5: "signal-poor/low-perfusion",
    6: "signal-poor/erratic",
    7: "signal-poor/non-pulsatile",
    8: "signal-poor/questionable-pulse",
    10: "signal-poor/interference",
    11: "sensor-off",
    12: "sensor-fault/unknown-kind",
    13: "sensor-off/displaced",
    14: "sensor-fault",
    15: "sensor-fault/disconnected",
}
# bits with which the numbers beside them mean nothing: device broken, no pulse, sensor not on the person or broken
DISOWNS: Final = {
    1: "sensor-fault",
    7: NO_MEASUREMENT,
    11: "sensor-off",
    13: "sensor-off",
    14: "sensor-fault",
    15: "sensor-fault",
}
QUESTIONABLE_DATA: Final = "signal-poor/questionable"
YIELDS: Final = Yields(
    quantities=(*VALUES, "perfusion-index", "battery"),
    events=(INFORMATION_EVENT,),
    conditions=(
        "device-fault",
        "irregular-pulse",
        "signal-poor",
        "sensor-off",
        "sensor-fault",
        CLOCK_UNSET,
        BATTERY_LOW,
    ),
)


def encode(reading: Reading) -> bytes:
    """A continuous value, or with the condition `clock-unset` or at a whole second a spot check: see `encode_spot`.

    Raises:
        ValueError: the device cannot say that.
    """
    return encode_spot(reading)


def encode_spot(reading: Reading) -> bytes:
    """A spot check, with its time."""
    if (frame := encode_companion(reading)) is not None:
        return frame
    numeric = _sayable(reading)
    conditions = numeric.conditions or frozenset()
    unset = CLOCK_UNSET in conditions
    flags = SPOT_TIME | SPOT_MEASUREMENT | SPOT_SENSOR | (SPOT_NO_CLOCK if unset else 0)
    flags |= SPOT_AMPLITUDE if "perfusion-index" in numeric.values else 0
    time = pack_date_time(None if unset else numeric.observed_at)
    return gatt_frame(SPOT, bytes([flags]) + _pair(numeric) + time + _tail(numeric))


def encode_continuous(reading: Reading) -> bytes:
    """A continuous value; it has no time."""
    if (frame := encode_companion(reading)) is not None:
        return frame
    numeric = _sayable(reading)
    flags = MEASUREMENT | SENSOR | (AMPLITUDE if "perfusion-index" in numeric.values else 0)
    return gatt_frame(CONTINUOUS, bytes([flags]) + _pair(numeric) + _tail(numeric))


def _sayable(reading: Reading) -> Numeric:
    if not isinstance(reading, Numeric) or not {*VALUES} <= reading.values.keys() <= {*VALUES, "perfusion-index"}:
        raise ValueError(f"an oximeter cannot say {reading!r}")
    return reading


def _pair(numeric: Numeric) -> bytes:
    return b"".join(_number(numeric, name) for name in VALUES)


def _tail(numeric: Numeric) -> bytes:
    conditions = numeric.conditions or frozenset()
    status = (1 << TESTING if numeric.test else 0) | (1 << QUESTIONABLE if QUESTIONABLE_DATA in conditions else 0)
    sensor = sum(1 << bit for bit, condition in SENSOR_STATUS.items() if condition in conditions)
    tail = status.to_bytes(2, "little") + sensor.to_bytes(3, "little")
    return tail + (_number(numeric, "perfusion-index", -2) if "perfusion-index" in numeric.values else b"")


def _number(numeric: Numeric, name: str, finest: int = -1) -> bytes:
    return pack_sfloat(numeric.values[name], numeric.invalid.get(name, NO_MEASUREMENT), finest)


class Decoder(GattDecoder):
    """Values of characteristics to readings."""

    def __init__(self, utc_offset: str = "+00:00") -> None:
        """``utc_offset``: of the device's clock."""
        super().__init__({SPOT: self._spot, CONTINUOUS: self._continuous}, utc_offset)

    def _spot(self, fields: Fields, received_at: Instant) -> list[Reading]:
        flags = fields.uint(1)
        measured = _values(fields)
        at = fields.date_time() if flags & SPOT_TIME else None
        unset = bool(flags & SPOT_NO_CLOCK) or (bool(flags & SPOT_TIME) and at is None)
        status = fields.uint(2) if flags & SPOT_MEASUREMENT else 0
        sensor = fields.uint(3) if flags & SPOT_SENSOR else 0
        if flags & SPOT_AMPLITUDE:
            measured.add("perfusion-index", fields.sfloat())
        known = received_at if at is None or unset else at
        conditions = frozenset({CLOCK_UNSET} if unset else ())
        return self.once(fields, self._judge(known, measured, status, sensor, conditions), received_at)

    def _continuous(self, fields: Fields, received_at: Instant) -> list[Reading]:
        flags = fields.uint(1)
        measured = _values(fields)
        for averaging in (FAST, SLOW):  # the same two values, averaged otherwise
            if flags & averaging:
                fields.take(4)
        status = fields.uint(2) if flags & MEASUREMENT else 0
        sensor = fields.uint(3) if flags & SENSOR else 0
        if flags & AMPLITUDE:
            measured.add("perfusion-index", fields.sfloat())
        return [self._judge(received_at, measured, status, sensor, frozenset())]

    def _judge(self, at: Instant, measured: Measured, status: int, sensor: int, conditions: frozenset[str]) -> Numeric:
        """What the two status words say of the values, and of the device."""
        for bit, reason in ((UNAVAILABLE, NO_MEASUREMENT), (CALIBRATING, "calibrating"), (INVALID, "invalid")):
            if status >> bit & 1:
                measured.spoil((*VALUES, "perfusion-index"), reason)
        for bit, reason in DISOWNS.items():
            if sensor >> bit & 1:
                measured.disown((*VALUES, "perfusion-index"), reason)
        conditions |= bits_set(status, {QUESTIONABLE: QUESTIONABLE_DATA}) | bits_set(sensor, SENSOR_STATUS)
        test = bool(status >> DEMONSTRATION & 1 or status >> TESTING & 1)
        return Numeric(
            observed_at=at, values=measured.values, invalid=measured.invalid, conditions=self.state(conditions),
            test=test,
        )  # fmt: skip


def _values(fields: Fields) -> Measured:
    measured = Measured()
    for name in VALUES:
        measured.add(name, fields.sfloat())
    if measured.values["pulse-rate"] == 0:
        measured.spoil(("pulse-rate",), NO_MEASUREMENT)
    return measured
