"""Bluetooth GATT with real processes: one person's session with a kiosk's five devices, and a cuff that comes and goes.

The simulator is the peripheral and the radio, the agent the central; between them is HCI over TCP. On a clock ten
times as fast as the machine's, shared by all processes.
"""

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from tests.acceptance.faults import Proof, at_rest
from tests.acceptance.harness import SCENARIOS, START, Stack
from tests.acceptance.process import FULL, eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1000)]

UNIT = "kiosk-1"
RATE = 10
SECOND = 1_000_000
CYCLES = 200 if FULL else 20
EVERY = 20  # s between two measurements; an agent takes shorter connections for a flapping device and backs off
MEALS, LAST_MEAL = (1, 4, 10), 200  # s; an agent starts again in a fraction of the time between
FIVE = {"cuff", "glucose", "oximeter", "thermometer", "scale"}
Event = dict[str, Any]


class Kiosk:
    """The unit of the test, through the API."""

    def __init__(self, stack: Stack, api: httpx.Client, start_at: int) -> None:
        self.stack = stack
        self.start_at = start_at
        self._api = api

    def events(self, name: str, **details: Any) -> list[Event]:
        """Stored events of that name and with these details."""
        span: dict[str, Any] = {"from": self.start_at - 600 * SECOND, "to": self.start_at + 9_000 * SECOND}
        answer = self._api.get(f"/units/{UNIT}/events", params=span)
        assert answer.is_success, answer.text
        items: list[Event] = answer.json()["items"]
        return [item for item in items if item["name"] == name and details.items() <= item["details"].items()]

    def connections(self) -> list[Event]:
        """Each time the agent connected to the cuff."""
        return self.events("device-link", device="cuff", state="connected")

    def device(self, name: str) -> dict[str, Any]:
        """As the fleet lists it."""
        found: dict[str, Any] = self._api.get(f"/units/{UNIT}/devices/{name}").json()
        return found

    def of_person(self, person: str) -> dict[str, float]:
        """The newest value of each quantity that is theirs."""
        rows = self._api.get(f"/people/{person}/latest").json()["items"]
        return {row["quantity"]: row["value"] for row in rows}

    def series(self, quantity: str) -> list[tuple[float, float | None]]:
        """(t, value) of every stored value; t in seconds of the scenario."""
        span: dict[str, Any] = {"from": self.start_at - SECOND, "to": self.start_at + 9_000 * SECOND}
        answer = self._api.get(f"/units/{UNIT}/series", params={"quantity": quantity, **span})
        assert answer.is_success, answer.text
        return [((point["at"] - self.start_at) / SECOND, point["value"]) for point in answer.json()["points"]]


@contextmanager
def kiosk(stack: Stack, write_scenario: Callable[[], Path], devices: set[str]) -> Iterator[Kiosk]:
    """Gateway, agent and simulated kiosk with these Bluetooth devices; the scenario has just begun."""
    now = time.time_ns() // 1000
    clock = {"LASTMILE_CLOCK": f"{now}:{now}:{RATE}"}
    stack.start_broker(clock)
    stack.start_gateway(clock)
    vehicle = stack.add_unit(UNIT, kind="health-kiosk")
    scenario = write_scenario()
    ports = stack.folder / "kiosk.ports"
    simulator = vehicle._simulator = stack.start(
        "simulate-kiosk", "simulate", str(scenario), "--hold", "--unit", UNIT,
        "--ledger", str(stack.ledger), "--port-file", str(ports), env=clock,
    )  # fmt: skip
    eventually(ports.exists, "the devices are on the air", START)
    addresses = json.loads(ports.read_text())["listening"][UNIT]
    assert addresses.keys() - {"reader"} == devices
    assert all(addresses[name].startswith("ble://") and "?hci=tcp-client:" in addresses[name] for name in devices)
    links = [f"--link={name}={address}" for name, address in addresses.items()]
    vehicle._agent = stack.start(
        "agent-kiosk", "agent", "--unit", UNIT, "--site", stack.site, "--profile", "health_kiosk",
        "--broker", f"127.0.0.1:{stack.ports()['mqtt']}", "--token-file", str(vehicle.token_file),
        "--outbox", str(vehicle.outbox), *links, env=clock,
    )  # fmt: skip
    with stack.api("doctor") as api:
        eventually(lambda: api.get(f"/units/{UNIT}").json().get("link") == "online", "the kiosk is online", START)
        os.kill(simulator.pid, signal.SIGUSR1)
        eventually(lambda: json.loads(ports.read_text())["start_at"], "the scenario begins", START)
        yield Kiosk(stack, api, json.loads(ports.read_text())["start_at"])


