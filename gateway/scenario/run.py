"""Plays a scenario on the real program: the processes of production, on one clock that runs faster.

run --starts--> serve (broker, gateway)   simulate (all units)   agent (one a unit)      all with LASTMILE_CLOCK
 |                 ready   ----------->    listening, holding  -->  connected to their devices
 |                                         SIGUSR1: begin  ... duration ...  end;  outboxes drain;  agents end
 +--reads--> what is stored (HTTP API)                                          the truth has never left this process
"""

import asyncio
import json
import os
import signal
import tomllib
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from importlib import resources
from pathlib import Path
from typing import Any, Final

import msgspec

from gateway.adapters import clock, rules_file
from gateway.contract.envelope import Instant
from gateway.contract.identity import Provenance
from gateway.contract.quantity import SECOND
from gateway.contract.topic import UnitKind
from gateway.demo import agent_arguments, unit_token, wait_ready
from gateway.scenario.file import Plan, UnitPlan
from gateway.scenario.store import Store
from gateway.scenario.truth import Seen
from gateway.supervisor import end, start

SITE: Final = "scenario"
START_SECONDS: Final = 60.0  # of the machine, for everything to be up and connected
DRAIN_SECONDS: Final = 30.0  # of the machine, for the outboxes to empty
LOOK_SECONDS: Final = 0.05
LATER: Final = ("ble:", "modbus")  # devices that answer only once they have measured something
HISTORY: Final = 6 * 3600 * SECOND  # us before the beginning in which agents may have said that they are connected


class BrokenRun(RuntimeError):
    """The system could not be run: a process died, or was not ready in time. Nothing is said about the scenario."""


class Played(msgspec.Struct, frozen=True):
    """What came of a run."""

    start_at: Instant  # of the scenario
    seen: list[Seen]
    latencies_ms: list[float]  # of the machine: from an event to its being stored


