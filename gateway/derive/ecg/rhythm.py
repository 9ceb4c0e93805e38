"""The rhythm watch of one ECG lead: which abnormal rhythm begins, which has ended.

Each criterion is a module of its own with its sources; here they meet. What the electrodes do decides whether a
criterion may speak at all: with the lead off nothing is told, and in noise nothing that rests on beats. Fibrillation is
judged on the waveform and asks only that there is a signal, so noise cannot hide it. While the heart fibrillates the
criteria that count beats are silent: there are none.
"""

from collections import deque
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from gateway.derive.ecg.asystole import Silence
from gateway.derive.ecg.beat import Beat
from gateway.derive.ecg.episode import Episode, RhythmEdge, Sign
from gateway.derive.ecg.extreme_rate import ExtremeRate
from gateway.derive.ecg.fibrillation import WINDOW_SECONDS, FibrillationMeter
from gateway.derive.ecg.irregular import IrregularRhythm
from gateway.derive.ecg.quality import Quality
from gateway.derive.ecg.ventricular import PrematureBeats, Tachycardia
from gateway.derive.ecg.view import View

__all__ = ["CODES", "LETHAL", "RhythmEdge", "RhythmWatch"]

LETHAL: Final = ("ventricular-fibrillation", "asystole", "ventricular-tachycardia")
CODES: Final = (
    *LETHAL,
    "pause",
    "extreme-bradycardia",
    "extreme-tachycardia",
    "irregular-rhythm",
    "premature-beats",
)
NO_SIGNAL: Final = frozenset({"lead-off", "flat", "saturated"})
POOR_INDEX: Final = 0.3  # below, beats are not to be trusted
UNKNOWN: Final = Sign(None)
ORGANISED_BEATS: Final = 3  # in the window of fibrillation
ORGANISED_RATE: Final = 133.0  # 1/min


class RhythmWatch:
    """Feed it each block with the beats found up to then, in order."""

    def __init__(self, fs: float, present: Collection[str] = ()) -> None:
        """``present``: the rhythms that were told and not ended, by another lead or before a restart."""
        self._fs = fs
        self._view = View(fs)
        self._fibrillation = FibrillationMeter(fs)
        self._silence = Silence(fs)
        self._tachycardia = Tachycardia(fs)
        self._premature = PrematureBeats(fs)
        self._rate = ExtremeRate(fs)
        self._irregular = IrregularRhythm(fs)
        self._episodes = {code: Episode(code, fs, on=code in present) for code in CODES}
        self._recent: deque[Beat] = deque()
        self._blind = self._poor = False
        self._disturbed = 0  # the sample up to which the electrodes moved, or noise hid beats

    def feed(
        self, beats: Sequence[Beat], samples: npt.NDArray[np.floating[Any]], n0: int, quality: Quality | None
    ) -> list[RhythmEdge]:
        """The edges that can be told now. ``samples``: (n,) mV; ``n0``: number of the first."""
        self._view.feed(samples, n0)
        if quality is not None:
            self._blind = not NO_SIGNAL.isdisjoint(quality.reasons)
            self._poor = self._blind or quality.index < POOR_INDEX
            if quality.reasons:
                self._disturbed = quality.sample
        now = n0 + samples.size
        edges = (self._episodes[code].update(now, sign) for code, sign in self._signs(beats, now).items())
        return [edge for edge in edges if edge is not None]

    def take_back(self, edges: Iterable[RhythmEdge]) -> None:
        """They could not be told: what they say is told with the next block, if it is still so."""
        for edge in edges:
            self._episodes[edge.code].on = not edge.on

    def _signs(self, beats: Sequence[Beat], now: int) -> dict[str, Sign]:
        """What each criterion says now."""
        view = self._view
        self._silence.feed(beats, view, self._disturbed)
        self._rate.feed(beats, self._disturbed)
        signs = {
            "asystole": self._silence.asystole,
            "ventricular-tachycardia": self._tachycardia.feed(beats, now, self._disturbed),
            "pause": self._silence.pause,
            "extreme-bradycardia": self._rate.slow,
            "extreme-tachycardia": self._rate.fast,
            "irregular-rhythm": self._irregular.feed(beats, view),
            "premature-beats": self._premature.feed(beats, now),
        }
        fibrillation = self._fibrillates(beats, now)
        if fibrillation.present:
            self._premature.forget()
            self._irregular.forget()
        if self._poor or fibrillation.present:
            signs = dict.fromkeys(signs, UNKNOWN)
        return {"ventricular-fibrillation": UNKNOWN if self._blind else fibrillation, **signs}

    def _fibrillates(self, beats: Sequence[Beat], now: int) -> Sign:
        meter, recent = self._fibrillation, self._recent
        recent.extend(beats)
        while recent and recent[0].sample < now - WINDOW_SECONDS * self._fs:
            recent.popleft()
        meter.look(self._view, is_organised(recent, self._fs))
        if meter.waveform is None:
            return UNKNOWN
        return Sign(meter.fibrillates, meter.since if meter.fibrillates else 0, meter.details())


def is_organised(beats: Sequence[Beat], fs: float) -> bool:
    """Whether the beats of a window are those of a heart that pumps: several, not ventricular, and not fast."""
    normal = sum(not beat.ventricular for beat in beats)
    if normal < ORGANISED_BEATS or 2 * normal <= len(beats):
        return False
    return 60.0 * (len(beats) - 1) * fs < ORGANISED_RATE * (beats[-1].sample - beats[0].sample)
