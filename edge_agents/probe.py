"""When to send a stream's oldest record again because its acks do not move. Pure."""

import random
from typing import Final

FIRST_SECONDS: Final = 5.0
LAST_SECONDS: Final = 300.0


class Probe:
    """One stream's timer: 5 s doubling to 5 min, each with full jitter on top of the first wait."""

    def __init__(self, now: float, rng: random.Random) -> None:
        self._rng = rng
        self.progress(now)

    def progress(self, now: float) -> None:
        """The watermark moved, or there was nothing to wait for."""
        self._delay = FIRST_SECONDS
        self._due = now + FIRST_SECONDS

    def due(self, now: float) -> bool:
        """Whether to probe now; if so the next one is put off."""
        if now < self._due:
            return False
        self._delay = min(2 * self._delay, LAST_SECONDS)
        self._due = now + max(FIRST_SECONDS, self._rng.uniform(0, self._delay))
        return True


def backoff(attempt: int, rng: random.Random, base: float = 0.5, cap: float = 30.0) -> float:
    """Seconds to wait before try number ``attempt`` (0 = the first again): full jitter up to ``base`` x 2^attempt.

    Source: AWS Architecture Blog, "Exponential Backoff And Jitter" (2015), full jitter.
    """
    return rng.uniform(0, min(cap, base * 2 ** min(attempt, 16)))
