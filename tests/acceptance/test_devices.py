"""Devices on byte streams, from their own protocols to the store, with real processes.

Beside the monitor and the receiver of test_main_path.py: an ambulance with an analyser that wants its answers, and a
kiosk where somebody shows a card.
"""

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.harness import SCENARIOS, START, Stack, Vehicle
from tests.acceptance.process import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SECOND = 1_000_000
IDENTITY = "11010519491231002X"  # example of GB 11643-1999
CARD = "990101194912310028"

Row = dict[str, Any]


class Unit:
    """What the gateway has stored of a unit; times are seconds since its scenario began."""

    def __init__(self, stack: Stack, api: httpx.Client, vehicle: Vehicle, start_at: int) -> None:
        self._stack = stack
        self._api = api
        self._path = f"/units/{vehicle.unit}"
        self._vehicle = vehicle
        self._start_at = start_at

    def _span(self) -> dict[str, int]:
        return {"from": self._start_at - 60 * SECOND, "to": self._start_at + 600 * SECOND}

    def events(self, name: str, **details: Any) -> list[Row]:
        items = self._api.get(f"{self._path}/events", params=self._span()).json()["items"]
        return [
            item | {"t": (item["at"] - self._start_at) / SECOND}
            for item in items
            if item["name"] == name and details.items() <= item["details"].items()
        ]

    def first(self, name: str, **details: Any) -> Row:
        """The first such event, waited for."""
        return eventually(lambda: next(iter(self.events(name, **details)), None), f"{name} {details}", 60, 0.2)

    def series(self, quantity: str) -> list[tuple[float, float | None]]:
        """Seconds and stored values."""
        query: dict[str, Any] = {"quantity": quantity, "step": 0, **self._span()}
        points = self._api.get(f"{self._path}/series", params=query).json()["points"]
        return [((point["at"] - self._start_at) / SECOND, point["value"]) for point in points]

    def waveform(self, device: str) -> list[Row]:
        """The segments a device has recorded."""
        query: dict[str, Any] = {"device": device, "from": self._start_at, "to": self._start_at + 60 * SECOND}
        segments: list[Row] = self._api.get(f"{self._path}/waveform", params=query).json()["segments"]
        return segments

    def end(self) -> None:
        """Devices off, outbox empty, agent off; and nothing of what was measured is missing."""
        assert self._vehicle.simulator.terminate() == 0
        self._stack.drain()
        assert self._vehicle.agent.terminate() == 0
        audit = self._stack.audit()
        assert audit.green, audit.text


