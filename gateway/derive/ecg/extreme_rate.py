"""Extreme bradycardia and tachycardia: the heart beats, but at a rate that does not sustain life for long.

Limits: below 35/min and above 160/min (domain facts 10.1, adults). Length as in the PhysioNet/CinC Challenge 2015: five
beats running for the slow, seventeen for the fast; a rhythm so slow that five beats would take over 8 s is judged on
fewer, so that the alarm comes within 10 s of the onset (IEC 60601-2-27). The rows refuse
children: ``gateway/rules/sign_rows.py``.
"""

from collections import deque
from collections.abc import Sequence
from typing import Final

from gateway.derive.ecg.beat import Beat
from gateway.derive.ecg.episode import Sign

SLOW: Final = 35.0  # 1/min
SLOW_INTERVALS: Final = 4
SLOW_SECONDS: Final = 8.0
FAST: Final = 160.0
FAST_INTERVALS: Final = 16


class ExtremeRate:
    """Follows the rate over the last beats."""

    def __init__(self, fs: float) -> None:
        self._fs = fs
        self._intervals: deque[float] = deque(maxlen=FAST_INTERVALS)
        self._last = 0
        self.slow = Sign(False)
        self.fast = Sign(False)

    def feed(self, beats: Sequence[Beat], disturbed: int) -> None:
        """Judges anew when there are new beats. ``disturbed``: sample up to which beats may have been missed."""
        for beat in beats:
            if beat.rr is None:
                self._intervals.clear()
            else:
                self._intervals.append(beat.rr)
            self._last = beat.sample
        if beats:
            slow = self._judge_slow()
            self.slow = slow if not slow.present or slow.since >= disturbed else Sign(None)
            self.fast = self._judge_fast()

    def _judge_slow(self) -> Sign:
        total, count = 0.0, 0
        for interval in reversed(self._intervals):
            total, count = total + interval, count + 1
            if count == SLOW_INTERVALS or total >= SLOW_SECONDS - interval:
                break
        enough = count == SLOW_INTERVALS or (count >= 2 and total >= SLOW_SECONDS / 2)
        return self._sign(count, total, enough and 60.0 * count / total < SLOW)

    def _judge_fast(self) -> Sign:
        total, count = sum(self._intervals), len(self._intervals)
        return self._sign(count, total, count == FAST_INTERVALS and 60.0 * count / total > FAST)

    def _sign(self, count: int, total: float, present: bool) -> Sign:
        rate = 60.0 * count / total if total else 0.0
        return Sign(present, self._last - round(total * self._fs) if present else 0, {"rate": round(rate)})
