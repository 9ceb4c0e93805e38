"""Scenario time: a clock that every process of a scenario run shares and that may run faster than the machine's.

``LASTMILE_CLOCK=ORIGIN:START:RATE``: when the machine's clock showed ORIGIN (us since 1970), the scenario's showed
START; it runs RATE times as fast. Without the variable nothing here is used. The gateway reads the same variable
(gateway.adapters.clock). On a `ScaledEventLoop` every sleep, timeout and timer is in scenario time; what waits for a
machine (a connection, an answer over a bus) multiplies with `machine_seconds`. docs/adr/0016-scaled-clock.md.
"""

import asyncio
import os
import selectors
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final, NamedTuple, TypeVar

from gateway.contract.envelope import Instant

T = TypeVar("T")

VARIABLE: Final = "LASTMILE_CLOCK"


class ScaleError(ValueError):
    """The variable is set to something else than ORIGIN:START:RATE."""


class Scale(NamedTuple):
    """Scenario time as a straight line over wall time."""

    origin: Instant  # wall time, us
    start: Instant  # scenario time at the origin, us
    rate: float

    def instant(self, wall: Instant) -> Instant:
        """The scenario's time when the machine's clock shows ``wall``."""
        return self.start + round((wall - self.origin) * self.rate)


def parse(text: str) -> Scale:
    """The scale of a variable's text.

    Raises:
        ScaleError: it is not of that form, or time would stand still or run backwards.
    """
    try:
        origin, start, rate = text.split(":")
        scale = Scale(int(origin), int(start), float(rate))
    except ValueError as error:
        raise ScaleError(f"{VARIABLE}={text}: expected ORIGIN_US:START_US:RATE") from error
    if not 0 < scale.rate < float("inf"):
        raise ScaleError(f"{VARIABLE}={text}: the rate must be a number above 0")
    return scale


def from_environment(environment: Mapping[str, str] = os.environ) -> Scale | None:
    """The scale this process was started with; None = real time.

    Raises:
        ScaleError: see `parse`.
    """
    text = environment.get(VARIABLE)
    return parse(text) if text else None


class _ScaledSelector(selectors.DefaultSelector):
    """Waits a scenario's seconds."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self._rate = rate

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """See `selectors.BaseSelector`; None and 0 mean what they always mean."""
        return super().select(timeout / self._rate if timeout else timeout)


class ScaledEventLoop(asyncio.SelectorEventLoop):
    """An event loop on which a second lasts 1/rate of a second."""

    def __init__(self, rate: float) -> None:
        """``rate``: of the scenario's clock."""
        self.rate = rate
        super().__init__(_ScaledSelector(rate))

    def time(self) -> float:
        """Monotonic seconds of the scenario."""
        return super().time() * self.rate


def machine_seconds(seconds: float) -> float:
    """How long the running loop must wait to give a machine ``seconds`` of its own time.

    Scenario time may fly, but a bus, a radio or a broker on this computer does not answer any faster for it.
    """
    loop = asyncio.get_running_loop()
    return seconds * loop.rate if isinstance(loop, ScaledEventLoop) else seconds


def run(main: Coroutine[Any, Any, T], scale: Scale | None) -> T:
    """`asyncio.run`, on a scaled loop when there is a scale."""
    factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    if scale is not None:
        rate = scale.rate
        factory = lambda: ScaledEventLoop(rate)  # noqa: E731
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(main)