def ledger(stack: Stack, device: str) -> list[dict[str, Any]]:
    """What the simulator says this device measured."""
    lines = (stack.ledger / f"{UNIT}.jsonl").read_bytes().splitlines()
    rows = [msgspec.json.decode(line) for line in lines]
    return [row for row in rows if row["type"] == "reading" and row["device"] == device and row["channel"] == "obs"]


def test_somebody_measures_with_five_bluetooth_devices(empty_stack: Stack, proof: Proof) -> None:
    people: list[str] = []

    def somebody_comes() -> Path:
        with empty_stack.api("nurse") as nurse:
            people.append(nurse.post("/people", json={"name": "王小明"}).json()["id"])
        text = (SCENARIOS / "kiosk_ble.toml").read_text("utf-8")
        path = empty_stack.folder / "session.toml"
        path.write_text(text.replace("PERSON", people[0]), "utf-8")
        return path

    with kiosk(empty_stack, somebody_comes, FIVE) as here:
        eventually(lambda: len(here.series("glucose")) == 4, "the last record was fetched", 60, 0.2)
        at_rest(empty_stack)
        quantities = ("bp-systolic", "bp-diastolic", "pulse-rate", "spo2", "temperature", "weight", "bmi", "height")
        found = {name: here.series(name) for name in quantities}

        # the cuff was loose: no number, and a technical condition that its next measurement takes back
        ((at, systolic),) = found["bp-systolic"]
        assert [at, systolic] == [pytest.approx(25, abs=1), pytest.approx(138, abs=12)]
        loose = sorted(here.events("condition", code="cuff-error", part="loose"), key=lambda event: event["at"])
        assert [event["details"]["state"] for event in loose] == ["on", "off"]
        learnt = [(event["at"] - here.start_at) / SECOND for event in loose]  # a cuff keeps both until it is connected
        assert learnt[0] >= 5
        assert learnt[1] >= 25
        assert len(ledger(empty_stack, "cuff")) == 2, "a measurement that failed is one"
        assert [event["device"] for event in here.events("condition", code="battery-low", state="on")] == ["cuff"]

        # one value each of the other devices
        assert [value for _, value in found["spo2"]] == [pytest.approx(96, abs=2)]
        assert [value for _, value in found["temperature"]] == [36.9]
        assert [value for _, value in found["weight"]] == [pytest.approx(71.5, abs=0.3)]
        assert [value for _, value in found["bmi"]] == [pytest.approx(25.3, abs=0.2)]
        assert [value for _, value in found["height"]] == [168.0]
        assert [event["device"] for event in here.events("condition", code="clock-unset", state="on")] == ["scale"]

        # the meter's records were made while it was out of reach, and fetched; control solution is no patient data
        records = here.series("glucose")
        assert [round(at) for at, _ in records] == pytest.approx([1, 4, 10, 60], abs=1)
        assert [value for _, value in records] == [pytest.approx(v, abs=0.6) for v in (6.1, 6.4, 6.4, 3.4)]
        assert Counter(e["details"]["meal"] for e in here.events("glucose-context")) == {"fasting": 4}

        # all of it is theirs who held their code to the reader, whatever no reading says of them
        eventually(lambda: here.of_person(people[0]).get("glucose"), "the readings are the person's", 30)
        theirs = here.of_person(people[0])
        assert theirs["bp-systolic"] == systolic
        assert theirs["temperature"] == 36.9
        assert {"spo2", "weight", "glucose"} <= theirs.keys()
    assert not [row for device in ("cuff", "glucose", "oximeter", "thermometer") for row in ledger(empty_stack, device)
                if row.get("unread")]  # fmt: skip
    proof.audit(empty_stack)


