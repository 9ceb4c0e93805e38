"""``lastmile demo`` and ``lastmile replay``: the real program, run for somebody who wants to see it.

demo --starts--> serve (broker, gateway, watch)   simulate (the whole fleet)   an agent for each unit
 |                                                                         all real processes, real sockets
 +--watches--> the live feed, as a screen does: latency; /metrics: counts; at the end `lastmile audit`
"""

import asyncio
import json
import signal
import sys
import time
from collections import deque
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import msgspec
import typer

from gateway.contract.identity import Provenance
from gateway.contract.topic import UnitAddress, UnitKind
from gateway.feed_watcher import FeedWatcher, Figures
from gateway.supervisor import end, start

DEFAULT_DATA: Final = Path("var/demo")


class DemoUnit(NamedTuple):
    """A unit of the demo: a name people read, the agent's profile and the scenario its devices play."""

    unit: str
    site: str
    name: str
    kind: UnitKind
    scenario: str

    @property
    def profile(self) -> str:
        return self.kind.value.replace("-", "_")


FLEET: Final = (
    DemoUnit("amb-001", "linyi", "沂 A·120-01", UnitKind.AMBULANCE, "ambulance-chest-pain"),
    DemoUnit("amb-002", "wenling", "温 J·120-02", UnitKind.AMBULANCE, "ambulance-stable"),
    DemoUnit("amb-003", "chengdu", "蓉 A·120-03", UnitKind.AMBULANCE, "ambulance-hypoxia"),
    DemoUnit("kiosk-01", "jiyang", "济阳街道养老服务站 1 号机", UnitKind.HEALTH_KIOSK, "kiosk-morning"),
    DemoUnit("bed-01", "jiyang", "居家床位 101", UnitKind.HOMECARE_BED, "bed-night"),
    DemoUnit("beacons-3f", "chengdu", "住院部 3 楼", UnitKind.BEACON_SITE, "ward-walk"),
    DemoUnit("van-01", "linyi", "沂 A·配送-01", UnitKind.DELIVERY_VAN, "van-round"),
)
START_SECONDS: Final = 60
DRAIN_SECONDS: Final = 1.0  # between the last reading and the end of the agents
STATUS_SECONDS: Final = 1.0

Data = Annotated[Path, typer.Option("--data", help="Data directory.")]


class Report(msgspec.Struct, kw_only=True):
    """What a demo with ``--report`` writes. Counts are records over the whole life of the data directory."""

    produced: int
    stored: int
    spooled: int
    lost: int
    duplicates: int
    gaps: int
    alerts: int
    latency_ms: dict[str, float | None]
    seconds: float
    balanced: bool


def run_demo(
    for_: Annotated[str | None, typer.Option("--for", help="End by itself, after 30s, 5m ...")] = None,
    report: Annotated[Path | None, typer.Option(help="Write figures here at the end.")] = None,
    data: Data = DEFAULT_DATA,
    http: Annotated[str | None, typer.Option(help="HOST:PORT of the page; loopback only.")] = None,
) -> None:
    """Start everything with a simulated fleet of all five families, and a page to look at."""
    from gateway.operate import configure_log

    configure_log("WARNING")
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    seconds = _seconds(for_) if for_ else None
    raise typer.Exit(asyncio.run(_Demo(data.resolve(), http).run(seconds, report)))


