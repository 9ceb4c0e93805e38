"""A TCP proxy that behaves like bad 5G: delay, jitter, rate limit, damage, silence and cuts, changed while it runs.

::

    client  --take--> queue (at most 64 chunks) --give--> upstream      "up"
    client <--give--  queue (at most 64 chunks) <--take-- upstream      "down"

Back-pressure is kept: a full queue stops reading. Silence (``stall``) holds bytes and the ends of connections and
lets them go later, as TCP does over a link that comes back; ``half_open`` freezes the present connections for ever
and tells neither side. One setting per direction for all connections, since they share the radio.
"""

import asyncio
import contextlib
import json
import random
import socket
import struct
from collections.abc import AsyncIterator
from typing import Any, Final, Literal, Self

import msgspec

from firmware_sims.clock import steady

CHUNK: Final = 16 * 1024
QUEUED_CHUNKS: Final = 64
MAX_CONNECTIONS: Final = 4096
SLICE_S: Final = 0.02  # of a limited rate is sent at once
MAX_REQUEST: Final = 64 * 1024


class Settings(msgspec.Struct, forbid_unknown_fields=True):
    """What happens to one direction."""

    delay_ms: float = 0.0
    jitter_ms: float = 0.0  # added to the delay, evenly from 0 to this; the order of bytes stays
    rate: float = 0.0  # bytes per second of all connections together; 0 = no limit
    corrupt: float = 0.0  # probability that a byte is changed
    stall: bool = False  # nothing passes; nothing is lost


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of the control connection; the reply is the state after it."""

    set: dict[str, dict[str, Any]] = {}  # up, down: fields of Settings; others stay as they are
    cut: bool | Literal["rst", "fin"] = False  # ends all connections; true = rst
    half_open: bool = False  # freezes the present connections
    refuse: bool | None = None  # reset new connections at once
    clear: bool = False  # all settings back to none, before ``set``; frozen connections stay frozen
    stats: bool = False  # only ask


class Way:
    """One direction: settings, gate, token bucket, damage, counters."""

    def __init__(self, seed: int) -> None:
        self.settings = Settings()
        self.bytes = 0
        self.corrupted = 0
        self.open = asyncio.Event()
        self.open.set()
        self._random = random.Random(seed)
        self._free_at = 0.0  # when the radio has sent what was given to it

    def change(self, settings: Settings) -> None:
        """Puts new settings in force for what has not been sent yet."""
        self.settings = settings
        self._free_at = 0.0
        if settings.stall:
            self.open.clear()
        else:
            self.open.set()

    def delay(self) -> float:
        """How long the next chunk travels, s."""
        return (self.settings.delay_ms + self._random.uniform(0, self.settings.jitter_ms)) / 1000

    async def slices(self, data: bytes) -> AsyncIterator[bytes]:
        """The chunk, damaged, in pieces at the pace of the radio."""
        data = self._damage(data)
        while data:
            rate = self.settings.rate
            size = max(1, int(rate * SLICE_S)) if rate else len(data)
            piece, data = data[:size], data[size:]
            if rate:
                await self._turn(len(piece) / rate)
            await self.open.wait()
            self.bytes += len(piece)
            yield piece

    async def _turn(self, seconds: float) -> None:
        now = steady()
        self._free_at = max(now, self._free_at) + seconds
        await asyncio.sleep(self._free_at - now)

    def _damage(self, data: bytes) -> bytes:
        if not self.settings.corrupt:
            return data
        damaged = bytearray(data)
        for i in range(len(damaged)):
            if self._random.random() < self.settings.corrupt:
                damaged[i] ^= self._random.randrange(1, 256)
                self.corrupted += 1
        return bytes(damaged)


class Connection:
    """A client and its upstream."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.writers = [writer]
        self.live = asyncio.Event()  # cleared = frozen
        self.live.set()
        self.ending = False
        self.task = asyncio.current_task()

    def end(self, reset: bool) -> None:
        """Ends both sides, with a reset or in good order; can be repeated."""
        self.ending = True
        for writer in self.writers:
            if reset:
                reset_on_close(writer)
                writer.transport.abort()
            else:
                writer.close()
        if self.task is not None and self.task is not asyncio.current_task():
            self.task.cancel()


