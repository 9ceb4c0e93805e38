"""Commands `lastmile simulate` and `lastmile fault-proxy`."""

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from firmware_sims.clock import run, wall
from firmware_sims.faults import FaultProxy, Request
from firmware_sims.scenario import ScenarioError, load, names
from firmware_sims.sim import Fleet, Spec
from gateway.contract.envelope import Instant

_SUFFIXES = {"us": 1, "ms": 1_000, "s": 1_000_000, "m": 60_000_000, "min": 60_000_000, "h": 3_600_000_000}


def duration_us(text: str) -> int:
    """Microseconds of a text such as ``30s``, ``5m``, ``1.5h`` or ``30`` (seconds). Raises ValueError."""
    number = text.rstrip("abcdefghijklmnopqrstuvwxyz")
    unit = text[len(number) :] or "s"
    if unit not in _SUFFIXES:
        raise ValueError(f"{text!r} is not a duration such as 30s, 5m or 1h")
    return round(float(number) * _SUFFIXES[unit])


def _specs(scenario: str, units: list[str], seed: int) -> list[Spec]:
    """``UNIT`` or ``UNIT:SCENARIO`` per unit."""
    pairs = [text.partition(":") for text in units]
    return [Spec(unit, load(own or scenario), seed) for unit, _, own in pairs]


def announce(line: dict[str, Any], port_file: Path | None) -> None:
    """Prints one JSON line a parent can wait for, and puts it into a file at one stroke."""
    text = json.dumps(line)
    if port_file is not None:
        draft = port_file.with_suffix(port_file.suffix + ".new")
        draft.write_text(text + "\n", "utf-8")
        draft.replace(port_file)
    typer.echo(text)


def stop_on_signals() -> None:
    """Makes SIGTERM and SIGINT cancel the running task, so that its ``finally`` blocks run."""
    if (task := asyncio.current_task()) is None:
        raise RuntimeError("only a task can be cancelled")
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)


def run_simulate(  # noqa: PLR0913, PLR0917 - one parameter per option
    scenario: Annotated[str, typer.Argument(help="a scenario file, or the name of one that comes along")],
    unit: Annotated[list[str], typer.Option(help="UNIT or UNIT:SCENARIO; may be repeated")],
    ledger: Annotated[Path, typer.Option(help="folder for the simulator's own account, one file per unit")],
    listen_port: Annotated[int, typer.Option(help="first port; a unit takes one per device; 0 = free ports")] = 0,
    listen_host: Annotated[str, typer.Option()] = "127.0.0.1",
    speed: Annotated[float, typer.Option(min=0, help="1 = real time; 0 = as fast as the readers take it")] = 1.0,
    seed: Annotated[int, typer.Option(help="same seed and start: same bytes")] = 1,
    for_: Annotated[str | None, typer.Option("--for", help="stop after so much simulated time, such as 30s")] = None,
    start_at: Annotated[int | None, typer.Option(help="us since 1970 of the first instant; default now")] = None,
    port_file: Annotated[Path | None, typer.Option(help="file for the line that is printed when listening")] = None,
    hold: Annotated[bool, typer.Option(help="begin on SIGUSR1, with a second line, and stay until SIGTERM")] = False,
) -> None:
    """Simulated units: a server per device, deterministic content, and a ledger of what was produced."""
    try:
        specs = _specs(scenario, unit, seed)
        until = None if for_ is None else duration_us(for_)
    except (ScenarioError, ValueError) as error:
        raise typer.BadParameter(str(error)) from error
    make = partial(Fleet, specs, ledger, speed, _first_instant() if start_at is None else start_at, listen_host)
    run(_simulate(make, listen_port, until, port_file, hold=hold))


def _first_instant() -> Instant:
    """Now, in whole milliseconds, because NMEA tells time in them."""
    return wall() // 1000 * 1000


async def _simulate(
    make: Callable[[], Fleet], listen_port: int, until: int | None, port_file: Path | None, *, hold: bool
) -> None:
    stop_on_signals()
    fleet = make()
    line = {"listening": await fleet.listen(listen_port), "start_at": fleet.start_at, "pid": os.getpid()}
    with contextlib.suppress(asyncio.CancelledError):  # asked to stop by a signal; the ledgers are complete
        if hold:
            begin = asyncio.Event()
            asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, begin.set)
            announce(line | {"start_at": None}, port_file)
            await begin.wait()
            fleet.begin(_first_instant())
        announce(line | {"start_at": fleet.start_at}, port_file)
        await fleet.run(until, stay=hold)


def address(text: str) -> tuple[str, int]:
    """Host and port of ``HOST:PORT`` or ``PORT`` (loopback). Raises ValueError."""
    host, _, port = text.rpartition(":")
    return host or "127.0.0.1", int(port)


def run_fault_proxy(
    upstream: Annotated[str, typer.Option(help="HOST:PORT that connections are passed on to")],
    listen: Annotated[str, typer.Option(help="PORT or HOST:PORT; port 0 = a free one")] = "0",
    control: Annotated[int, typer.Option(help="port for requests, one JSON object a line; 0 = a free one")] = 0,
    seed: Annotated[int, typer.Option(help="of jitter and damage")] = 0,
    set_: Annotated[str, typer.Option("--set", help='settings to start with: {"up": {"delay_ms": 50}}')] = "{}",
    port_file: Annotated[Path | None, typer.Option(help="file for the line that is printed when listening")] = None,
) -> None:
    """A stand-in for bad 5G: passes TCP on with delay, silence, damage and cuts, as asked on its control port."""
    try:
        host, port = address(listen)
        target = address(upstream)
        first = msgspec.json.decode(f'{{"set": {set_}}}', type=Request)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    asyncio.run(_fault_proxy(target, (host, port, control), seed, first, port_file))


async def _fault_proxy(
    upstream: tuple[str, int], listen: tuple[str, int, int], seed: int, first: Request, port_file: Path | None
) -> None:
    stop_on_signals()
    async with FaultProxy(upstream, seed) as proxy:
        proxy.apply(first)
        await proxy.listen(*listen)
        announce({"listening": proxy.port, "control": proxy.control_port, "pid": os.getpid()}, port_file)
        with contextlib.suppress(asyncio.CancelledError):  # asked to stop by a signal
            await asyncio.Event().wait()


def list_scenarios() -> None:
    """The scenarios that come along."""
    for name in names():
        typer.echo(f"{name}: {load(name).title}")


app = typer.Typer(no_args_is_help=True)
app.command("simulate")(run_simulate)
app.command("fault-proxy")(run_fault_proxy)
app.command("scenarios")(list_scenarios)

if __name__ == "__main__":
    app()
