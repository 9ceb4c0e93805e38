"""``lastmile fleet``: devices, people and addresses out into a spreadsheet and in again."""

import getpass
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final

import typer

DEFAULT_DATA: Final = Path("var/lastmile")
Data = Annotated[Path, typer.Option("--data", help="Data directory.")]
File = Annotated[Path, typer.Argument(help="FILE.xlsx, or a folder for one .csv a sheet.")]


def fleet_commands(kinds: Callable[[], frozenset[str]]) -> typer.Typer:
    """The command; ``kinds`` names every kind of device there is."""
    fleet = typer.Typer(no_args_is_help=True, help="Devices, people and addresses as a spreadsheet.")

    @fleet.command("export")
    def export_fleet(file: File, data: Data = DEFAULT_DATA) -> None:
        """Write devices, people and addresses; the file holds names, so only its owner can read it."""
        run_export(file, data)

    @fleet.command("import")
    def import_fleet(
        file: File,
        data: Data = DEFAULT_DATA,
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change, change nothing.")] = False,
    ) -> None:
        """Take a file in, all of it or nothing; every wrong cell is named by sheet, row and column.

        Headers may be English or Chinese. An empty cell leaves what is known; nothing is deleted.
        """
        raise typer.Exit(run_import(file, data, kinds(), dry_run=dry_run))

    return fleet


def run_export(file: Path, data: Path) -> None:
    """Writes the file, and a line of the audit log: it takes names out of the house."""
    from gateway.adapters import audit_log, clock, fleet_file, spreadsheet
    from gateway.adapters.enrolment import open_database

    database = open_database(data)
    sheets = database.submit(fleet_file.export).result()
    spreadsheet.write(file, sheets)
    now, actor = clock.now(), _actor()
    counts = {sheet.name: len(sheet.rows) for sheet in sheets}
    database.submit(lambda c: audit_log.append(c, now, actor, "fleet-exported", file.name, counts)).result()
    database.close()
    typer.echo("  ".join(f"{name}: {count}" for name, count in counts.items()))


def run_import(file: Path, data: Path, kinds: frozenset[str], *, dry_run: bool) -> int:
    """Exit status: 0 = taken in (or would be), 1 = something is wrong and nothing has changed."""
    from sqlalchemy import Connection

    from gateway.adapters import clock, fleet_file, fleet_import, spreadsheet
    from gateway.adapters.enrolment import open_database

    try:
        entries, problems = fleet_file.parse(spreadsheet.read(file))
    except spreadsheet.SpreadsheetError as error:
        typer.echo(str(error), err=True)
        return 1
    now, actor = clock.now(), _actor()

    def job(connection: Connection) -> fleet_import.Plan:
        planned = fleet_import.plan(connection, entries, kinds)
        if not (problems or planned.problems or dry_run):
            fleet_import.carry_out(connection, planned, now, actor, file.name)
        return planned

    database = open_database(data)
    planned = database.submit(job).result()
    database.close()
    wrong = problems + planned.problems
    for problem in wrong:
        typer.echo(str(problem), err=True)
    if wrong:
        typer.echo(f"{len(wrong)} wrong; nothing has changed", err=True)
        return 1
    for change in planned.changes:
        typer.echo(str(change))
    typer.echo(f"{len(planned.changes)} {'would change' if dry_run else 'changed'}")
    return 0


def _actor() -> str:
    """Who sits at the machine; the audit log tells it from an account of the program."""
    return f"command-line/{getpass.getuser()}"[:64]
