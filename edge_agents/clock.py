"""The agent's only clock."""

import time

from gateway.contract.envelope import Instant


class SystemClock:
    """The operating system's clocks."""

    def now(self) -> Instant:
        """Wall time, us since 1970 UTC; may jump when somebody sets it."""
        return time.time_ns() // 1000

    def monotonic(self) -> float:
        """Seconds that only go forward; the zero means nothing."""
        return time.monotonic()
