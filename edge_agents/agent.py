"""The agent put together: one task per device link, one uplink, one outbox.

    link --bytes--> decoder --readings--> OutboxWriter --stored--> Uplink --> broker
"""

import asyncio
import importlib
import random
import secrets
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, Final, cast

from edge_agents.config import AgentOptions, DeviceConfig, MEBIBYTE
from edge_agents.device import Decoder, FrameError, Occurrence, Reading, Waveform
from edge_agents.failpoint import hit
from edge_agents.links import replay, serial_stream
from edge_agents.mqtt import Endpoint
from edge_agents.outbox import DamagedOutboxError, Entry, Outbox
from edge_agents.outbox_salvage import Damage, open_outbox
from edge_agents.outbox_writer import OutboxWriter
from edge_agents.ports import ByteLink, Clock, ReadingLink
from edge_agents.probe import backoff
from edge_agents.ranges import RangeSet
from edge_agents.records import lane_of, record, split_for_weak_link, unknown_words
from edge_agents.refusals import Refusals
from edge_agents.uplink import Identity, Uplink
from gateway.contract.envelope import Instant, Lane, LinkMode
from gateway.contract.topic import UnitAddress

AGENT_DEVICE: Final = "agent"  # events of the agent itself
SHED_REPORT_SECONDS: Final = 60.0
STABLE_SECONDS: Final = 10.0


class Agent:
    """One unit's agent; ``run`` is its whole life."""

    def __init__(self, options: AgentOptions, clock: Clock, firmware: str, rng: random.Random) -> None:
        self.options = options
        self.epoch = secrets.token_hex(8)
        self.refusals = Refusals()
        self._clock = clock
        self._firmware = firmware
        self._rng = rng
        self._heard: dict[str, float] = {}
        self._silent: set[str] = set()
        self._connected: dict[str, bool] = {}
        self._shed: dict[Lane, int] = {}
        self._shed_reported: dict[Lane, int] = {}
        self._shed_reported_at = float("-inf")
        self.uplink: Uplink
        self.writer: OutboxWriter

    async def run(self) -> None:
        """Open the outbox, carry readings until cancelled or until every link has ended for good, then close it."""
        options = self.options
        max_bytes = int(options.profile.outbox.max_megabytes * MEBIBYTE)
        outbox, damage = open_outbox(options.outbox, epoch=self.epoch, max_bytes=max_bytes)
        loop = asyncio.get_running_loop()

        def repair(error: DamagedOutboxError) -> Outbox:
            fresh, found = open_outbox(options.outbox, epoch=self.epoch, max_bytes=max_bytes, broken=error)
            loop.call_soon_threadsafe(self._report_damage, found)
            return fresh

        self.writer = OutboxWriter(
            outbox, window=options.profile.outbox.commit_window, on_stored=self._stored, on_shed=self._note_shed,
            repair=repair,
        )  # fmt: skip
        self.uplink = self._make_uplink()
        try:
            self._report_damage(damage)
            async with asyncio.TaskGroup() as tasks:
                carrying = [tasks.create_task(self._carry(d), name=f"link {d.name}") for d in self._linked_devices()]
                background = [
                    tasks.create_task(self.uplink.run(), name="uplink"),
                    tasks.create_task(self._keep_house(), name="house"),
                ]
                await self._until_drained(carrying)
                for task in background:
                    task.cancel()
        finally:
            await self.writer.close()

    def _make_uplink(self) -> Uplink:
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
            identity=identity, endpoint=endpoint, writer=self.writer, clock=self._clock, rng=self._rng,
            on_event=self._own_event,
        )  # fmt: skip

    def _linked_devices(self) -> list[DeviceConfig]:
        return [device for device in self.options.profile.device if device.name in self.options.links]

    async def _until_drained(self, carrying: list[asyncio.Task[None]]) -> None:
        """Wait for the links (only recordings end by themselves), then for the last ack."""
        if not carrying:
            await asyncio.get_running_loop().create_future()  # nothing to carry but the backlog: until cancelled
        await asyncio.wait(carrying)
        while await self.writer.call(lambda box: box.records):
            await self.uplink.progress.wait()
            self.uplink.progress.clear()

    # ---- devices

    async def _carry(self, device: DeviceConfig) -> None:
        """Keep one link open; a recording that has been played to its end is not played again."""
        link = open_link(self.options.links[device.name], self._clock)
        decoder = load_decoder(device.kind) if device.kind else None
        attempt = 0
        while True:
            started = self._clock.monotonic()
            reason = "ended"
            try:
                async with aclosing(self._readings(device.name, link, decoder)) as readings:
                    async for reading in readings:
                        self._heard[device.name] = self._clock.monotonic()
                        await self.writer.room()
                        self.accept(device.name, reading)
            except (OSError, TimeoutError) as error:
                reason = str(error) or "timeout"
            self._link_state(device.name, connected=False, reason=reason)
            if not isinstance(link, ByteLink) and reason == "ended":
                return
            attempt = 0 if self._clock.monotonic() - started > STABLE_SECONDS else attempt + 1
            await asyncio.sleep(backoff(attempt, self._rng))