def meals(path: Path) -> Path:
    """A meter that is used thrice at once, and again much later."""
    steps = [{"at": 0, "device": "glucose", "set": {"glucose": 6.4, "meal": "fasting"}}]
    steps += [{"at": at, "device": "glucose", "set": {"measure": at}} for at in (*MEALS, LAST_MEAL)]
    scenario = {"title": "A meter", "profile": "health_kiosk", "devices": ["glucose"], "step": steps}
    path.write_text(json.dumps(scenario), "utf-8")
    return path


def test_an_agent_that_was_killed_stores_no_record_of_a_meter_twice(empty_stack: Stack, proof: Proof) -> None:
    """The new process asks the meter for all its records: another meter may be at the address by now."""
    with kiosk(empty_stack, lambda: meals(empty_stack.folder / "meals.json"), {"glucose"}) as here:
        eventually(lambda: len(here.series("glucose")) == len(MEALS), "the first records are stored", 30, 0.1)
        eventually(lambda: len(here.events("glucose-context")) == len(MEALS), "and what was entered", 10, 0.1)
        agent = empty_stack.vehicles[UNIT].agent
        agent.kill()
        agent.restart()
        eventually(lambda: len(here.series("glucose")) > len(MEALS), "the new record is stored", 60, 0.2)
        eventually(lambda: here.device("glucose")["link"] == "disconnected", "it leaves when it is done", 30, 0.2)
        assert (here.device("glucose")["kind"], here.device("glucose")["firmware"]) == ("glucose_meter", "1.0")
        at_rest(empty_stack)
        assert [round(at) for at, _ in here.series("glucose")] == pytest.approx([*MEALS, LAST_MEAL], abs=1)
        assert len(here.events("glucose-context")) == len(MEALS) + 1
    proof.audit(empty_stack)


def cycles(path: Path) -> Path:
    """A cuff that measures every 20 s; in every fifth cycle it is out of reach while it does."""
    steps: list[dict[str, Any]] = []
    for cycle in range(0, 2 * CYCLES, 5):
        away = (cycle + 1) * EVERY
        steps += [{"at": away - 2, "device": "cuff", "set": {"link": "off"}}]
        steps += [{"at": away + 4, "device": "cuff", "set": {"link": "on"}}]
    scenario = {
        "title": "A cuff that connects, measures and goes",
        "profile": "health_kiosk",
        "devices": ["cuff"],
        "rates": {"nibp_first": EVERY, "nibp_every": EVERY},
        "step": steps,
    }
    path.write_text(json.dumps(scenario), "utf-8")
    return path


@pytest.mark.faults
def test_cycles_of_connecting_measuring_and_going_lose_nothing(empty_stack: Stack, proof: Proof) -> None:
    with kiosk(empty_stack, lambda: cycles(empty_stack.folder / "cycles.json"), {"cuff"}) as here:
        eventually(lambda: len(here.connections()) >= CYCLES, f"{CYCLES} connections", 60 + 4 * CYCLES, 0.5)
        empty_stack.vehicles[UNIT].simulator.terminate()
        measured = ledger(empty_stack, "cuff")
        eventually(lambda: len(here.series("bp-systolic")) >= len(measured), "the last one is stored", 20, 0.2)
        at_rest(empty_stack)
        stored = [at for at, _ in here.series("bp-systolic")]
        connections = len(here.connections())
    # what was measured, and nothing else, and nothing twice
    assert sorted(round(at * SECOND) + here.start_at for at in stored) == sorted(row["observed_at"] for row in measured)
    assert not [row for row in measured if row.get("unread")]
    proof.note(connections=connections, measurements=len(measured), lost=len(measured) - len(stored))
    proof.audit(empty_stack)
