"""The simulator as agents meet it: real sockets, the ledger, determinism."""

import asyncio
import importlib
import json
import signal
import socket
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edge_agents.device import FrameError, Numeric, Occurrence, Reading, Waveform
from firmware_sims.cli import duration_us
from firmware_sims.devices.patient_monitor import LOST_LEADS
from firmware_sims.scenario import load
from firmware_sims.sim import Fleet, Spec
from gateway.contract.digest import digest
from gateway.contract.observation import Event, Observation
from gateway.contract.waveform import WaveFrame

START = 1_767_225_600_000_000
KIND_OF = {"monitor": "patient_monitor", "gnss": "gnss", "crew": "crew_panel"}
EPOCH = "0" * 16


def record(device: str, reading: Reading) -> Observation | Event | WaveFrame:
    """What an agent makes of a reading."""
    match reading:
        case Numeric(observed_at=at, values=values, invalid=invalid):
            return Observation(epoch=EPOCH, seq=0, device=device, observed_at=at, values=values, invalid=invalid)
        case Occurrence(observed_at=at, name=name, details=details):
            return Event(epoch=EPOCH, seq=0, device=device, observed_at=at, name=name, details=details)
        case Waveform(observed_at=at):
            return WaveFrame(
                epoch=EPOCH,
                seq=0,
                device=device,
                observed_at=at,
                n0=reading.n0,
                fs=reading.fs,
                leads=list(reading.leads),
                scale=reading.scale,
                samples=reading.samples,
            )


def decoded(device: str, stream: bytes) -> list[Reading]:
    decoder = importlib.import_module(f"edge_agents.devices.{KIND_OF[device]}").Decoder()
    return [item for item in decoder.feed(stream, START) if not isinstance(item, FrameError)]


def ledger(folder: Path, unit: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / f"{unit}.jsonl").read_text().splitlines()]


def port_of(address: str) -> int:
    return int(address.rpartition(":")[2])


