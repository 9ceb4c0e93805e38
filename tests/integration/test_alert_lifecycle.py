"""An alert on the gateway's path: ladders, silences and mutes commit with it and survive a kill in any state."""

import asyncio
from typing import Any

import pytest

from gateway.adapters import audit_log, notifications, rosters, tables
from gateway.alerts.pending import pending
from gateway.alerts.roster import Duty, Roster, Shift, Staff
from gateway.alerts.silence import Refusal, Silence, SilenceRefused
from gateway.changes import Changes
from gateway.contract.envelope import Lane
from gateway.contract.quantity import HOUR, MINUTE, SECOND
from gateway.moves import Acknowledgement, SilenceEnd, SilenceStart
from gateway.pipeline import Conflict
from tests.integration.care_bench import AMBULANCE, act, of
from tests.integration.path_bench import Bench
from tests.unit.gateway.builders import EPOCH, event, hello, observation

RULE = "spo2-severe"  # high: below 85 % for 5 s
UNIT = AMBULANCE.unit
STAFF = (Staff("dr.li", "doctor", ("linyi",)), Staff("ops", "ops", ("*",)))


class Killed(BaseException):
    """The process is gone."""


def next_number(bench: Bench) -> int:
    lanes = bench.ledger.by_unit.get(UNIT, [])
    return max((lane.next for lane in lanes if (lane.lane, lane.epoch) == (Lane.OBS, EPOCH)), default=0)


def breathe(bench: Bench, spo2: float, seconds: int) -> None:
    for _ in range(seconds):
        body = observation(next_number(bench), bench.now + SECOND, spo2=spo2)
        bench.step(of(AMBULANCE, hello(bench.now)), of(AMBULANCE, body))


def rows(bench: Bench, rule: str = RULE) -> list[dict[str, Any]]:
    """The alerts of a rule as the disk has them, oldest first."""
    names = [column.name for column in tables.alert.columns]
    found = [dict(zip(names, row, strict=True)) for row in bench.rows(tables.alert, *names)]
    return sorted((row for row in found if row["rule"] == rule), key=lambda row: row["raised_at"])


def events(bench: Bench, alert: str) -> list[str]:
    return [name for id, name in bench.rows(tables.alert_event, "alert", "event") if id == alert]


def notices(bench: Bench, rule: str = RULE) -> list[tuple[str, str]]:
    found = bench.rows(tables.notification, "at", "rule", "reason", "role")
    return [(reason, role) for _, code, reason, role in sorted(found) if code == rule]


def acknowledge(bench: Bench, alert: str) -> Any:
    return act(bench, lambda future: Acknowledgement(alert, "dr.li", future))


def silence(bench: Bench, rule: str = RULE, minutes: int = 10) -> Any:
    wanted = Silence(
        id=f"s{bench.now}", unit=UNIT, subject=f"unit/{UNIT}", rule=rule, reason="王小明 knows", author="dr.li",
        role="doctor", created_at=bench.now, expires_at=bench.now + minutes * MINUTE,
    )  # fmt: skip
    return act(bench, lambda future: SilenceStart(wanted, future))


# ---- ladders --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("restart_after", [None, 0, 30, 59])
def test_an_alert_climbs_its_ladder_and_each_step_commits_with_it(live: Bench, restart_after: int | None) -> None:
    live.stages.lifecycle.set_roster(Roster(staff=STAFF))
    breathe(live, 80, 6)
    [alert] = rows(live)
    assert (alert["state"], alert["ladder"], alert["step"]) == ("firing", "ambulance-high", 1)
    assert alert["next_step_at"] == alert["updated_at"] + 60 * SECOND
    for second in range(60):
        if second == restart_after:
            live.restart()
            live.stages.lifecycle.set_roster(Roster(staff=STAFF))
        breathe(live, 80, 1)
    assert notices(live) == [("raised", "crew"), ("escalated", "ed-lead")]
    assert live.rows(tables.notification, "role", "recipients")[-1] == ("ed-lead", '["dr.li"]')
    assert events(live, alert["id"]) == ["raise", "notify", "notify"]


def test_what_was_not_committed_was_not_told_and_is_told_once_afterwards(live: Bench) -> None:
    """The process dies in the commit that would have raised the alert; the log brings the same batch again."""
    plain = live.commit

    async def killed(changes: Changes) -> list[Conflict]:
        raise Killed

    breathe(live, 80, 5)
    live.pipeline.commit = killed
    body = observation(5, live.now + SECOND, spo2=80)
    with pytest.raises(Killed):
        live.step(of(AMBULANCE, hello(live.now)), of(AMBULANCE, body))
    live.restart()
    assert (rows(live), notices(live)) == ([], [])
    live.pipeline.commit = plain
    live.step(of(AMBULANCE, body), seconds=0)
    assert [row["state"] for row in rows(live)] == ["firing"]
    assert notices(live) == [("raised", "crew")]


