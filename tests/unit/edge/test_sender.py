"""What goes first when the link is narrow: a model of a link in virtual time under the real sender."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TypeVar, cast

from edge_agents.outbox import Entry, Outbox
from edge_agents.outbox_ledger import Stream
from edge_agents.outbox_writer import OutboxWriter
from edge_agents.sender import Sender
from gateway.contract.envelope import Lane
from gateway.contract.topic import UnitAddress, UnitKind
from tests.unit.edge.helpers import AT, EPOCH, NEXT_EPOCH, entries, open_box, payload

T = TypeVar("T")
ADDRESS = UnitAddress("site-a", UnitKind.AMBULANCE, "amb-001")
LIVE = {lane: Stream(NEXT_EPOCH, lane) for lane in Lane}
TICK = 0.01  # s
FRAME_BYTES = 200  # of 200 ms of one lead


class VirtualClock:
    """Goes when the test says so."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> int:
        return AT + int(self.time * 1e6)

    def monotonic(self) -> float:
        return self.time


class Desk:
    """In place of the writer's thread: jobs are done at once."""

    def __init__(self, box: Outbox) -> None:
        self._box = box

    async def call(self, job: Callable[[Outbox], T]) -> T:
        return job(self._box)


class NarrowLink:
    """So many bytes a second, first in first out; what has been carried is acknowledged at once."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._credit = 0.0
        self._queue: deque[tuple[int, bytes]] = deque()
        self.published = 0

    def publish(self, topic: str, payload: bytes) -> int:
        self.published += 1
        self._queue.append((self.published, payload))
        return self.published

    def carry(self, seconds: float) -> list[tuple[int, bytes]]:
        """What arrives in this time."""
        self._credit += self._rate * seconds
        arrived = []
        while self._queue and len(self._queue[0][1]) <= self._credit:
            self._credit -= len(self._queue[0][1])
            arrived.append(self._queue.popleft())
        return arrived


class Weak:
    """A unit in weak mode: one lead and a value every third of a second live, a long backlog behind."""

    def __init__(self, box: Outbox, rate: float) -> None:
        self.clock = VirtualClock()
        self.sender = Sender(cast("OutboxWriter", Desk(box)), ADDRESS, self.clock)
        self.link = NarrowLink(rate)
        self.sender.begin(box.lane_states())
        self.sender.open_backlog()
        self._born: dict[bytes, float] = {}
        self._seqs = dict.fromkeys(Lane, 0)
        self.waited: dict[Lane, list[tuple[float, float]]] = {Lane.OBS: [], Lane.WAVE: []}  # arrived at, s waited
        self.backlog_bytes = 0

    async def run(self, seconds: float) -> None:
        async with AsyncExitStack() as stack:
            for task in (self.sender.pump(self.link), self.sender.fetch(asyncio.Event())):
                stack.callback(asyncio.ensure_future(task).cancel)
            for tick in range(int(seconds / TICK)):
                self.clock.time = tick * TICK
                if tick % 20 == 0:
                    self._produce(Lane.WAVE)
                if tick % 33 == 0:
                    self._produce(Lane.OBS)
                await _let_tasks_run()
                for mid, body in self.link.carry(TICK):
                    self._arrive(mid, body)
                await _let_tasks_run()

    def _produce(self, lane: Lane) -> None:
        seq = self._seqs[lane]
        self._seqs[lane] += 1
        body = payload(lane, seq, NEXT_EPOCH, FRAME_BYTES)
        self._born[body] = self.clock.time
        self.sender.stored([Entry(LIVE[lane], seq, body, appended_at=self.clock.time)])

    def _arrive(self, mid: int, body: bytes) -> None:
        born = self._born.get(body)
        if born is None:
            self.backlog_bytes += len(body)
        else:
            lane = Lane.WAVE if len(body) > FRAME_BYTES else Lane.OBS
            self.waited[lane].append((self.clock.time, self.clock.time - born))
        self.sender.puback(mid)


async def _let_tasks_run() -> None:
    """Long enough for both tasks to come to rest."""
    for _ in range(6):
        await asyncio.sleep(0)


async def test_over_a_narrow_link_lead_two_does_not_wait_behind_the_backlog(tmp_path: Path) -> None:
    """Values that go at once must not let the backlog pass the lead that waits behind them."""
    box = open_box(tmp_path)
    box.append_batch(entries(Lane.WAVE, range(400), EPOCH))
    unit = Weak(box, rate=8_000)
    await unit.run(60)
    box.close()
    settled = 20.0  # s until the window has become as small as the link asks for
    for lane, least in ((Lane.WAVE, 190), (Lane.OBS, 115)):
        late = [waited for at, waited in unit.waited[lane] if at > settled]
        assert len(late) > least, lane
        assert max(late) < 2.0, lane
    assert unit.backlog_bytes > 8_000 * 60 / 2, "most of the link is left, and it is used"
