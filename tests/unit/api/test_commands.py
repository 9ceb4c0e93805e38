"""What the API takes as a command, from whom, and what it shows of it."""

from typing import Any

import pytest

from gateway.api.ports import Role
from gateway.api.problems import Reason
from gateway.commands.command import Conflict
from tests.unit.api.conftest import T0, Hospital

SECOND = 1_000_000
URL = "/api/v1/units/amb-001/commands"
BODY: dict[str, Any] = {
    "device": "mattress",
    "name": "set-mattress-mode",
    "arguments": {"mode": "static"},
    "reason": "turned",
}


async def test_a_command_is_taken_and_can_be_followed(hospital: Hospital) -> None:
    async with hospital.client("nurse") as nurse:
        answer = await nurse.post(URL, json=BODY)
        assert answer.status_code == 202, answer.text
        taken = answer.json()
        assert taken["state"] == "requested"
        assert (taken["requested_by"], taken["role"], taken["reason"]) == ("nurse", "nurse", "turned")
        assert taken["expires_at"] - taken["requested_at"] == 30 * SECOND
        assert answer.headers["Location"] == f"{URL}/{taken['id']}"
        assert (await nurse.get(answer.headers["Location"])).json() == taken
        listed = (await nurse.get(URL)).json()["items"]
        assert [command["id"] for command in listed] == ["command-1", taken["id"]], "asked for a microsecond earlier"
        still_open = (await nurse.get(URL, params={"state": "open"})).json()["items"]
        assert [command["id"] for command in still_open] == [taken["id"]]
    assert ("nurse", "command-requested", taken["id"]) in await hospital.audit()


async def test_pages(hospital: Hospital) -> None:
    async with hospital.client("nurse") as nurse:
        for number in range(4):
            hospital.clock.now = T0 + (number + 1) * SECOND
            assert (await nurse.post(URL, json=BODY | {"name": f"set-{number}"})).is_success
        first = (await nurse.get(URL, params={"limit": 3})).json()
        second = (await nurse.get(URL, params={"limit": 3, "cursor": first["next"]})).json()
    names = [command["name"] for page in (first, second) for command in page["items"]]
    assert names == ["set-3", "set-2", "set-1", "set-0", "set-mattress-mode"]
    assert second["next"] is None


@pytest.mark.parametrize(
    "change",
    [
        {"reason": ""},
        {"reason": "  \t  "},
        {"reason": "x" * 501},
        {"reason": "turned\0round"},
        {"name": ""},
        {"name": "Set Mode"},
        {"device": "../bed"},
        {"expires_in": 0},
        {"expires_in": 601},
        {"arguments": {"mode": {"nested": 1}}},
        {"arguments": {"mode": "x" * 201}},
        {"arguments": {"value": 2**60}},
        {"arguments": {"value": -1e300}},
        {"arguments": {"BAD NAME": 1}},
        {"arguments": {f"a{n}": 1 for n in range(17)}},
        {"name": "bed-motion", "expires_in": 2},
        {"surprise": 1},
    ],
)
async def test_what_is_not_a_command(hospital: Hospital, change: dict[str, Any]) -> None:
    async with hospital.client("nurse") as nurse:
        answer = await nurse.post(URL, json=BODY | change)
    assert (answer.status_code, answer.json()["reason"]) == (422, "invalid-request")
    assert hospital.clock.now == T0


async def test_a_reason_is_obligatory(hospital: Hospital) -> None:
    async with hospital.client("nurse") as nurse:
        answer = await nurse.post(URL, json={key: value for key, value in BODY.items() if key != "reason"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["where"] == ["body", "reason"]


@pytest.mark.parametrize(
    ("arguments", "kept"),
    [({"value": 88}, 88), ({"value": 36.5}, 36.5), ({"value": True}, True), ({"value": "static"}, "static")],
)
async def test_arguments_keep_their_type(hospital: Hospital, arguments: dict[str, Any], kept: object) -> None:
    async with hospital.client("nurse") as nurse:
        taken = (await nurse.post(URL, json=BODY | {"arguments": arguments})).json()["arguments"]["value"]
    assert (taken, type(taken)) == (kept, type(kept))


async def test_motion_expires_within_a_second(hospital: Hospital) -> None:
    async with hospital.client("nurse") as nurse:
        taken = (await nurse.post(URL, json=BODY | {"device": "bed", "name": "bed-motion"})).json()
    assert taken["expires_at"] - taken["requested_at"] == SECOND


async def test_the_same_command_twice_is_refused_and_names_who_was_first(hospital: Hospital) -> None:
    async with hospital.client("nurse") as nurse, hospital.client("doctor") as doctor:
        assert (await nurse.post(URL, json=BODY)).status_code == 202
        second = await doctor.post(URL, json=BODY)
    assert (second.status_code, second.json()["reason"]) == (409, "command-open")
    assert "nurse" in second.json()["detail"]
    assert second.headers["content-type"] == "application/problem+json"


async def test_roles_by_what_is_commanded(hospital: Hospital) -> None:
    agent = {"name": "link-mode", "arguments": {"mode": "weak"}, "reason": "radio test"}
    seen = {}
    for role in Role:
        async with hospital.client(role) as client:
            bodies = (BODY | {"name": f"set-{role}"}, agent)
            seen[role] = [(await client.post(URL, json=body)).status_code for body in bodies]
    assert seen[Role.DOCTOR] == seen[Role.NURSE] == [202, 403]
    assert seen[Role.DISPATCHER] == [403, 403]
    assert seen[Role.OPS] == [403, 202]
    assert seen[Role.ADMIN] == [403, 409], "the same command is open: the role was let through"


async def test_a_reason_is_seen_by_those_who_treat_and_by_whoever_typed_it(hospital: Hospital) -> None:
    agent = {"name": "link-mode", "arguments": {"mode": "weak"}, "reason": "radio test"}
    async with hospital.client("ops") as ops, hospital.client("doctor") as doctor, hospital.client("admin") as admin:
        mine = (await ops.post(URL, json=agent)).json()
        assert mine["reason"] == "radio test"
        reasons = {
            name: [(await client.get(f"{URL}/{id}")).json()["reason"] for id in (mine["id"], "command-1")]
            for name, client in (("ops", ops), ("doctor", doctor), ("admin", admin))
        }
        listed = [command["reason"] for command in (await admin.get(URL)).json()["items"]]
    assert reasons == {"ops": ["radio test", ""], "doctor": ["radio test", "王小明 turned"], "admin": ["", ""]}
    assert listed == ["", ""]


async def test_other_sites_and_unknown_commands_are_not_found(hospital: Hospital) -> None:
    async with hospital.client("nurse.south") as south:
        assert (await south.post(URL, json=BODY)).status_code == 404
        assert (await south.get(f"{URL}/command-1")).status_code == 404
    async with hospital.client("nurse") as nurse:
        assert (await nurse.get(f"{URL}/command-2")).status_code == 404, "it is a command to another unit"
        assert (await nurse.get(f"{URL}/nonsense")).status_code == 404
        assert (await nurse.post("/api/v1/units/amb-999/commands", json=BODY)).status_code == 404


def test_every_conflict_is_a_reason_of_the_api() -> None:
    assert {str(conflict) for conflict in Conflict} <= {str(reason) for reason in Reason}
