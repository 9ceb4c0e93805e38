"""Blood glucose meter with the Bluetooth Glucose Service (0x1808): its stored records are fetched, none twice.

After each connect the meter is asked for its records (Record Access Control Point): all of them the first time, then
those after the last one seen. It answers with a measurement (0x2A18) each, perhaps with its context (0x2A34), and a
response. A record seen before, bit for bit, is dropped (a number may come again), and so is its context: an agent that
starts again asks for all of them. A measurement of control solution is a test reading: it says something about the
meter and nothing about a person. What the meter found wrong with a strip or itself holds until the next record; the
number of such a record is none.

Source: Bluetooth Glucose Profile 1.0.1 and Service 1.0.1, GATT Specification Supplement 3.103 to 3.105.
"""

from collections.abc import Iterable
from typing import Any, Final

from edge_agents.device import INFORMATION_EVENT, FrameError, FrameReason, Numeric, Occurrence, Reading, Yields
from edge_agents.devices._float11073 import NO_MEASUREMENT, Read, pack_sfloat
from edge_agents.devices._gatt import (
    BATTERY_LOW,
    CLOCK_UNSET,
    COMPANION_READ,
    LONG_AGO,
    Fields,
    GattDecoder,
    Measured,
    bits_set,
    encode_companion,
    pack_date_time,
)
from edge_agents.devices._racp import RACP, Opcode, Outcome, read_response, report_all, report_from
from edge_agents.protocol import Gatt, gatt_frame
from gateway.contract.envelope import Instant

MEASUREMENT: Final = 0x2A18
CONTEXT: Final = 0x2A34
FEATURE: Final = 0x2A51
KIND: Final = "glucose_meter"
PROTOCOL: Final = Gatt(
    service=0x1808, subscribe=(MEASUREMENT, CONTEXT, RACP), read=(*COMPANION_READ, FEATURE), pair=True
)

# 1 kg/L is 1e5 mg/dL; 18.0156 mg/dL are 1 mmol/L (molar mass of glucose 180.156 g/mol)
KG_PER_L: Final = 1e5 / 18.0156
MOL_PER_L: Final = 1e3
# flag bits of a measurement
HAS_OFFSET, HAS_VALUE, IN_MOL, HAS_STATUS, HAS_CONTEXT = 0x01, 0x02, 0x04, 0x08, 0x10
CONTROL_TYPE, CONTROL_SITE = 10, 4  # a sample that is control solution
CAPILLARY_AT_FINGER: Final = 0x11
STATUS: Final = {  # Sensor Status Annunciation
    0: BATTERY_LOW,
    1: "sensor-fault",
    2: "strip-error/sample-too-small",
    3: "strip-error/insertion",
    4: "strip-error/type",
    5: "out-of-measuring-range/high",
    6: "out-of-measuring-range/low",
    7: "ambient-temperature/hot",
    8: "ambient-temperature/cold",
    9: "strip-error/pulled-early",
    10: "device-fault",
    11: "device-fault/clock",
}
DISOWNS: Final = {  # annunciations with which the number beside them is none
    code: "sensor-fault" if bit in (1, 10) else NO_MEASUREMENT
    for bit, code in STATUS.items()
    if bit in (*range(1, 5), *range(7, 11))
}
OUT_OF_RANGE: Final = {"out-of-measuring-range/high": "above-range", "out-of-measuring-range/low": "below-range"}
# context flag bits
HAS_CARBOHYDRATE, HAS_MEAL, HAS_TESTER, HAS_EXERCISE, HAS_MEDICATION, IN_LITRES, HAS_HBA1C, HAS_MORE = (
    1 << bit for bit in range(8)
)
MEALS: Final = {1: "before-meal", 2: "after-meal", 3: "fasting", 4: "casual", 5: "bedtime"}
CONTEXT_EVENT: Final = "glucose-context"
UNABLE_EVENT: Final = "records-refused"
_KEPT: Final = 4096  # records remembered against doubles

