"""Finds pacing spikes in a stretch of ECG.

A spike is narrower than anything a heart makes: what a median over 8 ms takes away and is tall, before the QRS is
steep. At 500 samples per second behind a 150 Hz filter many bipolar spikes are gone before they reach us: no spikes
does not mean no pacemaker (AHA/ACC/HRS 2007 asks for detection at the amplifier).
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from gateway.derive.ecg.median_beat import Floats

SPIKE_MV: Final = 0.30
_WIDEST: Final = 0.008  # s over which the median is taken: spikes of up to half of it vanish in it
_FIRST: Final = 0.30  # s before the steepest part of a beat: atrial spikes precede it by up to so much
_LAST: Final = 0.02  # s before it: nearer to it a tall narrow R wave looks like a spike
_SHARE: Final = 0.5  # of the beats


def paced(signal: Floats, beats: Sequence[int], fs: float) -> bool:
    """True when at least half of the beats have a spike before their QRS. ``signal``: (leads, n) mV."""
    at = spikes(signal, fs)
    near = [bool(((at >= beat - _FIRST * fs) & (at <= beat - _LAST * fs)).any()) for beat in beats]
    return bool(near) and sum(near) >= _SHARE * len(near)


def spikes(signal: Floats, fs: float) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    """Samples at which any lead sticks out of its surroundings."""
    half = max(1, round(_WIDEST * fs / 2))
    padded = np.pad(signal, ((0, 0), (half, half)), mode="edge")
    around = np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1, axis=1)
    found: np.ndarray[tuple[int], np.dtype[np.int64]]
    found = np.flatnonzero((np.abs(signal - np.median(around, axis=2)) >= SPIKE_MV).any(axis=0))
    return found
