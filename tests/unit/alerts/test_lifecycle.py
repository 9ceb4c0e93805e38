"""Ladders, mutes, reopening, latching, duty: what time and people do to an alert."""

from pathlib import Path

import pytest

from gateway.alerts.alert import State
from gateway.alerts.ladder import LADDERS, SERVICE_HOURS, ServiceHours, Setting, hours_of, ladder_for
from gateway.alerts.notice import Means, notice_id
from gateway.alerts.roster import Duty
from gateway.alerts.silence import LONGEST, Refusal, SilenceRefused
from gateway.config import SettingsError, load_settings
from gateway.contract.quantity import HOUR, MINUTE, SECOND
from gateway.rules.catalogue import CATALOGUE
from gateway.rules.hold import Edge
from gateway.rules.row import Priority
from tests.unit.alerts.clinic import NIGHT, NOON, PLACES, Clinic, kept, shift

HIGH, MEDIUM, LOW, LETHAL = "extreme-tachycardia", "heart-rate-high", "lead-off", "asystole"


def test_the_rules_of_these_tests_are_of_the_priority_they_stand_for() -> None:
    priorities = [CATALOGUE[code].priority for code in (HIGH, MEDIUM, LOW, LETHAL)]
    assert priorities == [Priority.HIGH, Priority.MEDIUM, Priority.LOW, Priority.HIGH]


# ---- ladders --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("unit", "steps"),
    [  # domain facts 10.1
        ("amb-1", [(0, "crew"), (60, "ed-lead")]),
        ("ward-1", [(0, "nurse"), (30, "nurse"), (120, "doctor")]),
        ("kiosk-1", [(0, "attendant"), (120, "station-doctor")]),
        ("home-1", [(0, "centre-nurse"), (120, "family"), (300, "second-contact")]),
        ("van-1", [(0, "crew"), (60, "fleet-desk")]),
    ],
)
def test_each_setting_has_its_ladder(unit: str, steps: list[tuple[int, str]]) -> None:
    clinic = Clinic()
    clinic.begin(HIGH, unit)
    for _ in range(310):
        clinic.step(seconds=1)
    climbed = [(at, role) for at, reason, role, _ in clinic.told(HIGH) if reason != "reminder"]
    assert climbed == steps


def test_an_unacknowledged_alert_is_told_again() -> None:
    clinic = Clinic()
    clinic.begin(HIGH)
    for _ in range(15):
        clinic.step(seconds=60)
    assert clinic.told(HIGH) == [
        (0, "raised", "nurse", ("nurse.wang", "nurse.zhao")),
        (60, "escalated", "nurse", ("nurse.wang", "nurse.zhao")),
        (120, "escalated", "doctor", ("dr.li",)),
        (420, "reminder", "doctor", ("dr.li",)),
        (720, "reminder", "doctor", ("dr.li",)),
    ]
    assert len({notice.id for notice in clinic.notices}) == 5


def test_acknowledging_ends_the_ladder() -> None:
    clinic = Clinic()
    alert = clinic.begin(HIGH)
    taken = clinic.acknowledge(alert, seconds=20)
    assert (taken.state, taken.acknowledged_by, taken.next_step_at) == (State.ACKNOWLEDGED, "nurse.wang", None)
    for _ in range(60):
        clinic.step(seconds=60)
    assert len(clinic.notices) == 1


def test_a_low_alert_pages_nobody() -> None:
    clinic = Clinic()
    alert = clinic.begin(LOW, subject="device/ward-1/monitor")
    clinic.step(seconds=3600)
    assert (clinic.notices, alert.next_step_at, alert.ladder) == ([], None, "")


@pytest.mark.parametrize("killed_at", [0, 10, 29, 30, 31, 119, 121])
def test_a_half_elapsed_ladder_survives_a_kill(killed_at: int) -> None:
    clinic = Clinic()
    clinic.begin(HIGH)
    for second in range(1, 200):
        if second == killed_at:
            clinic.restart()
        clinic.step(seconds=1)
    assert [at for at, *_ in clinic.told(HIGH)] == [0, 30, 120]


def test_steps_missed_while_nobody_ran_are_taken_at_once_and_reminders_are_not_made_up() -> None:
    clinic = Clinic()
    clinic.begin(HIGH)
    clinic.now += HOUR
    clinic.restart()
    clinic.step()
    assert [(at, reason) for at, reason, *_ in clinic.told(HIGH)] == [
        (0, "raised"), (3600, "escalated"), (3600, "escalated"),
    ]  # fmt: skip
    clinic.step(seconds=299)
    assert len(clinic.notices) == 3
    clinic.step(seconds=1)
    assert clinic.told(HIGH)[-1][:2] == (3900, "reminder")


