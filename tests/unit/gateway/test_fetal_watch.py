"""The fetal heart in the path: what is told, when, of whom, and when a trace is over."""

import pytest

from gateway.contract.quantity import MINUTE, SECOND
from gateway.derive.fetal_watch import BASELINE, LOSS, FetalWatch, Heard
from gateway.derive.scores.score import Person
from tests.unit.gateway.builders import NOW
from tests.unit.scores.tables import ADULT, PREGNANT

UNIT = "amb-1"


def watching(person: Person | None = PREGNANT, off: tuple[str, ...] = ()) -> FetalWatch:
    watch = FetalWatch(off)
    if person is not None:
        watch.person(UNIT, person)
    return watch


def hear(watch: FetalWatch, start: int, end: int, rate: float | None) -> list[Heard]:
    """A value a second, from ``start`` to ``end`` s, the end excluded."""
    return [told for second in range(start, end) for told in watch.take(UNIT, rate, NOW + second * SECOND)]


def minutes(told: list[Heard]) -> list[float]:
    return [(one.at - NOW) / MINUTE for one in told]


def test_a_full_window_is_told_once_a_minute() -> None:
    watch = watching()
    assert hear(watch, 0, 600, 140) == [], "it fills for ten minutes"
    told = hear(watch, 600, 781, 140)
    assert minutes(told) == [10, 11, 12, 13]
    assert [one.values for one in told] == [{BASELINE: 140, LOSS: 0}] * 4


def test_a_change_is_told_when_it_happens() -> None:
    watch = watching()
    hear(watch, 0, 661, 140)
    told = hear(watch, 661, 1000, 180)
    changed = next(one for one in told if one.values[BASELINE] == 180)
    assert changed.at == NOW + 962 * SECOND, "more than half of the window is so"


def test_lost_signal_has_no_baseline_and_says_how_much_is_lost() -> None:
    watch = watching()
    hear(watch, 0, 601, 140)
    told = hear(watch, 601, 800, None)
    lost = next(one for one in told if one.invalid)
    assert (lost.values, lost.invalid) == ({BASELINE: None, LOSS: 20.2}, {BASELINE: "signal-loss"})
    assert lost.at == NOW + 723 * SECOND, "a value stands for two seconds, and 120 s are no more than a fifth"


def test_silence_is_loss_too_and_after_a_window_of_it_the_trace_is_over() -> None:
    watch = watching()
    hear(watch, 0, 601, 140)
    told = [one for second in range(600, 1300) for one in watch.check(NOW + second * SECOND)]
    assert next(one.invalid for one in told if one.invalid) == {BASELINE: "signal-loss"}
    assert told[-1].values[LOSS] == 100
    assert list(watch.check(NOW + 2000 * SECOND)) == [], "nobody is told every minute of what has ended"
    assert hear(watch, 2000, 2600, 140) == [], "the next trace fills anew"


@pytest.mark.parametrize("person", [ADULT, None])
def test_nobody_else_has_a_fetal_heart(person: Person | None) -> None:
    assert hear(watching(person), 0, 700, 200) == []


def test_it_can_be_off_and_somebody_else_begins_anew() -> None:
    assert hear(watching(off=("fetal-heart-rate",)), 0, 700, 200) == []
    watch = watching()
    hear(watch, 0, 700, 200)
    watch.forget(UNIT)
    watch.person(UNIT, PREGNANT)
    assert hear(watch, 700, 1300, 140) == []


def test_an_older_value_changes_nothing() -> None:
    watch = watching()
    hear(watch, 0, 700, 140)
    assert hear(watch, 0, 600, 200) == []
    assert [one.values[BASELINE] for one in hear(watch, 700, 761, 140)] == [140]


def test_a_trace_goes_on_after_a_restart() -> None:
    watch = watching()
    watch.fill({UNIT: [(180, NOW + second * SECOND) for second in range(600)]})
    told = hear(watch, 600, 602, 180)
    assert [(one.at, one.values[BASELINE]) for one in told] == [(NOW + 600 * SECOND, 180)]
    off = watching(off=("fetal-heart-rate",))
    off.fill({UNIT: [(180, NOW)]})
    assert list(off.check(NOW + 900 * SECOND)) == []