def _seconds(text: str) -> float:
    scale = {"s": 1, "m": 60, "h": 3600}.get(text[-1:])
    try:
        return float(text[:-1]) * scale if scale else float(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is not a duration such as 30s, 5m or 1h") from error


def unit_token(data: Path, unit: str, site: str, name: str, provenance: Provenance, kind: UnitKind) -> Path:
    """The file with the unit's token; the unit is registered on first use."""
    from gateway.config import write_private
    from gateway.operate import register

    path = data / "units" / f"{unit}.token"
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        write_private(path, register(data, UnitAddress(site, kind, unit), name, provenance).encode())
    return path


def outbox_path(data: Path, unit: str) -> Path:
    """Where a unit of this data directory keeps its outbox."""
    (data / "outbox").mkdir(exist_ok=True)
    return data / "outbox" / f"{unit}.db"


class _Demo:
    def __init__(self, data: Path, http: str | None) -> None:
        self.data = data
        self.http = http
        self.stop = asyncio.Event()

    async def run(self, seconds: float | None, report: Path | None) -> int:
        """Everything from the first process to the last; the exit code."""
        for name in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(name, self.stop.set)
        tokens = {
            each.unit: unit_token(self.data, each.unit, each.site, each.name, Provenance.SIMULATED, each.kind)
            for each in FLEET
        }
        began = time.monotonic()
        async with AsyncExitStack() as running:
            url = await self._start_gateway(running)
            if url is None:
                return 1
            await self._start_fleet(running, tokens)
            print("\n  Lastmile demo (loopback only, simulated devices and people)", flush=True)
            print(f"  open {url}\n  Ctrl-C ends it\n", flush=True)
            figures = await self._watch(url, seconds)
        if report is not None:
            body = await _report(self.data, figures, time.monotonic() - began)
            report.write_bytes(msgspec.json.format(msgspec.json.encode(body)) + b"\n")
            print(report.read_text())
            return 0 if body.balanced else 1
        return 0

    async def _start_gateway(self, running: AsyncExitStack) -> str | None:
        for name in ("gateway.json",):
            (self.data / name).rename(self.data / "gateway.last.json") if (self.data / name).exists() else None
        last = self.data / "gateway.last.json"
        port = json.loads(last.read_text())["http"] if last.exists() else 0
        http = self.http or f"127.0.0.1:{port}"
        serve = await start(["serve", "--data", str(self.data), "--demo", "--http", http])
        running.push_async_callback(end, serve)
        return await wait_ready(self.data, self.stop)

    async def _start_fleet(self, running: AsyncExitStack, tokens: dict[str, Path]) -> None:
        port_file = self.data / "simulator.json"
        port_file.unlink(missing_ok=True)
        arguments = [
            "simulate",
            FLEET[0].scenario,
            "--ledger",
            str(self.data / "ledger"),
            "--port-file",
            str(port_file),
        ]
        for each in FLEET:
            arguments += ["--unit", f"{each.unit}:{each.scenario}"]
        simulator = await start(arguments, quiet=True)
        addresses = (await _wait_file(port_file, self.stop))["listening"]
        agents = [await start(self._agent(each, tokens[each.unit], addresses[each.unit])) for each in FLEET]
        running.push_async_callback(_end_all, agents)
        running.push_async_callback(_drain, simulator)

    def _agent(self, each: DemoUnit, token: Path, addresses: dict[str, str]) -> list[str]:
        links = [f"{device}={address}" for device, address in addresses.items()]
        return agent_arguments(self.data, each.unit, each.site, token, links, profile=each.profile, simulated=True)

    async def _watch(self, url: str, seconds: float | None) -> Figures:
        watcher = FeedWatcher(url)
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(watcher.run())
            showing = tasks.create_task(_show(watcher))
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self.stop.wait()
            watching.cancel()
            showing.cancel()
        return watcher.figures


async def wait_ready(data: Path, stop: asyncio.Event) -> str | None:
    """The gateway's URL once it is ready; None when it is not within a minute or we were told to stop."""
    import urllib.error
    import urllib.request

    def ready() -> str | None:
        try:
            where = json.loads((data / "gateway.json").read_text())
            url = f"http://{where['host']}:{where['http']}/"
            with urllib.request.urlopen(f"{url}readyz", timeout=2) as answer:  # noqa: S310 - our own loopback URL
                return url if answer.status == 200 else None
        except (OSError, ValueError, urllib.error.URLError):
            return None

    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and not stop.is_set():
        if (url := await asyncio.to_thread(ready)) is not None:
            return url
        with suppress(TimeoutError):
            async with asyncio.timeout(0.1):
                await stop.wait()
    print("the gateway did not become ready within a minute; see its messages above", file=sys.stderr)
    return None


async def _wait_file(path: Path, stop: asyncio.Event) -> dict[str, Any]:
    async with asyncio.timeout(START_SECONDS):
        while not path.exists():
            if stop.is_set():
                raise typer.Exit(130)
            await asyncio.sleep(0.05)
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def agent_arguments(
    data: Path,
    unit: str,
    site: str,
    token: Path,
    links: list[str],
    *,
    profile: str = "ambulance",
    simulated: bool = False,
) -> list[str]:
    """The command line of an agent of this data directory."""
    from gateway.adapters.broker import read_ports

    ports = read_ports(data)
    arguments = ["agent", "--unit", unit, "--site", site, "--profile", profile]
    arguments += ["--broker", f"{ports.mqtt_host}:{ports.mqtt}", "--token-file", str(token)]
    arguments += ["--outbox", str(outbox_path(data, unit))]
    for link in links:
        arguments += ["--link", link]
    return [*arguments, "--simulated"] if simulated else arguments


async def _end_all(processes: list[asyncio.subprocess.Process]) -> None:
    """Ends processes side by side."""
    async with asyncio.TaskGroup() as tasks:
        for process in processes:
            tasks.create_task(end(process))


async def _drain(simulator: asyncio.subprocess.Process) -> None:
    """Ends the simulator and lets the agents send what they have."""
    await end(simulator)
    await asyncio.sleep(DRAIN_SECONDS)


async def _show(watcher: FeedWatcher) -> None:
    """One status line, rewritten on a terminal, every five seconds elsewhere."""
    terminal = sys.stdout.isatty()
    recent: deque[tuple[float, int]] = deque(maxlen=6)
    for tick in range(1_000_000_000):
        await asyncio.sleep(STATUS_SECONDS)
        figures = watcher.figures
        recent.append((time.monotonic(), figures.stored))
        (t0, n0), (t1, n1) = recent[0], recent[-1]
        rate = (n1 - n0) / (t1 - t0) if t1 > t0 else 0.0
        line = (
            f"  units {figures.online}   {rate:5.0f} msg/s   stored {figures.stored}   outbox {figures.outbox}"
            f"   gaps {figures.gaps}   alerts {figures.alerts_open}   p99 {figures.latency(0.99) or 0:.0f} ms "
        )
        if terminal:
            print(f"\r{line}", end="", flush=True)
        elif tick % 5 == 4:
            print(line, flush=True)


async def _report(data: Path, figures: Figures, seconds: float) -> Report:
    """Figures from the audit of what is on the disks now, and from the feed as a screen saw it."""
    path = data / "audit.json"
    outboxes = [argument for file in sorted((data / "outbox").glob("*.db")) for argument in ("--outbox", str(file))]
    audit = await start(
        ["audit", "--data", str(data), *outboxes, "--ledger", str(data / "ledger"), "--json", str(path)], quiet=True
    )
    code = await audit.wait()
    totals = json.loads(path.read_text())["totals"]
    return Report(
        produced=totals["produced"],
        stored=totals["stored"],
        spooled=totals["outbox"],
        lost=totals["missing"] + totals["gone"],
        duplicates=totals["duplicates"],
        gaps=figures.gaps,
        alerts=figures.alerts_seen,
        latency_ms={"p50": figures.latency(0.5), "p99": figures.latency(0.99)},
        seconds=round(seconds, 1),
        balanced=code == 0,
    )


def run_replay(
    record: Annotated[Path, typer.Argument(help="A WFDB record's header, RECORD.hea.")],
    unit: Annotated[str, typer.Option(help="Unit the record speaks as.")] = "amb-007",
    speed: Annotated[float, typer.Option(help="1 = as recorded; 0 = as fast as the outbox takes it.")] = 1.0,
    site: Annotated[str, typer.Option(help="Site of the unit, when it is new.")] = "replay",
    data: Data = DEFAULT_DATA,
) -> None:
    """Stream a WFDB record through a real agent into the running gateway of a data directory."""
    from gateway.operate import configure_log

    configure_log("WARNING")
    if not record.exists():
        raise typer.BadParameter(f"{record} does not exist")
    data = data.resolve()
    token = unit_token(data, unit, site, f"{unit} (replay)", Provenance.TEST, UnitKind.AMBULANCE)
    link = f"monitor=wfdb:{record.resolve()}?speed={speed:g}"
    raise typer.Exit(asyncio.run(_replay(agent_arguments(data, unit, site, token, [link], profile="replay"))))


async def _replay(arguments: list[str]) -> int:
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    agent = await start(arguments)
    ended = asyncio.create_task(agent.wait())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    await end(agent)
    return await ended
