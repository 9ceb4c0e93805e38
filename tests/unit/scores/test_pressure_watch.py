"""Who lies how, from events: when the clock runs, what is told, what a restart knows, what may be confirmed."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.contract.quantity import HOUR, MINUTE, SECOND
from gateway.derive.pressure import (
    CONFIRMED,
    TURNED,
    Care,
    CareRefused,
    Limits,
    PressureWatch,
    Refusal,
    confirmable,
)
from gateway.derive.scores import pressure_dose, turn_clock
from gateway.derive.scores.pressure_dose import LIMIT, RELIEF, BadMap
from gateway.derive.scores.turn_clock import LAPSES_AFTER
from tests.unit.scores.lying import EVERY, SACRUM, UNIT, Bed
from tests.unit.scores.tables import NOW


def refused(act: Any) -> Refusal:
    with pytest.raises(CareRefused) as caught:
        act()
    return caught.value.reason


def test_the_clock_runs_from_the_first_map_that_somebody_presses() -> None:
    bed = Bed()
    bed.lie(MINUTE, kpa=0.4)
    assert bed.told == [], "nobody lies there"
    bed.lie(EVERY)
    assert (bed.care.since, bed.told[-1].values["time-unturned"]) == (bed.at, 0)


def test_it_is_told_once_a_minute_and_grows() -> None:
    bed = Bed()
    bed.lie(10 * MINUTE)
    assert [one.values["time-unturned"] for one in bed.told] == list(range(10))
    assert bed.told[-1].values["pressure-dose"] == pytest.approx(8 * 9, rel=0.01)
    assert {one.care.zone for one in bed.told[1:]} == {SACRUM}


def test_a_silent_mat_does_not_stop_the_clock_and_adds_no_dose() -> None:
    bed = Bed()
    bed.lie(2 * MINUTE)
    since = bed.care.since
    assert since is not None
    assert bed.watch.check(bed.at + MINUTE) == []
    [told] = bed.watch.check(bed.at + 3 * HOUR + 20 * SECOND)
    assert told.at == since + 3 * HOUR + 2 * MINUTE, "on the minute of the clock, whenever somebody looks"
    until_the_last_map = round(8 * (bed.at - since) / MINUTE, 1)
    assert told.values == {"pressure-dose": until_the_last_map, "time-unturned": 182}
    assert bed.watch.check(bed.at + 3 * HOUR + 21 * SECOND) == []


def test_a_turn_begins_both_anew_and_is_told_at_once() -> None:
    bed = Bed()
    bed.lie(HOUR)
    assert bed.say(TURNED, by="wang")[0].values == {"pressure-dose": 0, "time-unturned": 0}
    assert (bed.care.since, bed.care.zone) == (bed.at, "")


def test_a_turn_recorded_late_says_what_is_unknown_since_then() -> None:
    bed = Bed()
    bed.lie(HOUR)
    turned_at = bed.at - 10 * MINUTE
    [told] = bed.say(TURNED, at=turned_at)
    assert told.at > bed.at - MINUTE, "it ends what is wrong now"
    assert told.values["time-unturned"] == pytest.approx(9.5, abs=0.5)
    recorded_at = bed.at
    bed.lie(5 * MINUTE)
    assert bed.care.since == turned_at
    assert bed.care.unknown == 10 * MINUTE
    assert bed.care.dose == pytest.approx(8 * (bed.care.at - recorded_at) / MINUTE, abs=0.1)


def test_leaving_the_bed_sets_back_and_stops_the_clock_until_they_are_back() -> None:
    bed = Bed()
    bed.lie(HOUR)
    [told] = bed.say("bed-exit")
    assert told.values == {"pressure-dose": 0, "time-unturned": 0}
    assert told.care.since is None
    bed.at += 10 * SECOND
    assert bed.say("bed-exit", device="under-mattress") == [], "the other sensor says so too"
    bed.lie(30 * SECOND)
    assert bed.care.since is None, "a mat that settles is nobody"
    [back] = bed.say("bed-return", device="under-mattress")
    assert back.care.since == bed.at
    assert bed.say("bed-occupied") == [], "two sensors, one return"


def test_a_mat_that_is_pressed_brings_them_back_when_no_sensor_does() -> None:
    bed = Bed()
    bed.lie(HOUR)
    bed.say("bed-exit")
    left_at = bed.at
    bed.lie(2 * MINUTE)
    assert bed.care.since == left_at + MINUTE


def test_a_bed_nobody_is_watched_in_has_no_clock() -> None:
    bed = Bed()
    for name in ("bed-exit", "bed-return", "bed-occupied"):
        assert bed.say(name) == []
    assert bed.watch.check(NOW + 9 * HOUR) == []


def test_after_a_restart_it_goes_on_and_says_what_is_unknown() -> None:
    bed = Bed()
    bed.lie(HOUR)
    stored = msgspec.json.decode(msgspec.json.encode(bed.care), type=Care)
    assert stored == bed.care
    bed.at += 20 * MINUTE
    after = Bed(PressureWatch({UNIT: stored}), bed.at)
    after.lie(2 * MINUTE)
    assert after.care.since == stored.since
    assert stored.mat_at is not None
    assert after.care.unknown == pytest.approx(bed.at + EVERY - stored.mat_at - MINUTE)
    assert after.care.dose == pytest.approx(stored.dose + 8 * 3, rel=0.02), "a map stands for a minute, no longer"


def test_a_kill_within_the_minute_loses_next_to_nothing() -> None:
    whole, bed = Bed(), Bed()
    whole.lie(HOUR + 45 * SECOND)
    bed.lie(HOUR + 30 * SECOND)
    after = Bed(PressureWatch({UNIT: bed.care}), bed.at)
    after.lie(15 * SECOND)
    whole.lie(2 * MINUTE)
    after.lie(2 * MINUTE)
    assert after.care.dose == pytest.approx(whole.care.dose, rel=1e-3)
    assert after.care.unknown == 0


WORDS: dict[str, dict[str, Any]] = {
    "pressure-map": {"kpa": [8.0] * 128},
    "bed-exit": {},
    "bed-return": {},
    "mattress-state": {"mode": "alternate"},
    TURNED: {},
}


@given(st.lists(st.tuples(st.integers(1, 90), st.sampled_from([*WORDS])), min_size=1, max_size=30), st.integers(0, 29))
def test_a_kill_at_any_time_changes_nothing_about_the_clock(words: list[tuple[int, str]], killed: int) -> None:
    whole, bed = Bed(), Bed()
    for number, (seconds, name) in enumerate(words):
        if number == killed:
            bed.watch = PressureWatch({UNIT: bed.care} if bed.told else {})
        for one in (whole, bed):
            one.at += seconds * SECOND
            one.say(name, **WORDS[name])
    after, before = bed.watch.care(UNIT), whole.watch.care(UNIT)
    assert (after.since, after.left_at, after.mode) == (before.since, before.left_at, before.mode)


def test_somebody_else_inherits_nothing() -> None:
    bed = Bed()
    bed.lie(3 * HOUR)
    bed.watch.forget(UNIT)
    [told] = bed.watch.check(bed.at)
    assert told.values == {"pressure-dose": 0, "time-unturned": 0}
    assert (told.care.since, told.care.proposal) == (None, None)
    bed.lie(EVERY)
    assert bed.care.since == bed.at


def test_relief_that_lasts_is_told_too() -> None:
    bed = Bed()
    bed.lie(HOUR)
    bed.lie(RELIEF + 2 * MINUTE, kpa=1.0)
    assert (bed.care.zone, bed.care.dose) == ("", 0)


@pytest.mark.parametrize("details", [{}, {"kpa": "much"}, {"kpa": [1.0] * 9}, {"kpa": [True] * 128}])
def test_what_is_no_map_of_ours_changes_nothing(details: dict[str, Any]) -> None:
    bed = Bed()
    bed.lie(2 * MINUTE)
    before = bed.watch.care(UNIT)
    with pytest.raises(BadMap):
        bed.say("pressure-map", **details)
    assert bed.watch.care(UNIT) == before


def test_their_own_limits_count() -> None:
    bed = Bed(PressureWatch(limits=lambda _: Limits(dose=80.0, turn=HOUR)))
    bed.say("mattress-state", device="mattress", mode="static")
    bed.lie(12 * MINUTE)
    assert (bed.care.limit, bed.care.turn_every) == (80.0, HOUR)
    assert bed.care.proposal is not None
    assert bed.care.proposal.dose >= 80


@pytest.mark.parametrize(
    ("off", "told"),
    [
        ((pressure_dose.NAME,), {"time-unturned"}),
        ((turn_clock.NAME,), {"pressure-dose"}),
        ((pressure_dose.NAME, turn_clock.NAME), set()),
    ],
)
def test_what_the_site_has_switched_off_is_neither_told_nor_proposed_on(off: tuple[str, ...], told: set[str]) -> None:
    bed = Bed()
    bed.watch.off = off
    bed.until_exceeded()
    bed.say(TURNED)
    assert {name for one in bed.told for name in one.values} == told
    assert [one for one in bed.told if one.care.proposal is not None] == []


# ---- what is proposed -----------------------------------------------------------------------------------------------
def proposed(bed: Bed) -> int:
    assert bed.care.proposal is not None
    return bed.care.proposal.proposed_at


def test_a_proposal_stands_until_it_lapses_and_is_made_anew() -> None:
    bed = Bed()
    bed.until_exceeded()
    first = proposed(bed)
    assert bed.care.dose >= LIMIT
    bed.lie(first + LAPSES_AFTER - bed.at - MINUTE, kpa=25.0)
    assert proposed(bed) == first
    bed.lie(3 * MINUTE, kpa=25.0)
    assert proposed(bed) >= first + LAPSES_AFTER


def test_a_mattress_that_alternates_is_proposed_nothing() -> None:
    bed = Bed()
    bed.until_exceeded()
    [told] = bed.say("mattress-state", device="mattress", mode="alternate")
    assert told.care.proposal is None


def test_an_older_word_of_the_mattress_changes_nothing() -> None:
    bed = Bed()
    bed.say("mattress-state", device="mattress", mode="alternate")
    assert bed.say("mattress-state", device="mattress", mode="static", at=NOW - 1) == []
    assert bed.care.mode == "alternate"


def test_who_confirms_it_is_told_at_once_and_kept_over_a_restart() -> None:
    bed = Bed()
    bed.until_exceeded()
    [told] = bed.say(CONFIRMED, proposal=proposed(bed), by="wang")
    assert told.care.confirmed_by == "wang"
    after = PressureWatch({UNIT: told.care})
    assert refused(lambda: confirmable(after.care(UNIT), proposed(bed), "li", bed.at)) is Refusal.PROPOSAL_DONE


def test_what_was_confirmed_and_not_done_can_be_confirmed_again() -> None:
    bed = Bed()
    bed.until_exceeded()
    bed.say(CONFIRMED, proposal=proposed(bed), by="wang", command="c1")
    failed: set[str] = set()
    bed.watch.failed = failed.__contains__
    assert bed.watch.check(bed.at + SECOND) == []
    failed.add("c1")
    [told] = bed.watch.check(bed.at + 2 * SECOND)
    assert (told.care.confirmed_by, told.at) == ("", bed.at + 2 * SECOND)
    assert confirmable(told.care, proposed(bed), "li", told.at).by == "li"
    assert bed.watch.check(bed.at + 3 * SECOND) == [], "said once"


def test_a_confirmation_of_another_proposal_is_passed_over() -> None:
    bed = Bed()
    bed.until_exceeded()
    assert bed.say(CONFIRMED, proposal=proposed(bed) - 1, by="wang") == []


def test_only_what_stands_may_be_confirmed() -> None:
    bed = Bed()
    bed.until_exceeded()
    id, care = proposed(bed), bed.care
    confirmed = confirmable(care, id, "wang", bed.at)
    assert (confirmed.by, confirmed.proposal.command) == ("wang", "set-mattress-mode")
    cases = [
        (care, id + 1, bed.at, Refusal.PROPOSAL_LAPSED),
        (care, id, id + LAPSES_AFTER, Refusal.PROPOSAL_LAPSED),
        (Care(0), id, bed.at, Refusal.PROPOSAL_LAPSED),
        (msgspec.structs.replace(care, proposal=None), id, bed.at, Refusal.PROPOSAL_LAPSED),
        (msgspec.structs.replace(care, proposal=None, mode="alternate"), id, bed.at, Refusal.PROPOSAL_DONE),
        (msgspec.structs.replace(care, confirmed_by="li"), id, bed.at, Refusal.PROPOSAL_DONE),
    ]
    for known, which, at, reason in cases:
        assert refused(lambda known=known, which=which, at=at: confirmable(known, which, "wang", at)) is reason


def test_a_turn_before_they_lay_so_is_refused() -> None:
    bed = Bed()
    bed.watch.turnable(UNIT, NOW)  # nobody is known to lie there: a first turn begins it
    bed.lie(HOUR)
    since = bed.care.since
    assert since is not None
    bed.watch.turnable(UNIT, since)
    assert refused(lambda: bed.watch.turnable(UNIT, since - 1)) is Refusal.TURN_TOO_OLD
    bed.say("bed-exit")
    assert refused(lambda: bed.watch.turnable(UNIT, bed.at - 1)) is Refusal.TURN_TOO_OLD
