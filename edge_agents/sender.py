"""Which record goes onto the connection next: live first, backlog interleaved, within a window.

writer --stored()--> live queues (bounded, one a lane) --+--> pump --> MQTT QoS 1 --PUBACK--> window
outbox --fetch()---> prefetched backlog (bounded) -------+
"""

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import Final, NamedTuple, Protocol

import msgspec

from edge_agents.backlog import Backlog
from edge_agents.failpoint import hit
from edge_agents.outbox import Entry, Outbox, Row
from edge_agents.outbox_ledger import Stream
from edge_agents.outbox_schema import TABLES
from edge_agents.outbox_writer import OutboxWriter
from edge_agents.ports import Clock
from edge_agents.ranges import RangeSet
from edge_agents.send_window import SendWindow
from gateway.contract import wire
from gateway.contract.envelope import Lane, LaneState, Record, Seq
from gateway.contract.topic import UnitAddress

OLD_PER_LIVE: Final = 4  # backlog records that may follow a live one
FRESH_SECONDS: Final = 0.25  # while live records wait longer than this, live goes first ...
OLD_PER_STALE: Final = 1 / 16  # ... but for this share, so that the backlog never starves
STALE_SECONDS: Final = 5.0  # a live record that waited this long goes with the backlog
MAX_LIVE_RECORDS: Final = 4096
MAX_LIVE_BYTES: Final = 1024 * 1024
FETCH_RECORDS: Final = 64
FETCH_BYTES: Final = 128 * 1024


class Publisher(Protocol):
    """The connection, as far as the sender needs it."""

    def publish(self, topic: str, payload: bytes) -> int:
        """Send at QoS 1 and return the message id."""
        ...


class _Sent(NamedTuple):
    stream: Stream
    seq: Seq
    size: int
    at: float


class _Read(NamedTuple):
    rows: list[Row]
    shed: RangeSet
    oldest: Seq  # first number held at or after the first asked for