def test_a_notice_says_no_more_than_it_must() -> None:
    clinic = Clinic()
    alert = clinic.begin(HIGH, "amb-1", simulated=True)
    [notice] = clinic.notices
    assert notice.id == notice_id(alert.id, 0)
    assert (notice.alert, notice.unit, notice.site, notice.rule) == (alert.id, "amb-1", "city", HIGH)
    assert (notice.means, notice.step, notice.simulated, notice.recipients) == (Means.APP, 0, True, ())


def test_ladders_go_up_in_time() -> None:
    for ladder in LADDERS.values():
        delays = [step.delay for step in ladder.steps]
        assert delays == sorted(delays), ladder.name
        assert delays[0] == 0, "whoever is nearest is told at once"
        assert ladder.remind >= 300


@pytest.mark.parametrize("setting", Setting)
def test_every_setting_tells_somebody_of_high_and_medium_and_nobody_of_low(setting: Setting) -> None:
    for closed in (False, True):
        assert ladder_for(setting, Priority.HIGH, closed=closed) is not None
        assert ladder_for(setting, Priority.MEDIUM, closed=closed) is not None
        assert ladder_for(setting, Priority.LOW, closed=closed) is None


# ---- service hours --------------------------------------------------------------------------------------------------


def test_outside_service_hours_a_machine_calls_and_a_task_waits() -> None:
    clinic = Clinic(now=NIGHT)
    alert = clinic.begin(HIGH, "home-1")
    assert alert.ladder == "home-high-closed"
    assert [(notice.role, notice.means) for notice in clinic.notices] == [("patient", "call"), ("centre-nurse", "task")]
    assert clinic.rules() == [HIGH], "nobody has to be on duty for a task of the next morning"
    assert Clinic(now=NIGHT).begin(HIGH, "ward-1").ladder == "ward-high", "a ward never closes"


@pytest.mark.parametrize(
    ("minute", "open_"), [(8 * 60 - 1, False), (8 * 60, True), (18 * 60 - 1, True), (18 * 60, False)]
)
def test_hours_count_in_local_time(minute: int, open_: bool) -> None:
    midnight = NOON - 12 * HOUR
    assert SERVICE_HOURS[Setting.KIOSK].open_at(midnight + minute * MINUTE) is open_


def test_a_site_has_hours_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "lastmile.toml").write_text(
        '[service_hours.home]\nopens = "07:30"\ncloses = "24:00"\ndays = [3]\nutc_offset = 0\n'
    )
    hours = hours_of(load_settings(tmp_path).service_hours)
    assert hours[Setting.HOME] == ServiceHours(450, 1440, frozenset({3}), 0)
    assert hours[Setting.KIOSK] == SERVICE_HOURS[Setting.KIOSK]
    (tmp_path / "lastmile.toml").write_text('[service_hours.home]\nopens = "7"\ncloses = "24:00"\n')
    with pytest.raises(SettingsError, match="opens"):
        load_settings(tmp_path)


def test_hours_know_the_days_of_the_week() -> None:
    thursdays = ServiceHours(days=frozenset({3}))
    assert [thursdays.open_at(NOON + day * 24 * HOUR) for day in range(8)] == [True, *[False] * 6, True]


# ---- reopening ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("pause", "again"), [(299, True), (300, True), (301, False)])
@pytest.mark.parametrize("restart", [False, True])
def test_what_comes_again_soon_is_the_same_alert(pause: int, again: bool, restart: bool) -> None:
    clinic = Clinic()
    first = clinic.begin(HIGH)
    clinic.acknowledge(first, seconds=5)
    clinic.end(HIGH, seconds=5)
    if restart:
        clinic.restart()
    second = clinic.begin(HIGH, seconds=pause)
    assert (second.id == first.id, second.reopened) == (again, 1 if again else 0)
    assert (second.state, second.acknowledged_by, second.resolved_at) == (State.FIRING, None, None)
    assert clinic.notices[-1].reason == ("reopened" if again else "raised")
    assert clinic.notices[-1].step == 0
    assert len({notice.id for notice in clinic.notices}) == 2


def test_practice_and_earnest_are_never_one_episode() -> None:
    clinic = Clinic()
    practised = clinic.begin(HIGH, simulated=True)
    clinic.end(HIGH, simulated=True)
    real = clinic.begin(HIGH, seconds=1)
    assert (real.id == practised.id, real.simulated, real.reopened) == (False, False, 0)


# ---- latching -------------------------------------------------------------------------------------------------------


