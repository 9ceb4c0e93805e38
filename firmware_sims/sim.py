"""Simulated units: the devices of a profile, each on its own wire, paced by the monotonic clock.

::

    readings() of each device --merge by due time--> its host (firmware_sims/hosts) --> agents
"""

import asyncio
import heapq
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple
from zlib import crc32

from edge_agents.device import Reading
from firmware_sims import profile
from firmware_sims.hosts.host import Cast, Host, Stage, make_cast, make_host
from firmware_sims.ledger import Ledger
from firmware_sims.pace import Pace
from firmware_sims.scenario import Scenario, Timeline
from firmware_sims.world import Timed, World
from gateway.contract.envelope import Instant

YIELD_AFTER: Final = 64  # readings in a row without a pause
FLUSH_EVERY: Final = 1.0  # s


class Spec(NamedTuple):
    """One unit to simulate."""

    unit: str
    scenario: Scenario
    seed: int


def devices_of(scenario: Scenario) -> list[tuple[str, str]]:
    """Name and kind of each simulated device: those of the agent's profile, or the ones the scenario picks."""
    rows = profile.rows(scenario.profile)
    return [(row["name"], row["kind"]) for row in rows if not scenario.devices or row["name"] in scenario.devices]


class UnitServer:
    """One unit: the devices of its profile, in step."""

    def __init__(self, spec: Spec, ledger_folder: Path, pace: Pace, listen_host: str) -> None:
        self.unit = spec.unit
        self.ledger = Ledger(ledger_folder, spec.unit)
        self._pace = pace
        world = World(spec.scenario, Timeline(spec.scenario), unit_seed(spec), pace.start_at)
        stage = Stage(listen_host, self.ledger, pace, {})
        self._cast = [make_cast(name, kind, world) for name, kind in devices_of(spec.scenario)]
        self.hosts = [make_host(role, stage) for role in self._cast]

    async def listen(self, port: int) -> None:
        """Opens a port per device, consecutive from ``port``, or free ones when it is 0."""
        for number, host in enumerate(self.hosts):
            await host.listen(port + number if port else 0)

    def begin(self, start_at: Instant) -> None:
        """What the devices say begins at this instant."""
        for role in self._cast:
            role.world.start_at = start_at

    async def run(self, until: int | None) -> None:
        """Plays the scenario up to ``until`` (elapsed us), or for ever; at speed 0 until nothing more happens."""
        await self._play(until)
        if not self._pace.speed:
            return
        if until is not None:
            await self._pace.until(until)
        else:
            await asyncio.Event().wait()  # devices that have nothing more to say are still there

    async def _play(self, until: int | None) -> None:
        streak = 0
        for due, host, reading in merged(self._cast, self.hosts):
            if until is not None and due > until:
                return
            waited = await self._pace.until(due)
            streak = 0 if waited else streak + 1
            if streak >= YIELD_AFTER:
                await asyncio.sleep(0)  # lets the sockets work
                streak = 0
            await host.hand(reading)

    async def close(self) -> None:
        """Closes ports and connections, then the ledger is complete."""
        for host in self.hosts:
            await host.close()
        self.ledger.close()


def merged(roles: list[Cast], hosts: list[Host]) -> Iterator[tuple[int, Host, Reading]]:
    """The readings of all devices in order of time."""

    def tagged(order: int, role: Cast, host: Host) -> Iterator[tuple[int, int, Host, Timed]]:
        return ((timed.due, order, host, timed) for timed in role.sim.readings(role.world))

    streams = [tagged(i, role, host) for i, (role, host) in enumerate(zip(roles, hosts, strict=True))]
    for due, _, host, timed in heapq.merge(*streams, key=lambda item: item[:2]):
        yield due, host, timed.reading


def unit_seed(spec: Spec) -> int:
    """The seed of a unit: independent of the other units of the process."""
    return (spec.seed * 1_000_003 + crc32(spec.unit.encode())) & 0x7FFF_FFFF


async def _flush(units: list[UnitServer]) -> None:
    while True:
        await asyncio.sleep(FLUSH_EVERY)
        for unit in units:
            unit.ledger.flush()


class Fleet:
    """The units of one process."""

    def __init__(
        self, specs: list[Spec], ledger_folder: Path, speed: float, start_at: Instant, listen_host: str = "127.0.0.1"
    ) -> None:
        self._pace = Pace(speed, start_at)
        self.units = [UnitServer(spec, ledger_folder, self._pace, listen_host) for spec in specs]

    @property
    def start_at(self) -> Instant:
        """When elapsed time is, or was, 0."""
        return self._pace.start_at

    async def listen(self, port: int) -> dict[str, dict[str, str]]:
        """Opens all ports; the address of each device of each unit, as an agent takes it."""
        for unit in self.units:
            await unit.listen(port)
            port += len(unit.hosts) if port else 0
        return {unit.unit: {host.name: host.address for host in unit.hosts} for unit in self.units}

    def begin(self, start_at: Instant) -> None:
        """The scenario begins now, at ``start_at``, and not when the fleet was made: its readers had to come first."""
        self._pace.begin(start_at)
        for unit in self.units:
            unit.begin(start_at)

    async def run(self, until: int | None, *, stay: bool = False) -> None:
        """Plays all units up to ``until`` (elapsed us), or until cancelled; then all ledgers are complete.

        ``stay``: devices that have nothing more to say stay there until cancelled, and can be asked and read.
        """
        try:
            async with asyncio.TaskGroup() as group:
                flusher = group.create_task(_flush(self.units), name="ledger flush")
                async with asyncio.TaskGroup() as players:
                    for unit in self.units:
                        players.create_task(unit.run(until), name=f"unit {unit.unit}")
                if stay:
                    await asyncio.Event().wait()
                flusher.cancel()
        finally:
            for unit in self.units:
                await unit.close()
