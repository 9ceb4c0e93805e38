"""The last seconds of one lead as the rhythm watch looks at them: 1 to 30 Hz, at 125 Hz whatever the lead's own rate.

The band is that of published fibrillation detectors (Amann et al., BioMedical Engineering OnLine 2005;4:60); one rate
for all makes their thresholds, several of which depend on the number of samples, mean the same for every device.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy.ndimage import maximum_filter1d, minimum_filter1d
from scipy.signal import butter, sosfilt, sosfilt_zi

Signal = npt.NDArray[np.float64]  # (n,) mV

VIEW_FS: Final = 125.0  # Hz
BAND_HZ: Final = (1.0, 30.0)
KEPT_SECONDS: Final = 8.0
STEEP_SECONDS: Final = 0.08  # a QRS complex rises or falls within so long


class View:
    """Filter and memory. Feed it blocks in order; a gap in them or a sample that is none begins anew."""

    def __init__(self, fs: float) -> None:
        self.fs = fs
        self.begin = 0  # the first sample since which the signal is whole
        self.end = 0  # behind the newest sample
        self._sos = butter(2, BAND_HZ, "bandpass", fs=fs, output="sos")
        self._rest = sosfilt_zi(self._sos)
        self._state = self._rest
        self._kept: Signal = np.empty(0)

    def feed(self, samples: npt.NDArray[np.floating[Any]], n0: int) -> None:
        """Takes in a block, (n,) mV; ``n0``: number of its first sample."""
        given = np.asarray(samples, np.float64)
        bad = np.flatnonzero(~np.isfinite(given))
        if bad.size:
            n0, given = n0 + int(bad[-1]) + 1, given[int(bad[-1]) + 1 :]
        if given.size == 0 or n0 != self.end:
            self.begin = self.end = n0
            self._kept = np.empty(0)
        if given.size == 0:
            return
        if self.end == self.begin:
            self._state = self._rest * given[0]  # as if the first sample had always been there: no step
        filtered, self._state = sosfilt(self._sos, given, zi=self._state)
        self._kept = np.concatenate((self._kept, filtered))[-round(KEPT_SECONDS * self.fs) :]
        self.end = n0 + given.size

    def seconds(self) -> float:
        """How long the signal has been whole."""
        return (self.end - self.begin) / self.fs

    def between(self, start: float, end: float) -> Signal | None:
        """The signal from one sample number to another at 125 Hz, or None when it is not there whole."""
        first = self.end - self._kept.size
        if start < first or end > self.end or end <= start:
            return None
        at = np.arange(start - first, end - first, self.fs / VIEW_FS)
        signal: Signal = np.interp(at, np.arange(self._kept.size), self._kept)
        return signal

    def steepest(self, start: float, end: float) -> float | None:
        """The largest rise or fall within 80 ms in a stretch, mV; None when it is not there whole."""
        signal = self.between(start, end)
        if signal is None:
            return None
        width = round(STEEP_SECONDS * VIEW_FS)
        return float((maximum_filter1d(signal, width) - minimum_filter1d(signal, width)).max())
