"""Who was told of what, dead letters, and sending them again."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import select

from gateway.adapters import tables
from tests.unit.api.conftest import T0, Hospital

URL = "/api/v1/notifications"


async def test_newest_first_with_deliveries_and_no_address(hospital: Hospital) -> None:
    async with hospital.client("doctor") as doctor:
        page = (await doctor.get(URL)).json()
    assert [one["id"] for one in page["items"]] == ["notification-2", "notification-1"]
    first = page["items"][1]
    assert (first["alert"], first["recipients"], first["means"]) == ("alert-1", ["nurse.north"], "strong")
    states = {delivery["channel"]: (delivery["state"], delivery["last_error"]) for delivery in first["deliveries"]}
    assert states == {"call": ("sent", None), "sms": ("dead", "HTTP 503")}
    assert {"rank", "notification", "phone", "address"}.isdisjoint(first["deliveries"][0])


async def test_filters_and_pages(hospital: Hospital) -> None:
    async with hospital.client("ops") as ops:

        async def ids(**query: Any) -> list[str]:
            return [one["id"] for one in (await ops.get(URL, params=query)).json()["items"]]

        assert await ids(alert="alert-1") == ["notification-1"]
        assert await ids(state="dead") == ["notification-2", "notification-1"]
        assert await ids(state="sent", alert="alert-2") == ["notification-2"]
        assert await ids(state="pending") == []
        page = (await ops.get(URL, params={"limit": 1})).json()
        assert await ids(cursor=page["next"]) == ["notification-1"]
        assert (await ops.get(URL, params={"state": "lost"})).status_code == 422


async def test_an_alert_tells_whom_it_told(hospital: Hospital) -> None:
    async with hospital.client("nurse") as nurse:
        alert = (await nurse.get("/api/v1/alerts/alert-1")).json()
        same = (await nurse.get(f"{URL}/notification-1")).json()
    assert alert["notifications"] == [same]


async def test_scope(hospital: Hospital) -> None:
    async with hospital.client("ops.north") as ops:
        assert [one["id"] for one in (await ops.get(URL)).json()["items"]] == ["notification-1"]
        assert (await ops.get(f"{URL}/notification-2")).status_code == 404
        assert (await ops.post(f"{URL}/notification-2/retry")).status_code == 404
    assert dead(hospital) == {"notification-1", "notification-2"}


def dead(hospital: Hospital) -> set[str]:
    table = tables.delivery
    query = select(table.c.notification).where(table.c.state == "dead")
    return set(hospital.database.submit(lambda db: db.execute(query).scalars().all()).result())


async def test_a_dead_letter_is_sent_again_once_audited_and_the_worker_wakes(build: Callable[..., Hospital]) -> None:
    woken: list[bool] = []
    hospital = build(on_retry=lambda: woken.append(True))
    hospital.clock.now = T0 + 5
    async with hospital.client("ops") as ops:
        answer = await ops.post(f"{URL}/notification-1/retry")
        assert answer.status_code == 200, answer.text
        (sms,) = [one for one in answer.json()["deliveries"] if one["channel"] == "sms"]
        assert (sms["state"], sms["attempts"], sms["next_at"]) == ("pending", 0, T0 + 5)
        again = await ops.post(f"{URL}/notification-1/retry")
        assert (again.status_code, again.json()["reason"]) == (409, "no-dead-letter")
        assert (await ops.post(f"{URL}/nothing/retry")).status_code == 404
    assert woken == [True]
    assert dead(hospital) == {"notification-2"}
    retried = [line for line in await hospital.audit() if line[1] == "notification-retried"]
    assert retried == [("ops", "notification-retried", "notification-1")]
