"""What a patient's own movement adds to the ECG: nine electrodes that move, each by itself, and muscle.

Movement comes in bouts. A lead shows the difference between its electrodes, so Einthoven's law holds for artefacts too.
Electrode motion has the two parts of the synthetic one of ``gateway/evaluate/noise.py``: jumps that settle within
tenths of a second, and a rough baseline from 0.5 to 15 Hz whose amplitude falls with frequency. At strength 1 lead II
has 6 dB in the middle of a bout by the measure of PhysioNet's ``nst``; each doubling costs 6 dB. All but muscle noise
are functions of seed and time, so that windows join.
"""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_ELECTRODES: Final = 9  # RA, LA, LL, V1 to V6
_WAVES: Final = 16  # sinusoids of each electrode
_LOWEST, _HIGHEST = 0.5, 15.0  # Hz
_MOTION_MV: Final = 0.15  # standard deviation of the rough baseline of one electrode
_JUMP_MV: Final = 0.30
_JUMP_EVERY: Final = 2.0  # s, of each electrode
_JUMP_LASTS: Final = (0.05, 0.40)  # s, time constant
_MUSCLE_MV: Final = 0.03
_BOUTS: Final[Floats] = np.array([0.0091, 0.0173, 0.0312])  # Hz: bouts of some ten seconds, a minute apart
_STILL: Final = 0.35  # of the slow waves that make the bouts: below there is none ...
_GROWS: Final = 3.0  # ... and a third of their height above it is full strength
# I, II, V1 to V6 from the electrodes; Wilson's terminal is the mean of RA, LA and LL
_LEADS: Final[Floats] = np.zeros((8, _ELECTRODES))
_LEADS[0, [0, 1]] = -1.0, 1.0
_LEADS[1, [0, 2]] = -1.0, 1.0
_LEADS[2:, :3] = -1.0 / 3.0
_LEADS[2:, 3:] = np.eye(6)


class Unrest:
    """The movements of one patient."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._random = np.random.default_rng((seed, _ELECTRODES))
        self._bout_phases = self._random.uniform(0, math.tau, _BOUTS.size)
        shape = (_ELECTRODES, _WAVES, 1)
        self._frequencies = np.exp(self._random.uniform(math.log(_LOWEST), math.log(_HIGHEST), shape))
        self._phases = self._random.uniform(0, math.tau, shape)
        weights = 1 / np.sqrt(self._frequencies)  # evenly many an octave: amplitude by the hertz goes with 1/f
        self._weights = weights * _MOTION_MV * np.sqrt(2 / (weights**2).sum(axis=1, keepdims=True))

    def bout(self, t: float) -> float:
        """How much the patient moves at ``t`` s, 0 to 1."""
        return float(self._bouts(np.array([t]))[0])

    def ecg(self, t: Floats) -> Floats:
        """Artefacts of strength 1 in the leads I, II, V1 to V6 at the instants, mV: (8, n)."""
        bouts = self._bouts(t)
        if not bouts.any():
            return np.zeros((_LEADS.shape[0], t.size))
        waves = (self._weights * np.sin(math.tau * self._frequencies * t + self._phases)).sum(axis=1)
        muscle = _MUSCLE_MV * self._random.standard_normal(waves.shape)
        leads: Floats = _LEADS @ (waves + self._jumps(t) + muscle)
        return leads * bouts

    def _bouts(self, t: Floats) -> Floats:
        waves = np.sin(math.tau * _BOUTS[:, None] * t + self._bout_phases[:, None]).mean(axis=0)
        moves: Floats = np.clip((waves - _STILL) * _GROWS, 0.0, 1.0)
        return moves

    def _jumps(self, t: Floats) -> Floats:
        """One jump of each electrode in every two seconds: (electrodes, n)."""
        total = np.zeros((_ELECTRODES, t.size))
        newest = int(t[-1] // _JUMP_EVERY)
        for number in range(max(0, newest - 1), newest + 1):
            of = np.random.default_rng((self._seed, number))
            at = (number + of.uniform(0, 1, (_ELECTRODES, 1))) * _JUMP_EVERY
            height = _JUMP_MV * of.standard_normal((_ELECTRODES, 1))
            since = t - at
            total += np.where(
                since >= 0, height * np.exp(-np.maximum(since, 0) / of.uniform(*_JUMP_LASTS, at.shape)), 0
            )
        return total