def test_a_notice_made_again_changes_nothing(live: Bench) -> None:
    made: list[Changes] = []
    plain = live.commit

    async def noted(changes: Changes) -> list[Conflict]:
        made.append(changes)
        return await plain(changes)

    live.pipeline.commit = noted
    breathe(live, 80, 6)
    [notice] = [notice for changes in made for notice in changes.notices if notice.rule == RULE]
    live.write(lambda c: notifications.write(c, [notice]))
    assert notices(live) == [("raised", "crew")]


def test_the_roster_of_the_database_is_who_is_told(live: Bench) -> None:
    account = {"name": "dr.li", "password_hash": "x", "role": "doctor", "sites": '["linyi"]', "created_at": 0}
    shift = Shift(
        id="shift", account="dr.li", duty=Duty.ED_LEAD, site="linyi", unit="", start_at=live.now,
        end_at=live.now + 30 * SECOND,
    )  # fmt: skip
    live.write(lambda c: c.execute(tables.account.insert().values(account)))
    fields = {name: getattr(shift, name) for name in Shift.__struct_fields__}
    live.write(lambda c: rosters.add(c, fields | {"duty": "ed-lead", "entered_by": "ops"}))
    live.restart()
    breathe(live, 80, 66)
    assert notices(live) == [("raised", "crew"), ("escalated", "ed-lead")]
    [nobody] = rows(live, "nobody-on-duty")
    assert (nobody["subject"], nobody["state"], nobody["priority"]) == ("roster/linyi/ed-lead", "firing", "high")
    live.restart()
    assert acknowledge(live, rows(live)[0]["id"]).acknowledged_by == "dr.li"
    assert rows(live, "nobody-on-duty")[0]["state"] == "resolved"


# ---- every state over a restart -------------------------------------------------------------------------------------


def fired(bench: Bench) -> None:
    breathe(bench, 80, 6)


def taken(bench: Bench) -> None:
    fired(bench)
    acknowledge(bench, rows(bench)[0]["id"])


def silenced(bench: Bench) -> None:
    fired(bench)
    silence(bench)


def resolved(bench: Bench) -> None:
    fired(bench)
    breathe(bench, 97, 20)


def reopened(bench: Bench) -> None:
    resolved(bench)
    fired(bench)


@pytest.mark.parametrize("reach", [fired, taken, silenced, resolved, reopened])
def test_a_restart_in_any_state_changes_nothing(live: Bench, reach: Any) -> None:
    reach(live)
    before, told, count = rows(live), notices(live), len(live.rows(tables.alert_event, "id"))
    live.restart()
    live.step(seconds=0)
    live.restart()
    live.step(seconds=0)
    assert rows(live) == before
    assert (notices(live), len(live.rows(tables.alert_event, "id"))) == (told, count)
    open_ = [alert.id for alert in live.book.open if alert.rule == RULE]
    assert open_ == [row["id"] for row in before if row["state"] != "resolved"]


def test_a_latched_alert_stays_over_a_restart_until_somebody_saw_it(live: Bench) -> None:
    live.step(of(AMBULANCE, observation(0, live.now, spo2=97)))
    live.step(of(AMBULANCE, observation(0, live.now, spo2=96)))
    live.step()
    [alert] = rows(live, "duplicate-identity")
    assert (alert["state"], notices(live, "duplicate-identity")) == ("latched", [("raised", "ops")])
    live.restart()
    live.step(seconds=60)
    assert notices(live, "duplicate-identity") == [("raised", "ops"), ("escalated", "ops")]
    assert acknowledge(live, alert["id"]).state == "resolved"
    live.restart()
    live.step(seconds=600)
    assert len(notices(live, "duplicate-identity")) == 2


@pytest.mark.parametrize("restart", [False, True])
def test_what_comes_again_within_five_minutes_is_the_same_alert(live: Bench, restart: bool) -> None:
    resolved(live)
    [first] = rows(live)
    if restart:
        live.restart()
    fired(live)
    [again] = rows(live)
    assert (again["id"], again["reopened"], again["state"]) == (first["id"], 1, "firing")
    assert events(live, again["id"]) == ["raise", "notify", "clear", "reopen", "notify"]
    assert notices(live) == [("raised", "crew"), ("reopened", "crew")]
    breathe(live, 97, 20)
    live.step(seconds=301)
    fired(live)
    assert [row["reopened"] for row in rows(live)] == [1, 0]


