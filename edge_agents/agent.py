"""The agent put together: one feed per device, one outbox, one uplink.

Feed (one a device) --readings--> Agent.accept --> OutboxWriter --stored--> Uplink --> broker
"""

import asyncio
import difflib
import inspect
import random
import secrets
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

import msgspec

from edge_agents import kinds
from edge_agents.condition_watch import ConditionWatch
from edge_agents.config import MEBIBYTE, AgentOptions, ConfigError, DeviceConfig
from edge_agents.device import Decoder, DeviceKind, Numeric, Occurrence, Reading, Waveform
from edge_agents.device_memory import DeviceMemory
from edge_agents.feed import Feed
from edge_agents.links import open_link, yields_readings
from edge_agents.mqtt import Endpoint
from edge_agents.outbox import Entry, Outbox
from edge_agents.outbox_file import DamagedOutboxError
from edge_agents.outbox_ledger import Stream
from edge_agents.outbox_salvage import Damage, open_outbox, replace_outbox
from edge_agents.outbox_writer import OutboxWriter
from edge_agents.ports import Clock, Losses
from edge_agents.records import lane_of, record, split_for_weak_link, unknown_words
from edge_agents.refusals import Refusals
from edge_agents.reply_book import ReplyBook
from edge_agents.uplink import Identity, Uplink
from gateway.contract.envelope import Lane, LinkMode
from gateway.contract.topic import UnitAddress
from gateway.contract.wire import MAX_MESSAGE_BYTES

AGENT_DEVICE: Final = "agent"  # the device name of the agent's own events
SHED_REPORT_SECONDS: Final = 60.0


