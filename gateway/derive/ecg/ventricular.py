"""Ventricular tachycardia: five ventricular beats running, faster than 100/min; and frequent premature ones.

Sources: tachycardia as in the PhysioNet/CinC Challenge 2015 and the alarm defaults of bedside monitors; sustained when
it lasts 30 s (2022 ESC guideline on ventricular arrhythmias; critical-value lists of Chinese provinces ask for 150/min
as well). Frequent: ten a minute, the limit bedside monitors come with; more than 30 an hour is already Lown's grade 2.

Muscle noise and electrode movement make normal beats look wide. Two things tell them apart: a tachycardia is nearly
regular, and the beats that raise the alarm must lie outside seconds known to be disturbed.
"""

from collections import deque
from collections.abc import Sequence
from itertools import groupby, pairwise
from typing import Final

from gateway.derive.ecg.beat import Beat
from gateway.derive.ecg.episode import Sign

RUN_BEATS: Final = 5
SLOWEST_RATE: Final = 100.0  # 1/min
FASTEST_RATE: Final = 300.0  # faster ones are fibrillation, or noise
MOST_UNEVEN: Final = 1.75  # longest interval of the five beats over the shortest
BROKEN_SECONDS: Final = 2.0  # without a beat the run is over
SUSTAINED_SECONDS: Final = 30.0
MINUTE_SECONDS: Final = 60.0
FREQUENT: Final = 10  # in a minute
MOSTLY: Final = 0.6  # when more beats than these look ventricular, it is the rhythm (paced, bundle branch block)


class Tachycardia:
    """Follows runs of ventricular beats."""

    def __init__(self, fs: float) -> None:
        self._fs = fs
        self._run: list[int] = []

    def feed(self, beats: Sequence[Beat], now: int, disturbed: int) -> Sign:
        """``now``: the newest sample; ``disturbed``: the sample up to which the signal was."""
        for beat in beats:
            if not beat.ventricular or beat.rr is None:
                self._run.clear()
            if beat.ventricular:
                self._run.append(beat.sample)
        run = self._run
        if not run or now - run[-1] > BROKEN_SECONDS * self._fs:
            run.clear()
        if len(run) < RUN_BEATS:
            return Sign(False)
        rate = 60.0 * (RUN_BEATS - 1) * self._fs / (run[-1] - run[-RUN_BEATS])
        lasting = (run[-1] - run[0]) / self._fs
        details: dict[str, float | str] = {"rate": round(rate), "beats": len(run), "seconds": round(lasting, 1)}
        if lasting >= SUSTAINED_SECONDS:
            details["sustained"] = "yes"
        if run[-RUN_BEATS] < disturbed:
            return Sign(None)
        newest = run[-RUN_BEATS:]
        intervals = [after - before for before, after in pairwise(newest)]
        even = max(intervals) < MOST_UNEVEN * min(intervals)
        present = even and SLOWEST_RATE < rate <= FASTEST_RATE
        return Sign(present, run[0] if present else 0, details)


class PrematureBeats:
    """Counts the last minute's premature ventricular beats."""

    def __init__(self, fs: float) -> None:
        self._fs = fs
        self._minute: deque[Beat] = deque()

    def feed(self, beats: Sequence[Beat], now: int) -> Sign:
        """``now``: the newest sample."""
        minute = self._minute
        minute.extend(beats)
        while minute and minute[0].sample < now - MINUTE_SECONDS * self._fs:
            minute.popleft()
        groups = [list(group) for ventricular, group in groupby(minute, is_ventricular) if ventricular]
        found = [beat.sample for group in groups if len(group) < RUN_BEATS for beat in group]  # longer ones are runs
        frequent = len(found) >= FREQUENT and len(found) <= MOSTLY * len(minute)
        return Sign(frequent, found[0] if frequent else 0, {"per minute": len(found)})

    def forget(self) -> None:
        """What looked like beats was none."""
        self._minute.clear()


def is_ventricular(beat: Beat) -> bool:
    """Whether it is."""
    return beat.ventricular
