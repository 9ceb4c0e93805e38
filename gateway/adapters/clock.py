"""The only clock of the gateway."""

import time

from gateway.contract.envelope import Instant


def now() -> Instant:
    """Wall-clock time, microseconds since 1970."""
    return time.time_ns() // 1000
