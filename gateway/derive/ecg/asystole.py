"""No QRS complex for three seconds, a pause; for four, asystole.

Sources: asystole after 4 s without a beat while there is no fibrillation (Philips DFM100, PhysioNet/CinC Challenge
2015); pause of 3 s (critical-value lists of Chinese provinces; domain facts 10.1). A monitor that loses small complexes
calls asystole falsely (AACN, Bedside ECG alarm management). So where no beat was found, the signal itself must agree:
nothing in it may rise as steeply as a small QRS complex does. And the clock starts anew behind each second in which the
electrodes moved: an amplifier that recovers from a jump shows a smooth line too.
"""

from collections import deque
from collections.abc import Sequence
from statistics import median
from typing import Final

from gateway.derive.ecg.beat import Beat
from gateway.derive.ecg.episode import Sign
from gateway.derive.ecg.view import KEPT_SECONDS, View

PAUSE_SECONDS: Final = 3.0
ASYSTOLE_SECONDS: Final = 4.0
DECISION_SECONDS: Final = 0.3  # a beat is known so long after its R peak
LEARNING_SECONDS: Final = 2.0  # the beat detector finds nothing in the first seconds of a signal
AFTER_QRS_SECONDS: Final = 0.6  # till the end of T
BEFORE_QRS_SECONDS: Final = 0.3  # from P on
QRS_FLOOR_MV: Final = 0.15  # no QRS complex is smaller (AACN, as above)
SMALL_QRS: Final = 0.3  # of the usual one
USUAL_BEATS: Final = 8


class Silence:
    """Watches one lead for missing beats."""

    def __init__(self, fs: float) -> None:
        self._fs = fs
        self._last: int | None = None
        self._heights: deque[float] = deque(maxlen=USUAL_BEATS)
        self.pause = Sign(False)
        self.asystole = Sign(False)

    def feed(self, beats: Sequence[Beat], view: View, disturbed: int) -> None:
        """Looks at the time since the last beat, and between the new ones. ``disturbed``: sample up to which it was."""
        ended = [sign for beat in beats if (sign := self._take(beat, view, disturbed)).present]
        begin = max(disturbed, view.begin + round(LEARNING_SECONDS * self._fs))
        since = begin if self._last is None else max(self._last, begin)
        silent = (view.end - since) / self._fs - DECISION_SECONDS
        present: bool | None = silent >= PAUSE_SECONDS
        if present and not self._is_level(since, view.end, view):
            present = None
        details: dict[str, float | str] = {"seconds": round(silent, 1)}
        self.pause = ended[0] if ended else Sign(present, since, details)
        self.asystole = Sign(silent >= ASYSTOLE_SECONDS if present else present, since, details)

    def _take(self, beat: Beat, view: View, disturbed: int) -> Sign:
        before, self._last = self._last, beat.sample
        paused = (
            before is not None
            and before >= disturbed
            and beat.rr is not None
            and beat.rr >= PAUSE_SECONDS
            and self._is_level(before, beat.sample - round(BEFORE_QRS_SECONDS * self._fs), view)
        )
        self._heights.append(beat.amplitude)
        return Sign(paused, before or 0, {"seconds": round(beat.rr or 0.0, 1)})

    def _is_level(self, since: int, end: int, view: View) -> bool:
        """Whether nothing looks like a QRS complex after the beat at ``since``, as far back as is remembered."""
        start = max(since + AFTER_QRS_SECONDS * self._fs, view.end - KEPT_SECONDS * self._fs, view.begin)
        steepest = view.steepest(start, end)
        usual = median(self._heights) if self._heights else 0.0
        return steepest is not None and steepest < max(QRS_FLOOR_MV, SMALL_QRS * usual)
