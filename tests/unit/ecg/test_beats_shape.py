"""What the detector says of each beat: width, amplitude, early or not, ventricular or not."""

import numpy as np
import pytest

from tests.unit.ecg.drawn import FS, WIDE, axis, beat, ectopic, found, regular, rhythm, wave

ECTOPIC_AT = [10.25, 15.05, 20.65]


def with_ectopic_beats() -> np.ndarray:
    """75/min; some beats come 0.25 s early and are ventricular, with the pause that follows them."""
    time = axis(30)
    usual = [at for at in regular(75, 30, first=0.6) if all(not -0.4 < at - early < 0.5 for early in ECTOPIC_AT)]
    signal = rhythm(usual, 30)
    return np.asarray(sum((ectopic(time, at) for at in ECTOPIC_AT), signal))


def test_a_wide_early_beat_is_ventricular_and_premature() -> None:
    marked = [beat for beat in found(with_ectopic_beats()) if beat.ventricular]
    assert [beat.sample / FS for beat in marked] == pytest.approx(ECTOPIC_AT, abs=0.06)
    assert all(beat.width > 0.12 for beat in marked)


def test_usual_beats_are_neither() -> None:
    beats = found(rhythm(regular(75, 30), 30))
    assert len(beats) > 30
    assert not any(beat.ventricular or beat.premature for beat in beats)
    assert all(0.06 <= beat.width <= 0.115 for beat in beats), "drawn about 90 ms wide"
    assert all(beat.amplitude == pytest.approx(1.25, abs=0.1) for beat in beats)


def test_a_narrow_early_beat_is_only_premature() -> None:
    times = regular(75, 30)
    times[20] -= 0.3
    early = [beat for beat in found(rhythm(times, 30)) if beat.premature]
    assert [beat.sample / FS for beat in early] == pytest.approx([times[20]], abs=0.03)
    assert not early[0].ventricular


def test_a_bundle_branch_block_is_the_usual_beat() -> None:
    time = axis(40)
    wide = np.asarray(sum((wave(time, at, WIDE, 1.2) for at in regular(110, 40)), np.zeros(time.size)))
    beats = found(wide)
    assert len(beats) > 60
    assert not any(beat.ventricular for beat in beats)
    assert np.median([beat.width for beat in beats]) > 0.12


def test_in_bigeminy_the_narrow_beat_is_the_usual_one() -> None:
    """As many ectopic beats as usual ones, and the recording begins in it."""
    time, pairs = axis(60), np.arange(0.6, 58, 1.6).tolist()
    signal = np.asarray(sum((beat(time, at) + ectopic(time, at + 0.55) for at in pairs), np.zeros(time.size)))
    late = [beat for beat in found(signal) if beat.sample > 20 * FS]
    ventricular = [beat for beat in late if beat.ventricular]
    assert len(ventricular) == pytest.approx(len(late) / 2, abs=1)
    assert all(min(abs(beat.sample / FS - at - 0.55) for at in pairs) < 0.06 for beat in ventricular)


def test_intervals_are_those_between_r_peaks() -> None:
    times = np.cumsum([0.7, 0.8, 1.0, 0.6, 0.9, 0.75, 1.1, 0.65, 0.8]).tolist()
    beats = found(rhythm(times, 9))
    assert [beat.rr for beat in beats[1:]] == pytest.approx(np.diff(times)[-len(beats) + 1 :], abs=2 / FS)
