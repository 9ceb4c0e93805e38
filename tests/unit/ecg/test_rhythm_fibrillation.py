"""What tells fibrillation from everything else, number by number."""

import numpy as np
import pytest
from numpy.typing import NDArray

from gateway.derive.ecg.fibrillation import describe, fibrillates, leakage, periodicity
from gateway.derive.ecg.view import VIEW_FS, View

Signal = NDArray[np.float64]

AT = np.arange(round(4 * VIEW_FS)) / VIEW_FS


def wave(hertz: float, height: float = 1.0) -> Signal:
    return np.asarray(height / 2 * np.sin(2 * np.pi * hertz * AT))


def complexes(period: float, width: float) -> Signal:
    return np.asarray(sum(np.exp(-0.5 * ((AT - at) / width) ** 2) for at in np.arange(0.2, 4, period)))


def coarse(seed: int) -> Signal:
    """Waves of 3 to 7 Hz of changing height, as coarse fibrillation has them."""
    random = np.random.default_rng(seed)
    parts = [
        random.uniform(0.1, 0.4) * np.sin(2 * np.pi * random.uniform(3.5, 6) * AT + random.uniform(0, 6))
        for _ in range(4)
    ]
    return np.asarray(sum(parts))


def test_a_sine_passes_no_filter_that_cancels_its_period() -> None:
    assert leakage(wave(5)) < 0.1
    assert leakage(np.random.default_rng(1).standard_normal(AT.size)) > 0.625


@pytest.mark.parametrize("seed", range(8))
def test_coarse_waves_fibrillate(seed: int) -> None:
    assert fibrillates(describe(coarse(seed)), organised=False)


def test_flutter_fibrillates_and_its_rate_is_told() -> None:
    found = describe(wave(4.2) + 0.2 * wave(8.4) + 0.1 * wave(2.3))
    assert fibrillates(found, organised=False)
    assert found.rate == pytest.approx(252, abs=10)


@pytest.mark.parametrize("period", [0.4, 0.6, 0.8, 1.2])
@pytest.mark.parametrize("width", [0.015, 0.03, 0.05])
def test_complexes_with_rest_between_them_do_not(period: float, width: float) -> None:
    assert not fibrillates(describe(complexes(period, width)), organised=False)


def test_noise_does_not() -> None:
    for seed in range(8):
        assert not fibrillates(describe(np.random.default_rng(seed).standard_normal(AT.size)), organised=False)


def test_waves_below_a_fifth_of_a_millivolt_do_not() -> None:
    small = coarse(1)
    assert not fibrillates(describe(0.19 * small / np.ptp(small)), organised=False)
    assert fibrillates(describe(0.21 * small / np.ptp(small)), organised=False)


def test_a_line_does_not() -> None:
    assert not fibrillates(describe(np.zeros(AT.size)), organised=False)


def test_waves_that_repeat_with_every_slow_beat_are_no_flutter() -> None:
    beats = complexes(0.75, 0.03) - 0.8 * complexes(0.75, 0.12)
    assert periodicity(beats - beats.mean())[1]
    assert not periodicity(coarse(3) - coarse(3).mean())[1]


def test_the_view_has_one_rate_whatever_the_leads() -> None:
    for fs in (125.0, 200.0, 250.0, 360.0, 500.0, 1000.0):
        view = View(fs)
        at = np.arange(round(6 * fs)) / fs
        view.feed(np.sin(2 * np.pi * 5 * at), 0)
        signal = view.between(view.end - 4 * fs, view.end)
        assert signal is not None
        assert signal.size == 4 * VIEW_FS
        assert np.ptp(signal) == pytest.approx(2.0, abs=0.1)


def test_the_view_begins_anew_behind_a_gap() -> None:
    view = View(250.0)
    view.feed(np.zeros(500), 0)
    view.feed(np.zeros(100), 600)
    assert (view.begin, view.end) == (600, 700)
    view.feed(np.array([0.0, np.nan, 0.0, 0.0]), 700)
    assert (view.begin, view.end) == (702, 704)
    assert view.between(600, 700) is None
