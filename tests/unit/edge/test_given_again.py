"""What the outbox loses of a device that keeps its measurements: neither confirmed nor noted, so it is given again."""

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

import edge_agents.agent
from edge_agents.agent import Agent
from edge_agents.config import AgentOptions, load_profile
from edge_agents.device import Decoder, FrameError, Numeric, Occurrence, Reading
from edge_agents.device_memory import DeviceMemory
from edge_agents.outbox import Outbox
from edge_agents.outbox_file import DamagedOutboxError
from edge_agents.outbox_ledger import Stream
from edge_agents.outbox_writer import MAX_PENDING_BYTES, OutboxWriter
from edge_agents.ports import Losses
from gateway.contract.envelope import Instant, Lane, LinkMode
from gateway.contract.observation import Event
from gateway.contract.wire import Numbered
from tests.devices.test_cold_chain_logger import Logger
from tests.unit.edge.helpers import held, noise, open_box, shed
from tests.unit.edge.test_feed_and_agent import HandClock, make_agent
from tests.unit.edge.test_feed_memory import Disk, Link, Meter, running, turns

MIB = 1 << 20


class Scale(Meter):
    """Each byte a stored weight, in kg."""

    def feed(self, data: bytes, received_at: Instant) -> list[Reading | FrameError]:
        return [
            Numeric(observed_at=item.observed_at, values={"weight": float(data[0])})
            for item in super().feed(data, received_at)
            if isinstance(item, Occurrence)
        ]


class Keeps(Link):
    """A device that says everything once more on each connection, but what was confirmed."""

    def __init__(self, *frames: bytes) -> None:
        super().__init__(*frames, indicated=True)
        self.connections = 0

    async def stream(self) -> AsyncGenerator[tuple[bytes, Instant], None]:
        self.connections += 1
        self._frames = tuple(frame for frame in self._frames if frame not in self.confirmed)
        async for said in super().stream():
            yield said


async def fill(writer: OutboxWriter, events: Stream) -> int:
    """Take the disk's room away, and the memory's; returns how many events that took."""

    def big_event(seq: int) -> Numbered:
        return Event(
            epoch=events.epoch, seq=seq, device="crew", observed_at=seq, name="x", details={"y": "z" * 100_000}
        )

    for _ in range(50):
        writer.append(events, big_event, now=0.0)
    await writer.kept()
    pages = await writer.call(lambda box: box._db.execute("PRAGMA page_count").fetchone()[0])
    await writer.call(lambda box: box._db.execute(f"PRAGMA max_page_count = {pages}"))
    count = 50
    while not (writer.disk_full and writer._pending_bytes > MAX_PENDING_BYTES):
        writer.append(events, big_event, now=0.0)
        count += 1
        async with asyncio.timeout(20):
            await writer.room()
    return count


async def free(writer: OutboxWriter) -> None:
    await writer.call(lambda box: box._db.execute("PRAGMA max_page_count = 1000000"))
    await writer.call(lambda box: box.lift_limit())


@asynccontextmanager
async def writing(folder: Path, epoch: str, max_bytes: int = 64 * MIB) -> AsyncIterator[OutboxWriter]:
    box = open_box(folder, epoch=epoch, max_bytes=max_bytes)
    writer = OutboxWriter(box, window=0.0, on_stored=lambda _: None, on_shed=lambda _: None)
    try:
        yield writer
    finally:
        await writer.close()


async def test_what_a_full_disk_sheds_is_not_confirmed_and_is_taken_when_it_is_given_again(tmp_path: Path) -> None:
    agent, _ = make_agent(LinkMode.FULL)
    memory, scale = DeviceMemory(tmp_path / "devices"), Keeps(b"G", b"H")
    async with writing(tmp_path, agent.epoch) as writer:
        agent.writer = writer
        await fill(writer, Stream(agent.epoch, Lane.EVENT))
        async with running(scale, agent, memory, Scale):
            while not agent.losses.shed:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0)
            await free(writer)
            await scale.over.wait()
            await writer.kept()
            await turns()
            assert memory.had("meter") == [b"G", b"H"]
        assert scale.connections == 2
        assert scale.confirmed == [b"G", b"H"]
        obs = await writer.call(lambda box: (held(box, Lane.OBS, agent.epoch), shed(box, Lane.OBS, agent.epoch)))
        assert obs == ([1, 2], [(0, 0)]), "the first try is declared as shed, then both are there"


