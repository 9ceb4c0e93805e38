"""Measures the ST level of every lead of a 10 s 12-lead ECG.

Levels are read from the median beat at the J point, relative to the PR level at QRS onset, as the Fourth Universal
Definition has it (Thygesen et al., JACC 2018;72:2231). III, aVR, aVL and aVF follow from I and II (Einthoven,
Goldberger) where the device does not send them. A pure function: same samples, same report.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gateway.derive.ecg.median_beat import Floats, MedianBeat, median_beat
from gateway.derive.ecg.pacing import paced
from gateway.derive.ecg.st_gate import refusals
from gateway.derive.ecg.st_report import EXTRA, LIMB, TWELVE, LeadSt, Polarity, StReport, canonical

NO_BEATS: Final = "no-clear-beats"  # fewer than three alike, or no QRS in them: nothing is measured
_LEVEL: Final = 0.008  # s over which a level is averaged, from the J point on
_WAVE: Final = 0.05  # mV: smaller T waves are flat
_T_FROM: Final = 0.08  # s after J: later deflections are T
_P_REACH: Final = 0.20  # s before QRS onset
_TP_END: Final = 0.24  # s before QRS onset: there P has not begun
_TP_SCATTER: Final = 0.02  # mV: a diastole that moves more is no reference


class Examined(NamedTuple):
    """A report and the median beat it was read from, its rows in the order of the report's leads."""

    report: StReport
    beat: MedianBeat | None  # None when the report says why nothing was measured


def measure(leads: Mapping[str, NDArray[Any]], fs: float, low_cut_hz: float | None) -> StReport:
    """ST levels of a stretch of ECG, or a report that says why there are none.

    ``leads``: (n,) mV each, without gaps; ``low_cut_hz``: None when the device does not say.
    """
    return examine(leads, fs, low_cut_hz).report


def examine(leads: Mapping[str, NDArray[Any]], fs: float, low_cut_hz: float | None) -> Examined:
    """`measure`, with what it looked at."""
    given = {name: row for spelt, row in leads.items() if (name := canonical(spelt)) is not None}
    seconds = min((row.size for row in given.values()), default=0) / fs
    if refused := refusals(given, seconds, fs, low_cut_hz):
        return Examined(StReport(fs, seconds, low_cut_hz, refused), None)
    names, mv = _complete(given)
    beat = median_beat(mv, [names.index(name) for name in names if name not in LIMB], fs)
    if beat is None:
        return Examined(StReport(fs, seconds, low_cut_hz, (NO_BEATS,)), None)
    report = StReport(
        fs, seconds, low_cut_hz,
        leads=_levels(names, beat),
        derived=tuple(name for name in LIMB if name not in given),
        heart_rate=round(60.0 * fs / float(np.median(np.diff(beat.beats))), 1),
        qrs_ms=round((beat.j - beat.onset) / fs * 1000.0, 1),
        beats=len(beat.beats),
        beats_used=len(beat.used),
        onset_sample=beat.used[0] + beat.onset - beat.steepest,
        j_sample=beat.used[0] + beat.j - beat.steepest,
        pacing=paced(mv[[names.index(name) for name in ("II", "V1", "V5")]], beat.beats, fs),
        einthoven_mv=_disagreement(given),
    )  # fmt: skip
    return Examined(report, beat)


def _complete(given: Mapping[str, NDArray[Any]]) -> tuple[tuple[str, ...], Floats]:
    """Lead names and (leads, n) mV: the twelve in their order, calculated where missing, then extra ones."""
    length = min(row.size for row in given.values())
    rows = {name: np.asarray(row[:length], np.float64) for name, row in given.items()}
    one, two = rows["I"], rows["II"]
    limb = {"III": two - one, "aVR": -(one + two) / 2, "aVL": one - two / 2, "aVF": two - one / 2}
    names = (*TWELVE, *(name for name in EXTRA if name in rows))
    return names, np.stack([rows[name] if name in rows else limb[name] for name in names])


def _disagreement(given: Mapping[str, NDArray[Any]]) -> float:
    """Standard deviation of III from II - I, mV: more than the ADC's steps is a wrong lead."""
    if "III" not in given:
        return 0.0
    length = min(row.size for row in given.values())
    one, two, three = (given[name][:length] for name in ("I", "II", "III"))
    return round(float(np.std(three - (two - one))), 4)


def _levels(names: tuple[str, ...], beat: MedianBeat) -> tuple[LeadSt, ...]:
    j, j60 = beat.at(beat.j, _LEVEL), beat.at(beat.j + round(0.060 * beat.fs), _LEVEL)
    error = 1.2533 * beat.noise / np.sqrt(len(beat.used))  # of a median of normally scattered values
    return tuple(_lead(name, i, beat, (j[i], j60[i], error[i])) for i, name in enumerate(names))


def _lead(name: str, row: int, beat: MedianBeat, levels: tuple[float, float, float]) -> LeadSt:
    signal, fs = beat.mv[row], beat.fs
    qrs = signal[beat.onset : beat.j]
    start = max(0, beat.onset - round(_P_REACH * fs))
    before = signal[start : max(start + 1, beat.onset - round(0.02 * fs))]
    t, shape, terminal = t_wave(signal[beat.j + round(_T_FROM * fs) :])
    j, j60, error = (round(float(level), 4) for level in levels)
    return LeadSt(
        lead=name, j=j, j60=j60, r=round(max(0.0, float(qrs.max())), 4), s=round(min(0.0, float(qrs.min())), 4),
        p=_greatest(before), t=t, t_wave=shape, t_terminal=terminal, tp=_tp(signal, beat), error=error,
    )  # fmt: skip


def t_wave(signal: Floats) -> tuple[float, Polarity, float]:
    """(Greatest deflection, polarity, last deflection) of what follows the ST segment, mV above the PR level."""
    if signal.size == 0:
        return 0.0, "flat", 0.0
    top, bottom = int(signal.argmax()), int(signal.argmin())
    high, low = round(float(signal[top]), 4), round(float(signal[bottom]), 4)
    up = high >= _WAVE and high - float(signal[0]) >= _WAVE  # a raised or lowered ST segment is no wave of its own
    down = low <= -_WAVE and float(signal[0]) - low >= _WAVE
    if up and down:
        return max(high, low, key=abs), "biphasic", high if top > bottom else low
    greatest = high if up else low if down else max(high, low, key=abs)
    if abs(greatest) < _WAVE:
        return greatest, "flat", 0.0
    return greatest, "upright" if greatest > 0 else "inverted", greatest


def _tp(signal: Floats, beat: MedianBeat) -> float | None:
    """Level of the 40 ms before the P wave; None when it is not flat or not in the window."""
    end = beat.onset - round(_TP_END * beat.fs)
    part = signal[max(0, end - round(0.04 * beat.fs)) : max(0, end)]
    if part.size < round(0.04 * beat.fs) or float(np.ptp(part)) > _TP_SCATTER:
        return None
    return round(float(part.mean()), 4)


def _greatest(signal: Floats) -> float:
    return round(float(signal[int(np.abs(signal).argmax())]), 4)
