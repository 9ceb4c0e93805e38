"""The catalogue, limits of one patient and clinical facts, as doctors and nurses meet them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from gateway.adapters import limits as store
from gateway.adapters import tables
from gateway.api.problems import Reason
from gateway.derive.population import Placed, Population
from gateway.rules.patient import LimitRefused, Patient
from gateway.rules.ruleset import default_ruleset, read_ruleset
from tests.unit.api.conftest import SECOND, T0, Hospital, put

DAY = 86_400 * SECOND
LIMITS = "/api/v1/people/person-north/limits"
CLINICAL = "/api/v1/people/person-north/clinical"
WANTED: dict[str, Any] = {"rule": "heart-rate-low", "limit": 40, "reason": "an athlete", "expires_at": T0 + DAY}


async def ask(hospital: Hospital, who: str, method: str, path: str, body: Any = None) -> Any:
    async with hospital.client(who) as client:
        return await client.request(method, path, json=body)


def counting(hospital: Hospital, unit: str = "amb-001") -> Patient:
    """What the rules are given at the next refresh."""
    with hospital.services.engine.connect() as db:
        return store.patients(db, hospital.clock.now)[unit]


async def test_a_limit_counts_from_when_it_is_set_until_it_is_ended_and_both_are_audited(hospital: Hospital) -> None:
    told: list[str] = []
    hospital.app.state.services = replace(hospital.services, on_association=told.append)
    made = (await ask(hospital, "nurse.north", "POST", LIMITS, WANTED)).json()
    assert (made["limit"], made["set_by"], made["removed_at"]) == (40, "nurse.north", None)
    assert told, "the rules are told at once"
    assert counting(hospital).limits["heart-rate-low"].limit == 40
    hospital.clock.now += SECOND
    ended = (await ask(hospital, "doctor", "DELETE", f"{LIMITS}/{made['id']}")).json()
    assert (ended["removed_by"], ended["removed_at"]) == ("doctor", T0 + SECOND)
    assert "heart-rate-low" not in counting(hospital).limits
    shown = (await ask(hospital, "doctor", "GET", LIMITS)).json()["items"]
    assert [row["id"] for row in shown] == ["limit-1"]
    every = (await ask(hospital, "doctor", "GET", f"{LIMITS}?all=true")).json()["items"]
    assert [(row["id"], row["reason"]) for row in every] == [(made["id"], "an athlete"), ("limit-1", "王小明 runs")]
    audit = [line for line in await hospital.audit() if line[1] != "signed-in"]
    assert audit == [("nurse.north", "limit-set", "person-north"), ("doctor", "limit-ended", "person-north")]


async def test_a_limit_that_has_expired_counts_no_more(hospital: Hospital) -> None:
    assert "heart-rate-high" in counting(hospital).limits
    hospital.clock.now = T0 + DAY
    assert counting(hospital).limits == {}
    assert (await ask(hospital, "doctor", "DELETE", f"{LIMITS}/limit-1")).json()["reason"] == Reason.ALREADY_ENDED


@pytest.mark.parametrize(
    ("change", "status", "reason"),
    [
        ({"rule": "heart-rate-hihg"}, 422, "unknown-alert"),
        ({"rule": "asystole"}, 422, "no-limit"),
        ({"limit": 400}, 422, "limit-out-of-range"),
        ({"limit": 34}, 409, "beyond-graver"),
        ({"limit": 155}, 409, "crosses"),
        ({"rule": "heart-rate-high", "limit": 140}, 409, "limit-exists"),
        ({"expires_at": T0}, 422, "invalid-request"),
        ({"expires_at": T0 + 91 * DAY}, 422, "invalid-request"),
        ({"reason": "  "}, 422, "invalid-request"),
    ],
)
async def test_what_cannot_be_set_is_refused_with_its_reason(
    hospital: Hospital, change: dict[str, Any], status: int, reason: str
) -> None:
    answer = await ask(hospital, "doctor", "POST", LIMITS, WANTED | change)
    assert (answer.status_code, answer.json()["reason"]) == (status, reason)


async def test_a_limit_for_whom_the_alert_is_not_made_is_refused(hospital: Hospital) -> None:
    put(hospital.database.engine, tables.person, {
        "id": "baby", "name": "", "birth_date": "2025-12-20", "created_at": T0,
    })  # fmt: skip
    body = WANTED | {"rule": "bp-systolic-high", "limit": 150}
    answer = await ask(hospital, "doctor", "POST", "/api/v1/people/baby/limits", body)
    assert (answer.status_code, answer.json()["reason"]) == (409, "other-population")
    assert "not for neonate" in answer.json()["detail"]


def test_every_refusal_of_the_rules_is_a_reason_of_the_api() -> None:
    assert {str(reason) for reason in LimitRefused} <= {str(reason) for reason in Reason}


async def test_clinical_facts_change_whom_limits_take_the_person_for(hospital: Hospital) -> None:
    before = (await ask(hospital, "doctor", "GET", CLINICAL)).json()
    assert before == {
        "pregnancy": "none", "spo2_target": None, "recorded_by": None, "recorded_at": None, "population": "adult",
        "assumed": False,
    }  # fmt: skip
    body = {"pregnancy": "pregnant", "spo2_target": "88-92"}
    after = (await ask(hospital, "doctor", "PUT", CLINICAL, body)).json()
    assert (after["population"], after["recorded_by"], after["recorded_at"]) == ("pregnant", "doctor", T0)
    assert (await ask(hospital, "nurse", "GET", CLINICAL)).json() == after
    now = counting(hospital)
    assert (now.placed, now.oxygen_target) == (Placed(Population.PREGNANT), "88-92")
    assert ("doctor", "clinical-facts", "person-north") in await hospital.audit()
    assert (await ask(hospital, "doctor", "PUT", CLINICAL, {"spo2_target": "90-94"})).status_code == 422


async def test_the_catalogue_has_every_row_with_its_words_limits_and_version(build: Callable[..., Hospital]) -> None:
    ruleset = read_ruleset(b"[alert.heart-rate-high]\nlimit = 125\n[alert.weight-gain]\nenabled = false")
    infant = Patient("p", Placed(Population.INFANT))
    hospital = build(ruleset=ruleset, patient_of=lambda unit: infant)
    told = (await ask(hospital, "ops", "GET", "/api/v1/alert-catalogue")).json()
    assert told["version"] == ruleset.version != default_ruleset().version
    rows = {row["code"]: row for row in told["items"]}
    assert list(rows) == list(ruleset.rows)
    assert rows["heart-rate-high"]["condition"]["limit"] == 125
    assert (rows["heart-rate-high"]["zh"], rows["heart-rate-high"]["en"]) == ("心率过高", "Heart rate high")
    assert rows["weight-gain"]["enabled"] is False
    assert rows["bp-urgent"]["condition"]["parts"][1]["threshold"]["limit"] == 110
    of_unit = (await ask(hospital, "ops", "GET", "/api/v1/alert-catalogue?unit=amb-001")).json()
    rows = {row["code"]: row for row in of_unit["items"]}
    assert rows["heart-rate-high"]["condition"]["limit"] == 180
    assert rows["news2-high"]["refused"] == "made for adult; not for infant"
    assert rows["heart-rate-high"]["refused"] is None
