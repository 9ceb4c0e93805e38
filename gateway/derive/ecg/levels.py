"""Which waves of the envelope are beats: adaptive levels of signal and noise, as Pan and Tompkins have them.

Source of the scheme: Pan and Tompkins, IEEE Trans Biomed Eng 1985;32:230 (two running levels, refractory period, T-wave
rule). Deviations, all because a decision may not wait for a search back: the threshold sinks as the next beat falls
due (Christov, BioMed Eng OnLine 2004;3:28, does the same), and a beat that is soon followed by a much larger wave
corrects what the levels learnt from it.
"""

from statistics import median
from typing import Final

import msgspec

REMEMBERED: Final = 8  # beats and intervals behind the levels, as Pan and Tompkins
REFRACTORY: Final = 0.200  # s
T_WAVE: Final = 0.360  # s after a beat a wave must stand out more
T_WAVE_SHARE: Final = 0.5  # of the signal level
T_WAVE_OF_LAST: Final = 0.3  # of the beat before it; at the start of a signal the level may still be too low
SHARE: Final = 0.20  # of the way from noise to signal level
NOISE_SHARE: Final = 0.85  # the noise level is never taken for more than this part of the signal level
NOISE_GAIN: Final = 0.15  # of one beat's largest other wave in the noise level
TALLEST: Final = 2.0  # signal levels; a taller wave (an artefact, a ventricular beat) counts as this
OVERDUE: Final = 1.2  # usual intervals; from then on the threshold sinks
SINKING: Final = 0.6  # per usual interval
LOWEST: Final = 0.3  # of SHARE, until DEAF
OVERDUE_WEIGHT: Final = 3  # times a beat that came overdue counts in the levels: beats have become smaller
DEAF: Final = 2.5  # s without a beat; from then on the threshold halves every second, whatever the level was
PRECURSOR: Final = 0.300  # s; a beat followed so soon by a wave OUTGROWN times as large was the wave before it
OUTGROWN: Final = 1.1
ORDINARY: Final = 1.2  # signal levels; a beat above this is no precursor
FIRST_AT_MOST: Final = 2.0  # mV of the envelope, a QRS complex of about 3.5 mV: what is more is taken for an artefact
FIRST_RR: Final = 0.8  # s
SHORTEST_RR: Final = 0.25  # s; intervals outside say nothing of the rhythm
LONGEST_RR: Final = 2.5  # s


class State(msgspec.Struct, frozen=True, gc=False):
    """What has been learnt. A beat makes a new one, so that taking a beat back is to have the old one again."""

    peaks: tuple[float, ...]  # of the last beats
    noise: float  # what the largest wave between two beats is like
    intervals: tuple[float, ...] = ()  # s
    last: int | None = None  # sample of the last beat
    last_peak: float = 0.0

    @property
    def signal(self) -> float:
        return sorted(self.peaks)[len(self.peaks) // 2]

    @property
    def rr(self) -> float:
        """The usual interval, s."""
        return median(self.intervals) if self.intervals else FIRST_RR


class Levels:
    """Judges the waves of one stretch of signal in their order."""

    def __init__(self, fs: float, first_waves: list[tuple[int, float]]) -> None:
        """``first_waves``: sample and height of at least one wave; the tallest is taken for a beat."""
        self._fs = fs
        heights = [height for _, height in first_waves]
        tallest = min(max(heights), FIRST_AT_MOST)
        self._now = State(peaks=(0.8 * tallest,) * REMEMBERED, noise=0.5 * median(heights))
        self._quiet_since = first_waves[0][0]  # the last beat, or the begin of the signal
        self._before: State | None = None
        self._other = 0.0  # largest wave since the last beat that is no beat
        self._other_before = 0.0
        for sample, height in first_waves:  # so that the T wave of the last beat among them is not the first one told
            (self.accept if self.is_beat(sample, height) else self.reject)(sample, height)

    @property
    def usual_rr(self) -> float:
        """The interval the next beat is expected after, s."""
        return self._now.rr

    def resume(self, begin: int) -> None:
        """After a gap: the levels stay, but no interval begins before it."""
        self._quiet_since = begin
        self._now = msgspec.structs.replace(self._now, last=None)
        self._before = None

    def is_beat(self, sample: int, peak: float) -> bool:
        """Whether the wave at ``sample`` is high enough, and late enough, for a beat. May correct the beat before."""
        if self._outgrows(sample, peak):
            self._take_back()
        since = self._since(sample)
        if since is not None and since < REFRACTORY:
            return False
        return peak >= self._threshold(sample, since)

    def accept(self, sample: int, peak: float) -> None:
        """The wave is a beat."""
        now, since = self._now, self._since(sample)
        self._before, self._other_before = now, self._other
        overdue = self._overdue(sample) > 0
        self._quiet_since = sample
        intervals = now.intervals
        if since is not None and SHORTEST_RR < since < LONGEST_RR:
            intervals = (*intervals, since)[-REMEMBERED:]
        self._now = State(
            peaks=(*now.peaks, *[min(peak, TALLEST * now.signal)] * (OVERDUE_WEIGHT if overdue else 1))[-REMEMBERED:],
            noise=now.noise + NOISE_GAIN * (min(self._other, now.signal) - now.noise),
            intervals=intervals,
            last=sample,
            last_peak=peak,
        )
        self._other = 0.0

    def reject(self, sample: int, peak: float) -> None:
        """The wave is none."""
        since = self._since(sample)
        if since is None or since >= REFRACTORY:
            self._other = max(self._other, peak)

    def _since(self, sample: int) -> float | None:
        return None if self._now.last is None else (sample - self._now.last) / self._fs

    def _overdue(self, sample: int) -> float:
        """For how many usual intervals a beat has been missing; negative before."""
        return (sample - self._quiet_since) / self._fs / self._now.rr - OVERDUE

    def _threshold(self, sample: int, since: float | None) -> float:
        signal = self._now.signal
        noise = min(self._now.noise, NOISE_SHARE * signal)
        share = SHARE * min(1.0, max(LOWEST, 1 - SINKING * self._overdue(sample)))
        threshold = noise + share * (signal - noise)
        if since is not None and since < T_WAVE:
            return max(threshold, T_WAVE_SHARE * signal, T_WAVE_OF_LAST * self._now.last_peak)
        deaf = (sample - self._quiet_since) / self._fs - DEAF
        return threshold if deaf < 0 else threshold * 0.5**deaf

    def _outgrows(self, sample: int, peak: float) -> bool:
        since, before = self._since(sample), self._before
        return (
            since is not None
            and before is not None
            and since < PRECURSOR
            and peak > OUTGROWN * self._now.last_peak
            and self._now.last_peak < ORDINARY * before.signal
        )

    def _take_back(self) -> None:
        assert self._before is not None
        self._other = max(self._other_before, self._now.last_peak)
        self._quiet_since = self._before.last if self._before.last is not None else self._quiet_since
        self._now, self._before = self._before, None
