"""A feed and what its device gives once: kept first, then confirmed, noted, and not taken again by anybody."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from edge_agents.config import ConfigError, DeviceConfig
from edge_agents.device import Decoder, FrameError, Occurrence, Reading
from edge_agents.device_memory import DeviceMemory
from edge_agents.feed import Feed
from edge_agents.ports import ByteLink, Intake, Losses
from gateway.contract.envelope import DeviceLink, DeviceState, Instant
from tests.unit.edge.test_feed_and_agent import HandClock, Quick


class Disk:
    """The intake; ``safe`` says whether the disk takes what was accepted."""

    def __init__(self) -> None:
        self.accepted: list[str] = []
        self.details: list[dict[str, Any]] = []
        self.refused: list[bytes] = []
        self.losses = Losses()
        self.safe = asyncio.Event()
        self.safe.set()

    async def room(self) -> None:
        await asyncio.sleep(0)

    async def kept(self) -> None:
        await self.safe.wait()

    def accept(self, device: str, reading: Reading) -> None:
        assert isinstance(reading, Occurrence)
        self.accepted.append(reading.name)
        self.details.append(reading.details)

    def refuse(self, device: str, reason: str, frame: bytes) -> None:
        self.refused.append(frame)


class Meter:
    """A decoder of letters, each a stored measurement; it breaks at ``!``, and whenever it has seen one."""

    def __init__(self) -> None:
        self._known: set[bytes] = set()
        self._had: list[bytes] = []
        self._broken = False

    def feed(self, data: bytes, received_at: Instant) -> list[Reading | FrameError]:
        self._broken |= data == b"!"
        if self._broken:
            raise ZeroDivisionError("planted")
        if data in self._known:
            return []
        self._known.add(data)
        self._had.append(data)
        return [Occurrence(observed_at=received_at, name=data.decode())]

    def had(self) -> list[bytes]:
        had, self._had = self._had, []
        return had

    def recall(self, frames: Iterable[bytes]) -> None:
        self._known.update(frames)


class Link:
    """Plays frames, and says which of them were asked on from: what is behind a frame comes only when it was done."""

    def __init__(self, *frames: bytes, indicated: bool = False) -> None:
        self.unconfirmed = False
        self.confirmed: list[bytes] = []
        self.over = asyncio.Event()
        self.identity: dict[str, str] = {}
        self._frames = frames
        self._indicated = indicated

    async def stream(self) -> AsyncGenerator[tuple[bytes, Instant], None]:
        yield b"", 1
        for frame in self._frames:
            self.unconfirmed = self._indicated
            yield frame, 1
            self.confirmed.append(frame)
        self.over.set()
        await asyncio.get_running_loop().create_future()

    async def identify(self) -> dict[str, str]:
        return self.identity


@asynccontextmanager
async def running(
    link: ByteLink, disk: Intake, memory: DeviceMemory | None = None, make: Callable[[], Decoder] = Meter
) -> AsyncIterator[Feed]:
    feed = Feed(
        DeviceConfig(name="meter", kind="glucose_meter", silent_after=5.0), link, make, intake=disk,
        on_event=lambda *_: None, clock=HandClock(), rng=Quick(), memory=memory,
    )  # fmt: skip
    task = asyncio.create_task(feed.run())
    try:
        async with asyncio.timeout(10):
            yield feed
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def turns(count: int = 50) -> None:
    """Lets everything that can go on go on."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_decoder_that_broke_is_replaced_by_one_that_knows_what_was_had() -> None:
    disk, link = Disk(), Link(b"a", b"!", b"a", b"b")
    async with running(link, disk):
        await link.over.wait()
    assert disk.refused == [b"!"], "the new one does not stumble over what broke the old one"
    assert disk.accepted == ["a", "b"]


async def test_a_decoder_that_breaks_on_time_passing_is_replaced_as_well() -> None:
    made = 0

    class Clockwork(Meter):
        def __init__(self) -> None:
            nonlocal made
            made += 1
            super().__init__()

        def tick(self, now: Instant) -> list[Reading]:
            if made == 1:
                raise IndexError("planted")
            return []

    disk, link = Disk(), Link()
    async with running(link, disk, make=Clockwork) as feed:
        feed.check_silence(1.0)
        feed.check_silence(2.0)
    assert (made, len(disk.refused)) == (2, 1)


async def test_a_decoder_that_cannot_be_made_anew_stays() -> None:
    """Its secret's file is gone: what it refuses, it refuses, and the agent goes on."""
    made: list[Meter] = []

    def make() -> Meter:
        if made:
            raise ConfigError("device meter: no such file")
        made.append(Meter())
        return made[0]

    disk, link = Disk(), Link(b"a", b"!", b"b")
    async with running(link, disk, make=make):
        await link.over.wait()
    assert (disk.accepted, disk.refused) == (["a"], [b"!", b"b"])


