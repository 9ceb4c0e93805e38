"""How often somebody may fail to sign in."""

from collections import OrderedDict

from gateway.contract.envelope import Instant


class RateLimiter:
    """A bucket of ``burst`` failures per key that refills by one each ``refill`` us; the oldest keys are forgotten."""

    def __init__(self, burst: int, refill: int, max_keys: int = 4096) -> None:
        self._burst = burst
        self._refill = refill
        self._max_keys = max_keys
        self._full_at: OrderedDict[str, Instant] = OrderedDict()  # key: when its bucket is full again

    def wait(self, key: str, now: Instant) -> int:
        """How long, us, until ``key`` may try again; 0 = now."""
        debt = self._full_at.get(key, now) - now
        return max(0, debt - (self._burst - 1) * self._refill)

    def count(self, key: str, now: Instant) -> None:
        """Notes one failure."""
        self._full_at[key] = max(self._full_at.get(key, now), now) + self._refill
        self._full_at.move_to_end(key)
        while len(self._full_at) > self._max_keys:
            self._full_at.popitem(last=False)

    def take_back(self, key: str) -> None:
        """Notes one failure less: what was counted before it was known was none."""
        if key in self._full_at:
            self._full_at[key] -= self._refill

    def forgive(self, key: str) -> None:
        """Forgets the failures of ``key``: it signed in."""
        self._full_at.pop(key, None)
