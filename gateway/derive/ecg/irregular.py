"""Irregular rhythm consistent with atrial fibrillation: RR intervals without order, and no repeating P wave.

These are the two things a reader looks for (2020 ESC guideline on atrial fibrillation, Hindricks et al.: irregular RR
intervals, no distinct repeating P waves). It meets criteria and needs a physician's reading; it is no diagnosis.

- Order of the intervals: the coefficient of sample entropy (Lake and Moorman, Am J Physiol Heart Circ Physiol
  2011;300:H319) of the last 32 intervals that touch no ventricular beat, found within 90 s. The tolerance starts at
  30 ms and grows until five pairs match.
- P wave: mean likeness of the stretches before the QRS complexes to one another (their mean correlation). A P wave
  repeats; fibrillation waves have no fixed distance to the QRS complex and cancel (averaging of P waves as in
  Babaeizadeh et al., J Electrocardiol 2009;42:522). Before beats that follow within 0.5 s lies a T wave: they are
  taken to be like no other.

Both limits were chosen on reference beats of all records (docs/ecg.md), between the two groups' distributions.
"""

from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from gateway.derive.ecg.beat import Beat
from gateway.derive.ecg.episode import Sign
from gateway.derive.ecg.view import VIEW_FS, Signal, View

INTERVALS: Final = 32
LONGEST_SECONDS: Final = 90.0
LEAST_ENTROPY: Final = -0.95  # ln
MOST_LIKENESS: Final = 0.2
BEFORE_QRS: Final = (-0.26, -0.08)  # s from the R peak
SLOW_ENOUGH: Final = 0.5  # s
MATCHES: Final = 5
FIRST_TOLERANCE: Final = 0.03  # s
TOLERANCE_GROWTH: Final = 1.25
WIDEST_TOLERANCE: Final = 0.5


class Interval(NamedTuple):
    """One RR interval between beats that are not ventricular."""

    sample: int  # of the beat that ends it
    rr: float  # s
    before: Signal | None  # the signal before that beat's QRS complex, of unit length


class IrregularRhythm:
    """Follows the intervals; judges with each new one."""

    def __init__(self, fs: float) -> None:
        self._fs = fs
        self._kept: deque[Interval] = deque(maxlen=INTERVALS)
        self._after_ventricular = False
        self._sign = Sign(None)

    def feed(self, beats: Sequence[Beat], view: View) -> Sign:
        """What the last intervals say."""
        for beat in beats:
            ectopic = beat.ventricular or self._after_ventricular
            self._after_ventricular = beat.ventricular
            if beat.rr is None or ectopic:
                continue
            self._kept.append(Interval(beat.sample, beat.rr, self._before(beat, view)))
            self._sign = self._judge()
        return self._sign

    def forget(self) -> None:
        """What looked like beats was none."""
        self._kept.clear()
        self._sign = Sign(None)

    def _before(self, beat: Beat, view: View) -> Signal | None:
        if beat.rr is None or beat.rr < SLOW_ENOUGH:
            return None
        start, end = (beat.sample + at * self._fs for at in BEFORE_QRS)
        signal = view.between(start, end)
        if signal is None:
            return None
        size = round((BEFORE_QRS[1] - BEFORE_QRS[0]) * VIEW_FS)
        signal = level(signal[:size])
        length = float(np.sqrt(signal @ signal))
        return signal / length if length else None

    def _judge(self) -> Sign:
        kept = self._kept
        oldest = kept[-1].sample - LONGEST_SECONDS * self._fs
        while kept[0].sample < oldest:
            kept.popleft()
        if len(kept) < INTERVALS:
            return self._sign if len(kept) >= INTERVALS // 2 else Sign(None)
        entropy = sample_entropy(np.array([interval.rr for interval in kept]))
        likeness = mean_likeness([interval.before for interval in kept if interval.before is not None], len(kept))
        present = entropy > LEAST_ENTROPY and likeness < MOST_LIKENESS
        details: dict[str, float | str] = {"entropy": round(entropy, 2), "p-wave": round(likeness, 2)}
        begin = kept[0].sample - round(kept[0].rr * self._fs)
        since = begin if self._sign.present is None else kept[INTERVALS // 2].sample
        return Sign(present, since, details)


def level(signal: Signal) -> Signal:
    """The signal without its mean and slope: a baseline that rises is no P wave."""
    at = np.arange(signal.size) - (signal.size - 1) / 2
    centred = signal - signal.mean()
    result: Signal = centred - at * float(centred @ at) / float(at @ at)
    return result


def sample_entropy(intervals: Signal) -> float:
    """The coefficient of sample entropy of RR intervals, (n,) s: about -2.5 for sinus, above -1 without order."""
    apart = np.abs(intervals[:, None] - intervals[None, :])
    pairs = np.triu(np.ones((intervals.size - 1, intervals.size - 1), bool), 1)
    one = apart[:-1, :-1][pairs]
    two = np.maximum(apart[:-1, :-1], apart[1:, 1:])[pairs]  # both this interval and the next alike
    tolerance = FIRST_TOLERANCE
    while (matches := np.count_nonzero(two <= tolerance)) < MATCHES and tolerance < WIDEST_TOLERANCE:
        tolerance *= TOLERANCE_GROWTH
    alike = np.count_nonzero(one <= tolerance)
    return float(np.log(max(int(alike), 1) / max(int(matches), 1)) + np.log(2 * tolerance) - np.log(intervals.mean()))


def mean_likeness(stretches: list[Signal], beats: int) -> float:
    """Mean correlation of all pairs among so many beats; those without a stretch, of unit length, are like none."""
    count = len(stretches)
    if count == 0 or beats < 2:
        return 0.0
    total: Signal = np.sum(stretches, axis=0)
    return float((total @ total - count) / (beats * (beats - 1)))
