"""The median beat of a few seconds of ECG, and where its QRS begins and ends.

Beats alike in all leads are aligned and the median is taken sample by sample, so that noise, ectopic beats and
baseline wander leave no mark on the ST level; one global QRS onset and one J point hold for all leads, as the AHA/ACC/
HRS recommend for simultaneous leads (Kligfield et al., Circulation 2007;115:1306, sections "global intervals" and
"representative complex"). Baseline wander is removed as a straight line between the PR levels of neighbouring beats:
that bends no ST segment, which a high-pass filter would. Deviations: no sub-sample alignment.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MINIMUM_BEATS: Final = 3
ALIKE: Final = 0.90  # correlation over all leads above which two beats are of one kind
_REFRACTORY: Final = 0.20  # s: no two beats within
_T_REACH: Final = 0.36  # s after a beat in which one less than half as steep is its T wave (Pan and Tompkins 1985)
_BEAT_SHARE: Final = 0.35  # of the usual steepness; T waves reach about a fifth of the QRS's
_MAINS: Final = 0.020  # s: a mean over one period of 50 Hz hides the mains from the search for beats
_CORE: Final = 0.10  # s on both sides of a beat's steepest part that are compared
_SLIP: Final = 0.04  # s by which a beat may be moved to fit the others
_BEFORE: Final = 0.36  # s of the median beat before its steepest part
_AFTER: Final = 0.56
_WIDEST: Final = 0.22  # s; fibrillation, flutter and sine waves have no QRS one could measure from
_QUIET: Final = 0.010  # s without steepness: the QRS is over, or has not begun
_STEEP_SHARE: Final = 0.03  # of the steepest part: still QRS (docs/ecg.md: chosen on QRS durations, not on ST levels)
PR_WINDOW: Final = 0.016  # s before QRS onset that give the reference level


class MedianBeat(NamedTuple):
    """``mv``: (leads, n), zero at QRS onset (PR level). ``steepest``, ``onset`` and ``j`` are samples of it."""

    mv: Floats
    fs: float
    steepest: int
    onset: int
    j: int
    noise: Floats  # (leads,) mV: how far single beats scatter about the median at the ST segment, robust SD
    beats: tuple[int, ...]  # steepest part of every beat of the stretch, in its samples
    used: tuple[int, ...]  # of those the median is made of, moved to fit

    def at(self, start: int, seconds: float) -> Floats:
        """Mean of each lead over ``seconds`` from sample ``start``, mV: (leads,)."""
        length = max(1, round(seconds * self.fs))
        mean: Floats = self.mv[:, start : start + length].mean(axis=1)
        return mean


def median_beat(mv: Floats, independent: list[int], fs: float) -> MedianBeat | None:
    """The median of the commonest kind of beat; None when fewer than three are alike, or they have no clear QRS.

    ``mv``: (leads, n); ``independent``: rows that do not follow from others, by which beats are found and compared.
    """
    signal = mv[independent]
    beats = find_beats(signal, fs)
    if len(beats) < MINIMUM_BEATS:
        return None
    used = _aligned(_smooth(signal, _MAINS, fs), beats, fs)
    if len(used) < MINIMUM_BEATS:
        return None
    before, after = _reach(beats, fs)
    rough = np.median(_cut(mv, used, before, after), axis=0)
    onset, _ = _delineate(rough[independent], before, fs)
    level = _levelled(mv, used, onset - before, fs)
    pieces = _cut(level, used, before, after)
    median = np.median(pieces, axis=0)
    onset, j = _delineate(median[independent], before, fs)
    if not 0 < onset < j <= onset + _WIDEST * fs:
        return None
    pr = slice(max(0, onset - max(1, round(PR_WINDOW * fs))), onset)
    reference = median[:, pr].mean(axis=1, keepdims=True)
    noise = _scatter(pieces - pieces[:, :, pr].mean(axis=2, keepdims=True) - (median - reference), j, fs)
    return MedianBeat(median - reference, fs, before, onset, j, noise, tuple(beats.tolist()), tuple(used.tolist()))


def find_beats(signal: Floats, fs: float) -> NDArray[np.int64]:
    """Samples of the steepest part of every beat, all leads together. ``signal``: (leads, n)."""
    steep = _smooth(steepness(_smooth(signal, _MAINS, fs)), 0.06, fs)
    block = round(1.5 * fs)
    tops = [steep[i : i + block].max() for i in range(0, max(1, steep.size - block // 2), block)]
    above = np.flatnonzero(steep > _BEAT_SHARE * float(np.median(tops)))
    runs = np.split(above, np.flatnonzero(np.diff(above) > round(0.06 * fs)) + 1)
    tallest = [int(run[0]) + int(steep[run[0] : run[-1] + 1].argmax()) for run in runs if run.size]
    kept: list[int] = []
    for at in tallest:
        if kept and _same_beat(kept[-1], at, steep, fs):
            kept[-1] = max(kept[-1], at, key=lambda sample: float(steep[sample]))
        else:
            kept.append(at)
    return np.array(kept, np.int64)


def _same_beat(one: int, other: int, steep: Floats, fs: float) -> bool:
    weaker, stronger = sorted((float(steep[one]), float(steep[other])))
    return other - one < _REFRACTORY * fs or (other - one < _T_REACH * fs and weaker < 0.5 * stronger)


def steepness(signal: Floats) -> Floats:
    """How fast all leads together move, mV per sample (spatial velocity): (n,)."""
    speed: Floats = np.sqrt((np.gradient(signal, axis=1) ** 2).sum(axis=0))
    return speed


def _smooth(signal: Floats, seconds: float, fs: float) -> Floats:
    """Moving mean along the last axis, same length; the ends are repeated."""
    width = max(1, round(seconds * fs))
    pad = [(0, 0)] * (signal.ndim - 1) + [(width // 2 + 1, width - width // 2 - 1)]
    total = np.cumsum(np.pad(signal, pad, mode="edge"), axis=-1)
    smooth: Floats = (total[..., width:] - total[..., :-width]) / width
    return smooth


def _reach(beats: NDArray[np.int64], fs: float) -> tuple[int, int]:
    """Samples of the median beat before and after its steepest part: it must not reach into its neighbours."""
    usual = float(np.median(np.diff(beats))) / fs
    return round(min(_BEFORE, 0.45 * usual) * fs), round(min(_AFTER, 0.65 * usual) * fs)


def _cut(mv: Floats, at: NDArray[np.int64], before: int, after: int) -> Floats:
    """(beats, leads, n): the pieces around those beats that lie inside the stretch."""
    inside = at[(at >= before) & (at + after <= mv.shape[1])]
    return np.stack([mv[:, i - before : i + after] for i in inside.tolist()])


def _aligned(signal: Floats, beats: NDArray[np.int64], fs: float) -> NDArray[np.int64]:
    """Beats of the commonest kind, moved to where they fit best; those too near to an end are left out."""
    before, after = _reach(beats, fs)
    core, slip = round(_CORE * fs), round(_SLIP * fs)
    margin_before, margin_after = max(before, core) + slip, max(after, core) + slip
    inside: NDArray[np.int64] = beats[(beats >= margin_before) & (beats + margin_after <= signal.shape[1])]
    if inside.size < MINIMUM_BEATS:
        return inside[:0]
    pieces = _normal(_cut(signal, inside, core, core))
    model = int((pieces @ pieces.T).sum(axis=1).argmax())
    shifts = np.arange(-slip, slip + 1)
    fits = np.array([_normal(_cut(signal, inside + shift, core, core)) @ pieces[model] for shift in shifts.tolist()])
    moved: NDArray[np.int64] = (inside + shifts[fits.argmax(axis=0)])[fits.max(axis=0) >= ALIKE]
    return moved


def _normal(pieces: Floats) -> Floats:
    """Each beat as one vector over all leads, without its level, of length 1: (beats, leads x n)."""
    flat = (pieces - pieces.mean(axis=2, keepdims=True)).reshape(len(pieces), -1)
    normal: Floats = flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-9)
    return normal


def _levelled(mv: Floats, used: NDArray[np.int64], onset: int, fs: float) -> Floats:
    """``mv`` less the straight lines between the PR levels of neighbouring beats. ``onset``: relative to the beat."""
    width = max(1, round(PR_WINDOW * fs))
    knots = used + onset
    knots = knots[knots >= width]
    levels = np.stack([mv[:, i - width : i].mean(axis=1) for i in knots.tolist()], axis=1)
    time = np.arange(mv.shape[1])
    level: Floats = mv - np.stack([np.interp(time, knots - width / 2, row) for row in levels])
    return level


def _delineate(beat: Floats, steepest: int, fs: float) -> tuple[int, int]:
    """(QRS onset, J point) of a beat, (leads, n): where its steepness ends on both sides.

    An ST segment that climbs into a tall T wave is steep itself: the end is judged above the calmest 40 ms after it.
    """
    steep = _smooth(steepness(beat), _MAINS / 2, fs)  # hum rises and falls once in so long: it becomes a level
    near = round(0.06 * fs)
    top = max(0, steepest - near) + int(steep[max(0, steepest - near) : steepest + near].argmax())
    quiet = max(1, round(_QUIET * fs))
    onset = _calm(steep[: top + 1][::-1], _floor(steep[max(0, top - round(0.16 * fs)) : top], fs), steep[top], quiet)
    offset = _calm(steep[top:], _floor(steep[top : top + round(0.20 * fs)], fs), steep[top], quiet)
    return top - onset + 1, top + offset


def _floor(steep: Floats, fs: float) -> float:
    """Mean steepness of the calmest 40 ms."""
    return float(_smooth(steep, 0.04, fs).min()) if steep.size else 0.0


def _calm(steep: Floats, floor: float, top: float, quiet: int) -> int:
    """The first sample from which the steepness stays low."""
    low = steep < floor + _STEEP_SHARE * max(top - floor, 0.0)
    together = np.convolve(low, np.ones(quiet, np.int64), "valid") == quiet
    return int(together.argmax()) if together.any() else steep.size - 1


def _scatter(residue: Floats, j: int, fs: float) -> Floats:
    """Robust SD of single beats about the median in the 80 ms after J, (leads,) mV. ``residue``: (beats, leads, n)."""
    part = residue[:, :, j : j + round(0.08 * fs)]
    noise: Floats = 1.4826 * np.median(np.abs(part), axis=(0, 2))
    return noise
