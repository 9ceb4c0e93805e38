"""A broker (Mosquitto), a gateway that only keeps account and acks, and a network that can be cut: for uplink tests."""

import asyncio
import contextlib
import random
import shutil
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from edge_agents.clock import SystemClock
from edge_agents.mqtt import Endpoint, MqttConnection
from edge_agents.outbox import Entry, Outbox
from edge_agents.outbox_ledger import Stream
from edge_agents.outbox_writer import OutboxWriter
from edge_agents.ranges import RangeSet
from edge_agents.reply_book import ReplyBook
from edge_agents.uplink import Identity, Uplink
from gateway.contract import wire
from gateway.contract.envelope import Ack, Hello, Lane, LaneAck, Presence, Record
from gateway.contract.observation import Command, Event, Observation, Reply
from gateway.contract.topic import Channel, UnitAddress, UnitKind, parse_topic
from tests.free_port import free_port

ACK_SECONDS = 0.3  # at most this often; the real gateway: once a second
UNIT = UnitAddress("site-1", UnitKind.AMBULANCE, "amb-001")
CONFIG = """listener {port} 127.0.0.1
allow_anonymous true
max_inflight_messages 0
max_queued_messages 0
persistence false
"""


class Broker:
    """A Mosquitto process that can be killed and started again on its port."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._config = folder / "mosquitto.conf"
        self._config.write_text(CONFIG.format(port=self.port))
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        self._process = await asyncio.create_subprocess_exec(
            program, "-c", str(self._config), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
        )
        assert self._process.stderr is not None
        async with asyncio.timeout(10):
            while b"running" not in (line := await self._process.stderr.readline()):
                assert line, "mosquitto ended"
        self._drain = asyncio.ensure_future(self._process.stderr.read())

    async def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            await self._process.wait()
            await self._drain
            self._process = None


class StandIn:
    """Takes records, answers hellos, acks what it has; everything it saw can be asked for."""

    def __init__(self, port: int) -> None:
        self.stored: dict[Stream, dict[int, Record]] = {}
        self.seen: Counter[tuple[Stream, int]] = Counter()
        self.order: list[tuple[Stream, int, bool]] = []  # (stream, seq, backfill)
        self.hellos: list[Hello] = []
        self.replies: list[Reply] = []
        self.acking = True
        self.deaf = RangeSet()  # obs numbers that are dropped on arrival, once
        self._port = port
        self._ack_due = False
        self.declared: dict[Stream, RangeSet] = {}  # shed, by any hello
        self._accounted: dict[Stream, RangeSet] = {}
        self._next: dict[Stream, int] = {}
        self._changed = asyncio.Event()

    async def connect(self) -> None:
        endpoint = Endpoint(host="127.0.0.1", port=self._port, client_id="gateway", username="g", password="g")
        self._connection = MqttConnection(endpoint, lambda mid: None, self._message)
        await self._connection.open()
        self._connection._client.subscribe([(UNIT.topic(c), 1) for c in Channel if c not in {Channel.ACK, Channel.CMD}])

    async def close(self) -> None:
        await self._connection.close()

    async def until(self, condition: Callable[[], object], seconds: float = 20) -> None:
        """Wait for something this stand-in sees."""
        async with asyncio.timeout(seconds):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    def count(self, lane: Lane = Lane.OBS) -> int:
        return sum(len(records) for stream, records in self.stored.items() if stream.lane is lane)

    def events(self, device: str = "") -> list[Event]:
        """Events stored, of one device or of all."""
        found = [r for records in self.stored.values() for r in records.values() if isinstance(r, Event)]
        return [event for event in found if device in {"", event.device}]

    def accounted(self, stream: Stream) -> RangeSet:
        """Numbers stored, or declared shed by any hello."""
        numbers = self.declared.get(stream, RangeSet()).copy()
        numbers.update(RangeSet((seq, seq) for seq in self.stored.get(stream, ())))
        return numbers

    def command(self, command: Command) -> None:
        self._connection.publish(UNIT.topic(Channel.CMD), wire.encode(command))

    def ack(self) -> None:
        """Send an ack for all that has been stored."""
        lanes = []
        for stream, following in self._next.items():
            missing = RangeSet([(0, following - 1)])
            missing.subtract(RangeSet((seq, seq) for seq in self.stored.get(stream, ())))
            missing.subtract(self._accounted.get(stream, RangeSet()))
            watermark = missing.first if missing else following
            lanes.append(LaneAck(epoch=stream[0], lane=stream[1], watermark=watermark, missing=missing.to_wire(1024)))
        hello = self.hellos[-1]
        answer = Ack(
            server_time=SystemClock().now(), lanes=lanes, hello_sent_at=hello.sent_at, hello_received_at=self._heard_at
        )
        self._connection.publish(UNIT.topic(Channel.ACK), wire.encode(answer))

    def _message(self, topic: str, payload: bytes) -> None:
        message = wire.decode(parse_topic(topic)[1], payload)
        if isinstance(message, Hello):
            self._hello(message)
        elif isinstance(message, Reply):
            self.replies.append(message)
        else:
            assert isinstance(message, Record)
            self._record(Stream(message.epoch, Lane(parse_topic(topic)[1].value)), message)
        self._changed.set()

    def _hello(self, hello: Hello) -> None:
        self.hellos.append(hello)
        self._heard_at = SystemClock().now()
        if hello.presence is Presence.OFFLINE:
            return
        for state in hello.lanes:
            declared = self.declared.setdefault(Stream(state.epoch, state.lane), RangeSet())
            declared.update(RangeSet((r.first, r.last) for r in state.shed))
        self._next = {Stream(s.epoch, s.lane): s.next for s in hello.lanes}
        self._accounted = {
            Stream(s.epoch, s.lane): RangeSet((r.first, r.last) for r in s.shed + s.gone) for s in hello.lanes
        }
        if self.acking:
            self.ack()

    def _record(self, stream: Stream, record: Record) -> None:
        self.seen[stream, record.seq] += 1
        self.order.append((stream, record.seq, record.backfill))
        if stream.lane is Lane.OBS and record.seq in self.deaf:
            self.deaf.remove(record.seq)
            return
        self.stored.setdefault(stream, {})[record.seq] = record
        self._next[stream] = max(self._next.get(stream, 0), record.seq + 1)
        if self.acking and not self._ack_due:
            self._ack_due = True
            asyncio.get_running_loop().call_later(ACK_SECONDS, self._ack_later)

    def _ack_later(self) -> None:
        self._ack_due = False
        if self.hellos and not self._connection.lost.done():
            self.ack()


class Valve:
    """A TCP connection to the broker that can be made half-open: bytes go in and never come out."""

    def __init__(self, upstream: int) -> None:
        self._upstream = upstream
        self._open = asyncio.Event()
        self._open.set()
        self._tasks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[int]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def hold(self) -> None:
        """From now on nothing passes, nobody is told."""
        self._open.clear()

    def release(self) -> None:
        self._open.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        await self._open.wait()
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._upstream)
            try:
                await asyncio.gather(self._copy(reader, back), self._copy(there, writer))
            finally:
                back.close()
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            self._tasks.discard(task)

    async def _copy(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            await self._open.wait()
            sink.write(data)
            with contextlib.suppress(ConnectionError):
                await sink.drain()
        sink.close()


class Side:
    """The agent's side without devices: outbox, writer, uplink."""

    def __init__(self, path: Path, port: int, *, epoch: str, keepalive: int = 15, max_bytes: int = 64 << 20) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.epoch = epoch
        self.clock = SystemClock()
        self.stream = Stream(epoch, Lane.OBS)
        self.outbox = Outbox(path, epoch=epoch, max_bytes=max_bytes)
        self.writer = OutboxWriter(self.outbox, window=0.01, on_stored=self._stored, on_shed=lambda shed: None)
        self.uplink = Uplink(
            identity=Identity(address=UNIT, epoch=epoch, profile="test", firmware="test"),
            endpoint=Endpoint(
                host="127.0.0.1", port=port, client_id="amb-001", username="amb-001", password="t", keepalive=keepalive
            ),
            writer=self.writer,
            clock=self.clock,
            rng=random.Random(1),
            on_event=lambda name, details: self.events.append((name, details)),
            replies=ReplyBook(path.with_name(path.name + ".replies")),
            targets={},
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Side"]:
        task = asyncio.create_task(self.uplink.run())
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self.writer.close()

    def _stored(self, entries: list[Entry]) -> None:
        self.uplink.stored(entries)

    def observe(self, count: int = 1) -> None:
        for _ in range(count):
            at = self.clock.now()
            self.writer.append(
                self.stream,
                lambda seq, at=at: Observation(  # type: ignore[misc]
                    epoch=self.epoch, seq=seq, device="monitor", observed_at=at, values={"heart-rate": 70.0}
                ),
                now=time.monotonic(),
            )

    async def records(self) -> int:
        return await self.writer.call(lambda box: box.records)

    async def until_empty(self, seconds: float = 30) -> None:
        async with asyncio.timeout(seconds):
            while await self.records():
                self.uplink.progress.clear()
                await self.uplink.progress.wait()
