"""What the endpoints answer."""

import base64
from typing import Any

import numpy as np
import pytest
from sqlalchemy import insert

from gateway.adapters import tables
from tests.unit.api.conftest import T0, Hospital, alert_row

WINDOW: dict[str, Any] = {"from": T0, "to": T0 + 1_000_000}


async def get(hospital: Hospital, path: str, role: str = "doctor", **params: Any) -> Any:
    async with hospital.client(role) as client:
        answer = await client.get(f"/api/v1{path}", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_units_tell_of_their_link_and_their_gaps(hospital: Hospital) -> None:
    unit = await get(hospital, "/units/amb-001")
    assert unit == {
        "id": "amb-001", "site": "north", "kind": "ambulance", "name": "AMB-001", "provenance": "simulated",
        "registered_at": T0, "revoked_at": None, "link": "online", "link_mode": "full", "hello_at": T0, "profile": "",
        "firmware": "1", "outbox_records": 7, "clock_offset": 10, "clock_error": 5, "gaps_open": 1,
    }  # fmt: skip
    assert unit in (await get(hospital, "/units"))["items"]
    assert (await get(hospital, "/sites"))["items"][0] == {"id": "north", "name": "North", "units": 1}
    devices = await get(hospital, "/units/amb-001/devices")
    assert devices["items"] == [{"id": "monitor", "first_seen_at": T0, "received_at": T0 + 5}]


async def test_a_unit_never_heard_of_is_shown_so(hospital: Hospital) -> None:
    row = {
        "id": "bed-1", "site": "north", "kind": "homecare-bed", "name": "Bed", "provenance": "live",
        "token_hash": "", "registered_at": T0,
    }  # fmt: skip
    hospital.database.submit(lambda db: db.execute(insert(tables.unit).values(**row))).result()
    unit = await get(hospital, "/units/bed-1")
    assert (unit["link"], unit["hello_at"], unit["outbox_records"], unit["gaps_open"]) == ("never", None, None, 0)
    assert "token_hash" not in unit


async def test_latest_values_carry_their_unit(hospital: Hospital) -> None:
    assert (await get(hospital, "/units/amb-001/latest"))["items"] == [
        {
            "device": "monitor", "quantity": "heart-rate", "unit": "/min", "value": 72.0, "at": T0,
            "received_at": T0 + 5, "derived": False,
        }
    ]  # fmt: skip


async def test_series_by_step_and_raw(hospital: Hospital) -> None:
    steps = await get(hospital, "/units/amb-001/series", quantity="heart-rate", step=60_000_000, **WINDOW)
    point = {"at": T0, "n": 3, "min": 70.0, "max": 74.0, "mean": 72.0}
    assert steps == {"quantity": "heart-rate", "unit": "/min", "step": 60_000_000, "points": [point]}
    raw = await get(hospital, "/units/amb-001/series", quantity="heart-rate", **WINDOW)
    points = [(point["at"], point["device"], point["value"]) for point in raw["points"]]
    assert points == [(T0, "monitor", 72.0), (T0 + 1_000_000, "monitor", None)]


async def test_waveform_as_json(hospital: Hospital) -> None:
    segments = (await get(hospital, "/units/amb-001/waveform", device="monitor", **WINDOW))["segments"]
    assert segments[0] == {
        "start_at": T0, "fs": 500.0, "scale": 0.005, "leads": ["I", "II"], "n0": 0,
        "samples": [[1, -2, 3], [4, 5, -32768]],
    }  # fmt: skip
    assert len(segments) == 2


async def test_waveform_as_octets(hospital: Hospital) -> None:
    async with hospital.client("doctor", headers={"accept": "application/octet-stream"}) as client:
        answer = await client.get("/api/v1/units/amb-001/waveform", params={"device": "monitor"} | WINDOW)
        nothing = await client.get("/api/v1/units/amb-001/waveform", params={"device": "other"} | WINDOW)
    assert np.frombuffer(answer.content, "<i2").tolist() == [1, -2, 3, 4, 5, -32768]
    described = {name[9:]: value for name, value in answer.headers.items() if name.startswith("waveform-")}
    assert described == {
        "start-at": str(T0), "fs": "500.0", "scale": "0.005", "leads": "I,II", "n0": "0", "samples": "3",
        "next-at": str(T0 + 100),
    }  # fmt: skip
    assert (nothing.status_code, nothing.content) == (204, b"")


async def test_events(hospital: Hospital) -> None:
    items = (await get(hospital, "/units/amb-001/events", **WINDOW))["items"]
    assert items == [
        {
            "at": T0, "received_at": T0 + 5, "device": "crew", "name": "boarded", "details": {}, "late": False,
            "test": False,
        }
    ]  # fmt: skip


async def test_an_alert_is_acknowledged_once(hospital: Hospital) -> None:
    async with hospital.client("nurse") as client:
        taken = (await client.post("/api/v1/alerts/alert-1/acknowledge")).json()
        assert (taken["state"], taken["acknowledged_by"], taken["acknowledged_at"]) == ("acknowledged", "nurse", T0)
        shown = (await client.get("/api/v1/alerts/alert-1")).json()
        assert {name: shown[name] for name in taken} == taken
        again = await client.post("/api/v1/alerts/alert-1/acknowledge")
    assert (again.status_code, again.json()["reason"]) == (409, "illegal-transition")
    assert again.json()["detail"] == "the alert is acknowledged, taken by nurse"
    assert [row[1] for row in await hospital.audit()] == ["signed-in", "acknowledge"]


async def test_open_alerts_and_all(hospital: Hospital) -> None:
    rows = [alert_row(3, "amb-001", "resolved"), alert_row(4, "", "firing"), alert_row(5, "amb-001", "pending")]
    hospital.database.submit(lambda db: db.execute(insert(tables.alert), rows)).result()
    opened = [row["id"] for row in (await get(hospital, "/alerts"))["items"]]
    assert opened == ["alert-4", "alert-2", "alert-1"]
    assert len((await get(hospital, "/alerts", state="all"))["items"]) == 5
    here = [row["id"] for row in (await get(hospital, "/alerts", "doctor.south"))["items"]]
    assert here == ["alert-4", "alert-2"], "an alert about the gateway itself concerns everybody"


@pytest.mark.parametrize(
    ("path", "role"),
    [
        ("/alerts", "doctor"),
        ("/rejects", "ops"),
        ("/gaps", "ops"),
        ("/people", "doctor"),
        ("/associations", "doctor"),
    ],
)
async def test_pages_follow_each_other_without_hole_or_overlap(hospital: Hospital, path: str, role: str) -> None:
    def more(db: Any) -> None:
        for number in range(3, 26):
            db.execute(insert(tables.alert).values(alert_row(number, "amb-001") | {"raised_at": T0 + number // 4}))
            db.execute(insert(tables.gap).values(lane_id=1, first=number, last=number, seen_at=T0))
            db.execute(insert(tables.person).values(id=f"p-{number}", name="", created_at=T0 + number // 4))
            db.execute(
                insert(tables.association).values(
                    unit="amb-001", device="monitor", subject=f"p-{number}", start_at=T0, end_at=T0, source="manual"
                )
            )
            db.execute(
                insert(tables.reject).values(
                    received_at=T0, subject="x", unit=None, reason="bad-topic", detail="", whole=True, payload=b""
                )
            )

    hospital.database.submit(more).result()
    ids: list[str] = []
    params: dict[str, Any] = {"limit": 7, "state": "all"} if path == "/alerts" else {"limit": 7}
    async with hospital.client(role) as client:
        for _ in range(10):
            answer = (await client.get(f"/api/v1{path}", params=params)).json()
            ids += [row["id"] for row in answer["items"]]
            assert len(ids) % 7 == 0 or answer["next"] is None, "every page but the last is full"
            if answer["next"] is None:
                break
            params["cursor"] = answer["next"]
    assert len(ids) == len(set(ids)) == 25


async def test_a_device_speaks_for_one_person_at_a_time(hospital: Hospital) -> None:
    changed: list[str] = []
    object.__setattr__(hospital.services, "on_association", changed.append)
    body = {"unit": "amb-001", "device": "monitor", "subject": "person-north"}
    async with hospital.client("doctor") as client:
        taken = await client.post("/api/v1/associations", json=body)
        assert (taken.status_code, taken.json()["reason"]) == (409, "already-associated")
        early = await client.patch("/api/v1/associations/1", json={"end_at": T0 - 1})
        assert early.status_code == 422
        assert (await client.patch("/api/v1/associations/1", json={"end_at": T0 + 5})).json()["end_at"] == T0 + 5
        again = await client.patch("/api/v1/associations/1", json={})
        assert (again.status_code, again.json()["reason"]) == (409, "already-ended")
        overlapping = await client.post("/api/v1/associations", json=body | {"start_at": T0 + 4})
        assert overlapping.status_code == 409
        new = (await client.post("/api/v1/associations", json=body | {"start_at": T0 + 5, "source": "qr"})).json()
        assert new["confirmed_by"] == "doctor"
        listed = (await client.get("/api/v1/associations", params={"unit": "amb-001"})).json()["items"]
    assert [row["id"] for row in listed] == [new["id"], 1]
    assert changed == ["amb-001", "amb-001"]


async def test_a_new_person_has_a_pseudonym_and_can_be_bound(hospital: Hospital) -> None:
    async with hospital.client("nurse.north") as client:
        person = (await client.post("/api/v1/people", json={})).json()
        assert person["name"] == ""
        body = {"unit": "amb-001", "device": "kiosk", "subject": person["id"]}
        assert (await client.post("/api/v1/associations", json=body)).status_code == 201
    async with hospital.client("nurse.south") as client:
        assert (await client.get(f"/api/v1/people/{person['id']}")).status_code == 404


async def test_gaps_and_those_still_open(hospital: Hospital) -> None:
    row = {"lane_id": 1, "first": 20, "last": 21, "seen_at": T0, "healed_at": T0 + 9}
    hospital.database.submit(lambda db: db.execute(insert(tables.gap).values(**row))).result()
    healed, gap = (await get(hospital, "/gaps", unit="amb-001"))["items"]
    assert (healed["first"], healed["healed_at"]) == (20, T0 + 9)
    assert gap == {
        "id": 1, "unit": "amb-001", "epoch": "0" * 16, "lane": "obs", "first": 5, "last": 9, "seen_at": T0,
        "healed_at": None, "lost_at": None, "shed_at": None,
    }  # fmt: skip
    assert (await get(hospital, "/gaps", unit="amb-001", open=True))["items"] == [gap]


async def test_rejects_by_reason_and_with_payload(hospital: Hospital) -> None:
    assert [row["id"] for row in (await get(hospital, "/rejects", "ops", reason="bad-schema"))["items"]] == [2, 1]
    assert (await get(hospital, "/rejects", "ops", reason="bad-syntax"))["items"] == []
    reject = await get(hospital, "/rejects/1", "ops")
    assert base64.b64decode(reject["payload"]) == b"\x00{"
    assert reject["subject"] == "lm.v1.north.ambulance.amb-001.obs"


async def test_machines_can_watch(hospital: Hospital) -> None:
    async with hospital.client() as client:
        assert (await client.get("/healthz")).json() == {
            "status": "ok",
            "canary_at": None,
            "notifier_at": None,
        }
        assert (await client.get("/readyz")).json() == {"ready": True, "reasons": []}
        hospital.not_ready.append("broker: not connected")
        waiting = await client.get("/readyz")
        metrics = (await client.get("/metrics")).text
    assert (waiting.status_code, waiting.json()["reasons"]) == (503, ["broker: not connected"])
    for name in ("lastmile_live_screens", "lastmile_live_dropped_frames_total", "lastmile_live_send_seconds_bucket"):
        assert name in metrics
