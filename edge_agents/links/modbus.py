"""Modbus: ``modbus+tcp://host:port?unit=3&timeout=0.5`` or ``modbus+rtu:///dev/ttyX?baud=9600&parity=N&unit=3``.

Every `Poll` of the device at its own interval; one frame an answer (edge_agents.protocol.modbus_frame). An exception
is an answer too: its frame has the function + 0x80 and the exception code as its only data. A unit counts as connected
from its first answer on. One missing answer is passed over, three in a row end the stream: then the agent tries again,
less and less often, so that a dead unit costs its line one timeout now and then. What the unit is it is asked with Read
Device Identification (function 43/14), which many do not know.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final
from urllib.parse import parse_qs, urlsplit

from edge_agents.links.modbus_answer import EXCEPTION, IDENTIFY, NOT_THERE, WRITES, Request, identity
from edge_agents.links.modbus_bus import Bus, NoAnswer, Refused, TcpBus, Wires, line
from edge_agents.links.modbus_turns import Rank
from edge_agents.ports import Clock
from edge_agents.protocol import MODBUS_HEAD, Modbus, Poll, modbus_frame
from gateway.contract.envelope import Instant

DEFAULT_TIMEOUT: Final = 0.5
MISSING_IN_A_ROW: Final = 3
_READS_BACK: Final = {5: 1, 15: 1, 6: 3, 16: 3}


class ModbusLink:
    """One unit on a bus."""

    def __init__(self, bus: Bus, unit: int, timeout: float, protocol: Modbus, clock: Clock) -> None:
        self._bus = bus
        self._unit = unit
        self._timeout = timeout
        self._polls = protocol.polls
        self._clock = clock
        self._streaming = False
        self._missing = 0  # answers in a row
        self._tells_identity = True  # as long as it has answered that question
        self.timeouts = 0  # in all

    async def stream(self) -> AsyncGenerator[tuple[bytes, Instant], None]:
        """See edge_agents.ports.ByteLink; a frame's time is that of its answer."""
        async with self._bus.session(), aclosing(self._schedule()) as polls:
            try:
                async for poll in polls:
                    frame = await self._read(poll)
                    if frame is None:
                        continue
                    if not self._streaming:
                        self._streaming = True
                        yield b"", self._clock.now()
                    yield frame, self._clock.now()
            finally:
                self._streaming = False

    async def write(self, frame: bytes) -> bytes:
        """See edge_agents.ports.WritableLink: writes with function 5, 6, 15 or 16, then reads the same back."""
        unit, function, address, count = MODBUS_HEAD.unpack_from(frame)
        request = Request(unit, function, address, count, frame[MODBUS_HEAD.size :])
        size = (count + 7) // 8 if function == 15 else 2 * count
        if unit != self._unit or function not in WRITES or len(request.data) != size:
            raise OSError(f"unit {self._unit} is not written to with {frame.hex()}")
        if not self._streaming:
            raise OSError("not connected")
        back = Request(unit, _READS_BACK[function], address, count)
        try:
            await self._bus.ask(request, self._timeout, Rank.WRITE)
            data = await self._bus.ask(back, self._timeout, Rank.WRITE)
        except Refused as refusal:
            if refusal.code in NOT_THERE:  # the word of a gateway before it, not its own
                raise NoAnswer(str(refusal)) from refusal
            raise
        return modbus_frame(unit, back.function, address, count, data)

    async def identify(self) -> dict[str, str]:
        """See edge_agents.ports.IdentifyingLink; one that does not know the question is not asked again."""
        if not self._tells_identity:
            return {}
        try:
            return identity(await self._bus.ask(Request(self._unit, IDENTIFY, 0, 0), self._timeout, Rank.DOUBTFUL))
        except (NoAnswer, Refused):
            self._tells_identity = False
            return {}

    async def _schedule(self) -> AsyncGenerator[Poll, None]:
        """Polls when they are due; what could not be done in time is left out, not made up for."""
        now = self._clock.monotonic()
        due = [now] * len(self._polls)
        while True:
            number = min(range(len(due)), key=due.__getitem__)
            await asyncio.sleep(max(0.0, due[number] - self._clock.monotonic()))
            yield self._polls[number]
            due[number] = max(due[number] + self._polls[number].every, self._clock.monotonic())

    async def _read(self, poll: Poll) -> bytes | None:
        """The poll's answer as a frame; None when it is missing and may be."""
        request = Request(self._unit, poll.function, poll.address, poll.count)
        rank = Rank.LIVE if self._streaming and not self._missing else Rank.DOUBTFUL
        try:
            data = await self._bus.ask(request, self._timeout, rank)
        except Refused as refusal:
            if refusal.code in NOT_THERE:
                raise
            self._missing = 0
            return modbus_frame(self._unit, poll.function | EXCEPTION, poll.address, poll.count, bytes((refusal.code,)))
        except NoAnswer:
            self._missing += 1
            self.timeouts += 1
            if not self._streaming or self._missing >= MISSING_IN_A_ROW:
                raise
            return None
        self._missing = 0
        return modbus_frame(self._unit, poll.function, poll.address, poll.count, data)


def open_link(address: str, protocol: Modbus, clock: Clock) -> ModbusLink:
    """The link an address names.

    Raises:
        ValueError: it names none.
    """
    parts = urlsplit(address)
    options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    try:
        unit = int(options.pop("unit", "1"))
        timeout = float(options.pop("timeout", DEFAULT_TIMEOUT))
        bus = _tcp(parts.hostname, parts.port) if parts.scheme == "modbus+tcp" else _rtu(parts.path, options, clock)
    except ValueError as error:
        raise ValueError(f"{address!r}: {error}") from error
    units = range(256) if isinstance(bus, TcpBus) else range(1, 248)
    if options or unit not in units or not 0 < timeout <= 60:
        raise ValueError(f"{address!r}: expected unit={units[0]}-{units[-1]}, timeout=0-60 and nothing else")
    return ModbusLink(bus, unit, timeout, protocol, clock)


def _tcp(host: str | None, port: int | None) -> Bus:
    if not host or not port:
        raise ValueError("expected modbus+tcp://host:port")
    return TcpBus(host, port)


def _rtu(path: str, options: dict[str, str], clock: Clock) -> Bus:
    baud, parity, stop = options.pop("baud", "9600"), options.pop("parity", "N"), options.pop("stop", "1")
    if not path or not baud.isdecimal() or int(baud) < 300 or parity not in {"N", "E", "O"} or stop not in {"1", "2"}:
        raise ValueError("expected modbus+rtu:///dev/ttyX?baud=9600&parity=N|E|O&stop=1|2&unit=N")
    return line(path, Wires(int(baud), parity, int(stop)), clock)
