"""Simulated vehicles as TCP servers: one stream of bytes per device, paced by the monotonic clock.

::

    readings() of each device --merge by due time--> encode -> (decode own bytes -> ledger) -> every connected reader
"""

import asyncio
import contextlib
import heapq
import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple, cast
from zlib import crc32

from edge_agents.device import FrameError, Reading
from firmware_sims.clock import steady
from firmware_sims.ledger import Ledger, LinkLine, line_of
from firmware_sims.scenario import Scenario, Timeline
from firmware_sims.world import DeviceSim, Timed, World
from gateway.contract.envelope import Instant

KINDS: Final = {"ambulance": ("patient_monitor", "gnss", "crew_panel")}  # by profile, in order of their ports
MAX_UNSENT: Final = 256 * 1024  # bytes a reader may lag behind; beyond it readings are lost on its line, like on a UART
MIN_SLEEP: Final = 0.005  # s; due readings are sent together after it
YIELD_AFTER: Final = 64  # readings in a row without a pause
LAST_WORDS: Final = 1.0  # s for a reader to take what is buffered when the simulator ends
FLUSH_EVERY: Final = 1.0  # s


class Spec(NamedTuple):
    """One unit to simulate."""

    unit: str
    scenario: Scenario
    seed: int


class Pace:
    """Turns elapsed simulated time into waiting; speed 0 never waits."""

    def __init__(self, speed: float, start_at: Instant) -> None:
        self.start_at = start_at
        self.speed = speed
        self.elapsed = 0  # us of the last reading sent, for speed 0
        self._began = steady()

    def now(self) -> Instant:
        """The simulated instant."""
        if not self.speed:
            return self.start_at + self.elapsed
        return self.start_at + int((steady() - self._began) * self.speed * 1_000_000)

    async def until(self, due: int) -> bool:
        """Waits for an elapsed time; whether it had to wait."""
        self.elapsed = max(self.elapsed, due)
        if not self.speed:
            return False
        wait = self._began + due / self.speed / 1_000_000 - steady()
        if wait <= 0:
            return False
        await asyncio.sleep(max(wait, MIN_SLEEP))
        return True


