"""The fetal heart in the path: what is told, when, of whom, and when a trace is over."""

import pytest

from gateway.contract.quantity import MINUTE, SECOND
from gateway.derive.fetal_watch import BASELINE, LOSS, OVER, FetalWatch, Heard
from gateway.derive.scores.score import Person
from tests.unit.gateway.builders import NOW
from tests.unit.scores.tables import ADULT, PREGNANT

UNIT = "amb-1"


def watching(person: Person | None = PREGNANT, off: tuple[str, ...] = ()) -> FetalWatch:
    watch = FetalWatch(off)
    if person is not None:
        watch.person(UNIT, person)
    return watch


def hear(
    watch: FetalWatch, start: int, end: int, rate: float | None, device: str = "ctg", *, practice: bool = False
) -> list[Heard]:
    """A value a second, from ``start`` to ``end`` s, the end excluded."""
    times = (NOW + second * SECOND for second in range(start, end))
    return [told for at in times for told in watch.take(UNIT, device, rate, at, practice=practice)]


def wait(watch: FetalWatch, start: int, end: int) -> list[Heard]:
    """Silence, looked at once a second."""
    return [one for second in range(start, end) for one in watch.check(NOW + second * SECOND)]


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
    told = wait(watch, 600, 1300)
    assert next(one.invalid for one in told if one.invalid) == {BASELINE: "signal-loss"}
    assert [one.values for one in told if OVER in one.invalid.values()] == [{LOSS: None}], "nothing is lost any more"
    assert told[-1].at == NOW + 1202 * SECOND, "nobody is told every minute of what has ended"
    assert hear(watch, 2000, 2600, 140) == [], "the next trace fills anew"


def test_two_transducers_are_two_traces_of_which_the_worst_is_told() -> None:
    watch = watching()
    told = []
    for second in range(901):
        told += hear(watch, second, second + 1, 140 if second < 700 else None, "first")
        told += hear(watch, second, second + 1, 100, "second")
    assert {one.values[BASELINE] for one in told} == {100}, "no median of two hearts"
    assert told[-1].values == {BASELINE: 100, LOSS: 30.2}, "the largest loss, and a baseline that can still be read"
    told = []
    for second in range(901, 2000):
        told += wait(watch, second, second + 1) + hear(watch, second, second + 1, 140, "second")
    assert told[-1].values == {BASELINE: 140, LOSS: 0}, "the first is over"


def test_a_low_baseline_goes_before_a_high_one() -> None:
    watch = watching()
    told = []
    for second in range(601):
        told += hear(watch, second, second + 1, 105, "first") + hear(watch, second, second + 1, 200, "second")
    assert [one.values[BASELINE] for one in told][-1] == 105


def test_practice_is_a_trace_of_its_own() -> None:
    watch = watching()
    hear(watch, 0, 601, 140)
    told = hear(watch, 601, 1262, 180, practice=True)
    assert {(one.values[BASELINE], one.practice) for one in told} == {(180, True)}, "no second of it was 140"
    assert hear(watch, 700, 710, 140) == [], "what comes late from before it begins no window"
    assert all(one.practice for one in wait(watch, 1262, 1270))
    told = hear(watch, 1270, 1931, 140)
    assert minutes(told)[0] >= (1270 + 600) / 60, "it fills anew"
    assert {(one.values[BASELINE], one.practice) for one in told} == {(140, False)}


def test_whoever_comes_next_has_neither_baseline_nor_loss() -> None:
    watch = watching()
    hear(watch, 0, 700, 180)
    watch.forget(UNIT)
    assert [(one.values, set(one.invalid.values())) for one in wait(watch, 700, 800)] == [
        ({BASELINE: None, LOSS: None}, {OVER})
    ]
    watch.forget(UNIT)
    assert wait(watch, 800, 900) == [], "of nobody nothing was told"


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
    watch.fill({UNIT: [("ctg", 180, NOW + second * SECOND) for second in range(600)]})
    told = hear(watch, 600, 602, 180)
    assert [(one.at, one.values[BASELINE]) for one in told] == [(NOW + 600 * SECOND, 180)]
    off = watching(off=("fetal-heart-rate",))
    off.fill({UNIT: [("ctg", 180, NOW)]})
    assert list(off.check(NOW + 900 * SECOND)) == []


def test_a_trace_that_ended_while_the_gateway_was_away_is_over() -> None:
    watch = watching()
    watch.fill({UNIT: []})
    assert [one.invalid for one in wait(watch, 0, 5)] == [{LOSS: OVER}]
