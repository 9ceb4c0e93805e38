"""Service mode, swaps, calibration, training, sessions and corrections as people meet them."""

from typing import Any

import pytest

from gateway.adapters import audit_log, tables
from gateway.api.care_ports import SwapConflict
from gateway.api.problems import Reason
from gateway.care.window import LONGEST, Mode, Refusal
from gateway.contract.observation import Observation
from gateway.contract.wire import encode
from gateway.ports import RecordFlag
from tests.unit.api.conftest import SECOND, T0, Hospital, put

MINUTE = 60 * SECOND
DEVICE = "/api/v1/units/amb-001/devices/monitor"
SERVICE: dict[str, Any] = {"mode": "cleaning", "reason": "after transport", "minutes": 20}


async def ask(hospital: Hospital, who: str, method: str, path: str, body: Any = None, **query: Any) -> Any:
    async with hospital.client(who) as client:
        return await client.request(method, path, json=body, params=query or None)


async def acts(hospital: Hospital) -> list[tuple[str, str, str]]:
    """The audit log without who came in."""
    return [line for line in await hospital.audit() if line[1] != "signed-in"]


# ---- service mode and training --------------------------------------------------------------------------------------


async def test_service_mode_is_shown_audited_and_ended_by_another(hospital: Hospital) -> None:
    taken = await ask(hospital, "nurse", "POST", f"{DEVICE}/service", SERVICE)
    assert taken.status_code == 201, taken.text
    assert (taken.json()["state"], taken.json()["expires_at"]) == ("on", T0 + 20 * MINUTE)
    shown = (await ask(hospital, "doctor", "GET", DEVICE)).json()
    assert shown["service"] == {
        "mode": "cleaning", "started_at": T0, "expires_at": T0 + 20 * MINUTE, "started_by": "nurse",
    }  # fmt: skip
    hospital.clock.now += MINUTE
    ended = (await ask(hospital, "ops", "DELETE", f"{DEVICE}/service")).json()
    assert (ended["id"], ended["state"], ended["ended_by"]) == (taken.json()["id"], "ended", "ops")
    assert (await ask(hospital, "doctor", "GET", DEVICE)).json()["service"] is None
    audit = await acts(hospital)
    assert audit[-2:] == [("nurse", "service-started", ended["id"]), ("ops", "service-ended", ended["id"])]
    assert await hospital.services.read(audit_log.verify) == []


async def test_what_stands_in_the_way_of_service_mode(hospital: Hospital) -> None:
    for body, reason in (
        (SERVICE | {"mode": "training"}, "invalid-request"),
        (SERVICE | {"mode": "holiday"}, "invalid-request"),
        (SERVICE | {"reason": " x "}, "invalid-request"),
        (SERVICE | {"minutes": 0}, "invalid-request"),
        (SERVICE | {"minutes": 121}, "too-long"),
    ):
        answer = await ask(hospital, "nurse", "POST", f"{DEVICE}/service", body)
        assert answer.json()["reason"] == reason, body
    unknown = await ask(hospital, "nurse", "POST", "/api/v1/units/amb-001/devices/toaster/service", SERVICE)
    assert unknown.status_code == 404
    not_on = await ask(hospital, "nurse", "DELETE", f"{DEVICE}/service")
    assert (not_on.status_code, not_on.json()["reason"]) == (409, "not-on")
    assert (await ask(hospital, "nurse", "POST", f"{DEVICE}/service", SERVICE)).status_code == 201
    again = await ask(hospital, "ops", "POST", f"{DEVICE}/service", SERVICE)
    assert (again.status_code, again.json()["reason"]) == (409, "already-on")
    assert "nurse" in again.json()["detail"]


