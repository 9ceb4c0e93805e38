"""Alerts outlive kill -9 in every state: half-way, firing, acknowledged, muted, silenced, latched, reopened."""

import json
from typing import Any

import pytest

from tests.acceptance.faults import Proof, alerts, at_rest, in_database
from tests.acceptance.harness import Stack
from tests.acceptance.load import LoadUnit
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


def moves(stack: Stack, alert: dict[str, Any]) -> list[str]:
    """What happened to it, without the lines of its history that are no moves."""
    marks = "('notify', 'inhibit', 'release', 'silence', 'unsilence')"
    lines = f"SELECT event FROM alert_event WHERE alert = ? AND event NOT IN {marks} ORDER BY id"
    return [row[0] for row in in_database(stack, lines, alert["id"])]


def whole(stack: Stack, alert: dict[str, Any]) -> dict[str, Any]:
    """The alert as it is now."""
    with stack.api("doctor") as doctor:
        answer = doctor.get(f"/alerts/{alert['id']}")
    assert answer.is_success, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_muted_silenced_latched_and_reopened_ones_survive_too(stack: Stack, proof: Proof) -> None:
    """One glucose meter makes them all: severely low, low (which the graver one mutes), and again.

    A spot reading cannot end by itself: its alert is latched until somebody has seen it.
    """
    gateway = next(each for each in stack.processes if each.name == "gateway")
    with LoadUnit(stack, stack.add_unit(UNIT)) as meter:
        meter.observe({"glucose": 2.6})
        severe = eventually(lambda: alerts(stack, "glucose-severe-low"), "the graver one is raised", 30)[0]
        low = eventually(lambda: alerts(stack, "glucose-low"), "and the other", 30)[0]
        kill_and_restart(stack, gateway)
        assert whole(stack, low)["inhibited_by"] == severe["id"]

        with stack.api("nurse") as nurse:
            silence = nurse.post(f"/alerts/{low['id']}/silence", json={"minutes": 30, "reason": "already treated"})
            assert silence.status_code == 201, silence.text
        kill_and_restart(stack, gateway)
        assert whole(stack, low)["silenced_by"] == silence.json()["id"]

        meter.observe({"glucose": 6.0})
        meter.settle()
        kill_and_restart(stack, gateway)
        assert whole(stack, severe)["state"] == "latched", "over, and nobody has seen it"
        with stack.api("nurse") as nurse:
            assert nurse.post(f"/alerts/{severe['id']}/acknowledge").status_code == 200
        eventually(lambda: whole(stack, severe)["state"] == "resolved", "somebody has seen it", 30)

        meter.observe({"glucose": 2.5})
        eventually(lambda: whole(stack, severe)["state"] == "latched", "the same episode again", 30)
        kill_and_restart(stack, gateway)
        assert (whole(stack, severe)["state"], whole(stack, severe)["reopened"]) == ("latched", 1)
        assert moves(stack, severe) == ["happen", "acknowledge", "happen"], "each transition is written once"
        meter.stop()
        meter.settle()
    proof.note(kills=4)
    proof.audit(stack)


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
    assert moves(stack, firing) == ["raise", "acknowledge"], "each transition is written once"

    at_rest(stack)
    proof.note(kills=3)
    proof.audit(stack)