class Agent:
    """One unit's agent; ``run`` is its whole life. It is the intake of its feeds."""

    def __init__(
        self, options: AgentOptions, *, clock: Clock, firmware: str, rng: random.Random, line_clock: Clock | None = None
    ) -> None:
        """Nothing is opened yet. ``line_clock``: what the line to the broker is timed with, if not ``clock``."""
        self.options = options
        self.epoch = secrets.token_hex(8)
        # What a weak link puts off has numbers of its own, so that the live sequence has no holes: the gateway tracks
        # at most 1 024 of them.
        self.deferred_epoch = secrets.token_hex(8)
        self.refusals = Refusals()
        self._conditions = ConditionWatch(options.outbox.with_name(options.outbox.name + ".conditions"))
        self._memory = DeviceMemory(options.outbox.with_name(options.outbox.name + ".devices"))
        self._clock = clock
        self._line_clock = line_clock or clock
        self._firmware = firmware
        self._rng = rng
        self._shed: dict[Lane, int] = {}  # records shed since the last report
        self._shed_reported_at = float("-inf")
        self._disk_full = False
        self._feeds: list[Feed] = []
        self.writer: OutboxWriter
        self.uplink: Uplink

    async def run(self) -> None:
        """Carry readings until cancelled, or until every recording has been played and acked; then close the outbox.

        Raises:
            OutboxBusyError: another agent has the outbox.
            ConfigError: a link address or device kind does not exist.
        """
        self._loop = asyncio.get_running_loop()
        if not self.options.outbox.exists():
            self._memory.forget_had()  # it vouches for records in an outbox that is gone
        self._feeds = feeds = [self._make_feed(d) for d in self.options.profile.device if d.name in self.options.links]
        outbox, damage = open_outbox(
            self.options.outbox, epoch=self.epoch, max_bytes=self._max_bytes, deferred_epoch=self.deferred_epoch
        )
        self.writer = OutboxWriter(
            outbox, window=self.options.profile.outbox.commit_window, on_stored=self._stored, on_shed=self._note_shed,
            repair=self._repair,
        )  # fmt: skip
        try:
            self.uplink = self._make_uplink(feeds)
            self._report_damage(damage)
            async with asyncio.TaskGroup() as tasks:
                carrying = [tasks.create_task(feed.run(), name=f"feed {feed.device.name}") for feed in feeds]
                background = [
                    tasks.create_task(self.uplink.run(), name="uplink"),
                    tasks.create_task(self._keep_house(feeds), name="house"),
                ]
                await self._until_done(carrying)
                for task in background:
                    task.cancel()
        finally:
            await self.writer.close()
            if self.writer.failure is None and self.writer.all_kept:
                for feed in feeds:
                    feed.settle()

    # ---- intake

    async def room(self) -> None:
        """See edge_agents.ports.Intake."""
        await self.writer.room()

    async def kept(self) -> None:
        """See edge_agents.ports.Intake."""
        await self.writer.kept()

    @property
    def losses(self) -> Losses:
        """See edge_agents.ports.Intake."""
        return self.writer.losses

    def accept(self, device: str, reading: Reading) -> None:
        """See edge_agents.ports.Intake; over a weak link a waveform becomes two records, one live and one backfill."""
        if isinstance(reading, Numeric) and reading.conditions is not None:
            for change in self._conditions.changes(device, reading, self._clock.now()):
                self._append(device, change, live=True)
            if not reading.values:
                return
        if unknown := unknown_words(reading):
            self.refuse(device, "unknown-name", ",".join(unknown).encode())
        elif isinstance(reading, Waveform) and self.uplink.mode is LinkMode.WEAK:
            live, rest = split_for_weak_link(reading)
            if live is not None:
                self._append(device, live, live=True)
            if rest is not None:
                self._append(device, rest, live=False)
        else:
            self._append(device, reading, live=True)

    def refuse(self, device: str, reason: str, frame: bytes) -> None:
        """See edge_agents.ports.Intake."""
        self.refusals.count(device, reason, frame)
        self._report_refusals()

    def _append(self, device: str, reading: Reading, *, live: bool) -> None:
        if isinstance(reading, Waveform) and len(reading.samples) > MAX_MESSAGE_BYTES // 2:
            self.refuse(device, "too-large", reading.samples[:64])
            return
        stream = Stream(self.epoch if live else self.deferred_epoch, lane_of(reading))
        self.writer.append(
            stream,
            lambda seq: record(reading, stream.epoch, device, seq),
            now=self._line_clock.monotonic(),
            live=live,
        )

    def _own_event(self, name: str, details: dict[str, Any]) -> None:
        reading = Occurrence(observed_at=self._clock.now(), name=name, details=details)
        self._append(AGENT_DEVICE, reading, live=True)

    # ---- parts

    @property
    def _max_bytes(self) -> int:
        return int(self.options.profile.outbox.max_megabytes * MEBIBYTE)

    def _make_feed(self, device: DeviceConfig) -> Feed:
        address = self.options.links[device.name]
        kind = None if yields_readings(address) else load_kind(device)
        try:
            link = open_link(address, kind.PROTOCOL if kind else None, self._clock)
        except ConfigError as error:
            raise ConfigError(f"device {device.name}: {error}", device.name, "address") from error
        return Feed(
            device, link, partial(make_decoder, kind, device) if kind else None, intake=self, on_event=self._own_event,
            clock=self._clock, rng=self._rng, memory=self._memory,
        )  # fmt: skip

    def _make_uplink(self, feeds: list[Feed]) -> Uplink:
        options = self.options
        endpoint = Endpoint(
            host=options.broker_host, port=options.broker_port, client_id=options.unit, username=options.unit,
            password=options.token, keepalive=options.profile.keepalive,
        )  # fmt: skip
        identity = Identity(
            address=UnitAddress(options.site, options.profile.kind, options.unit), epoch=self.epoch,
            profile=options.profile.name, firmware=self._firmware, simulated=options.simulated,
        )  # fmt: skip
        return Uplink(
            identity=identity, endpoint=endpoint, writer=self.writer, clock=self._line_clock, rng=self._rng,
            on_event=self._own_event, replies=ReplyBook(options.outbox.with_name(options.outbox.name + ".replies")),
            targets={feed.device.name: feed for feed in feeds},
        )  # fmt: skip

    def _stored(self, entries: list[Entry]) -> None:
        self.uplink.stored(entries)

    def _repair(self, error: DamagedOutboxError) -> Outbox:
        """The file broke while in use (called in the outbox thread)."""
        outbox, damage = replace_outbox(
            self.options.outbox,
            epoch=self.epoch,
            max_bytes=self._max_bytes,
            deferred_epoch=self.deferred_epoch,
            reason=str(error),
        )
        self._loop.call_soon_threadsafe(self._report_damage, damage)
        return outbox

    # ---- reports

    async def _keep_house(self, feeds: list[Feed]) -> None:
        """Once a second: silent devices, reports that are due, the health of the outbox thread."""
        while True:
            await asyncio.sleep(1.0)
            now = self._clock.monotonic()
            for feed in feeds:
                feed.check_silence(now)
            self._report_refusals()
            self._report_shed(now)
            if self.writer.disk_full is not self._disk_full:
                self._disk_full = self.writer.disk_full
                self._own_event("outbox-disk", {"full": self._disk_full})
            if self.writer.failure is not None:
                raise RuntimeError("the outbox thread has stopped") from self.writer.failure

    def _report_refusals(self) -> None:
        for report in self.refusals.due(self._clock.monotonic()):
            self._own_event("device-input-refused", msgspec.to_builtins(report))

    def _note_shed(self, shed: dict[Lane, int]) -> None:
        for lane, count in shed.items():
            self._shed[lane] = self._shed.get(lane, 0) + count
        self._report_shed(self._clock.monotonic())

    def _report_shed(self, now: float) -> None:
        if self._shed and now - self._shed_reported_at >= SHED_REPORT_SECONDS:
            self._shed_reported_at = now
            self._own_event("shed", {"records": {lane.value: count for lane, count in self._shed.items()}})
            self._shed.clear()

    def _report_damage(self, damage: Damage | None) -> None:
        """What meters have given may be in no outbox now: they are to give again what they still hold."""
        if damage is None:
            return
        self._memory.forget_had()
        for feed in self._feeds:
            feed.take_again()
        self._own_event("outbox-damaged", msgspec.to_builtins(damage))

    async def _until_done(self, carrying: list[asyncio.Task[None]]) -> None:
        """Recordings end by themselves: then wait for the last ack. Without any link only the backlog is sent."""
        if carrying:
            await asyncio.wait(carrying)
        while True:
            self.uplink.progress.clear()
            await self.writer.kept()  # what waits for its commit is in no outbox yet: an empty one says nothing
            if not await self.writer.call(lambda box: box.records):
                return
            await self.uplink.progress.wait()


