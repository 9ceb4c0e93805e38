"""Twelve ECG leads from one moving heart dipole.

Each beat is a sum of Gaussian bumps of a three-dimensional dipole (x to the left, y down, z to the back), the
closed form of the limit-cycle model ECGSYN (McSharry et al., IEEE TBME 50(3), 2003) as extended to the dipole by
Sameni et al. (EURASIP J. Adv. Signal Process. 2007). Eight leads are its projection with Dower's matrix; the other
four follow from I and II. Deviations: bumps are placed in time around the R wave, P and T scaled with sqrt(RR)
(Bazett) and QRS not scaled at all, where ECGSYN places all in phase; ST elevation is a plateau added per lead.
"""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from firmware_sims.condition import Condition, Rhythm
from firmware_sims.heart import Beat
from firmware_sims.unrest import Unrest

FS: Final = 500
STEP_MV: Final = 0.0025  # one unit of the integers
LOOKAHEAD: Final = 0.45  # s before its R wave in which a beat already shows
_MEMORY: Final = 0.9  # s after its R wave in which a beat still shows
J_POINT: Final = 0.05  # s after the R wave
_ST_RISE: Final = 0.035  # s: the end of QRS, over which the ST level comes up so that it is there at the J point

Floats = NDArray[np.float64]

# Dower's matrix (J. Electrocardiol. 13(3), 1980): rows I, II, V1 to V6; columns x, y, z
_DOWER: Final[Floats] = np.array(
    [
        (0.632, -0.235, 0.059),
        (0.235, 1.066, -0.132),
        (-0.515, 0.157, -0.917),
        (0.044, 0.164, -1.387),
        (0.882, 0.098, -1.277),
        (1.213, 0.127, -0.601),
        (1.125, 0.127, -0.086),
        (0.831, 0.076, 0.230),
    ]
)


class Bump(NamedTuple):
    """One Gaussian of the dipole."""

    wave: str  # P, QRS, T: normal beat; E: ectopic beat
    at: float  # s from the R wave
    width: float  # s, standard deviation
    x: float  # mV
    y: float
    z: float


_BUMPS: Final = (
    Bump("P", -0.160, 0.022, 0.07, 0.12, 0.02),
    Bump("QRS", -0.026, 0.008, -0.10, -0.04, -0.16),
    Bump("QRS", 0.000, 0.010, 0.95, 0.90, 0.45),
    Bump("QRS", 0.027, 0.009, -0.14, -0.16, 0.33),
    Bump("T", 0.265, 0.048, 0.16, 0.14, -0.12),
    Bump("T", 0.300, 0.030, 0.14, 0.12, -0.10),
    Bump("E", 0.000, 0.032, -0.70, 1.10, -0.90),
    Bump("E", 0.060, 0.034, -0.30, 0.50, 0.60),
    Bump("E", 0.300, 0.065, 0.30, -0.45, 0.25),
)
_AT: Final[Floats] = np.array([bump.at for bump in _BUMPS])
_WIDTH: Final[Floats] = np.array([bump.width for bump in _BUMPS])
_STRETCHES: Final = np.array([bump.wave in "PT" for bump in _BUMPS])
_AMPLITUDE: Final[Floats] = _DOWER @ np.array([bump[3:] for bump in _BUMPS]).T  # (8 leads, bumps)
_IS_P: Final = np.array([bump.wave == "P" for bump in _BUMPS])
_IS_ECTOPIC: Final = np.array([bump.wave == "E" for bump in _BUMPS])
_T_PEAK: Final = 0.265
_T_END: Final = 0.40
# resp moves the baseline of every lead a little, each its own way
_BREATH: Final[Floats] = np.array([0.020, 0.035, 0.015, 0.020, 0.025, 0.030, 0.030, 0.025])
_FIBRILLATION: Final[Floats] = _DOWER @ np.array([0.35, 0.45, -0.30])
_ATRIAL: Final[Floats] = _DOWER @ np.array([0.01, 0.035, -0.045])


