"""The ST level of a stored lead, as the verdict measures it by itself. Pure.

ST level = mean of 10 ms around J + 60 ms, less that of the PR segment before, at each beat; the median of all beats. J
is taken 50 ms behind the R peak (a normal QRS of 90 to 100 ms). Source: the Fourth Universal Definition of Myocardial
Infarction (2018) measures at the J point with the onset of QRS as the baseline; deviation: J + 60 ms, clear of the end
of QRS, as ST monitors do by default.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from gateway.contract.waveform import NO_SAMPLE
from gateway.derive.ecg.beats import BeatDetector

WINDOW: Final = 10.0  # s that are measured together
_ST: Final = 0.050 + 0.060  # s after the R peak
_PR: Final = -0.070  # s
_HALF: Final = 0.005  # s on either side that are averaged
_FEWEST: Final = 4  # beats


def st_level(rhythm: NDArray[np.int16], lead: NDArray[np.int16], fs: float, scale: float) -> float | None:
    """ST level of ``lead`` in mV; beats are found in ``rhythm``. None: lead off, or too few beats to tell.

    ``rhythm``, ``lead``: (n,) of the same instants; ``scale``: mV per unit.
    """
    if rhythm.size == 0 or (rhythm == NO_SAMPLE).any() or (lead == NO_SAMPLE).any():
        return None
    beats = np.array([beat.sample for beat in BeatDetector(fs).feed(rhythm * scale, 0)], np.int64)
    whole = beats[(beats + (_PR - _HALF) * fs >= 0) & (beats + (_ST + _HALF) * fs < lead.size)]
    if whole.size < _FEWEST:
        return None
    return round(float(np.median(_at(lead, whole, _ST, fs) - _at(lead, whole, _PR, fs))) * scale, 3)


def _at(lead: NDArray[np.int16], beats: NDArray[np.int64], offset: float, fs: float) -> NDArray[np.float64]:
    """The lead's mean around each beat's ``offset``: (beats,)."""
    reach = np.arange(-round(_HALF * fs), round(_HALF * fs) + 1)
    mean: NDArray[np.float64] = lead[beats[:, None] + round(offset * fs) + reach].mean(axis=1)
    return mean
