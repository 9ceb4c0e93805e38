"""An ECG drawn from Gaussian waves: what each test says about it is all there is in it."""

import numpy as np
import numpy.typing as npt

from gateway.derive.ecg.beat import Beat
from gateway.derive.ecg.beats import BeatDetector

Signal = npt.NDArray[np.float64]

FS = 360.0
P, T = -0.16, 0.26  # s from the R peak
NARROW, WIDE = 0.010, 0.032  # s, standard deviation of the R wave


def wave(time: Signal, at: float, width: float, height: float) -> Signal:
    """One Gaussian wave."""
    return np.asarray(height * np.exp(-0.5 * ((time - at) / width) ** 2))


def beat(time: Signal, at: float, height: float = 1.0, t_wave: float = 0.25) -> Signal:
    """A P wave, a QRS complex of about 90 ms, and a T wave."""
    return (
        wave(time, at + P, 0.022, 0.12)
        + wave(time, at - 0.028, 0.008, -0.12 * height)
        + wave(time, at, NARROW, height)
        + wave(time, at + 0.030, 0.010, -0.25 * height)
        + wave(time, at + T, 0.045, t_wave)
    )


def ectopic(time: Signal, at: float, height: float = 1.4) -> Signal:
    """A ventricular beat: no P wave, wide, its T wave the other way."""
    return (
        wave(time, at, WIDE, height) + wave(time, at + 0.10, 0.045, -0.6 * height) + wave(time, at + 0.32, 0.06, -0.4)
    )


def paced(time: Signal, at: float) -> Signal:
    """A spike of 2 ms and 3 mV, and the wide beat it makes."""
    spike = np.where(np.abs(time - (at - 0.06)) < 0.0015, 3.0, 0.0)
    return spike + wave(time, at, 0.035, -1.2) + wave(time, at + 0.3, 0.06, 0.4)


def axis(seconds: float, fs: float = FS) -> Signal:
    """The times of a signal."""
    return np.arange(round(seconds * fs)) / fs


def regular(rate: float, seconds: float, first: float = 0.6) -> list[float]:
    """Times of beats at a steady rate, none cut off at the end."""
    return list(np.arange(first, seconds - 0.6, 60 / rate))


def rhythm(times: list[float], seconds: float, fs: float = FS, height: float = 1.0, t_wave: float = 0.25) -> Signal:
    """Beats at these times, with the noise of any electrode (5 uV)."""
    time = axis(seconds, fs)
    quiet = 0.005 * np.random.default_rng(1).standard_normal(time.size)
    return np.asarray(sum((beat(time, at, height, t_wave) for at in times), quiet))


def found(signal: Signal, fs: float = FS, n0: int = 0, frame: int | None = None) -> list[Beat]:
    """What the detector makes of a signal that comes in frames (of 200 ms)."""
    detector, frame = BeatDetector(fs), frame or round(0.2 * fs)
    return [
        beat for at in range(0, signal.size, frame) for beat in detector.feed(signal[at : at + frame], n0 + at)
    ]  # fmt: skip


def seconds_of(beats: list[Beat], fs: float = FS) -> Signal:
    """Their R peaks in seconds."""
    return np.array([beat.sample for beat in beats]) / fs


def missed(times: list[float], beats: list[Beat], fs: float = FS, within: float = 0.05) -> list[float]:
    """The true times no found beat is near to."""
    peaks = seconds_of(beats, fs)
    return [at for at in times if not (np.abs(peaks - at) <= within).any()]


def surplus(times: list[float], beats: list[Beat], fs: float = FS, within: float = 0.05) -> list[float]:
    """The found beats no true time is near to."""
    true = np.array(times)
    return [at for at in seconds_of(beats, fs).tolist() if not (np.abs(true - at) <= within).any()]
