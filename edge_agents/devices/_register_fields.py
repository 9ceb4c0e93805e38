"""What a Modbus register map is made of: numbers, alarms, the fields of states; and an answer taken apart.

Registers hold, beside numbers, two codes (as SunSpec's, by type):

=====  ===========  ===========
type   not fitted   fault
=====  ===========  ===========
u16    FFFF         FFFE
s16    7FFF         8000
u32    FFFFFFFF     FFFFFFFE
s32    7FFFFFFF     80000000
f32    NaN          +infinity
=====  ===========  ===========

Word orders, for 5.25 as f32 (40A80000): ABCD 40A8 0000, CDAB 0000 40A8, BADC A840 0000, DCBA 0000 A840.
"""

import math
import struct
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, Final, NamedTuple

import msgspec

from edge_agents.device import FrameError, FrameReason
from edge_agents.protocol import MODBUS_HEAD
from gateway.contract.quantity import QUANTITIES

_EXCEPTION: Final = 0x80


class Type(StrEnum):
    """How a number is stored."""

    U16 = "H"
    S16 = "h"
    U32 = "I"
    S32 = "i"
    F32 = "f"


class WordOrder(StrEnum):
    """Where the bytes of a 32-bit number stand, A being the most significant one."""

    ABCD = "ABCD"
    CDAB = "CDAB"
    BADC = "BADC"
    DCBA = "DCBA"


class _Codes(NamedTuple):
    not_fitted: float
    fault: float


_CODES: Final = {
    Type.U16: _Codes(0xFFFF, 0xFFFE),
    Type.S16: _Codes(0x7FFF, -0x8000),
    Type.U32: _Codes(0xFFFF_FFFF, 0xFFFF_FFFE),
    Type.S32: _Codes(0x7FFF_FFFF, -0x8000_0000),
    Type.F32: _Codes(math.nan, math.inf),
}


def to_words(raw: float, type_: Type, order: WordOrder = WordOrder.ABCD) -> tuple[int, ...]:
    """The registers that hold a raw value.

    Raises:
        ValueError: it does not fit.
    """
    try:
        packed = struct.pack(f">{type_}", raw)
    except (struct.error, OverflowError) as error:
        raise ValueError(f"{raw} does not fit {type_.name}") from error
    words = [packed[at : at + 2] for at in range(0, len(packed), 2)]
    if order in {WordOrder.CDAB, WordOrder.DCBA}:
        words.reverse()
    end = "little" if order in {WordOrder.BADC, WordOrder.DCBA} else "big"
    return tuple(int.from_bytes(word, end) for word in words)  # type: ignore[arg-type]


def from_words(words: Iterable[int], type_: Type, order: WordOrder = WordOrder.ABCD) -> float:
    """The raw value that registers hold."""
    end = "<" if order in {WordOrder.BADC, WordOrder.DCBA} else ">"
    parts = [struct.pack(f"{end}H", word) for word in words]
    if order in {WordOrder.CDAB, WordOrder.DCBA}:
        parts.reverse()
    raw: float = struct.unpack(f">{type_}", b"".join(parts))[0]
    return raw


class Number(msgspec.Struct, frozen=True):
    """A measured value: raw / divisor in the quantity's unit."""

    address: int
    quantity: str
    type: Type = Type.U16
    divisor: int = 1
    order: WordOrder = WordOrder.ABCD
    fault: str = "sensor-fault"  # condition, and reason why there is no value
    low: float | None = None  # None = as the quantity's
    high: float | None = None

    @property
    def size(self) -> int:
        """Registers."""
        return struct.calcsize(self.type) // 2

    @property
    def range(self) -> tuple[float, float]:
        """Lowest and highest value that is believed."""
        row = QUANTITIES[self.quantity]
        return row.low if self.low is None else self.low, row.high if self.high is None else self.high

    @property
    def condition(self) -> str:
        """What is wrong when it has no value."""
        return f"{self.fault}/{self.quantity}"

    def read(self, words: list[int]) -> tuple[float | None, str] | None:
        """(value, "") or (None, reason); None when it is not fitted."""
        raw, codes = from_words(words, self.type, self.order), _CODES[self.type]
        if raw == codes.not_fitted or math.isnan(raw):
            return None
        if raw == codes.fault:
            return None, self.fault
        value, (low, high) = raw / self.divisor, self.range
        return (value, "") if low <= value <= high else (None, "out-of-range")

    def write(self, value: float | None, reason: str) -> tuple[int, ...]:
        """The registers; raises ValueError when it has no place in them."""
        if value is None:
            if reason not in {self.fault, "out-of-range"}:
                raise ValueError(f"{self.quantity} cannot be {reason or 'None without a reason'}")
            value = self.range[1] + 1 if reason == "out-of-range" else None
        raw = _CODES[self.type].fault if value is None else value * self.divisor
        if value is not None and self.type is not Type.F32:
            raw = round(raw)
            if raw in _CODES[self.type]:
                raise ValueError(f"{self.quantity} {value} is a code of its register")
        return to_words(raw, self.type, self.order)

    @property
    def nothing(self) -> tuple[int, ...]:
        """The registers when it is not fitted."""
        return to_words(_CODES[self.type].not_fitted, self.type, self.order)


