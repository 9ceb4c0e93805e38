"""TOML files as typed values, with errors that say which line of which file is wrong and what was expected there."""

import re
import tomllib
from pathlib import Path
from typing import Final, TypeVar

import msgspec

T = TypeVar("T")

_PLACE: Final = re.compile(r"(?:Key in )?`\$(?P<path>[^`]*)`$")  # how msgspec ends its messages
_STEP: Final = re.compile(r"\.?([A-Za-z0-9_-]+)|\[(\d+|\.\.\.)\]")
_TABLE: Final = re.compile(r"^\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?")
_UNKNOWN: Final = re.compile(r"unknown field `([^`]+)`")


class TomlError(ValueError):
    """``FILE:LINE: what was expected``."""


def read(path: Path, type_: type[T], *, name: str = "") -> T:
    """The file's content as a value of that type.

    Args:
        path: the file.
        type_: a msgspec struct.
        name: how messages call the file; its path by default.

    Raises:
        TomlError: it cannot be read, is not TOML, or a value is not what was expected.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TomlError(f"{name or path}: {error}") from error
    return parse(text, type_, name or str(path))


def parse(text: str, type_: type[T], name: str) -> T:
    """As `read`, of a text already in memory.

    Raises:
        TomlError: see `read`.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"line (\d+)", str(error))
        where = f"{name}:{line[1]}" if line else name
        raise TomlError(f"{where}: not TOML: {error}") from error
    try:
        return msgspec.convert(document, type_)
    except msgspec.ValidationError as error:
        raise TomlError(f"{name}:{_line(text, str(error))}: {_readable(str(error))}") from error


def place(path: Path, *steps: str) -> str:
    """``FILE:LINE`` of a key in a file that has been read; of a table of an array its number counts as a step."""
    return f"{path}:{_line_of(path.read_text(encoding='utf-8'), list(steps))}"


def _readable(message: str) -> str:
    return message.replace("`$.", "`").replace(" - at `$`", "")


def _line(text: str, message: str) -> int:
    """The line a message of msgspec is about: that of the key, or of the table the key is missing in."""
    found = _PLACE.search(message)
    steps = [name or index for name, index in _STEP.findall(found["path"])] if found else []
    if unknown := _UNKNOWN.search(message):
        steps.append(unknown[1])
    return _line_of(text, steps)


def _line_of(text: str, steps: list[str]) -> int:
    lines = text.splitlines()
    table, rest = _table(lines, steps)
    key = rest[0] if rest else ""
    for number in range(table, len(lines)):
        if number > table and _TABLE.match(lines[number]):
            break
        if key and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*[=.]", lines[number]):
            return number + 1
    return table + 1


def _table(lines: list[str], steps: list[str]) -> tuple[int, list[str]]:
    """Index of the header line of the innermost table the steps lead through, and the steps left inside it."""
    best, left, counts = 0, list(steps), dict[str, int]()
    for number, line in enumerate(lines):
        if (match := _TABLE.match(line)) is None:
            continue
        name = match[2].strip()
        path = name.split(".")
        if match[1] == "[[":
            counts[name] = counts.get(name, -1) + 1
            path.append(str(counts[name]))
        if steps[: len(path)] == path and len(steps) - len(path) <= len(left):
            best, left = number, steps[len(path) :]
    return best, left
