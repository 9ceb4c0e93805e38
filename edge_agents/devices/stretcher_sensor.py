"""Sensor of an ambulance stretcher on Modbus: whether it is in the vehicle, whether somebody lies on it, their weight.

A weight transmitter of Dini Argeo (DGT1S, DGT4X) under the stretcher, its tare the empty one. Input registers::

    0 gross weight u32     4 status: bit 0 net weight is negative     4 overload
    2 net weight u32              1 gross weight is negative          8 input 1: locked in the vehicle
    both without their            2 stable                            9 input 2: the battery guard's output, low
    decimal point and sign        3 underload

Somebody lies on it from so many kilograms on (``occupied_from``; 10, and until it is less than half of that), and only
then the weight is told, once it has come to rest: doses go by it. Overload is more than it can weigh; underload is less
than nothing, as of a broken cell: who lies on it then nobody knows, so that stays as it was. The first answer tells of
both states. How many digits stand after the point is set on the transmitter (``decimals``; 1).

Source: Dini Argeo, DGT1S quick start guide, chapter 19, and DGT4X user manual, page 57 (registers 30001 to 30005). What
is wired to its inputs is this project's choice.
"""

import struct
from typing import Any, Final

from edge_agents.device import FrameError, FrameReason, Numeric, Occurrence, Reading, Yields
from edge_agents.devices._register_fields import parse
from edge_agents.protocol import Modbus, Poll, modbus_frame
from gateway.contract.envelope import Instant
from gateway.contract.quantity import QUANTITIES

KIND: Final = "stretcher_sensor"
FUNCTION: Final = 4
NET, STATUS = 2, 4
PROTOCOL: Final = Modbus(polls=(Poll(function=FUNCTION, address=NET, count=3, every=2.0),))
WEIGHT, FAULT, RANGE, BATTERY = "weight", "sensor-fault", "out-of-measuring-range", "battery-low"
EVENTS: Final = {  # by what is known: it became true, it became false
    "loaded": ("stretcher-loaded", "stretcher-unloaded"),
    "occupied": ("patient-on-stretcher", "patient-off-stretcher"),
}
YIELDS: Final = Yields(
    quantities=(WEIGHT,),
    events=tuple(event for pair in EVENTS.values() for event in pair),
    conditions=(BATTERY, FAULT, RANGE),
)
OCCUPIED_FROM: Final = 10.0  # kg
DECIMALS: Final = 1
_NEGATIVE, _STABLE, _UNDERLOAD, _OVERLOAD, _INPUT_1, _INPUT_2 = 1 << 0, 1 << 2, 1 << 3, 1 << 4, 1 << 8, 1 << 9
_WRONG: Final = {_UNDERLOAD: (FAULT, FAULT), _OVERLOAD: (RANGE, "out-of-range")}  # condition, why there is no weight
_ANY_UNIT: Final = 1


def answer(
    net: float,
    *,
    loaded: bool = False,
    battery_low: bool = False,
    faulty: bool = False,
    overloaded: bool = False,
    stable: bool = True,
) -> bytes:
    """A poll's answer: net weight (kg) and status."""
    flags = (
        (net < 0, _NEGATIVE), (stable, _STABLE), (faulty, _UNDERLOAD), (overloaded, _OVERLOAD),
        (loaded, _INPUT_1), (battery_low, _INPUT_2),
    )  # fmt: skip
    status = sum(bit for is_set, bit in flags if is_set)
    return _frame(NET, struct.pack(">IH", round(abs(net) * 10**DECIMALS), status))


def encode(reading: Reading) -> bytes:
    """A poll's answer, or the part of one, that says a reading.

    Raises:
        ValueError: none does.
    """
    match reading:
        case Occurrence(name="stretcher-loaded" | "stretcher-unloaded" as name, details=none, test=False) if not none:
            return _frame(STATUS, struct.pack(">H", _INPUT_1 if name == "stretcher-loaded" else 0))
        case Occurrence(name="patient-on-stretcher" | "patient-off-stretcher" as name, test=False, details=none) if (
            not none
        ):
            net = OCCUPIED_FROM if name == "patient-on-stretcher" else 0.0
            return _frame(NET, struct.pack(">I", round(net * 10**DECIMALS)))
        case Numeric(values=values, conditions=frozenset() as stated, test=False) if stated <= {BATTERY, FAULT, RANGE}:
            weight, wrong = values.get(WEIGHT, 0.0), stated - {BATTERY}
            if not values.keys() - {WEIGHT} and weight is not None and len(wrong) + len(values) <= 1:
                return answer(weight, battery_low=BATTERY in stated, faulty=FAULT in stated, overloaded=RANGE in stated)
    raise ValueError(f"no registers for {reading!r}")


