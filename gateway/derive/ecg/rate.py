"""Heart rate once a second from the beats of the last eight seconds.

Averaging follows the usual monitor: of four or more RR intervals the shortest and the longest are left out. Deviation:
a fixed window of 8 s instead of the last 12 intervals, so a change of rate shows within the 10 s IEC 60601-2-27 allows.
"""

from collections import deque
from collections.abc import Sequence
from typing import Final

from gateway.derive.ecg.beat import Beat
from gateway.derive.ecg.quality import Quality

WINDOW_SECONDS: Final = 8.0
LOWEST, HIGHEST = 15.0, 320.0  # 1/min; outside it is no rate
USELESS: Final = 0.3  # of the quality index: below, beats are not to be trusted


class RateMeter:
    """Of one lead sampled at ``fs``."""

    def __init__(self, fs: float) -> None:
        self._fs = fs
        self._beats: deque[Beat] = deque()
        self._blind = False

    def feed(self, beats: Sequence[Beat], quality: Quality | None) -> None:
        """Takes in what was found since the last call."""
        self._beats.extend(beats)
        if quality is not None:
            self._blind = quality.index < USELESS

    def tell(self, end: int) -> float | None:
        """1/min, or None when it cannot be told. ``end``: behind the newest sample."""
        while self._beats and self._beats[0].sample < end - WINDOW_SECONDS * self._fs:
            self._beats.popleft()
        return None if self._blind else self._mean()

    def _mean(self) -> float | None:
        """Over intervals between beats that follow each other without a gap."""
        intervals = sorted(beat.rr for beat in list(self._beats)[1:] if beat.rr is not None)
        if len(intervals) < 2:
            return None
        kept = intervals[1:-1] if len(intervals) >= 4 else intervals
        rate = 60.0 * len(kept) / sum(kept)
        return round(rate, 1) if LOWEST <= rate <= HIGHEST else None
