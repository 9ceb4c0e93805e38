"""When the clock of a bed stops: they left it, nobody lies on the mat, or nobody has said a word for long."""

import pytest

from gateway.contract.quantity import HOUR, MINUTE
from gateway.derive.pressure import SILENT_AFTER, TURNED, UNHEARD, Limits, PressureWatch, Stopped
from gateway.derive.scores.pressure_dose import COLUMNS, RELIEF, ROWS
from gateway.derive.scores.turn_clock import TURN_EVERY
from tests.unit.scores.lying import EVERY, UNIT, Bed


def test_a_mat_that_nobody_lies_on_stops_the_clock_though_no_sensor_says_so() -> None:
    bed = Bed()
    bed.lie(3 * HOUR)
    left_at = bed.at + EVERY
    bed.lie(RELIEF, kpa=0.4)
    assert bed.watch.care(UNIT).since is not None, "somebody changes the sheet"
    bed.lie(EVERY, kpa=0.4)
    assert (bed.care.left_at, bed.care.stopped) == (left_at, Stopped.EMPTY)
    assert bed.care.clock() is None
    assert bed.told[-1].values == {"pressure-dose": 0, "time-unturned": 0}
    bed.lie(EVERY)
    assert bed.care.since == bed.at


def test_a_mattress_that_relieves_every_zone_is_no_empty_bed() -> None:
    bed = Bed()
    bed.lie(MINUTE)
    since = bed.care.since
    bed.lie(TURN_EVERY, kpa=3.0)
    assert (bed.care.since, bed.care.dose) == (since, 0)


def test_a_mat_whose_cells_give_nothing_says_nothing_of_whoever_lies_there() -> None:
    bed = Bed()
    bed.lie(MINUTE)
    for _ in range(3 * RELIEF // EVERY):
        bed.at += EVERY
        bed.say("pressure-map", device="mat", kpa=[None] * (ROWS * COLUMNS))
    assert bed.care.since is not None


def test_an_empty_mat_is_counted_anew_from_a_return_on() -> None:
    bed = Bed()
    bed.lie(HOUR)
    bed.lie(RELIEF - MINUTE, kpa=0.0)
    bed.say("bed-exit")
    bed.at += MINUTE
    bed.say("bed-return")
    bed.lie(RELIEF - MINUTE, kpa=0.0)
    assert bed.care.since is not None


def test_an_empty_mat_is_counted_on_after_a_restart() -> None:
    bed = Bed()
    bed.lie(HOUR)
    bed.lie(RELIEF - MINUTE, kpa=0.0)
    after = Bed(PressureWatch({UNIT: bed.care}), bed.at)
    after.lie(MINUTE + 2 * EVERY, kpa=0.0)
    assert after.care.stopped is Stopped.EMPTY


def unheard_at(bed: Bed) -> int:
    """When the clock stops, if nobody says a word from now on."""
    assert bed.care.since is not None
    return max(bed.at, bed.care.since + TURN_EVERY) + UNHEARD


def test_a_clock_of_which_nobody_has_heard_for_long_stops_and_says_so() -> None:
    bed = Bed()
    bed.lie(3 * HOUR)
    ends_at = unheard_at(bed)
    [told] = bed.watch.check(ends_at - SILENT_AFTER)
    assert told.values["time-unturned"] == pytest.approx((ends_at - bed.at + 3 * HOUR) / MINUTE, abs=4)
    [told] = bed.watch.check(ends_at)
    assert (told.care.since, told.care.left_at, told.care.stopped) == (None, bed.at, Stopped.UNHEARD)
    assert told.values == {"pressure-dose": 0, "time-unturned": 0}
    assert bed.watch.check(ends_at + HOUR) == []


@pytest.mark.parametrize("word", ["bed-occupied", TURNED])
def test_a_word_of_somebody_keeps_the_clock_and_begins_it_anew_when_it_had_stopped(word: str) -> None:
    bed = Bed()
    bed.lie(3 * HOUR)
    ends_at = unheard_at(bed)
    bed.at = ends_at - MINUTE
    bed.say(word)
    bed.watch.check(ends_at)
    assert bed.watch.care(UNIT).stopped is None
    bed.watch.check(ends_at + UNHEARD + TURN_EVERY)
    assert bed.watch.care(UNIT).stopped is Stopped.UNHEARD
    bed.at = ends_at + 2 * UNHEARD
    bed.say(word)
    assert (bed.care.since, bed.care.stopped) == (bed.at, None)


def test_an_interval_of_their_own_is_longer_than_no_word() -> None:
    bed = Bed(PressureWatch(limits=lambda _: Limits(turn=2 * UNHEARD)))
    bed.lie(HOUR)
    bed.watch.check(bed.at + UNHEARD + HOUR)
    assert bed.watch.care(UNIT).stopped is None


@pytest.mark.parametrize("why", [Stopped.EXIT, Stopped.EMPTY])
def test_a_turn_of_somebody_who_has_left_starts_no_clock(why: Stopped) -> None:
    bed = Bed()
    bed.lie(HOUR)
    if why is Stopped.EXIT:
        bed.say("bed-exit")
    else:
        bed.lie(RELIEF + EVERY, kpa=0.0)
    left_at = bed.care.left_at
    bed.at += 10 * MINUTE
    [told] = bed.say(TURNED, by="wang")
    assert (told.care.since, told.care.left_at, told.care.stopped) == (None, left_at, why)
    assert told.values["time-unturned"] == 0


def test_a_turn_of_whoever_lies_there_next_starts_their_clock() -> None:
    bed = Bed()
    bed.lie(HOUR)
    bed.say("bed-exit")
    bed.watch.forget(UNIT)
    bed.at += MINUTE
    bed.say(TURNED, by="wang")
    assert (bed.care.since, bed.care.stopped) == (bed.at, None)