def _frame(address: int, data: bytes) -> bytes:
    return modbus_frame(_ANY_UNIT, FUNCTION, address, len(data) // 2, data)


class Decoder:
    """Answers of the transmitter to readings; keeps what was known of the stretcher."""

    def __init__(self, occupied_from: str = str(OCCUPIED_FROM), decimals: str = str(DECIMALS)) -> None:
        """``occupied_from``: kg; ``decimals``: digits after the point of a weight."""
        try:
            self._limit, self._divisor = float(occupied_from), 10 ** int(decimals)
        except ValueError:
            self._limit = 0.0
        if not 0.5 <= self._limit <= 50 or not 1 <= self._divisor <= 1000:
            raise ValueError("occupied_from: expected 0.5 to 50 (kg); decimals: expected 0 to 3")
        self._known: dict[str, bool | None] = dict.fromkeys(EVENTS)
        self._stated: frozenset[str] | None = None

    def feed(self, data: bytes, received_at: Instant) -> list[Reading | FrameError]:
        """See edge_agents.device.Decoder."""
        if not data:
            return []
        try:
            block = parse(data)
        except FrameError as error:
            return [error]
        if block.function != FUNCTION:
            return [FrameError(FrameReason.UNKNOWN_TYPE, data, f"function {block.function}, not {FUNCTION}")]
        held = dict(enumerate(block.words, block.address))
        status = held.get(STATUS)
        net = held[NET] << 16 | held[NET + 1] if NET in held and NET + 1 in held else None
        return [*self._read(net, status, received_at)]

    def _read(self, net: int | None, status: int | None, at: Instant) -> list[Reading]:
        found: list[Reading] = []
        bits = _STABLE if status is None else status  # what an answer does not say is not held against it
        wrong, reason = next((row for bit, row in _WRONG.items() if bits & bit), ("", ""))
        weight = None if net is None else (-net if bits & _NEGATIVE else net) / self._divisor
        if status is not None:
            found += self._changed("loaded", bool(status & _INPUT_1), at)
        if weight is not None and not wrong:
            limit = self._limit / 2 if self._known["occupied"] else self._limit
            found += self._changed("occupied", weight >= limit, at)
        if not wrong and not bits & _STABLE:
            weight = None
        stated = None if status is None else _stated(status, wrong)
        return [*found, *self._numeric(weight, reason, stated, at)]

    def _changed(self, what: str, now: bool, at: Instant) -> list[Occurrence]:
        """At first nothing is known: whatever is found then is news."""
        if self._known[what] is now:
            return []
        self._known[what] = now
        return [Occurrence(observed_at=at, name=EVENTS[what][0 if now else 1])]

    def _numeric(self, weight: float | None, reason: str, stated: frozenset[str] | None, at: Instant) -> list[Numeric]:
        """The weight, or why there is none (``reason``), and conditions when they are news."""
        told: dict[str, Any] = {"values": {}, "conditions": stated}
        if weight is not None and self._known["occupied"]:
            row = QUANTITIES[WEIGHT]
            reason = reason or ("" if row.low <= weight <= row.high else "out-of-range")
            told |= {"values": {WEIGHT: None if reason else weight}, "invalid": {WEIGHT: reason} if reason else {}}
        if not told["values"] and (stated is None or stated == self._stated):
            return []
        self._stated = self._stated if stated is None else stated
        return [Numeric(observed_at=at, **told)]


def _stated(status: int, wrong: str) -> frozenset[str]:
    return frozenset({wrong, BATTERY if status & _INPUT_2 else ""} - {""})
