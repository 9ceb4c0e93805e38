"""What a beat looks like: where its R peak is, how wide it is, and whether it is like the patient's usual beat.

A beat is called ventricular when it is wide and unlike the dominant beat: the two marks by which textbooks, and most
analysers since Hamilton's open-source one (EP Limited 2002), tell a ventricular ectopic beat. The dominant beat is
learnt, so bundle branch block and pacing are the patient's usual beat and not hundreds of ventricular ones.
"""

from typing import Final

import msgspec
import numpy as np

from gateway.derive.ecg.beat import Beat
from gateway.derive.ecg.envelope import Signal

REACH: Final = 0.070  # s from the hump to its R peak, and to the edges of its amplitude
BEFORE: Final = 0.120  # s of a beat's shape before the hump
AFTER: Final = 0.160  # s after it
LAG: Final = 0.016  # s two shapes may be shifted against each other
ALIKE: Final = 0.85  # correlation from which two beats are of one shape
ALMOST_ALIKE: Final = 0.93  # an early beat that is wider needs to be less different
SHAPES: Final = 5  # remembered at most
MEMORY: Final = 0.998  # weight of a shape after one beat of another: half in six minutes
LEARNING_RATE: Final = 0.1  # of a beat in its shape
USUAL: Final = 4.0  # weight (beats) from which a shape may be the dominant one
COMMON: Final = 0.25  # share of the beats; bigeminy is half, and its narrower half is the dominant beat
WIDE: Final = 0.120  # s (AHA/ACCF/HRS 2009, intraventricular conduction disturbances)
MUCH_WIDER: Final = 1.3  # dominant widths
WIDE_WHEN_EARLY: Final = 0.100  # s
WIDER: Final = 1.1  # dominant widths
EARLY: Final = 0.9  # usual intervals
PREMATURE: Final = 0.85  # usual intervals
STEP: Final = 0.006  # s on either side over which a slope is taken
ANY_SLOPE: Final = 0.08  # of the steepest, that still belongs to the QRS complex
PAUSE_IN_SLOPE: Final = 0.030  # s without slope inside a QRS complex: its peaks


class Shape(msgspec.Struct, eq=False):
    """A kind of beat: its mean signal (standardised), its width, s, and how much of the last minutes it was."""

    signal: Signal
    width: float
    weight: float


