"""What an audit found: totals, differences by range, and how they are shown."""

from collections.abc import Iterable
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

MAX_SHOWN: Final = 50
MAX_KEPT: Final = 10_000  # differences by range; all are counted

Mask = npt.NDArray[np.bool_]


class Totals(msgspec.Struct):
    """Numbers (of records) by where they are.

    produced = stored + (outbox - unacked) + shed + gone + missing. ``retired`` and ``rejected`` are parts of stored;
    ``unread`` are readings of the simulator's ledger that the agent had no chance to read.
    """

    produced: int = 0
    stored: int = 0
    outbox: int = 0
    unacked: int = 0
    shed: int = 0
    gone: int = 0
    unread: int = 0
    missing: int = 0
    duplicates: int = 0
    retired: int = 0
    rejected: int = 0

    def add(self, other: "Totals") -> None:
        """Adds every count of ``other``."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


class Difference(msgspec.Struct, frozen=True):
    """Something that should not be: ``first`` to ``last`` are numbers (us for kinds of the simulator's ledger)."""

    kind: str
    unit: str
    epoch: str = ""
    lane: str = ""
    first: int = 0
    last: int = 0
    detail: str = ""


class LaneReport(msgspec.Struct, frozen=True):
    """One lane of one epoch of one unit."""

    unit: str
    epoch: str
    lane: str
    totals: Totals


class UnitReport(msgspec.Struct, frozen=True):
    """One unit and its lanes."""

    unit: str
    totals: Totals
    lanes: list[LaneReport]


class Report(msgspec.Struct, frozen=True):
    """All of it; the JSON file."""

    ok: bool
    units: list[UnitReport]
    differences: list[Difference]
    totals: Totals


class Findings:
    """Collects differences; ranges of one kind that follow on each other are joined."""

    def __init__(self) -> None:
        self.count = 0
        self.found: list[Difference] = []

    def add(self, difference: Difference) -> None:
        """Takes one in."""
        self.count += 1
        last = self.found[-1] if self.found else None
        if last is not None and difference.first == last.last + 1 and _same(last, difference):
            self.found[-1] = msgspec.structs.replace(last, last=difference.last)
        elif len(self.found) < MAX_KEPT:
            self.found.append(difference)

    def mask(self, base: Difference, mask: Mask, offset: int) -> None:
        """One difference like ``base`` for every run of the mask; ``offset`` is the number of its first element."""
        for first, last in runs(mask):
            self.add(msgspec.structs.replace(base, first=offset + first, last=offset + last))


def _same(one: Difference, other: Difference) -> bool:
    return (one.kind, one.unit, one.epoch, one.lane, one.detail) == (
        other.kind, other.unit, other.epoch, other.lane, other.detail,
    )  # fmt: skip


def runs(mask: Mask) -> Iterable[tuple[int, int]]:
    """First and last index of every run of True."""
    if not mask.any():
        return []
    edges = np.flatnonzero(np.diff(mask.astype(np.int8), prepend=0, append=0)).tolist()
    return [(first, end - 1) for first, end in zip(edges[::2], edges[1::2], strict=True)]


def show(report: Report, console: Console) -> None:
    """Prints a table of the units, the differences, and one line that says whether the books balance."""
    table = Table(title="produced = stored + (outbox - unacked) + shed + gone + missing")
    names = list(Totals.__struct_fields__)
    table.add_column("unit")
    for name in names:
        table.add_column(name, justify="right")
    for unit in report.units:
        table.add_row(unit.unit, *(f"{getattr(unit.totals, name):,}" for name in names))
    table.add_row("all", *(f"{getattr(report.totals, name):,}" for name in names), style="bold")
    console.print(table)
    for found in report.differences[:MAX_SHOWN]:
        place = " ".join(filter(None, (found.unit, found.epoch, found.lane)))
        console.print(f"[red]{found.kind}[/red] {place} {found.first}..{found.last} {found.detail}", highlight=False)
    if len(report.differences) > MAX_SHOWN:
        console.print(f"... and {len(report.differences) - MAX_SHOWN} more")
    verdict = "[green]balanced: nothing lost, nothing twice[/green]" if report.ok else "[red]does not balance[/red]"
    console.print(verdict)