class DeviceServer:
    """One device: its readings, its listener and whoever reads it."""

    def __init__(self, kind: str, ledger: Ledger, pace: Pace) -> None:
        self.sim = cast(DeviceSim, importlib.import_module(f"firmware_sims.devices.{kind}"))
        self.name = self.sim.NAME
        self.port = 0
        self._decoder = self.sim.Decoder()
        self._ledger = ledger
        self._pace = pace
        self._writers: set[asyncio.StreamWriter] = set()
        self._readers: set[asyncio.Task[None]] = set()  # one per connection
        self._read = asyncio.Event()  # set while somebody is connected
        self._frames = 0
        self._server: asyncio.Server | None = None

    async def listen(self, host: str, port: int) -> None:
        """Opens the port; 0 takes a free one. Raises OSError when it is taken."""
        self._server = await asyncio.start_server(self._serve, host, port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Closes the port and, after what is buffered was sent or a second has gone, the connections."""
        if self._server is not None:
            self._server.close()
        for writer in list(self._writers):
            self._gone(writer)
            try:
                await asyncio.wait_for(writer.wait_closed(), LAST_WORDS)
            except (TimeoutError, ConnectionError):
                writer.transport.abort()  # a reader that does not read
        if self._readers:
            await asyncio.wait(self._readers)  # they end because their connections have ended

    async def hand(self, reading: Reading) -> None:
        """Sends a reading to every reader and notes it in the ledger. At speed 0 waits until it is taken."""
        frame = self.sim.encode(reading, self._frames)
        self._frames += 1
        if not self._pace.speed:
            await self._read.wait()
        taken = [writer for writer in self._writers if self._send(writer, frame)]
        for item in self._decoder.feed(frame, reading.observed_at):
            if not isinstance(item, FrameError):  # a receiver without a fix says so, and that is no reading
                self._ledger.add(line_of(self.name, item, unread=not taken))
        if not self._pace.speed:
            for writer in taken:
                await _drain(writer)

    def _send(self, writer: asyncio.StreamWriter, frame: bytes) -> bool:
        if writer.is_closing():
            return False
        if self._pace.speed and writer.transport.get_write_buffer_size() > MAX_UNSENT:
            return False
        writer.write(frame)
        return True

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Lives as long as one connection; what the reader sends is ignored."""
        if (task := asyncio.current_task()) is not None:
            self._readers.add(task)
            task.add_done_callback(self._readers.discard)
        self._writers.add(writer)
        self._read.set()
        self._ledger.add(LinkLine(device=self.name, state="up", at=self._pace.now()))
        try:
            while await reader.read(4096):
                pass
        except ConnectionError:
            pass  # the same to a device as an orderly end: the line below records it
        finally:
            self._gone(writer)

    def _gone(self, writer: asyncio.StreamWriter) -> None:
        """Notes the end of a connection, once."""
        if writer not in self._writers:
            return
        self._writers.discard(writer)
        if not self._writers:
            self._read.clear()
        self._ledger.add(LinkLine(device=self.name, state="down", at=self._pace.now()))
        writer.close()


async def _drain(writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):  # the reader went; its own task records that
        await writer.drain()


class UnitServer:
    """One vehicle: the devices of its profile, in step."""

    def __init__(self, spec: Spec, ledger_folder: Path, pace: Pace) -> None:
        self.unit = spec.unit
        self.ledger = Ledger(ledger_folder, spec.unit)
        self.devices = [DeviceServer(kind, self.ledger, pace) for kind in KINDS[spec.scenario.profile]]
        self._pace = pace
        self._world = World(spec.scenario, Timeline(spec.scenario), unit_seed(spec), pace.start_at)

    async def listen(self, host: str, port: int) -> None:
        """Opens a port per device, consecutive from ``port``, or free ones when it is 0."""
        for number, device in enumerate(self.devices):
            await device.listen(host, port + number if port else 0)

    async def run(self, until: int | None) -> None:
        """Plays the scenario up to ``until`` (elapsed us), or for ever."""
        streak = 0
        for due, device, reading in merged(self.devices, self._world):
            if until is not None and due > until:
                return
            waited = await self._pace.until(due)
            streak = 0 if waited else streak + 1
            if streak >= YIELD_AFTER:
                await asyncio.sleep(0)  # lets the sockets work
                streak = 0
            await device.hand(reading)

    async def close(self) -> None:
        """Closes ports and connections, then the ledger is complete."""
        for device in self.devices:
            await device.close()
        self.ledger.close()


def merged(devices: list[DeviceServer], world: World) -> Iterator[tuple[int, DeviceServer, Reading]]:
    """The readings of all devices in order of time."""

    def tagged(order: int, device: DeviceServer) -> Iterator[tuple[int, int, DeviceServer, Timed]]:
        return ((timed.due, order, device, timed) for timed in device.sim.readings(world))

    streams: list[Iterator[tuple[int, int, DeviceServer, Timed]]] = [tagged(i, d) for i, d in enumerate(devices)]
    for due, _, device, timed in heapq.merge(*streams, key=lambda item: item[:2]):
        yield due, device, timed.reading


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

    def __init__(self, specs: list[Spec], ledger_folder: Path, speed: float, start_at: Instant) -> None:
        self._pace = Pace(speed, start_at)
        self.units = [UnitServer(spec, ledger_folder, self._pace) for spec in specs]

    async def listen(self, host: str, port: int) -> dict[str, Any]:
        """Opens all ports; what a parent process needs to know of them."""
        for unit in self.units:
            await unit.listen(host, port)
            port += len(unit.devices) if port else 0
        return {unit.unit: {device.name: device.port for device in unit.devices} for unit in self.units}

    async def run(self, until: int | None) -> None:
        """Plays all units up to ``until`` (elapsed us), or until cancelled; then all ledgers are complete."""
        try:
            async with asyncio.TaskGroup() as group:
                flusher = group.create_task(_flush(self.units), name="ledger flush")
                async with asyncio.TaskGroup() as players:
                    for unit in self.units:
                        players.create_task(unit.run(until), name=f"unit {unit.unit}")
                flusher.cancel()
        finally:
            for unit in self.units:
                await unit.close()
