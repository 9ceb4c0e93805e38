"""When simulated time is due."""

import asyncio
from typing import Final

from firmware_sims.clock import steady
from gateway.contract.envelope import Instant

MIN_SLEEP: Final = 0.005  # s; due readings are sent together after it


class Pace:
    """Turns elapsed simulated time into waiting; speed 0 never waits."""

    def __init__(self, speed: float, start_at: Instant) -> None:
        self.start_at = start_at
        self.speed = speed
        self.elapsed = 0  # us of the last reading sent, for speed 0
        self._began = steady()

    def begin(self, start_at: Instant) -> None:
        """Time has not passed yet: it starts now, and now is ``start_at``."""
        self.start_at = start_at
        self._began = steady()

    def now(self) -> Instant:
        """The simulated instant."""
        return self.start_at + self.passed()

    def passed(self) -> int:
        """Elapsed simulated us."""
        return int((steady() - self._began) * self.speed * 1_000_000) if self.speed else self.elapsed

    async def until(self, due: int) -> bool:
        """Waits for an elapsed time; whether it had to wait."""
        self.elapsed = max(self.elapsed, due)
        if not self.speed:
            return False
        wait = self._began + due / self.speed / 1_000_000 - steady()
        if wait <= 0:
            return False
        await asyncio.sleep(max(wait, MIN_SLEEP))
        return True
