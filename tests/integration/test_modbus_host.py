"""Simulated devices on the real wire: what the agent's link and decoder make of what the simulator measured."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from edge_agents import kinds
from edge_agents.clock import SystemClock
from edge_agents.device import FrameError, Numeric, Occurrence, Reading
from edge_agents.links import modbus_bus
from edge_agents.links.modbus import ModbusLink, open_link
from edge_agents.protocol import Modbus
from firmware_sims.hosts.host import Cast, Host, Stage, make_cast, make_host
from firmware_sims.ledger import Ledger
from firmware_sims.pace import Pace
from firmware_sims.scenario import SECOND, Scenario, Timeline, parse
from firmware_sims.world import World

CLOCK = SystemClock()
POLLED = [  # those with registers; modules of inputs have none
    kind for kind in kinds.names() if isinstance(kinds.load(kind).PROTOCOL, Modbus) and hasattr(kinds.load(kind), "MAP")
]


@pytest.fixture(autouse=True)
def _fresh_lines() -> None:
    """The next test may be given the same pseudo-terminal."""
    modbus_bus._lines.clear()


def scenario(*steps: dict[str, Any]) -> Scenario:
    return parse({"title": "test", "profile": "homecare_bed", "step": [{"at": 0, **step} for step in steps]})


@asynccontextmanager
async def unit(
    tmp_path: Path, devices: dict[str, str], *steps: dict[str, Any]
) -> AsyncIterator[dict[str, tuple[Cast, Host]]]:
    """The hosts of a unit's devices, listening; their pace stands at 0 s."""
    play, pace = scenario(*steps), Pace(0, 0)
    stage = Stage("127.0.0.1", Ledger(tmp_path, "unit"), pace, {})
    casts = [make_cast(name, kind, World(play, Timeline(play), 3, 0)) for name, kind in devices.items()]
    hosts = [make_host(cast, stage) for cast in casts]
    for host in hosts:
        await host.listen(0)
    try:
        yield {cast.name: (cast, host) for cast, host in zip(casts, hosts, strict=True)}
    finally:
        for host in hosts:
            await host.close()
        stage.ledger.close()


async def measure(cast: Cast, host: Host, seconds: float) -> list[Reading]:
    """Hands the host what the device measures up to then."""
    handed = []
    for timed in cast.sim.readings(cast.world):
        if timed.due > seconds * SECOND:
            break
        await host.hand(timed.reading)
        handed.append(timed.reading)
    return handed


async def heard(link: ModbusLink, decoder: Any) -> list[Reading]:
    """What the first answer says."""
    async with aclosing(link.stream()) as stream:
        async for data, at in stream:
            if data:
                found: list[Reading | FrameError] = decoder.feed(data, at)
                assert not [item for item in found if isinstance(item, FrameError)]
                return [item for item in found if not isinstance(item, FrameError)]
    raise AssertionError("no answer")


@pytest.mark.parametrize("name", ["bed", "mattress"], ids=["tcp", "rtu"])
@pytest.mark.parametrize("kind", POLLED)
async def test_what_was_measured_last_is_what_is_read(tmp_path: Path, kind: str, name: str) -> None:
    """The profile has the bed on TCP and the mattress on the serial line."""
    device = kinds.load(kind)
    assert isinstance(device.PROTOCOL, Modbus)
    async with unit(tmp_path, {name: kind}) as hosts:
        cast, host = hosts[name]
        assert host.address.startswith("modbus+tcp:" if name == "bed" else "modbus+rtu:")
        handed = await measure(cast, host, 10)
        found = await heard(open_link(host.address, device.PROTOCOL, CLOCK), device.Decoder())
    sent, got = ([r for r in rows if isinstance(r, Numeric)][-1] for rows in (handed, found))
    assert got.values.keys() == sent.values.keys()
    for row in device.MAP.numbers:  # type: ignore[attr-defined]
        if row.quantity in sent.values:
            assert got.values[row.quantity] == pytest.approx(sent.values[row.quantity], abs=0.6 / row.divisor)
    states = [r for r in handed if isinstance(r, Occurrence)][-1:]
    assert [(r.name, r.details) for r in states] == [(r.name, r.details) for r in found if isinstance(r, Occurrence)]


@pytest.mark.parametrize("name", ["bed", "mattress"], ids=["tcp", "rtu"])
async def test_inputs_are_read_as_the_scenario_has_them(tmp_path: Path, name: str) -> None:
    device = kinds.load("siren_inputs")
    assert isinstance(device.PROTOCOL, Modbus)
    changes = {"device": name, "set": {"siren": True, "rear": True}}
    async with unit(tmp_path, {name: "siren_inputs"}, changes) as hosts:
        cast, host = hosts[name]
        await measure(cast, host, 1)
        found = await heard(open_link(host.address, device.PROTOCOL, CLOCK), device.Decoder())
    assert [(r.name, r.details) for r in found if isinstance(r, Occurrence)] == [
        ("lights-off", {}),
        ("siren-on", {}),
        ("door-closed", {"door": "cab"}),
        ("door-closed", {"door": "side"}),
        ("door-open", {"door": "rear"}),
    ]


