"""The seams of the agent."""

from collections.abc import AsyncGenerator, Callable
from typing import Any, NamedTuple, Protocol, runtime_checkable

from edge_agents.device import Reading
from gateway.contract.envelope import Instant


class NoAnswer(OSError):
    """The device was asked and did not answer in time: what it was told to do may be done."""


class Refused(OSError):
    """The device answered that it will not."""


class Clock(Protocol):
    """What time it is; the one argument of everything that must know."""

    def now(self) -> Instant:
        """Wall time, us UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that only go forward."""
        ...


class ByteLink(Protocol):
    """A connection to a device that sends bytes; a decoder makes readings of them."""

    def stream(self) -> AsyncGenerator[tuple[bytes, Instant], None]:
        """Connect, yield (b"", now) once connected, then (bytes, when they arrived) until the device closes.

        May be called again afterwards. The caller closes the iterator to disconnect. Nothing is read while the caller
        is busy: that is the back-pressure.

        Raises:
            OSError: the device cannot be reached or the connection broke.
        """
        ...


@runtime_checkable
class WritableLink(ByteLink, Protocol):
    """A byte link whose device can be written to while ``stream`` runs."""

    async def write(self, frame: bytes) -> bytes:
        """Write one frame; returns what the device then says is there, b"" when the protocol has no reading back.

        Raises:
            NoAnswer: none in time; it may have been written.
            Refused: the device refused the write.
            OSError: not connected, or the connection broke.
        """
        ...


@runtime_checkable
class ConfirmingLink(ByteLink, Protocol):
    """A byte link whose device keeps a measurement until it is confirmed: that is when the next bytes are asked for.

    Where the operating system's Bluetooth confirms by itself, at once, nothing can be held back.
    """

    unconfirmed: bool  # whether the device waits for that, of what was yielded last


@runtime_checkable
class IdentifyingLink(ByteLink, Protocol):
    """A byte link whose protocol has a question of its own for what a device is."""

    async def identify(self) -> dict[str, str]:
        """Details of edge_agents.device.INFORMATION_EVENT, while ``stream`` runs; {} when the device does not say.

        Raises:
            OSError: the connection broke.
        """
        ...


class ReadingLink(Protocol):
    """A source that yields readings itself (a recording); what it cannot carry it reports as an Occurrence."""

    def readings(self) -> AsyncGenerator[Reading, None]:
        """Readings in order, paced by the link; ends when the source does, and is not called again then.

        Raises:
            OSError: the source cannot be opened or broke off.
        """
        ...


class Losses(NamedTuple):
    """How many records were taken in that are on no disk and never will be; they are declared."""

    shed: int = 0  # as they came in: the disk was full, and so was the memory
    dropped: int = 0  # by a commit: observations it had no room for


class Intake(Protocol):
    """Where a device's readings go."""

    @property
    def losses(self) -> Losses:
        """So far, of all devices; `kept` says nothing of these."""
        ...

    async def room(self) -> None:
        """Wait until the outbox can take more."""
        ...

    async def kept(self) -> None:
        """Wait until all that was accepted is safe from a loss of power."""
        ...

    def accept(self, device: str, reading: Reading) -> None:
        """Number and keep a reading."""
        ...

    def refuse(self, device: str, reason: str, frame: bytes) -> None:
        """Count bytes the decoder refused."""
        ...


OnEvent = Callable[[str, dict[str, Any]], None]  # (name, details) of an event of the agent itself