@contextmanager
def running(stack: Stack, unit: str, kind: str, profile: str, scenario: str) -> Iterator[Unit]:
    """Devices, agent and gateway run; the scenario begins when the agent has connected to every device."""
    vehicle = stack.add_unit(unit, kind=kind)
    ports = stack.folder / f"{unit}.ports"
    simulator = vehicle._simulator = stack.start(
        f"simulate-{unit}", "simulate", str(SCENARIOS / f"{scenario}.toml"), "--hold", "--unit", unit,
        "--ledger", str(stack.ledger), "--port-file", str(ports),
    )  # fmt: skip
    eventually(ports.exists, "the devices listen", START)
    addresses: dict[str, str] = json.loads(ports.read_text())["listening"][unit]
    vehicle._agent = stack.start(
        f"agent-{unit}", "agent", "--unit", unit, "--site", stack.site, "--profile", profile,
        "--broker", f"127.0.0.1:{stack.ports()['mqtt']}", "--token-file", str(vehicle.token_file),
        "--outbox", str(vehicle.outbox), *(f"--link={name}={address}" for name, address in addresses.items()),
    )  # fmt: skip
    with stack.api("doctor") as api:
        waiting = Unit(stack, api, vehicle, time.time_ns() // 1000)
        eventually(
            lambda: len(waiting.events("device-link", state="connected")) == len(addresses), "all connect", START
        )
        ports.unlink()
        os.kill(simulator.pid, signal.SIGUSR1)
        eventually(ports.exists, "the scenario begins", START)
        yield Unit(stack, api, vehicle, json.loads(ports.read_text())["start_at"])


def test_an_ambulance_full_of_devices(stack: Stack) -> None:
    with running(stack, "amb-007", "ambulance", "ambulance", "ambulance_devices") as unit:
        # a loose electrode: an event, and no invented samples
        off, on = unit.first("lead-off"), unit.first("lead-on")
        assert (round(off["t"]), round(on["t"])) == (6, 12)
        assert set(off["details"]["leads"]) == {"I", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"}

        # the analyser was answered frame by frame
        eventually(lambda: unit.series("potassium"), "its result", 20, 0.2)
        ((_, potassium),) = unit.series("potassium")
        assert potassium == pytest.approx(6.6, abs=0.4)

        # an open circuit is a condition that comes and goes, and nothing is measured through it
        opened = unit.first("condition", code="disconnected-circuit", state="on")
        closed = unit.first("condition", code="disconnected-circuit", state="off")
        assert (opened["device"], round(opened["t"]), round(closed["t"])) == ("ventilator", 9, 11)
        volumes = unit.series("tidal-volume")
        # the condition bears the time at which the agent learnt of it, a moment after the reading that told it
        told = closed["t"] - 0.5
        assert [value for t, value in volumes if opened["t"] <= t < told and value is not None] == []
        assert all(value == pytest.approx(450, abs=90) for t, value in volumes if t < opened["t"])

        shock = unit.first("shock-delivered")
        assert shock["details"] == {"shock": 1, "energy_j": 150.0, "impedance_ohm": 71.5}
        eventually(lambda: [value for _, value in unit.series("shock-energy")] == [150.0], "its energy", 20, 0.2)
        assert [value for _, value in unit.series("troponin-i") if value is not None] == [], (
            "below the range: no number"
        )
        assert unit.first("lights-on")["device"] == "inputs"
        assert unit.first("patient-on-stretcher")["device"] == "stretcher"
        assert unit.first("be-fast")["details"]["arm"] is True
        unit.end()


def test_a_card_at_a_kiosk_becomes_a_session_and_never_a_number(stack: Stack) -> None:
    with running(stack, "kiosk-1", "health-kiosk", "health_kiosk", "kiosk_reader") as unit:
        who, begin, end = unit.first("person-identified"), unit.first("session-start"), unit.first("session-end")
        assert [round(event["t"], 1) for event in (who, begin, end)] == [1.0, 1.2, 14.0]
        assert who["details"]["source"] == "card"
        assert who["details"]["subject"].startswith("demo-")
        assert begin["details"] == {"session": who["details"]["session"]}
        assert end["details"]["reason"] == "done"

        # what was measured meanwhile
        pressure = eventually(lambda: unit.series("bp-systolic"), "the report", 20, 0.2)
        assert [value for _, value in pressure] == [pytest.approx(152, abs=9)]
        assert [value for _, value in unit.series("glucose") if value is not None] == []
        assert unit.first("condition", code="strip-error", state="on")["device"] == "station"
        recorded = unit.first("ecg-recorded")
        assert recorded["details"] == {"recording": 1, "leads": 12, "fs": 500, "seconds": 10.0, "missing": 0}
        (segment,) = unit.waveform("ecg")
        assert (segment["fs"], len(segment["leads"]), len(segment["samples"][0])) == (500, 12, 5000)

        # a real card without the site's key is refused, and its number is nowhere
        refused = unit.first("device-input-refused", device="reader", reason="encrypted")
        assert bytes.fromhex(refused["details"]["sample"]).endswith(b"bytes withheld")
        unit.end()
    assert numbers_in(stack.folder) == []


def numbers_in(folder: Path) -> list[str]:
    """Files of gateway, broker, agent and simulator that hold one of the cards' numbers."""
    needles = [number.encode() for number in (IDENTITY, CARD)]
    needles += [needle.hex().encode() for needle in needles]  # refused bytes are reported in hex
    files = (path for path in folder.rglob("*") if path.is_file())
    return [str(path) for path in files if any(needle in path.read_bytes() for needle in needles)]
