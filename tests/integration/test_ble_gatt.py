"""A GATT device end to end in one process: simulated peripheral, virtual radio, HCI over TCP, bleak, link, decoder."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from edge_agents.clock import clocks
from edge_agents.device import FrameError, Numeric, Reading, Waveform
from edge_agents.devices import blood_pressure_monitor, ecg_patch, glucose_meter, pulse_oximeter
from edge_agents.links import ble_gatt
from edge_agents.links.ble_gatt import GattLink, open_link
from edge_agents.protocol import Gatt
from firmware_sims.devices.pulse_oximeter import Continuous
from firmware_sims.hosts.gatt_peripheral import Host
from firmware_sims.hosts.host import Stage, make_cast, make_host
from firmware_sims.ledger import Ledger, line_of
from firmware_sims.pace import Pace
from firmware_sims.scenario import Timeline, parse
from firmware_sims.world import World

SECOND = 1_000_000
START = 1_767_225_600 * SECOND
CLOCK, _ = clocks(None)
CONTINUOUS = [{"at": 0, "device": "pulse_oximeter", "set": {"mode": "continuous"}}]


class Rig(NamedTuple):
    """A simulated device and the link to it."""

    host: Host
    link: GattLink
    ledger: Path

    def lines(self) -> list[dict[str, Any]]:
        return [msgspec.json.decode(line) for line in self.ledger.read_bytes().splitlines()]

    def unread(self) -> list[bool]:
        return [line.get("unread", False) for line in self.lines() if line["type"] == "reading"]


Make = Callable[..., Any]


@pytest.fixture
def rig(tmp_path: Path) -> Make:
    @asynccontextmanager
    async def make(
        kind: str, steps: list[dict[str, Any]] | None = None, air: dict[str, Any] | None = None
    ) -> AsyncIterator[Rig]:
        scenario = parse({"title": "test", "step": steps or []})
        world = World(scenario, Timeline(scenario), 7, START)
        role = make_cast(kind, kind, world)
        ledger = Ledger(tmp_path, kind)
        host = make_host(role, Stage("127.0.0.1", ledger, Pace(1.0, START), {} if air is None else air))
        assert isinstance(host, Host)
        await host.listen(0)
        protocol = role.device.PROTOCOL
        assert isinstance(protocol, Gatt)
        try:
            yield Rig(host, open_link(host.address, protocol, CLOCK), tmp_path / f"{kind}.jsonl")
        finally:
            await host.close()
            ledger.close()

    return make


def pressure(second: int, systolic: float = 120.0) -> Numeric:
    values: dict[str, float | None] = {"bp-systolic": systolic, "bp-diastolic": 80.0, "bp-mean": 93.0}
    return Numeric(observed_at=START + second * SECOND, values=values, conditions=frozenset())


def glucose(second: int) -> Numeric:
    return Numeric(observed_at=START + second * SECOND, values={"glucose": 5.5}, conditions=frozenset())


VALUE = Continuous(observed_at=START, values={"spo2": 97.0, "pulse-rate": 70.0}, conditions=frozenset())


async def heard(stream: AsyncIterator[tuple[bytes, int]]) -> Numeric:
    """The next value an oximeter tells."""
    async for data, received_at in stream:
        for item in pulse_oximeter.Decoder().feed(data, received_at):
            if isinstance(item, Numeric) and "spo2" in item.values:
                return item
    raise AssertionError("it ended")


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110  it is the state of the stack, and nobody tells
        await asyncio.sleep(0)


async def session(link: GattLink, decoder: Any) -> list[Reading]:
    """What one connection brings."""
    found: list[Reading] = []
    async with aclosing(link.stream()) as stream:
        async for data, received_at in stream:
            if not data and hasattr(decoder, "greet"):
                for frame in decoder.greet(received_at):
                    await link.write(frame)
            found += decoder.feed(data, received_at)
    return found


def measured(readings: Sequence[Reading | FrameError]) -> list[Reading]:
    return [item for item in readings if isinstance(item, Numeric) and "battery" not in item.values]


async def test_what_was_measured_before_anybody_connected_is_handed_over_and_then_it_disconnects(rig: Make) -> None:
    async with rig("blood_pressure_monitor") as cuff:
        for second in range(3):
            await cuff.host.hand(pressure(second))
        found = await session(cuff.link, blood_pressure_monitor.Decoder())
        assert measured(found) == [pressure(0), pressure(1), pressure(2)]
        assert [item.values for item in found if isinstance(item, Numeric) and "battery" in item.values] == [
            {"battery": 100.0}
        ]
        await cuff.host.hand(pressure(3))
        assert measured(await session(cuff.link, blood_pressure_monitor.Decoder())) == [pressure(3)]
    assert cuff.unread() == [False] * 4


async def test_a_measurement_that_was_not_confirmed_is_sent_again_and_had_once(rig: Make) -> None:
    """The link breaks at the moment at which the value arrives: before the confirmation is back."""
    async with rig("blood_pressure_monitor") as cuff:
        await cuff.host.hand(pressure(0))
        decoder = blood_pressure_monitor.Decoder()
        tell = cuff.host._peripheral.tell

        async def tell_and_lose(characteristic: int, value: bytes) -> bool:
            if await tell(characteristic, value):
                cuff.host._peripheral.cut()
            return False

        cuff.host._peripheral.tell = tell_and_lose
        assert measured(await session(cuff.link, decoder)) == [pressure(0)]
        cuff.host._peripheral.tell = tell
        assert measured(await session(cuff.link, decoder)) == []
    assert cuff.unread() == [False]


async def test_what_nobody_fetched_is_in_the_ledger_as_unread(rig: Make) -> None:
    async with rig("blood_pressure_monitor") as cuff:
        await cuff.host.hand(pressure(0))
    assert cuff.unread() == [True]


async def test_records_are_fetched_and_only_new_ones_the_next_time(rig: Make) -> None:
    async with rig("glucose_meter") as meter:
        decoder = glucose_meter.Decoder()
        for second in range(3):
            await meter.host.hand(glucose(second))
        assert measured(await session(meter.link, decoder)) == [glucose(0), glucose(1), glucose(2)]
        await meter.host.hand(glucose(3))
        sent: list[bytes] = []
        write = meter.link.write

        async def note(frame: bytes) -> bytes:
            sent.append(frame)
            return bytes(await write(frame))

        meter.link.write = note
        assert measured(await session(meter.link, decoder)) == [glucose(3)]
        assert sent == [bytes.fromhex("522a 01 03 01 04 00")], "from number 4 on"
    assert meter.unread() == [False] * 4


async def test_a_refused_write_is_an_error_with_a_sentence(rig: Make) -> None:
    async with rig("glucose_meter") as meter:
        await meter.host.hand(glucose(0))
        async with aclosing(meter.link.stream()) as stream:
            await anext(stream)
            with pytest.raises(OSError, match="no such characteristic"):
                await meter.link.write(bytes.fromhex("372a 00"))
            meter.host._asked = True
            with pytest.raises(OSError, match="Procedure Already in Progress"):
                await meter.link.write(bytes.fromhex("522a 0101"))
        with pytest.raises(OSError, match="not connected"):
            await meter.link.write(bytes.fromhex("522a 0101"))


async def test_a_meter_wants_its_answers_subscribed_to_before_it_is_asked(rig: Make) -> None:
    async with rig("glucose_meter") as meter:
        await meter.host.hand(glucose(0))
        hasty = msgspec.structs.replace(glucose_meter.PROTOCOL, subscribe=(glucose_meter.MEASUREMENT,))
        link = open_link(meter.host.address, hasty, CLOCK)
        async with aclosing(link.stream()) as stream:
            await anext(stream)
            with pytest.raises(OSError, match="Improperly Configured"):
                await link.write(bytes.fromhex("522a 0101"))


async def test_a_pairing_device_gives_nothing_to_those_who_have_not_paired(rig: Make) -> None:
    async with rig("blood_pressure_monitor") as cuff:
        await cuff.host.hand(pressure(0))
        stranger = open_link(
            cuff.host.address, msgspec.structs.replace(blood_pressure_monitor.PROTOCOL, pair=False), CLOCK
        )
        with pytest.raises(OSError, match="Insufficient Encryption"):
            await session(stranger, blood_pressure_monitor.Decoder())
        assert measured(await session(cuff.link, blood_pressure_monitor.Decoder())) == [pressure(0)]


async def test_a_continuous_device_is_heard_until_its_link_is_cut_and_again_afterwards(rig: Make) -> None:
    async with rig("pulse_oximeter", CONTINUOUS) as oximeter:
        await oximeter.host.hand(VALUE)  # nobody is there: lost, as on the real thing
        for _ in range(2):
            async with aclosing(oximeter.link.stream()) as stream:
                await anext(stream)
                for _ in range(3):
                    await oximeter.host.hand(VALUE)
                for _ in range(3):
                    assert (await heard(stream)).values == VALUE.values
                oximeter.host._peripheral.cut()
                with pytest.raises(StopAsyncIteration):
                    await anext(stream)
    states = [line["state"] for line in oximeter.lines() if line["type"] == "link"]
    assert states == ["up", "down", "up", "down"]


async def test_a_connection_that_says_nothing_is_made_anew(rig: Make) -> None:
    async with rig("pulse_oximeter", CONTINUOUS) as oximeter:
        impatient = msgspec.structs.replace(pulse_oximeter.PROTOCOL, restart_after=0.05)
        with pytest.raises(OSError, match=r"silent for 0\.05 s"):
            await session(open_link(oximeter.host.address, impatient, CLOCK), pulse_oximeter.Decoder())


async def test_a_device_out_of_reach_keeps_its_measurements_until_it_is_back(rig: Make) -> None:
    async with rig("blood_pressure_monitor") as cuff:
        host = cuff.host
        host._in_reach = False
        host._news.set()
        await host.hand(pressure(0))
        waiting = asyncio.create_task(session(cuff.link, blood_pressure_monitor.Decoder()))
        await until(lambda: host._port.scanning)
        assert not host._peripheral.connected
        host._in_reach = True
        host._news.set()
        assert measured(await waiting) == [pressure(0)]


async def test_the_radio_going_away_ends_the_wait_with_an_error(rig: Make) -> None:
    async with rig("blood_pressure_monitor") as cuff:
        waiting = asyncio.create_task(session(cuff.link, blood_pressure_monitor.Decoder()))
        await until(lambda: cuff.host._port.scanning)
        for socket in list(cuff.host._port.sockets):
            socket.transport.close()
        with pytest.raises(OSError, match=r"controller went away|transport lost"):
            await waiting


async def test_two_devices_are_connected_at_once_over_one_controller(rig: Make) -> None:
    """One hands its records over while the other is connected: both sit on the one virtual radio of the unit."""
    air: dict[str, Any] = {}
    async with rig("pulse_oximeter", CONTINUOUS, air=air) as oximeter, rig("glucose_meter", air=air) as meter:
        await meter.host.hand(glucose(0))
        async with aclosing(oximeter.link.stream()) as stream:
            await anext(stream)
            assert measured(await session(meter.link, glucose_meter.Decoder())) == [glucose(0)]
            assert len(oximeter.host._port.sockets) == 1
            await oximeter.host.hand(VALUE)
            assert (await heard(stream)).values == VALUE.values


async def test_a_scan_that_hears_nothing_is_started_anew(rig: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ble_gatt, "SCAN_SECONDS", 0.02)
    async with rig("blood_pressure_monitor") as cuff:
        waiting = asyncio.create_task(session(cuff.link, blood_pressure_monitor.Decoder()))
        for _ in range(3):
            await until(lambda: cuff.host._port.scanning)
            await until(lambda: not cuff.host._port.scanning)
        await cuff.host.hand(pressure(0))
        assert measured(await waiting) == [pressure(0)]


@pytest.mark.parametrize("moment", range(0, 60, 4))
async def test_a_link_can_be_cancelled_at_any_moment(rig: Make, moment: int) -> None:
    """While it scans, connects, pairs or reads: it ends, and the controller is let go."""
    async with rig("blood_pressure_monitor") as cuff:
        await cuff.host.hand(pressure(0))
        packets = 0
        running = asyncio.create_task(session(cuff.link, blood_pressure_monitor.Decoder()))
        await until(lambda: bool(cuff.host._port.sockets) or running.done())
        (socket,) = cuff.host._port.sockets
        on_packet = socket.on_packet

        def count(packet: bytes) -> None:
            nonlocal packets
            packets += 1
            on_packet(packet)
            if packets > 3 * moment:
                running.cancel()

        socket.on_packet = count
        await asyncio.wait({running}, timeout=10)
        assert running.done()
        await until(lambda: not cuff.host._port.sockets)


async def test_blocks_longer_than_the_smallest_packet_arrive_whole_and_are_in_the_ledger(rig: Make) -> None:
    async with rig("ecg_patch") as patch:
        decoder = ecg_patch.Decoder()
        async with aclosing(patch.link.stream()) as stream:
            await anext(stream)
            sent = [timed.reading for timed in islice(patch.host._sim.readings(patch.host._world), 5)]
            for block in sent:
                await patch.host.hand(block)
            got: list[Reading | FrameError] = []
            while len(got) < len(sent):
                data, received_at = await anext(stream)
                got += [item for item in decoder.feed(data, received_at) if isinstance(item, Waveform)]
        assert got == sent
    assert [line["digest"] for line in patch.lines() if line["type"] == "reading"] == [
        line_of("ecg_patch", block).digest for block in sent
    ]
    assert patch.unread() == [False] * 5