async def test_what_a_commit_has_no_room_for_is_counted_before_anybody_takes_it_for_kept(tmp_path: Path) -> None:
    agent, _ = make_agent(LinkMode.FULL)

    def event(seq: int) -> Numbered:
        text = noise(seq, 50_000).hex()
        return Event(epoch=agent.epoch, seq=seq, device="crew", observed_at=seq, name="x", details={"text": text})

    async with writing(tmp_path, agent.epoch, max_bytes=MIB) as writer:
        agent.writer = writer
        for _ in range(30):  # events are never shed
            writer.append(Stream(agent.epoch, Lane.EVENT), event, now=0.0)
        await writer.kept()
        agent.accept("scale", Numeric(observed_at=1, values={"weight": 71.0}))
        await writer.kept()
        assert agent.losses == Losses(dropped=1)
        assert await writer.call(lambda box: shed(box, Lane.OBS, agent.epoch)) == [(0, 0)]


class Once:
    """It passes over what comes again, and remembers nothing beyond its own life."""

    def __init__(self) -> None:
        self._known: set[bytes] = set()

    def feed(self, data: bytes, received_at: Instant) -> list[Reading | FrameError]:
        known = data in self._known
        self._known.add(data)
        return [] if known else [Occurrence(observed_at=received_at, name=data.decode())]


@pytest.mark.parametrize("make", [Meter, Once])
async def test_what_a_commit_drops_is_not_confirmed(make: Callable[[], Decoder]) -> None:
    disk, meter, memory = Disk(), Keeps(b"a"), DeviceMemory()
    disk.safe.clear()
    async with running(meter, disk, memory, make):
        await turns()
        disk.losses = Losses(dropped=1)
        disk.safe.set()
        await meter.over.wait()
        await turns()
    assert (disk.accepted, meter.connections, meter.confirmed) == (["a", "a"], 2, [b"a"])
    assert memory.had("meter") == ([b"a"] if make is Meter else [])


async def test_what_a_commit_drops_of_a_device_that_needs_no_confirmation_is_not_noted() -> None:
    disk, memory, asked = Disk(), DeviceMemory(), asyncio.Event()

    class Polled(Link):
        async def stream(self) -> AsyncGenerator[tuple[bytes, Instant], None]:
            yield b"a", 1
            await asked.wait()
            yield b"a", 2
            await asyncio.get_running_loop().create_future()

    disk.safe.clear()
    async with running(Polled(), disk, memory) as feed:
        await turns()
        disk.losses = Losses(dropped=1)
        disk.safe.set()
        await turns()
        assert memory.had("meter") == []
        feed.settle()
        assert memory.had("meter") == [], "nor at the end"
        asked.set()
        await turns()
    assert (disk.accepted, memory.had("meter")) == (["a", "a"], [b"a"])


async def test_what_others_lose_meanwhile_costs_nobody_a_confirmation() -> None:
    disk, meter, memory = Disk(), Keeps(b"a"), DeviceMemory()
    disk.safe.clear()
    async with running(meter, disk, memory):
        await turns()
        disk.losses = Losses(shed=7)
        disk.safe.set()
        await meter.over.wait()
        await turns()
    assert (disk.accepted, meter.confirmed, memory.had("meter")) == (["a"], [b"a"], [b"a"])


