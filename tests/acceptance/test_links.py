"""Bad links: cut, half-open, deaf in one direction, slow, damaged; and delivery twice and out of order."""

import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.faults import Proof, at_rest, gaps, in_database, outbox_depth, seconds, stored, times
from tests.acceptance.harness import Proxy, Stack, Vehicle
from tests.acceptance.load import LoadUnit, MqttUnit
from tests.acceptance.process import FULL, eventually

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.timeout(900)]

UNIT = "amb-001"
KEEPALIVE = 15 if FULL else 4  # s; the agent notices a dead link after about one and a half of them
PROFILE = f"""
name = "ambulance"
kind = "ambulance"
keepalive = {KEEPALIVE}
[[device]]
name = "monitor"
kind = "patient_monitor"
[[device]]
name = "gnss"
kind = "gnss"
[[device]]
name = "crew"
kind = "crew_panel"
"""


@pytest.fixture
def vehicle(stack: Stack, tmp_path: Path) -> Vehicle:
    """An ambulance with its twelve leads behind the fault proxy."""
    profile = tmp_path / "ambulance.toml"
    profile.write_text(PROFILE)
    vehicle = stack.add_unit(UNIT)
    stack.start_simulator(UNIT, "ambulance-chest-pain")
    stack.start_agent(UNIT, via_proxy=True, profile=str(profile))
    eventually(lambda: stored(stack, UNIT) > 30, "the ambulance is live", 60)
    return vehicle


def proxy_of(vehicle: Vehicle) -> Proxy:
    assert vehicle.proxy is not None
    return vehicle.proxy


def during(moment: float, while_true: Callable[[], object] = lambda: True) -> None:
    """The fault lasts: waits until the monotonic moment, checking that something stays true."""

    def over() -> bool:
        if not while_true():
            raise RuntimeError("what should hold during the fault no longer holds")
        return time.monotonic() >= moment

    eventually(over, "the fault is over", moment - time.monotonic() + 60, 0.25)


def healed(stack: Stack, proof: Proof, **facts: Any) -> None:
    """Everything arrives after all, each reading of the simulator's ledger; also what a weak link split in two."""
    at_rest(stack, timeout=180)
    split = in_database(stack, "SELECT count(*) FROM record WHERE CAST(payload AS TEXT) LIKE ?", '%"link-mode"%')[0][0]
    proof.note(**facts, weak_link=bool(split))
    proof.audit(stack)


def test_link_cut(stack: Stack, vehicle: Vehicle, proof: Proof) -> None:
    proxy, length = proxy_of(vehicle), seconds(30)
    proxy.ask(refuse=True, cut=True)
    end = time.monotonic() + length
    during(end, lambda: vehicle.agent.running)
    spooled = outbox_depth(vehicle)
    assert spooled > 5 * length, "the outbox keeps what cannot be sent"
    proxy.ask(clear=True)
    healed(stack, proof, seconds=length, spooled=spooled)


def test_link_half_open(stack: Stack, vehicle: Vehicle, proof: Proof) -> None:
    """A black hole: nothing passes, nobody is told; new connections vanish as well."""
    proxy, length = proxy_of(vehicle), seconds(60, 10)
    accepted = proxy.ask(stats=True)["connections"]["accepted"]
    proxy.ask(half_open=True, set={"up": {"stall": True}, "down": {"stall": True}})
    during(time.monotonic() + length, lambda: vehicle.agent.running)
    assert proxy.ask(stats=True)["connections"]["accepted"] > accepted, "the agent noticed and tried again"
    spooled = outbox_depth(vehicle)
    proxy.ask(clear=True)
    healed(stack, proof, seconds=length, spooled=spooled)


@pytest.mark.parametrize("direction", ["up", "down"])
def test_one_direction_dropped(stack: Stack, vehicle: Vehicle, proof: Proof, direction: str) -> None:
    proxy, length = proxy_of(vehicle), seconds(60, 10)
    proxy.ask(set={direction: {"stall": True}})
    during(time.monotonic() + length, lambda: vehicle.agent.running)
    spooled = outbox_depth(vehicle)
    assert spooled > 2 * length
    proxy.ask(clear=True)
    healed(stack, proof, seconds=length, spooled=spooled)


def test_slow_link(stack: Stack, vehicle: Vehicle, proof: Proof) -> None:
    """256 kbit/s and 800 ms each way: vital signs go on arriving all the time."""
    proxy, length = proxy_of(vehicle), seconds(60, 15)
    way = {"delay_ms": 800, "rate": 32_000}
    proxy.ask(set={"up": way, "down": way})
    end = time.monotonic() + length
    while time.monotonic() < end:
        wait_for_vital_signs(stack)
    proxy.ask(clear=True)
    healed(stack, proof, seconds=length)


