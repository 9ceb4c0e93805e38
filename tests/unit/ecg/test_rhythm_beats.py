"""The criteria that count beats, on beats written by hand."""

import numpy as np
import pytest

from gateway.derive.ecg.beat import Beat
from gateway.derive.ecg.episode import Episode, Sign
from gateway.derive.ecg.extreme_rate import ExtremeRate
from gateway.derive.ecg.irregular import INTERVALS, IrregularRhythm, level, mean_likeness, sample_entropy
from gateway.derive.ecg.ventricular import PrematureBeats, Tachycardia
from gateway.derive.ecg.view import View

FS = 250.0


def beats(intervals: list[float], ventricular: str = "") -> list[Beat]:
    """One beat after each interval, s; ``ventricular``: V or N for each, N where it ends."""
    at = np.rint(np.cumsum(intervals) * FS).astype(int).tolist()
    kinds = ventricular.ljust(len(intervals), "N")
    return [
        Beat(sample, rr, 0.15 if kind == "V" else 0.09, 1.0, kind == "V", kind == "V")
        for sample, rr, kind in zip(at, intervals, kinds, strict=True)
    ]


def tachycardia(intervals: list[float], kinds: str, disturbed: int = 0) -> Sign:
    given = beats(intervals, kinds)
    return Tachycardia(FS).feed(given, given[-1].sample, disturbed)


@pytest.mark.parametrize(
    ("intervals", "kinds", "present"),
    [
        ([0.8, 0.4, 0.4, 0.4, 0.4], "VVVVV", True),
        ([0.8, 0.4, 0.4, 0.4, 0.4], "NVVVV", False),
        ([0.8, 0.4, 0.4, 0.4, 0.4], "VVNVV", False),
        ([0.8, 0.59, 0.59, 0.59, 0.59], "VVVVV", True),  # 102/min
        ([0.8, 0.61, 0.61, 0.61, 0.61], "VVVVV", False),  # 98/min
        ([0.8, 0.4, 0.8, 0.4, 0.4], "VVVVV", False),  # no even rhythm
        ([0.8, 0.16, 0.16, 0.16, 0.16], "VVVVV", False),  # 375/min
    ],
)
def test_five_ventricular_beats_faster_than_100(intervals: list[float], kinds: str, present: bool) -> None:
    sign = tachycardia(intervals, kinds)
    assert sign.present is present
    assert not present or sign.since == round(0.8 * FS)


def test_a_run_in_a_disturbed_second_is_not_told_until_five_beats_lie_outside() -> None:
    run = [0.8, *[0.4] * 5]
    assert tachycardia(run, "VVVVVV", disturbed=round(1.3 * FS)).present is None
    assert tachycardia(run, "VVVVVV", disturbed=round(1.1 * FS)).present is True


def test_a_tachycardia_of_30_s_is_sustained() -> None:
    assert "sustained" not in tachycardia([0.4] * 75, "V" * 75).details
    assert tachycardia([0.4] * 77, "V" * 77).details["sustained"] == "yes"


def premature(intervals: list[float], kinds: str) -> Sign:
    given = beats(intervals, kinds)
    return PrematureBeats(FS).feed(given, given[-1].sample)


def test_ten_premature_beats_a_minute_are_frequent() -> None:
    assert premature([0.8] * 70, "NNNNV" * 10).present
    assert not premature([0.8] * 70, "NNNNV" * 9).present
    assert not premature([0.8] * 200, "NNNNV" * 10).present, "long ago"


def test_a_rhythm_that_is_ventricular_throughout_has_no_premature_beats() -> None:
    assert not premature([0.8] * 60, "VVVVN" * 12).present
    assert not premature([0.4] * 60, "V" * 30).present, "a run is told as a run"


@pytest.mark.parametrize(("rate", "slow", "fast"), [(34, True, False), (36, False, False), (158, False, False)])
def test_extreme_rates(rate: float, slow: bool, fast: bool) -> None:
    watch = ExtremeRate(FS)
    watch.feed(beats([60 / rate] * 20), 0)
    assert (watch.slow.present, watch.fast.present) == (slow, fast)


