"""Care plans as doctors and nurses set, change and end them; and what readings are called."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import event

from gateway.adapters import limits as store
from gateway.adapters import tables
from gateway.api.problems import CONTENT_TYPE
from gateway.contract.observation import Observation
from gateway.contract.wire import encode
from gateway.derive.plans import PlanKind, planned
from gateway.derive.scores import rehab, uploads
from gateway.derive.wording import Wordings
from gateway.rules.patient import Patient
from tests.unit.api.conftest import SECOND, T0, Hospital, put

DAY = 86_400 * SECOND
PLANS = "/api/v1/people/person-north/plans"
WORDINGS = "/api/v1/people/person-north/wordings"
TRAINING = {"kind": "rehab", "resting": 64, "maximum": 152}
WANTED: dict[str, Any] = {"plan": TRAINING, "reason": "after infarction", "expires_at": T0 + 90 * DAY}


async def ask(hospital: Hospital, who: str, method: str, path: str, body: Any = None) -> Any:
    async with hospital.client(who) as client:
        return await client.request(method, path, json=body)


def counting(hospital: Hospital) -> Patient:
    """What the rules are given at the next refresh."""
    with hospital.services.engine.connect() as db:
        return store.patients(db, hospital.clock.now)["amb-001"]


async def test_a_plan_counts_from_when_it_is_set_until_it_is_ended_and_both_are_audited(hospital: Hospital) -> None:
    told: list[str] = []
    hospital.app.state.services = replace(hospital.services, on_association=told.append)
    made = (await ask(hospital, "nurse.north", "POST", PLANS, WANTED)).json()
    assert told, "the rules are told at once"
    assert (made["set_by"], made["removed_at"], made["refused"]) == ("nurse.north", None, None)
    assert made["limits"] == {"rehab-heart-rate-stop": pytest.approx(134.4)}
    assert made["plan"] == {**TRAINING, "early": None, "ischaemic_threshold": None, "beta_blocker": False}
    patient = counting(hospital)
    assert planned(patient.plans, rehab.Plan) == rehab.Plan(resting=64, maximum=152)
    assert patient.limits["rehab-heart-rate-stop"].limit == pytest.approx(134.4)
    hospital.clock.now += SECOND
    ended = (await ask(hospital, "doctor", "DELETE", f"{PLANS}/{made['id']}")).json()
    assert (ended["removed_by"], ended["removed_at"], ended["limits"]) == ("doctor", T0 + SECOND, {})
    assert PlanKind.REHAB not in counting(hospital).plans
    shown = (await ask(hospital, "doctor", "GET", PLANS)).json()["items"]
    assert [row["id"] for row in shown] == ["plan-1"]
    every = (await ask(hospital, "doctor", "GET", f"{PLANS}?all=true")).json()["items"]
    assert [(row["id"], row["refused"]) for row in every] == [(made["id"], "ended"), ("plan-1", None)]
    audit = [line for line in await hospital.audit() if line[1] != "signed-in"]
    assert audit == [("nurse.north", "plan-set", "person-north"), ("doctor", "plan-ended", "person-north")]
    again = await ask(hospital, "doctor", "DELETE", f"{PLANS}/{made['id']}")
    assert (again.status_code, again.json()["reason"]) == (409, "already-ended")


async def test_a_plan_expires(hospital: Hospital) -> None:
    assert planned(counting(hospital).plans, uploads.Plan) == uploads.Plan(1440)
    hospital.clock.now = T0 + DAY
    assert counting(hospital).plans == {}
    assert (await ask(hospital, "doctor", "GET", PLANS)).json()["items"] == []


async def test_a_change_names_the_plan_it_replaces(hospital: Hospital) -> None:
    """Two who change one plan at a time do not overwrite each other unseen."""
    first = (await ask(hospital, "nurse", "POST", PLANS, WANTED)).json()
    blind = await ask(hospital, "doctor", "POST", PLANS, WANTED)
    assert (blind.status_code, blind.json()["reason"]) == (409, "plan-exists")
    changed = WANTED | {"plan": TRAINING | {"resting": 70}, "replaces": first["id"]}
    hospital.clock.now += SECOND
    second = (await ask(hospital, "doctor", "POST", PLANS, changed)).json()
    late = await ask(hospital, "nurse", "POST", PLANS, changed)
    assert (late.status_code, late.json()["reason"]) == (409, "plan-exists")
    every = {row["id"]: row for row in (await ask(hospital, "doctor", "GET", f"{PLANS}?all=true")).json()["items"]}
    assert (every[first["id"]]["removed_by"], every[second["id"]]["removed_at"]) == ("doctor", None)
    assert counting(hospital).limits["rehab-heart-rate-stop"].id == second["id"]


@pytest.mark.parametrize(
    "plan",
    [
        {"kind": "rehab"},
        {"kind": "rehab", "resting": 29},
        {"kind": "rehab", "resting": "a lot"},
        {"kind": "rehab", "resting": 64, "early": "boredom"},
        {"kind": "rehab", "resting": 64, "personal_best": 480},
        {"kind": "peak-flow", "personal_best": 0},
        {"kind": "peak-flow", "personal_best": 1e999},
        {"kind": "uploads", "every_minutes": 0},
        {"kind": "uploads", "every_minutes": 1440, "grace_minutes": -1},
        {"kind": "uploads", "every_minutes": 1440, "quantity": "bloodpressure"},
        {"kind": "uploads", "every_minutes": 1440, "quantity": "battery"},
        {"kind": "diet"},
        {},
        "rehab",
        None,
    ],
)
async def test_what_is_no_plan_is_refused_by_its_field(hospital: Hospital, plan: Any) -> None:
    body = f'{{"plan": {_json(plan)}, "reason": "after infarction", "expires_at": {T0 + DAY}}}'
    async with hospital.client("doctor") as client:
        answer = await client.post(PLANS, content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["reason"]) == (422, "invalid-request")
    assert answer.headers["content-type"] == CONTENT_TYPE
    assert answer.json()["errors"][0]["where"][:2] == ["body", "plan"]


def _json(value: Any) -> str:
    """As somebody careless would write it: also numbers that are none."""
    if isinstance(value, dict):
        return "{" + ",".join(f'"{key}":{_json(one)}' for key, one in value.items()) + "}"
    if isinstance(value, str):
        return f'"{value}"'
    return "null" if value is None else "1e999" if value == float("inf") else str(value)


@pytest.mark.parametrize(
    ("change", "status", "reason"),
    [
        ({"expires_at": T0}, 422, "invalid-request"),
        ({"expires_at": T0 + 367 * DAY}, 422, "invalid-request"),
        ({"reason": "  "}, 422, "invalid-request"),
        ({"author": "somebody"}, 422, "invalid-request"),
        ({"replaces": "plan-9"}, 409, "plan-exists"),
        ({"plan": {"kind": "rehab", "resting": 125, "early": "surgery"}}, 409, "plan-refused"),
        ({"plan": {"kind": "rehab", "resting": 64, "beta_blocker": True}}, 409, "plan-refused"),
        ({"plan": {"kind": "uploads", "every_minutes": 1440}}, 409, "plan-exists"),
    ],
)
async def test_what_cannot_be_set_is_refused_with_its_reason(
    hospital: Hospital, change: dict[str, Any], status: int, reason: str
) -> None:
    answer = await ask(hospital, "doctor", "POST", PLANS, WANTED | change)
    assert (answer.status_code, answer.json()["reason"]) == (status, reason)
    assert [row["id"] for row in (await ask(hospital, "doctor", "GET", PLANS)).json()["items"]] == ["plan-1"]


async def test_a_plan_of_somebody_who_becomes_pregnant_stands_and_says_that_nothing_follows(hospital: Hospital) -> None:
    made = (await ask(hospital, "doctor", "POST", PLANS, WANTED)).json()
    await ask(hospital, "doctor", "PUT", "/api/v1/people/person-north/clinical", {"pregnancy": "pregnant"})
    shown = {row["id"]: row for row in (await ask(hospital, "doctor", "GET", PLANS)).json()["items"]}[made["id"]]
    assert (shown["refused"], shown["population"], shown["limits"]) == ("population", "pregnant", {})
    assert shown["refused_because"] == "made for adult; this person is pregnant"
    assert counting(hospital).limits.keys() == {"heart-rate-high"}
    refused = await ask(hospital, "doctor", "POST", PLANS, WANTED | {"replaces": made["id"]})
    assert (refused.status_code, refused.json()["reason"]) == (409, "plan-refused")


async def test_nobody_knows_a_plan_of_another_person(hospital: Hospital) -> None:
    for path in (f"{PLANS}/plan-2", "/api/v1/people/nobody/plans/plan-1"):
        answer = await ask(hospital, "doctor", "DELETE", path)
        assert (answer.status_code, answer.json()["reason"]) == (404, "not-found")
    assert (await ask(hospital, "doctor", "GET", "/api/v1/people/nobody/plans")).status_code == 404


def measured(hospital: Hospital, **values: float) -> None:
    for name, value in values.items():
        put(hospital.database.engine, tables.latest, {
            "unit": "amb-001", "device": "cuff", "quantity": name.replace("_", "-"), "value": value,
            "event_at": T0 + SECOND, "received_at": T0 + SECOND, "derived": False,
        })  # fmt: skip
    put(hospital.database.engine, tables.association, {
        "id": 77, "unit": "amb-001", "device": "cuff", "subject": "person-north", "start_at": T0, "source": "manual",
    })  # fmt: skip


async def test_readings_have_words_for_whoever_the_person_is_now(hospital: Hospital) -> None:
    measured(hospital, bp_systolic=142, bp_diastolic=88, glucose=5.5)
    found = (await ask(hospital, "ops", "GET", WORDINGS)).json()["items"]
    assert [(one["name"], one["code"], one["urgent"]) for one in found] == [
        ("bp-category", "grade-1", False), ("glucose-class", "in-range", False),
    ]  # fmt: skip
    assert found[0]["source"].startswith("Chinese guidelines")
    assert (found[0]["at"], found[0]["device"]) == (T0 + SECOND, "cuff")
    await ask(hospital, "doctor", "PUT", "/api/v1/people/person-north/clinical", {"pregnancy": "pregnant"})
    found = (await ask(hospital, "ops", "GET", WORDINGS)).json()["items"]
    assert [(one["code"], one["refused"], one["population"]) for one in found] == [
        (None, "population", "pregnant"), (None, "population", "pregnant"),
    ]  # fmt: skip
    assert "made for adult" in found[0]["reason"]


def sat_down(hospital: Hospital) -> None:
    """Two sessions with the same blood pressure; of the second somebody said that it was not that person."""
    for number, (start, voided) in enumerate(((T0, None), (T0 + 60 * SECOND, T0 + 90 * SECOND))):
        put(hospital.database.engine, tables.association, {
            "id": 90 + number, "unit": "amb-001", "device": "*", "subject": "person-north", "start_at": start,
            "end_at": start + 50 * SECOND, "source": "card", "end_reason": "ended", "voided_at": voided,
        })  # fmt: skip
        at = start + 10 * SECOND
        body = Observation(
            epoch="0" * 16, seq=60 + number, device="cuff", observed_at=at,
            values={"bp-systolic": 165, "bp-diastolic": 95},
        )  # fmt: skip
        put(hospital.database.engine, tables.record, {
            "lane_id": 1, "seq": 60 + number, "device": "cuff", "observed_at": at, "event_at": at, "received_at": at,
            "flags": 0, "payload": encode(body),
        })  # fmt: skip


async def test_a_session_says_what_its_readings_are_called_unless_they_were_not_theirs(hospital: Hospital) -> None:
    sat_down(hospital)
    hospital.clock.now = T0 + 200 * SECOND
    rows = (await ask(hospital, "nurse", "GET", "/api/v1/units/amb-001/sessions")).json()["items"]
    voided, theirs = rows
    assert len(voided["measured"]) == 2, "what was measured stays; whose it is nobody knows"
    assert voided["wordings"] == []
    [said] = theirs["wordings"]
    assert (said["name"], said["code"], said["table"], said["at"]) == (
        "bp-category", "grade-2", "china", T0 + 10 * SECOND,
    )  # fmt: skip
    assert said["numbers"] == {"systolic": 165.0, "diastolic": 95.0}
    hospital.app.state.services = replace(hospital.services, wordings=Wordings(off=["bp-category"]))
    rows = (await ask(hospital, "nurse", "GET", "/api/v1/units/amb-001/sessions")).json()["items"]
    assert [row["wordings"] for row in rows] == [[], []]


async def test_a_page_of_sessions_looks_each_person_up_once_and_nobody_else(hospital: Hospital) -> None:
    sat_down(hospital)
    asked: list[str] = []

    def listen(_db: Any, _cursor: Any, statement: str, *_: Any) -> None:
        asked.extend(name for name in ("person_limit", "care_plan") if f"FROM {name}" in statement)
        assert "FROM care_plan" not in statement or "care_plan.person = ?" in statement
        assert "FROM person_limit" not in statement or "person_limit.person = ?" in statement

    event.listen(hospital.services.engine, "before_cursor_execute", listen)
    hospital.clock.now = T0 + 200 * SECOND
    rows = (await ask(hospital, "nurse", "GET", "/api/v1/units/amb-001/sessions")).json()["items"]
    event.remove(hospital.services.engine, "before_cursor_execute", listen)
    assert [row["subject"] for row in rows] == ["person-north", "person-north"]
    assert asked == ["person_limit", "care_plan"]
