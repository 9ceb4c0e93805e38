"""Where in a TOML file a value stands: msgspec names it as ``$.truth[2].within``, people want a line. Pure."""

import re
from typing import Final

_HEADER: Final = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]")
_KEY: Final = re.compile(r"\s*([\w-]+)\s*=")
_STEP: Final = re.compile(r"([A-Za-z_][\w-]*)(?:\[(\d+)\])?")

Path = tuple[tuple[str, int | None], ...]  # names, with the index where it is one of an array of tables


def line_of(text: str, place: str) -> int:
    """The line, from 1, on which the innermost part of ``place`` stands that has a line of its own."""
    wanted: Path = tuple(
        (name, int(index) if index else None) for name, index in _STEP.findall(place.removeprefix("$"))
    )
    best, depth = 1, 0
    counts: dict[Path, int] = {}
    table: Path = ()
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            table = here = _enter(header[2].split("."), header[1] == "[[", counts)
        elif key := _KEY.match(line):
            here = (*table, (key[1], None))
        else:
            continue
        if len(here) > depth and _leads_to(here, wanted):
            best, depth = number, len(here)
    return best


def _enter(names: list[str], array: bool, counts: dict[Path, int]) -> Path:
    """The table a header opens. ``counts``: how many tables each array has had, by its path with index None."""
    here: Path = ()
    for position, name in enumerate(names):
        key: Path = (*here, (name.strip().strip("\"'"), None))
        if array and position == len(names) - 1:
            counts[key] = counts.get(key, 0) + 1
        here = (*here, (key[-1][0], counts[key] - 1 if key in counts else None))
    return here


def _leads_to(here: Path, wanted: Path) -> bool:
    if len(here) > len(wanted):
        return False
    return all(name == other and index in {None, at} for (name, index), (other, at) in zip(here, wanted, strict=False))
