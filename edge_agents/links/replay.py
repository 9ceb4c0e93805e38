"""A recording as a device: ``wfdb:/path/RECORD.hea?speed=1&loop=0``.

The record is read in a child process (replay_child.py), because the WFDB library brings numpy and pandas along and an
agent must stay small. ``speed=2`` plays twice as fast, ``speed=0`` as fast as the outbox takes it; ``loop=1`` for ever.
The recording is dated so that its last sample is never in the future: at ``speed=1`` it begins now.
"""

import asyncio
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

import msgspec

from edge_agents.device import Numeric, Occurrence, Reading, Waveform
from edge_agents.links.replay_wire import HEAD, Header, Kind
from edge_agents.ports import Clock
from gateway.contract.envelope import Instant

_LIMIT: Final = 256 * 1024
_TYPES: Final[dict[Kind, type[Numeric] | type[Waveform] | type[Occurrence]]] = {
    Kind.NUMERIC: Numeric,
    Kind.WAVEFORM: Waveform,
    Kind.OCCURRENCE: Occurrence,
}


class ReplayLink:
    """Plays one WFDB record."""

    def __init__(self, path: Path, speed: float, loop: bool, clock: Clock) -> None:
        """``speed``: recording seconds per second, 0 = unpaced."""
        self._path = path
        self._speed = speed
        self._loop = loop
        self._clock = clock

    async def readings(self) -> AsyncGenerator[Reading, None]:
        """See edge_agents.ports.ReadingLink. Times are the recording's own, moved to begin at the start of the play."""
        arguments = ["-m", "edge_agents.links.replay_child", str(self._path)] + (["--loop"] if self._loop else [])
        child = await asyncio.create_subprocess_exec(
            sys.executable, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, limit=_LIMIT
        )
        try:
            header = await self._header(child)
            start_at = self._start_at(header)
            started = self._clock.monotonic()
            while (item := await _receive(child)) is not None:
                reading, due = item
                await self._until(started, due)
                yield msgspec.structs.replace(reading, observed_at=start_at + reading.observed_at)
            await _check_exit(child)
        finally:
            if child.returncode is None:
                child.kill()
            await child.communicate()  # empties the pipes: without that asyncio would wait for ever

    async def _header(self, child: asyncio.subprocess.Process) -> Header:
        message = await _read(child)
        if message is None or message[0] is not Kind.HEADER:
            await _check_exit(child)
            raise OSError(f"{self._path}: the reader ended without a word")
        return msgspec.msgpack.decode(message[1], type=Header)

    def _start_at(self, header: Header) -> Instant:
        if self._loop or 0 < self._speed <= 1:
            return self._clock.now()
        played = header.duration / self._speed if self._speed else 0
        return self._clock.now() - round(header.duration - played)

    async def _until(self, started: float, due: int) -> None:
        """Wait until the recording has reached ``due`` us."""
        if self._speed:
            wait = started + due / 1e6 / self._speed - self._clock.monotonic()
            if wait > 0:
                await asyncio.sleep(wait)


async def _read(child: asyncio.subprocess.Process) -> tuple[Kind, bytes] | None:
    if child.stdout is None:
        raise OSError("the reader has no output")
    try:
        size, kind = HEAD.unpack(await child.stdout.readexactly(HEAD.size))
        return Kind(kind), await child.stdout.readexactly(size)
    except asyncio.IncompleteReadError:
        return None


async def _receive(child: asyncio.subprocess.Process) -> tuple[Reading, int] | None:
    """The next reading and when it is complete, us since the recording began; None at the end."""
    message = await _read(child)
    if message is None:
        return None
    reading = msgspec.msgpack.decode(message[1], type=_TYPES[message[0]])
    due = reading.observed_at
    if isinstance(reading, Waveform):  # a device can send a frame only when its last sample has been taken
        due += round(len(reading.samples) / (2 * len(reading.leads)) * 1e6 / reading.fs)
    return reading, due


async def _check_exit(child: asyncio.subprocess.Process) -> None:
    code = await child.wait()
    if code:
        text = (await child.stderr.read()).decode(errors="replace").strip() if child.stderr else ""
        raise OSError(text.rpartition("\n")[2] or f"the reader ended with code {code}")


def open_link(address: str, _protocol: None, clock: Clock) -> ReplayLink:
    """The link a ``wfdb:`` address names; a recording is no device and has no protocol.

    Raises:
        ValueError: no such record, or a speed that is not a number >= 0.
    """
    parts = urlsplit(address)
    options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    path = Path(parts.path if parts.path.endswith(".hea") else parts.path + ".hea")
    if not path.exists():
        raise ValueError(f"no such record: {path}")
    speed = float(options.get("speed", "1"))
    if not speed >= 0:
        raise ValueError(f"speed {speed} is not a number from 0 on")
    return ReplayLink(path, speed, options.get("loop", "0") not in {"0", "false", ""}, clock)
