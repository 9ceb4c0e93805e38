"""Alerts as people meet them: filters, history, owners, silences, judgements, the roster."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from gateway.adapters import audit_log, rosters, tables
from gateway.adapters.judgements import Judgements
from gateway.alerts.ladder import LADDERS
from gateway.alerts.roster import Duty
from gateway.alerts.silence import Refusal
from gateway.api.problems import Reason
from tests.unit.api.conftest import HOUR, SECOND, T0, Hospital, alert_row, put

ALERT = "/api/v1/alerts/alert-1"
SHIFT: dict[str, Any] = {"account": "nurse", "duty": "nurse", "site": "north", "start_at": T0, "end_at": T0 + HOUR}


async def ask(hospital: Hospital, who: str, method: str, path: str, body: Any = None, **query: Any) -> Any:
    async with hospital.client(who) as client:
        return await client.request(method, path, json=body, params=query or None)


async def ids(hospital: Hospital, **query: Any) -> list[str]:
    answer = await ask(hospital, "doctor", "GET", "/api/v1/alerts", **query)
    assert answer.status_code == 200, answer.text
    return [row["id"] for row in answer.json()["items"]]


# ---- looking --------------------------------------------------------------------------------------------------------


async def test_filters(hospital: Hospital) -> None:
    low = alert_row(3, "amb-001") | {"priority": "low", "subject": "unit/amb-001"}
    over = alert_row(4, "amb-001", "resolved") | {"resolved_at": T0 + 9}
    put(hospital.database.engine, tables.alert, low, over, alert_row(5, "amb-002", "latched"))
    assert await ids(hospital) == ["alert-5", "alert-3", "alert-2", "alert-1"]
    assert await ids(hospital, state="all") == ["alert-5", "alert-4", "alert-3", "alert-2", "alert-1"]
    assert await ids(hospital, state="latched") == ["alert-5"]
    assert await ids(hospital, state="resolved") == ["alert-4"]
    assert await ids(hospital, unit="amb-001", priority="low") == ["alert-3"]
    assert await ids(hospital, subject="unit/amb-001") == ["alert-3"]
    wrong = await ask(hospital, "doctor", "GET", "/api/v1/alerts", state="asleep")
    assert wrong.status_code == 422


async def test_pending_ones_come_from_the_rules_and_only_of_ones_own_sites(build: Callable[..., Hospital]) -> None:
    rows = [
        alert_row(9, "amb-001", "pending")
        | {"group_key": "", "reopened": 0, "ladder": "", "step": 0, "acknowledged_at": None, "acknowledged_by": None}
        | {"resolved_at": None, "next_step_at": None, "silenced_by": None, "inhibited_by": None, "site": site}
        for site in ("north", "south")
    ]
    hospital = build(pending=lambda: rows)
    assert await ids(hospital, state="pending") == ["alert-9", "alert-9"]
    assert await ids(hospital, state="pending", priority="low") == []
    north = (await ask(hospital, "doctor.north", "GET", "/api/v1/alerts", state="pending")).json()
    assert [(row["id"], row["state"]) for row in north["items"]] == [("alert-9", "pending")]
    assert north["next"] is None


async def test_one_alert_with_everything_that_explains_it(hospital: Hospital) -> None:
    told = {"ladder": "ambulance-high", "step": 1, "next_step_at": T0 + 60 * SECOND}
    with hospital.database.engine.begin() as db:
        db.execute(tables.alert.update().where(tables.alert.c.id == "alert-1").values(told))
    shown = (await ask(hospital, "doctor", "GET", ALERT)).json()
    assert shown["explanation"] == {"value": 150.0, "limit": 130.0}
    assert [(line["event"], line["state"], line["actor"]) for line in shown["history"]] == [("raise", "firing", None)]
    assert [step["duty"] for step in shown["climbs"]["steps"]] == ["crew", "ed-lead"]
    assert shown["next_step_at"] == T0 + 60 * SECOND
    assert "Assists, does not diagnose" in shown["notice"]


async def test_ladders_and_service_hours_are_told(hospital: Hospital) -> None:
    told = (await ask(hospital, "nurse", "GET", "/api/v1/ladders")).json()
    assert [ladder["name"] for ladder in told["ladders"]] == sorted(LADDERS)
    assert {row["setting"]: (row["opens"], row["closes"]) for row in told["hours"]} == {
        "kiosk": (480, 1080), "home": (480, 1200),
    }  # fmt: skip


# ---- taking ---------------------------------------------------------------------------------------------------------


async def test_whoever_comes_second_is_told_who_came_first(hospital: Hospital) -> None:
    assert (await ask(hospital, "nurse", "POST", f"{ALERT}/acknowledge")).status_code == 200
    second = await ask(hospital, "doctor", "POST", f"{ALERT}/acknowledge")
    assert (second.status_code, second.json()["reason"]) == (409, "illegal-transition")
    assert second.json()["detail"] == "the alert is acknowledged, taken by nurse"


async def test_a_judgement_can_be_changed_and_is_counted(hospital: Hospital) -> None:
    for who, useful in (("nurse", True), ("doctor", True), ("doctor", False)):
        body = {"useful": useful, "reason": "王小明 moved"}
        answer = await ask(hospital, who, "POST", f"{ALERT}/feedback", body)
        assert (answer.status_code, answer.json()["author"]) == (200, who)
        hospital.clock.now += SECOND
    shown = (await ask(hospital, "doctor", "GET", ALERT)).json()["feedback"]
    assert [(one["author"], one["useful"]) for one in shown] == [("doctor", False), ("nurse", True)]
    hidden = (await ask(hospital, "ops", "GET", ALERT)).json()["feedback"]
    assert {one["reason"] for one in hidden} == {""}, "a reason may name somebody"
    [family] = Judgements(hospital.services.engine).collect()
    counted = {(sample.labels["rule"], sample.labels["useful"]): sample.value for sample in family.samples}
    assert counted == {("heart-rate-high", "yes"): 1, ("heart-rate-high", "no"): 1}
    assert [line[1] for line in await hospital.audit()].count("alert-judged") == 3


# ---- silencing ------------------------------------------------------------------------------------------------------


async def test_a_silence_is_shown_audited_and_ended_by_another(hospital: Hospital) -> None:
    made = await ask(hospital, "nurse", "POST", f"{ALERT}/silence", {"minutes": 10, "reason": "王小明 is turned"})
    assert made.status_code == 201, made.text
    silence = made.json()
    assert (silence["subject"], silence["rule"]) == ("device/amb-001/monitor", "heart-rate-high")
    assert silence["expires_at"] == T0 + 600 * SECOND
    on = (await ask(hospital, "ops", "GET", "/api/v1/silences")).json()["items"]
    assert [(row["id"], row["reason"]) for row in on if row["id"] == silence["id"]] == [(silence["id"], "")]
    path = f"/api/v1/silences/{silence['id']}"
    ended = await ask(hospital, "doctor", "DELETE", path)
    assert (ended.status_code, ended.json()["ended_by"]) == (200, "doctor")
    again = await ask(hospital, "doctor", "DELETE", path)
    assert (again.status_code, again.json()["reason"]) == (409, "not-on")
    acts = [(who, what) for who, what, target in await hospital.audit() if target == silence["id"]]
    assert acts == [("nurse", "silence-started"), ("doctor", "silence-ended")]
    assert await hospital.services.read(audit_log.verify) == []


async def test_what_cannot_be_silenced(hospital: Hospital) -> None:
    lethal = alert_row(3, "amb-001") | {"rule": "asystole", "subject": "unit/amb-001"}
    house = alert_row(4, "") | {"rule": "broker-lost", "subject": "gateway"}
    put(hospital.database.engine, tables.alert, lethal, house)
    for path, body, reason in (
        ("alert-3", {"minutes": 10, "reason": "noisy"}, "lethal-alert"),
        ("alert-4", {"minutes": 10, "reason": "noisy"}, "not-silenceable"),
        ("alert-1", {"minutes": 1441, "reason": "noisy"}, "invalid-request"),
        ("alert-1", {"minutes": 0, "reason": "noisy"}, "invalid-request"),
        ("alert-1", {"minutes": 10, "reason": "  "}, "invalid-request"),
        ("alert-1", {"minutes": 10}, "invalid-request"),
        ("alert-1", {"reason": "for ever"}, "invalid-request"),
    ):
        answer = await ask(hospital, "doctor", "POST", f"/api/v1/alerts/{path}/silence", body)
        assert answer.json()["reason"] == reason, (path, body)


def test_every_refusal_of_a_silence_has_its_word() -> None:
    assert {refusal.value for refusal in Refusal} <= {reason.value for reason in Reason}


# ---- the roster -----------------------------------------------------------------------------------------------------


async def test_a_shift_counts_is_listed_and_taken_out(build: Callable[..., Hospital]) -> None:
    told: list[str] = []
    hospital = build(on_roster=lambda: told.append("changed"))
    made = await ask(hospital, "ops", "POST", "/api/v1/shifts", SHIFT | {"unit": "amb-001"})
    assert made.status_code == 201, made.text
    roster = await hospital.services.read(lambda db: rosters.load(db, T0))
    assert roster.on_duty(Duty.NURSE, "north", "amb-001", T0, whole_site=False) == ("nurse",)
    assert roster.on_duty(Duty.NURSE, "north", "", T0, whole_site=True) == ("nurse", "nurse.north")
    assert roster.on_duty(Duty.NURSE, "north", "amb-001", T0 + HOUR, whole_site=False) == ()
    listed = (await ask(hospital, "nurse", "GET", "/api/v1/shifts")).json()["items"]
    assert made.json()["id"] in [row["id"] for row in listed]
    removed = await ask(hospital, "admin", "DELETE", f"/api/v1/shifts/{made.json()['id']}")
    assert (removed.status_code, removed.json()["account"]) == (200, "nurse")
    acts = [(who, what) for who, what, target in await hospital.audit() if target == made.json()["id"]]
    assert acts == [("ops", "shift-entered"), ("admin", "shift-removed")]
    assert told == ["changed", "changed"]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"end_at": T0}, 422),
        ({"end_at": T0 + 37 * HOUR}, 422),
        ({"duty": "family"}, 422),
        ({"duty": "king"}, 422),
        ({"account": "nobody"}, 404),
        ({"site": "west"}, 404),
        ({"unit": "amb-002"}, 404),
    ],
)
async def test_a_shift_that_makes_no_sense(hospital: Hospital, change: dict[str, Any], status: int) -> None:
    answer = await ask(hospital, "ops", "POST", "/api/v1/shifts", SHIFT | change)
    assert answer.status_code == status, answer.text
    rows = await hospital.services.read(lambda db: db.execute(select(tables.shift.c.id)).scalars().all())
    assert sorted(rows) == ["shift-1", "shift-2"]


async def test_a_disabled_account_takes_no_shift(hospital: Hospital) -> None:
    accounts = hospital.services.accounts
    nurse = await hospital.services.read(lambda db: accounts.find(db, "nurse"))
    assert nurse is not None
    await hospital.services.write(lambda db: accounts.save(db, replace(nurse, disabled_at=T0)))
    assert (await ask(hospital, "ops", "POST", "/api/v1/shifts", SHIFT)).status_code == 404
