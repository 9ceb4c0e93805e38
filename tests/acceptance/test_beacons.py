"""A beacon site over the virtual radio: a tag walks past three scanners; a beacon fails; a scanner gets stuck.

On a clock ten times as fast as the machine's, shared by all processes, as in `lastmile scenario run`.
"""

import json
import os
import signal
import time
from collections.abc import Iterator
from statistics import median
from typing import Any

import httpx
import pytest

from tests.acceptance.harness import SCENARIOS, START, Stack
from tests.acceptance.process import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

UNIT = "ward-3"
SCANNERS = ("scanner-1", "scanner-2", "scanner-3")
RATE = 10
SECOND = 1_000_000

SITE = "5a1c6f0e-3d0b-4f6e-9b6b-2f7f2f0c1a60"
TAG = f"{SITE}:1:7"
BEACON = "629b881aec5e5f179dc9:{:012d}"

Event = dict[str, Any]


class Ward:
    """The site's unit; all times are seconds since the scenario began."""

    def __init__(self, stack: Stack, api: httpx.Client, start_at: int) -> None:
        self.stack = stack
        self._api = api
        self._start_at = start_at

    def events(self, name: str, **details: Any) -> list[Event]:
        """Stored events of that name and with these details, each with ``t``."""
        span = {"from": self._start_at - 600 * SECOND, "to": self._start_at + 1_000 * SECOND}
        items = self._api.get(f"/units/{UNIT}/events", params=span).json()["items"]
        return [
            item | {"t": (item["at"] - self._start_at) / SECOND}
            for item in items
            if item["name"] == name and details.items() <= item["details"].items()
        ]

    def first(self, name: str, by: str, **details: Any) -> Event:
        """The first such event that device ``by`` reports, waited for."""
        return eventually(
            lambda: next((e for e in self.events(name, **details) if e["device"] == by), None),
            f"{name} of {by} {details}", 60, 0.2,
        )  # fmt: skip

    def levels(self, beacon: str) -> dict[str, list[tuple[float, float]]]:
        """(t, median RSSI) of a beacon at each scanner, one a window."""
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in SCANNERS}
        for event in self.events("beacon-sightings"):
            for each in event["details"]["sightings"]:
                if each["id"] == beacon:
                    found[event["device"]].append((event["t"], each["rssi"]))
        return found


@pytest.fixture
def ward(empty_stack: Stack) -> Iterator[Ward]:
    """Gateway, agent and simulated site; the scenario has just begun."""
    now = time.time_ns() // 1000
    clock = {"LASTMILE_CLOCK": f"{now}:{now}:{RATE}"}
    stack = empty_stack
    stack.start_broker(clock)
    stack.start_gateway(clock)
    vehicle = stack.add_unit(UNIT, kind="beacon-site")
    ports = stack.folder / "ward.ports"
    simulator = vehicle._simulator = stack.start(
        "simulate-ward", "simulate", str(SCENARIOS / "beacons.toml"), "--hold", "--unit", UNIT,
        "--ledger", str(stack.ledger), "--port-file", str(ports), env=clock,
    )  # fmt: skip
    eventually(ports.exists, "the scanners can be reached", START)
    addresses = json.loads(ports.read_text())["listening"][UNIT]
    assert addresses.keys() == set(SCANNERS)
    links = [f"--link={name}={address}" for name, address in addresses.items()]
    vehicle._agent = stack.start(
        "agent-ward", "agent", "--unit", UNIT, "--site", stack.site, "--profile", "beacon_site",
        "--broker", f"127.0.0.1:{stack.ports()['mqtt']}", "--token-file", str(vehicle.token_file),
        "--outbox", str(vehicle.outbox), *links, env=clock,
    )  # fmt: skip
    with stack.api("doctor") as api:
        waiting = Ward(stack, api, now)
        eventually(lambda: connected(waiting) == set(SCANNERS), "all scanners listen", START)
        os.kill(simulator.pid, signal.SIGUSR1)
        eventually(lambda: json.loads(ports.read_text())["start_at"], "the scenario begins", START)
        yield Ward(stack, api, json.loads(ports.read_text())["start_at"])


def connected(ward: Ward) -> set[str]:
    return {event["details"]["device"] for event in ward.events("device-link", state="connected")}


def test_a_tag_walks_past_a_beacon_fails_and_a_scanner_gets_stuck(ward: Ward) -> None:
    # the tag walks past the three scanners and leaves
    for scanner in SCANNERS:
        ward.first("tag-seen", scanner, id=TAG)
    lost = [ward.first("tag-lost", scanner, id=TAG)["t"] for scanner in SCANNERS]
    assert all(75 < t < 150 for t in lost), lost
    assert strongest(ward.levels(TAG), 20, 70) == list(SCANNERS)

    # the battery of beacon-1 is low, at the scanners that hear it, and of no other
    low = ward.first("condition", "scanner-1", code="battery-low", state="on")
    assert low["details"]["part"] == BEACON.format(1)
    assert 40 < low["t"] < 65
    told = ward.first("beacon-telemetry", "scanner-1", id=BEACON.format(1), battery_mv=2290)
    assert told["details"]["temperature"] == 21.5
    assert {e["details"]["part"] for e in ward.events("condition", code="battery-low")} == {BEACON.format(1)}

    # beacon-3 had settled and falls silent: a fixed beacon has failed
    assert ward.first("beacon-settled", "scanner-3", id=BEACON.format(3))["t"] < 100
    silent = ward.first("beacon-silent", "scanner-3", id=BEACON.format(3))
    assert 112 < silent["t"] < 130
    assert {e["details"]["id"] for e in ward.events("beacon-silent")} == {BEACON.format(3)}

    # scanner-2 hears nothing from 140 s on: it says so, is started again, and accuses nobody
    stuck = ward.first("condition", "scanner-2", code="scanner-silent", state="on")
    assert 168 < stuck["t"] < 185
    again = ward.first("device-link", "agent", device="scanner-2", state="disconnected")
    assert again["details"]["reason"] == "the scanner heard nothing for 30 s and is started again"
    assert 168 < again["t"] < 185
    eventually(lambda: ward.events("device-link", device="scanner-2", state="connected")[1:], "it scans again", 20, 0.2)
    assert not [e for e in ward.events("condition", code="scanner-silent") if e["device"] != "scanner-2"]

    end_of_day(ward)


def end_of_day(ward: Ward) -> None:
    """Everything said is stored."""
    vehicle = ward.stack.vehicles[UNIT]
    assert vehicle.simulator.terminate() == 0
    ward.stack.drain()
    assert vehicle.agent.terminate() == 0
    audit = ward.stack.audit()
    assert audit.green, audit.text


def strongest(levels: dict[str, list[tuple[float, float]]], begin: float, end: float) -> list[str]:
    """The scanner that hears best, in every five seconds; repetitions once."""
    order: list[str] = []
    for start in range(int(begin), int(end), 5):
        heard = {
            name: median(found)
            for name, values in levels.items()
            if (found := [rssi for t, rssi in values if start <= t < start + 5])
        }
        best = max(heard, key=lambda name: heard[name])
        if not order or order[-1] != best:
            order.append(best)
    return order
