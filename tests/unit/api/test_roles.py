"""Every endpoint for every role, and every endpoint without a session. A new endpoint without a row here fails."""

from typing import Any

import pytest

from gateway.api.ports import Role
from tests.unit.api.conftest import PASSWORD, T0, Hospital

CLINICAL = {Role.DOCTOR, Role.NURSE}
KEEPERS = {Role.OPS, Role.ADMIN}
SERVICE = {Role.OPS, Role.NURSE}
ALL = set(Role)
WINDOW = f"from={T0}&to={T0 + 1_000_000}"
ANY = {"json": None}

# operation of the document, request, roles that may
TABLE: list[tuple[str, str, dict[str, Any] | None, set[Role]]] = [
    ("GET /api/v1/session", "", None, ALL),
    ("GET /api/v1/sites", "", None, ALL),
    ("GET /api/v1/units", "", None, ALL),
    ("GET /api/v1/units/{unit}", "", None, ALL),
    ("GET /api/v1/units/{unit}/devices", "", None, ALL),
    ("GET /api/v1/units/{unit}/latest", "", None, ALL),
    ("GET /api/v1/units/{unit}/series", f"?quantity=spo2&{WINDOW}", None, ALL),
    ("GET /api/v1/units/{unit}/waveform", f"?device=monitor&{WINDOW}", None, ALL),
    ("GET /api/v1/units/{unit}/events", f"?{WINDOW}", None, ALL),
    ("GET /api/v1/units/{unit}/ecg", f"?device=monitor&at={T0}", None, ALL),
    ("GET /api/v1/alerts", "", None, ALL),
    ("GET /api/v1/alerts/{alert}", "", None, ALL),
    ("POST /api/v1/alerts/{alert}/acknowledge", "", None, CLINICAL | {Role.DISPATCHER}),
    ("POST /api/v1/alerts/{alert}/feedback", "", {"useful": False, "reason": "artefact"}, CLINICAL),
    ("POST /api/v1/alerts/{alert}/silence", "", {"minutes": 30, "reason": "known"}, CLINICAL),
    ("GET /api/v1/silences", "", None, ALL),
    ("DELETE /api/v1/silences/{silence}", "", None, CLINICAL),
    ("GET /api/v1/ladders", "", None, ALL),
    ("GET /api/v1/notifications", "", None, ALL),
    ("GET /api/v1/notifications/{notification}", "", None, ALL),
    ("POST /api/v1/notifications/{notification}/retry", "", None, KEEPERS),
    ("GET /api/v1/shifts", "", None, ALL),
    (
        "POST /api/v1/shifts",
        "",
        {"account": "nurse", "duty": "nurse", "site": "north", "start_at": T0, "end_at": T0 + 3_600_000_000},
        KEEPERS,
    ),
    ("DELETE /api/v1/shifts/{shift}", "", None, KEEPERS),
    ("GET /api/v1/units/{unit}/commands", "", None, ALL),
    ("GET /api/v1/units/{unit}/commands/{command}", "", None, ALL),
    (
        "POST /api/v1/units/{unit}/commands",
        "",
        {"device": "mattress", "name": "set-mattress-mode", "reason": "turned"},
        CLINICAL,
    ),
    (
        "POST /api/v1/units/{unit}/commands",
        "",
        {"name": "link-mode", "arguments": {"mode": "weak"}, "reason": "a test of the radio"},
        KEEPERS,
    ),
    ("GET /api/v1/units/{unit}/pressure-care", "", None, ALL),
    ("POST /api/v1/units/{unit}/pressure-care/proposals/{proposed_at}/confirm", "", {"reason": "sacrum"}, CLINICAL),
    ("POST /api/v1/units/{unit}/pressure-care/turns", "", {}, CLINICAL),
    ("GET /api/v1/people", "", None, ALL),
    ("POST /api/v1/people", "", {"name": "李四"}, CLINICAL),
    ("GET /api/v1/people/{person}", "", None, ALL),
    ("GET /api/v1/associations", "", None, ALL),
    (
        "POST /api/v1/associations",
        "",
        {"unit": "amb-001", "device": "kiosk", "subject": "person-north"},
        CLINICAL,
    ),
    ("PATCH /api/v1/associations/{association}", "", {"end_at": None}, CLINICAL),
    ("POST /api/v1/associations/{association}/correct", "", {"subject": None, "reason": "somebody else"}, CLINICAL),
    ("GET /api/v1/units/{unit}/sessions", "", None, ALL),
    ("GET /api/v1/people/{person}/latest", "", None, ALL),
    ("GET /api/v1/people/{person}/series", f"?quantity=spo2&{WINDOW}", None, ALL),
    ("GET /api/v1/people/{person}/events", f"?{WINDOW}", None, ALL),
    ("GET /api/v1/devices", "", None, ALL),
    ("GET /api/v1/units/{unit}/devices/{device}", "", None, ALL),
    ("GET /api/v1/units/{unit}/devices/{device}/serials", "", None, ALL),
    ("PATCH /api/v1/units/{unit}/devices/{device}", "", {"calibration_due": "2027-04-01"}, SERVICE),
    ("POST /api/v1/units/{unit}/devices/{device}/swap", "", {"serial": "SN-9", "reason": "broken"}, SERVICE),
    (
        "POST /api/v1/units/{unit}/devices/{device}/service",
        "",
        {"mode": "cleaning", "reason": "after transport", "minutes": 20},
        SERVICE,
    ),
    ("DELETE /api/v1/units/{unit}/devices/{device}/service", "", None, SERVICE),
    ("POST /api/v1/units/{unit}/training", "", {"reason": "new crew", "minutes": 60}, KEEPERS),
    ("DELETE /api/v1/units/{unit}/training", "", None, KEEPERS),
    ("GET /api/v1/service", "", None, ALL),
    ("GET /api/v1/alert-catalogue", "?unit=amb-001", None, ALL),
    ("GET /api/v1/people/{person}/limits", "", None, CLINICAL),
    (
        "POST /api/v1/people/{person}/limits",
        "",
        {"rule": "heart-rate-low", "limit": 40, "reason": "an athlete", "expires_at": T0 + 1_000_000},
        CLINICAL,
    ),
    ("DELETE /api/v1/people/{person}/limits/{limit}", "", None, CLINICAL),
    ("GET /api/v1/people/{person}/plans", "", None, CLINICAL),
    (
        "POST /api/v1/people/{person}/plans",
        "",
        {"plan": {"kind": "peak-flow", "personal_best": 480}, "reason": "asthma", "expires_at": T0 + 60_000_000},
        CLINICAL,
    ),
    ("DELETE /api/v1/people/{person}/plans/{plan}", "", None, CLINICAL),
    ("GET /api/v1/people/{person}/wordings", "", None, ALL),
    ("GET /api/v1/people/{person}/clinical", "", None, CLINICAL),
    ("PUT /api/v1/people/{person}/clinical", "", {"pregnancy": "none", "spo2_target": "88-92"}, CLINICAL),
    ("GET /api/v1/gaps", "", None, ALL),
    ("GET /api/v1/rejects", "", None, KEEPERS),
    ("GET /api/v1/rejects/{reject}", "", None, KEEPERS),
    ("GET /api/v1/accounts", "", None, {Role.ADMIN}),
    (
        "POST /api/v1/accounts",
        "",
        {"name": "new", "role": "ops", "sites": ["north"], "password": PASSWORD},
        {Role.ADMIN},
    ),
    ("PATCH /api/v1/accounts/{name}", "", {"disabled": True}, {Role.ADMIN}),
    ("POST /api/v1/session/password", "", {"password": PASSWORD, "new_password": "another good one"}, ALL),
    ("DELETE /api/v1/session", "", None, ALL),
]
OPEN = {"GET /healthz", "GET /readyz", "GET /metrics", "GET /api/v1/about", "POST /api/v1/session"}
NAMES = {
    "proposed_at": str(T0 - 60_000_000),
    "unit": "amb-001", "alert": "alert-1", "person": "person-north", "association": "1", "reject": "1",
    "name": "nurse.south", "command": "command-1", "device": "monitor",
    "notification": "notification-1", "silence": "silence-1", "shift": "shift-1", "limit": "limit-1", "plan": "plan-1",
}  # fmt: skip