async def drink(port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    stream = await reader.read(-1)
    writer.close()
    return stream


async def play(folder: Path, scenario: str, seconds: int, *units: str, seed: int = 1) -> dict[str, dict[str, bytes]]:
    """Streams by unit and device, at speed 0."""
    fleet = Fleet([Spec(unit, load(scenario), seed) for unit in units], folder, 0.0, START)
    addresses = await fleet.listen(0)
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        readers = {
            unit: {device: group.create_task(drink(port_of(address))) for device, address in devices.items()}
            for unit, devices in addresses.items()
        }
        group.create_task(fleet.run(seconds * 1_000_000))
    return {unit: {device: task.result() for device, task in tasks.items()} for unit, tasks in readers.items()}


@pytest.mark.parametrize(
    ("scenario", "seconds"), [("ambulance-chest-pain", 140), ("ambulance-hypoxia", 60), ("stress", 3)]
)
async def test_ledger_says_what_an_agent_will_record(tmp_path: Path, scenario: str, seconds: int) -> None:
    streams = (await play(tmp_path, scenario, seconds, "amb-001"))["amb-001"]
    taken = Counter(
        (device, reading.observed_at, digest(record(device, reading)))
        for device, stream in streams.items()
        for reading in decoded(device, stream)
    )
    lines = [line for line in ledger(tmp_path, "amb-001") if line["type"] == "reading"]
    assert Counter((line["device"], line["observed_at"], line["digest"]) for line in lines) == taken
    assert not any("unread" in line for line in lines)
    assert len({line["channel"] for line in lines}) == (2 if scenario == "stress" else 3)
    assert max(taken.values()) == 1, "no two records alike"


async def test_same_seed_and_start_give_the_same_bytes(tmp_path: Path) -> None:
    one = await play(tmp_path / "one", "ambulance-chest-pain", 15, "amb-001", "amb-002")
    two = await play(tmp_path / "two", "ambulance-chest-pain", 15, "amb-002")
    assert one["amb-002"] == two["amb-002"], "whatever other units the process plays"
    assert one["amb-001"]["monitor"] != one["amb-002"]["monitor"]
    assert (await play(tmp_path / "three", "ambulance-chest-pain", 15, "amb-002", seed=2))["amb-002"] != two["amb-002"]


async def test_rates_contiguity_and_lead_off(tmp_path: Path) -> None:
    streams = (await play(tmp_path, "ambulance-chest-pain", 135, "amb-001"))["amb-001"]
    readings = decoded("monitor", streams["monitor"])
    ecg = [r for r in readings if isinstance(r, Waveform) and len(r.leads) == 12]
    assert len(ecg) == 135 * 5
    assert [wave.n0 for wave in ecg] == [100 * n for n in range(len(ecg))]
    assert [wave.observed_at for wave in ecg] == [START + 200_000 * n for n in range(len(ecg))]
    assert sum(isinstance(r, Numeric) and "heart-rate" in r.values for r in readings) == 135
    assert sum(isinstance(r, Numeric) and "bp-systolic" in r.values for r in readings) == 1
    events = [r for r in readings if isinstance(r, Occurrence)]
    assert [(e.name, (e.observed_at - START) / 1e6) for e in events] == [("lead-off", 120), ("lead-on", 132)]
    assert set(events[0].details["leads"]) == LOST_LEADS["LA"]
    loose = ecg[600]
    lost = {lead for i, lead in enumerate(loose.leads) if loose.samples[i * 200 : (i + 1) * 200] == b"\x00\x80" * 100}
    assert lost == LOST_LEADS["LA"]
    assert b"\x00\x80" * 100 not in ecg[599].samples + ecg[660].samples


async def test_goes_on_when_nobody_listens_and_says_so(tmp_path: Path) -> None:
    fleet = Fleet([Spec("amb-001", load("ambulance-stable"), 1)], tmp_path, 100.0, START)
    await fleet.listen(0)
    async with asyncio.timeout(30):
        await fleet.run(5_000_000)
    lines = ledger(tmp_path, "amb-001")
    assert len(lines) == 5 * 10 + 5 + 5 + 1
    assert all(line["unread"] for line in lines)


async def test_a_reader_that_does_not_read_loses_readings_and_stops_nothing(tmp_path: Path) -> None:
    fleet = Fleet([Spec("amb-001", load("ambulance-stable"), 1)], tmp_path, 1000.0, START)
    port = port_of((await fleet.listen(0))["amb-001"]["monitor"])
    with socket.socket() as stuck:
        stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stuck.setblocking(False)
        await asyncio.get_running_loop().sock_connect(stuck, ("127.0.0.1", port))
        async with asyncio.timeout(60):
            await fleet.run(500_000_000)
    lines = [line for line in ledger(tmp_path, "amb-001") if line.get("channel") == "wave"]
    unread = [line.get("unread", False) for line in lines]
    assert len(lines) == 5000
    assert not unread[100]
    assert unread[-1]


async def test_connections_stand_in_the_ledger(tmp_path: Path) -> None:
    await play(tmp_path, "ambulance-stable", 2, "amb-001")
    links = [(line["device"], line["state"]) for line in ledger(tmp_path, "amb-001") if line["type"] == "link"]
    assert Counter(links) == Counter((device, state) for device in KIND_OF for state in ("up", "down"))


def test_a_terminated_simulator_leaves_a_complete_ledger(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "firmware_sims.cli", "simulate", "ambulance-stable", "--unit", "amb-001"]
    port_file = tmp_path / "ports.json"
    arguments = ["--unit", "amb-002:stress", "--ledger", str(tmp_path), "--port-file", str(port_file)]
    with subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        announced = json.loads(process.stdout.readline())
        assert json.loads(port_file.read_text()) == announced
        port = port_of(announced["listening"]["amb-001"]["monitor"])
        with socket.create_connection(("127.0.0.1", port), 10) as link:
            stream = link.recv(2000)
            process.send_signal(signal.SIGTERM)
            while more := link.recv(65536):
                stream += more
        assert process.wait(10) == 0
    sent = [(r.observed_at, digest(record("monitor", r))) for r in decoded("monitor", stream)]
    read = [line for line in ledger(tmp_path, "amb-001") if line.get("device") == "monitor" and not line.get("unread")]
    noted = [(line["observed_at"], line["digest"]) for line in read if line["type"] == "reading"]
    assert noted == sent
    assert noted
    assert (tmp_path / "amb-002.jsonl").exists()


@pytest.mark.parametrize(
    ("text", "expected"), [("30s", 30_000_000), ("30", 30_000_000), ("5m", 300_000_000), ("1.5h", 5_400_000_000)]
)
def test_durations(text: str, expected: int) -> None:
    assert duration_us(text) == expected


@pytest.mark.parametrize("text", ["", "s", "3 parsecs", "3d"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        duration_us(text)


async def test_a_fleet_that_was_held_begins_when_it_is_told(tmp_path: Path) -> None:
    fleet = Fleet([Spec("amb-001", load("ambulance-stable"), 1)], tmp_path, 0.0, START)
    addresses = (await fleet.listen(0))["amb-001"]
    later = START + 3_600_000_000
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        readers = {device: group.create_task(drink(port_of(address))) for device, address in addresses.items()}
        fleet.begin(later)
        await fleet.run(3_000_000)
    assert fleet.start_at == later
    seen = [reading.observed_at for reading in decoded("gnss", readers["gnss"].result())]
    assert seen == [later + second * 1_000_000 for second in (1, 2, 3)]


async def test_devices_with_nothing_more_to_say_can_stay(tmp_path: Path) -> None:
    scenario = msgspec.structs.replace(load("ambulance-stable"), devices=["crew"])
    fleet = Fleet([Spec("amb-001", scenario, 1)], tmp_path, 1000.0, START)
    port = port_of((await fleet.listen(0))["amb-001"]["crew"])
    async with asyncio.timeout(30):
        playing = asyncio.create_task(fleet.run(None, stay=True))
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await reader.readline()
        assert await reader.readline(), "the last press"
        assert not playing.done()
        _, second = await asyncio.open_connection("127.0.0.1", port)
        playing.cancel()
        assert not await reader.readline(), "now it is gone"
    writer.close()
    second.close()