class Dipole:
    """Renders beats as samples; holds the generators of noise and movement and nothing else."""

    def __init__(self, seed: int) -> None:
        self._noise = np.random.default_rng(seed)
        self._phases = self._noise.uniform(0, math.tau, 6)
        self.unrest = Unrest(seed)

    def render(self, start: float, n: int, beats: Sequence[Beat], condition: Condition) -> NDArray[np.int16]:
        """Samples of ``n`` instants from ``start`` (s): (12, n) int16 in steps of 2.5 uV, leads as ECG_LEADS_12.

        ``beats``: all that lie between 0.9 s before and 0.45 s after the window. I and II are even numbers of
        steps, so Einthoven's and Goldberger's identities hold exactly on the integers.
        """
        t = start + np.arange(n) / FS
        near = [beat for beat in beats if start - _MEMORY < beat.at < start + n / FS + LOOKAHEAD]
        mv = self._noise.standard_normal((8, n))
        mv *= 0.006
        mv += _BREATH[:, None] * np.sin(math.tau * condition.resp_rate / 60.0 * t)
        if near:
            mv += _beats(t, near)
            if condition.st_inferior or condition.st_lateral or condition.st_anterior:
                mv += _st_levels(condition)[:, None] * _plateaus(t, [beat for beat in near if not beat.ectopic])
        if condition.rhythm is Rhythm.VENTRICULAR_FIBRILLATION:
            mv += _FIBRILLATION[:, None] * self._chaos(t, (4.1, 5.3, 6.9))
        elif condition.rhythm is Rhythm.ATRIAL_FIBRILLATION:
            mv += _ATRIAL[:, None] * self._chaos(t, (5.1, 6.2, 7.7))
        if condition.unrest:
            mv += condition.unrest * self.unrest.ecg(t)
        return _twelve(mv)

    def _chaos(self, t: Floats, frequencies: tuple[float, float, float]) -> Floats:
        """An irregular oscillation of about unit size that never repeats within minutes."""
        p = self._phases
        parts = (
            np.sin(math.tau * f * t + p[i] + 1.8 * np.sin(math.tau * 0.31 * (i + 1) * t + p[i + 3]))
            for i, f in enumerate(frequencies)
        )
        total: Floats = sum(parts, np.zeros_like(t))
        return total / 1.7


def _beats(t: Floats, beats: Sequence[Beat]) -> Floats:
    """All bumps of the beats at the instants, mV: (8, n)."""
    at = np.array([beat.at for beat in beats])
    stretch = np.array([_stretch(beat) for beat in beats])[:, None]
    ectopic = np.array([beat.ectopic for beat in beats])[:, None]
    atrial = np.array([beat.atrial for beat in beats])[:, None]
    factor = np.where(_STRETCHES, stretch, 1.0)  # (beats, bumps)
    shown = (ectopic == _IS_ECTOPIC) & (atrial | ~_IS_P)
    z = (t - (at[:, None] + _AT * factor)[:, :, None]) / (_WIDTH * factor)[:, :, None]
    waves = np.where(shown[:, :, None], np.exp(-0.5 * z * z), 0.0).sum(axis=0)  # (bumps, n)
    result: Floats = _AMPLITUDE @ waves
    return result


def _stretch(beat: Beat) -> float:
    """How much slower than at 60/min P and T run, from the interval before (Bazett)."""
    return math.sqrt(min(1.4, max(0.3, beat.rr)))


def _st_levels(condition: Condition) -> Floats:
    """ST level of the eight leads, mV. Reciprocal depression in the limb leads follows from the identities."""
    inferior, lateral, anterior = condition.st_inferior, condition.st_lateral, condition.st_anterior
    return np.array([lateral, inferior, anterior, anterior, anterior, anterior, lateral, lateral])


def _plateaus(t: Floats, beats: Sequence[Beat]) -> Floats:
    """1 from each J point to the peak of T, then falling to 0 at the end of T: (n,)."""
    total = np.zeros_like(t)
    for beat in beats:
        stretch = _stretch(beat)
        since = t - beat.at
        rise = _smooth((since - J_POINT) / _ST_RISE + 1.0)
        fall = _smooth((since - _T_PEAK * stretch) / ((_T_END - _T_PEAK) * stretch))
        total += rise * (1.0 - fall)
    return total


def _smooth(x: Floats) -> Floats:
    """0 below 0, 1 above 1, a smooth step between."""
    x = np.clip(x, 0.0, 1.0)
    return x * x * (3.0 - 2.0 * x)


def _twelve(mv: Floats) -> NDArray[np.int16]:
    limb = 2 * np.rint(mv[:2] / (2 * STEP_MV)).astype(np.int32).clip(-8000, 8000)
    one, two = limb
    chest = np.rint(mv[2:] / STEP_MV).astype(np.int32).clip(-30000, 30000)
    out = np.empty((12, mv.shape[1]), np.int16)
    out[0], out[1], out[2] = one, two, two - one
    out[3], out[4], out[5] = -(one + two) // 2, one - two // 2, two - one // 2
    out[6:] = chest
    return out