def request_of(operation: str, query: str) -> tuple[str, str]:
    method, path = operation.split(" ")
    return method, path.format(**NAMES) + query


def test_the_table_has_every_operation(hospital: Hospital) -> None:
    described = {
        f"{method.upper()} {path}"
        for path, operations in hospital.app.openapi()["paths"].items()
        for method in operations
    }
    assert described == {row[0] for row in TABLE} | OPEN


@pytest.mark.parametrize("role", list(Role))
async def test_roles_may_what_the_table_says(hospital: Hospital, role: Role) -> None:
    async with hospital.client(role) as client:
        for operation, query, body, allowed in TABLE:
            method, url = request_of(operation, query)
            answer = await client.request(method, url, json=body)
            if role in allowed:
                assert answer.status_code < 300, (operation, answer.text)
            else:
                assert answer.status_code == 403, (operation, answer.text)
                assert answer.json()["reason"] == "not-allowed"


async def test_nothing_without_a_session(stranger: Any) -> None:
    for operation, query, body, _ in TABLE:
        method, url = request_of(operation, query)
        answer = await stranger.request(method, url, json=body)
        assert (answer.status_code, answer.json()["reason"]) == (401, "not-signed-in"), operation


async def test_names_are_for_those_who_treat(hospital: Hospital) -> None:
    seen = {}
    for role in Role:
        async with hospital.client(role) as client:
            person = (await client.get("/api/v1/people/person-north")).json()
            listed = (await client.get("/api/v1/people")).json()["items"]
        assert person in listed
        seen[role] = (person["name"], person["sex"], person["birth_date"], person["identifier"])
    full, masked, pseudonym = (
        ("王小明", "male", "1962-04-30", "X1"),
        ("王**", "male", None, None),
        ("", None, None, None),
    )
    assert seen == {
        Role.DOCTOR: full, Role.NURSE: full, Role.DISPATCHER: masked, Role.OPS: pseudonym, Role.ADMIN: pseudonym,
    }  # fmt: skip
