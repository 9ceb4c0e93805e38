"""The gateway's clock as seen from here, from hello and ack timestamps. Pure.

Source: RFC 5905 section 8 (offset and delay of four timestamps) and its clock filter: of recent samples the one with
the shortest round trip is the best. Deviation: the error is the half width of the interval the offset must lie in.
"""

from collections import deque
from typing import Final

import msgspec

from gateway.contract.envelope import Instant

KEPT: Final = 8
DRIFT: Final = 200e-6  # how fast two cheap clocks may part, s per s


class Estimate(msgspec.Struct, frozen=True):
    """gateway clock = agent clock + ``offset``, within ``error``; both us."""

    offset: int
    error: int


class ClockOffset:
    """Filters round-trip samples."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, Estimate]] = deque(maxlen=KEPT)  # (monotonic seconds, estimate)

    def sample(self, t1: Instant, t2: Instant, t3: Instant, t4: Instant, now: float) -> None:
        """Add one exchange: hello sent (t1), received (t2), ack sent (t3), received (t4); ``now`` monotonic seconds."""
        delay = (t4 - t1) - (t3 - t2)
        if delay < 0:  # a clock was set during the exchange
            self._samples.clear()
            return
        fresh = Estimate(((t2 - t1) + (t3 - t4)) // 2, delay // 2 + 1)
        best = self.estimate(now)
        if best is not None and abs(best.offset - fresh.offset) > best.error + fresh.error:
            self._samples.clear()  # the intervals do not meet: a clock was set since
        self._samples.append((now, fresh))

    def estimate(self, now: float) -> Estimate | None:
        """The best estimate at ``now``, its error grown with its age; None before the first sample."""
        aged = [Estimate(e.offset, e.error + round((now - at) * DRIFT * 1e6)) for at, e in self._samples]
        return min(aged, key=lambda e: e.error, default=None)
