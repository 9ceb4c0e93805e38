"""The unit's connection to the broker: hello, acks, commands, reconnecting; the records themselves go by sender.py.

A PUBACK frees the window, only the gateway's ack deletes. One connection runs these tasks in one TaskGroup:

    pump, fetch (sender.py)   hello: on connect, every 10 s, when asked for what is gone
    acks: newest ack -> outbox, backlog, clock     watch, every second: silence, link gauge, probes, pings
"""

import asyncio
import random
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

import msgspec

from edge_agents.clock_offset import ClockOffset
from edge_agents.commands import Commands, Target
from edge_agents.failpoint import hit
from edge_agents.link_gauge import LinkGauge, Sample
from edge_agents.mqtt import Endpoint, MqttConnection, MqttLostError
from edge_agents.outbox import Entry, Outbox
from edge_agents.outbox_ledger import Stream
from edge_agents.outbox_writer import OutboxWriter
from edge_agents.ports import Clock, OnEvent
from edge_agents.probe import Probe, backoff
from edge_agents.ranges import RangeSet
from edge_agents.reply_book import ReplyBook
from edge_agents.sender import Sender
from gateway.contract import wire
from gateway.contract.envelope import (
    MAX_RANGES_PER_LANE,
    Ack,
    Epoch,
    Hello,
    Instant,
    LaneState,
    LinkMode,
    Presence,
    Seq,
)
from gateway.contract.observation import Command, Reply
from gateway.contract.topic import Channel, UnitAddress