async def test_a_reason_may_name_somebody_so_ops_see_only_their_own(hospital: Hospital) -> None:
    await ask(hospital, "ops", "POST", f"{DEVICE}/service", SERVICE)
    for who, reasons in (("nurse", ["after transport", "王小明 left"]), ("ops", ["after transport", ""])):
        items = (await ask(hospital, who, "GET", "/api/v1/service", unit="amb-001")).json()["items"]
        assert [item["reason"] for item in items] == reasons, who


@pytest.mark.parametrize(("who", "seen"), [("nurse", "王小明 was sick"), ("ops", "")])
async def test_a_reason_is_not_told_to_who_ends_it_and_may_not_see_it(hospital: Hospital, who: str, seen: str) -> None:
    started = await ask(hospital, "nurse", "POST", f"{DEVICE}/service", SERVICE | {"reason": "王小明 was sick"})
    assert started.json()["reason"] == "王小明 was sick", "whoever typed it"
    ended = await ask(hospital, who, "DELETE", f"{DEVICE}/service")
    assert (ended.status_code, ended.json()["reason"]) == (200, seen)


async def test_training_is_of_a_unit_and_bounded(hospital: Hospital) -> None:
    body = {"reason": "new crew", "minutes": 480}
    taken = await ask(hospital, "ops", "POST", "/api/v1/units/amb-001/training", body)
    assert (taken.status_code, taken.json()["mode"], taken.json()["device"]) == (201, "training", "")
    put(hospital.database.engine, tables.unit, {
        "id": "amb-003", "site": "north", "kind": "ambulance", "name": "3", "provenance": "live",
        "token_hash": "0" * 64, "registered_at": T0,
    })  # fmt: skip
    assert (await ask(hospital, "ops", "GET", "/api/v1/units/amb-003")).json()["provenance"] == "live"
    assert (await ask(hospital, "ops", "POST", "/api/v1/units/amb-003/training", body)).status_code == 201
    units = (await ask(hospital, "ops", "GET", "/api/v1/units")).json()["items"]
    seen = {row["id"]: row["provenance"] for row in units}
    assert seen == {"amb-001": "simulated", "amb-002": "simulated", "amb-003": "test"}
    too_long = await ask(hospital, "ops", "POST", "/api/v1/units/amb-002/training", body | {"minutes": 481})
    assert too_long.status_code == 422
    assert (await ask(hospital, "nurse", "DELETE", "/api/v1/units/amb-001/training")).status_code == 403
    assert (await ask(hospital, "admin", "DELETE", "/api/v1/units/amb-001/training")).json()["ended_by"] == "admin"


def test_every_refusal_is_a_reason_of_the_api() -> None:
    assert {one.value for one in (*Refusal, *SwapConflict)} - {"unknown-window"} <= {reason.value for reason in Reason}
    assert LONGEST[Mode.CLEANING] == 120 * MINUTE, "as the schema's description says"


# ---- devices --------------------------------------------------------------------------------------------------------


async def test_devices_in_pages(hospital: Hospital) -> None:
    first = (await ask(hospital, "ops", "GET", "/api/v1/devices", limit=1)).json()
    second = (await ask(hospital, "ops", "GET", "/api/v1/devices", limit=1, cursor=first["next"])).json()
    assert [item["unit"] for page in (first, second) for item in page["items"]] == ["amb-001", "amb-002"]
    assert second["next"] is None
    [one] = first["items"]
    assert (one["kind"], one["serial"], one["calibration_due"]) == ("patient_monitor", "SN-1", "2027-03-01")
    hospital.clock.now = T0 + 65
    later = (await ask(hospital, "ops", "GET", DEVICE)).json()
    assert (later["received_at"], later["age"]) == (T0 + 5, 60)