YIELDS: Final = Yields(
    quantities=("glucose", "battery"),
    events=(CONTEXT_EVENT, UNABLE_EVENT, INFORMATION_EVENT),
    conditions=tuple(dict.fromkeys([*(code.partition("/")[0] for code in STATUS.values()), CLOCK_UNSET])),
)


def encode(reading: Reading) -> bytes:
    """A record as the meter notifies it, number 0 (see `encode_record`); or one of its context.

    Raises:
        ValueError: the meter cannot say that.
    """
    return encode_record(reading, 0)


def encode_record(reading: Reading, sequence: int) -> bytes:
    """A record with its number, in mol/L; control solution when it is a test.

    Raises:
        ValueError: the meter cannot say that.
    """
    if (frame := encode_companion(reading)) is not None:
        return frame
    match reading:
        case Numeric(values={"glucose": value, **rest}) if not rest:
            return gatt_frame(MEASUREMENT, _pack(reading, value, sequence))
        case Occurrence(name=name, details={"sequence": int(number), "meal": meal, **rest}) if (
            name == CONTEXT_EVENT and not rest and meal in MEALS.values()
        ):
            code = next(code for code, text in MEALS.items() if text == meal)
            return gatt_frame(CONTEXT, bytes([HAS_MEAL]) + number.to_bytes(2, "little") + bytes([code]))
        case Occurrence(name=name, details={"request": int(request), "outcome": int(outcome), **rest}) if (
            name == UNABLE_EVENT and not rest
        ):
            return gatt_frame(RACP, bytes([Opcode.RESPONSE, 0, request, outcome]))
    raise ValueError(f"a meter cannot say {reading!r}")


def _pack(reading: Numeric, value: float | None, sequence: int) -> bytes:
    conditions = reading.conditions or frozenset()
    status = sum(1 << bit for bit, condition in STATUS.items() if condition in conditions)
    head = bytes([HAS_VALUE | IN_MOL | HAS_STATUS]) + sequence.to_bytes(2, "little")
    time = pack_date_time(None if CLOCK_UNSET in conditions else reading.observed_at)
    number = pack_sfloat(
        None if value is None else value / MOL_PER_L, reading.invalid.get("glucose", NO_MEASUREMENT), finest=-5
    )
    sample = CONTROL_TYPE | CONTROL_SITE << 4 if reading.test else CAPILLARY_AT_FINGER
    return head + time + number + bytes([sample]) + status.to_bytes(2, "little")