def make_decoder(kind: DeviceKind, device: DeviceConfig) -> Decoder:
    """The decoder of a device, with what the site has set.

    Raises:
        ConfigError: the kind has no such option or cannot use its value, or a secret's file cannot be read.
    """
    make = cast("Callable[..., Decoder]", kind.Decoder)
    try:
        secrets = {name: Path(path).read_text("utf-8").strip() for name, path in device.secrets.items()}
        return make(**device.options, **secrets)
    except TypeError as error:
        known = ", ".join(inspect.signature(make).parameters) or "none"
        given = ", ".join(device.options | device.secrets)
        text = f"device {device.name}: options {given}: expected some of: {known}"
        raise ConfigError(text, device.name, "options") from error
    except (ValueError, OSError) as error:
        raise ConfigError(f"device {device.name}: {error}", device.name, "options") from error


def load_kind(device: DeviceConfig) -> DeviceKind:
    """The module that a device's kind names.

    Raises:
        ConfigError: there is no such module.
    """
    if not device.kind.isidentifier() or device.kind.startswith("_"):
        raise ConfigError(f"device {device.name}: kind {device.kind!r} is not a name", device.name, "kind")
    try:
        return kinds.load(device.kind)
    except ModuleNotFoundError as error:
        near = difflib.get_close_matches(device.kind, kinds.names(), n=3, cutoff=0.3)
        raise ConfigError(
            f"device {device.name}: there is no kind {device.kind!r}; expected one of `lastmile devices`"
            + (f", perhaps {' or '.join(near)}" if near else ""),
            device.name,
            "kind",
        ) from error