class Sender:
    """Live queues, prefetched backlog and the window of one agent; outlives connections."""

    def __init__(self, writer: OutboxWriter, address: UnitAddress, clock: Clock) -> None:
        """Nothing is waiting, nothing is connected."""
        self._writer = writer
        self._topics = {lane: address.topic(lane.channel) for lane in Lane}
        self._clock = clock
        self.backlog = Backlog()
        self.window = SendWindow()
        self.produced = 0  # bytes
        self._live: dict[Lane, deque[Entry]] = {lane: deque() for lane in TABLES}
        self._live_bytes = 0
        self._prefetched: deque[tuple[Stream, Row]] = deque()
        self._in_flight: dict[int, _Sent] = {}
        self._olds = 0.0  # backlog records that may go before the next live one
        self._backlog_open = False
        self._fell_behind_at = float("-inf")
        self.connected = False
        self._wake = asyncio.Event()
        self._hungry = asyncio.Event()

    # ---- what happens

    def stored(self, entries: Iterable[Entry]) -> None:
        """Records were committed: from now on they may be published."""
        for entry in entries:
            self.produced += len(entry.payload)
            if not self.connected:
                continue  # the next connection finds them in the outbox
            if entry.live:
                self.backlog.queue(entry.stream, entry.seq)
                self._live[entry.stream.lane].append(entry)
                self._live_bytes += len(entry.payload)
            else:
                self.backlog.defer(entry.stream, entry.seq)
        while self._live_bytes > MAX_LIVE_BYTES or sum(map(len, self._live.values())) > MAX_LIVE_RECORDS:
            self._fall_behind(next(lane for lane in reversed(self._live) if self._live[lane]))
        self.wake()

    def begin(self, states: list[LaneState]) -> None:
        """A connection is up; ``states`` say what the outbox holds."""
        self._clear()
        self.backlog.connected(states)
        self.connected = True

    def end(self) -> None:
        """The connection is gone: everything unacked is backlog again."""
        self.connected = False
        self._clear()

    def open_backlog(self) -> None:
        """The first ack of the connection has trimmed what need not be sent again, or it has been waited for."""
        self._backlog_open = True
        self.wake()

    def demote_waves(self) -> None:
        """Weak link: waveform frames that wait live go as backlog instead."""
        self._defer_all(Lane.WAVE)

    def skip_stale(self, now: float) -> None:
        """Live records that waited too long are not live: their lane's whole queue becomes backlog.

        All of it at once, because every hole in the sequence costs the gateway one range of the few it may track.
        """
        for lane in (Lane.OBS, Lane.WAVE):
            if self._live[lane] and now - self._live[lane][0].appended_at > STALE_SECONDS:
                self._fall_behind(lane)

    def puback(self, mid: int) -> None:
        """The broker has taken a record: room in the window, nothing more."""
        sent = self._in_flight.pop(mid, None)
        if sent is not None:
            self.window.acked(sent.size, self._clock.monotonic() - sent.at)
            hit("after-puback")
            self.wake()

    def wake(self) -> None:
        """Something may be sent, or read."""
        self._wake.set()
        self._hungry.set()

    # ---- what is waiting

    def live_wait(self, now: float) -> float:
        """Seconds the oldest live record has waited; at least STALE_SECONDS for a while after a queue was given up."""
        waited = self._waited(now)
        return max(waited, STALE_SECONDS) if now - self._fell_behind_at < STALE_SECONDS else waited

    def _waited(self, now: float) -> float:
        return now - min((queue[0].appended_at for queue in self._live.values() if queue), default=now)

    @property
    def idle(self) -> bool:
        """Nothing waits, neither live nor backlog."""
        return not (self._prefetched or self.backlog or any(self._live.values()))

    # ---- tasks of a connection

    async def pump(self, connection: Publisher) -> None:
        """Publish whatever may go, for as long as the connection lasts.

        Raises:
            MqttLostError: it has ended.
        """
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self.window.open and (item := self._choose()) is not None:
                self._publish(connection, *item)
            if len(self._prefetched) < FETCH_RECORDS:
                self._hungry.set()

    async def fetch(self, tell: asyncio.Event) -> None:
        """Keep some backlog read ahead; sets ``tell`` when an ack wants what is not there any more."""
        while True:
            await self._hungry.wait()
            self._hungry.clear()
            while self._backlog_open and len(self._prefetched) < FETCH_RECORDS:
                taken = self.backlog.take(FETCH_RECORDS)
                if taken is None:
                    break
                await self._fetch(*taken, tell)
                self._wake.set()

    async def probe(self, connection: Publisher, stream: Stream) -> None:
        """Publish the oldest record of a stream once more."""

        def oldest(outbox: Outbox) -> list[Row]:
            account = outbox.accounts.get(stream)
            return outbox.read(stream, outbox.oldest(stream, 0), account.next, 1, FETCH_BYTES) if account else []

        for row in await self._writer.call(oldest):
            self._publish(connection, stream, row.seq, mark_backfill(stream.lane, row.payload))

    # ---- choosing

    def _choose(self) -> tuple[Stream, Seq, bytes] | None:
        lane = next((lane for lane, queue in self._live.items() if queue), None)
        # of all lanes: numbers that go at once must not buy a way for the backlog past lead II that waits behind them
        fresh = self._waited(self._clock.monotonic()) < FRESH_SECONDS
        self._olds = min(self._olds, OLD_PER_LIVE if fresh else 1.0)
        if lane is not None and (lane is Lane.EVENT or not self._prefetched or self._olds < 1):
            self._olds += OLD_PER_LIVE if fresh else OLD_PER_STALE
            entry = self._live[lane].popleft()
            self._live_bytes -= len(entry.payload)
            return entry.stream, entry.seq, entry.payload
        while self._prefetched:
            stream, row = self._prefetched.popleft()
            if self.backlog.is_acked(stream, row.seq):
                continue
            self._olds = max(0.0, self._olds - 1)
            return stream, row.seq, mark_backfill(stream.lane, row.payload)
        return None

    def _publish(self, connection: Publisher, stream: Stream, seq: Seq, payload: bytes) -> None:
        hit("before-publish")
        mid = connection.publish(self._topics[stream.lane], payload)
        self.backlog.published(stream, seq)
        self.window.sent(len(payload))
        self._in_flight[mid] = _Sent(stream, seq, len(payload), self._clock.monotonic())
        hit("after-publish")

    def _fall_behind(self, lane: Lane) -> None:
        self._fell_behind_at = self._clock.monotonic()
        self._defer_all(lane)

    def _defer_all(self, lane: Lane) -> None:
        for entry in self._live[lane]:
            self._live_bytes -= len(entry.payload)
            self.backlog.defer(entry.stream, entry.seq)
        self._live[lane].clear()

    async def _fetch(self, stream: Stream, first: Seq, last: Seq, tell: asyncio.Event) -> None:
        def read(outbox: Outbox) -> _Read:
            rows = outbox.read(stream, first, last, FETCH_RECORDS, FETCH_BYTES)
            account = outbox.accounts.get(stream)
            oldest = rows[0].seq if rows else outbox.oldest(stream, first)
            return _Read(rows, account.shed.copy() if account else RangeSet(), oldest)

        rows, shed, oldest = await self._writer.call(read)
        if not rows:  # nothing of this stretch is here any more: go on where there is something
            self.backlog.leap(stream, last + 1, oldest)
            absent = RangeSet([(first, max(last, oldest - 1))])
        else:
            end = rows[-1].seq
            if end < last:
                self.backlog.put_back(stream, end + 1, last)
            absent = RangeSet([(first, end)])
            for row in rows:
                absent.remove(row.seq)
        self._prefetched.extend((stream, row) for row in rows)
        if absent and self.backlog.absent(stream, absent, shed):
            tell.set()

    def _clear(self) -> None:
        for queue in self._live.values():
            queue.clear()
        self._live_bytes = 0
        self._prefetched.clear()
        self._in_flight.clear()
        self._backlog_open = False
        self._olds = 0.0
        self.window.reset()


def mark_backfill(lane: Lane, payload: bytes) -> bytes:
    """The record's bytes with ``backfill`` set; bytes this program cannot decode (a newer one's) stay as they are."""
    try:
        message = wire.decode(lane.channel, payload)
    except wire.WireError:
        return payload
    return wire.encode(msgspec.structs.replace(message, backfill=True)) if isinstance(message, Record) else payload
