"""Site scope: whoever belongs to the south neither sees nor touches anything of the north, whatever the role."""

import pytest

from gateway.api.ports import Role
from tests.unit.api.conftest import PASSWORD, T0, Hospital

WINDOW = f"from={T0}&to={T0 + 1_000_000}"
NORTH = {"amb-001", "person-north", "alert-1", "north"}

THINGS = [
    ("GET", "/units/amb-001", None),
    ("GET", "/units/amb-001/devices", None),
    ("GET", "/units/amb-001/latest", None),
    ("GET", f"/units/amb-001/series?quantity=spo2&{WINDOW}", None),
    ("GET", f"/units/amb-001/waveform?device=monitor&{WINDOW}", None),
    ("GET", f"/units/amb-001/events?{WINDOW}", None),
    ("GET", f"/units/amb-001/ecg?device=monitor&at={T0}", None),
    ("GET", "/units/amb-001/commands", None),
    ("GET", "/units/amb-001/commands/command-1", None),
    ("POST", "/units/amb-001/commands", {"device": "mattress", "name": "set-mattress-mode", "reason": "turned"}),
    ("GET", "/units/amb-001/pressure-care", None),
    ("POST", "/units/amb-001/pressure-care/turns", {}),
    ("POST", "/units/amb-001/pressure-care/proposals/1/confirm", {"reason": "sacrum"}),
    ("GET", "/alerts/alert-1", None),
    ("POST", "/alerts/alert-1/acknowledge", None),
    ("POST", "/alerts/alert-1/feedback", {"useful": True, "reason": "in time"}),
    ("POST", "/alerts/alert-1/silence", {"minutes": 5, "reason": "known"}),
    ("DELETE", "/silences/silence-1", None),
    ("DELETE", "/shifts/shift-1", None),
    (
        "POST",
        "/shifts",
        {"account": "nurse.north", "duty": "nurse", "site": "north", "start_at": T0, "end_at": T0 + 1_000_000},
    ),
    ("GET", "/people/person-north", None),
    ("POST", "/associations", {"unit": "amb-001", "device": "kiosk", "subject": "person-south"}),
    ("POST", "/associations", {"unit": "amb-002", "device": "kiosk", "subject": "person-north"}),
    ("PATCH", "/associations/1", {"end_at": T0 + 1}),
    ("POST", "/associations/1/correct", {"subject": None, "reason": "somebody else"}),
    ("POST", "/associations/2/correct", {"subject": "person-north", "reason": "somebody else"}),
    ("GET", "/units/amb-001/sessions", None),
    ("GET", "/people/person-north/latest", None),
    ("GET", "/alert-catalogue?unit=amb-001", None),
    ("GET", "/people/person-north/limits", None),
    (
        "POST",
        "/people/person-north/limits",
        {"rule": "heart-rate-low", "limit": 40, "reason": "an athlete", "expires_at": T0 + 1_000_000},
    ),
    ("DELETE", "/people/person-north/limits/limit-1", None),
    ("GET", "/people/person-north/plans", None),
    (
        "POST",
        "/people/person-north/plans",
        {"plan": {"kind": "peak-flow", "personal_best": 480}, "reason": "asthma", "expires_at": T0 + 1_000_000},
    ),
    ("DELETE", "/people/person-north/plans/plan-1", None),
    ("GET", "/people/person-north/wordings", None),
    ("GET", "/people/person-north/clinical", None),
    ("PUT", "/people/person-north/clinical", {"pregnancy": "pregnant"}),
    ("GET", f"/people/person-north/series?quantity=spo2&{WINDOW}", None),
    ("GET", f"/people/person-north/events?{WINDOW}", None),
    ("GET", "/units/amb-001/devices/monitor", None),
    ("GET", "/units/amb-001/devices/monitor/serials", None),
    ("PATCH", "/units/amb-001/devices/monitor", {"calibration_due": None}),
    ("POST", "/units/amb-001/devices/monitor/swap", {"serial": "SN-9", "reason": "broken"}),
    ("POST", "/units/amb-001/devices/monitor/service", {"mode": "cleaning", "reason": "dirty", "minutes": 5}),
    ("DELETE", "/units/amb-001/devices/monitor/service", None),
    ("POST", "/units/amb-001/training", {"reason": "new crew", "minutes": 60}),
    ("DELETE", "/units/amb-001/training", None),
    ("GET", "/rejects/1", None),
    ("PATCH", "/accounts/doctor.north", {"disabled": True}),
    ("PATCH", "/accounts/doctor", {"disabled": True}),
]
LISTS = [
    "/sites", "/units", "/units?site=north", "/alerts?state=all", "/alerts?unit=amb-001&state=all", "/people",
    "/associations", "/associations?unit=amb-001", "/associations?subject=person-north", "/gaps", "/gaps?unit=amb-001",
    "/rejects", "/rejects?unit=amb-001", "/accounts", "/devices", "/devices?unit=amb-001", "/service",
    "/service?unit=amb-001", "/silences", "/silences?on=false", "/shifts", "/shifts?past=true",
]  # fmt: skip


@pytest.mark.parametrize("role", list(Role))
async def test_what_is_elsewhere_does_not_exist(hospital: Hospital, role: Role) -> None:
    async with hospital.client(f"{role}.south") as client:
        for method, path, body in THINGS:
            answer = await client.request(method, "/api/v1" + path, json=body)
            assert answer.status_code in {403, 404}, (path, answer.text)
            assert answer.status_code == 404 or answer.json()["reason"] == "not-allowed"
            # the same words as for what does not exist at all
            if answer.status_code == 404:
                assert "amb-001" not in answer.text
                assert "north" not in answer.text


@pytest.mark.parametrize("role", list(Role))
async def test_no_list_names_anything_of_another_site(hospital: Hospital, role: Role) -> None:
    async with hospital.client(f"{role}.south") as client:
        found = 0
        for path in LISTS:
            answer = await client.get("/api/v1" + path)
            if answer.status_code == 200:
                found += len(answer.json()["items"])
                for name in NORTH:
                    assert f'"{name}' not in answer.text, (path, name)
    assert found >= 6, "the lists of one's own site are not empty"


async def test_a_whole_scope_sees_both(hospital: Hospital) -> None:
    async with hospital.client("ops") as client:
        for path, count in (("/units", 2), ("/alerts", 2), ("/gaps", 2), ("/rejects", 2), ("/sites", 2)):
            assert len((await client.get("/api/v1" + path)).json()["items"]) == count


async def test_an_administrator_gives_no_more_than_they_have(hospital: Hospital) -> None:
    async with hospital.client("admin.south") as client:
        for sites in (["*"], ["north"], ["south", "north"]):
            account = {"name": "mallory", "role": "admin", "sites": sites, "password": PASSWORD}
            assert (await client.post("/api/v1/accounts", json=account)).status_code == 403
            assert (await client.patch("/api/v1/accounts/ops.south", json={"sites": sites})).status_code == 403
        account = {"name": "local", "role": "ops", "sites": ["south"], "password": PASSWORD}
        assert (await client.post("/api/v1/accounts", json=account)).status_code == 201
