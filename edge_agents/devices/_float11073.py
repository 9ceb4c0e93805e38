"""Numbers of medical devices: SFLOAT (16 bit) and FLOAT (32 bit) of ISO/IEEE 11073-20601, little endian on the wire.

A signed decimal exponent on top of a signed mantissa: the number is mantissa x 10^exponent, and the exponent tells how
precise it is. Some mantissas are no numbers; what they mean is given as the reason why there is no value.
"""

from typing import Final

NO_MEASUREMENT: Final = "no-measurement"
SPECIAL_SFLOAT: Final = {
    0x07FF: NO_MEASUREMENT,  # NaN
    0x0800: "not-at-this-resolution",  # NRes
    0x07FE: "above-range",  # +INFINITY
    0x0802: "below-range",  # -INFINITY
    0x0801: "reserved",
}
SPECIAL_FLOAT: Final = {
    0x007FFFFF: NO_MEASUREMENT,
    0x00800000: "not-at-this-resolution",
    0x007FFFFE: "above-range",
    0x00800002: "below-range",
    0x00800001: "reserved",
}
MAX_SFLOAT: Final = 0x07FD  # the largest mantissa that is a number
MAX_FLOAT: Final = 0x7FFFFD

Read = tuple[float | None, str]  # the number, or None and why there is none


def sfloat(raw: int) -> Read:
    """What 16 bits say. A special mantissa counts with exponent 0, as the standard writes it, and with no other."""
    if raw in SPECIAL_SFLOAT:
        return None, SPECIAL_SFLOAT[raw]
    return _number(_signed(raw & 0x0FFF, 12), _signed(raw >> 12, 4)), ""


def float32(raw: int) -> Read:
    """What 32 bits say."""
    if raw in SPECIAL_FLOAT:
        return None, SPECIAL_FLOAT[raw]
    return _number(_signed(raw & 0xFFFFFF, 24), _signed(raw >> 24, 8)), ""


def pack_sfloat(value: float | None, reason: str = NO_MEASUREMENT, finest: int = -1) -> bytes:
    """The two bytes of a number, or of the special value that ``reason`` names.

    ``finest``: the exponent of the device's smallest step; larger numbers are rounded to what fits.

    Raises:
        ValueError: too large even for the largest exponent.
    """
    if value is None:
        return _special(SPECIAL_SFLOAT, reason).to_bytes(2, "little")
    mantissa, exponent = _fit(value, finest, 7, MAX_SFLOAT)
    return (((exponent & 0xF) << 12) | (mantissa & 0x0FFF)).to_bytes(2, "little")


def pack_float32(value: float | None, reason: str = NO_MEASUREMENT, finest: int = -2) -> bytes:
    """The four bytes of a number, or of the special value that ``reason`` names; see `pack_sfloat`."""
    if value is None:
        return _special(SPECIAL_FLOAT, reason).to_bytes(4, "little")
    mantissa, exponent = _fit(value, finest, 127, MAX_FLOAT)
    return (mantissa & 0xFFFFFF).to_bytes(3, "little") + (exponent & 0xFF).to_bytes(1, "little")


def _signed(raw: int, bits: int) -> int:
    return raw - (1 << bits) if raw >> (bits - 1) else raw


def _number(mantissa: int, exponent: int) -> float:
    """The nearest float: dividing by a power of ten rounds once, multiplying with a negative power twice."""
    return float(mantissa * 10**exponent) if exponent >= 0 else mantissa / 10**-exponent


def _fit(value: float, finest: int, coarsest: int, largest: int) -> tuple[int, int]:
    for exponent in range(finest, coarsest + 1):
        mantissa = round(value / 10**exponent if exponent >= 0 else value * 10**-exponent)
        if abs(mantissa) <= largest:
            return mantissa, exponent
    raise ValueError(f"{value} cannot be written so")


def _special(table: dict[int, str], reason: str) -> int:
    return next((raw for raw, meaning in table.items() if meaning == reason), next(iter(table)))
