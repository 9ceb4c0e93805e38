"""What the latency benchmarks share: a screen's feed, with nothing else to do and beside a fleet, and the report."""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any, Final, NamedTuple

import uvloop
from websockets.asyncio.client import connect

from benchmarks.kit import machine
from benchmarks.kit.stack import Lastmile

UNIT: Final = "amb-9000"  # the one that is watched
SETTLE_SECONDS: Final = 15  # detectors fill, everything settles
CARRIED: Final = 240  # ambulances, each with its ECG analyser (benchmarks/README.md); beyond it a queue is measured
LOAD: Final = 0.8  # of the ambulances this machine carries

Latencies = dict[int, list[float]]  # s, by ambulances beside
Measure = Callable[[Lastmile, Path, list[int], float], Coroutine[Any, Any, Latencies]]


class Figure(NamedTuple):
    """One benchmark's own words and limits."""

    about: str  # its docstring
    peer: str
    what: str  # is counted: frames, crossings
    floor_ms: float  # p99
    aim_ms: float
    quick_seconds: float


async def feed(stack: Lastmile, *, waves: bool) -> AsyncIterator[tuple[str | bytes, float]]:
    """Messages of the live feed about the unit, each with the time of its last byte (perf_counter)."""
    url, headers = stack.url, {"Cookie": stack.session()}
    address = url.replace("http", "ws") + "/api/v1/live"
    wanted = {"type": "subscribe", "units": [UNIT], "waves": [UNIT] if waves else [], "since": None}
    async with connect(address, origin=url, additional_headers=headers, compression=None) as socket:  # type: ignore[arg-type]
        await socket.send(json.dumps(wanted))
        async for message in socket:
            yield message, time.perf_counter()


def run(figure: Figure, measure: Measure) -> None:
    """The benchmark's entry point: reads the command line, measures, prints, and exits with 1 beyond the floor."""
    parser = argparse.ArgumentParser(description=figure.about, formatter_class=argparse.RawDescriptionHelpFormatter)
    quick = f"{figure.quick_seconds:.0f} s each, beside 80 ambulances"
    parser.add_argument("--quick", action="store_true", help=quick)
    parser.add_argument("--seconds", type=float, default=60.0, help="of each measurement")
    parser.add_argument("--maximum", type=int, default=CARRIED, help="ambulances this machine carries (%(default)s)")
    arguments = parser.parse_args()
    seconds, maximum = (figure.quick_seconds, 100) if arguments.quick else (arguments.seconds, arguments.maximum)
    load = int(LOAD * maximum)
    print(machine.describe(Path(tempfile.gettempdir())))
    print(f"peer: {figure.peer}")
    with tempfile.TemporaryDirectory(prefix="lastmile-bench-") as name:
        stack = Lastmile(Path(name))
        stack.register([UNIT, *(f"amb-{number:04}" for number in range(load))])
        with stack:
            found = uvloop.run(measure(stack, Path(name), [0, load], seconds))
    sys.exit(0 if max(_report(figure, *row) for row in found.items()) <= figure.floor_ms else 1)


def _report(figure: Figure, beside: int, latencies: list[float]) -> float:
    """Prints a line; p99 in ms."""
    if not latencies:
        sys.exit(f"no {figure.what} reached the screen")
    p50, p99 = (1e3 * machine.percentile(latencies, quantile) for quantile in (0.5, 0.99))
    where = f"beside {beside} ambulances" if beside else "idle"
    print(f"{where}: p50 {p50:.1f} ms, p99 {p99:.1f} ms, max {1e3 * max(latencies):.1f} ms", end=" ")
    print(f"({len(latencies)} {figure.what}; floor p99 {figure.floor_ms:.0f} ms, aim {figure.aim_ms:.0f} ms)")
    return p99
