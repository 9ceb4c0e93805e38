"""Modbus register maps as tables, read by the device file and by its simulator alike.

A map says where what stands: numbers (type, word order, divisor, quantity and with it unit and range), alarms
(conditions), and states (flags, choices and levels told as one event when any of them changes, with events of their own
for single changes). What its fields are made of is in `_register_fields`.

What is not fitted is not in the reading. A fault, or a value outside the quantity's range, is None with a reason, and a
condition with the quantity as its part. All that conditions come from must lie in one poll.
"""

import struct
from functools import cached_property
from itertools import groupby
from typing import Any, Final, NamedTuple

import msgspec

from edge_agents.device import CommandRefused, FrameError, FrameReason, Numeric, Occurrence, Order, Reading
from edge_agents.devices._orders import STALE
from edge_agents.devices._register_fields import Alarm, Edge, Number, State, parse
from edge_agents.protocol import modbus_frame
from gateway.contract.envelope import Instant

ANY_UNIT: Final = 1  # what `encode` puts into a frame


class Meaning(NamedTuple):
    """What a poll's answer says."""

    numeric: Numeric | None
    states: dict[str, dict[str, Any]]  # by event
    errors: list[FrameError]


class RegisterMap(msgspec.Struct, frozen=True, dict=True):
    """The table of one kind of device."""

    function: int  # 3 holding or 4 input registers
    numbers: tuple[Number, ...] = ()
    alarms: tuple[Alarm, ...] = ()
    states: tuple[State, ...] = ()
    edges: tuple[Edge, ...] = ()

    @property
    def quantities(self) -> tuple[str, ...]:
        """Of its numbers."""
        return tuple(number.quantity for number in self.numbers)

    @property
    def events(self) -> tuple[str, ...]:
        """Of its states and their edges."""
        return tuple(dict.fromkeys([s.event for s in self.states] + [edge.event for edge in self.edges]))

    @property
    def conditions(self) -> tuple[str, ...]:
        """Codes, without parts."""
        stated = [alarm.condition.partition("/")[0] for alarm in self.alarms]
        unknown = ["device-fault"] if self._code_registers else []
        return tuple(dict.fromkeys(stated + [number.fault for number in self.numbers] + unknown))

    def decode(self, frame: bytes, received_at: Instant) -> Meaning:
        """What a frame says.

        Raises:
            FrameError: it is no answer of this map.
        """
        block = parse(frame)
        if block.function != self.function:
            raise FrameError(FrameReason.UNKNOWN_TYPE, frame, f"function {block.function}, not {self.function}")
        held = dict(enumerate(block.words, block.address))
        states, errors = self._states(held, frame)
        return Meaning(self._numeric(held, received_at), states, errors)

    def image(self, reading: Reading) -> dict[int, int]:
        """The registers, by address, that hold a reading.

        Raises:
            ValueError: the map has no place for it.
        """
        if reading.test:
            raise ValueError("no register says that a reading is a test")
        match reading:
            case Numeric():
                image = self._numeric_image(reading)
            case Occurrence():
                image = self._state_image(reading)
            case _:
                raise ValueError(f"registers cannot hold {type(reading).__name__}")
        if not image:
            raise ValueError("an empty reading")
        return image

    def encode(self, reading: Reading) -> bytes:
        """A poll's answer that holds a reading and, between its registers, nothing.

        Raises:
            ValueError: see `image`.
        """
        image = self.image(reading)
        words = [image.get(at, self._nothing.get(at, 0)) for at in range(min(image), max(image) + 1)]
        return _frame(self.function, min(image), words)

    def pieces(self, reading: Reading) -> bytes:
        """The same for a simulator: a frame for every run of registers the reading speaks of, one after the other."""
        image = sorted(self.image(reading).items())
        runs = groupby(enumerate(image), key=lambda item: item[1][0] - item[0])
        frames = []
        for _, run in runs:
            rows = [row for _, row in run]
            frames.append(_frame(self.function, rows[0][0], [word for _, word in rows]))
        return b"".join(frames)

    # ---- parts

    @cached_property
    def _code_registers(self) -> frozenset[int]:
        """Registers with an alarm code rather than alarm bits."""
        return frozenset(alarm.address for alarm in self.alarms if alarm.mask == 0xFFFF)

    @cached_property
    def _nothing(self) -> dict[int, int]:
        return {n.address + at: word for n in self.numbers for at, word in enumerate(n.nothing)}

    def _numeric(self, held: dict[int, int], received_at: Instant) -> Numeric | None:
        values: dict[str, float | None] = {}
        invalid: dict[str, str] = {}
        faults: set[str] = set()
        for number in self.numbers:
            places = range(number.address, number.address + number.size)
            if not all(at in held for at in places) or (found := number.read([held[at] for at in places])) is None:
                continue
            values[number.quantity], reason = found
            if reason:
                invalid[number.quantity] = reason
                faults.add(number.condition)
        stated = self._stated(held)
        conditions = frozenset(faults | stated) if stated is not None and (values or self.alarms) else None
        if not values and conditions is None:
            return None
        return Numeric(observed_at=received_at, values=values, invalid=invalid, conditions=conditions)

    def _stated(self, held: dict[int, int]) -> set[str] | None:
        """Conditions the alarm registers state; None when not all of them are there."""
        if any(alarm.address not in held for alarm in self.alarms):
            return None
        stated = {alarm.condition for alarm in self.alarms if held[alarm.address] & alarm.mask == alarm.value}
        known = {alarm.address for alarm in self.alarms if held[alarm.address] & alarm.mask == alarm.value}
        if any(held[at] and at not in known for at in self._code_registers):
            stated.add("device-fault")  # a code that this table does not have
        return stated

    def _states(self, held: dict[int, int], frame: bytes) -> tuple[dict[str, dict[str, Any]], list[FrameError]]:
        states: dict[str, dict[str, Any]] = {}
        errors: list[FrameError] = []
        for state in self.states:
            if any(field.address not in held for field in state.fields):
                continue
            try:
                states[state.event] = {field.key: field.read(held[field.address]) for field in state.fields}
            except KeyError as error:
                errors.append(FrameError(FrameReason.OUT_OF_RANGE, frame, f"{state.event} with code {error}"))
        return states, errors

    def _numeric_image(self, reading: Numeric) -> dict[int, int]:
        numbers = {number.quantity: number for number in self.numbers}
        image: dict[int, int] = {}
        if strange := reading.values.keys() - numbers:
            raise ValueError(f"no register for {', '.join(sorted(strange))}")
        for quantity, value in reading.values.items():
            number = numbers[quantity]
            words = number.write(value, reading.invalid.get(quantity, ""))
            image |= {number.address + at: word for at, word in enumerate(words)}
        if reading.conditions is None:
            return image
        alarms = {alarm.condition: alarm for alarm in self.alarms}
        image |= dict.fromkeys((alarm.address for alarm in self.alarms), 0)
        faults = {number.condition for quantity, number in numbers.items() if quantity in reading.invalid}
        for condition in reading.conditions - faults:
            if condition not in alarms:
                raise ValueError(f"no register for {condition}")
            address, mask, value, _ = alarms[condition]
            if image[address] & mask:
                raise ValueError(f"no room for {condition} beside another")
            image[address] |= value
        return image

    def _state_image(self, reading: Occurrence) -> dict[int, int]:
        fields = next((state.fields for state in self.states if state.event == reading.name), ())
        if not fields or {field.key for field in fields} != reading.details.keys():
            raise ValueError(f"no registers for {reading.name} {reading.details}")
        image: dict[int, int] = {}
        for field in fields:
            image[field.address] = image.get(field.address, 0) | field.write(reading.details[field.key])
        return image


