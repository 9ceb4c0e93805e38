"""What a device file provides: a layout, ``encode`` and a ``Decoder``.

A device file never reads a clock, a socket or a log: bytes and times come in, readings and errors go out.
"""

from enum import StrEnum
from typing import Any, Protocol

import msgspec

from gateway.contract.envelope import Instant


class Numeric(msgspec.Struct, frozen=True, kw_only=True):
    """Values of one instant: quantity name to value in that quantity's unit, None = cannot be measured now."""

    observed_at: Instant
    values: dict[str, float | None]
    invalid: dict[str, str] = {}
    test: bool = False


class Waveform(msgspec.Struct, frozen=True, kw_only=True):
    """Samples of signals read together; layout as gateway.contract.waveform.WaveFrame."""

    observed_at: Instant
    n0: int
    fs: float
    leads: tuple[str, ...]
    scale: float
    samples: bytes
    filter: str = ""
    test: bool = False


class Occurrence(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened at the device: a button, a lead that fell off, a device alarm."""

    observed_at: Instant
    name: str
    details: dict[str, Any] = {}
    test: bool = False


Reading = Numeric | Waveform | Occurrence


class FrameReason(StrEnum):
    """Why bytes from a device were refused."""

    CHECKSUM = "bad-checksum"
    LENGTH = "bad-length"
    SYNTAX = "bad-syntax"
    UNKNOWN_TYPE = "unknown-type"
    OUT_OF_RANGE = "out-of-range"
    NO_FIX = "no-fix"
    NOISE = "noise"  # bytes between frames


class FrameError(ValueError):
    """Bytes a decoder refused; the decoder goes on with the next frame."""

    def __init__(self, reason: FrameReason, frame: bytes, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail or frame[:32].hex()}")
        self.reason = reason
        self.frame = frame


class Decoder(Protocol):
    """One device's byte stream to readings; keeps only what it needs to find frame borders."""

    def feed(self, data: bytes, received_at: Instant) -> list[Reading | FrameError]:
        """Every complete frame in what has arrived so far, in order; refused frames as errors, never raised.

        ``received_at``: the agent's clock when ``data`` arrived, for devices that have no clock of their own.
        """
        ...
