"""Ventricular fibrillation and flutter, told from the waveform alone.

Fibrillation has no QRS complex, so beats cannot tell it. Twice a second the last four seconds (the criterion of bedside
monitors: fibrillatory wave for 4 s, Philips DFM100) are described by numbers of which each asks a different question:

- leakage: how much passes a filter that cancels a sine of the mean period (Kuo and Dillman, Computers in Cardiology
  1978; 0.625 for large signals);
- filling: share of boxes of the phase space x(t), x(t + 0.5 s) that are visited (Amann et al., IEEE Trans Biomed Eng
  2007;54:174; 0.15);
- activity: share of time above a fifth of the peak (TCSC: Arafat et al., Signal, Image and Video Processing 2011;5:1;
  48 %);
- quiet: share of time in which the line is level. A beating heart rests between its complexes, a fibrillating one does
  not: the idea behind the probability density function of the first implanted defibrillators (Langer et al., 1976);
- repeats: likeness of the signal to itself one slow beat earlier. Wide complexes with tall T waves, or paced ones, fill
  the phase space too, but they repeat.

All must agree, in two windows running. The limits of the first three are the published ones; the other two were set
between the distributions of all records at hand (docs/ecg.md), not to any one of them.
"""

from typing import Final

import msgspec
import numpy as np

from gateway.derive.ecg.episode import Details
from gateway.derive.ecg.view import VIEW_FS, Signal, View

WINDOW_SECONDS: Final = 4.0
STEP_SECONDS: Final = 0.5
WINDOWS_RUNNING: Final = 2
SMALLEST_MV: Final = 0.2  # peak to peak; below it is asystole or fine fibrillation (AHA, Circulation 1997;95:1677)
MOST_LEAKAGE: Final = 0.625
LEAST_FILLING: Final = 0.15
LEAST_ACTIVITY: Final = 0.48
MOST_QUIET: Final = 0.35
NEVER_QUIET: Final = 0.22  # an oscillation without any rest is none of a beating heart, even if it repeats
BOXES: Final = 40
DELAY_SECONDS: Final = 0.5
LEVEL_SLOPE: Final = 0.1  # of the steepest
ACTIVE_HEIGHT: Final = 0.2  # of the peak
ACTIVE_SECONDS: Final = 3.0
PERIODS: Final = (0.12, 0.45, 1.5)  # s: flutter and fibrillation 133 to 500/min, slower beats 40 to 133/min
LEAST_LIKENESS: Final = 0.6  # correlation with a beat earlier
LIKENESS_LEAD: Final = 0.15  # by which that exceeds likeness within a beat


class Waveform(msgspec.Struct, frozen=True, gc=False):
    """The numbers of one window, see above."""

    height: float  # mV, peak to peak
    leakage: float
    filling: float
    activity: float
    quiet: float
    rate: float  # 1/min, of the most alike earlier wave within flutter's periods
    repeats: bool


class FibrillationMeter:
    """Looks twice a second; what it saw holds from one look to the next."""

    def __init__(self, fs: float) -> None:
        self._step = round(STEP_SECONDS * fs)
        self._window = round(WINDOW_SECONDS * fs)
        self._next_look = 0
        self._running = 0
        self.since = 0  # the sample at which the first window of the episode began
        self.waveform: Waveform | None = None  # of the last look; None while four whole seconds are not there

    def look(self, view: View, organised: bool) -> None:
        """``organised``: whether the beats found meanwhile are those of a heart that pumps."""
        if abs(view.end - self._next_look) <= 2 * self._step and view.end < self._next_look:
            return
        self._next_look = view.end + self._step
        signal = view.between(view.end - self._window, view.end) if view.end - view.begin >= self._window else None
        self.waveform = None if signal is None else describe(signal)
        found = self.waveform is not None and fibrillates(self.waveform, organised)
        self._running = self._running + 1 if found else 0
        if self._running == 1:
            self.since = view.end - self._window

    @property
    def fibrillates(self) -> bool:
        """Whether enough windows running looked like fibrillation."""
        return self._running >= WINDOWS_RUNNING

    def details(self) -> Details:
        """The numbers behind the last look."""
        if self.waveform is None:
            return {}
        return {name: round(float(value), 2) for name, value in msgspec.structs.asdict(self.waveform).items()}


