"""BTHome v2: objects of id and little-endian value in service data FCD2. Source: bthome.io/format (2026)."""

from typing import Final, NamedTuple

from edge_agents.device import FrameError, FrameReason

UUID: Final = 0xFCD2

PACKET_ID: Final = 0x00
BATTERY: Final = 0x01
TEMPERATURE: Final = 0x02
HUMIDITY: Final = 0x03
VOLTAGE: Final = 0x0C
BATTERY_LOW: Final = 0x15

_ENCRYPTED: Final = 0x01
_MAC: Final = 0x02  # six bytes of address before the objects, in early v2 firmware
_VERSION_SHIFT: Final = 5
_VERSION: Final = 2


class Scale(NamedTuple):
    """Steps of a measured value."""

    id: int  # the object that means the same
    step: float
    signed: bool = False


SCALES: Final = {
    PACKET_ID: Scale(PACKET_ID, 1),
    BATTERY: Scale(BATTERY, 1),
    TEMPERATURE: Scale(TEMPERATURE, 0.01, signed=True),
    HUMIDITY: Scale(HUMIDITY, 0.01),
    VOLTAGE: Scale(VOLTAGE, 0.001),
    BATTERY_LOW: Scale(BATTERY_LOW, 1),
    0x2E: Scale(HUMIDITY, 1),
    0x45: Scale(TEMPERATURE, 0.1, signed=True),
    0x57: Scale(TEMPERATURE, 1, signed=True),
    0x58: Scale(TEMPERATURE, 0.35, signed=True),
}

# Sizes of all objects, because one must be stepped over to read the next. 0: the next byte says it (text, raw).
_SIZES: Final = {
    **dict.fromkeys([0x00, 0x01, 0x09, 0x0F, 0x10, 0x11, *range(0x15, 0x30), 0x3A, 0x46], 1),
    **dict.fromkeys([0x57, 0x58, 0x59, 0x60, 0x64], 1),
    **dict.fromkeys([0x02, 0x03, 0x06, 0x07, 0x08, 0x0C, 0x0D, 0x0E, 0x12, 0x13, 0x14, 0x3C, 0x3D, 0x3F], 2),
    **dict.fromkeys([0x40, 0x41, 0x43, 0x44, 0x45, 0x47, 0x48, 0x49, 0x4A, 0x51, 0x52, 0x56, 0x5A, 0x5D], 2),
    **dict.fromkeys([0x5E, 0x5F, 0x61, 0xF0], 2),
    **dict.fromkeys([0x04, 0x05, 0x0A, 0x0B, 0x42, 0x4B, 0xF2], 3),
    **dict.fromkeys([0x3E, 0x4C, 0x4D, 0x4E, 0x4F, 0x50, 0x55, 0x5B, 0x5C, 0x62, 0x63, 0xF1], 4),
    0x53: 0,
    0x54: 0,
}


def read(data: bytes) -> list[tuple[int, float]]:
    """The measured values, in order, each with the id of ``SCALES`` that says what it is.

    An object nobody knows ends the list, as the specification says: its size is not known either.

    Raises:
        FrameError: encrypted, another version, or an object runs over the end.
    """
    if not data:
        raise FrameError(FrameReason.LENGTH, data, "BTHome")
    info, place = data[0], 7 if data[0] & _MAC else 1
    if info >> _VERSION_SHIFT != _VERSION:
        raise FrameError(FrameReason.UNKNOWN_TYPE, data, f"BTHome version {info >> _VERSION_SHIFT}")
    if info & _ENCRYPTED:
        raise FrameError(FrameReason.ENCRYPTED, data, "BTHome")
    found: list[tuple[int, float]] = []
    while place < len(data) and data[place] in _SIZES:
        identity = data[place]
        start = place + 1
        size = _SIZES[identity] or (1 + data[start] if start < len(data) else 1)
        place = start + size
        if place > len(data):
            raise FrameError(FrameReason.LENGTH, data, f"BTHome object {identity:#04x} runs over the end")
        if (scale := SCALES.get(identity)) is not None:
            number = int.from_bytes(data[start:place], "little", signed=scale.signed)
            found.append((scale.id, round(number * scale.step, 3)))
    return found


def write(values: list[tuple[int, float]]) -> bytes:
    """Service data of these values, in the finest steps there are.

    Raises:
        ValueError: a value does not fit.
    """
    data = bytearray((_VERSION << _VERSION_SHIFT,))
    for identity, value in values:
        scale = SCALES[identity]
        try:
            number = round(value / scale.step).to_bytes(_SIZES[identity], "little", signed=scale.signed)
        except OverflowError as error:
            raise ValueError(f"BTHome {identity:#04x}: {value}") from error
        data += bytes((identity,)) + number
    return bytes(data)