class Morphology:
    """Measures the beats of one stream."""

    def __init__(self, fs: float) -> None:
        self._fs = fs
        self._before, self._after, self._lag = (round(seconds * fs) for seconds in (BEFORE, AFTER, LAG))
        self._shapes: list[Shape] = []
        self._last: int | None = None

    def forget_last(self) -> None:
        """After a gap no interval begins before it."""
        self._last = None

    def measure(self, signal: Signal, at: int, hump: int, usual_rr: float) -> Beat:
        """The beat whose hump is ``signal[hump]``; ``at``: sample number of ``signal[0]``; ``usual_rr``: s."""
        sample = at + locate(signal, hump, self._fs)
        rr = None if self._last is None else (sample - self._last) / self._fs
        self._last = sample
        width = measure_width(signal, hump, self._fs)
        early = rr is not None and rr < EARLY * usual_rr
        return Beat(
            sample=sample,
            rr=rr,
            width=width,
            amplitude=swing(signal, hump, self._fs),
            ventricular=self._is_ventricular(signal, hump, width, early),
            premature=rr is not None and rr < PREMATURE * usual_rr,
        )

    def _is_ventricular(self, signal: Signal, hump: int, width: float, early: bool) -> bool:
        """Whether the beat is wide and unlike the dominant beat. Also learns its shape."""
        windows = self._windows(signal, hump)
        if windows is None:
            return False
        likeness = [float((windows @ shape.signal).max()) for shape in self._shapes]
        dominant = self._dominant()
        ventricular = dominant is not None and is_wide_and_unlike(
            likeness[dominant], width, self._shapes[dominant].width, early
        )
        self._learn(windows, likeness, width)
        return ventricular

    def _dominant(self) -> int | None:
        """Index of the narrowest of the common shapes: ventricular beats may be as many, but are wider."""
        total = sum(shape.weight for shape in self._shapes)
        common = [
            (shape.width, index)
            for index, shape in enumerate(self._shapes)
            if shape.weight >= max(USUAL, COMMON * total)
        ]
        return min(common)[1] if common else None

    def _windows(self, signal: Signal, hump: int) -> Signal | None:
        """The beat's standardised signal at every lag, (lags, n); None when part of it is missing."""
        start, end = hump - self._before - self._lag, hump + self._after + 1
        if start < 0 or end > signal.size:
            return None
        n = self._before + self._after + 1 - self._lag
        windows = np.lib.stride_tricks.sliding_window_view(signal[start:end], n)
        windows = windows - windows.mean(axis=1, keepdims=True)
        norm = np.sqrt((windows * windows).sum(axis=1, keepdims=True))
        return np.asarray(windows / np.maximum(norm, 1e-9))

    def _learn(self, windows: Signal, likeness: list[float], width: float) -> None:
        for shape in self._shapes:
            shape.weight *= MEMORY
        best = int(np.argmax(likeness)) if likeness else -1
        if best >= 0 and likeness[best] >= ALIKE:  # one of these
            shape = self._shapes[best]
            aligned = windows[int((windows @ shape.signal).argmax())]
            mixed = shape.signal + LEARNING_RATE * (aligned - shape.signal)
            shape.signal = mixed / max(float(np.linalg.norm(mixed)), 1e-9)
            shape.width += LEARNING_RATE * (width - shape.width)
            shape.weight += 1
            return
        if len(self._shapes) == SHAPES:
            self._shapes.remove(min(self._shapes, key=lambda shape: shape.weight))
        self._shapes.append(Shape(windows[windows.shape[0] // 2].copy(), width, 1.0))


def is_wide_and_unlike(like: float, width: float, dominant: float, early: bool) -> bool:
    """The mark of a ventricular beat; an early one needs less of it. ``dominant``: width of the usual beat, s."""
    if early and like < ALMOST_ALIKE and width >= max(WIDE_WHEN_EARLY, WIDER * dominant):
        return True
    return like < ALIKE and width >= max(WIDE, MUCH_WIDER * dominant)


def locate(signal: Signal, hump: int, fs: float) -> int:
    """Index of the R peak: what stands out most near the hump."""
    reach, around = int(REACH * fs), int(0.1 * fs)
    baseline = np.median(signal[max(0, hump - around) : hump + around + 1])
    start = max(0, hump - reach)
    return start + int(np.abs(signal[start : hump + reach + 1] - baseline).argmax())


def swing(signal: Signal, hump: int, fs: float) -> float:
    """Peak to peak around the hump, mV."""
    reach = int(REACH * fs)
    return float(np.ptp(signal[max(0, hump - reach) : hump + reach + 1]))


def measure_width(signal: Signal, hump: int, fs: float) -> float:
    """How long the signal is steep around the hump, s: from the first to the last slope of the QRS complex."""
    step = max(1, round(STEP * fs))
    start, end = max(step, hump - round(0.15 * fs)), min(signal.size, hump + round(AFTER * fs)) - step
    slope = np.abs(signal[start + step : end + step] - signal[start - step : end - step])
    reach = int(REACH * fs)
    near = slice(max(0, hump - start - reach), hump - start + reach)
    steepest = near.start + int(slope[near].argmax())
    steep = np.flatnonzero(slope >= ANY_SLOPE * slope[steepest])
    cuts = np.flatnonzero(np.diff(steep) > PAUSE_IN_SLOPE * fs)
    group = np.split(steep, cuts + 1)[int(np.searchsorted(steep[cuts], steepest))]
    return float(group[-1] - group[0] + 1) / fs
