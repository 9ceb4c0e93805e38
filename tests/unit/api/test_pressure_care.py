"""How somebody lies, as the API tells it; who records a turn, who confirms what is proposed, and every refusal."""

from typing import Any

import msgspec
import pytest

from gateway.api.problems import Reason
from gateway.contract.quantity import HOUR, MINUTE
from gateway.derive.pressure import EVENT, Refusal, Stopped
from gateway.derive.scores.turn_clock import LAPSES_AFTER
from tests.unit.api.conftest import T0, Hospital
from tests.unit.api.turns import CARE, PROPOSED_AT, SINCE, tell

URL = "/api/v1/units/amb-001/pressure-care"
TURNS = f"{URL}/turns"
CONFIRM = f"{URL}/proposals/{PROPOSED_AT}/confirm"
BODY = {"reason": "sacrum red, alternating"}


async def test_it_says_how_somebody_lies(hospital: Hospital) -> None:
    async with hospital.client("nurse") as nurse:
        told = (await nurse.get(URL)).json()
    assert (told["since"], told["due_at"], told["state"]) == (SINCE, SINCE + 2 * HOUR, "overdue")
    assert (told["zone"], told["dose"], told["limit"], told["unknown"]) == ("pelvis-middle", 968.0, 2400.0, 0)
    assert told["mat_at"] == PROPOSED_AT
    assert (told["mattress"], told["mode"], told["confirmed_by"]) == ("air-mattress", "static", "")
    assert told["proposal"] == {
        "proposed_at": PROPOSED_AT, "lapses_at": PROPOSED_AT + LAPSES_AFTER, "command": "set-mattress-mode",
        "arguments": {"mode": "alternate"}, "reason": "turn-overdue", "zone": "pelvis-middle", "dose": 968.0,
    }  # fmt: skip


async def test_of_nobody_it_says_that_nothing_is_known(hospital: Hospital) -> None:
    hospital.clock.now = T0 + 8 * 24 * HOUR
    async with hospital.client("nurse") as nurse:
        told = (await nurse.get(URL)).json()
    assert (told["at"], told["since"], told["state"], told["proposal"]) == (None, None, None, None)


async def test_what_has_lapsed_is_not_offered(hospital: Hospital) -> None:
    hospital.clock.now = PROPOSED_AT + LAPSES_AFTER
    async with hospital.client("nurse") as nurse:
        assert (await nurse.get(URL)).json()["proposal"] is None


@pytest.mark.parametrize("at", [None, T0 - 5 * MINUTE])
async def test_a_turn_begins_the_clock_anew(hospital: Hospital, at: int | None) -> None:
    async with hospital.client("nurse") as nurse:
        answer = await nurse.post(TURNS, json={} if at is None else {"at": at})
        assert answer.status_code == 201, answer.text
        told = answer.json()
        assert told == (await nurse.get(URL)).json()
    assert (told["since"], told["state"], told["proposal"]) == (at or T0, "resting", None)
    assert ("nurse", "turned", "amb-001") in await hospital.audit()


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        ({"at": T0 + 1}, 422, "invalid-request"),
        ({"at": T0 - 24 * HOUR - 1}, 422, "invalid-request"),
        ({"at": 0}, 422, "invalid-request"),
        ({"at": T0 - 24 * HOUR}, 409, "turn-too-old"),
        ({"at": "just now"}, 422, "invalid-request"),
        ({"surprise": 1}, 422, "invalid-request"),
        ({"at": SINCE - 1}, 409, "turn-too-old"),
    ],
)
async def test_what_is_no_turn(hospital: Hospital, body: dict[str, Any], status: int, reason: str) -> None:
    async with hospital.client("nurse") as nurse:
        answer = await nurse.post(TURNS, json=body)
        assert (answer.status_code, answer.json()["reason"]) == (status, reason)
        assert (await nurse.get(URL)).json()["since"] == SINCE