async def test_a_device_has_the_link_and_the_firmware_its_agent_says(hospital: Hospital) -> None:
    engine = hospital.database.engine
    put(engine, tables.device, {"unit": "amb-001", "device": "old-box", "first_seen_at": T0})
    shown = (await ask(hospital, "ops", "GET", DEVICE)).json()
    assert (shown["link"], shown["firmware"]) == ("connected", "2.1")
    assert shown["kind"] == "patient_monitor", "what somebody entered goes before what the agent says"
    unknown = (await ask(hospital, "ops", "GET", "/api/v1/units/amb-001/devices/old-box")).json()
    assert [unknown[name] for name in ("link", "firmware", "kind")] == [None, None, None]
    with engine.begin() as db:
        db.execute(tables.unit_link.update().values(presence="offline"))
    away = (await ask(hospital, "ops", "GET", DEVICE)).json()
    assert (away["link"], away["firmware"]) == (None, "2.1"), "who could say how it is reached?"
    with engine.begin() as db:
        db.execute(tables.device_care.delete())
    assert (await ask(hospital, "ops", "GET", DEVICE)).json()["kind"] == "gnss"


async def test_a_swap_keeps_history(hospital: Hospital) -> None:
    body = {"serial": "SN-77", "at": T0 - 10, "reason": "screen broken", "calibration_due": "2028-01-31"}
    made = await ask(hospital, "ops", "POST", f"{DEVICE}/swap", body)
    assert made.status_code == 201, made.text
    boxes = (await ask(hospital, "doctor", "GET", f"{DEVICE}/serials")).json()["items"]
    assert [(box["serial"], box["from_at"], box["to_at"]) for box in boxes] == [
        ("SN-77", T0 - 10, None), ("SN-1", T0 - SECOND, T0 - 10),
    ]  # fmt: skip
    shown = (await ask(hospital, "doctor", "GET", DEVICE)).json()
    assert (shown["serial"], shown["calibration_due"], shown["kind"]) == ("SN-77", "2028-01-31", "patient_monitor")
    assert (await acts(hospital))[-1] == ("ops", "device-swapped", "amb-001/monitor")


@pytest.mark.parametrize(
    ("change", "status", "reason"),
    [
        ({"serial": "SN-1"}, 409, "same-serial"),
        ({"serial": "SN-2"}, 409, "serial-in-use"),
        ({"at": T0 - 2 * SECOND}, 409, "before-present"),
        ({"at": T0 + 1}, 422, "invalid-request"),
        ({"serial": "=1+1"}, 422, "invalid-request"),
        ({"reason": ""}, 422, "invalid-request"),
    ],
)
async def test_a_swap_that_cannot_be(hospital: Hospital, change: dict[str, Any], status: int, reason: str) -> None:
    answer = await ask(hospital, "ops", "POST", f"{DEVICE}/swap", {"serial": "SN-9", "reason": "broken"} | change)
    assert (answer.status_code, answer.json()["reason"]) == (status, reason)
    assert "amb-002" not in answer.text, "it does not say where a box of another site stands"
    assert (await ask(hospital, "ops", "GET", DEVICE)).json()["serial"] == "SN-1"


async def test_a_device_can_be_described_and_undescribed(hospital: Hospital) -> None:
    changed = (await ask(hospital, "nurse", "PATCH", DEVICE, {"calibration_due": "2027-05-05"})).json()
    assert (changed["calibration_due"], changed["kind"]) == ("2027-05-05", "patient_monitor")
    changed = (await ask(hospital, "nurse", "PATCH", DEVICE, {"calibration_due": None, "kind": "gnss"})).json()
    assert (changed["calibration_due"], changed["kind"]) == (None, "gnss")


# ---- whose readings -------------------------------------------------------------------------------------------------


