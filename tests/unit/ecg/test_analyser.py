"""One device's analyser: what it tells of a stream, when, from which lead, and what it does when the stream falters."""

from collections.abc import Callable
from functools import cache
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from firmware_sims.condition import Condition, Rhythm
from firmware_sims.dipole import FS
from gateway.contract.envelope import Instant
from gateway.contract.quantity import MINUTE, SECOND
from gateway.contract.waveform import WaveFrame
from gateway.derive.ecg.analyser import EcgAnalyser, Found, Who
from gateway.derive.ecg.st import measure
from gateway.derive.ecg.st_criteria import criteria
from tests.unit.ecg.st_builders import Leads, frames, with_injury
from tests.unit.ecg.streams import FAST, FIBRILLATION, FRAMES_A_SECOND, NORMAL, electrode_off, simulated

STANDSTILL = Condition(rhythm=Rhythm.ASYSTOLE)
VF, TACHYCARDIA = "ventricular-fibrillation", "extreme-tachycardia"
STEP = FS // 5  # samples in a frame
T0 = 1_790_000_000 * SECOND  # the gateway's clock when the device's own, which observed_at is told by, showed 0


def nobody() -> Who:
    return None, None


def feed(
    analyser: EcgAnalyser, sent: list[WaveFrame], who: Callable[[], Who] = nobody, shift: Instant = 0
) -> list[Found]:
    """``shift``: what the gateway adds to the device's clock, beside T0."""
    return [found for frame in sent for found in analyser.feed(frame, T0 + shift + frame.observed_at, who)]


def heard(sent: list[WaveFrame], **how: Any) -> list[Found]:
    """What a new analyser tells of it."""
    return feed(EcgAnalyser("monitor", **{"phase": 0, **how}), sent)


def second(at: Instant) -> float:
    return (at - T0) / SECOND


def rhythms(found: list[Found]) -> list[tuple[str, str, str]]:
    """(code, state, lead) of each rhythm event."""
    return [(one.details["code"], one.details["state"], one.details["lead"]) for one in found if one.event == "rhythm"]


def rate_seconds(found: list[Found]) -> list[int]:
    return [round(second(one.at)) for one in found if one.rate is not None]


# ---- rhythm ---------------------------------------------------------------------------------------------------------


def test_a_rhythm_is_told_when_it_begins_and_when_it_has_ended() -> None:
    on, off = [one for one in heard(frames(simulated(75, (30, FIBRILLATION), (50, NORMAL)))) if one.event]
    for one, state in ((on, "on"), (off, "off")):
        assert one.event == "rhythm"
        assert one.rate is None
        assert one.at == one.details["to"]
        assert {name: one.details[name] for name in ("code", "state", "device", "lead")} == {
            "code": VF, "state": state, "device": "monitor", "lead": "II",
        }  # fmt: skip
    assert 30 < second(on.at) <= 40
    assert 28 <= second(on.details["from"]) <= 34
    assert on.details["height"] > 0.2, "and the numbers that made it"
    assert 59.8 <= second(off.at) <= 66
    assert 47 <= second(off.details["from"]) <= 56


def test_nothing_is_said_of_the_time_before_lost_frames() -> None:
    """Two seconds are lost just after the onset: the four that fibrillation takes begin behind them."""
    sent = frames(simulated(60, (30, FIBRILLATION)))
    holed = [frame for frame in sent if not 31 * FS <= frame.n0 < 33 * FS]
    events = [one for one in heard(holed) if one.event]
    assert all(33 <= second(one.details["from"]) < second(one.at) for one in events)
    [at] = [second(one.at) for one in events if one.details["code"] == VF]
    assert 37 < at <= 43


def test_lost_frames_are_no_silent_heart() -> None:
    sent = frames(simulated(60))
    for lost in (3.0, 5.0, 12.0):
        holed = [frame for frame in sent if not 20 * FS <= frame.n0 < (20 + lost) * FS]
        found = heard(holed)
        assert rhythms(found) == []
        assert not [at for at in rate_seconds(found) if 21 <= at < 22 + lost], "and no interval reaches over them"
        assert [at for at in rate_seconds(found) if at > 26 + lost] == list(range(27 + round(lost), 61))