async def test_two_devices_share_the_line_and_a_third_has_a_port(tmp_path: Path) -> None:
    devices = {"bed": "bed_controller", "mattress": "mattress", "concentrator": "oxygen_concentrator"}
    async with unit(tmp_path, devices) as hosts:
        addresses = {name: host.address for name, (_, host) in hosts.items()}
        line, _, unit_id = addresses["mattress"].partition("&unit=")
        assert unit_id == "1"
        assert addresses["concentrator"] == f"{line}&unit=2"
        for cast, host in hosts.values():
            await measure(cast, host, 2)
        links = {name: open_link(host.address, cast.device.PROTOCOL, CLOCK) for name, (cast, host) in hosts.items()}  # type: ignore[arg-type]
        found = await asyncio.gather(*(heard(links[name], kinds.load(devices[name]).Decoder()) for name in devices))
    quantities = [{name for item in items if isinstance(item, Numeric) for name in item.values} for items in found]
    assert "bed-load" in quantities[0]
    assert "mattress-pressure" in quantities[1]
    assert "oxygen-purity" in quantities[2]


@pytest.mark.parametrize("name", ["bed", "mattress"], ids=["tcp", "rtu"])
async def test_a_device_says_what_it_is(tmp_path: Path, name: str) -> None:
    device = kinds.load("mattress")
    assert isinstance(device.PROTOCOL, Modbus)
    async with unit(tmp_path, {name: "mattress"}) as hosts:
        cast, host = hosts[name]
        await measure(cast, host, 1)
        link = open_link(host.address, device.PROTOCOL, CLOCK)
        async with aclosing(link.stream()) as stream:
            await anext(stream)
            for _ in range(2):
                told = {"maker": "Lastmile simulators", "model": "simulated", "firmware": "1.0"}
                assert await link.identify() == told
                data, at = await anext(stream)
                assert device.Decoder().feed(data, at), "and measures as before"


async def test_a_device_that_does_not_answer_leaves_the_line_to_the_others(tmp_path: Path) -> None:
    devices = {"mattress": "mattress", "concentrator": "oxygen_concentrator"}
    async with unit(tmp_path, devices, {"device": "concentrator", "set": {"answering": False}}) as hosts:
        for cast, host in hosts.values():
            await measure(cast, host, 1)
        silent, speaking = hosts["concentrator"][1], hosts["mattress"][1]
        protocol = kinds.load("oxygen_concentrator").PROTOCOL
        assert isinstance(protocol, Modbus)
        with pytest.raises(OSError, match="unit 2 did not answer in time"):
            await heard(open_link(silent.address + "&timeout=0.1", protocol, CLOCK), None)
        other = kinds.load("mattress")
        assert isinstance(other.PROTOCOL, Modbus)
        assert await heard(open_link(speaking.address, other.PROTOCOL, CLOCK), other.Decoder())


async def test_a_device_that_has_not_measured_anything_does_not_answer(tmp_path: Path) -> None:
    device = kinds.load("mattress")
    assert isinstance(device.PROTOCOL, Modbus)
    async with unit(tmp_path, {"bed": "mattress"}) as hosts:
        with pytest.raises(OSError, match="did not answer"):
            await heard(open_link(hosts["bed"][1].address + "&timeout=0.1", device.PROTOCOL, CLOCK), device.Decoder())


async def test_a_command_is_written_read_back_and_shows_in_what_is_measured_next(tmp_path: Path) -> None:
    device = kinds.load("mattress")
    assert isinstance(device.PROTOCOL, Modbus)
    async with unit(tmp_path, {"mattress": "mattress"}) as hosts:
        cast, host = hosts["mattress"]
        readings = cast.sim.readings(cast.world)
        for timed in (next(readings), next(readings)):
            await host.hand(timed.reading)
        made_before = next(readings)  # as the simulator does: a reading ahead
        link, decoder = open_link(host.address, device.PROTOCOL, CLOCK), device.Decoder()
        async with aclosing(link.stream()) as stream:
            await anext(stream)
            data, at = await anext(stream)
            decoder.feed(data, at)
            order = decoder.order("set-mattress-pressure", {"pressure": 5.5}, at)  # type: ignore[attr-defined]
            assert await link.write(order.writes[0]) == order.expect[0]
        assert isinstance(made_before.reading, Numeric)
        assert made_before.reading.values["mattress-set-pressure"] == 4.0
        for reading in (made_before.reading, next(readings).reading, next(readings).reading):
            await host.hand(reading)
            found = await heard(link, device.Decoder())
            assert [r.values["mattress-set-pressure"] for r in found if isinstance(r, Numeric)] == [5.5]


async def test_a_write_the_device_refuses_is_an_error_with_its_reason(tmp_path: Path) -> None:
    device = kinds.load("bed_controller")
    assert isinstance(device.PROTOCOL, Modbus)
    async with unit(tmp_path, {"bed": "bed_controller"}) as hosts:
        cast, host = hosts["bed"]
        await measure(cast, host, 1)
        link = open_link(host.address, device.PROTOCOL, CLOCK)
        async with aclosing(link.stream()) as stream:
            await anext(stream)
            with pytest.raises(OSError, match="unit 1 refuses: device failure"):
                await link.write(bytes.fromhex("01 10 0008 0004 0001 0190 03e8 0001"))
            with pytest.raises(OSError, match="unit 1 refuses: illegal data address"):
                await link.write(bytes.fromhex("01 06 0000 0001 0000"))