# ---- inhibition -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("restart", [False, True])
def test_lead_off_mutes_the_heart_rate_until_the_lead_is_on(live: Bench, restart: bool) -> None:
    live.step(of(AMBULANCE, event(0, live.now, "lead-off")))
    for seq in range(11):
        live.step(of(AMBULANCE, observation(seq, live.now + SECOND, heart_rate=150)))
    [fault], [muted] = rows(live, "lead-off"), rows(live, "heart-rate-high")
    assert (muted["state"], muted["inhibited_by"]) == ("firing", fault["id"])
    assert notices(live, "heart-rate-high") == []
    if restart:
        live.restart()
        live.step(seconds=0)
        assert rows(live, "heart-rate-high") == [muted]
    live.step(of(AMBULANCE, event(1, live.now, "lead-on")))
    assert rows(live, "heart-rate-high")[0]["inhibited_by"] is None
    assert notices(live, "heart-rate-high") == [("unmuted", "crew")]
    assert events(live, muted["id"]) == ["raise", "inhibit", "release", "notify"]


# ---- silence --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("restart", [False, True])
def test_a_silence_goes_through_the_path_and_ends_by_itself(live: Bench, restart: bool) -> None:
    made = silence(live, minutes=1)
    if restart:
        live.restart()
    fired(live)
    [alert] = rows(live)
    assert (alert["state"], alert["silenced_by"], notices(live)) == ("firing", made.id, [])
    breathe(live, 80, 60)
    assert rows(live)[0]["silenced_by"] is None
    assert notices(live)[0] == ("unmuted", "crew")
    assert live.rows(tables.silence, "ended_by") == [("gateway",)]
    assert live.rows(tables.audit_log, "actor", "action") == [
        ("dr.li", "silence-started"),
        ("gateway", "silence-ended"),
    ]
    assert live.write(audit_log.verify) == []


def test_a_person_ends_a_silence_once(live: Bench) -> None:
    made = silence(live)
    fired(live)
    assert act(live, lambda future: SilenceEnd(made.id, "nurse", future)).ended_by == "nurse"
    assert notices(live) == [("unmuted", "crew")]
    refused = act(live, lambda future: SilenceEnd(made.id, "dr.li", future))
    assert isinstance(refused, SilenceRefused)
    assert refused.reason is Refusal.NOT_ON


def test_a_lethal_rule_cannot_be_silenced(live: Bench) -> None:
    refused = silence(live, rule="asystole")
    assert isinstance(refused, SilenceRefused)
    assert live.rows(tables.silence, "id") == []


def test_a_silence_that_ran_out_while_nobody_ran_ends_at_the_start(live: Bench) -> None:
    silenced(live)
    live.now += HOUR
    live.restart()
    live.step(seconds=0)
    assert rows(live)[0]["silenced_by"] is None
    assert live.rows(tables.silence, "ended_by") == [("gateway",)]


# ---- shown ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("restart", [False, True])
def test_a_half_elapsed_duration_is_shown_as_pending_and_never_stored(live: Bench, restart: bool) -> None:
    breathe(live, 80, 4)
    if restart:
        live.restart()
    found = pending(live.stages.rules.thresholds, live.now)
    shown = {alert.rule: alert for alert in found}
    assert (shown[RULE].state, shown[RULE].unit, shown[RULE].raised_at) == ("pending", UNIT, live.now - 3 * SECOND)
    assert rows(live) == []
    assert pending(live.stages.rules.thresholds, live.now + HOUR) == [], "its data have stopped"
    breathe(live, 80, 2)
    assert RULE not in [alert.rule for alert in pending(live.stages.rules.thresholds, live.now)]


def test_screens_get_one_message_an_alert_and_batch(live: Bench) -> None:
    fired(live)
    told = [body["alert"] for kind, _, body in live.feed.sent if kind == "alert" and body["alert"]["rule"] == RULE]
    assert [(alert["state"], alert["step"]) for alert in told] == [("firing", 1)]


def test_two_people_at_once_have_one_owner_and_both_screens_know(live: Bench) -> None:
    fired(live)
    [alert] = rows(live)

    async def both() -> list[Any]:
        loop = asyncio.get_running_loop()
        return [Acknowledgement(alert["id"], name, loop.create_future()) for name in ("wang", "li")]

    first, second = asyncio.run(both())
    live.step(moves=[first, second])
    assert first.outcome.acknowledged_by == "wang"
    assert second.future.exception().owner == "wang"
    assert live.feed.sent[-1][2]["alert"]["acknowledged_by"] == "wang"
    assert events(live, alert["id"]).count("acknowledge") == 1