HELLO_SECONDS: Final = 10.0
HELLO_GAP_SECONDS: Final = 1.0  # between hellos that were asked for
FIRST_ACK_SECONDS: Final = 2.0  # after a connect the backlog waits this long for the ack that trims it
SILENCE: Final = 1.4  # keepalives without a byte from the broker (each hello asks for a PUBACK): the link is half-open
ACK_LAG_SECONDS: Final = 30.0  # without any ack while connected: say so
STABLE_SECONDS: Final = 10.0  # a connection that lasted this long resets the backoff
MAX_HELLO_BYTES: Final = wire.MAX_MESSAGE_BYTES // 2
_ECHOES: Final = 16  # hellos whose echo is accepted as a clock sample


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Who this agent is."""

    address: UnitAddress
    epoch: Epoch
    profile: str
    firmware: str
    simulated: bool = False


class Uplink:
    """Keeps the unit connected and its outbox flowing."""

    def __init__(
        self,
        *,
        identity: Identity,
        endpoint: Endpoint,
        writer: OutboxWriter,
        clock: Clock,
        rng: random.Random,
        on_event: OnEvent,
        replies: ReplyBook,
        targets: Mapping[str, Target],
    ) -> None:
        """``on_event`` records an event of the agent itself; ``targets`` are the devices, which commands may name."""
        self._identity = identity
        self._devices = targets
        address = identity.address
        will = Hello(presence=Presence.OFFLINE, epoch=identity.epoch, sent_at=clock.now(), profile=identity.profile)
        self._endpoint = msgspec.structs.replace(
            endpoint, will_topic=address.topic(Channel.HELLO), will_payload=wire.encode(will)
        )
        self._writer = writer
        self._clock = clock
        self._rng = rng
        self._on_event = on_event
        self.sender = Sender(writer, address, clock)
        self.gauge = LinkGauge()
        self.offset = ClockOffset()
        self.connections = 0
        self.last_loss = ""
        self.progress = asyncio.Event()  # set after every ack
        self._commands = Commands(
            identity.epoch, self.gauge, book=replies, targets=targets, clock=clock.now,
            gateway_clock=self._latest_gateway_time, reply=self._reply,
        )  # fmt: skip
        self._connection: MqttConnection  # the newest; nothing arrives before the first
        self._mode = LinkMode.FULL
        self._newest_ack: tuple[Ack, Instant] | None = None
        self._ack_arrived = asyncio.Event()
        self._tell = asyncio.Event()
        self._hellos: dict[Instant, None] = {}
        self._probes: dict[Stream, tuple[Seq, Probe]] = {}
        self._heard_at = self._ack_at = 0.0

    @property
    def mode(self) -> LinkMode:
        """What may be sent live just now."""
        return self._mode

    def stored(self, entries: list[Entry]) -> None:
        """Records were committed (called by the writer, on the event loop)."""
        self.sender.stored(entries)

    async def run(self) -> None:
        """Stay connected until cancelled; then say goodbye."""
        attempt = 0
        while True:
            started = self._clock.monotonic()
            try:
                await self._session()
            except* MqttLostError as lost:
                self.last_loss = str(lost.exceptions[0])
            attempt = 0 if self._clock.monotonic() - started > STABLE_SECONDS else attempt + 1
            await asyncio.sleep(backoff(attempt, self._rng))

    async def _session(self) -> None:
        connection = MqttConnection(self._endpoint, self._puback, self._message)
        try:
            await connection.open()
            address = self._identity.address
            connection.subscribe(address.topic(Channel.ACK), address.topic(Channel.CMD))
            self.connections += 1
            self._connection = connection
            self._heard_at = self._ack_at = self._clock.monotonic()
            self._newest_ack = None
            loop = asyncio.get_running_loop()
            # straight from the thread onto the loop, so that no commit slips between the snapshot and its use
            await self._writer.call(lambda box: loop.call_soon_threadsafe(self.sender.begin, box.lane_states()))
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._until_lost(connection), name="lost")
                tasks.create_task(self._hello(connection), name="hello")
                tasks.create_task(self._acks(), name="acks")
                tasks.create_task(self._watch(connection), name="watch")
                tasks.create_task(self.sender.pump(connection), name="pump")
                tasks.create_task(self.sender.fetch(self._tell), name="fetch")
        except asyncio.CancelledError:
            await self._goodbye(connection)
            raise
        finally:
            self.sender.end()
            self.gauge.disconnected()
            connection.abort("session over")

    async def _until_lost(self, connection: MqttConnection) -> None:
        raise MqttLostError(await connection.lost)

    async def _goodbye(self, connection: MqttConnection) -> None:
        """A clean end sends no last will, so say it ourselves."""
        if connection.lost.done():
            return
        try:
            connection.publish(self._endpoint.will_topic, wire.encode(self._make_hello([], Presence.OFFLINE)))
        except MqttLostError:
            return
        await connection.close()

    # ---- from the broker

    def _puback(self, mid: int) -> None:
        self._heard_at = self._clock.monotonic()
        self.sender.puback(mid)

    def _message(self, topic: str, payload: bytes) -> None:
        self._heard_at = self._clock.monotonic()
        channel = Channel.ACK if topic.endswith("/ack") else Channel.CMD
        try:
            message = wire.decode(channel, payload)
        except wire.WireError as error:
            self._on_event("downlink-refused", {"channel": channel.value, "reason": error.reason.value})
            return
        if isinstance(message, Ack):
            hit("ack-received")
            self._newest_ack = (message, self._clock.now())  # cumulative: an older one has nothing to add
            self._ack_arrived.set()
        elif isinstance(message, Command):
            self._commands.take(message)

    def _latest_gateway_time(self) -> Instant | None:
        best = self.offset.estimate(self._clock.monotonic())
        return self._clock.now() + best.offset + best.error if best else None

    def _reply(self, reply: Reply) -> None:
        """Without a connection the reply waits in the book: the gateway asks again."""
        self._set_mode(self.gauge.override or self._mode, "command")
        with suppress(MqttLostError):
            self._connection.publish(self._identity.address.topic(Channel.REPLY), wire.encode(reply))

    async def _acks(self) -> None:
        while True:
            await self._ack_arrived.wait()
            self._ack_arrived.clear()
            if self._newest_ack is None:
                continue
            (ack, received_at), self._newest_ack = self._newest_ack, None
            now = self._ack_at = self._clock.monotonic()
            self._measure_clock(ack, received_at, now)
            if self.sender.backlog.acknowledge(ack.lanes, ack.hello_sent_at):
                self._tell.set()
            await self._writer.call(lambda box, ack=ack: box.acknowledge(ack.lanes))  # type: ignore[misc]
            self._note_progress(ack, now)
            self.sender.open_backlog()
            self.progress.set()

    def _measure_clock(self, ack: Ack, received_at: Instant, now: float) -> None:
        t1, t2 = ack.hello_sent_at, ack.hello_received_at
        if t1 is not None and t2 is not None and t1 in self._hellos:
            self.offset.sample(t1, t2, ack.server_time, received_at, now)

    def _note_progress(self, ack: Ack, now: float) -> None:
        for lane in ack.lanes:
            stream = Stream(lane.epoch, lane.lane)
            if (known := self._probes.get(stream)) is not None and known[0] != lane.watermark:
                known[1].progress(now)
                self._probes[stream] = (lane.watermark, known[1])

    # ---- hello

    async def _hello(self, connection: MqttConnection) -> None:
        while True:
            self._tell.clear()
            await self._say_hello(connection)
            await asyncio.sleep(HELLO_GAP_SECONDS)
            try:
                async with asyncio.timeout(HELLO_SECONDS - HELLO_GAP_SECONDS):
                    await self._tell.wait()
            except TimeoutError:
                continue

    async def _say_hello(self, connection: MqttConnection) -> None:
        def look(box: Outbox) -> tuple[list[LaneState], int, int]:
            return box.lane_states(), box.records, box.used_bytes

        states, records, size = await self._writer.call(look)
        gone = self.sender.backlog.gone
        for number, state in enumerate(states):
            if lost := gone.get(Stream(state.epoch, state.lane), RangeSet()):
                states[number] = msgspec.structs.replace(state, gone=lost.to_wire(MAX_RANGES_PER_LANE))
        hello = self._make_hello(states, Presence.ONLINE, records, size)
        while len(payload := wire.encode(hello)) > MAX_HELLO_BYTES:
            hello = msgspec.structs.replace(hello, lanes=hello.lanes[: len(hello.lanes) // 2])
        connection.publish(self._identity.address.topic(Channel.HELLO), payload)
        self.sender.backlog.hello(hello.sent_at)
        self._hellos[hello.sent_at] = None
        if len(self._hellos) > _ECHOES:
            del self._hellos[next(iter(self._hellos))]

    def _make_hello(self, states: list[LaneState], presence: Presence, records: int = 0, size: int = 0) -> Hello:
        best = self.offset.estimate(self._clock.monotonic())
        latest = next(reversed(self._hellos), -1)
        return Hello(
            presence=presence,
            epoch=self._identity.epoch,
            sent_at=max(self._clock.now(), latest + 1),  # the echo must name one hello, whatever the clock does
            lanes=states,
            profile=self._identity.profile,
            firmware=self._identity.firmware,
            outbox_records=records,
            outbox_bytes=size,
            link_mode=self._mode,
            clock_offset=best.offset if best else None,
            clock_error=best.error if best else None,
            simulated=self._identity.simulated,
            devices=[device.state for device in self._devices.values()] if presence is Presence.ONLINE else [],
        )

    # ---- every second

    async def _watch(self, connection: MqttConnection) -> None:
        started = self._clock.monotonic()
        lagging = False
        while True:
            await asyncio.sleep(1.0)
            now = self._clock.monotonic()
            connection.tick()
            if now - self._heard_at > SILENCE * self._endpoint.keepalive:
                connection.abort("half-open: nothing heard from the broker")
                return
            if now - started > FIRST_ACK_SECONDS:
                self.sender.open_backlog()
            self.sender.skip_stale(now)
            self._gauge_link(now)
            if (now - self._ack_at > ACK_LAG_SECONDS) != lagging:
                lagging = not lagging
                self._on_event("ack-lag", {"lagging": lagging})
            await self._probe_streams(connection, now)

    def _gauge_link(self, now: float) -> None:
        sample = Sample(
            now=now,
            produced=self.sender.produced,
            delivered=self.sender.window.delivered,
            live_wait=self.sender.live_wait(now),
            round_trip=self.sender.window.round_trip,
            idle=self.sender.idle,
        )
        self._set_mode(self.gauge.sample(sample), "measured")

    def _set_mode(self, mode: LinkMode, reason: str) -> None:
        if mode is self._mode:
            return
        self._mode = mode
        if mode is LinkMode.WEAK:
            self.sender.demote_waves()
        self._on_event("link-mode", {"mode": mode.value, "reason": reason})
        self._tell.set()

    async def _probe_streams(self, connection: MqttConnection, now: float) -> None:
        """Streams whose watermark does not move although all they hold has been sent: send their oldest again."""
        if self.sender.backlog:
            return

        def holding(box: Outbox) -> list[tuple[Stream, Seq]]:
            return [(s, a.watermark) for s, a in box.accounts.items() if a.records]

        held = await self._writer.call(holding)
        self._probes = {
            stream: self._probes.get(stream) or (watermark, Probe(now, self._rng)) for stream, watermark in held
        }
        for stream, (_, probe) in self._probes.items():
            if probe.due(now):
                await self.sender.probe(connection, stream)