def test_a_lethal_alert_that_ended_unseen_stays_and_goes_on_telling() -> None:
    clinic = Clinic()
    alert = clinic.begin(LETHAL)
    clinic.end(LETHAL, seconds=10)
    assert clinic.standing(LETHAL).state is State.LATCHED
    clinic.step(seconds=25)
    assert [reason for _, reason, *_ in clinic.told(LETHAL)] == ["raised", "escalated"]
    seen = clinic.acknowledge(alert)
    assert (seen.state, seen.acknowledged_by, seen.resolved_at) == (State.RESOLVED, "nurse.wang", clinic.now)


def test_a_lethal_alert_that_was_seen_ends_with_its_condition() -> None:
    clinic = Clinic()
    clinic.acknowledge(clinic.begin(LETHAL), seconds=3)
    clinic.end(LETHAL, seconds=3)
    assert clinic.book.open == []


def test_it_fires_again_when_it_comes_back_before_anybody_saw_it() -> None:
    clinic = Clinic()
    alert = clinic.begin(LETHAL)
    clinic.end(LETHAL, seconds=5)
    again = clinic.begin(LETHAL, seconds=5)
    assert (again.id, again.state, again.reopened) == (alert.id, State.FIRING, 0)


# ---- silence --------------------------------------------------------------------------------------------------------


def test_a_silenced_alert_stays_visible_tells_nobody_and_is_told_when_the_silence_ends() -> None:
    clinic = Clinic()
    clinic.begin(HIGH)
    silence = clinic.silence(rule=HIGH, minutes=10)
    standing = clinic.standing(HIGH)
    assert (standing.state, standing.silenced_by, standing.next_step_at) == (State.FIRING, silence.id, None)
    clinic.restart()
    for _ in range(9):
        clinic.step(seconds=60)
    assert len(clinic.notices) == 1
    clinic.step(seconds=60)
    assert clinic.standing(HIGH).silenced_by is None
    assert clinic.told(HIGH)[-1][:2] == (600, "unmuted")
    assert clinic.stored_silences[silence.id].ended_by == "gateway"
    assert clinic.history(standing) == ["raise", "notify", "silence", "unsilence", "notify"]


def test_a_silence_covers_what_is_raised_during_it() -> None:
    clinic = Clinic()
    clinic.silence()
    assert clinic.begin(HIGH, seconds=5).silenced_by is not None
    assert clinic.begin(HIGH, "kiosk-1").silenced_by is None, "another unit"
    assert {notice.unit for notice in clinic.notices} == {"kiosk-1"}


def test_a_person_ends_a_silence() -> None:
    clinic = Clinic()
    clinic.begin(HIGH)
    silence = clinic.silence()
    ended = clinic.lifecycle.silences.end(silence.id, "nurse.wang", clinic.now + SECOND)
    clinic.step(seconds=1)
    assert (ended.ended_by, clinic.told(HIGH)[-1][1]) == ("nurse.wang", "unmuted")
    with pytest.raises(SilenceRefused) as refused:
        clinic.lifecycle.silences.end(silence.id, "dr.li", clinic.now)
    assert refused.value.reason is Refusal.NOT_ON


@pytest.mark.parametrize("code", sorted(code for code, row in CATALOGUE.items() if row.lethal))
def test_a_lethal_alert_cannot_be_silenced(code: str) -> None:
    clinic = Clinic()
    clinic.silence()  # everything that is not lethal
    clinic.begin(code)
    assert clinic.standing(code).silenced_by is None
    assert len(clinic.told(code)) == 1
    with pytest.raises(SilenceRefused) as refused:
        clinic.silence(rule=code)
    assert refused.value.reason is Refusal.LETHAL


