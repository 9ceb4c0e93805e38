"""A bed at home over real Modbus, TCP and a serial line, from the registers to the store.

Commands to it are in test_bed_commands.py.
"""

import json
import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import httpx
import pytest

from tests.acceptance.harness import SCENARIOS, START, Stack
from tests.acceptance.process import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

BED = "bed-001"
SECOND = 1_000_000
EVERY = {"bed-load": 0.5, "mattress-set-pressure": 1.0}  # s between polls
TIMEOUT = 0.5  # s that a dead neighbour holds the line
BUSY = 1.5  # s that a busy machine may add

Point = dict[str, Any]


class Home:
    """What the gateway has stored of the bed; times are seconds since the agent was started."""

    def __init__(self, stack: Stack, api: httpx.Client) -> None:
        self.stack = stack
        self._api = api
        self._start = time.time_ns() // 1000

    def _span(self, since: float = -600.0, until: float = 600.0) -> dict[str, Any]:
        return {"from": round(self._start + since * SECOND), "to": round(self._start + until * SECOND)}

    def latest(self) -> dict[str, Point]:
        return {row["quantity"]: row for row in self._api.get(f"/units/{BED}/latest").json()["items"]}

    def series(self, quantity: str, since: float, until: float) -> list[Point]:
        """Stored values of that time, each with ``t``."""
        query = {"quantity": quantity, "step": 0, **self._span(since, until)}
        points = self._api.get(f"/units/{BED}/series", params=query).json()["points"]
        return [point | {"t": (point["at"] - self._start) / SECOND} for point in points]

    def events(self, name: str, **details: Any) -> list[Point]:
        items = self._api.get(f"/units/{BED}/events", params=self._span()).json()["items"]
        return [
            item | {"t": (item["at"] - self._start) / SECOND}
            for item in items
            if item["name"] == name and details.items() <= item["details"].items()
        ]

    def first(self, name: str, since: float = -600.0, **details: Any) -> Point:
        """The first such event after ``since``, waited for."""

        def found() -> Point | None:
            return next((event for event in self.events(name, **details) if event["t"] > since), None)

        return eventually(found, f"{name} {details}", 90, 0.2)


@pytest.fixture
def home(stack: Stack) -> Iterator[Home]:
    """Devices, agent and gateway run."""
    vehicle = stack.add_unit(BED, kind="homecare-bed")
    ports = stack.folder / "home.ports"
    vehicle._simulator = stack.start(
        "simulate-home", "simulate", str(SCENARIOS / "homecare.toml"), "--unit", BED, "--ledger", str(stack.ledger),
        "--port-file", str(ports),
    )  # fmt: skip
    eventually(ports.exists, "the devices can be asked", START)
    addresses = json.loads(ports.read_text())["listening"][BED]
    assert addresses["bed"].startswith("modbus+tcp://")
    line = addresses["mattress"].partition("&unit=")[0]
    assert line.startswith("modbus+rtu:///dev/pts/")
    assert addresses["concentrator"] == f"{line}&unit=2"
    with stack.api("doctor") as api:
        home = Home(stack, api)
        vehicle._agent = stack.start(
            "agent-home", "agent", "--unit", BED, "--site", stack.site, "--profile", "homecare_bed",
            "--broker", f"127.0.0.1:{stack.ports()['mqtt']}", "--token-file", str(vehicle.token_file),
            "--outbox", str(vehicle.outbox), *(f"--link={name}={address}" for name, address in addresses.items()),
        )  # fmt: skip
        yield home


def test_readings_a_broken_sensor_a_dead_neighbour_and_an_exit(home: Home) -> None:
    wanted = {"bed-load", "head-angle", "mattress-pressure", "mattress-set-pressure", "oxygen-purity", "oxygen-flow"}
    eventually(lambda: home.latest().keys() >= wanted, "every device is read", 30)
    newest = home.latest()
    assert 70 < newest["bed-load"]["value"] < 78
    assert newest["mattress-set-pressure"]["value"] == 4.0
    assert 60 < newest["oxygen-purity"]["value"] < 96

    # a broken sensor is a condition, and never a number
    broken = home.first("condition", code="sensor-fault", part="mattress-pressure", state="on")
    whole = home.first("condition", code="sensor-fault", part="mattress-pressure", state="off")
    assert broken["device"] == whole["device"] == "mattress"
    assert 8 < whole["t"] - broken["t"] < 12
    meanwhile = home.series("mattress-pressure", broken["t"], whole["t"] - 0.001)
    assert [point for point in meanwhile if point["value"] is not None] == []
    assert len(home.series("mattress-set-pressure", broken["t"], whole["t"])) >= 6, "the others go on"

    # a dead unit on the line, and then it is used again
    dead = home.first("device-link", device="concentrator", state="disconnected")
    assert "unit 2 did not answer in time" in dead["details"]["reason"]
    back = home.first("device-link", since=dead["t"], device="concentrator", state="connected")
    assert home.series("oxygen-purity", dead["t"], back["t"] - 0.1) == []
    for quantity, every in EVERY.items():
        times = [point["t"] for point in home.series(quantity, dead["t"] - 5, back["t"])]
        assert max(b - a for a, b in pairwise(times)) < every + TIMEOUT + BUSY, f"{quantity} has not waited for it"
    eventually(lambda: home.series("oxygen-purity", back["t"], back["t"] + 60), "and read again", 30)

    # somebody lowers a rail and leaves
    rail = home.first("rail-down", rail="left")
    left = home.first("bed-exit")
    assert rail["t"] < left["t"]
    assert home.first("bed-state", occupied=False)["t"] == left["t"]
    eventually(lambda: home.latest()["bed-load"]["value"] == 3.0, "nobody in it", 30)
    assert {event["details"]["code"] for event in home.events("condition")} == {"sensor-fault"}

    vehicle = home.stack.vehicles[BED]
    assert vehicle.simulator.terminate() == 0
    home.stack.drain()
    assert vehicle.agent.terminate() == 0
    audit = home.stack.audit()
    assert audit.green, audit.text
