"""The only clock of the gateway.

In a scenario run (``LASTMILE_CLOCK=ORIGIN:START:RATE``, see edge_agents/scaled_clock.py) it shows the scenario's time:
START when the machine's clock showed ORIGIN, and RATE times as fast. The event loop is not scaled: everything that
judges time takes ``now`` as an argument or from here, and what waits for the broker, a browser or the disk waits for
this machine. docs/adr/0016-scaled-clock.md.
"""

import os
import time
from collections.abc import Mapping
from typing import Final, NamedTuple

from gateway.contract.envelope import Instant

VARIABLE: Final = "LASTMILE_CLOCK"


class Scale(NamedTuple):
    """Scenario time as a straight line over wall time; the one of no scenario is wall time itself."""

    origin: Instant = 0  # wall time, us
    start: Instant = 0  # scenario time at the origin, us
    rate: float = 1.0

    def instant(self, wall: Instant) -> Instant:
        """The scenario's time when the machine's clock shows ``wall``."""
        return self.start + round((wall - self.origin) * self.rate)

    def wall(self, instant: Instant) -> Instant:
        """What the machine's clock shows when it is ``instant`` in the scenario."""
        return self.origin + round((instant - self.start) / self.rate)


REAL: Final = Scale()


def from_environment(environment: Mapping[str, str] = os.environ) -> Scale:
    """The scale this process was started with.

    Raises:
        ValueError: the variable is not of the form ORIGIN:START:RATE, or the rate not above 0.
    """
    text = environment.get(VARIABLE)
    if not text:
        return REAL
    try:
        origin, start, rate = text.split(":")
        scale = Scale(int(origin), int(start), float(rate))
    except ValueError as error:
        raise ValueError(f"{VARIABLE}={text}: expected ORIGIN_US:START_US:RATE") from error
    if not 0 < scale.rate < float("inf"):
        raise ValueError(f"{VARIABLE}={text}: the rate must be a number above 0")
    return scale


_SCALE: Final = from_environment()
SCALED: Final = _SCALE is not REAL


def wall() -> Instant:
    """The machine's own clock, microseconds since 1970: for the broker, which knows no other."""
    return time.time_ns() // 1000


def now() -> Instant:
    """Wall-clock time, microseconds since 1970; in a scenario run the scenario's."""
    return _SCALE.instant(wall()) if SCALED else wall()


def of_log(logged_at: Instant) -> Instant:
    """A time stamp of the broker's log on our clock."""
    return _SCALE.instant(logged_at)


def in_log(instant: Instant) -> Instant:
    """An instant as the broker's log stamps it."""
    return _SCALE.wall(instant)


def machine_seconds(us: float) -> float:
    """A difference between two instants as seconds of this machine: what a latency really was."""
    return us / 1e6 / _SCALE.rate
