"""Alerts outlive kill -9: half-way through their "for" duration, firing, and acknowledged."""

import json
from typing import Any

import pytest

from tests.acceptance.faults import Proof, alerts, at_rest, in_database
from tests.acceptance.harness import Stack
from tests.acceptance.process import Process, eventually

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.timeout(400)]

UNIT, RULE = "amb-001", "heart-rate-high"
SECOND = 1_000_000
FOR = 10 * SECOND  # how long the rate must stay high


def breach_began(stack: Stack) -> int | None:
    """When the breach that has not yet become an alert began, as the database knows it."""
    rows = in_database(stack, "SELECT state FROM rule_clock WHERE subject = ? AND rule = ?", f"unit/{UNIT}", RULE)
    state: dict[str, Any] = json.loads(rows[0][0])["devices"].get("monitor", {}) if rows else {}
    return None if state.get("firing") else state.get("since")


def newest(stack: Stack) -> int:
    """Event time of the newest heart rate."""
    at: int = in_database(stack, "SELECT coalesce(max(event_at), 0) FROM latest WHERE quantity = 'heart-rate'")[0][0]
    return at


def ours(stack: Stack) -> list[dict[str, Any]]:
    """The gateway's alerts, not those of the monitor, which alarms by itself."""
    return [alert for alert in alerts(stack, RULE) if alert["subject"] == f"unit/{UNIT}"]


def kill_and_restart(stack: Stack, gateway: Process) -> None:
    gateway.kill()
    gateway.restart()
    stack.wait_for_gateway(gateway)


def test_alerts_survive_kill_9(stack: Stack, proof: Proof) -> None:
    gateway = next(each for each in stack.processes if each.name == "gateway")
    stack.add_unit(UNIT)
    stack.start_vehicle(UNIT, "tachycardia")

    since = eventually(lambda: breach_began(stack), "the rate is high", 60)
    eventually(lambda: newest(stack) >= since + FOR // 2, "half of the duration has passed", 30)
    assert breach_began(stack) == since, "the alert had been raised before the kill: nothing was half-way"
    kill_and_restart(stack, gateway)
    firing = eventually(lambda: ours(stack), "the alert is raised", 60)[0]
    assert firing["state"] == "firing"
    assert since + FOR <= firing["raised_at"] <= since + FOR + 2 * SECOND, "the duration began anew"

    kill_and_restart(stack, gateway)
    assert [alert["id"] for alert in ours(stack)] == [firing["id"]]
    assert ours(stack)[0]["state"] == "firing"
    with stack.api("nurse") as nurse, stack.api("doctor") as doctor:
        taken = nurse.post(f"/alerts/{firing['id']}/acknowledge")
        assert taken.status_code == 200, taken.text
        again = doctor.post(f"/alerts/{firing['id']}/acknowledge")
        assert again.status_code == 409
        assert again.headers["content-type"] == "application/problem+json"

    kill_and_restart(stack, gateway)
    kept = ours(stack)[0]
    assert (kept["id"], kept["state"], kept["acknowledged_by"]) == (firing["id"], "acknowledged", "nurse")
    with stack.api("doctor") as doctor:
        assert doctor.post(f"/alerts/{firing['id']}/acknowledge").status_code == 409
    marks = "('notify', 'inhibit', 'release')"  # lines of its history that are no moves
    lines = f"SELECT event FROM alert_event WHERE alert = ? AND event NOT IN {marks} ORDER BY id"
    events = in_database(stack, lines, firing["id"])
    assert [row[0] for row in events] == ["raise", "acknowledge"], "each transition is written once"

    at_rest(stack)
    proof.note(kills=3)
    proof.audit(stack)
