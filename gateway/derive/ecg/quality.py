"""How far one ECG lead can be trusted, once a second.

It judges what the electrodes and the amplifier do, never the heart: fibrillation and a flat heart are no bad signal.
So it looks where the heart has little to say: at missing samples, at rails, above the QRS band, at jumps of the level.
"""

from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

Signal = npt.NDArray[np.float64]  # (n,)

FLAT_MV: Final = 0.005  # one step of a converter good enough for diagnosis (AHA/ACC/HRS 2007): a live lead moves more
RAIL_MV: Final = 2.0  # at least; amplifiers of monitors give up at 5 mV and above (IEC 60601-2-27)
RAIL_SHARE: Final = 0.1  # of a second exactly at its highest or lowest value
STEP: Final = 0.008  # s; a sample against those so far on either side: what is above about 30 Hz
NOISE_MV: Final = (0.03, 0.10, 0.30)  # standard deviation: nothing to say, a reason, useless
BASELINE_MV: Final = (0.25, 0.50, 3.0)  # from one second's median to the next: as above
MAD_TO_SIGMA: Final = 1.4826  # of a normal distribution; the median leaves QRS complexes out
STEP_GAIN: Final = 1.5**0.5  # of white noise in the difference taken


class Quality(msgspec.Struct, frozen=True, gc=False):
    """Of the second before ``sample``. ``index``: 1 is clean, 0 useless."""

    sample: int
    index: float
    reasons: tuple[str, ...] = ()


class QualityMeter:
    """Streaming. Feed it blocks in order; seconds are counted from where the stream began."""

    def __init__(self, fs: float) -> None:
        self._fs = fs
        self._second = round(fs)
        self._next = -1
        self._held: Signal = np.empty(0)
        self._level: float | None = None  # median of the second before

    def feed(self, samples: npt.NDArray[np.floating[Any]], n0: int) -> Quality | None:
        """The quality of the newest second when one has become complete. ``samples``: (n,) mV, NaN where lead off."""
        if n0 != self._next:
            self._held, self._level = np.empty(0), None
        self._next = n0 + samples.size
        self._held = np.concatenate((self._held, np.asarray(samples, np.float64)))
        found = None
        while self._held.size >= self._second:
            second, self._held = self._held[: self._second], self._held[self._second :]
            found = self._judge(second, self._next - self._held.size)
        return found

    def _judge(self, second: Signal, end: int) -> Quality:
        present = second[np.isfinite(second)]
        missing = 1 - present.size / second.size
        if present.size < 0.5 * second.size:
            self._level = None
            return Quality(end, 0.0, ("lead-off",))
        reasons = ["lead-off"] if missing else []
        stuck = "flat" if np.ptp(present) < FLAT_MV else "saturated" if is_saturated(present) else ""
        noise = high_frequency(present, self._fs)
        level = float(np.median(present))
        jump = 0.0 if self._level is None else abs(level - self._level)
        self._level = level
        if stuck:
            return Quality(end, 0.0, (*reasons, stuck))
        reasons += [
            reason for reason, value, (_, limit, _) in (("noise", noise, NOISE_MV), ("baseline", jump, BASELINE_MV))
            if value >= limit
        ]  # fmt: skip
        return Quality(end, (1 - missing) * share(noise, NOISE_MV) * share(jump, BASELINE_MV), tuple(reasons))


def share(value: float, scale: tuple[float, float, float]) -> float:
    """1 up to the first mark of the scale, 0 from the last, on a line between."""
    return min(1.0, max(0.0, (scale[2] - value) / (scale[2] - scale[0])))


def is_saturated(samples: Signal) -> bool:
    """Whether the amplifier is at its end: far from zero, and often at exactly the same highest or lowest value."""
    return any(
        abs(rail) >= RAIL_MV and np.count_nonzero(samples == rail) >= RAIL_SHARE * samples.size
        for rail in (samples.max(), samples.min())
    )


def high_frequency(samples: Signal, fs: float) -> float:
    """Standard deviation of what is above the band of the QRS complex, mV: muscle and mains."""
    step = max(1, round(STEP * fs))
    if samples.size <= 2 * step:
        return 0.0
    bend = samples[step:-step] - 0.5 * (samples[2 * step :] + samples[: -2 * step])
    return float(np.median(np.abs(bend))) * MAD_TO_SIGMA / STEP_GAIN