def wait_for_vital_signs(stack: Stack) -> None:
    """Waits until newer ones than now are known."""
    known = newest_vital_sign(stack)
    eventually(lambda: newest_vital_sign(stack) > known, "vital signs arrive", 30, 0.25)


def newest_vital_sign(stack: Stack) -> int:
    """Event time of the newest SpO2, us."""
    newest: int = in_database(stack, "SELECT coalesce(max(event_at), 0) FROM latest WHERE quantity = 'spo2'")[0][0]
    return newest


def test_corrupted_bytes(stack: Stack, vehicle: Vehicle, proof: Proof) -> None:
    """Damage that TCP did not catch reaches one unit's connection; everybody else does not notice.

    Over TLS damaged bytes end the connection. Without it they can turn one valid message into another, so for the
    damaged unit this test asks for recovery, not for the books.
    """
    proxy, length = proxy_of(vehicle), seconds(30)
    with LoadUnit(stack, stack.add_unit("amb-002")) as other:
        other.produce(100)
        proxy.ask(set={"up": {"corrupt": 0.0002}})
        during(time.monotonic() + length, lambda: other.connected)
        damaged = proxy.ask(stats=True)["up"]["corrupted"]
        assert damaged > 0
        proxy.ask(clear=True, cut=True)
        recovered = stored(stack, UNIT) + 50
        eventually(lambda: stored(stack, UNIT) > recovered, "the damaged unit is live again", 60)
        other.stop()
        other.settle()
    vehicle.simulator.terminate()
    vehicle.agent.terminate()
    audit = stack.audit(with_ledger=False)
    spoiled = [difference for difference in audit.report["differences"] if difference["unit"] != UNIT]
    assert not spoiled, spoiled
    ours = next(unit["totals"] for unit in audit.report["units"] if unit["unit"] == "amb-002")
    assert ours["missing"] == ours["gone"] == ours["duplicates"] == 0
    proof.note(seconds=length, bytes_damaged=damaged)
    proof.totals = ours


# ---- delivery --------------------------------------------------------------------------------------------------------
def test_duplicated_and_reordered_delivery(stack: Stack, proof: Proof) -> None:
    """Two epochs, every number two or three times, all shuffled: one row each, gaps heal, acks are right."""
    count = times(10_000)
    epochs = ["a" * 16, "b" * 16]
    chance = random.Random(7)
    now = time.time_ns() // 1000
    with MqttUnit(stack, stack.add_unit(UNIT)) as unit:
        deliveries = [(epoch, seq) for epoch in epochs for seq in range(count) for _ in range(chance.choice([2, 3]))]
        chance.shuffle(deliveries)
        for epoch, seq in deliveries:
            unit.send("obs", observation(epoch, seq, now))

        def acknowledged() -> bool:
            """Says hello, and sends again what is not acknowledged, as an agent does."""
            unit.send("hello", hello(epochs, count))
            marks = {lane["epoch"]: lane for lane in unit.acks[-1]["lanes"]} if unit.acks else {}
            for epoch in epochs:
                for first, last in marks.get(epoch, {}).get("missing", []):
                    for seq in range(first, last + 1):
                        unit.send("obs", observation(epoch, seq, now))
            return [marks.get(epoch, {}).get("watermark") for epoch in epochs] == [count, count]

        eventually(acknowledged, "both epochs are acknowledged to the end", seconds(300, 120), 1.0)
    assert stored(stack, UNIT) == 2 * count
    # lanes of the unit, not that of what the gateway derives
    ours = "SELECT id FROM lane WHERE epoch IN (?, ?)"
    numbers = "count(*), count(DISTINCT seq), min(seq), max(seq)"
    rows = in_database(stack, f"SELECT {numbers} FROM record WHERE lane_id IN ({ours}) GROUP BY lane_id", *epochs)
    assert rows == [(count, count, 0, count - 1)] * 2
    assert gaps(stack) == []
    seen = in_database(stack, "SELECT count(*) FROM gap WHERE healed_at IS NOT NULL")[0][0]
    assert seen > 0, "the shuffling opened no gap"
    assert in_database(stack, "SELECT count(*) FROM conflict") == [(0,)]
    proof.note(delivered=len(deliveries), rows=2 * count, gaps_healed=seen)
    proof.audit(stack)


def observation(epoch: str, seq: int, now: int) -> bytes:
    body = {"epoch": epoch, "seq": seq, "device": "monitor", "observed_at": now + seq * 1000, "values": {"spo2": 95}}
    return json.dumps(body).encode()


def hello(epochs: list[str], count: int) -> bytes:
    lanes = [{"epoch": epoch, "lane": "obs", "first": 0, "next": count} for epoch in epochs]
    body = {"presence": "online", "epoch": epochs[-1], "sent_at": time.time_ns() // 1000, "lanes": lanes}
    return json.dumps(body).encode()
