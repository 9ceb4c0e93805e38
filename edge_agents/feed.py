"""One device: its link kept open, its bytes decoded, its silence noticed.

link --bytes--> decoder --> intake            connected, disconnected, silent, speaking --> events
"""

import asyncio
import random
from collections.abc import Callable
from contextlib import aclosing, suppress
from typing import Final, cast

from edge_agents.config import ConfigError, DeviceConfig
from edge_agents.device import (
    INFORMATION_EVENT,
    Answering,
    Commanded,
    Decoder,
    FrameError,
    FrameReason,
    Greeter,
    Occurrence,
    Order,
    Reading,
    Recalling,
    Ticking,
)
from edge_agents.device_memory import DeviceMemory
from edge_agents.failpoint import hit
from edge_agents.ports import (
    ByteLink,
    Clock,
    ConfirmingLink,
    IdentifyingLink,
    Intake,
    Losses,
    OnEvent,
    ReadingLink,
    WritableLink,
)
from edge_agents.probe import backoff
from gateway.contract.envelope import DeviceLink, DeviceState, Instant

STABLE_SECONDS: Final = 10.0  # a link that held this long is tried again quickly
_SHED: Final = -1  # not all that the bytes said was taken in
INTERNAL_ERROR: Final = "internal-error"  # the reason of a refusal: our fault, not the device's


class Feed:
    """Carries one device for the life of the agent."""

    def __init__(
        self,
        device: DeviceConfig,
        link: ByteLink | ReadingLink,
        make_decoder: Callable[[], Decoder] | None,
        *,
        intake: Intake,
        on_event: OnEvent,
        clock: Clock,
        rng: random.Random,
        memory: DeviceMemory | None = None,
    ) -> None:
        """``make_decoder`` is None for a link that yields readings itself. A decoder outlives reconnects."""
        self.device = device
        self._link = link
        self._make_decoder = make_decoder
        self._memory = memory or DeviceMemory()
        self._given: list[bytes] = []  # frames of stored measurements that were accepted and are not noted as had yet
        self._given_mark = 0  # see `_mark`; theirs
        self._decoder = self._build()
        self._some_given = asyncio.Event()
        self._identity: dict[str, str] = {}  # what the link has found out
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
        noting = asyncio.create_task(self._note_had(), name=f"memory of {self.device.name}")
        try:
            await self._stay_connected()
        finally:
            noting.cancel()

    async def _stay_connected(self) -> None:
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
    def state(self) -> DeviceState:
        """As the unit's hello tells it."""
        link = None
        if self._connected is False:
            link = DeviceLink.DISCONNECTED
        elif self._connected and self._silent:
            link = DeviceLink.SILENT
        elif self._connected and (self._gave_data or isinstance(self._link, IdentifyingLink)):
            link = DeviceLink.CONNECTED  # a line that opens does not show that anything is at its other end
        name = self.device.name
        return DeviceState(device=name, kind=self.device.kind, link=link, firmware=self._memory.firmware(name))

    def settle(self) -> None:
        """All that was accepted is on the disk: the outbox has been closed."""
        self._note(len(self._given))

    def take_again(self) -> None:
        """What was given and is not noted as had may be lost: the decoder forgets it too, and it counts once more."""
        self._given.clear()
        self._replace_decoder()

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

    def _build(self) -> Decoder | None:
        """A new decoder, which knows what its device has given."""
        if self._make_decoder is None:
            return None
        decoder = self._make_decoder()
        if not isinstance(decoder, Recalling):
            return decoder
        try:
            decoder.recall([*self._memory.had(self.device.name), *self._given])
        except Exception:  # noqa: BLE001 - frames of an older version: better taken twice than an agent that does not start
            self._memory.forget_had(self.device.name)
            self._given.clear()
            return self._make_decoder()
        return decoder

    def _replace_decoder(self) -> None:
        """One that broke may break on what it holds, over and over. Its options were good when the agent started."""
        with suppress(ConfigError):  # but a secret's file may be gone
            self._decoder = self._build()

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
                    await self._identify(received_at)
                    await self._greet(received_at)
                else:
                    self._gave_data = True
                    await self._intake.room()
                    before = self._intake.losses
                    for item in self._decode(self._decoder, data, received_at):
                        self._take(item)
                    mark = self._mark(before)
                    self._collect_given(mark)
                    await self._answer(mark)
                    await self._confirm(mark)

    def _decode(self, decoder: Decoder, data: bytes, received_at: Instant) -> list[Reading | FrameError]:
        """What the bytes say. A fault in one device's file must not end the agent: it is a refusal of these bytes."""
        try:
            items = decoder.feed(data, received_at)
        except Exception:  # noqa: BLE001 - counted, and the bytes kept
            self._intake.refuse(self.device.name, INTERNAL_ERROR, data)
            self._makes_sense = False
            self._replace_decoder()
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
            self._replace_decoder()
            return []

    async def _answer(self, mark: int) -> None:
        """An acknowledgement is a promise: what it is for is kept first."""
        if not (isinstance(self._decoder, Answering) and isinstance(self._link, WritableLink)):
            return
        if answer := self._decoder.answers():
            await self._keep(mark)
            await self._link.write(answer)

    async def _confirm(self, mark: int) -> None:
        """A device may delete what is confirmed to it, as asking for the next does: so what it said is kept first."""
        if isinstance(self._link, ConfirmingLink) and self._link.unconfirmed:
            await self._keep(mark)

    def _mark(self, before: Losses) -> int:
        """What the intake's count of dropped records must still be when all is kept, if what came is to be safe."""
        return before.dropped if self._intake.losses.shed == before.shed else _SHED

    async def _keep(self, mark: int) -> None:
        """Wait until what came is on the disk.

        Raises:
            OSError: it never will be. The connection ends without a word, so that the device gives it again.
        """
        await self._intake.kept()
        if self._intake.losses.dropped != mark:
            self.take_again()
            self._gave_data = False  # tried again, but ever more slowly
            raise OSError("the outbox has no room for what the device keeps")

    def _collect_given(self, mark: int) -> None:
        if not isinstance(self._decoder, Recalling) or not (given := self._decoder.had()):
            return
        self._given_mark = mark if not self._given or mark == self._given_mark else _SHED
        self._given += given
        self._some_given.set()

    async def _note_had(self) -> None:
        """Stored measurements are noted as had when they are on the disk, and never before."""
        while True:
            await self._some_given.wait()
            self._some_given.clear()
            accepted = len(self._given)
            await self._intake.kept()
            self._note(accepted)

    def _note(self, count: int) -> None:
        if not self._given:
            return
        if self._intake.losses.dropped != self._given_mark:  # which of them was lost is not known
            self.take_again()
            return
        self._memory.note_had(self.device.name, self._given[:count])
        del self._given[:count]

    async def _identify(self, now: Instant) -> None:
        if isinstance(self._link, IdentifyingLink):
            details = await self._link.identify()
            if details and details != self._identity:
                self._identity = details
                self._take(Occurrence(observed_at=now, name=INFORMATION_EVENT, details=dict(details)))

    async def _greet(self, now: Instant) -> None:
        if isinstance(self._decoder, Greeter) and isinstance(self._link, WritableLink):
            for frame in self._decoder.greet(now):
                await self._link.write(frame)

    def _take(self, item: Reading | FrameError) -> None:
        if isinstance(item, FrameError):
            self._intake.refuse(self.device.name, item.reason.value, item.frame)
            return
        hit("after-decode")
        if isinstance(item, Occurrence) and item.name == INFORMATION_EVENT and "firmware" in item.details:
            self._memory.note_firmware(self.device.name, str(item.details["firmware"]))
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
