"""GS1 element strings: what a bar code or matrix on a package says.

A string is application identifier, value, and so on; a value without a predefined length ends at a group separator (1D)
or with the string. Sources: GS1 General Specifications 24.0, sections 3 (identifiers), 7.8.5 (predefined lengths),
7.9 (check digit), 7.12 (years), 7.11 (characters); ISO/IEC 15424 for the symbology identifier before it.
"""

import calendar
import re
from datetime import date
from typing import Final

SEPARATOR: Final = "\x1d"
CARRIERS: Final = {"]d2": "datamatrix", "]C1": "gs1-128", "]Q3": "qr", "]e0": "databar", "]J1": "dotcode"}
GTIN: Final = "01"
LOT: Final = "10"
EXPIRES: Final = "17"
SERIAL: Final = "21"

# first two digits: length of identifier and value together
_PREDEFINED: Final = {
    "00": 20, "01": 16, "02": 16, "03": 16, "04": 18, **dict.fromkeys(("11", "12", "13", "14", "15", "16", "17"), 8),
    "18": 8, "19": 8, "20": 4, **dict.fromkeys(("31", "32", "33", "34", "35", "36"), 10), "41": 16,
}  # fmt: skip
_IDENTIFIER_DIGITS: Final = {
    **dict.fromkeys(("00", "01", "02", "03", "04", "30", "37"), 2), **{f"{n}": 2 for n in range(10, 23)},
    **{f"{n}": 2 for n in range(90, 100)}, **dict.fromkeys(("23", "24", "25", "40", "41", "42", "71"), 3),
    **dict.fromkeys(("31", "32", "33", "34", "35", "36", "39", "43", "70", "72", "80", "81", "82"), 4),
}  # fmt: skip
_CHARACTERS: Final = re.compile(r"[!\"%&'()*+,\-./0-9:;<=>?A-Z_a-z]{1,90}")
_LONGEST: Final = {LOT: 20, SERIAL: 20}


def check_digit(digits: str) -> str:
    """The digit that follows these: weights 3 and 1 from the right."""
    total = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(digits)))
    return str(-total % 10)


def elements(text: str) -> dict[str, str]:
    """Values by application identifier.

    Raises:
        ValueError: an unknown identifier, one that comes twice, a value that is too short or has a strange character.
    """
    found: dict[str, str] = {}
    rest = text.removeprefix(SEPARATOR)  # some readers hand on the leading function character
    while rest:
        identifier, value, rest = _next(rest)
        if identifier in found:
            raise ValueError(f"({identifier}) twice")
        if not _CHARACTERS.fullmatch(value) or len(value) > _LONGEST.get(identifier, 90):
            raise ValueError(f"({identifier}) has a value it cannot have")
        found[identifier] = value
    return found


def _next(text: str) -> tuple[str, str, str]:
    """Identifier, value, and what follows."""
    start = text[:2]
    if start not in _IDENTIFIER_DIGITS:
        raise ValueError(f"unknown application identifier {start!r}")
    digits = _IDENTIFIER_DIGITS[start]
    if (length := _PREDEFINED.get(start)) is not None:
        if len(text) < length:
            raise ValueError(f"({start}) is cut short")
        value, rest = text[digits:length], text[length:].removeprefix(SEPARATOR)
    else:
        value, _, rest = text[digits:].partition(SEPARATOR)
    return text[:digits], value, rest


def gtin(value: str) -> str:
    """The trade item number; raises ValueError when its check digit is wrong."""
    if not re.fullmatch(r"[0-9]{14}", value) or check_digit(value[:13]) != value[13]:
        raise ValueError("wrong check digit")
    return value


def day(value: str, year_now: int) -> date:
    """The date of YYMMDD; day 00 is the last of the month. The century is the one nearest to ``year_now``.

    Raises:
        ValueError: there is no such day.
    """
    if not re.fullmatch(r"[0-9]{6}", value):
        raise ValueError(f"{value!r} is no date")
    year, month, number = _year(int(value[:2]), year_now), int(value[2:4]), int(value[4:])
    if not 1 <= month <= 12:
        raise ValueError(f"{value!r} is no date")
    return date(year, month, number or calendar.monthrange(year, month)[1])


def _year(short: int, year_now: int) -> int:
    """51 to 99 years ahead means the last century, 50 to 99 back the next one."""
    ahead = short - year_now % 100
    century = year_now // 100 - (ahead >= 51) + (ahead <= -50)
    return century * 100 + short
