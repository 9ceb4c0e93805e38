"""What the gateway may ask of this unit or of a device behind it. One id is carried out at most once.

    cmd -> known? -> the same reply again
            |
            new -> noted -> judged: in time? known? allowed? -> order() -> write, read back, compare -> noted -> reply
                            agent                               device file   link

A sustained command (bed motion) writes once and no more: the device's own watchdog ends the motion within a second,
and so does a link that is lost, because nothing is written then.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final, Protocol

from edge_agents.config import DeviceConfig
from edge_agents.device import Commanded, CommandRefused, Order
from edge_agents.failpoint import hit
from edge_agents.link_gauge import LinkGauge
from edge_agents.ports import NoAnswer, Refused
from edge_agents.reply_book import INTERRUPTED, ReplyBook
from edge_agents.scaled_clock import machine_seconds
from gateway.contract.envelope import DeviceState, Epoch, Instant, LinkMode
from gateway.contract.observation import SUSTAINED, SUSTAINED_SECONDS, Command, Reply

MAX_RUNNING: Final = 16  # the gateway sends the others again
ANSWER_SECONDS: Final = 10.0  # for all frames of one order
_MODES: Final = {"auto": None, "full": LinkMode.FULL, "weak": LinkMode.WEAK}
Outcome = tuple[str, dict[str, Any]]  # (refusal or "", result)


class Target(Protocol):
    """A device commands may go to: `edge_agents.feed.Feed`."""

    device: DeviceConfig

    @property
    def state(self) -> DeviceState:
        """As the unit's hello tells it."""
        ...

    @property
    def commanded(self) -> Commanded | None:
        """The device's own judge of commands; None when it takes none."""
        ...

    async def carry_out(self, order: Order) -> bytes | None:
        """Writes an order's frames; None when all was read back as expected, else what was read.

        Raises:
            OSError: the device is not connected, did not answer or refused.
        """
        ...


class Commands:
    """Carries commands out, those of one device one after the other, and replies to each repetition alike."""

    def __init__(
        self,
        epoch: Epoch,
        gauge: LinkGauge,
        *,
        book: ReplyBook,
        targets: Mapping[str, Target],
        clock: Callable[[], Instant],
        gateway_clock: Callable[[], Instant | None],
        reply: Callable[[Reply], None],
    ) -> None:
        """``clock`` is the one readings go by, for devices to judge how old their state is.

        ``gateway_clock`` says the latest the gateway's clock can show, to judge expiry; None while it is not measured.
        """
        self._epoch = epoch
        self._gauge = gauge
        self._book = book
        self._targets = targets
        self._clock = clock
        self._gateway_clock = gateway_clock
        self._reply = reply
        self._running: dict[str, asyncio.Task[None]] = {}
        self._turns = {name: asyncio.Lock() for name in ("", *targets)}

    def take(self, command: Command) -> None:
        """A command arrived (again)."""
        if command.id in self._running:
            return
        if (known := self._book.get(command.id)) is not None:
            self._reply(known)
        elif len(self._running) < MAX_RUNNING:
            self._running[command.id] = asyncio.create_task(self._run(command), name=f"command {command.name}")

    async def _run(self, command: Command) -> None:
        try:
            async with self._turns[command.device if command.device in self._targets else ""]:
                now = self._gateway_clock()
                if now is None:
                    return  # whether it has expired cannot be told yet; it will be sent again
                reply = await self._carry_out(command, now)
        finally:
            del self._running[command.id]
        self._reply(reply)

    async def _carry_out(self, command: Command, now: Instant) -> Reply:
        refusal = self._judge(command, now)
        if refusal:
            reply = self._make(command, (refusal, {}))
        else:
            try:
                await self._book.note(self._make(command, (INTERRUPTED, {})))
            except OSError as error:
                outcome: Outcome = ("not-recorded", {"error": str(error)})
            else:
                hit("command-begun")
                outcome = self._execute(command) if not command.device else await self._order(command)
                hit("command-done")
            reply = self._make(command, outcome)
        with suppress(OSError):  # it has been done all the same, and this process remembers
            await self._book.note(reply)
        return reply

    def _judge(self, command: Command, now: Instant) -> str:
        """Why it is not even tried; "" = it is."""
        if now >= command.expires_at:
            return "expired"
        if not command.device:
            return ""
        target = self._targets.get(command.device)
        if target is None:
            return "unknown-device"
        if command.name in SUSTAINED and not target.device.motion:
            return "motion-off"
        if command.name in SUSTAINED and command.expires_at - now > SUSTAINED_SECONDS * 1_000_000:
            return "expiry-too-long"
        return ""

    def _execute(self, command: Command) -> Outcome:
        """A command to the agent itself."""
        if command.name != "link-mode":
            return "unknown-command", {}
        mode = command.arguments.get("mode")
        if not isinstance(mode, str) or mode not in _MODES:
            return "bad-argument", {}
        self._gauge.override = _MODES[mode]
        return "", {"mode": mode}

    async def _order(self, command: Command) -> Outcome:
        """A command to a device: its own file judges it, its link reads back."""
        target = self._targets[command.device]
        judge = target.commanded
        if judge is None:
            return "unknown-command", {}
        try:
            order = judge.order(command.name, command.arguments, self._clock())
            async with asyncio.timeout(machine_seconds(ANSWER_SECONDS)):
                different = await target.carry_out(order)
        except CommandRefused as refusal:
            return str(refusal), {}
        except OSError as error:
            return _trouble(error), {"error": str(error)} if str(error) else {}
        except Exception as error:  # noqa: BLE001 - a fault in one device's file must not end the agent; it is reported
            return "internal-error", {"error": repr(error)}
        return ("", order.result) if different is None else ("read-back-differs", {"read": different.hex()})

    def _make(self, command: Command, outcome: Outcome) -> Reply:
        refusal, result = outcome
        return Reply(id=command.id, epoch=self._epoch, accepted=not refusal, reason=refusal, result=result)


def _trouble(error: OSError) -> str:
    """What went wrong with a link while it carried an order out."""
    if isinstance(error, NoAnswer | TimeoutError):
        return "no-answer"
    return "device-refused" if isinstance(error, Refused) else "device-offline"
