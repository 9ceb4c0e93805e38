"""The simulators' only clocks; nothing that decides *what* is produced looks at them, only what decides *when*."""

import time

from gateway.contract.envelope import Instant


def wall() -> Instant:
    """Us since 1970 UTC; may jump when somebody sets it."""
    return time.time_ns() // 1000


def steady() -> float:
    """Seconds that only go forward; the zero means nothing."""
    return time.monotonic()