@pytest.mark.parametrize("minutes", [0, LONGEST // MINUTE + 1])
def test_a_silence_has_bounds(minutes: int) -> None:
    with pytest.raises(SilenceRefused) as refused:
        Clinic().silence(minutes=minutes)
    assert refused.value.reason is Refusal.TOO_LONG


# ---- inhibition -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["lead-off", "signal-poor"])
@pytest.mark.parametrize("code", ["asystole", "ventricular-fibrillation", "irregular-rhythm", "heart-rate-high"])
def test_electrodes_that_are_off_mute_what_comes_from_them(fault: str, code: str) -> None:
    clinic = Clinic()
    inhibitor = clinic.begin(fault, subject="device/ward-1/monitor")
    muted = clinic.begin(code, device="gateway", seconds=4)
    assert (muted.inhibited_by, muted.state) == (inhibitor.id, State.FIRING)
    assert clinic.told(code) == []
    clinic.end(fault, subject="device/ward-1/monitor", seconds=10)
    assert clinic.standing(code).inhibited_by is None
    assert [reason for _, reason, *_ in clinic.told(code)] == ["unmuted"], "what still stands is judged anew"


def test_another_devices_value_counts_while_a_lead_is_off() -> None:
    clinic = Clinic()
    clinic.begin("lead-off", subject="device/ward-1/patch", device="patch")
    assert clinic.begin(MEDIUM, device="oximeter").inhibited_by is None
    assert clinic.begin(MEDIUM, "kiosk-1", device="patch").inhibited_by is None, "another unit"


def test_a_lethal_alert_that_stood_before_the_lead_came_off_stands_on() -> None:
    clinic = Clinic()
    clinic.begin(LETHAL, device="gateway")
    clinic.begin(MEDIUM, device="gateway")
    clinic.begin("lead-off", subject="device/ward-1/monitor", seconds=5)
    assert clinic.standing(LETHAL).inhibited_by is None
    assert clinic.standing(MEDIUM).inhibited_by is not None


def test_a_devices_own_alarm_is_primary_and_inhibits_ours() -> None:
    clinic = Clinic()
    ours = clinic.begin(HIGH)
    own = clinic.begin(HIGH, subject="device/ward-1/monitor", seconds=1)
    assert clinic.standing(HIGH, "unit/ward-1").inhibited_by == own.id
    assert own.inhibited_by is None
    clinic.step(seconds=60)
    assert [notice.alert for notice in clinic.notices] == [ours.id, own.id, own.id]
    clinic.end(HIGH, subject="device/ward-1/monitor", seconds=1)
    assert clinic.standing(HIGH).inhibited_by is None


def test_a_simulated_fault_mutes_no_real_alert() -> None:
    clinic = Clinic()
    clinic.begin("lead-off", subject="device/ward-1/monitor", simulated=True)
    assert clinic.begin(MEDIUM).inhibited_by is None


# ---- duty -----------------------------------------------------------------------------------------------------------


def test_nobody_on_duty_is_an_alert_until_somebody_is() -> None:
    clinic = Clinic(kept(shift("nurse.wang", Duty.NURSE, NOON - HOUR, hours=1)))
    clinic.begin(HIGH)
    nobody = clinic.standing("nobody-on-duty")
    assert (nobody.subject, nobody.unit, nobody.priority) == ("roster/city/nurse", "ward-1", Priority.HIGH)
    assert [(n.role, n.recipients) for n in clinic.notices if n.rule == "nobody-on-duty"] == [("ops", ())]
    clinic.lifecycle.set_roster(kept(shift("nurse.wang", Duty.NURSE)))
    clinic.step(seconds=1)
    assert clinic.rules() == [HIGH]


def test_who_stands_in_where_no_roster_is_kept() -> None:
    clinic = Clinic()
    clinic.begin(HIGH)
    assert clinic.notices[0].recipients == ("nurse.wang", "nurse.zhao"), "all nurses of the site, none of another"
    assert clinic.rules() == [HIGH]


def test_who_looks_after_the_unit_is_asked_first_and_then_everybody() -> None:
    clinic = Clinic(kept(shift("nurse.zhao", Duty.NURSE, unit="ward-1"), shift("nurse.wang", Duty.NURSE)))
    clinic.begin(HIGH)
    clinic.step(seconds=30)
    assert [notice.recipients for notice in clinic.notices] == [("nurse.zhao",), ("nurse.wang", "nurse.zhao")]
    clinic.begin(HIGH, "home-1")
    assert clinic.notices[-1].recipients == ()


def test_a_shift_that_ends_while_an_alert_waits_is_noticed() -> None:
    clinic = Clinic(kept(shift("nurse.wang", Duty.NURSE, NOON - 7 * HOUR, hours=7), shift("ops.chen", Duty.OPS)))
    clinic.now = NOON - 5 * SECOND
    clinic.begin(HIGH)
    assert clinic.rules() == [HIGH]
    clinic.step(seconds=5)
    assert clinic.rules() == [HIGH, "nobody-on-duty"]
    clinic.acknowledge(clinic.standing(HIGH), "dr.li")
    assert clinic.rules() == [HIGH], "somebody has taken it"


def test_a_disabled_account_is_not_on_duty() -> None:
    clinic = Clinic(kept(shift("nurse.gone", Duty.NURSE)))
    clinic.begin(HIGH)
    assert "nobody-on-duty" in clinic.rules()


def test_practice_needs_no_roster() -> None:
    clinic = Clinic(kept())
    clinic.begin(HIGH, simulated=True)
    assert (clinic.rules(), clinic.notices[0].recipients) == ([HIGH], ())


# ---- at once --------------------------------------------------------------------------------------------------------


def test_nothing_is_done_twice_while_nothing_changes() -> None:
    clinic = Clinic()
    clinic.begin(HIGH)
    assert clinic.step(seconds=1) == []
    assert clinic.step(clinic.finding(Edge.RAISE, HIGH), seconds=1) == []
    assert set(PLACES) > {"ward-1"}