def test_fast_takes_seventeen_beats() -> None:
    watch = ExtremeRate(FS)
    given = beats([60 / 170] * 20)
    watch.feed(given[:15], 0)
    assert not watch.fast.present
    watch.feed(given[15:17], 0)
    assert watch.fast.present


def test_a_slow_rhythm_is_known_within_10_s() -> None:
    for rate in (20, 25, 30, 34):
        watch = ExtremeRate(FS)
        for beat in beats([60 / rate] * 6):
            if beat.sample <= 10 * FS:
                watch.feed([beat], 0)
        assert watch.slow.present


def test_a_long_interval_in_a_disturbed_stretch_is_not_slow() -> None:
    watch = ExtremeRate(FS)
    watch.feed(beats([2.0] * 5), disturbed=round(5 * FS))
    assert watch.slow.present is None


def irregular(intervals: list[float], kinds: str = "") -> bool | None:
    return IrregularRhythm(FS).feed(beats(intervals, kinds), View(FS)).present


def random_intervals(count: int, spread: float) -> list[float]:
    return list(np.random.default_rng(7).uniform(0.7 - spread, 0.7 + spread, count))


def test_intervals_without_order_are_irregular() -> None:
    assert irregular(random_intervals(60, 0.25)) is True
    assert irregular(random_intervals(60, 0.02)) is False
    assert irregular(random_intervals(INTERVALS - 1, 0.25)) is None, "too few to tell"


def test_premature_ventricular_beats_do_not_make_a_rhythm_irregular() -> None:
    """Every third beat early, then a pause: the intervals that touch no ventricular beat are even."""
    cycle = [0.8, 0.81, 0.79, 0.5, 1.1]
    assert irregular(cycle * 30, "NNNVN" * 30) is False


def test_respiratory_arrhythmia_is_not_irregular() -> None:
    intervals = [0.85 + 0.15 * np.sin(2 * np.pi * beat / 6) for beat in range(60)]
    assert irregular(intervals) is False


def test_entropy_by_hand() -> None:
    """Equal intervals of 1 s: every pair alike with and without the next, so only ln(2 x 0.03) is left."""
    assert sample_entropy(np.ones(12)) == pytest.approx(np.log(0.06))
    assert sample_entropy(np.full(12, 2.0)) == pytest.approx(np.log(0.03))


def test_p_waves_that_repeat_are_alike() -> None:
    random = np.random.default_rng(3)
    unit = [signal / np.linalg.norm(signal) for signal in random.standard_normal((200, 22))]
    assert mean_likeness([unit[0]] * 10, 10) == pytest.approx(1.0)
    assert abs(mean_likeness(unit, 200)) < 0.05
    assert mean_likeness([unit[0]] * 5, 10) == pytest.approx(20 / 90), "half of the beats have none"
    assert mean_likeness([], 10) == 0.0


def test_a_rising_baseline_is_no_p_wave() -> None:
    assert np.abs(level(np.linspace(-3, 5, 22))).max() < 1e-9


def test_an_episode_waits_for_normal_rhythm_and_not_knowing_is_not_normal() -> None:
    episode = Episode("asystole", FS)
    second = round(FS)
    assert episode.update(second, Sign(None)) is None
    on = episode.update(2 * second, Sign(True, second))
    assert on is not None
    assert (on.on, on.since) == (True, second)
    assert [episode.update(at * second, Sign(False)) for at in range(3, 8)] == [None] * 5
    assert [episode.update(at * second, Sign(None)) for at in range(8, 40)] == [None] * 32
    assert [episode.update(at * second, Sign(False)) for at in range(40, 44)] == [None] * 4
    off = episode.update(44 * second, Sign(False))
    assert off is not None
    assert (off.on, off.since) == (False, 2 * second)
