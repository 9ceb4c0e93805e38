"""Heart rate sensor (chest strap, armband) with the Bluetooth Heart Rate Service (0x180D), with intervals of the beats.

A value (0x2A37, notified) bears no time. A sensor that says that it has lost the skin, or 0, has no heart rate. Of
several intervals in one value each is a reading, dated back by those behind it.

Source: Bluetooth Heart Rate Profile and Service 1.0, GATT Specification Supplement 3.113.
"""

from typing import Final

from edge_agents.device import INFORMATION_EVENT, FrameError, FrameReason, Numeric, Reading, Yields
from edge_agents.devices._float11073 import NO_MEASUREMENT
from edge_agents.devices._gatt import (
    BATTERY_LOW,
    COMPANION_READ,
    Fields,
    GattDecoder,
    Measured,
    encode_companion,
)
from edge_agents.protocol import Gatt, gatt_frame
from gateway.contract.envelope import Instant

MEASUREMENT: Final = 0x2A37
KIND: Final = "heart_rate_sensor"
PROTOCOL: Final = Gatt(service=0x180D, subscribe=(MEASUREMENT,), read=COMPANION_READ, restart_after=30.0)

IS_WIDE, CONTACT, CONTACT_KNOWN, HAS_ENERGY, HAS_INTERVALS = (1 << bit for bit in range(5))
INTERVAL_STEP: Final = 1000 / 1024  # ms
OFF: Final = "sensor-off"
YIELDS: Final = Yields(
    quantities=("heart-rate", "rr-interval", "battery"), events=(INFORMATION_EVENT,), conditions=(OFF, BATTERY_LOW)
)


def encode(reading: Reading) -> bytes:
    """A notification: a heart rate, perhaps with the interval before its last beat.

    Raises:
        ValueError: the sensor cannot say that.
    """
    if (frame := encode_companion(reading)) is not None:
        return frame
    if not isinstance(reading, Numeric) or not {"heart-rate"} <= reading.values.keys() <= {"heart-rate", "rr-interval"}:
        raise ValueError(f"a heart rate sensor cannot say {reading!r}")
    rate, interval = reading.values["heart-rate"], reading.values.get("rr-interval")
    flags = CONTACT_KNOWN | (0 if OFF in (reading.conditions or ()) else CONTACT)
    flags |= 0 if interval is None else HAS_INTERVALS
    value = bytes([flags | IS_WIDE]) + round(rate or 0.0).to_bytes(2, "little")
    return gatt_frame(
        MEASUREMENT, value + (b"" if interval is None else round(interval / INTERVAL_STEP).to_bytes(2, "little"))
    )


class Decoder(GattDecoder):
    """Values of characteristics to readings."""

    def __init__(self) -> None:
        super().__init__({MEASUREMENT: self._measurement})

    def _measurement(self, fields: Fields, received_at: Instant) -> list[Reading]:
        flags = fields.uint(1)
        measured = Measured()
        measured.add("heart-rate", (float(fields.uint(2 if flags & IS_WIDE else 1)), ""))
        if measured.values["heart-rate"] == 0:
            measured.spoil(("heart-rate",), NO_MEASUREMENT)
        off = bool(flags & CONTACT_KNOWN) and not flags & CONTACT
        if off:
            measured.spoil(("heart-rate",), OFF)
        if flags & HAS_ENERGY:
            fields.uint(2)  # kJ since it was last reset
        intervals = self._intervals(fields) if flags & HAS_INTERVALS else []
        if intervals:
            measured.add("rr-interval", (intervals[-1], ""))
        conditions = self.state(frozenset({OFF} if off else ()))
        reading = Numeric(
            observed_at=received_at, values=measured.values, invalid=measured.invalid, conditions=conditions
        )
        return [*_dated_back(intervals, received_at), reading]

    def _intervals(self, fields: Fields) -> list[float]:
        """Milliseconds between beats, oldest first; at least one."""
        if not fields.left or fields.left % 2:
            raise FrameError(FrameReason.LENGTH, fields.frame)
        return [fields.uint(2) * INTERVAL_STEP for _ in range(fields.left // 2)]


def _dated_back(intervals: list[float], at: Instant) -> list[Numeric]:
    """A reading of each interval but the last, at the beat that ended it."""
    found = []
    for number, interval in enumerate(intervals[:-1], start=1):
        measured = Measured()
        measured.add("rr-interval", (interval, ""))
        ended_at = at - round(sum(intervals[number:]) * 1000)
        found.append(Numeric(observed_at=ended_at, values=measured.values, invalid=measured.invalid))
    return found
