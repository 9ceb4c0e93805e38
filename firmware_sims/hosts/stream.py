"""A device on a byte stream: a TCP server that sends its frames to every reader, as a serial line would.

::

    reading -> encode -> (decode own bytes -> ledger) -> every connected reader

A device that waits for answers has ``opening(world, frame) -> bytes``, what it sends of a frame at first (b"" while it
is still busy with another), and goes on in ``control``; that is also asked, with b"", when a reader connects.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

from edge_agents.device import Reading
from edge_agents.protocol import Stream
from firmware_sims.hosts.host import Cast, Stage
from firmware_sims.ledger import LinkLine, is_recorded, line_of
from firmware_sims.world import World
from gateway.contract.envelope import Instant

MAX_UNSENT: Final = 256 * 1024  # bytes a reader may lag behind; beyond it readings are lost on its line, like on a UART
LAST_WORDS: Final = 1.0  # s for a reader to take what is buffered when the simulator ends


class Host:
    """One device: its listener and whoever reads it."""

    def __init__(self, role: Cast, stage: Stage) -> None:
        self.name = role.name
        self.address = ""
        self._sim = role.sim
        self._clock = isinstance(role.device.PROTOCOL, Stream) and role.device.PROTOCOL.clock
        self._listen_host = stage.listen_host
        self._world = role.world
        self._opening: Callable[[World, bytes], bytes] | None = getattr(role.sim, "opening", None)
        self._control: Callable[[World, int, bytes], tuple[bytes, ...]] | None = getattr(role.sim, "control", None)
        self._decoder = role.sim.Decoder()
        self._ledger = stage.ledger
        self._pace = stage.pace
        self._writers: set[asyncio.StreamWriter] = set()
        self._readers: set[asyncio.Task[None]] = set()  # one per connection
        self._read = asyncio.Event()  # set while somebody is connected
        self._frames = 0
        self._server: asyncio.Server | None = None

    async def listen(self, port: int) -> None:
        """Opens the port; 0 takes a free one. Raises OSError when it is taken."""
        self._server = await asyncio.start_server(self._serve, self._listen_host, port)
        host, bound = self._server.sockets[0].getsockname()[:2]
        self.address = f"tcp://{host}:{bound}"

    async def close(self) -> None:
        """Closes the port and, after what is buffered was sent or a second has gone, the connections."""
        if self._server is not None:
            self._server.close()
        for writer in list(self._writers):
            self._gone(writer)
            try:
                await asyncio.wait_for(writer.wait_closed(), LAST_WORDS)
            except (TimeoutError, ConnectionError):
                writer.transport.abort()  # a reader that does not read
        if self._readers:
            await asyncio.wait(self._readers)  # they end because their connections have ended

    async def hand(self, reading: Reading) -> None:
        """Sends a reading to every reader and notes it in the ledger. At speed 0 waits until it is taken."""
        frame = self._sim.encode(reading, self._frames)
        self._frames += 1
        if not self._pace.speed:
            await self._read.wait()
        first = frame if self._opening is None else self._opening(self._world, frame)
        taken = [writer for writer in self._writers if self._send(writer, first)]
        if self._clock:  # else its readings bear the time at which an agent got them, which nobody here knows
            self._note(frame, reading.observed_at, unread=not taken and self._opening is None)
        if not self._pace.speed:
            for writer in taken:
                await _drain(writer)

    def _note(self, frame: bytes, at: Instant, *, unread: bool) -> None:
        """What an agent's decoder makes of the frame; a device that waits for answers keeps what nobody took."""
        for item in self._decoder.feed(frame, at):
            if is_recorded(item):  # a receiver without a fix says so, and that is no reading
                self._ledger.add(line_of(self.name, item, unread=unread))

    def _send(self, writer: asyncio.StreamWriter, frame: bytes) -> bool:
        if writer.is_closing():
            return False
        if self._pace.speed and writer.transport.get_write_buffer_size() > MAX_UNSENT:
            return False
        writer.write(frame)
        return True

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Lives as long as one connection."""
        if (task := asyncio.current_task()) is not None:
            self._readers.add(task)
            task.add_done_callback(self._readers.discard)
        self._writers.add(writer)
        self._read.set()
        self._ledger.add(LinkLine(device=self.name, state="up", at=self._pace.now()))
        try:
            self._answer(writer, b"")
            while data := await reader.read(4096):
                self._answer(writer, data)
        except ConnectionError:
            pass  # the same to a device as an orderly end: the line below records it
        finally:
            self._gone(writer)

    def _answer(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        """What the reader sent; devices that do not listen ignore it."""
        if self._control is not None:
            for frame in self._control(self._world, self._pace.passed(), data):
                self._send(writer, frame)

    def _gone(self, writer: asyncio.StreamWriter) -> None:
        """Notes the end of a connection, once."""
        if writer not in self._writers:
            return
        self._writers.discard(writer)
        if not self._writers:
            self._read.clear()
        self._ledger.add(LinkLine(device=self.name, state="down", at=self._pace.now()))
        writer.close()


async def _drain(writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):  # the reader went; its own task records that
        await writer.drain()