class FaultProxy:
    """The proxy and its control port. Use as a context: closing resets all connections."""

    def __init__(self, upstream: tuple[str, int], seed: int = 0) -> None:
        self.ways = {"up": Way(seed), "down": Way(seed + 1)}
        self.port = 0
        self.control_port = 0
        self._upstream = upstream
        self._connections: dict[Connection, None] = {}  # in order of their coming
        self._accepted = 0
        self._refuse = False
        self._servers: list[asyncio.Server] = []
        self._controls: dict[asyncio.StreamWriter, asyncio.Task[None] | None] = {}

    async def listen(self, host: str, port: int, control_port: int = 0) -> None:
        """Opens both ports; 0 takes free ones. Raises OSError."""
        server = await asyncio.start_server(self._serve, host, port, limit=CHUNK)
        control = await asyncio.start_server(self._control, host, control_port, limit=MAX_REQUEST)
        self._servers = [server, control]
        self.port, self.control_port = (s.sockets[0].getsockname()[1] for s in self._servers)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for server in self._servers:
            server.close()
        tasks = [connection.task for connection in self._connections] + list(self._controls.values())
        self._end_all(reset=True)
        for writer in self._controls:
            writer.transport.abort()
        await asyncio.gather(*(task for task in tasks if task is not None), return_exceptions=True)

    def apply(self, request: Request) -> dict[str, Any]:
        """Does what a request asks and returns the state. Raises ValueError for settings that cannot be."""
        bases = {name: Settings() if request.clear else way.settings for name, way in self.ways.items()}
        if unknown := request.set.keys() - self.ways.keys():
            raise ValueError(f"no such direction: {sorted(unknown)}")
        wanted = {name: _changed(base, request.set.get(name, {})) for name, base in bases.items()}
        for name, settings in wanted.items():
            if settings != self.ways[name].settings:
                self.ways[name].change(settings)
        if request.refuse is not None or request.clear:
            self._refuse = bool(request.refuse)
        if request.half_open:
            for connection in self._connections:
                connection.live.clear()
        if request.cut:
            self._end_all(reset=request.cut != "fin")
        return self.state()

    def state(self) -> dict[str, Any]:
        """Counters and settings."""
        ways = {
            name: {**msgspec.structs.asdict(way.settings), "bytes": way.bytes, "corrupted": way.corrupted}
            for name, way in self.ways.items()
        }
        frozen = sum(not connection.live.is_set() for connection in self._connections)
        counts = {"accepted": self._accepted, "open": len(self._connections), "frozen": frozen}
        return {**ways, "connections": counts, "refuse": self._refuse}

    def _end_all(self, reset: bool) -> None:
        for connection in list(self._connections):
            connection.end(reset)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(writer)
        if self._refuse or len(self._connections) >= MAX_CONNECTIONS:
            connection.end(reset=True)
            return
        self._connections[connection] = None
        self._accepted += 1
        try:
            await self._join(connection, reader, writer)
        except asyncio.CancelledError:
            if not connection.ending:
                connection.end(reset=True)
                raise
        finally:
            self._connections.pop(connection, None)

    async def _join(self, connection: Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Opens the upstream when the radio works in both directions, and pumps until both directions have ended."""
        for way in self.ways.values():
            await way.open.wait()
        await connection.live.wait()
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._upstream, limit=CHUNK)
        except OSError:
            connection.end(reset=True)  # as the client would see it without a proxy
            return
        connection.writers.append(far_writer)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._pump(connection, self.ways["up"], reader, far_writer), name="up")
            group.create_task(self._pump(connection, self.ways["down"], far_reader, writer), name="down")
        connection.end(reset=False)

    async def _pump(
        self, connection: Connection, way: Way, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        queue: asyncio.Queue[tuple[float, bytes | None]] = asyncio.Queue(QUEUED_CHUNKS)
        async with asyncio.TaskGroup() as group:
            group.create_task(_take(way, reader, queue), name="take")
            group.create_task(_give(connection, way, queue, writer), name="give")

    async def _control(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One JSON request a line, one JSON reply a line."""
        self._controls[writer] = asyncio.current_task()
        with contextlib.suppress(ConnectionError):
            while line := await reader.readline():
                try:
                    reply = self.apply(msgspec.json.decode(line, type=Request))
                except ValueError as error:  # DecodeError and ValidationError are ValueErrors
                    reply = {"error": str(error)}
                writer.write(json.dumps(reply).encode() + b"\n")
                await writer.drain()
        del self._controls[writer]
        writer.close()


async def _take(way: Way, reader: asyncio.StreamReader, queue: asyncio.Queue[tuple[float, bytes | None]]) -> None:
    """Reads chunks and notes when each arrives; b"" is the orderly end, None a reset."""
    data: bytes | None = b"."
    while data:
        try:
            data = await reader.read(CHUNK)
        except ConnectionError:
            data = None
        await queue.put((steady() + way.delay(), data))


async def _give(
    connection: Connection,
    way: Way,
    queue: asyncio.Queue[tuple[float, bytes | None]],
    writer: asyncio.StreamWriter,
) -> None:
    """Writes chunks when they are due; passes on the end of the stream."""
    while True:
        due, data = await queue.get()
        if (wait := due - steady()) > 0:
            await asyncio.sleep(wait)
        await way.open.wait()
        await connection.live.wait()
        if data is None:
            connection.end(reset=True)
        if not data:
            break
        try:
            async for piece in way.slices(data):
                await connection.live.wait()
                writer.write(piece)
                await writer.drain()
        except ConnectionError:
            connection.end(reset=True)
            return
    if not connection.ending and writer.can_write_eof():
        writer.write_eof()


def reset_on_close(writer: asyncio.StreamWriter) -> None:
    """Makes the coming close send RST in place of FIN, and drop what is not sent yet."""
    sock = writer.get_extra_info("socket")
    if sock is not None and sock.fileno() >= 0:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _changed(base: Settings, change: dict[str, Any]) -> Settings:
    """Raises ValueError for an unknown field, a wrong type or a value out of range."""
    settings = msgspec.convert({**msgspec.structs.asdict(base), **change}, Settings)
    if min(settings.delay_ms, settings.jitter_ms, settings.rate, settings.corrupt) < 0 or settings.corrupt > 1:
        raise ValueError(f"out of range: {settings}")
    return settings


def ask(address: tuple[str, int], request: dict[str, Any], timeout: float = 10.0) -> dict[str, Any]:
    """Sends one request to a proxy's control port from another process and returns its reply.

    Raises:
        OSError: nobody answers there.
        ValueError: the proxy refused the request.
    """
    with socket.create_connection(address, timeout) as connection, connection.makefile("rb") as replies:
        connection.sendall(json.dumps(request).encode() + b"\n")
        reply: dict[str, Any] = json.loads(replies.readline())
    if "error" in reply:
        raise ValueError(reply["error"])
    return reply
