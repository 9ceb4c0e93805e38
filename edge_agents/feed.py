"""One device: its link kept open, its bytes decoded, its silence noticed.

link --bytes--> decoder --> intake            connected, disconnected, silent, speaking --> events
"""

import asyncio
import random
from contextlib import aclosing
from typing import Final, cast

from edge_agents.config import DeviceConfig
from edge_agents.device import (
    Answering,
    Commanded,
    Decoder,
    FrameError,
    FrameReason,
    Greeter,
    Order,
    Reading,
    Ticking,
)
from edge_agents.failpoint import hit
from edge_agents.ports import ByteLink, Clock, Intake, OnEvent, ReadingLink, WritableLink
from edge_agents.probe import backoff
from gateway.contract.envelope import Instant

STABLE_SECONDS: Final = 10.0  # a link that held this long is tried again quickly
INTERNAL_ERROR: Final = "internal-error"  # the reason of a refusal: our fault, not the device's


class Feed:
    """Carries one device for the life of the agent."""

    def __init__(
        self,
        device: DeviceConfig,
        link: ByteLink | ReadingLink,
        decoder: Decoder | None,
        *,
        intake: Intake,
        on_event: OnEvent,
        clock: Clock,
        rng: random.Random,
    ) -> None:
        """``decoder`` is None for a link that yields readings itself. The decoder outlives reconnects."""
        self.device = device
        self._link = link
        self._decoder = decoder
        self._intake = intake
        self._on_event = on_event
        self._clock = clock
        self._rng = rng
        self._connected: bool | None = None
        self._heard_at = clock.monotonic()
        self._silent: bool | None = None  # None: this process has neither missed it nor heard it yet
        self._gave_data = False
        self._makes_sense = True  # the last that was found in its bytes was not only refusals

    async def run(self) -> None:
        """Carry readings, reconnecting with backoff; returns only when a recording has been played to its end."""
        attempt = 0
        while True:
            started = self._clock.monotonic()
            self._gave_data = good = False
            reason = "closed by the device"
            try:
                await self._carry()
                good = self._gave_data
                if self._decoder is None:
                    reason = "end of recording"
            except (OSError, TimeoutError) as error:
                reason = str(error) or type(error).__name__
                good = self._gave_data
            except Exception as error:  # noqa: BLE001 - a fault in one device's link must not end the agent; it is told
                reason = repr(error)
            self._set_connected(False, reason)
            if reason == "end of recording":
                return
            attempt = 0 if good or self._clock.monotonic() - started > STABLE_SECONDS else attempt + 1
            await asyncio.sleep(backoff(attempt, self._rng))

    async def carry_out(self, order: Order) -> bytes | None:
        """Writes an order's frames; None when all was read back as expected, else what was read: it stops there.

        Raises:
            OSError: the device is not connected, did not answer or refused.
        """
        if not isinstance(self._link, WritableLink):
            raise OSError("the device cannot be written to")
        for frame, expected in zip(order.writes, order.expect, strict=True):
            if (read := await self._link.write(frame)) != expected:
                return read
        return None

    @property
    def commanded(self) -> Commanded | None:
        """The device's own judge of commands; None when it takes none."""
        decoder: object = self._decoder
        return decoder if isinstance(decoder, Commanded) else None

    def check_silence(self, now: float) -> None:
        """Report once when nothing has come for the device's ``silent_after`` seconds (connected or not).

        A decoder that gathers, or watches many things by itself, says what it has to say now.
        """
        limit = self.device.silent_after
        if limit and not self._silent and now - self._heard_at > limit:
            self._silent = True
            self._on_event("device-silent", {"device": self.device.name, "state": "silent", "after_s": limit})
        if isinstance(self._decoder, Ticking):
            for reading in self._tick(self._decoder):
                self._take(reading)

    async def _carry(self) -> None:
        if self._decoder is None:
            async with aclosing(cast("ReadingLink", self._link).readings()) as readings:
                async for reading in readings:
                    self._gave_data = True
                    self._heard()
                    await self._intake.room()
                    self._take(reading)
            return
        async with aclosing(cast("ByteLink", self._link).stream()) as stream:
            async for data, received_at in stream:
                self._set_connected(True, "")
                if not data:
                    await self._greet(received_at)
                else:
                    self._gave_data = True
                    await self._intake.room()
                    for item in self._decode(self._decoder, data, received_at):
                        self._take(item)
                    await self._answer()

    def _decode(self, decoder: Decoder, data: bytes, received_at: Instant) -> list[Reading | FrameError]:
        """What the bytes say. A fault in one device's file must not end the agent: it is a refusal of these bytes."""
        try:
            items = decoder.feed(data, received_at)
        except Exception:  # noqa: BLE001 - counted, and the bytes kept
            self._intake.refuse(self.device.name, INTERNAL_ERROR, data)
            self._makes_sense = False
            return []
        if items:
            self._makes_sense = any(_speaks(item) for item in items)
        # Nothing found is no news from a device that makes sense, or a piece of the next frame to be refused.
        if self._makes_sense or (not items and isinstance(decoder, Ticking)):
            self._heard()
        return items

    def _tick(self, decoder: Ticking) -> list[Reading]:
        try:
            return decoder.tick(self._clock.now())
        except Exception as error:  # noqa: BLE001 - as above; there are no bytes to keep
            self._intake.refuse(self.device.name, INTERNAL_ERROR, repr(error).encode())
            return []

    async def _answer(self) -> None:
        """An acknowledgement is a promise: what it is for is kept first."""
        if not (isinstance(self._decoder, Answering) and isinstance(self._link, WritableLink)):
            return
        if answer := self._decoder.answers():
            await self._intake.kept()
            await self._link.write(answer)

    async def _greet(self, now: Instant) -> None:
        if isinstance(self._decoder, Greeter) and isinstance(self._link, WritableLink):
            for frame in self._decoder.greet(now):
                await self._link.write(frame)

    def _take(self, item: Reading | FrameError) -> None:
        if isinstance(item, FrameError):
            self._intake.refuse(self.device.name, item.reason.value, item.frame)
            return
        hit("after-decode")
        self._intake.accept(self.device.name, item)

    def _heard(self) -> None:
        self._set_connected(True, "")
        self._heard_at = self._clock.monotonic()
        if self._silent is not False and self.device.silent_after:
            # Said at the first word after a start too: a process before this one may have reported it silent.
            self._silent = False
            self._on_event("device-silent", {"device": self.device.name, "state": "speaking"})

    def _set_connected(self, connected: bool, reason: str) -> None:
        if connected is self._connected:
            return
        self._connected = connected
        details = {"device": self.device.name, "state": "connected" if connected else "disconnected"}
        self._on_event("device-link", details | ({"reason": reason} if reason else {}))


def _speaks(item: Reading | FrameError) -> bool:
    """Whether the device works, as far as can be heard; so does a receiver that sees no sky."""
    return not isinstance(item, FrameError) or item.reason is FrameReason.NO_FIX