class Run:
    """One run of a plan below an empty directory."""

    def __init__(self, plan: Plan, data: Path, speed: float, seed: int) -> None:
        self.plan = plan
        self._data = data
        self._seed = seed
        wall = clock.wall()
        self._scale = clock.Scale(wall, wall if plan.start is None else plan.start, speed)
        self._environment = {clock.VARIABLE: f"{self._scale.origin}:{self._scale.start}:{speed!r}"}
        self._processes: dict[str, asyncio.subprocess.Process] = {}

    async def play(self) -> Played:
        """Runs the scenario to its end and reads back what was stored.

        Raises:
            BrokenRun: see there.
        """
        async with AsyncExitStack() as running:
            await self._start_gateway(running)
            addresses = await self._start_simulator(running)
            store = await self._ready()
            async with self._agents(addresses):
                await self._until(lambda: self._connected(store, addresses), START_SECONDS, "the agents connect")
                start_at = await self._begin()
                await self._watch(self._scale.wall(start_at + round(self.plan.duration * SECOND)))
                await end(self._processes.pop("simulate"))
                ended_at = self._now()
                await self._until(lambda: self._drained(store, ended_at), DRAIN_SECONDS, "the outboxes drain")
            finish = start_at + round(self.plan.duration * SECOND)
            seen = await asyncio.to_thread(lambda: list(store.seen(self.plan.truths, start_at, finish)))
            return Played(start_at, seen, self._latencies(seen))

    # ---- processes --------------------------------------------------------------------------------------------------

    async def _start(self, running: AsyncExitStack, name: str, arguments: list[str]) -> None:
        log = self._data / "log" / f"{name}.log"
        process = await start(arguments, log=log, more_environment=self._environment)
        self._processes[name] = process
        running.push_async_callback(self._end, name)

    async def _end(self, name: str) -> None:
        if (process := self._processes.pop(name, None)) is not None:
            await end(process)

    async def _start_gateway(self, running: AsyncExitStack) -> None:
        (self._data / "log").mkdir()
        (self._data / rules_file.NAME).write_text(self.plan.alerts)
        await self._start(running, "serve", ["serve", "--data", str(self._data), "--demo", "--http", "127.0.0.1:0"])

    async def _ready(self) -> Store:
        """The gateway, once it is ready."""
        url = await wait_ready(self._data, asyncio.Event())
        if url is None:
            raise BrokenRun(self._last_words("serve", "the gateway did not become ready"))
        return await asyncio.to_thread(Store, url)

    async def _start_simulator(self, running: AsyncExitStack) -> dict[str, dict[str, str]]:
        """The devices, listening and silent; the addresses of each unit's."""
        files = {unit.name: self._hand_out(unit) for unit in self.plan.units}
        ports = self._data / "simulator.json"
        arguments = ["simulate", str(files[self.plan.units[0].name]), "--hold", "--seed", str(self._seed)]
        arguments += ["--ledger", str(self._data / "ledger"), "--port-file", str(ports)]
        for unit, file in files.items():
            arguments += ["--unit", f"{unit}:{file}"]
        await self._start(running, "simulate", arguments)
        await self._until(ports.exists, START_SECONDS, "the simulator listens")
        addresses: dict[str, dict[str, str]] = json.loads(ports.read_text())["listening"]
        return addresses

    def _hand_out(self, unit: UnitPlan) -> Path:
        """What happens to a unit, in a file for its simulator: no label, no title, no comment."""
        path = self._data / f"{unit.name}.json"
        path.write_bytes(msgspec.json.encode(unit.tables))
        return path

    @asynccontextmanager
    async def _agents(self, addresses: dict[str, dict[str, str]]) -> AsyncIterator[None]:
        async with AsyncExitStack() as running:
            for unit in self.plan.units:
                links = [f"{device}={address}" for device, address in addresses[unit.name].items()]
                kind = _kind(unit.profile)
                token = unit_token(self._data, unit.name, SITE, unit.name, Provenance.SIMULATED, kind)
                arguments = agent_arguments(
                    self._data, unit.name, SITE, token, links, profile=unit.profile, simulated=True
                )
                await self._start(running, f"agent-{unit.name}", arguments)
            yield

    async def _begin(self) -> Instant:
        """Lets the devices speak; when that was."""
        os.kill(self._processes["simulate"].pid, signal.SIGUSR1)
        ports = self._data / "simulator.json"
        await self._until(lambda: self._line(ports)["start_at"] is not None, START_SECONDS, "the simulator begins")
        start_at: Instant = self._line(ports)["start_at"]
        return start_at

    def _line(self, path: Path) -> dict[str, Any]:
        line: dict[str, Any] = json.loads(path.read_text())
        return line

    async def _watch(self, until: Instant) -> None:
        """Waits for a wall time; ends at once when a process does."""
        ends = {asyncio.create_task(one.wait(), name=name) for name, one in self._processes.items()}
        left = (until - clock.wall()) / SECOND
        done, waiting = await asyncio.wait(ends, timeout=max(0.0, left), return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
        if done:
            name = next(iter(done)).get_name()
            raise BrokenRun(self._last_words(name, f"{name} has ended"))

    async def _until(self, look: Callable[[], bool], seconds: float, what: str) -> None:
        """Waits until ``look``, in a thread, says so; a gateway that does not answer just now says no.

        Raises:
            BrokenRun: not within ``seconds``, or a process has ended.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while True:
                    with suppress(OSError, ValueError):
                        if await asyncio.to_thread(look):
                            return
                    for name, process in self._processes.items():
                        if process.returncode is not None:
                            raise BrokenRun(self._last_words(name, f"{name} has ended before {what}"))
                    await asyncio.sleep(LOOK_SECONDS)
        raise BrokenRun(f"not within {seconds:g} s: {what}")

    def _last_words(self, name: str, why: str) -> str:
        lines = (self._data / "log" / f"{name}.log").read_text(errors="replace").splitlines()
        return "\n".join([f"{why}; its last lines:", *lines[-15:]])

    # ---- looking ----------------------------------------------------------------------------------------------------

    def _connected(self, store: Store, addresses: dict[str, dict[str, str]]) -> bool:
        """Every agent is connected to the devices that can be connected to before they have something to say."""
        now = self._now()
        for unit, devices in addresses.items():
            links = [one["details"] for one in store.events(unit, now - HISTORY, now) if one["name"] == "device-link"]
            up = {link["device"] for link in links if link["state"] == "connected"}
            if not up >= {device for device, address in devices.items() if not address.startswith(LATER)}:
                return False
        return True

    def _drained(self, store: Store, since: Instant) -> bool:
        """Everything the agents have is stored: a hello said so after the last reading."""
        states = [store.unit(unit.name) for unit in self.plan.units]
        return all(
            state["hello_at"] > since and state["outbox_records"] == 0 and state["gaps_open"] == 0 for state in states
        )

    def _now(self) -> Instant:
        """The scenario's time."""
        return self._scale.instant(clock.wall())

    def _latencies(self, seen: list[Seen]) -> list[float]:
        events = [one for one in seen if one.value is None]
        return [max(0.0, one.received - one.at) * 1000 / self._scale.rate for one in events]


def _kind(profile: str) -> UnitKind:
    """The family of a profile's units."""
    named = resources.files("edge_agents") / "profiles" / f"{profile}.toml"
    text = Path(profile).read_text("utf-8") if profile.endswith(".toml") else named.read_text("utf-8")
    return UnitKind(tomllib.loads(text)["kind"])