async def test_a_writer_that_is_closed_with_a_full_disk_does_not_claim_to_have_kept_all(tmp_path: Path) -> None:
    agent, _ = make_agent(LinkMode.FULL)
    async with writing(tmp_path, agent.epoch) as writer:
        agent.writer = writer
        agent.accept("scale", Numeric(observed_at=1, values={"weight": 71.0}))
    assert writer.all_kept
    async with writing(tmp_path, agent.epoch) as writer:
        await fill(writer, Stream(agent.epoch, Lane.EVENT))
    assert not writer.all_kept


class Stumbles(Meter):
    """It cannot read what an earlier version noted."""

    def recall(self, frames: Iterable[bytes]) -> None:
        super().recall(frames)
        if b"old" in [*frames]:
            raise IndexError("planted")


async def test_a_note_the_decoder_cannot_read_keeps_no_agent_from_starting(tmp_path: Path) -> None:
    memory = DeviceMemory(tmp_path / "devices")
    memory.note_had("meter", [b"old", b"a"])
    memory.note_had("other", [b"x"])
    memory.note_firmware("meter", "1.3")
    disk, link = Disk(), Link(b"a", b"!", b"b")
    async with running(link, disk, memory, Stumbles):
        await link.over.wait()
        await turns()
    assert disk.accepted == ["a", "b"], "better twice than never"
    later = DeviceMemory(tmp_path / "devices")
    assert (later.had("meter"), later.had("other"), later.firmware("meter")) == ([b"a", b"b"], [b"x"], "1.3")


# ---- an outbox that was damaged, or is gone


@asynccontextmanager
async def van(folder: Path, frame: bytes, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Agent]:
    """An agent with a logger and nobody to send to, once it has heard it and noted its eight records."""
    link = Link(frame)
    monkeypatch.setattr(edge_agents.agent, "open_link", lambda *_: link)
    options = AgentOptions(
        unit="van-1", site="s", profile=load_profile("delivery_van"), broker_host="127.0.0.1", broker_port=9, token="t",
        outbox=folder / "outbox.db", links={"logger": "modbus://127.0.0.1:9"},
    )  # fmt: skip
    agent = Agent(options, clock=HandClock(), firmware="f", rng=random.Random(1))
    task = asyncio.create_task(agent.run())
    try:
        async with asyncio.timeout(20):
            await link.over.wait()
            while len(agent._memory.had("logger")) < 8:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0)
            await agent.writer.kept()
            yield agent
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def observations(folder: Path) -> int:
    box = open_box(folder)
    try:
        return sum(account.records for stream, account in box.accounts.items() if stream.lane is Lane.OBS)
    finally:
        box.close()


def leave(path: Path) -> None:
    assert path.exists()


def tear(path: Path) -> None:
    path.write_bytes(b"not a database" * 1000)


@pytest.mark.parametrize("harm", [leave, tear, Path.unlink])
async def test_a_logger_tells_again_what_the_outbox_lost_and_only_then(
    harm: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = Logger().make(8).answer()
    async with van(tmp_path, frame, monkeypatch):
        pass
    assert observations(tmp_path) == 8
    harm(tmp_path / "outbox.db")
    async with van(tmp_path, frame, monkeypatch):
        pass
    assert observations(tmp_path) == 8, "neither none nor sixteen"


async def test_after_a_file_broke_in_use_nothing_counts_as_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with van(tmp_path, Logger().make(8).answer(), monkeypatch) as agent:
        (feed,) = agent._feeds
        before = feed._decoder

        def broken(*_: object) -> None:
            monkeypatch.undo()
            raise DamagedOutboxError("planted")

        monkeypatch.setattr(Outbox, "append_batch", broken)
        agent._own_event("x", {})
        while feed._decoder is before and agent.writer.failure is None:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0)
        assert agent.writer.failure is None, "the outbox goes on in a new file"
        await agent.writer.kept()
        assert agent._memory.had("logger") == DeviceMemory(tmp_path / "outbox.db.devices").had("logger") == []
        assert feed._decoder is not before, "nor does the decoder know it"
    assert observations(tmp_path) == 8, "what could be read of the file is in the new one"