async def test_a_turn_of_somebody_who_has_left_starts_no_clock(hospital: Hospital) -> None:
    care = msgspec.structs.replace(CARE, since=None, left_at=T0 - MINUTE, stopped=Stopped.EXIT, proposal=None)
    with hospital.database.engine.begin() as db:
        tell(db, "amb-001", EVENT, msgspec.to_builtins(care), T0 - MINUTE)
    async with hospital.client("nurse") as nurse:
        told = (await nurse.post(TURNS, json={})).json()
    assert (told["since"], told["state"], told["stopped"]) == (None, None, "exit")


async def test_a_yes_becomes_a_command_of_whoever_said_it(hospital: Hospital) -> None:
    async with hospital.client("nurse") as nurse:
        answer = await nurse.post(CONFIRM, json=BODY)
        assert answer.status_code == 202, answer.text
        taken = answer.json()
        assert (await nurse.get(answer.headers["Location"])).json() == taken
        assert (await nurse.get(URL)).json()["confirmed_by"] == "nurse"
    assert (taken["device"], taken["name"], taken["arguments"]) == (
        "air-mattress", "set-mattress-mode", {"mode": "alternate"},
    )  # fmt: skip
    assert (taken["requested_by"], taken["role"], taken["reason"]) == ("nurse", "nurse", BODY["reason"])
    assert taken["expires_at"] - taken["requested_at"] == 30 * 1_000_000
    assert ("nurse", "command-requested", taken["id"]) in await hospital.audit()


async def test_a_yes_needs_a_reason(hospital: Hospital) -> None:
    async with hospital.client("nurse") as nurse:
        for body in ({}, {"reason": ""}, {"reason": "  \t "}, {"reason": "ok ok", "mode": "static"}):
            answer = await nurse.post(CONFIRM, json=body)
            assert (answer.status_code, answer.json()["reason"]) == (422, "invalid-request")


async def refusal_of(hospital: Hospital, url: str = CONFIRM, name: str = "doctor") -> tuple[int, str]:
    async with hospital.client(name) as client:
        answer = await client.post(url, json=BODY)
    return answer.status_code, answer.json()["reason"]


async def test_a_second_yes_is_refused_and_names_the_first(hospital: Hospital) -> None:
    async with hospital.client("nurse") as nurse, hospital.client("doctor") as doctor:
        await nurse.post(CONFIRM, json=BODY)
        answer = await doctor.post(CONFIRM, json=BODY)
    assert (answer.status_code, answer.json()["reason"]) == (409, "proposal-done")
    assert "nurse" in answer.json()["detail"]


async def test_after_its_time_it_has_lapsed(hospital: Hospital) -> None:
    hospital.clock.now = PROPOSED_AT + LAPSES_AFTER
    assert await refusal_of(hospital) == (409, "proposal-lapsed")


async def test_after_a_turn_it_is_over(hospital: Hospital) -> None:
    async with hospital.client("nurse") as nurse:
        await nurse.post(TURNS, json={})
    assert await refusal_of(hospital) == (409, "proposal-lapsed")


async def test_one_that_was_never_made_is_none(hospital: Hospital) -> None:
    assert await refusal_of(hospital, f"{URL}/proposals/1/confirm") == (409, "proposal-lapsed")


async def test_while_the_same_command_is_open_there_is_no_other(hospital: Hospital) -> None:
    wanted = {
        "device": "air-mattress",
        "name": "set-mattress-mode",
        "arguments": {"mode": "static"},
        "reason": "turned",
    }
    async with hospital.client("nurse") as nurse:
        assert (await nurse.post("/api/v1/units/amb-001/commands", json=wanted)).status_code == 202
        assert await refusal_of(hospital) == (409, "command-open")
        assert (await nurse.get(URL)).json()["confirmed_by"] == ""


def test_every_refusal_is_a_reason_of_the_api() -> None:
    assert {str(one) for one in Refusal} <= {str(reason) for reason in Reason}
