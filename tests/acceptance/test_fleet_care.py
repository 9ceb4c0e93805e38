"""A kiosk's session, service mode, training, swaps and the fleet's spreadsheet, as people and devices meet them."""

import csv
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from openpyxl import load_workbook

from tests.acceptance.faults import in_database
from tests.acceptance.harness import Stack, Vehicle
from tests.acceptance.load import MqttUnit
from tests.acceptance.process import Process, always, eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

KIOSK, LIVE = "kiosk-01", "amb-live"
WHY = "yearly check"


class Talker(MqttUnit):
    """A third-party unit: numbers what it says, keeps nothing, has the broker's own guarantee."""

    def __init__(self, stack: Stack, vehicle: Vehicle, kind: str) -> None:
        super().__init__(stack, vehicle)
        self.base = f"lm/v1/{stack.site}/{kind}/{vehicle.unit}"
        self._next = {"obs": 0, "event": 0}

    def says(self, channel: str, device: str, **body: Any) -> None:
        seq = self._next[channel]
        self._next[channel] += 1
        at = time.time_ns() // 1000
        envelope = {"epoch": "5e" * 8, "seq": seq, "device": device, "observed_at": at}
        self.send(channel, json.dumps(envelope | body).encode()).wait_for_publish(10)

    def measures(self, device: str, **values: float) -> None:
        self.says("obs", device, values={name.replace("_", "-"): value for name, value in values.items()})

    def tells(self, device: str, name: str, **details: Any) -> None:
        self.says("event", device, name=name, details=details)

    def condition(self, device: str, code: str, state: str) -> None:
        self.tells(device, "condition", code=code, state=state)


@contextmanager
def talking(stack: Stack, unit: str, kind: str, provenance: str = "live") -> Iterator[Talker]:
    with Talker(stack, stack.add_unit(unit, kind, provenance), kind) as talker:
        yield talker


def gateway_of(stack: Stack) -> Process:
    return next(process for process in stack.processes if process.name == "gateway")


def items(client: httpx.Client, path: str, **query: Any) -> list[dict[str, Any]]:
    answer = client.get(path, params=query)
    assert answer.is_success, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def open_alerts(client: httpx.Client, unit: str, rule: str) -> list[dict[str, Any]]:
    return [alert for alert in items(client, "/alerts", unit=unit) if alert["rule"] == rule]


def audited(stack: Stack) -> list[tuple[str, str]]:
    rows = in_database(stack, "SELECT actor, action FROM audit_log ORDER BY id")
    return [(str(actor), str(action)) for actor, action in rows]


# ---- a kiosk's session ----------------------------------------------------------------------------------------------


def test_a_kiosk_session_survives_kill_9_and_can_be_corrected(stack: Stack) -> None:
    gateway = gateway_of(stack)
    with talking(stack, KIOSK, "health-kiosk") as kiosk, stack.api("nurse") as nurse:
        wang, li = (nurse.post("/people", json={"name": name}).json()["id"] for name in ("王小明", "李四"))
        kiosk.measures("oxi", spo2=91.0)
        kiosk.tells("reader", "person-identified", subject=wang, source="card", session=1)
        kiosk.tells("reader", "session-start", session=1)
        kiosk.measures("cuff", bp_systolic=128.0, bp_diastolic=81.0)
        eventually(lambda: latest(nurse, wang).get("bp-systolic") == 128.0, "the first reading is theirs", 20)

        gateway.kill()
        kiosk.measures("scale", weight=70.5)
        gateway.restart(env={"LASTMILE_FAILPOINT": "in-commit"})
        eventually(lambda: not gateway.running, "it dies in the commit that holds what was said meanwhile", 60)
        kiosk.measures("oxi", spo2=97.0)
        kiosk.tells("reader", "session-end", session=1, reason="done")
        kiosk.tells("reader", "person-identified", subject=li, source="qr", session=2)
        kiosk.measures("oxi", spo2=99.0)
        gateway.restart(env={})
        stack.wait_for_gateway(gateway)

    with stack.api("nurse") as nurse, stack.api("doctor") as doctor, stack.api("ops") as ops:
        eventually(lambda: latest(nurse, li).get("spo2") == 99.0, "the next person's reading is theirs", 30)
        assert latest(nurse, wang) == {"bp-diastolic": 81.0, "bp-systolic": 128.0, "weight": 70.5, "spo2": 97.0}
        second, first = items(doctor, f"/units/{KIOSK}/sessions")
        assert (first["subject"], first["end_reason"], second["subject"]) == (wang, "ended", li)
        counted = {(row["device"], row["quantity"]): row["n"] for row in first["measured"]}
        assert counted == {
            ("cuff", "bp-systolic"): 1, ("cuff", "bp-diastolic"): 1, ("scale", "weight"): 1, ("oxi", "spo2"): 1,
        }  # fmt: skip
        unit = ops.get(f"/units/{KIOSK}").json()
        assert unit["id"] == KIOSK

        body = {"subject": li, "reason": "she used his card"}
        assert ops.post(f"/associations/{first['id']}/correct", json=body).status_code == 403
        assert nurse.post(f"/associations/{first['id']}/correct", json=body).is_success
        assert latest(doctor, wang) == {}
        assert latest(doctor, li)["weight"] == 70.5
    assert [line for line in audited(stack) if line[1] == "association-corrected"] == [
        ("nurse", "association-corrected")
    ]
    payloads = in_database(stack, "SELECT payload FROM record WHERE device <> 'reader'")
    assert not any(wang.encode() in payload for (payload,) in payloads), "no reading holds a person"


