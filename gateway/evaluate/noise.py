"""Noise made here, added to recordings at a stated signal-to-noise ratio.

The three kinds of the MIT-BIH Noise Stress Test Database (Moody, Muldrow and Mark 1984), synthetic because that
database need not be at hand. The ratio is that of its program ``nst``: signal power is a sine's with the peak-to-peak
amplitude of the mean QRS complex (squared, over eight), noise power the mean square. Noise covers the whole record.
"""

from collections.abc import Callable
from typing import Final
from zlib import crc32

import numpy as np

from gateway.evaluate.records import Samples, Signal

RATIOS_DB: Final = (24.0, 18.0, 12.0, 6.0, 0.0)
SEED: Final = 57
QRS_REACH: Final = 0.050  # s around a beat in which nst takes its amplitude
JUMPS_PER_SECOND: Final = 0.5
JUMP_LASTS: Final = (0.05, 0.40)  # s, time constants of an electrode that settles


def add(kind: str, signal: Signal, fs: float, beats: Samples, ratio_db: float, name: str) -> Signal:
    """The signal with noise of one kind; the same every time for the same record."""
    rng = np.random.default_rng([SEED, crc32(name.encode()), crc32(kind.encode())])
    noise = KINDS[kind](signal.size, fs, rng)
    power = qrs_amplitude(signal, fs, beats) ** 2 / 8
    gain = float(np.sqrt(power / (np.mean(noise**2) * 10 ** (ratio_db / 10))))
    return signal + gain * noise


def qrs_amplitude(signal: Signal, fs: float, beats: Samples) -> float:
    """Mean peak-to-peak amplitude of the QRS complexes, mV, without the tenth on either side."""
    reach = round(QRS_REACH * fs)
    inner = beats[(beats >= reach) & (beats < signal.size - reach)]
    found = np.sort([np.ptp(signal[at - reach : at + reach + 1]) for at in inner.tolist()])
    tenth = found.size // 10
    return float(np.nanmean(found[tenth : found.size - tenth])) if found.size else 0.0


def baseline_wander(n: int, fs: float, rng: np.random.Generator) -> Signal:
    """Breathing and slow drift: 0.05 to 0.5 Hz."""
    return shaped(n, fs, rng, 0.05, 0.5, slope=-1.0)


def muscle(n: int, fs: float, rng: np.random.Generator) -> Signal:
    """Electromyogram: 20 Hz upwards, swelling and falling over seconds."""
    return shaped(n, fs, rng, 20.0, 150.0, slope=0.0) * (1 + 0.8 * np.tanh(shaped(n, fs, rng, 0.1, 1.0, slope=0.0)))


def electrode_motion(n: int, fs: float, rng: np.random.Generator) -> Signal:
    """Jumps of the electrode that settle within tenths of a second, on a rough baseline: in the QRS complex's band."""
    jumps = np.zeros(n)
    for at in np.flatnonzero(rng.random(n) < JUMPS_PER_SECOND / fs).tolist():
        lasts = rng.uniform(*JUMP_LASTS) * fs
        tail = np.arange(min(n - at, round(5 * lasts)))
        jumps[at : at + tail.size] += rng.normal() * np.exp(-tail / lasts)
    return 2 * jumps + shaped(n, fs, rng, 0.5, 15.0, slope=-1.0)


def shaped(n: int, fs: float, rng: np.random.Generator, low: float, high: float, slope: float) -> Signal:
    """Gaussian noise of unit power whose amplitude between two frequencies goes with frequency ** ``slope``."""
    spectrum = np.fft.rfft(rng.standard_normal(n))
    frequency = np.fft.rfftfreq(n, 1 / fs)
    inside = (frequency >= low) & (frequency <= high)
    spectrum *= np.where(inside, np.maximum(frequency, low) ** slope, 0.0)
    noise = np.fft.irfft(spectrum, n)
    return np.asarray(noise / max(float(noise.std()), 1e-12))


KINDS: Final[dict[str, Callable[[int, float, np.random.Generator], Signal]]] = {
    "baseline-wander": baseline_wander,
    "muscle": muscle,
    "electrode-motion": electrode_motion,
}
