"""Signal quality: each thing electrodes and amplifiers do has its name, and the heart is none of them."""

import numpy as np
import pytest

from gateway.derive.ecg.quality import Quality, QualityMeter
from tests.unit.ecg.drawn import FS, Signal, axis, regular, rhythm


def judged(signal: Signal, frame: int = 72) -> list[Quality]:
    meter = QualityMeter(FS)
    found = (meter.feed(signal[at : at + frame], at) for at in range(0, signal.size, frame))
    return [quality for quality in found if quality is not None]


def test_a_clean_signal_once_a_second() -> None:
    found = judged(rhythm(regular(75, 10), 10))
    assert [quality.sample for quality in found] == [round(second * FS) for second in range(1, 11)]
    assert all(quality.index > 0.95 and not quality.reasons for quality in found)


def test_lead_off_for_a_whole_second_is_useless() -> None:
    signal = rhythm(regular(75, 10), 10)
    signal[round(4 * FS) : round(6 * FS)] = np.nan
    found = judged(signal)
    assert [quality.reasons for quality in found[3:7]] == [(), ("lead-off",), ("lead-off",), ()]
    assert [quality.index > 0.9 for quality in found[3:7]] == [True, False, False, True]


def test_lead_off_for_a_moment_is_named() -> None:
    signal = rhythm(regular(75, 3), 3)
    signal[round(1.2 * FS) : round(1.4 * FS)] = np.nan
    found = judged(signal)[1]
    assert found.reasons == ("lead-off",)
    assert found.index == pytest.approx(0.8, abs=0.05)


def test_a_line_that_never_moves_is_flat_at_any_level() -> None:
    assert {quality.reasons for quality in judged(np.full(3600, 1.7))} == {("flat",)}


def test_a_heart_that_stops_is_not_flat() -> None:
    """An electrode on the skin has noise of its own: asystole must stay visible as such."""
    quiet = 0.005 * np.random.default_rng(2).standard_normal(3600)
    assert all(quality.index > 0.95 and not quality.reasons for quality in judged(quiet))


def test_fibrillation_is_no_bad_signal() -> None:
    time = axis(20)
    coarse = 0.6 * np.sin(2 * np.pi * 5.2 * time + 2 * np.sin(2 * np.pi * 0.7 * time)) * (1 + 0.3 * np.sin(time))
    assert all(quality.index > 0.9 and not quality.reasons for quality in judged(coarse))


@pytest.mark.parametrize("rail", [5.3, -5.3])
def test_an_amplifier_at_its_rail_is_saturated(rail: float) -> None:
    signal = np.clip(rhythm(regular(75, 5), 5) + rail, -5.12, 5.12)
    assert any("saturated" in quality.reasons for quality in judged(signal))


def test_muscle_is_noise_in_proportion() -> None:
    rng, clean = np.random.default_rng(3), rhythm(regular(75, 10), 10)
    little, much = (judged(clean + sigma * rng.standard_normal(clean.size)) for sigma in (0.05, 0.2))
    assert all(not quality.reasons and quality.index < 1 for quality in little)
    assert all(quality.reasons == ("noise",) and quality.index < 0.5 for quality in much)


def test_mains_hum_is_noise() -> None:
    hum = 0.3 * np.sin(2 * np.pi * 50 * axis(10))
    assert all("noise" in quality.reasons for quality in judged(rhythm(regular(75, 10), 10) + hum))


def test_a_level_that_jumps_is_named_once() -> None:
    signal = rhythm(regular(75, 10), 10)
    signal[round(5 * FS) :] += 2.0
    assert [quality.reasons for quality in judged(signal)[4:7]] == [(), ("baseline",), ()]


def test_after_a_gap_there_is_no_level_to_compare_with() -> None:
    meter, signal = QualityMeter(FS), rhythm(regular(75, 2), 2)
    meter.feed(signal, 0)
    after = meter.feed(signal + 4.0, 100_000)
    assert after is not None
    assert after.sample == 100_000 + signal.size
    assert not after.reasons


def test_how_the_signal_is_cut_changes_nothing() -> None:
    signal = rhythm(regular(75, 10), 10) + 0.1 * np.random.default_rng(4).standard_normal(3600)
    assert judged(signal, 72) == judged(signal, 7) == judged(signal, 100)
