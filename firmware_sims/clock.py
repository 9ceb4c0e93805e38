"""The simulators' only clocks; nothing that decides *what* is produced looks at them, only what decides *when*.

In a scenario run they show the scenario's time, as the agents' do (edge_agents/scaled_clock.py).
"""

import time
from collections.abc import Coroutine
from typing import Any, Final

from edge_agents import scaled_clock
from gateway.contract.envelope import Instant

_SCALE: Final = scaled_clock.from_environment()


def wall() -> Instant:
    """Us since 1970 UTC; may jump when somebody sets it."""
    now = time.time_ns() // 1000
    return now if _SCALE is None else _SCALE.instant(now)


def steady() -> float:
    """Seconds that only go forward; the zero means nothing."""
    return time.monotonic() if _SCALE is None else time.monotonic() * _SCALE.rate


def run(main: Coroutine[Any, Any, None]) -> None:
    """`asyncio.run`, on the scenario's time in a scenario run."""
    scaled_clock.run(main, _SCALE)
