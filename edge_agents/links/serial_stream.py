"""Bytes from a device: ``tcp://host:port`` (serial servers, simulators) or ``/dev/ttyX?baud=115200`` (a port)."""

import asyncio
import contextlib
import os
import termios
from collections.abc import AsyncGenerator
from typing import Final
from urllib.parse import parse_qs, urlsplit

from edge_agents.ports import ByteLink, Clock
from edge_agents.protocol import Stream
from edge_agents.scaled_clock import machine_seconds
from gateway.contract.envelope import Instant

CHUNK: Final = 64 * 1024
CONNECT_SECONDS: Final = 10.0
WRITE_SECONDS: Final = 10.0
_TTY_CHUNK: Final = 4096


class TcpLink:
    """A device behind a TCP server."""

    def __init__(self, host: str, port: int, clock: Clock) -> None:
        self._host = host
        self._port = port
        self._clock = clock
        self._writer: asyncio.StreamWriter | None = None

    async def stream(self) -> AsyncGenerator[tuple[bytes, Instant], None]:
        """See edge_agents.ports.ByteLink."""
        async with asyncio.timeout(machine_seconds(CONNECT_SECONDS)):
            reader, writer = await asyncio.open_connection(self._host, self._port, limit=CHUNK)
        self._writer = writer
        try:
            yield b"", self._clock.now()
            while data := await reader.read(CHUNK):
                yield data, self._clock.now()
        finally:
            self._writer = None
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def write(self, frame: bytes) -> bytes:
        """See edge_agents.ports.WritableLink; a byte stream has no reading back."""
        if self._writer is None:
            raise ConnectionError("not connected")
        self._writer.write(frame)
        async with asyncio.timeout(machine_seconds(WRITE_SECONDS)):
            await self._writer.drain()
        return b""


class TtyLink:
    """A device at a serial port: 8 data bits, no parity, one stop bit, no flow control."""

    def __init__(self, path: str, baud: int, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._handle: int | None = None
        try:
            self._speed = int(getattr(termios, f"B{baud}"))
        except AttributeError as error:
            raise ValueError(f"{path}: no such speed as {baud} baud") from error

    async def stream(self) -> AsyncGenerator[tuple[bytes, Instant], None]:
        """See edge_agents.ports.ByteLink."""
        handle = os.open(self._path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
        loop = asyncio.get_running_loop()
        readable = asyncio.Event()
        try:
            self._set_raw(handle)
            loop.add_reader(handle, readable.set)
            self._handle = handle
            yield b"", self._clock.now()
            while True:
                await readable.wait()
                readable.clear()
                with contextlib.suppress(BlockingIOError):
                    data = os.read(handle, _TTY_CHUNK)
                    if not data:  # hung up
                        return
                    yield data, self._clock.now()
        finally:
            self._handle = None
            loop.remove_reader(handle)
            os.close(handle)

    async def write(self, frame: bytes) -> bytes:
        """See edge_agents.ports.WritableLink; a byte stream has no reading back."""
        if self._handle is None:
            raise ConnectionError("not connected")
        async with asyncio.timeout(machine_seconds(WRITE_SECONDS)):
            while frame:
                try:
                    frame = frame[os.write(self._handle, frame) :]
                except BlockingIOError:
                    await self._writable(self._handle)
        return b""

    @staticmethod
    async def _writable(handle: int) -> None:
        loop, writable = asyncio.get_running_loop(), asyncio.Event()
        loop.add_writer(handle, writable.set)
        try:
            await writable.wait()
        finally:
            loop.remove_writer(handle)

    def _set_raw(self, handle: int) -> None:
        if not os.isatty(handle):
            return
        try:
            self._set_line(handle)
        except termios.error as error:  # no OSError, though it is made like one
            raise OSError(*error.args) from error

    def _set_line(self, handle: int) -> None:
        state = termios.tcgetattr(handle)
        control = list(state[6])
        control[termios.VMIN], control[termios.VTIME] = 1, 0
        flags = termios.CS8 | termios.CREAD | termios.CLOCAL
        state[:] = [0, 0, flags, 0, self._speed, self._speed, control]
        termios.tcsetattr(handle, termios.TCSANOW, state)
        termios.tcflush(handle, termios.TCIFLUSH)


def open_link(address: str, protocol: Stream, clock: Clock) -> ByteLink:
    """The link an address names.

    Raises:
        ValueError: it names none.
    """
    parts = urlsplit(address)
    if parts.scheme == "tcp" and parts.hostname and parts.port:
        return TcpLink(parts.hostname, parts.port, clock)
    if address.startswith("/"):
        baud = parse_qs(parts.query).get("baud", [str(protocol.baud)])[0]
        return TtyLink(parts.path, int(baud), clock)
    raise ValueError(f"{address!r} is neither tcp://host:port nor a device path")
