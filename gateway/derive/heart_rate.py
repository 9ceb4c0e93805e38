"""Heart rate from one ECG lead, once a second, from the last eight seconds.

Beats come from SleepECG's Pan-Tompkins detector (C backend; doi 10.21105/joss.05411). Averaging follows the usual
monitor: with four or more RR intervals the shortest and the longest are left out. Deviation: a fixed 8 s window
instead of the last 12 intervals, so a change of rate shows within the 10 s IEC 60601-2-27 allows.
"""

from collections import deque
from collections.abc import Callable
from functools import cache
from typing import Any, Final

import numpy as np

from gateway.contract.envelope import Instant
from gateway.contract.quantity import SECOND
from gateway.contract.waveform import NO_SAMPLE, WaveFrame

WINDOW_SECONDS: Final = 8.0
MINIMUM_SECONDS: Final = 4.0
QRS_FLOOR_MV: Final = 0.15  # smaller deflections are not beats (AACN, Bedside ECG alarm management)
SLOWEST_FS: Final = 100.0  # the detector's 5-30 Hz band needs more than 60, beats need more
SNAP_SECONDS: Final = 0.15  # a detection may lie so far from its R peak (EC57 match window)
SMALLEST_OF_TALLEST: Final = 0.2  # beats of one window differ less; ectopic ones may be several times as tall
LEAD_PREFERENCE: Final = ("II", "MLII", "I", "V5", "V2", "V1", "V4", "V3", "V6", "ECG", "III", "aVF", "aVL", "aVR")


class HeartRate:
    """Streaming estimator of one device's heart rate. Feed it frames in order.

    ``phase``, us, is where in a second it estimates: those of a fleet should not all fall into the same batch.
    """

    def __init__(self, phase: int = 0) -> None:
        self._phase = phase
        self._chunks: deque[bytes] = deque()
        self._bytes = 0
        self._lead = ""
        self._fs = 0.0
        self._next_n0 = -1
        self._second = 0  # number of the newest second seen

    def feed(self, frame: WaveFrame, event_at: Instant) -> float | None:
        """The rate in 1/min when a new second begins with this frame and it can be told, else None.

        ``event_at``: time of the frame's first sample, us.
        """
        if not self.fill(frame):
            return None
        second = (event_at + self._phase) // SECOND
        if second <= self._second:
            return None
        self._second = second
        if self._bytes < 2 * MINIMUM_SECONDS * self._fs:
            return None
        return estimate(np.frombuffer(b"".join(self._chunks), dtype="<i2"), self._fs, frame.scale)

    def fill(self, frame: WaveFrame) -> bool:
        """Takes in a frame without an estimate: after a restart, what had been seen before.

        False when it has no part in the rate: no ECG lead in it, or backfill that does not follow on what is there. A
        weak link's second half of each frame (every lead but the rhythm) comes as backfill and must not begin anew.
        """
        lead = next((name for name in LEAD_PREFERENCE if name in frame.leads), None)
        if lead is None:
            return False
        if lead != self._lead or frame.fs != self._fs or frame.n0 != self._next_n0:
            if frame.backfill and self._lead:
                return False
            self._restart(lead, frame.fs)
        self._next_n0 = frame.n0 + frame.n
        at = frame.leads.index(lead) * 2 * frame.n
        self._append(frame.samples[at : at + 2 * frame.n])
        return True

    def _restart(self, lead: str, fs: float) -> None:
        self._chunks.clear()
        self._bytes = 0
        self._lead, self._fs = lead, fs

    def _append(self, chunk: bytes) -> None:
        self._chunks.append(chunk)
        self._bytes += len(chunk)
        while self._bytes - len(self._chunks[0]) >= 2 * WINDOW_SECONDS * self._fs:
            self._bytes -= len(self._chunks.popleft())


@cache
def load_detector() -> "Callable[[np.ndarray[tuple[int], np.dtype[np.float64]], float], Any]":
    """SleepECG's detector. The first call imports all of SciPy, which takes a second or more."""
    from sleepecg import detect_heartbeats  # noqa: PLC0415

    detect: Callable[..., Any] = detect_heartbeats
    return detect


def estimate(samples: "np.ndarray[tuple[int], np.dtype[np.int16]]", fs: float, scale: float) -> float | None:
    """Mean heart rate, 1/min, of a stretch of one lead, or None when beats cannot be told.

    ``samples``: (n,) int16; ``scale``: mV per unit. Lead off anywhere in the stretch gives None.
    """
    if fs < SLOWEST_FS:
        return None
    if samples.size < 2 or (samples == NO_SAMPLE).any() or float(np.ptp(samples)) * scale < QRS_FLOOR_MV:
        return None
    signal = samples.astype(float)
    beats = confirm(signal, load_detector()(signal, fs), fs, QRS_FLOOR_MV / scale)
    intervals = np.sort(np.diff(beats)) / fs
    if intervals.size < 2:
        return None
    kept = intervals[1:-1] if intervals.size >= 4 else intervals
    rate = 60.0 / float(kept.mean())
    return round(rate, 1) if 15.0 <= rate <= 320.0 else None


def confirm(
    signal: "np.ndarray[tuple[int], np.dtype[np.float64]]",
    beats: "np.ndarray[tuple[int], np.dtype[np.int64]]",
    fs: float,
    floor: float,
) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    """The detections with a deflection at them, each moved to its peak and counted once.

    The detector learns its threshold from the first seconds; in a slow rhythm these may hold no beat at all, and ripple
    would pass for beats: a bradycardia would look like a healthy rate. ``floor``: smallest deflection, in units.
    """
    reach = int(SNAP_SECONDS * fs)
    distance = np.abs(signal - np.median(signal))
    peaks = np.unique(
        [max(0, at - reach) + int(distance[max(0, at - reach) : at + reach + 1].argmax()) for at in beats.tolist()]
    )
    heights = np.array([np.ptp(signal[max(0, at - reach) : at + reach + 1]) for at in peaks.tolist()])
    if heights.size == 0:
        return beats[:0]
    return peaks[heights >= max(floor, SMALLEST_OF_TALLEST * float(heights.max()))].astype(np.int64)
