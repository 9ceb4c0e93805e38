"""The seams of the agent."""

from collections.abc import AsyncIterator
from typing import Protocol

from edge_agents.device import Reading
from gateway.contract.envelope import Instant


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

    def stream(self) -> AsyncIterator[tuple[bytes, Instant]]:
        """Connect, then yield (bytes, when they arrived) until the device closes; may be called again afterwards.

        The caller closes the iterator to disconnect. Reading stops while the caller is busy: that is the back-pressure.

        Raises:
            OSError: the device cannot be reached or the connection broke.
        """
        ...


class ReadingLink(Protocol):
    """A source that yields readings itself (a recording)."""

    def readings(self) -> AsyncIterator[Reading]:
        """Readings in order, paced by the link; ends when the source does.

        Raises:
            OSError: the source cannot be opened or broke off.
        """
        ...


Link = ByteLink | ReadingLink
