"""What a Bluetooth device keeps until it is confirmed, over the real stack: never lost, and never taken twice."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from edge_agents import kinds
from edge_agents.clock import clocks
from edge_agents.config import DeviceConfig
from edge_agents.device import Numeric, Reading
from edge_agents.device_memory import DeviceMemory
from edge_agents.feed import Feed
from edge_agents.links.ble_gatt import open_link
from edge_agents.ports import Losses
from edge_agents.protocol import Gatt
from firmware_sims.hosts.gatt_peripheral import Host
from firmware_sims.hosts.host import Stage, make_cast, make_host
from firmware_sims.ledger import Ledger
from firmware_sims.pace import Pace
from firmware_sims.scenario import Timeline, parse
from firmware_sims.world import World
from gateway.contract.envelope import DeviceLink

SECOND = 1_000_000
START = 1_767_225_600 * SECOND
CLOCK, _ = clocks(None)


class Disk:
    """The intake of one life of the agent; ``safe`` says whether the disk takes what was accepted."""

    def __init__(self) -> None:
        self.accepted: list[Reading] = []
        self.losses = Losses()
        self.came = asyncio.Event()
        self.safe = asyncio.Event()
        self.safe.set()

    async def room(self) -> None:
        await asyncio.sleep(0)

    async def kept(self) -> None:
        await self.safe.wait()

    def accept(self, device: str, reading: Reading) -> None:
        self.accepted.append(reading)
        self.came.set()

    def refuse(self, device: str, reason: str, frame: bytes) -> None:
        raise AssertionError(reason)

    def times(self, quantity: str) -> list[int]:
        """When it was measured, in s of the test."""
        return [
            (reading.observed_at - START) // SECOND
            for reading in self.accepted
            if isinstance(reading, Numeric) and quantity in reading.values
        ]

    async def has(self, quantity: str, count: int) -> None:
        while len(self.times(quantity)) < count:
            self.came.clear()
            await self.came.wait()


@asynccontextmanager
async def simulated(kind: str, folder: Path) -> AsyncIterator[Host]:
    scenario = parse({"title": "test"})
    role = make_cast(kind, kind, World(scenario, Timeline(scenario), 7, START))
    ledger = Ledger(folder, kind)
    host = make_host(role, Stage("127.0.0.1", ledger, Pace(1.0, START), {}))
    assert isinstance(host, Host)
    await host.listen(0)
    try:
        yield host
    finally:
        await host.close()
        ledger.close()


@asynccontextmanager
async def agent(host: Host, folder: Path, disk: Disk) -> AsyncIterator[Feed]:
    """One life: what it knows of earlier ones is in the file. It ends as with kill -9, without a last word."""
    device = kinds.load(host.name)
    assert isinstance(device.PROTOCOL, Gatt)
    feed = Feed(
        DeviceConfig(name=host.name, kind=host.name), open_link(host.address, device.PROTOCOL, CLOCK), device.Decoder,
        intake=disk, on_event=lambda *_: None, clock=CLOCK, rng=random.Random(1),
        memory=DeviceMemory(folder / "devices"),
    )  # fmt: skip
    task = asyncio.create_task(feed.run())
    try:
        async with asyncio.timeout(30):
            yield feed
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def measured(kind: str, second: int) -> Numeric:
    values: dict[str, float | None] = {"glucose": 5.5}
    if kind == "blood_pressure_monitor":
        values = {"bp-systolic": 120.0, "bp-diastolic": 80.0, "bp-mean": 93.0}
    return Numeric(observed_at=START + second * SECOND, values=values, conditions=frozenset())


def unread(folder: Path, kind: str) -> list[bool]:
    """Of each measurement the device has done with: whether nobody took it."""
    lines = [msgspec.json.decode(line) for line in (folder / f"{kind}.jsonl").read_bytes().splitlines()]
    return [line.get("unread", False) for line in lines if line["type"] == "reading"]


async def until_noted(folder: Path, device: str, count: int) -> None:
    while len(DeviceMemory(folder / "devices").had(device)) < count:  # noqa: ASYNC110 - it is a file, and nobody tells
        await asyncio.sleep(0)


async def test_a_cuff_keeps_its_measurement_until_the_agents_disk_has_it(tmp_path: Path) -> None:
    kind = "blood_pressure_monitor"
    async with simulated(kind, tmp_path) as cuff:
        await cuff.hand(measured(kind, 1))
        lost = Disk()
        lost.safe.clear()
        async with agent(cuff, tmp_path, lost):
            await lost.has("bp-systolic", 1)
            assert [stored.frame for stored in cuff._store], "not confirmed: the cuff still has it"
        kept = Disk()  # the agent lost power before its commit, and starts again
        async with agent(cuff, tmp_path, kept) as feed:
            await kept.has("bp-systolic", 1)
            await cuff._idle.wait()
            assert not cuff._store, "confirmed, and done with"
            assert feed.state.firmware == "1.0"
    assert kept.times("bp-systolic") == [1]
    assert unread(tmp_path, kind) == [False]


async def test_a_meter_asked_for_all_its_records_after_a_restart_gives_only_new_ones(tmp_path: Path) -> None:
    kind = "glucose_meter"
    async with simulated(kind, tmp_path) as meter:
        for second in range(3):
            await meter.hand(measured(kind, second))
        first = Disk()
        async with agent(meter, tmp_path, first):
            await first.has("glucose", 3)
            await until_noted(tmp_path, kind, 3)
        await meter._idle.wait()
        await meter.hand(measured(kind, 3))
        second_life = Disk()
        async with agent(meter, tmp_path, second_life) as feed:
            await second_life.has("glucose", 1)
            await meter._idle.wait()
            while feed.state.link is not DeviceLink.DISCONNECTED:  # noqa: ASYNC110 - the meter leaves when it is done
                await asyncio.sleep(0)
    assert (first.times("glucose"), second_life.times("glucose")) == ([0, 1, 2], [3])


async def test_records_the_disk_never_took_are_fetched_again(tmp_path: Path) -> None:
    kind = "glucose_meter"
    async with simulated(kind, tmp_path) as meter:
        await meter.hand(measured(kind, 0))
        lost, kept = Disk(), Disk()
        lost.safe.clear()
        async with agent(meter, tmp_path, lost):
            await lost.has("glucose", 1)
        async with agent(meter, tmp_path, kept):
            await kept.has("glucose", 1)
            await meter._idle.wait()
    assert kept.times("glucose") == [0]
    assert unread(tmp_path, kind) == [False]


@pytest.mark.parametrize("kind", ["blood_pressure_monitor", "thermometer", "weight_scale"])
def test_a_measurement_sent_again_to_the_next_process_counts_once(kind: str) -> None:
    device = kinds.load(kind)
    quantity = {"blood_pressure_monitor": "bp-systolic", "thermometer": "temperature", "weight_scale": "weight"}[kind]
    reading = Numeric(observed_at=START, values={quantity: 71.0}, conditions=frozenset())
    frame = device.encode(reading)
    before, after = device.Decoder(), device.Decoder()
    assert before.feed(frame, START + 1)
    after.recall(before.had())  # type: ignore[attr-defined]
    assert after.feed(frame, START + 2) == []
