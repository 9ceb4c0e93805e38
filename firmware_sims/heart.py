"""When the heart beats: RR intervals by rhythm, seeded, on elapsed time."""

import math
import random
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from firmware_sims.condition import PULSELESS, Condition, Rhythm

REMEMBERED_BEATS = 4096
_BEFORE = 12.0  # s of beats before the start, so that a monitor switched on knows a rate at once
_IDLE_STEP = 0.2  # s between looks at the rhythm while nothing beats
_PREMATURE = 0.62  # of the RR interval
_COMPENSATED = 1.38  # pause after a premature beat: the two intervals together are two normal ones


class Beat(NamedTuple):
    """One ventricular contraction; the ground truth of tests."""

    at: float  # s since the start: peak of the R wave
    rr: float  # s since the beat before
    ectopic: bool  # premature, ventricular: wide QRS, no P wave
    atrial: bool  # has a P wave
    strength: float  # of the pulse wave it makes, 1 = normal filling


class Heart:
    """Beats in order of time.

    Source: RR statistics as ECGSYN (McSharry, Clifford et al., IEEE TBME 50(3), 2003: respiratory and Mayer wave
    peaks in the RR spectrum), here as two sinusoids and white jitter in place of an inverse Fourier transform, so
    that beats can be made one by one for ever.
    """

    def __init__(self, seed: int, condition_at: Callable[[int], Condition]) -> None:
        self.beats: deque[Beat] = deque(maxlen=REMEMBERED_BEATS)
        self._random = random.Random(seed)
        self._condition_at = condition_at
        self._mayer_phase = self._random.uniform(0, math.tau)
        self._last = -_BEFORE - self._random.uniform(0.0, 1.0)
        self._idle = self._last
        self._pause_due = False

    def beat_until(self, limit: float) -> None:
        """Adds the beats up to ``limit`` (s since the start)."""
        while self._idle < limit:
            condition = self._condition_at(round(max(self._idle, 0.0) * 1_000_000))
            if condition.rhythm in PULSELESS:
                self._idle += _IDLE_STEP
            else:
                self._beat(condition)

    def _beat(self, condition: Condition) -> None:
        rr = self._interval(condition)
        if condition.rhythm is Rhythm.VENTRICULAR_TACHYCARDIA:
            ectopic = True
        else:
            ectopic = not self._pause_due and self._random.random() < condition.ectopic_share
            rr *= _PREMATURE if ectopic else _COMPENSATED if self._pause_due else 1.0
        # after asystole or fibrillation the beat follows the end of that rhythm, not the last beat
        at = self._idle + rr
        sinus = condition.rhythm is Rhythm.SINUS and not ectopic
        filling = min(1.2, max(0.2, (at - self._last) / 0.75) ** 0.5)
        self.beats.append(Beat(at, at - self._last, ectopic, sinus, 0.35 if ectopic else filling))
        self._last = self._idle = at
        self._pause_due = ectopic and condition.rhythm is not Rhythm.VENTRICULAR_TACHYCARDIA

    def _interval(self, condition: Condition) -> float:
        mean = 60.0 / condition.heart_rate
        if condition.rhythm is Rhythm.ATRIAL_FIBRILLATION:
            return mean * min(2.0, max(0.5, self._random.lognormvariate(-0.02, 0.2)))
        if condition.rhythm is Rhythm.VENTRICULAR_TACHYCARDIA:
            return mean * (1 + 0.01 * self._random.gauss(0, 1))
        breath = math.sin(math.tau * self._idle * condition.resp_rate / 60.0)
        mayer = math.sin(math.tau * 0.1 * self._idle + self._mayer_phase)
        return mean * (1 + condition.sinus_arrhythmia * (breath + 0.4 * mayer) + 0.006 * self._random.gauss(0, 1))