async def test_what_was_given_is_noted_only_when_it_is_on_the_disk(tmp_path: Path) -> None:
    disk, link, memory = Disk(), Link(b"a", b"b"), DeviceMemory(tmp_path / "devices")
    disk.safe.clear()
    async with running(link, disk, memory):
        await link.over.wait()
        await turns()
        assert disk.accepted == ["a", "b"]
        assert memory.had("meter") == []
        disk.safe.set()
        await turns()
        assert memory.had("meter") == [b"a", b"b"]
    async with running(Link(b"a", b"b", b"c"), again := Disk(), DeviceMemory(tmp_path / "devices")):
        await turns(200)
    assert again.accepted == ["c"], "the next process takes what is new"


async def test_an_agent_that_ends_notes_what_its_outbox_took_at_the_last_moment() -> None:
    disk, link, memory = Disk(), Link(b"a"), DeviceMemory()
    disk.safe.clear()
    async with running(link, disk, memory) as feed:
        await link.over.wait()
    assert memory.had("meter") == []
    feed.settle()
    assert memory.had("meter") == [b"a"]


async def test_a_device_that_waits_for_a_confirmation_gets_it_when_the_disk_has_its_measurement() -> None:
    disk, link = Disk(), Link(b"a", b"b", indicated=True)
    disk.safe.clear()
    async with running(link, disk):
        await turns()
        assert (disk.accepted, link.confirmed) == (["a"], [])
        disk.safe.set()
        await link.over.wait()
        assert link.confirmed == [b"a", b"b"]


async def test_nobody_waits_for_the_disk_where_nothing_is_confirmed() -> None:
    disk, link = Disk(), Link(b"a", b"b")
    disk.safe.clear()
    async with running(link, disk):
        await link.over.wait()


async def test_a_device_says_once_what_it_is_and_hello_tells_it(tmp_path: Path) -> None:
    disk, link, memory = Disk(), Link(b"a"), DeviceMemory(tmp_path / "devices")
    link.identity = {"maker": "M", "firmware": "2.1"}
    async with running(link, disk, memory) as feed:
        assert feed.state == DeviceState(device="meter", kind="glucose_meter"), "not tried yet"
        await link.over.wait()
        assert disk.accepted == ["device-information", "a"]
        assert disk.details[0] == {"maker": "M", "firmware": "2.1"}
        expected = DeviceState(device="meter", kind="glucose_meter", link=DeviceLink.CONNECTED, firmware="2.1")
        assert feed.state == expected
    assert DeviceMemory(tmp_path / "devices").firmware("meter") == "2.1", "known before it connects again"


@pytest.mark.parametrize(("passes", "link"), [(4.0, DeviceLink.CONNECTED), (6.0, DeviceLink.SILENT)])
async def test_a_device_that_says_nothing_is_silent_and_not_merely_connected(passes: float, link: DeviceLink) -> None:
    played = Link(b"a")
    async with running(played, Disk()) as feed:
        await played.over.wait()
        feed.check_silence(HandClock().monotonic() + passes)
        assert feed.state.link is link


class Line:
    """A serial line: it opens whatever is at its other end, and here it is also opened again."""

    def __init__(self, *sessions: tuple[bytes, ...]) -> None:
        self.over = asyncio.Event()
        self._sessions = list(sessions)

    async def stream(self) -> AsyncGenerator[tuple[bytes, Instant], None]:
        yield b"", 1
        for frame in self._sessions.pop(0):
            yield frame, 1
        if not self._sessions:
            self.over.set()
            await asyncio.get_running_loop().create_future()


@pytest.mark.parametrize(
    ("sessions", "link"),
    [
        ([()], None),
        ([(b"a",)], DeviceLink.CONNECTED),
        ([(b"a",), ()], None),
    ],
    ids=["nothing was heard", "heard", "heard before it was opened again"],
)
async def test_a_line_that_opens_is_no_device(sessions: list[tuple[bytes, ...]], link: DeviceLink | None) -> None:
    line = Line(*sessions)
    async with running(line, Disk()) as feed:
        await line.over.wait()
        assert feed.state.link is link
        feed.check_silence(HandClock().monotonic() + 6.0)
        assert feed.state.link is DeviceLink.SILENT


async def test_a_device_that_can_be_asked_what_it_is_is_there_before_it_measures() -> None:
    link = Link()
    async with running(link, Disk()) as feed:
        await link.over.wait()
        assert feed.state.link is DeviceLink.CONNECTED


async def test_a_device_that_cannot_be_reached_is_disconnected() -> None:
    class Refuses(Link):
        async def stream(self) -> AsyncGenerator[tuple[bytes, Instant], None]:
            self.over.set()
            raise ConnectionRefusedError("refused")
            yield b"", 0

    link = Refuses()
    async with running(link, Disk()) as feed:
        await link.over.wait()
        await turns()
        assert feed.state.link is DeviceLink.DISCONNECTED