def latest(client: httpx.Client, person: str) -> dict[str, float]:
    return {row["quantity"]: row["value"] for row in items(client, f"/people/{person}/latest")}


# ---- service mode and training --------------------------------------------------------------------------------------


def test_service_mode_silences_one_device_and_nothing_else(stack: Stack) -> None:
    with (
        talking(stack, LIVE, "ambulance") as unit,
        stack.api("nurse") as nurse,
        stack.api("doctor") as doctor,
        stack.api("ops") as ops,
    ):
        for device in ("monitor", "pump"):
            unit.measures(device, battery=90.0)
        eventually(lambda: len(items(nurse, "/devices", unit=LIVE)) == 2, "both are heard", 20)
        path = f"/units/{LIVE}/devices/monitor/service"
        body = {"mode": "calibration", "reason": WHY, "minutes": 30}
        refused = doctor.post(path, json=body)
        assert (refused.status_code, refused.json()["reason"]) == (403, "not-allowed")
        assert nurse.post(path, json=body).status_code == 201
        assert ops.post(path, json=body).json()["reason"] == "already-on"

        unit.condition("monitor", "sensor-fault", "on")
        unit.condition("pump", "occlusion", "on")
        eventually(lambda: open_alerts(doctor, LIVE, "occlusion"), "the other device is heard", 20)
        always(lambda: not open_alerts(doctor, LIVE, "sensor-fault"), "nothing of the device in service", 2)
        shown = doctor.get(f"/units/{LIVE}/devices/monitor").json()["service"]
        assert (shown["mode"], shown["started_by"]) == ("calibration", "nurse")

        gateway = gateway_of(stack)
        gateway.kill()
        gateway.restart()
        stack.wait_for_gateway(gateway)
        assert not open_alerts(doctor, LIVE, "sensor-fault")
        assert ops.delete(path).json()["ended_by"] == "ops"
        eventually(lambda: open_alerts(doctor, LIVE, "sensor-fault"), "what is wrong is told when it is back", 20)
        assert ops.delete(path).status_code == 409
        unit.condition("monitor", "sensor-fault", "off")
        eventually(lambda: not open_alerts(doctor, LIVE, "sensor-fault"), "and over when it is over", 20)
    assert [line for line in audited(stack) if "service" in line[1]] == [
        ("nurse", "service-started"), ("ops", "service-ended"),
    ]  # fmt: skip


def test_training_marks_everything_and_leaves_nothing(stack: Stack) -> None:
    with talking(stack, LIVE, "ambulance") as unit, stack.api("ops") as ops, stack.api("nurse") as nurse:
        body = {"reason": "new crew", "minutes": 60}
        assert nurse.post(f"/units/{LIVE}/training", json=body).status_code == 403
        assert ops.post(f"/units/{LIVE}/training", json=body).status_code == 201
        unit.condition("monitor", "battery-low", "on")
        [alert] = eventually(lambda: open_alerts(nurse, LIVE, "battery-low"), "practice raises alerts", 20)
        assert alert["simulated"] is True
        unit.measures("monitor", spo2=71.0)
        eventually(lambda: values(nurse), "practice is shown", 20)
        assert ops.delete(f"/units/{LIVE}/training").json()["state"] == "ended"

        def only_the_real_one() -> bool:
            found = open_alerts(nurse, LIVE, "battery-low")
            return len(found) == 1 and found[0]["simulated"] is False

        eventually(only_the_real_one, "what is really wrong is told as real", 20)
        assert values(nurse) == [], "what was practised is nobody's newest value"
    stored = in_database(stack, "SELECT flags & 4 FROM record WHERE device = 'monitor'")
    assert stored == [(4,), (4,)], "it is stored, flagged as test"