@pytest.mark.parametrize("condition", [FIBRILLATION, STANDSTILL])
def test_a_device_that_counts_anew_is_followed_from_its_first_sample(condition: Condition) -> None:
    """What disturbed it before, at higher numbers, is no matter."""
    before = frames(electrode_off(simulated(20), 18, 18.4, "II"), n0=90 * FS)
    after = frames(simulated(60, (30, condition)))
    analyser = EcgAnalyser("monitor", phase=0)
    feed(analyser, before)
    found = feed(analyser, after, shift=110 * SECOND)
    [on] = [one for one in found if one.event and one.details["code"] == condition.rhythm]
    assert 140 < second(on.at) <= 150
    first = rate_seconds(found)[0]
    assert first <= 115
    assert rate_seconds(found)[:10] == list(range(first, first + 10))


# ---- the rate -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", [0, 400_000, 999_999])
def test_the_rate_is_told_once_a_second_where_the_phase_says(phase: int) -> None:
    found = [one for one in heard(frames(simulated(20)), phase=phase) if one.rate is not None]
    assert len(found) >= 14
    assert {after.at - before.at for before, after in pairwise(found)} == {SECOND}
    first_behind = -(-(SECOND - phase) // 200_000) * 200_000  # the end of the first frame in a new second
    assert {one.at % SECOND for one in found} == {first_behind % SECOND}
    assert all(65 < one.rate < 85 for one in found if one.rate)


def test_a_clock_that_is_set_back_silences_nobody() -> None:
    sent = frames(simulated(40))
    analyser = EcgAnalyser("monitor", phase=0)
    feed(analyser, sent[:100])
    later = feed(analyser, sent[100:], shift=-10 * MINUTE)
    assert [round(second(one.at + 10 * MINUTE)) for one in later][-20:] == list(range(21, 41))


@pytest.mark.parametrize("fs", [50.0, 60.0, 99.0])
def test_a_signal_that_is_sampled_too_slowly_is_left_alone(fs: float) -> None:
    slow = [msgspec.structs.replace(frame, fs=fs) for frame in frames(simulated(20))]
    assert heard(slow) == []
    analyser = EcgAnalyser("monitor", phase=0)
    feed(analyser, slow)
    assert rate_seconds(feed(analyser, frames(simulated(20)))), "and does not stand in the way of a better one"


# ---- leads ----------------------------------------------------------------------------------------------------------


def test_another_lead_takes_over_while_an_electrode_is_off_and_gives_back() -> None:
    signal = simulated(110, (30, FIBRILLATION), (50, NORMAL), (80, FAST))
    found = heard(frames(electrode_off(signal, 20, 70, "II")))
    assert rhythms(found) == [(VF, "on", "I"), (VF, "off", "I"), (TACHYCARDIA, "on", "II")]
    told = [at for at in rate_seconds(found) if at <= 30]
    assert set(range(8, 20)) | {28, 29, 30} <= set(told), "the other lead's rate is there within some seconds"


def test_a_loose_electrode_does_not_hide_what_another_lead_shows() -> None:
    """It is on for a second, and off for two: to go back to it each time would begin all anew."""
    signal = simulated(70, (30, FIBRILLATION))
    for at in range(20, 70, 3):
        signal = electrode_off(signal, at, at + 2, "II")
    [on] = [one for one in heard(frames(signal)) if one.event]
    assert rhythms([on]) == [(VF, "on", "I")]
    assert 30 < second(on.at) <= 40


def test_an_electrode_that_is_off_for_less_than_a_second_changes_nothing() -> None:
    found = heard(frames(electrode_off(simulated(40), 20, 20.4, "II")))
    assert rate_seconds(found) == list(range(rate_seconds(found)[0], 41))


def test_with_every_electrode_off_nothing_is_told_until_one_is_back() -> None:
    signal = electrode_off(electrode_off(simulated(60), 20, 60, "II"), 20, 40, "I")
    found = heard(frames(signal))
    assert rhythms(found) == []
    assert not [at for at in rate_seconds(found) if 22 <= at <= 41]
    assert [at for at in rate_seconds(found) if at > 46] == list(range(47, 61))


def test_an_electrode_that_is_off_since_before_the_device_counted_anew_is_given_up() -> None:
    before = frames(electrode_off(simulated(20), 19.6, 20, "II"), n0=90 * FS)
    after = frames(electrode_off(simulated(20), 0, 20, "II"))
    analyser = EcgAnalyser("monitor", phase=0)
    feed(analyser, before)
    assert rate_seconds(feed(analyser, after))[-10:] == list(range(11, 21))


def test_an_electrode_that_was_back_before_the_device_counted_anew_is_trusted_after_ten_seconds() -> None:
    before = frames(electrode_off(simulated(20), 5, 15, "II"), n0=90 * FS)
    analyser = EcgAnalyser("monitor", phase=0)
    feed(analyser, before)
    assert rhythms(feed(analyser, frames(simulated(60, (30, FIBRILLATION))))) == [(VF, "on", "II")]


def test_a_rhythm_that_was_there_goes_on_in_the_other_lead() -> None:
    signal = electrode_off(simulated(100, (30, FIBRILLATION), (70, NORMAL)), 45, 100, "II")
    found = heard(frames(signal))
    assert rhythms(found) == [(VF, "on", "II"), (VF, "off", "I")]
    [off] = [one for one in found if one.details.get("state") == "off"]
    assert 79.8 <= second(off.at) <= 86


# ---- after a restart ------------------------------------------------------------------------------------------------


def restarted(sent: list[WaveFrame], at: float, present: tuple[str, ...]) -> list[Found]:
    """What is told from ``at`` on by an analyser that was filled with the nine seconds before."""
    first, last = round((at - 9) * FRAMES_A_SECOND), round(at * FRAMES_A_SECOND)
    analyser = EcgAnalyser("monitor", 0, present)
    for frame in sent[first:last]:
        analyser.fill(frame, frame.observed_at)  # by the device's own clock, as after a restart
    return feed(analyser, sent[last:])


def test_what_was_told_before_a_restart_is_not_told_again_and_ends() -> None:
    sent = frames(simulated(75, (30, FIBRILLATION), (50, NORMAL)))
    found = restarted(sent, 45, (VF,))
    assert rhythms(found) == [(VF, "off", "II")]
    assert rate_seconds(restarted(sent, 29, ()))[0] <= 30, "a rate at once: the window is full"


def test_what_ended_in_the_seconds_before_a_restart_is_told_after_it() -> None:
    found = restarted(frames(simulated(75, (30, FIBRILLATION), (40, NORMAL))), 54, (VF,))
    assert rhythms(found) == [(VF, "off", "II")]


def test_what_began_before_a_restart_and_could_not_be_told_is_told_at_once() -> None:
    """Killed again while the frames still waited for the analyser."""
    found = restarted(frames(simulated(60, (30, FIBRILLATION))), 40, ())
    [on] = [one for one in found if one.event]
    assert rhythms(found) == [(VF, "on", "II")]
    assert 40 < second(on.at) <= 41


# ---- backfill -------------------------------------------------------------------------------------------------------


def test_backfill_that_does_not_follow_on_is_left_alone() -> None:
    """On a weak link lead I comes late, and would say something else."""
    live = frames({"II": simulated(75, (30, FIBRILLATION), (50, NORMAL))["II"]})
    late = [
        msgspec.structs.replace(frame, backfill=True, epoch="2" * 16)
        for frame in frames({"I": simulated(75, (5, FAST))["I"]})
    ]
    analyser, found = EcgAnalyser("monitor", phase=0), []
    for number, frame in enumerate(live):
        found += feed(analyser, [frame])
        found += feed(analyser, late[number - 15 : number - 14] if number >= 15 else [])
    assert found == heard(live)
    assert rhythms(found) == [(VF, "on", "II"), (VF, "off", "II")]


def test_backfill_counts_where_it_follows_on_or_comes_first() -> None:
    live = frames(simulated(60, (30, FIBRILLATION)))
    caught_up = [msgspec.structs.replace(frame, backfill=frame.n0 < 20 * FS) for frame in live]
    assert heard(caught_up) == heard(live)


# ---- ST -------------------------------------------------------------------------------------------------------------

ANTERIOR, INFERIOR = {"V2": 0.35, "V3": 0.35}, {"I": 0.0, "II": 0.3}  # III and aVF follow from I and II


@cache
def injured(**levels: float) -> Leads:
    return with_injury(NORMAL, levels)


def minute(number: int, leads: Leads) -> list[WaveFrame]:
    """A whole window of the stream's minute; between two of them frames are lost."""
    return frames(leads, n0=number * 60 * FS)


def st_minutes(found: list[Found]) -> list[int]:
    return [round(second(one.at) // 60) for one in found if one.event == "st-criteria"]


def test_st_is_told_with_its_window_and_who_it_is_is_asked_only_then() -> None:
    asked: list[int] = []

    def who() -> Who:
        asked.append(1)
        return "female", 60.0

    analyser = EcgAnalyser("monitor", phase=0)
    sent = minute(0, injured(**ANTERIOR))
    feed(analyser, sent[:-1], who)
    assert asked == []
    [found] = [one for one in feed(analyser, sent[-1:], who) if one.event]
    assert (found.event, found.at, len(asked)) == ("st-criteria", T0 + 10 * SECOND, 1)
    assert (found.details["from"], found.details["to"]) == (T0, T0 + 10 * SECOND)
    assert found.details["device"] == "monitor"
    assert "needs physician reading" in found.details["statement"]["en"]
    assert [group["leads"] for group in found.details["groups"]] == [("V2", "V3")]


def test_the_same_leads_are_told_again_after_ten_minutes_and_others_at_once() -> None:
    analyser = EcgAnalyser("monitor", phase=0)
    found = [one for number in range(12) for one in feed(analyser, minute(number, injured(**ANTERIOR)))]
    assert st_minutes(found) == [0, 10]
    found = [one for number in range(12, 15) for one in feed(analyser, minute(number, injured(**INFERIOR)))]
    assert st_minutes(found) == [12]
    back = feed(analyser, minute(15, injured(**ANTERIOR)))
    assert st_minutes(back) == [15]


@pytest.mark.parametrize("levels", [{}, {"V1": -0.12, "V2": -0.15, "V3": -0.15}])
def test_what_meets_no_criteria_is_not_told(levels: dict[str, float]) -> None:
    """The second one asks for the posterior leads, and that is all it does."""
    leads = injured(**levels)
    asked = criteria(measure(leads, FS, 0.05), None, None)
    assert bool(asked and asked.requests) is bool(levels)
    assert st_minutes(heard(minute(0, leads))) == []


@pytest.mark.parametrize(
    ("sex", "age", "told"), [("female", 60.0, True), ("male", 60.0, False), ("female", 8.0, False), (None, None, True)]
)
def test_thresholds_are_those_of_the_person(sex: str | None, age: float | None, told: bool) -> None:
    """0.17 mV in V2 and V3: a woman's limit is 0.15 mV, a man's from 40 years on 0.2 (Fourth Universal Definition).

    Of somebody unknown it is the lower one; children have none.
    """
    sent = minute(0, injured(V2=0.17, V3=0.18))
    found = feed(EcgAnalyser("monitor", phase=0), sent, lambda: (sex, age))
    assert bool(st_minutes(found)) is told


# ---- switched off ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("off", "rates", "rhythm"),
    [
        ((), True, True),
        (("heart-rate",), False, True),
        (("rhythm",), True, False),
        (("heart-rate", "rhythm"), False, False),
    ],
)
def test_what_is_switched_off_is_not_told(off: tuple[str, ...], rates: bool, rhythm: bool) -> None:
    found = heard(frames(simulated(60, (30, FIBRILLATION))), off=off)
    assert bool(rate_seconds(found)) is rates
    assert bool(rhythms(found)) is rhythm


def test_st_that_is_switched_off_is_not_even_measured() -> None:
    def who() -> Who:
        raise AssertionError("nobody needs to know")

    analyser = EcgAnalyser("monitor", phase=0, off=("st-criteria",))
    assert not [one for one in feed(analyser, minute(0, injured(**ANTERIOR)), who) if one.event]
