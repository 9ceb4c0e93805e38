"""Synthetic waveforms: a function of the sample number, so every frame can be made again bit for bit."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from gateway.contract.quantity import ECG_LEADS_12
from gateway.contract.waveform import NO_SAMPLE, WaveFrame
from gateway.contract.wire import encode
from tests.browser.world import SECOND, Unit

ECG_FS: Final = 500
ECG_SAMPLES: Final = 100
PLETH_FS: Final = 60
PLETH_SAMPLES: Final = 12
SCALE: Final = 0.005  # mV
HOLE: Final = 3  # beats of 200 ms
EPOCH: Final = "00c0ffee00c0ffee"

# centre (s after the beat), width (s), and amplitude (mV) per lead of P, Q, R, S, T: invented, plausible, no patient's
_WAVES: Final = (
    (0.16, 0.025, (0.10, 0.14, 0.06, -0.12, 0.04, 0.10, 0.06, 0.08, 0.08, 0.09, 0.09, 0.09)),
    (0.26, 0.009, (-0.06, -0.08, -0.04, 0.05, -0.03, -0.06, 0.0, 0.0, 0.0, -0.04, -0.08, -0.10)),
    (0.29, 0.011, (0.75, 1.10, 0.40, -0.90, 0.25, 0.75, 0.22, 0.45, 0.80, 1.30, 1.25, 0.95)),
    (0.32, 0.011, (-0.12, -0.15, -0.10, 0.14, -0.06, -0.12, -0.95, -1.20, -0.75, -0.40, -0.18, -0.08)),
    (0.54, 0.045, (0.22, 0.30, 0.10, -0.26, 0.08, 0.20, -0.08, 0.35, 0.42, 0.40, 0.32, 0.24)),
)


def heart(n0: int, n: int, fs: float, rate: float, lead: int) -> NDArray[np.float64]:
    """``n`` samples of one lead in mV from sample ``n0`` on, at ``rate`` beats a minute."""
    period = 60 / rate
    t = (np.arange(n0, n0 + n) / fs) % period
    out = np.zeros(n)
    for centre, width, amplitudes in _WAVES:
        at = centre * min(1.0, period / 0.8)
        out += amplitudes[lead] * np.exp(-(((t - at) / width) ** 2) / 2)
    return out


def square(n0: int, n: int, fs: float) -> NDArray[np.float64]:
    """1 mV for the first 200 ms of every second: what a ruler can check."""
    t = (np.arange(n0, n0 + n) / fs) % 1.0
    return np.where(t < 0.2, 1.0, 0.0)


def pulse(n0: int, n: int, fs: float, rate: float) -> NDArray[np.float64]:
    """Plethysmogram, 0 to 1."""
    phase = (np.arange(n0, n0 + n) / fs * rate / 60) % 1.0
    out: NDArray[np.float64] = np.exp(-(((phase - 0.3) / 0.12) ** 2)) + 0.35 * np.exp(-(((phase - 0.6) / 0.1) ** 2))
    return out


class FrameSource:
    """The frames of every unit since ``started_at`` (us)."""

    def __init__(self, started_at: int) -> None:
        self._started_at = started_at
        self.hole_every = 0  # beats from one hole of three beats to the next; 0 = no holes

    def frames(self, unit: Unit, beat: int) -> list[bytes]:
        """Binary feed messages of the 200 ms number ``beat``."""
        if self.hole_every and beat % self.hole_every < HOLE:
            return []
        out = [self._ecg(unit, beat)] if unit.leads else []
        if unit.pleth:
            values = pulse(beat * PLETH_SAMPLES, PLETH_SAMPLES, PLETH_FS, unit.rate)
            out.append(self._frame(unit, beat, ("pleth",), PLETH_FS, [values], 0.001, ""))
        return [bytes((len(unit.id),)) + unit.id.encode() + payload for payload in out]

    def _ecg(self, unit: Unit, beat: int) -> bytes:
        n = round(unit.fs * 0.2)
        signals = []
        for lead in unit.leads:
            index = ECG_LEADS_12.index(lead) if lead in ECG_LEADS_12 else 1
            values = square(beat * n, n, unit.fs) if unit.square else heart(beat * n, n, unit.fs, unit.rate, index)
            signals.append(np.full(n, np.nan) if lead in unit.leads_off else values)
        return self._frame(unit, beat, unit.leads, unit.fs, signals, SCALE, "0.05-150 Hz")

    def _frame(
        self,
        unit: Unit,
        beat: int,
        leads: tuple[str, ...],
        fs: float,
        signals: list[NDArray[np.float64]],
        scale: float,
        band: str,
    ) -> bytes:
        matrix = np.stack(signals)
        steps = np.where(np.isnan(matrix), NO_SAMPLE, np.round(np.nan_to_num(matrix) / scale)).astype("<i2")
        frame = WaveFrame(
            epoch=EPOCH,
            seq=beat,
            device="monitor",
            observed_at=self._started_at + beat * SECOND // 5,
            n0=beat * matrix.shape[1],
            fs=fs,
            leads=list(leads),
            scale=scale,
            samples=steps.tobytes(),
            filter=band,
        )
        return encode(frame)