def _frame(function: int, address: int, words: list[int]) -> bytes:
    return modbus_frame(ANY_UNIT, function, address, len(words), struct.pack(f">{len(words)}H", *words))


def order(unit: int, address: int, words: list[int], result: dict[str, Any]) -> Order:
    """Writes holding registers, one with function 6, more with 16; carried out when they read back as written."""
    data = struct.pack(f">{len(words)}H", *words)
    function = 6 if len(words) == 1 else 16
    return Order(
        writes=(modbus_frame(unit, function, address, len(words), data),),
        expect=(modbus_frame(unit, 3, address, len(words), data),),
        result=result,
    )


class RegisterDecoder:
    """Answers of one device to readings; remembers its newest state, to tell what changed and to judge commands."""

    table: RegisterMap

    def __init__(self) -> None:
        self._unit: int | None = None
        self._seen_at: Instant = 0
        self._states: dict[str, dict[str, Any]] = {}
        self._values: dict[str, float | None] = {}

    def feed(self, data: bytes, received_at: Instant) -> list[Reading | FrameError]:
        """See edge_agents.device.Decoder."""
        if not data:
            return []
        try:
            meaning = self.table.decode(data, received_at)
        except FrameError as error:
            return [error]
        found: list[Reading | FrameError] = [*meaning.errors]
        if meaning.errors:
            self._states.clear()  # nobody knows how it is: no command is judged by how it was
        self._values = meaning.numeric.values if meaning.numeric is not None else {}
        for event, details in meaning.states.items():
            found += self._changed(event, details, received_at)
        if meaning.numeric is not None:
            found.append(meaning.numeric)
        self._unit, self._seen_at = data[0], received_at
        return found

    def _known_unit(self, now: Instant, youngest: int) -> int:
        """The device's unit id, if its newest state is at most so many us old; else nobody may judge a command."""
        if self._unit is None or not 0 <= now - self._seen_at <= youngest:
            raise CommandRefused(STALE)
        return self._unit

    def _changed(self, event: str, details: dict[str, Any], at: Instant) -> list[Occurrence]:
        """The state when it is news, and the edges since the last one; at first there are none."""
        before = self._states.get(event)
        self._states[event] = details
        if details == before:
            return []
        edges = [
            Occurrence(observed_at=at, name=edge.event, details=dict(edge.details))
            for edge in self.table.edges
            if before is not None and details.get(edge.key) == edge.to != before.get(edge.key)
        ]
        return [Occurrence(observed_at=at, name=event, details=details), *edges]
