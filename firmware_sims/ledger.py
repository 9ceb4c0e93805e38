"""The simulator's own account of what it produced, kept outside the agent: one JSON line per fact."""

from pathlib import Path
from typing import BinaryIO, Final, Literal, TypeGuard

import msgspec

from edge_agents.device import FrameError, Numeric, Occurrence, Reading, Waveform
from gateway.contract.digest import digest_parts
from gateway.contract.envelope import Instant
from gateway.contract.topic import Channel

FLUSH_AT: Final = 1 << 20  # bytes held back at most; the owner also flushes every second
_encoder = msgspec.json.Encoder()


class ReadingLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="reading"):
    """One reading as an agent's record will hold it; ``unread``: nobody was connected to take it."""

    device: str
    channel: Channel
    observed_at: Instant
    digest: int
    unread: bool = False


class LinkLine(msgspec.Struct, frozen=True, kw_only=True, tag="link"):
    """An agent connected to the device, or went."""

    device: str
    state: Literal["up", "down"]
    at: Instant


class MoreLine(msgspec.Struct, frozen=True, kw_only=True, tag="more"):
    """Of this channel an agent makes more records than there are lines here: what it polls, or concludes itself."""

    device: str
    channel: Channel


LedgerLine = ReadingLine | LinkLine | MoreLine


def line_of(device: str, reading: Reading, unread: bool = False) -> ReadingLine:
    """The ledger's line for a reading that was decoded from the device's own bytes."""
    channel, body = _content(reading)
    digest = digest_parts(device, reading.observed_at, body)
    return ReadingLine(device=device, channel=channel, observed_at=reading.observed_at, digest=digest, unread=unread)


def is_recorded(item: Reading | FrameError) -> TypeGuard[Reading]:
    """Whether an agent makes a record of what its decoder said: not of refused bytes, nor of conditions alone."""
    return not (isinstance(item, FrameError) or (isinstance(item, Numeric) and not item.values))


def _content(reading: Reading) -> tuple[Channel, object]:
    """Channel and body of the record, as gateway.contract.digest takes them."""
    match reading:
        case Numeric():
            return Channel.OBS, reading.values
        case Occurrence():
            return Channel.EVENT, {reading.name: reading.details}
        case Waveform():
            return Channel.WAVE, reading.samples


class Ledger:
    """DIR/<unit>.jsonl, appended to; lines are held back until `flush`."""

    def __init__(self, folder: Path, unit: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file: BinaryIO = (folder / f"{unit}.jsonl").open("ab", buffering=0)
        self._held = bytearray()

    def add(self, line: LedgerLine) -> None:
        """Takes one line."""
        self._held += _encoder.encode(line)
        self._held += b"\n"
        if len(self._held) >= FLUSH_AT:
            self.flush()

    def flush(self) -> None:
        """Hands all lines to the operating system."""
        if self._held:
            self._file.write(self._held)
            self._held.clear()

    def close(self) -> None:
        """Flushes and closes."""
        self.flush()
        self._file.close()
