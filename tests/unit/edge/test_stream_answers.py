"""A device that waits for answers: the simulated analyser on a real socket, the real link, feed and decoder."""

import asyncio
import os
import pty
import random
from contextlib import aclosing
from pathlib import Path

import pytest

from edge_agents.clock import SystemClock
from edge_agents.config import DeviceConfig
from edge_agents.device import Numeric, Reading
from edge_agents.devices import poc_analyser
from edge_agents.feed import Feed
from edge_agents.links.serial_stream import TcpLink, TtyLink, open_link
from edge_agents.ports import Losses
from edge_agents.protocol import Stream
from firmware_sims.devices import poc_analyser as simulator
from firmware_sims.hosts.host import Stage, make_cast
from firmware_sims.hosts.stream import Host
from firmware_sims.ledger import Ledger
from firmware_sims.pace import Pace
from firmware_sims.scenario import Timeline, parse
from firmware_sims.world import World

NEW_YEAR = 1_767_225_600_000_000


class Intake:
    """Notes what arrives and says when enough did."""

    def __init__(self, enough: int) -> None:
        self.accepted: list[Reading] = []
        self.refused: list[str] = []
        self.losses = Losses()
        self.full = asyncio.Event()
        self.safe = asyncio.Event()  # whether the disk has taken it
        self.safe.set()
        self._enough = enough

    async def room(self) -> None:
        return

    async def kept(self) -> None:
        await self.safe.wait()

    def accept(self, device: str, reading: Reading) -> None:
        self.accepted.append(reading)
        if len(self.accepted) >= self._enough:
            self.full.set()

    def refuse(self, device: str, reason: str, frame: bytes) -> None:
        self.refused.append(reason)


def feed_of(address: str, intake: Intake) -> Feed:
    clock = SystemClock()
    return Feed(
        DeviceConfig(name="analyser"), open_link(address, Stream(), clock), poc_analyser.Decoder, intake=intake,
        on_event=lambda *_: None, clock=clock, rng=random.Random(1),
    )  # fmt: skip


def host_with(ledger: Ledger) -> Host:
    scenario = parse({"title": "a test"})
    role = make_cast("analyser", "poc_analyser", World(scenario, Timeline(scenario), 1, NEW_YEAR))
    return Host(role, Stage("127.0.0.1", ledger, Pace(1.0, NEW_YEAR), {}))


def result(number: int) -> Numeric:
    return Numeric(observed_at=NEW_YEAR + number * 1_000_000, values={"potassium": 4.0 + number / 10, "lactate": 1.5})


async def test_every_result_gets_through_frame_by_frame(tmp_path: Path) -> None:
    """Two were measured before anybody listened: the analyser kept them."""
    ledger = Ledger(tmp_path, "amb-1")
    host, intake = host_with(ledger), Intake(enough=5)
    await host.listen(0)
    for number in range(2):
        await host.hand(result(number))
    feed = asyncio.create_task(feed_of(host.address, intake).run())
    for number in range(2, 5):
        await host.hand(result(number))
    async with asyncio.timeout(10):
        await intake.full.wait()
    feed.cancel()
    await host.close()
    ledger.close()
    assert intake.accepted == [result(number) for number in range(5)]
    assert intake.refused == []


async def test_what_the_disk_has_not_taken_is_not_acknowledged() -> None:
    """The agent may lose power between decoding and storing: then the analyser must still have its result."""
    transmission = poc_analyser.encode(result(1))
    *first, last = [piece + b"\r\n" for piece in transmission[:-1].split(b"\r\n")[:-1]]
    acknowledged: asyncio.Queue[bytes] = asyncio.Queue()

    async def analyser(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for piece in (*first, last):
            writer.write(piece)
            acknowledged.put_nowait(await reader.readexactly(2 if piece is first[0] else 1))  # ENQ came with it
        writer.close()

    server = await asyncio.start_server(analyser, "127.0.0.1", 0)
    intake = Intake(enough=1)
    intake.safe.clear()
    feed = asyncio.create_task(feed_of(f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}", intake).run())
    async with asyncio.timeout(10):
        intake.safe.set()
        for _ in first:
            assert set(await acknowledged.get()) == {0x06}
        intake.safe.clear()
        await intake.full.wait()
        assert acknowledged.empty()
        intake.safe.set()
        assert await acknowledged.get() == b"\x06"
    feed.cancel()
    server.close()


async def test_answers_go_out_on_a_serial_port() -> None:
    master, slave = pty.openpty()
    os.set_blocking(master, False)
    try:
        link = open_link(os.ttyname(slave), Stream(), SystemClock())
        assert isinstance(link, TtyLink)
        with pytest.raises(OSError, match="not connected"):
            await link.write(b"\x06")
        async with aclosing(link.stream()) as stream, asyncio.timeout(10):
            await anext(stream)
            assert await link.write(b"\x06\r") == b""
            assert os.read(master, 10) == b"\x06\r"
    finally:
        os.close(master)
        os.close(slave)


async def test_nothing_is_written_to_a_device_that_is_gone() -> None:
    link = open_link("tcp://127.0.0.1:9", Stream(), SystemClock())
    assert isinstance(link, TcpLink)
    with pytest.raises(OSError, match="not connected"):
        await link.write(b"\x06")


def test_an_analyser_that_is_not_heard_gives_up_and_begins_again() -> None:
    scenario = parse({"title": "a test"})
    world = World(scenario, Timeline(scenario), 1, NEW_YEAR)
    simulator.opening(world, poc_analyser.encode(result(0)))
    simulator.control(world, 0, b"\x06")
    answers = [simulator.control(world, 0, b"\x15") for _ in range(6)]
    assert [frames[0][:2] for frames in answers[:5]] == [b"\x021"] * 5
    assert answers[5] == (b"\x04", b"\x05")