@pytest.fixture
def measured(hospital: Hospital) -> Hospital:
    """One reading inside the north's session of a second, one after it, one in service mode."""
    put(hospital.database.engine, tables.association, {
        "id": 11, "unit": "amb-001", "device": "*", "subject": "person-north", "start_at": T0, "end_at": T0 + SECOND,
        "source": "card", "end_reason": "ended",
    })  # fmt: skip
    put(hospital.database.engine, tables.lane, {
        "id": 50, "unit": "amb-001", "epoch": "ab" * 8, "lane": "obs", "next": 9, "seen_at": T0,
    })  # fmt: skip
    readings = [(T0 + 10, 97.0, 0), (T0 + 2 * SECOND, 91.0, 0), (T0 + 20, 50.0, RecordFlag.SERVICE)]
    for seq, (at, spo2, flags) in enumerate(readings):
        body = Observation(epoch="ab" * 8, seq=seq, device="oxi", observed_at=at, values={"spo2": spo2})
        put(hospital.database.engine, tables.record, {
            "lane_id": 50, "seq": seq, "device": "oxi", "observed_at": at, "event_at": at, "received_at": at + 5,
            "flags": flags, "payload": encode(body),
        })  # fmt: skip
    return hospital


async def test_a_sessions_readings_are_found_under_the_person(measured: Hospital) -> None:
    [session] = (await ask(measured, "nurse", "GET", "/api/v1/units/amb-001/sessions")).json()["items"]
    assert (session["subject"], session["end_reason"], session["test"]) == ("person-north", "ended", False)
    assert session["measured"] == [
        {"device": "oxi", "quantity": "spo2", "unit": "%", "n": 1, "value": 97.0, "at": T0 + 10}
    ]
    window = {"from": T0 - MINUTE, "to": T0 + MINUTE}
    series = (
        await ask(measured, "nurse", "GET", "/api/v1/people/person-north/series", quantity="spo2", **window)
    ).json()
    assert series == {
        "quantity": "spo2", "unit": "%",
        "points": [{"at": T0 + 10, "value": 97.0, "unit_id": "amb-001", "device": "oxi"}],
    }  # fmt: skip
    latest = (await ask(measured, "nurse", "GET", "/api/v1/people/person-north/latest")).json()["items"]
    assert {(row["quantity"], row["value"]) for row in latest} == {("spo2", 97.0), ("heart-rate", 72.0)}


async def test_what_was_derived_of_a_person_is_told_as_such(measured: Hospital) -> None:
    engine = measured.database.engine
    body = Observation(epoch="cd" * 8, seq=0, device="gateway", observed_at=T0 + 30, values={"resp-rate": 14.0})
    put(engine, tables.record, {
        "lane_id": 50, "seq": 8, "device": "gateway", "observed_at": T0 + 30, "event_at": T0 + 30,
        "received_at": T0 + 30, "flags": 0, "payload": encode(body),
    })  # fmt: skip
    put(engine, tables.latest, {
        "unit": "amb-001", "device": "gateway", "quantity": "pulse-rate", "value": 71.0, "event_at": T0 + 40,
        "received_at": T0 + 40, "derived": True,
    })  # fmt: skip
    latest = (await ask(measured, "nurse", "GET", "/api/v1/people/person-north/latest")).json()["items"]
    derived = {row["quantity"]: row["derived"] for row in latest}
    assert derived == {"spo2": False, "heart-rate": False, "pulse-rate": True, "resp-rate": True}


async def test_a_correction_moves_the_readings_and_is_audited(measured: Hospital) -> None:
    other = (await ask(measured, "nurse", "POST", "/api/v1/people", {"name": "李四"})).json()["id"]
    body = {"subject": other, "reason": "lent her card"}
    corrected = await ask(measured, "nurse", "POST", "/api/v1/associations/11/correct", body)
    assert (corrected.status_code, corrected.json()["confirmed_by"]) == (200, "nurse")
    assert await spo2(measured, "person-north") == []
    assert await spo2(measured, other) == [97.0]
    again = await ask(measured, "doctor", "POST", "/api/v1/associations/11/correct", body)
    assert (again.status_code, again.json()["reason"]) == (409, "already-associated")
    nobody = await ask(
        measured, "doctor", "POST", "/api/v1/associations/11/correct", {"subject": None, "reason": "unknown"}
    )
    assert nobody.json()["voided_at"] == T0
    assert await spo2(measured, other) == []
    assert [line[:2] for line in (await acts(measured))[-2:]] == [
        ("nurse", "association-corrected"), ("doctor", "association-corrected"),
    ]  # fmt: skip