class Alarm(NamedTuple):
    """A condition that holds while a register's bits under the mask have this value."""

    address: int
    mask: int
    value: int
    condition: str


def alarm_bits(address: int, *conditions: str) -> tuple[Alarm, ...]:
    """One alarm a bit, lowest first."""
    return tuple(Alarm(address, 1 << bit, 1 << bit, condition) for bit, condition in enumerate(conditions))


class Flag(NamedTuple):
    """A bit of a state."""

    key: str
    address: int
    bit: int

    def read(self, word: int) -> bool:
        """True or False."""
        return bool(word >> self.bit & 1)

    def write(self, value: Any) -> int:
        """What it contributes to its register."""
        return bool(value) << self.bit


class Choice(NamedTuple):
    """A register of a state that holds one of several codes."""

    key: str
    address: int
    words: Mapping[int, str]

    def read(self, word: int) -> str:
        """The word; KeyError for a code that means nothing."""
        return self.words[word]

    def write(self, value: Any) -> int:
        """The word's code; ValueError when it has none."""
        code = next((code for code, word in self.words.items() if word == value), None)
        if code is None:
            raise ValueError(f"{self.key}: expected one of {', '.join(self.words.values())}, not {value!r}")
        return code


class Level(NamedTuple):
    """A setting of a state: raw / divisor."""

    key: str
    address: int
    divisor: int = 1

    def read(self, word: int) -> float:
        """The setting."""
        return word / self.divisor

    def write(self, value: Any) -> int:
        """Its register."""
        return to_words(round(value * self.divisor), Type.U16)[0]


class State(NamedTuple):
    """What is told together, as one event, at first and whenever it changes."""

    event: str
    fields: tuple[Flag | Choice | Level, ...]


class Edge(NamedTuple):
    """An event for one field of a state becoming ``to``."""

    key: str
    to: bool | str
    event: str
    details: Mapping[str, Any] = {}


class Block(NamedTuple):
    """A poll's answer."""

    unit: int
    function: int
    address: int
    size: int  # registers or bits
    data: bytes

    @property
    def words(self) -> list[int]:
        """Its registers."""
        return list(struct.unpack(f">{len(self.data) // 2}H", self.data))

    @property
    def bits(self) -> list[bool]:
        """Its coils or discrete inputs."""
        return [bool(self.data[at // 8] >> at % 8 & 1) for at in range(self.size)]


def parse(frame: bytes) -> Block:
    """A frame of the link taken apart.

    Raises:
        FrameError: with the reason.
    """
    if len(frame) < MODBUS_HEAD.size:
        raise FrameError(FrameReason.LENGTH, frame)
    unit, function, address, size = MODBUS_HEAD.unpack_from(frame)
    block = Block(unit, function, address, size, frame[MODBUS_HEAD.size :])
    if block.function & _EXCEPTION:
        raise FrameError(
            FrameReason.EXCEPTION, frame, f"exception {block.data.hex()} to function {block.function & 127}"
        )
    expected = {1: (block.size + 7) // 8, 2: (block.size + 7) // 8, 3: 2 * block.size, 4: 2 * block.size}
    if block.function not in expected:
        raise FrameError(FrameReason.UNKNOWN_TYPE, frame, f"function {block.function}")
    if not block.size or len(block.data) != expected[block.function] or block.address + block.size > 0x10000:
        raise FrameError(FrameReason.LENGTH, frame, f"{len(block.data)} bytes for {block.size}")
    return block
