"""One simulated patient: heart, ECG, pleth, vital signs; deterministic for a seed, without a clock.

Time advances in steps of 200 ms by `Patient.advance`, never by itself.
"""

import math
import random
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from firmware_sims.condition import Condition
from firmware_sims.dipole import FS, LOOKAHEAD, Dipole
from firmware_sims.heart import Beat, Heart

STEP_US: Final = 200_000
STEP_S: Final = STEP_US / 1_000_000
ECG_N: Final = FS // 5
PLETH_FS: Final = 60
PLETH_N: Final = PLETH_FS // 5
PLETH_STEP: Final = 0.001
_RECENT: Final = 16  # beats that matter for a window or a rate
_AVERAGED_BEATS: Final = 8
_SILENT_AFTER: Final = 4.0  # s without a beat: rate 0 (asystole criterion of bedside monitors)
_PULSE_SHOWS: Final = 0.4  # weaker beats make no countable pulse
_TRANSIT: Final = 0.20  # s from the R wave to the foot of the pulse at the finger
_MOVED_SPO2: Final = 10.0  # %: what the oximeter reads too low at the height of a movement of full strength
_MOVED_RESP: Final = 5.0  # /min: scatter that it adds to impedance breathing
_SATURATION_LAG: Final = 12.0  # s, time constant from lung to finger and averaging

Values = dict[str, float | None]


class Signals(NamedTuple):
    """What the sensors gave in one step."""

    ecg: NDArray[np.int16]  # (12, 100), steps of 2.5 uV, leads as ECG_LEADS_12
    pleth: NDArray[np.int16]  # (12,), steps of 0.001


class Patient:
    """Physiology that follows ``condition_at`` (a function of elapsed us)."""

    def __init__(self, seed: int, condition_at: Callable[[int], Condition]) -> None:
        self.heart = Heart(seed, condition_at)
        self.elapsed = 0  # us
        self.condition = condition_at(0)
        self._condition_at = condition_at
        self._dipole = Dipole(seed)
        self._random = random.Random(seed ^ 0x5EED)
        self._saturation = self.condition.spo2
        self.heart.beat_until(LOOKAHEAD + STEP_S)

    def advance(self, render: bool = True) -> Signals | None:
        """Moves 200 ms on; the signals of that time, or None when they are not wanted."""
        start = self.elapsed / 1_000_000
        self.condition = self._condition_at(self.elapsed)
        self.heart.beat_until(start + STEP_S + LOOKAHEAD)
        self._saturation += (self.condition.spo2 - self._saturation) * STEP_S / _SATURATION_LAG
        self.elapsed += STEP_US
        if not render:
            return None
        beats = self._recent()
        ecg = self._dipole.render(start, ECG_N, beats, self.condition)
        return Signals(ecg, _pleth(start, beats, self.condition.perfusion))

    def vitals(self) -> Values:
        """What a monitor shows now; None = cannot be measured. Units as in gateway.contract.quantity."""
        now = self.elapsed / 1_000_000
        beats = [beat for beat in self._recent() if beat.at <= now]
        pulses = [beat for beat in beats if beat.strength >= _PULSE_SHOWS]
        pulse_rate = _rate(pulses, now - _TRANSIT)
        pulse: Values = {"pulse-rate": pulse_rate or None, "spo2": None, "perfusion-index": None}
        moved = self.condition.unrest * self._dipole.unrest.bout(now) if self.condition.unrest else 0.0
        if pulse_rate:
            saturation = self._saturation + self._random.gauss(0, 0.2) - _MOVED_SPO2 * moved
            pulse["spo2"] = min(100.0, round(saturation, 1))
            pulse["perfusion-index"] = max(0.02, round(self.condition.perfusion * self._random.gauss(1, 0.02), 2))
        return {
            "heart-rate": _rate(beats, now),
            **pulse,
            "resp-rate": float(
                max(0, round(self.condition.resp_rate + self._random.gauss(0, 0.4 + _MOVED_RESP * moved)))
            ),
            "temperature": round(self.condition.temperature + self._random.gauss(0, 0.01), 2),
        }

    def blood_pressure(self) -> Values:
        """One cuff measurement; None when there is no pulse to measure."""
        if not self.vitals()["pulse-rate"]:
            return {"bp-systolic": None, "bp-diastolic": None, "bp-mean": None}
        systolic = round(self.condition.systolic + self._random.gauss(0, 2))
        diastolic = min(systolic - 8, round(self.condition.diastolic + self._random.gauss(0, 2)))
        mean = round(diastolic + (systolic - diastolic) / 3)
        return {"bp-systolic": float(systolic), "bp-diastolic": float(diastolic), "bp-mean": float(mean)}

    def _recent(self) -> list[Beat]:
        beats = self.heart.beats
        return [beats[i] for i in range(max(0, len(beats) - _RECENT), len(beats))]


def _rate(beats: Sequence[Beat], now: float) -> float:
    """Mean rate over the last beats as monitors average it, whole /min; 0 when the last is over 4 s ago."""
    if len(beats) < 2 or now - beats[-1].at > _SILENT_AFTER:
        return 0.0
    used = beats[-_AVERAGED_BEATS - 1 :]
    return float(round(60.0 * (len(used) - 1) / (used[-1].at - used[0].at)))


def _pleth(start: float, beats: Sequence[Beat], perfusion: float) -> NDArray[np.int16]:
    """Pulse wave at the finger: per beat a systolic and a dicrotic bump after the transit time."""
    t = start + np.arange(PLETH_N) / PLETH_FS
    if not beats:
        return np.full(PLETH_N, round(0.1 / PLETH_STEP), np.int16)
    foot = np.array([beat.at for beat in beats])[:, None] + _TRANSIT
    size = np.array([beat.strength for beat in beats])[:, None] * min(1.0, math.sqrt(perfusion / 3.0))
    since = t - foot
    wave = np.exp(-0.5 * ((since - 0.14) / 0.055) ** 2) + 0.38 * np.exp(-0.5 * ((since - 0.34) / 0.08) ** 2)
    value: NDArray[np.float64] = 0.1 + 0.7 * (size * wave).sum(axis=0)
    return np.rint(value / PLETH_STEP).astype(np.int16)
