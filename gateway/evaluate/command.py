"""``lastmile evaluate``: the product's own streaming detectors over a folder of recordings."""

import sys
from collections.abc import Callable
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from gateway.evaluate.records import BrokenRecord

WIDTH: Final = 200  # of a table that no terminal shows


class Task(StrEnum):
    """What can be evaluated; each is a module beside this one with ``evaluate(directory) -> Report``."""

    QRS = "qrs"
    AF = "af"
    VF = "vf"
    ST = "st"
    BURDEN = "burden"


def evaluate(
    task: Annotated[
        Task,
        typer.Argument(
            help="qrs: beats; af: atrial fibrillation; vf: lethal rhythms; st: 12-lead ST; burden: alarms a day."
        ),
    ],
    directory: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Folder of WFDB records.")],
    report: Annotated[Path | None, typer.Option(help="Write the whole report here as JSON.")] = None,
    noise: Annotated[bool, typer.Option("--noise", help="qrs: also with noise added, 24 to 0 dB.")] = False,
) -> None:
    """Score the streaming ECG detectors against reference annotations (ANSI/AAMI EC57), or count alarms a day."""
    if noise and task is not Task.QRS:
        raise typer.BadParameter("noise is added to beats only: lastmile evaluate qrs")
    if report is not None and not report.parent.is_dir():
        raise typer.BadParameter(f"no folder {report.parent}: nothing has been evaluated")
    module = import_module(f"gateway.evaluate.{task}")
    run: Callable[..., Any] = module.evaluate
    try:
        found = run(directory, noise=True) if noise else run(directory)
    except BrokenRecord as error:
        raise typer.BadParameter(str(error)) from error
    if report is not None:
        report.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=2))
    rows: Callable[[Any], list[dict[str, Any]]] = getattr(module, "rows", records_of)
    show(msgspec.to_builtins(found), rows(found))


def records_of(report: Any) -> list[dict[str, Any]]:
    """A row for each record: its plain values. What holds more is in the JSON report."""
    rows = msgspec.to_builtins(report.records)
    return [{name: value for name, value in row.items() if not isinstance(value, (dict, list))} for row in rows]


def show(report: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    """Prints a table of the records, then everything that is about all of them."""
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    console.print(table("records", rows))
    for name, value in report.items():
        if isinstance(value, dict):
            console.print(table(name, [value]))
        elif isinstance(value, list) and name != "records" and value:
            console.print(table(name, [flat(row) for row in value]))
        elif not isinstance(value, list):
            console.print(f"{name}: {cell(value)}")


def table(title: str, rows: list[dict[str, Any]]) -> Table:
    """One column per key of the rows."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    found = Table(*(column.replace("_", " ") for column in columns), title=title.replace("_", " "))
    for row in rows:
        found.add_row(*(cell(row.get(column)) for column in columns))
    return found


def flat(row: Any) -> dict[str, Any]:
    """Figures inside a row become columns of their own."""
    if not isinstance(row, dict):
        return {"": row}
    return {
        inner or name: part
        for name, value in row.items()
        for inner, part in (value.items() if isinstance(value, dict) else (("", value),))
    }


def cell(value: object) -> str:
    """A value as text."""
    if value is None:
        return "-"
    return f"{value:.4f}" if isinstance(value, float) else str(value)
