"""The main job, from the device to the doctor's screen and back, with real processes on loopback."""

from typing import Any

import httpx
import pytest

from tests.acceptance.harness import Stack, Vehicle
from tests.acceptance.process import eventually
from tests.acceptance.screen import Screen

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

UNIT = "amb-001"
LEADS = ["I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"]
VITALS = {"heart-rate", "pulse-rate", "spo2", "resp-rate", "temperature", "latitude", "longitude"}


@pytest.fixture
def vehicle(stack: Stack) -> Vehicle:
    stack.add_unit(UNIT)
    return stack.start_vehicle(UNIT)


def committed(stack: Stack, lane: str) -> float:
    return stack.metrics().get(f'lastmile_records_total{{lane="{lane}"}}', 0)


def latest(api: httpx.Client) -> dict[str, dict[str, Any]]:
    """Newest value by quantity."""
    return {row["quantity"]: row for row in api.get(f"/units/{UNIT}/latest").json()["items"]}


def end_of_shift(stack: Stack, vehicle: Vehicle) -> None:
    """Devices off, outbox empty, agent off, each cleanly."""
    assert vehicle.simulator.terminate() == 0
    stack.drain()
    assert vehicle.agent.terminate() == 0


def assert_nothing_lost(stack: Stack) -> None:
    audit = stack.audit()
    assert audit.green, audit.text


# ---- to the screen ---------------------------------------------------------------------------------------------------
def test_an_ecg_reaches_the_screen_and_nothing_is_lost(stack: Stack, vehicle: Vehicle) -> None:
    with stack.api("doctor") as api, Screen(api) as screen:
        eventually(lambda: api.get(f"/units/{UNIT}").json().get("link") == "online", "the unit is online")
        screen.subscribe(["*"], waves=[UNIT])
        snapshot = screen.wait_for("snapshot")
        assert [unit["id"] for unit in snapshot["units"]] == [UNIT]
        assert snapshot["units"][0]["provenance"] == "simulated"

        ecg = eventually(
            lambda: next((frame for _, frame in screen.frames if len(frame["leads"]) == 12), None), "an ECG"
        )
        assert ecg["leads"] == LEADS
        assert ecg["fs"] == 500
        assert len(ecg["samples"]) == 2 * 12 * 100  # int16, 200 ms
        assert {unit for unit, _ in screen.frames} == {UNIT}

        observation = screen.wait_for("observations", lambda message: "spo2" in message["values"])
        assert 50 < observation["values"]["spo2"] <= 100
        derived = screen.wait_for("observations", lambda message: message["derived"], timeout=20)
        assert 40 < derived["values"]["heart-rate"] < 180
        screen.wait_for("tick")
    end_of_shift(stack, vehicle)
    assert committed(stack, "wave") > 0
    assert_nothing_lost(stack)


def test_frames_on_the_screen_are_contiguous(stack: Stack, vehicle: Vehicle) -> None:
    with stack.api("doctor") as api, Screen(api) as screen:
        screen.subscribe([UNIT], waves=[UNIT])
        eventually(
            lambda: sum(len(frame["leads"]) == 12 for _, frame in screen.frames) >= 25, "five seconds of ECG", 20
        )
        starts = sorted({frame["n0"] for _, frame in screen.frames if len(frame["leads"]) == 12})
    assert starts == list(range(starts[0], starts[0] + 100 * len(starts), 100))


def test_the_api_shows_what_the_screen_showed(stack: Stack, vehicle: Vehicle) -> None:
    with stack.api("doctor") as api:
        eventually(lambda: latest(api).keys() >= VITALS, "every vital sign", 30)
        newest = latest(api)
        until = newest["spo2"]["at"]
        span = {"from": until - 10_000_000, "to": until + 1}
        series = api.get(f"/units/{UNIT}/series", params={"quantity": "spo2", "step": 0, **span}).json()
        assert series["unit"] == "%"
        assert any(point["value"] == newest["spo2"]["value"] for point in series["points"])

        steps = api.get(f"/units/{UNIT}/series", params={"quantity": "spo2", "step": 10_000_000, **span}).json()[
            "points"
        ]
        assert steps[0]["min"] <= steps[0]["mean"] <= steps[0]["max"]

        query = {"device": "monitor", "leads": "II,V1", **span}
        segment = api.get(f"/units/{UNIT}/waveform", params=query).json()["segments"][0]
        assert segment["leads"] == ["II", "V1"]
        assert len(segment["samples"][0]) == len(segment["samples"][1]) >= 100


# ---- alerts ----------------------------------------------------------------------------------------------------------
def is_ours(alert: dict[str, Any]) -> bool:
    """The gateway's alert, not that of the monitor, which alarms by itself."""
    return (alert["rule"], alert["subject"]) == ("heart-rate-high", f"unit/{UNIT}")


def test_an_alert_is_raised_acknowledged_and_survives_kill_9(stack: Stack) -> None:
    stack.add_unit(UNIT)
    vehicle = stack.start_vehicle(UNIT, "tachycardia")
    with stack.api("nurse") as api, Screen(api) as screen:
        screen.subscribe(["*"])
        alert = screen.wait_for("alert", lambda message: is_ours(message["alert"]), timeout=45)["alert"]
        assert alert["state"] == "firing"
        assert alert["kind"] == "physiological"
        assert alert["value"] > alert["limit"] == 130
        assert alert["simulated"] is True

        taken = api.post(f"/alerts/{alert['id']}/acknowledge")
        assert taken.status_code == 200, taken.text
        assert taken.json()["acknowledged_by"] == "nurse"
        screen.wait_for("alert", lambda message: message["alert"]["state"] == "acknowledged")
        assert api.post(f"/alerts/{alert['id']}/acknowledge").status_code == 409

    gateway = next(process for process in stack.processes if process.name == "gateway")
    gateway.kill()
    gateway.restart()
    stack.wait_for_gateway(gateway)
    with stack.api("nurse") as api:
        items = api.get("/alerts", params={"state": "open"}).json()["items"]
        ours = [item for item in items if is_ours(item)]
        assert [(item["id"], item["state"]) for item in ours] == [(alert["id"], "acknowledged")]
    end_of_shift(stack, vehicle)
    assert_nothing_lost(stack)


# ---- end and second run ----------------------------------------------------------------------------------------------
def test_serve_ends_cleanly_and_the_second_run_continues(empty_stack: Stack) -> None:
    stack = empty_stack
    serve = stack.start_serve()
    stack.add_unit(UNIT)
    vehicle = stack.start_vehicle(UNIT)
    eventually(lambda: committed(stack, "wave") > 20, "frames are committed", 30)
    first_url = stack.url
    for process in (vehicle.agent, serve):  # the agent first: what it still has stays in its outbox
        assert process.terminate() == 0

    serve.restart()
    stack.wait_for_gateway(serve)
    assert stack.url == first_url, "an open page finds the gateway again"
    vehicle.agent.restart()
    eventually(lambda: committed(stack, "wave") > 20, "frames are committed again", 30)
    end_of_shift(stack, vehicle)
    assert_nothing_lost(stack)
    assert serve.terminate() == 0