class Decoder(GattDecoder):
    """Records to readings; keeps which ones it has had."""

    def __init__(self, utc_offset: str = "+00:00") -> None:
        """``utc_offset``: of the device's clock."""
        super().__init__({
            MEASUREMENT: self._measurement, CONTEXT: self._context, RACP: self._response, FEATURE: self._feature,
        }, utc_offset)  # fmt: skip
        self._last: int | None = None  # number of the last record
        self._known: dict[bytes, tuple[int, Instant]] = {}  # frame, of a context and its record's time: number, time

    def greet(self, _now: Instant) -> tuple[bytes, ...]:
        """Asks for what has been stored since the last record."""
        if self._last is None or self._last == 0xFFFF:  # the number starts again
            return (gatt_frame(RACP, report_all()),)
        return (gatt_frame(RACP, report_from(self._last + 1)),)

    def recall(self, frames: Iterable[bytes]) -> None:
        """See edge_agents.device.Recalling; all are asked for then, as another meter may be at this address now."""
        super().recall(frames)
        self._last = None

    def _measurement(self, fields: Fields, received_at: Instant) -> list[Reading]:
        flags, sequence = fields.uint(1), fields.uint(2)
        at = fields.date_time()
        if flags & HAS_OFFSET:
            offset = fields.sint(2)  # min since the clock was last set by a person
            at = None if at is None else at + offset * 60_000_000
        value: Read = (None, NO_MEASUREMENT)
        sample = 0
        if flags & HAS_VALUE:
            value = fields.sfloat()
            sample = fields.uint(1)
        conditions = bits_set(fields.uint(2), STATUS) if flags & HAS_STATUS else frozenset[str]()
        if at is None:
            conditions |= {CLOCK_UNSET}
        # meters start to number again, those without a clock with nothing to tell by: the whole frame counts
        self._last = sequence
        if not self._is_new(fields.frame, fields.frame, sequence, received_at if at is None else at):
            return []
        measured = Measured()
        measured.add("glucose", value, MOL_PER_L if flags & IN_MOL else KG_PER_L)
        for condition, reason in OUT_OF_RANGE.items():
            if condition in conditions:
                measured.spoil(("glucose",), reason)
        for condition, reason in DISOWNS.items():
            if condition in conditions:
                measured.disown(("glucose",), reason)
        test = sample & 0xF == CONTROL_TYPE or sample >> 4 == CONTROL_SITE
        return [
            Numeric(
                observed_at=received_at if at is None else at, values=measured.values, invalid=measured.invalid,
                conditions=self.state(conditions), test=test,
            )
        ]  # fmt: skip

    def _is_new(self, key: bytes, frame: bytes, sequence: int, at: Instant) -> bool:
        if key in self._known:
            return False
        self._known[key] = (sequence, at)
        self._had.append(frame)
        if len(self._known) > _KEPT:
            del self._known[next(iter(self._known))]
        return True

    def _context(self, fields: Fields, received_at: Instant) -> list[Reading]:
        """What a person has entered about a record; bears the time of the record when that was just read."""
        flags, sequence = fields.uint(1), fields.uint(2)
        if flags & HAS_MORE:
            fields.uint(1)
        details: dict[str, Any] = {"sequence": sequence}
        if flags & HAS_CARBOHYDRATE:
            fields.uint(1)
            _detail(details, "carbohydrate_g", fields.sfloat(), 1000.0)
        if flags & HAS_MEAL and (meal := MEALS.get(fields.uint(1))):
            details["meal"] = meal
        if flags & HAS_TESTER:
            fields.uint(1)
        if flags & HAS_EXERCISE:
            seconds, intensity = fields.uint(2), fields.uint(1)
            details |= {"exercise_s": seconds, "exercise_percent": intensity}
        if flags & HAS_MEDICATION:
            fields.uint(1)
            name, factor = ("medication_ml", 1e3) if flags & IN_LITRES else ("medication_mg", 1e6)
            _detail(details, name, fields.sfloat(), factor)
        if flags & HAS_HBA1C:
            _detail(details, "hba1c_percent", fields.sfloat(), 1.0)
        at = next((at for number, at in reversed(self._known.values()) if number == sequence), None)
        key = fields.frame if at is None else fields.frame + at.to_bytes(8, "little", signed=True)
        if not self._is_new(key, fields.frame, sequence, received_at if at is None else at):
            return []
        at = received_at if at is None or at == LONG_AGO else at
        return [Occurrence(observed_at=at, name=CONTEXT_EVENT, details=details)]

    def _response(self, fields: Fields, received_at: Instant) -> list[Reading]:
        """The end of the procedure; that there are no records is no failure.

        Then, and after a refusal, all are asked for the next time: another meter may be at this address, or this one
        may have begun to count anew.
        """
        response = read_response(fields)
        if response.outcome == Outcome.SUCCESS:
            return []
        self._last = None
        if response.outcome == Outcome.NO_RECORDS:
            return []
        details = {"request": response.request, "outcome": response.outcome}
        return [Occurrence(observed_at=received_at, name=UNABLE_EVENT, details=details)]

    def _feature(self, fields: Fields, _received_at: Instant) -> list[Reading]:
        """What the meter can notice; nothing depends on it here."""
        if fields.left != 2:
            raise FrameError(FrameReason.LENGTH, fields.frame)
        return []


def _detail(details: dict[str, Any], name: str, read: Read, factor: float) -> None:
    if read[0] is not None:
        details[name] = round(read[0] * factor, 3)
