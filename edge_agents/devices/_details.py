"""What the details of an event may be: a table of checks, shared by the devices whose protocol this project defines."""

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, Protocol

from edge_agents.devices._privacy import has_identity_number
from gateway.contract.envelope import Instant

TIME_LIMIT: Final = 2**62  # us; what lies beyond is no time
_SUBJECT: Final = re.compile(r"[a-z0-9][a-z0-9-]{2,47}")
_NUMBER: Final = re.compile(r"-?[0-9]{1,9}(\.[0-9]{1,6})?")


class Check(Protocol):
    """One detail: a value that is allowed, or its text."""

    def check(self, value: Any) -> Any:
        """The value as it is kept; raises ValueError when it is not allowed."""
        ...

    def parse(self, text: str) -> Any:
        """The value of its text; raises ValueError."""
        ...

    def write(self, value: Any) -> str:
        """Its text."""
        ...


class Number(NamedTuple):
    """A decimal number within limits."""

    low: float
    high: float
    digits: int = 0

    def check(self, value: Any) -> float:
        if type(value) not in {int, float} or not self.low <= value <= self.high:
            raise ValueError(f"{value!r} is no number from {self.low:g} to {self.high:g}")
        return round(float(value), self.digits)

    def parse(self, text: str) -> float:
        if not _NUMBER.fullmatch(text):
            raise ValueError(f"{text!r} is no number")
        return self.check(float(text))

    def write(self, value: Any) -> str:
        return f"{self.check(value):.{self.digits}f}"


class Count(NamedTuple):
    """A whole number from 0."""

    high: int = 2**31

    def check(self, value: Any) -> int:
        if type(value) is not int or not 0 <= value <= self.high:
            raise ValueError(f"{value!r} is no whole number from 0 to {self.high}")
        return value

    def parse(self, text: str) -> int:
        if not (text.isascii() and text.isdecimal() and len(text) <= 10):
            raise ValueError(f"{text!r} is no whole number")
        return self.check(int(text))

    def write(self, value: Any) -> str:
        return str(self.check(value))


class Word(NamedTuple):
    """One of a few words."""

    allowed: tuple[str, ...]

    def check(self, value: Any) -> str:
        if value not in self.allowed:
            raise ValueError(f"expected one of {', '.join(self.allowed)}")
        return str(value)

    def parse(self, text: str) -> str:
        return self.check(text)

    def write(self, value: Any) -> str:
        return self.check(value)


class Text(NamedTuple):
    """What somebody typed or a label says; never an identity number."""

    longest: int = 64

    def check(self, value: Any) -> str:
        if not isinstance(value, str) or not 0 < len(value) <= self.longest:
            raise ValueError(f"expected 1 to {self.longest} characters")
        if has_identity_number(value):
            raise ValueError("an identity number does not belong here")
        return value

    def parse(self, text: str) -> str:
        return self.check(text)

    def write(self, value: Any) -> str:
        return self.check(value)


class Flag(NamedTuple):
    """Yes or no."""

    def check(self, value: Any) -> bool:
        if type(value) is not bool:
            raise ValueError("expected true or false")
        return value

    def parse(self, text: str) -> bool:
        if text not in ("0", "1"):
            raise ValueError("expected 0 or 1")
        return text == "1"

    def write(self, value: Any) -> str:
        return str(int(self.check(value)))


class Subject(NamedTuple):
    """The pseudonymous id of a person, never an identity number."""

    def check(self, value: Any) -> str:
        if not isinstance(value, str) or not _SUBJECT.fullmatch(value) or has_identity_number(value):
            raise ValueError("expected a subject id")
        return value

    def parse(self, text: str) -> str:
        return self.check(text)

    def write(self, value: Any) -> str:
        return self.check(value)


class Moment(NamedTuple):
    """An instant, us since 1970."""

    def check(self, value: Any) -> Instant:
        if type(value) is not int or abs(value) > TIME_LIMIT:
            raise ValueError("expected an instant")
        return value

    def parse(self, text: str) -> Instant:
        if not re.fullmatch(r"-?[0-9]{1,20}", text):
            raise ValueError(f"{text!r} is no instant")
        return self.check(int(text))

    def write(self, value: Any) -> str:
        return str(self.check(value))


class Event(NamedTuple):
    """A kind of occurrence: all ``details`` must be there, of ``more`` any may."""

    name: str
    details: Mapping[str, Check] = {}
    more: Mapping[str, Check] = {}


def checked(event: Event, details: Mapping[str, Any]) -> dict[str, Any]:
    """The details with every value allowed.

    Raises:
        ValueError: one is missing, not known, or not allowed; the text does not repeat what a person typed.
    """
    table = _table(event, details)
    return {key: table[key].check(value) for key, value in details.items()}


def parsed(event: Event, texts: Mapping[str, str]) -> dict[str, Any]:
    """As `checked`, of their texts."""
    table = _table(event, texts)
    return {key: table[key].parse(text) for key, text in texts.items()}


def written(event: Event, details: Mapping[str, Any]) -> dict[str, str]:
    """The texts of the details; raises ValueError as `checked`."""
    table = _table(event, details)
    return {key: table[key].write(value) for key, value in details.items()}


def _table(event: Event, given: Mapping[str, Any]) -> dict[str, Check]:
    table = {**event.details, **event.more}
    if missing := event.details.keys() - given.keys():
        raise ValueError(f"{event.name} needs {', '.join(sorted(missing))}")
    if strange := given.keys() - table.keys():
        raise ValueError(f"{event.name} has {len(strange)} details it should not have")
    return table
