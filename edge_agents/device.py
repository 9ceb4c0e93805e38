"""What a device file provides: ``KIND``, ``PROTOCOL``, ``YIELDS``, ``encode`` and a ``Decoder``.

A device file never reads a clock, a socket or a log: bytes and times come in, readings and errors go out.
"""

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any, Final, Protocol, runtime_checkable

import msgspec

from edge_agents import protocol
from gateway.contract.envelope import Instant

# The event by which a device says what it is; details, as far as it knows them: maker, model, serial, firmware.
INFORMATION_EVENT: Final = "device-information"


class Numeric(msgspec.Struct, frozen=True, kw_only=True):
    """Values of one instant: quantity name to value in that quantity's unit, None = cannot be measured now."""

    observed_at: Instant
    values: dict[str, float | None]
    invalid: dict[str, str] = {}
    # Technical conditions (gateway.contract.condition, as "code" or "code/part") the device states with this reading;
    # None = it says nothing about them. The agent reports what changes.
    conditions: frozenset[str] | None = None
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


class Yields(msgspec.Struct, frozen=True):
    """Everything a device may say: quantities, leads, events, technical conditions, and the commands it takes."""

    quantities: tuple[str, ...] = ()
    leads: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()


class FrameReason(StrEnum):
    """Why bytes from a device were refused."""

    CHECKSUM = "bad-checksum"
    LENGTH = "bad-length"
    SYNTAX = "bad-syntax"
    UNKNOWN_TYPE = "unknown-type"
    OUT_OF_RANGE = "out-of-range"
    NO_FIX = "no-fix"
    NOISE = "noise"  # bytes between frames
    EXCEPTION = "device-exception"  # a Modbus exception: the device refuses the question
    ENCRYPTED = "encrypted"  # a frame that needs a key this decoder does not have


class FrameError(ValueError):
    """Bytes a decoder refused; the decoder goes on with the next frame."""

    def __init__(self, reason: FrameReason, frame: bytes, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail or frame[:32].hex()}")
        self.reason = reason
        self.frame = frame


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """A remote command in the device's own frames; carried out only if every read-back is what was expected."""

    writes: tuple[bytes, ...]
    expect: tuple[bytes, ...]  # what the link must read back after each write
    result: dict[str, Any]  # what the person is told then


class CommandRefused(ValueError):
    """A device file does not let the command through; the text is the reason code of the reply."""


class Decoder(Protocol):
    """One device's frames to readings; keeps only what it needs to find frame borders and to judge commands.

    It may also offer ``greet() -> tuple[bytes, ...]``, frames to write after each connect,
    ``answers() -> bytes``, what to write back after a `feed`, ``order(name, arguments) -> Order``, which raises
    CommandRefused, ``tick(now) -> list[Reading]``, and ``had()`` with ``recall(frames)``; see `Greeter`, `Answering`,
    `Commanded`, `Ticking` and `Recalling`.

    What a site may set (``options`` and ``secrets`` of the profile's row) are keyword arguments of the constructor, all
    with a default; a ValueError of it says what was expected.
    """

    def feed(self, data: bytes, received_at: Instant) -> list[Reading | FrameError]:
        """Every complete frame in what has arrived so far, in order; refused frames as errors, never raised.

        ``received_at``: the agent's clock when ``data`` arrived, for devices that have no clock of their own.
        """
        ...


@runtime_checkable
class Greeter(Protocol):
    """A decoder whose device must be asked before it speaks (a record access procedure, a clock to set)."""

    def greet(self, now: Instant) -> tuple[bytes, ...]:
        """Frames to write once connected."""
        ...


@runtime_checkable
class Answering(Protocol):
    """A decoder whose device waits for an answer to what it sent (an acknowledgement of each frame)."""

    def answers(self) -> bytes:
        """What is to be written now, once; b"" when nothing is."""
        ...


@runtime_checkable
class Ticking(Protocol):
    """A decoder that also speaks because time has passed: it gathers, or notices that something fell silent."""

    def tick(self, now: Instant) -> list[Reading]:
        """What there is to say now; called about once a second, connected or not."""
        ...


@runtime_checkable
class Recalling(Protocol):
    """A decoder whose device keeps its measurements and may give them again: each counts once, over restarts too."""

    def had(self) -> list[bytes]:
        """Frames of measurements that must not count again, since the last call."""
        ...

    def recall(self, frames: Iterable[bytes]) -> None:
        """What `had` said in earlier lives, the oldest first; called once, before anything is fed."""
        ...


@runtime_checkable
class Commanded(Protocol):
    """A decoder whose device takes remote commands."""

    def order(self, name: str, arguments: dict[str, Any], now: Instant) -> Order:
        """The command in frames.

        Raises:
            CommandRefused: unknown, outside safe limits, or not safe in the device's present state.
        """
        ...


class DeviceKind(Protocol):
    """What a module of edge_agents.devices offers."""

    KIND: str  # the module's name
    PROTOCOL: protocol.Protocol
    YIELDS: Yields
    Decoder: type[Decoder]
    encode: Callable[[Reading], bytes]
