"""The outbox thread: numbers, group commits, order, and a disk that is full for a while."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from edge_agents.outbox import Entry, Outbox
from edge_agents.outbox_ledger import Stream
from edge_agents.outbox_writer import MAX_PENDING_BYTES, OutboxWriter
from edge_agents.ranges import RangeSet
from gateway.contract import wire
from gateway.contract.envelope import Lane
from gateway.contract.observation import Event, Observation
from gateway.contract.wire import Numbered
from tests.unit.edge.helpers import EPOCH, held, open_box

OBS, EVENT = Stream(EPOCH, Lane.OBS), Stream(EPOCH, Lane.EVENT)


def observation(seq: int) -> Numbered:
    return Observation(epoch=EPOCH, seq=seq, device="monitor", observed_at=seq, values={"spo2": 97.0})


def big_event(seq: int) -> Numbered:
    return Event(epoch=EPOCH, seq=seq, device="crew", observed_at=seq, name="x", details={"text": "y" * 100_000})


class Desk:
    """A writer and what it has said."""

    def __init__(self, box: Outbox, window: float = 0.0) -> None:
        self.box = box
        self.stored: list[Entry] = []
        self.batches = 0
        self.shed: dict[Lane, int] = {}
        self.changed = asyncio.Event()
        self.writer = OutboxWriter(box, window=window, on_stored=self._on_stored, on_shed=self._on_shed)

    def _on_stored(self, entries: list[Entry]) -> None:
        self.stored += entries
        self.batches += 1
        self.changed.set()

    def _on_shed(self, shed: dict[Lane, int]) -> None:
        for lane, count in shed.items():
            self.shed[lane] = self.shed.get(lane, 0) + count
        self.changed.set()

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                self.changed.clear()
                await self.changed.wait()


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    desk = Desk(open_box(tmp_path))
    yield desk
    await desk.writer.close()


async def test_records_come_back_in_order_after_they_are_on_the_disk(desk: Desk) -> None:
    numbers = [desk.writer.append(OBS, observation, now=0.0) for _ in range(500)]
    await desk.until(lambda: len(desk.stored) == 500)
    assert [entry.seq for entry in desk.stored] == numbers == list(range(500))
    assert [entry.payload for entry in desk.stored] == [wire.encode(observation(n)) for n in range(500)]
    assert await desk.writer.call(lambda box: held(box, Lane.OBS)) == numbers


async def test_kept_means_that_all_that_was_appended_is_on_the_disk(desk: Desk) -> None:
    await desk.writer.kept()  # nothing to wait for
    for number in range(1, 6):
        desk.writer.append(OBS, observation, now=0.0)
        await desk.writer.kept()
        assert len(desk.stored) == number
    for _ in range(100):
        desk.writer.append(OBS, observation, now=0.0)
    await asyncio.gather(desk.writer.kept(), desk.writer.kept())
    assert len(desk.stored) == 105


async def test_what_arrives_together_is_committed_together(tmp_path: Path) -> None:
    desk = Desk(open_box(tmp_path), window=0.05)
    for _ in range(40):
        for _ in range(25):
            desk.writer.append(OBS, observation, now=0.0)
        await asyncio.sleep(0)
    await desk.until(lambda: len(desk.stored) == 1000)
    assert desk.batches <= 10
    await desk.writer.close()


async def test_closing_commits_what_is_pending(tmp_path: Path) -> None:
    desk = Desk(open_box(tmp_path), window=1.0)
    for _ in range(10):
        desk.writer.append(OBS, observation, now=0.0)
    await desk.writer.close()
    box = open_box(tmp_path)
    assert held(box, Lane.OBS) == list(range(10))
    box.close()


async def test_a_job_that_fails_fails_its_caller_only(desk: Desk) -> None:
    def broken(box: Outbox) -> None:
        raise KeyError("no")

    with pytest.raises(KeyError):
        await desk.writer.call(broken)
    assert await desk.writer.call(lambda box: box.records) == 0


async def test_a_reader_that_is_too_fast_waits(desk: Desk) -> None:
    gate, entered = threading.Event(), threading.Event()

    def hold(box: Outbox) -> None:
        entered.set()
        gate.wait(20)

    busy = asyncio.ensure_future(desk.writer.call(hold))
    await asyncio.to_thread(entered.wait, 20)
    while desk.writer._pending_bytes <= MAX_PENDING_BYTES:
        desk.writer.append(EVENT, big_event, now=0.0)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await desk.writer.room()
    gate.set()
    async with asyncio.timeout(20):
        await desk.writer.room()
    await busy


async def test_a_full_disk_sheds_observations_keeps_events_and_recovers_without_a_restart(desk: Desk) -> None:
    for _ in range(50):
        desk.writer.append(EVENT, big_event, now=0.0)
    await desk.until(lambda: len(desk.stored) == 50)
    pages = await desk.writer.call(lambda box: box._db.execute("PRAGMA page_count").fetchone()[0])
    await desk.writer.call(lambda box: box._db.execute(f"PRAGMA max_page_count = {pages}"))
    events = 50
    while not (desk.writer.disk_full and desk.writer._pending_bytes > MAX_PENDING_BYTES):
        desk.writer.append(EVENT, big_event, now=0.0)
        events += 1
        async with asyncio.timeout(20):
            await desk.writer.room()
    lost = [desk.writer.append(OBS, observation, now=0.0) for _ in range(100)]
    await desk.writer.call(lambda box: box._db.execute("PRAGMA max_page_count = 1000000"))
    await desk.writer.call(lambda box: box.lift_limit())
    await desk.until(lambda: len([e for e in desk.stored if e.stream == EVENT]) == events)
    await desk.until(lambda: desk.shed.get(Lane.OBS) == 100)
    ranges = await desk.writer.call(lambda box: box.accounts[OBS].shed)
    assert ranges == RangeSet([(lost[0], lost[-1])])
    assert desk.writer.append(OBS, observation, now=time.monotonic()) == 100
    await desk.until(lambda: any(e.stream == OBS for e in desk.stored))
    assert await desk.writer.call(lambda box: held(box, Lane.OBS)) == [100]