async def spo2(hospital: Hospital, person: str) -> list[float]:
    window = {"from": T0 - MINUTE, "to": T0 + MINUTE}
    answer = await ask(hospital, "nurse", "GET", f"/api/v1/people/{person}/series", quantity="spo2", **window)
    return [point["value"] for point in answer.json()["points"]]


async def test_a_late_binding_has_a_beginning_and_an_end_and_goes_before_a_session(measured: Hospital) -> None:
    other = (await ask(measured, "nurse", "POST", "/api/v1/people", {"name": "李四"})).json()["id"]
    body = {"unit": "amb-001", "device": "oxi", "subject": other, "start_at": T0, "end_at": T0 + 3 * SECOND}
    backwards = await ask(measured, "nurse", "POST", "/api/v1/associations", body | {"end_at": T0})
    assert backwards.status_code == 422
    assert (await ask(measured, "nurse", "POST", "/api/v1/associations", body)).status_code == 201
    assert await spo2(measured, other) == [97.0, 91.0]
    assert await spo2(measured, "person-north") == []
    overlapping = await ask(measured, "nurse", "POST", "/api/v1/associations", body | {"subject": "person-north"})
    assert overlapping.json()["reason"] == "already-associated"


async def test_what_a_person_has_confirmed_goes_before_what_was_proposed(measured: Hospital) -> None:
    other = (await ask(measured, "nurse", "POST", "/api/v1/people", {"name": "李四"})).json()["id"]
    proposed = {"unit": "amb-001", "device": "oxi", "subject": "person-south", "source": "proposed"}
    put(measured.database.engine, tables.association, proposed | {"id": 12, "start_at": T0 + 1, "end_at": T0 + SECOND})
    assert await spo2(measured, "person-south") == [97.0], "of one device, so before the session"
    correct = "/api/v1/associations/11/correct"
    await ask(measured, "nurse", "POST", correct, {"subject": other, "reason": "seen by me"})
    assert (await spo2(measured, other), await spo2(measured, "person-south")) == ([97.0], [])
    await ask(measured, "nurse", "POST", correct, {"subject": None, "reason": "not seen after all"})
    assert (await spo2(measured, other), await spo2(measured, "person-south")) == ([], [97.0])


async def test_a_question_that_would_read_too_much_is_refused(hospital: Hospital) -> None:
    hospital.clock.now = T0 + 73 * 3600 * SECOND  # the monitor has spoken for the person ever since
    window = {"quantity": "spo2", "from": T0, "to": T0 + 100 * 3600 * SECOND}
    answer = await ask(hospital, "nurse", "GET", "/api/v1/people/person-north/series", **window)
    assert (answer.status_code, answer.json()["reason"]) == (422, "range-too-long")
    year = {"from": 0, "to": T0}
    assert (await ask(hospital, "nurse", "GET", "/api/v1/people/person-north/events", **year)).status_code == 422


async def test_a_session_that_a_person_ends_is_ended_by_a_mark_too(hospital: Hospital) -> None:
    put(hospital.database.engine, tables.association, {
        "id": 20, "unit": "amb-002", "device": "*", "subject": "person-south", "start_at": T0 + 5 * SECOND,
        "source": "card", "idle_at": T0 + 9 * MINUTE,
    })  # fmt: skip
    ended = await ask(hospital, "nurse", "PATCH", "/api/v1/associations/20", {"end_at": T0 + 6 * SECOND})
    assert ended.status_code == 200
    items = (await ask(hospital, "nurse", "GET", "/api/v1/units/amb-002/sessions")).json()["items"]
    assert [(item["end_at"], item["end_reason"]) for item in items] == [
        (T0 + 6 * SECOND, "ended"),
    ]