def values(client: httpx.Client) -> list[float]:
    return [row["value"] for row in items(client, f"/units/{LIVE}/latest")]


# ---- devices, swaps, the spreadsheet --------------------------------------------------------------------------------


def write_csv(folder: Path, name: str, *rows: list[str]) -> Path:
    folder.mkdir(exist_ok=True)
    with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as out:
        csv.writer(out).writerows(rows)
    return folder


def test_the_fleet_goes_out_and_in_and_a_swap_keeps_history(stack: Stack) -> None:
    data = ["--data", str(stack.data)]
    stack.add_unit("bed-01", "homecare-bed")
    stack.add_unit(LIVE, provenance="live")
    soon = (datetime.now(UTC).date() + timedelta(days=3)).isoformat()
    folder = write_csv(
        stack.folder / "fleet", "devices",
        ["单元", "设备", "类型", "序列号", "校准到期"], [LIVE, "monitor", "patient_monitor", "SN-1", soon],
    )  # fmt: skip
    write_csv(folder, "people", ["id", "name", "identifier"], ["p-1", "'=王小明", "X1"])
    write_csv(folder, "addresses", ["unit", "address", "phone"], ["bed-01", "临沂市 1 号", "'+86 539 1"])

    dry = stack.run_well("fleet", "import", str(folder), "--dry-run", *data)
    assert "3 would change" in dry
    assert in_database(stack, "SELECT count(*) FROM person") == [(0,)]
    assert "3 changed" in stack.run_well("fleet", "import", str(folder), *data)

    with stack.api("ops") as ops:
        [device] = items(ops, "/devices", unit=LIVE)
        assert (device["kind"], device["serial"], device["calibration_due"]) == ("patient_monitor", "SN-1", soon)
        eventually(lambda: open_alerts(ops, LIVE, "calibration-due"), "a calibration that falls due is told", 20)

        book = stack.folder / "fleet.xlsx"
        stack.run_well("fleet", "export", str(book), *data)
        assert "0 changed" in stack.run_well("fleet", "import", str(book), *data)
        cell = load_workbook(book)["people"]["B2"]
        assert (cell.value, cell.data_type) == ("=王小明", "s"), "text that looks like a formula is text"

        swapped = {"serial": "SN-2", "reason": "screen broken", "calibration_due": "2031-01-01"}
        assert ops.post(f"/units/{LIVE}/devices/monitor/swap", json=swapped).status_code == 201
        boxes = items(ops, f"/units/{LIVE}/devices/monitor/serials")
        assert [(box["serial"], box["to_at"] is None) for box in boxes] == [("SN-2", True), ("SN-1", False)]
        assert boxes[0]["from_at"] == boxes[1]["to_at"]
        eventually(lambda: not open_alerts(ops, LIVE, "calibration-due"), "the new box is not due", 20)

    wrong = write_csv(stack.folder / "wrong", "devices", ["unit", "device", "serial"],
                      [LIVE, "monitor", "SN-3"], ["amb-404", "monitor", "=1+1"])  # fmt: skip
    refused = stack.run("fleet", "import", str(wrong), *data)
    assert refused.returncode == 1
    assert "devices, row 3, serial: expected text, not a formula, found =1+1" in refused.stderr
    assert "devices, row 3, unit: expected a registered unit, found amb-404" in refused.stderr
    rows = in_database(stack, "SELECT serial FROM device_serial WHERE to_at IS NULL")
    assert rows == [("SN-2",)], "one wrong row, and nothing has changed"
    acts = [action for _, action in audited(stack) if action.startswith(("fleet", "device"))]
    assert acts == ["fleet-imported", "fleet-exported", "device-swapped"]