def fibrillates(waveform: Waveform, organised: bool) -> bool:
    """Whether one window looks like fibrillation or flutter."""
    wild = (
        waveform.height >= SMALLEST_MV
        and waveform.leakage < MOST_LEAKAGE
        and waveform.filling > LEAST_FILLING
        and waveform.activity > LEAST_ACTIVITY
    )
    restless = waveform.quiet < NEVER_QUIET
    return wild and (restless or (waveform.quiet < MOST_QUIET and not waveform.repeats and not organised))


def describe(signal: Signal) -> Waveform:
    """Four seconds at 125 Hz, band-passed."""
    signal = signal - signal.mean()
    height = float(np.ptp(signal))
    if height < 1e-6:
        return Waveform(0.0, 1.0, 0.0, 0.0, 1.0, 0.0, False)
    rate, repeats = periodicity(signal)
    slopes = np.abs(np.diff(signal))
    return Waveform(
        height=height,
        leakage=leakage(signal),
        filling=filling(signal, height),
        activity=activity(signal),
        quiet=float((slopes < LEVEL_SLOPE * np.percentile(slopes, 98)).mean()),
        rate=rate,
        repeats=repeats,
    )


def leakage(signal: Signal) -> float:
    """What is left after adding the signal half a mean period earlier, as a share of what was there."""
    magnitude = np.abs(signal)
    half = int(np.pi * magnitude.sum() / np.abs(np.diff(signal)).sum() + 0.5)
    half = min(max(half, 1), signal.size // 2)
    left = np.abs(signal[half:] + signal[:-half]).sum()
    return float(left / (magnitude[half:].sum() + magnitude[:-half].sum()))


def filling(signal: Signal, height: float) -> float:
    """Share of the boxes of the phase space that the signal visits."""
    box = np.minimum(((signal - signal.min()) * (BOXES / height)).astype(np.intp), BOXES - 1)
    delay = round(DELAY_SECONDS * VIEW_FS)
    visits = np.bincount(box[delay:] * BOXES + box[:-delay], minlength=BOXES * BOXES)
    return float(np.count_nonzero(visits) / (BOXES * BOXES))


def activity(signal: Signal) -> float:
    """Mean share of time above a fifth of the peak, over the windows of three seconds."""
    magnitude = np.abs(signal)
    window = round(ACTIVE_SECONDS * VIEW_FS)
    starts = range(0, signal.size - window + 1, round(VIEW_FS / 2))
    pieces = [magnitude[start : start + window] for start in starts]
    return float(np.mean([(piece > ACTIVE_HEIGHT * piece.max()).mean() for piece in pieces]))


def periodicity(signal: Signal) -> tuple[float, bool]:
    """The rate, 1/min, of flutter if it is one, and whether the signal rather repeats as slow as heart beats do."""
    size = signal.size
    product = np.fft.irfft(np.abs(np.fft.rfft(signal, 2 * size)) ** 2)[:size]
    power = np.concatenate(([0.0], np.cumsum(signal * signal)))
    lags = np.arange(size)
    early, late = power[size - lags], power[size] - power[lags]
    likeness = product / np.sqrt(np.maximum(early * late, 1e-12))
    low, middle, high = (round(period * VIEW_FS) for period in PERIODS)
    rising = np.flatnonzero(np.diff(likeness[:high]) > 0)  # before it falls and rises, a wave is like itself
    low = max(low, int(rising[0])) if rising.size else high
    slow = float(likeness[middle:high].max())
    if low >= middle:
        return 0.0, slow > LEAST_LIKENESS
    best = low + int(likeness[low:middle].argmax())
    return 60.0 * VIEW_FS / best, slow > max(LEAST_LIKENESS, float(likeness[best]) + LIKENESS_LEAD)
