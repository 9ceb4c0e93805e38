"""Processes as such: how much memory an agent takes, how fast things end, and the demo from start to figures."""

import json
import os
import signal
import time
from pathlib import Path

import pytest

from tests.acceptance.faults import Proof, at_rest, in_database, stored
from tests.acceptance.harness import Stack
from tests.acceptance.process import TO_END, Process, always, eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

UNIT = "amb-001"
MAX_RSS = 80 * 1024 * 1024


def test_agent_stays_small_with_twelve_leads(stack: Stack, proof: Proof) -> None:
    vehicle = stack.add_unit(UNIT)
    stack.start_vehicle(UNIT, "ambulance-chest-pain")
    eventually(lambda: stored(stack, UNIT) > 150, "twenty seconds of ECG", 90)
    largest = 0

    def small() -> bool:
        nonlocal largest
        largest = max(largest, vehicle.agent.rss())
        return largest < MAX_RSS

    always(small, "under 80 MB", 5)
    at_rest(stack)
    proof.note(rss_mb=round(largest / 1e6, 1))
    proof.audit(stack)


@pytest.mark.faults
def test_gateway_ends_in_good_order_under_load(stack: Stack, proof: Proof) -> None:
    stack.add_unit(UNIT)
    stack.start_vehicle(UNIT, "stress")
    eventually(lambda: stored(stack, UNIT) > 1000, "load flows", 60)
    gateway = next(each for each in stack.processes if each.name == "gateway")
    assert gateway.terminate() == 0
    gateway.restart()
    stack.wait_for_gateway(gateway)
    at_rest(stack)
    proof.audit(stack)


def interrupt(process: Process) -> tuple[int, float]:
    """Ctrl-C; the exit code, and how many seconds the end took."""
    began = time.monotonic()
    os.kill(process.pid, signal.SIGINT)
    return process.wait(TO_END), time.monotonic() - began


@pytest.mark.faults
def test_demo_ends_on_ctrl_c_and_goes_on_with_its_data(empty_stack: Stack, proof: Proof, tmp_path: Path) -> None:
    demo = empty_stack.start("demo", "demo", "--data", str(empty_stack.data))
    eventually(lambda: "open http://" in demo.output(), "the demo shows its address", 90)
    eventually(lambda: in_database(empty_stack, "SELECT count(*) FROM record")[0][0] > 100, "records are stored", 60)
    code, took = interrupt(demo)
    assert code == 0
    proof.note(seconds_to_end=round(took, 1))
    first = in_database(empty_stack, "SELECT count(*) FROM record")[0][0]

    figures = tmp_path / "demo.json"
    again = empty_stack.start(
        "demo-again", "demo", "--for", "15s", "--report", str(figures), "--data", str(empty_stack.data)
    )
    assert again.wait(120) == 0, f"{again.tail()}{(empty_stack.data / 'audit.json').read_text()}"
    report = json.loads(figures.read_text())
    assert report["lost"] == report["duplicates"] == 0
    assert report["balanced"] is True
    assert report["stored"] > first + 100, "the first run's data counts as well"
    assert report["stored"] <= report["produced"] <= report["stored"] + report["spooled"]  # some of both: not acked yet
    assert 0 < report["latency_ms"]["p50"] <= report["latency_ms"]["p99"] < 5000
    proof.note(**{key: report[key] for key in ("produced", "stored", "spooled", "latency_ms")})
