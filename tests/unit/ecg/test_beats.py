"""The beat detector: what is a beat, what is none, and how soon it is told."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.derive.ecg.beats import LEARNING, BeatDetector
from gateway.evaluate.records import read_wfdb
from tests.unit.ecg.drawn import (
    FS,
    Signal,
    axis,
    found,
    missed,
    paced,
    regular,
    rhythm,
    seconds_of,
    surplus,
    wave,
)  # fmt: skip

LEARNT = 0.6 + LEARNING + 0.1  # s from which every beat is to be found, when the first comes at 0.6 s
LATEST = 0.250  # s after its R peak


def latenesses(signal: Signal, fs: float, frame: int) -> list[float]:
    """How long after each R peak the detector told of it, in seconds of signal, fed in frames of so many samples."""
    detector, late = BeatDetector(fs), []
    for at in range(0, signal.size, frame):
        end = min(at + frame, signal.size)
        late += [(end - 1 - beat.sample) / fs for beat in detector.feed(signal[at:end], at)]
    return late


@pytest.mark.parametrize("fs", [125.0, 200.0, 250.0, 360.0, 500.0, 1000.0])
@pytest.mark.parametrize("rate", [20, 40, 72, 120, 180, 220])
def test_every_beat_is_found_once_at_any_rate(rate: float, fs: float) -> None:
    times = regular(rate, 30)
    beats = found(rhythm(times, 30, fs, t_wave=0.25 if rate < 150 else 0.1), fs)
    assert not missed([at for at in times if at > LEARNT], beats, fs)
    assert not surplus(times, beats, fs)


@pytest.mark.parametrize("fs", [125.0, 250.0, 360.0, 500.0])
def test_a_beat_is_told_within_250_ms(fs: float) -> None:
    """Sample by sample, so that no frame hides how long it took."""
    late = latenesses(rhythm(regular(80, 20), 20, fs), fs, 1)
    assert len(late) > 20
    assert max(late) <= LATEST


@pytest.mark.data
@pytest.mark.parametrize("name", ["106", "107", "203", "207"])
def test_real_beats_are_told_within_250_ms(recordings: Path, name: str) -> None:
    """Ectopic, paced, noisy and wide beats; 4 samples a frame are 11 ms."""
    signal = read_wfdb(recordings / "ecg-mitdb" / name).signals["MLII"][: round(120 * FS)]
    late = latenesses(signal, FS, 4)
    assert len(late) > 100
    assert max(late) <= LATEST + 3 / FS


@settings(max_examples=20)
@given(cuts=st.lists(st.integers(1, 2000), min_size=1, max_size=40), seed=st.integers(0, 3))
def test_how_the_signal_is_cut_changes_nothing(cuts: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.uniform(0.4, 1.2, 15)).tolist()
    signal = rhythm(times, 20) + 0.05 * rng.standard_normal(round(20 * FS))
    detector, cut, at = BeatDetector(FS), [], 0
    for size in [*cuts, signal.size]:
        cut += detector.feed(signal[at : at + size], at)
        at = min(at + size, signal.size)
    assert [beat.sample for beat in cut] == [beat.sample for beat in found(signal)]
    assert [beat.ventricular for beat in cut] == [beat.ventricular for beat in found(signal)]


@pytest.mark.parametrize("height", [0.25, 0.5, 3.0, -1.0])
def test_tall_small_and_upside_down(height: float) -> None:
    times = regular(70, 30)
    beats = found(rhythm(times, 30, height=height))
    assert not missed([at for at in times if at > LEARNT], beats)
    assert not surplus(times, beats)


def test_a_tall_t_wave_is_no_beat() -> None:
    """IEC 60601-2-27 asks what a monitor makes of T waves up to 1.2 mV beside a QRS complex of 1 mV."""
    times = regular(80, 30)
    assert not surplus(times, found(rhythm(times, 30, t_wave=1.2)))


def test_a_heart_that_stops_has_no_beats() -> None:
    """Ripple of 0.1 mV is no QRS complex, however long none comes."""
    time = axis(60)
    ripple = 0.05 * np.sin(2 * np.pi * 9 * time)
    times = regular(75, 20)
    beats = found(rhythm(times, 60) + np.where(time > 20, ripple, 0.0))
    assert len(beats) >= len(times) - 2
    assert seconds_of(beats).max() < 20.1


@pytest.mark.parametrize("amplitude", [0.0, 0.02, 0.07])
def test_nothing_is_found_where_nothing_is(amplitude: float) -> None:
    assert not found(amplitude * np.sin(2 * np.pi * 12 * axis(30)))


def test_slow_beats_after_a_fast_start() -> None:
    """The threshold sinks while the next beat is overdue, but not to the T waves."""
    times = [*regular(120, 20), *np.arange(20.5, 59, 3.0).tolist()]
    beats = found(rhythm(times, 60))
    assert not missed([at for at in times if at > LEARNT], beats)
    assert not surplus(times, beats)


@pytest.mark.parametrize(("before", "after", "within"), [(1.0, 0.4, 0), (0.4, 2.0, 0), (2.0, 0.4, 3), (3.0, 0.25, 7)])
def test_beats_that_change_their_size_are_found_again(before: float, after: float, within: float) -> None:
    first, second = regular(75, 20), [20 + at for at in regular(75, 20)]
    time = axis(40)
    signal = np.where(time < 20, rhythm(first, 40, height=before), rhythm(second, 40, height=after))
    assert not missed([at for at in second if at > 20 + within], found(signal))


def test_a_huge_artefact_does_not_deafen() -> None:
    times = regular(75, 40)
    signal = rhythm(times, 40, height=0.5) + wave(axis(40), 0.5, 0.02, 30.0) + wave(axis(40), 15.0, 0.02, 30.0)
    assert not missed([at for at in times if 6 < at < 14.5 or at > 18], found(signal))


def test_baseline_and_mains_are_no_beats() -> None:
    times, time = regular(75, 40), axis(40)
    signal = rhythm(times, 40) + 1.5 * np.sin(2 * np.pi * 0.3 * time) + 0.3 * np.sin(2 * np.pi * 50 * time) + 40.0
    beats = found(signal)
    assert not missed([at for at in times if at > LEARNT], beats)
    assert not surplus(times, beats)


def test_a_pacing_spike_is_part_of_its_beat() -> None:
    times, time = regular(70, 30), axis(30)
    beats = found(np.asarray(sum((paced(time, at) for at in times), np.zeros(time.size))))
    assert not missed([at for at in times if at > LEARNT], beats, within=0.07)
    assert not surplus(times, beats, within=0.07)
    assert not any(beat.ventricular for beat in beats), "the patient's usual beat, however wide"


def test_no_interval_reaches_over_a_gap() -> None:
    times = regular(75, 20)
    signal, detector = rhythm(times, 20), BeatDetector(FS)
    before = detector.feed(signal, 0)
    after = detector.feed(signal, signal.size + round(3 * FS))
    assert before[0].rr is None
    assert after[0].rr is None
    assert all(beat.rr == pytest.approx(0.8, abs=0.02) for beat in (*before[1:], *after[1:]))
    assert not missed(times, after, within=0.05) or after[0].sample - signal.size - round(3 * FS) < 0.7 * FS


def test_after_a_short_gap_nothing_is_learnt_anew() -> None:
    times = regular(75, 20, first=0.3)
    signal, detector = rhythm(times, 20), BeatDetector(FS)
    detector.feed(signal, 0)
    start = signal.size + round(3 * FS)
    assert detector.feed(signal, start)[0].sample - start == pytest.approx(0.3 * FS, abs=3)


def test_after_a_long_gap_it_is_another_signal() -> None:
    times = regular(75, 20)
    detector = BeatDetector(FS)
    detector.feed(rhythm(times, 20, height=3.0), 0)
    beats = detector.feed(rhythm(times, 20, height=0.3), round(100 * FS))
    assert len(beats) >= len(times) - 2


def test_a_device_that_starts_again_is_another_signal() -> None:
    times = regular(75, 20)
    signal, detector = rhythm(times, 20), BeatDetector(FS)
    detector.feed(signal, 100_000)
    assert [beat.sample for beat in detector.feed(signal, 0)] == [beat.sample for beat in found(signal)]


def test_lead_off_in_the_middle_of_a_frame() -> None:
    times = regular(75, 30)
    signal = rhythm(times, 30)
    signal[round(10.3 * FS) : round(12.1 * FS)] = np.nan
    beats = found(signal)
    assert not missed([at for at in times if LEARNT < at < 9.9 or at > 12.4], beats)
    assert not surplus(times, beats)
    first = next(beat for beat in beats if beat.sample > 12 * FS)
    assert first.rr is None


def test_the_first_sample_may_have_any_number() -> None:
    signal = rhythm(regular(75, 20), 20)
    assert [beat.sample - 7_000_000_000 for beat in found(signal, n0=7_000_000_000)] == [
        beat.sample for beat in found(signal)
    ]


def test_too_slow_a_signal_is_refused() -> None:
    with pytest.raises(ValueError, match="too slow"):
        BeatDetector(50.0)
