"""``lastmile scenario``: run a scenario against the whole program and judge it by its truth labels.

Exit status of ``run``: 0 every label was seen as it should be, 1 some were not, 2 the file (or an option) is broken,
3 the system itself could not be run.
"""

import asyncio
import signal
import sys
import traceback
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Final

import typer
from rich.console import Console

from firmware_sims.scenario import names
from gateway.adapters import clock
from gateway.scenario.file import BrokenFile, Plan, load
from gateway.scenario.report import Report, latency, show, write
from gateway.scenario.run import BrokenRun, Run
from gateway.scenario.truth import Outcome, judge

EXIT_FAILED: Final = 1
EXIT_FILE: Final = 2
EXIT_SYSTEM: Final = 3
WIDTH: Final = 160  # of a table that no terminal shows

app = typer.Typer(no_args_is_help=True, help="Run scenarios with truth labels against the whole program.")
Name = Annotated[str, typer.Argument(metavar="NAME|FILE", help="A scenario that comes along, or a TOML file.")]


@app.command("run")
def run_scenario(
    scenario: Name,
    speed: Annotated[float, typer.Option(min=0.1, max=200, help="Scenario seconds a second.")] = 20.0,
    seed: Annotated[int, typer.Option(help="Of everything random in patients and devices.")] = 7,
    report: Annotated[Path | None, typer.Option(help="Write the verdicts here as JSON.")] = None,
    data: Annotated[Path | None, typer.Option(help="Keep everything in this directory, which must be empty.")] = None,
) -> None:
    """Play a scenario on the processes of production and compare what was stored with the truth."""
    from gateway.operate import configure_log

    configure_log("ERROR")
    plan = _load(scenario)
    if data is not None and data.exists() and any(data.iterdir()):
        raise typer.BadParameter(f"{data} is not empty")
    try:
        with TemporaryDirectory(prefix="lastmile-scenario-") as temporary:
            folder = Path(temporary) if data is None else data
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = asyncio.run(_run(plan, folder.resolve(), speed, seed))
    except BrokenRun as error:
        typer.echo(f"scenario {plan.name}: {error}", err=True)
        raise typer.Exit(EXIT_SYSTEM) from error
    except Exception as error:  # a mistake of ours is no verdict either: Python's own exit status would be that of one
        traceback.print_exc()
        raise typer.Exit(EXIT_SYSTEM) from error
    show(found, Console(width=None if sys.stdout.isatty() else WIDTH))
    if report is not None:
        report.write_bytes(write(found))
    raise typer.Exit(0 if found.passed else EXIT_FAILED)


@app.command("check")
def check_scenario(scenario: Name) -> None:
    """Say whether a scenario's file can be run, without running it."""
    plan = _load(scenario)
    units = ", ".join(f"{unit.name} ({unit.profile}: {', '.join(unit.devices)})" for unit in plan.units)
    typer.echo(f"{plan.name}: {len(plan.truths)} labels, {plan.duration:g} s, {units}")


@app.command("list")
def list_scenarios() -> None:
    """The scenarios that come along."""
    for name in names():
        try:
            plan = load(name)
        except BrokenFile:  # one without truth, for `lastmile simulate` alone
            continue
        typer.echo(f"{name}\t{plan.duration:g} s\t{plan.title}")


def _load(name: str) -> Plan:
    try:
        return load(name)
    except BrokenFile as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(EXIT_FILE) from error


async def _run(plan: Plan, data: Path, speed: float, seed: int) -> Report:
    """The run, ended in good order when somebody interrupts it."""
    task = asyncio.create_task(Run(plan, data, speed, seed).play())
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, task.cancel)
    began = clock.wall()
    try:
        played = await task
    except asyncio.CancelledError as error:
        raise BrokenRun("interrupted") from error
    verdicts = judge(plan.truths, played.seen, plan.duration)
    return Report(
        scenario=plan.name,
        title=plan.title,
        seed=seed,
        speed=speed,
        duration_s=plan.duration,
        machine_s=round((clock.wall() - began) / 1e6, 1),
        passed=all(one.verdict is Outcome.PASS for one in verdicts),
        latency_ms=latency(played.latencies_ms),
        truths=verdicts,
    )
