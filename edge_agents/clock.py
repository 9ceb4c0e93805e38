"""The agent's only clocks."""

import time

from edge_agents.scaled_clock import Scale
from gateway.contract.envelope import Instant


class SystemClock:
    """The operating system's clocks."""

    def now(self) -> Instant:
        """Wall time, us since 1970 UTC; may jump when somebody sets it."""
        return time.time_ns() // 1000

    def monotonic(self) -> float:
        """Seconds that only go forward; the zero means nothing."""
        return time.monotonic()


class ScenarioClock(SystemClock):
    """The clock of a scenario run."""

    def __init__(self, scale: Scale) -> None:
        self._scale = scale

    def now(self) -> Instant:
        """The scenario's time, us since 1970 UTC."""
        return self._scale.instant(super().now())

    def monotonic(self) -> float:
        """Seconds of the scenario."""
        return super().monotonic() * self._scale.rate


class LineClock(ScenarioClock):
    """For the line to the broker: instants are the scenario's, durations the machine's.

    A round trip does not get slower because the scenario runs faster; only so is a good line not taken for a weak one.
    """

    def monotonic(self) -> float:
        """Seconds of the machine."""
        return time.monotonic()


def clocks(scale: Scale | None) -> tuple[SystemClock, SystemClock]:
    """The agent's clock and that of its line to the broker: one and the same in real time."""
    if scale is None:
        clock = SystemClock()
        return clock, clock
    return ScenarioClock(scale), LineClock(scale)
