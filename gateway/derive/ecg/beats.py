"""Heart beats of one ECG lead, while it comes in.

Each block of signal goes through a wavelet whose envelope has one hump per QRS complex (``envelope``); each hump that
no larger one follows at once is judged against levels learnt from the humps before (``levels``); each beat found is
measured (``morphology``). All three look a fixed time ahead, at most 250 ms beyond the R peak, so what is found does
not depend on how the signal was cut into blocks.
"""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from gateway.derive.ecg.beat import Beat
from gateway.derive.ecg.envelope import Signal, Wavelet
from gateway.derive.ecg.levels import Levels
from gateway.derive.ecg.morphology import Morphology, swing

SLOWEST_FS: Final = 100.0  # Hz; below, the wavelet has too few samples
LEARNING: Final = 0.8  # s from the first wave on the levels are learnt, so no beats are told
REMEMBERED: Final = 10.0  # s; after a shorter gap the levels still hold
QRS_FLOOR_MV: Final = 0.15  # smaller deflections are not beats (AACN, Bedside ECG alarm management)
BACK: Final = 0.060  # s; of humps so near to each other only the largest counts
AHEAD: Final = 0.100  # s; as far as can be waited for: envelope 72 ms + 100 ms + 70 ms to the R peak < 250 ms
KEPT: Final = 0.500  # s of signal before a hump for measuring the beat


class BeatDetector:
    """Streaming detector. Feed it blocks of any length; a jump in ``n0`` or NaN starts anew."""

    def __init__(self, fs: float) -> None:
        if fs < SLOWEST_FS:
            raise ValueError(f"{fs} Hz is too slow to find beats")
        self._fs = fs
        self._wavelet = Wavelet(fs)
        self._back, self._ahead, self._kept = (round(seconds * fs) for seconds in (BACK, AHEAD, KEPT))
        self._levels: Levels | None = None
        self._morphology = Morphology(fs)
        self._next = -1  # the sample number that is expected
        self._restart(-1)

    def feed(self, samples: npt.NDArray[np.floating[Any]], n0: int) -> list[Beat]:
        """The beats that can be told now. ``samples``: (n,) mV; ``n0``: number of the first."""
        beats: list[Beat] = []
        for start, run in runs(np.asarray(samples, np.float64)):
            self._take_in(run, n0 + start)
            beats += self._judge()
        return beats

    def _restart(self, n0: int) -> None:
        gap = n0 - self._next
        if self._levels is not None and 0 <= gap <= REMEMBERED * self._fs:
            self._levels.resume(n0)
            self._morphology.forget_last()
        else:
            self._levels, self._morphology = None, Morphology(self._fs)
        self._first_waves: list[tuple[int, float]] = []  # sample and height
        self._signal_at = n0
        self._signal: Signal = np.empty(0)  # from sample _signal_at on
        self._envelope: Signal = np.empty(0)  # from _signal_at + half on
        self._judged = n0  # humps before this sample have been judged

    def _take_in(self, samples: Signal, n0: int) -> None:
        if n0 != self._next:
            self._restart(n0)
        self._next = n0 + samples.size
        kept_from = max(0, self._judged - self._kept - self._wavelet.half - self._signal_at)
        self._signal = np.concatenate((self._signal[kept_from:], samples))
        self._signal_at += kept_from
        known = self._envelope[kept_from:]
        self._envelope = np.concatenate((known, self._wavelet.envelope(self._signal[known.size :])))

    def _judge(self) -> Iterator[Beat]:
        offset = self._signal_at + self._wavelet.half
        for hump in self._humps():
            at, peak = hump + offset, float(self._envelope[hump])
            could_be = swing(self._signal, at - self._signal_at, self._fs) >= QRS_FLOOR_MV
            levels = self._levels or self._learn(at, peak, could_be)
            if levels is None:
                continue
            if could_be and levels.is_beat(at, peak):
                usual_rr = levels.usual_rr
                levels.accept(at, peak)
                yield self._morphology.measure(self._signal, self._signal_at, at - self._signal_at, usual_rr)
            else:
                levels.reject(at, peak)

    def _learn(self, at: int, peak: float, could_be: bool) -> Levels | None:
        """The levels, a second after the first wave that could be a beat: before there is nothing to learn from."""
        if self._first_waves and at >= self._first_waves[0][0] + LEARNING * self._fs:
            self._levels = Levels(self._fs, self._first_waves)
        elif self._first_waves or could_be:
            self._first_waves.append((at, peak))
        return self._levels

    def _humps(self) -> list[int]:
        """Indices into the envelope of new local maxima that none larger is near to."""
        envelope = self._envelope
        start = self._judged - self._signal_at - self._wavelet.half
        end = envelope.size - self._ahead
        begin = max(start, 1)
        if end <= begin:
            return []
        self._judged = end + self._signal_at + self._wavelet.half
        middle = envelope[begin:end]
        rising, falling = middle > envelope[begin - 1 : end - 1], middle >= envelope[begin + 1 : end + 1]
        tops = (np.flatnonzero(rising & falling) + begin).tolist()
        return [
            top for top in tops
            if envelope[top] >= envelope[max(0, top - self._back) : top + self._ahead + 1].max()
        ]  # fmt: skip


def runs(samples: Signal) -> Iterator[tuple[int, Signal]]:
    """The stretches without NaN, each with its index."""
    finite = np.isfinite(samples)
    if finite.all():
        yield 0, samples
        return
    edges = np.flatnonzero(np.diff(finite, prepend=False, append=False))
    for start, end in edges.reshape(-1, 2).tolist():
        yield start, samples[start:end]
