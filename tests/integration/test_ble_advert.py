"""Advertisements through the real stack: virtual radio, HCI, bleak, link, decoder; and what other backends give."""

import asyncio
import tomllib
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData

from edge_agents.clock import SystemClock
from edge_agents.config import ConfigError
from edge_agents.device import FrameError, Numeric, Occurrence, Reading
from edge_agents.devices import _adverts, beacon_scanner, temperature_tag
from edge_agents.devices._adverts import Report, ad
from edge_agents.links import ble_advert, open_link
from edge_agents.links.ble_advert import AdvertLink, frame_of
from edge_agents.protocol import Advert
from firmware_sims.hosts.air import Air, Port
from firmware_sims.scenario import parse
from firmware_sims.sim import Fleet, Spec

START = 1_767_225_600_000_000
TAG = "C0:00:00:00:00:01"


@pytest.fixture
async def port() -> AsyncIterator[Port]:
    air = Air("127.0.0.1")
    yield await air.join(0)
    await air.leave()


def link_to(address: str) -> AdvertLink:
    link = open_link(address, Advert(), SystemClock())
    assert isinstance(link, AdvertLink)
    return link


@asynccontextmanager
async def listening(link: AdvertLink) -> AsyncIterator[Any]:
    """The link's frames, once it says that it is connected."""
    async with aclosing(link.stream()) as stream, asyncio.timeout(20):
        assert (await anext(stream))[0] == b""
        yield stream


def report(address: str = TAG, name: bytes = b"x", rssi: int = -60) -> bytes:
    return _adverts.write_report(Report(address, ad(_adverts.NAME, name), rssi))


async def test_every_report_is_a_frame_byte_for_byte_and_in_order(port: Port) -> None:
    frames = [report(name=b"%d" % n, rssi=-40 - n % 50) for n in range(200)]
    async with listening(link_to(f"advert://any?hci={port.spec}")) as stream:
        before = SystemClock().now()
        for frame in frames:
            assert port.hear(frame)
        got = [await anext(stream) for _ in frames]
    assert [frame for frame, _ in got] == frames
    assert before <= got[0][1] <= got[-1][1] <= SystemClock().now()


async def test_a_link_to_one_device_hears_only_that(port: Port) -> None:
    async with listening(link_to(f"advert://{TAG.lower()}?hci={port.spec}")) as stream:
        port.hear(report("C0:00:00:00:00:02"))
        port.hear(report(TAG))
        assert (await anext(stream))[0] == report(TAG)


async def test_what_arrives_while_the_caller_is_busy_is_bounded(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ble_advert, "MAX_WAITING", 10)
    frames = [report(name=b"%d" % n) for n in range(30)]
    last = report(name=b"end")
    async with listening(link_to(f"advert://any?hci={port.spec}")) as stream:
        async with listening(link_to(f"advert://any?hci={port.spec}")) as quick:
            for frame in [*frames, last]:
                port.hear(frame)
            while (await anext(quick))[0] != last:
                pass
        got = [(await anext(stream))[0] for _ in range(10)]
    assert got == [*frames[-9:], last], "the newest are kept"


async def test_a_scanner_that_hears_nobody_is_restarted_and_says_so(port: Port) -> None:
    link = link_to(f"advert://{TAG}?hci={port.spec}")
    link._patience = 0.05
    for waited in (0.05, 0.1):
        async with listening(link) as stream:
            with pytest.raises(OSError, match="heard nothing for 0 s and is started again"):
                await anext(stream)
        assert not port.scanning, "the scan has ended"
        assert link._patience == 2 * waited, "restarting did not help: not so soon again"
    async with listening(link) as stream:
        port.hear(report("C0:00:00:00:00:02"))
        port.hear(report(TAG))
        await anext(stream)
    assert link._patience == ble_advert.SILENT_SECONDS


async def test_somebody_elses_report_is_a_sign_of_life(port: Port) -> None:
    link = link_to(f"advert://{TAG}?hci={port.spec}")
    link._patience = 0.2
    async with listening(link) as stream:
        frame = asyncio.ensure_future(anext(stream))
        for _ in range(6):
            port.hear(report("C0:00:00:00:00:02"))
            await asyncio.wait([frame], timeout=0.05)
        assert not frame.done()
        port.hear(report(TAG))
        assert (await frame)[0] == report(TAG)


async def test_an_adapter_that_goes_away_breaks_the_link(port: Port) -> None:
    link = link_to(f"advert://any?hci={port.spec}")
    async with listening(link) as stream:
        for socket in list(port.sockets):
            socket.transport.close()
        with pytest.raises(OSError, match="adapter went away"):
            await anext(stream)
    async with listening(link) as stream:
        port.hear(report())
        assert (await anext(stream))[0] == report()


@pytest.mark.parametrize("address", ["advert://", "advert://everybody", "advert://AA:BB", "advert://any?hcl=x"])
def test_addresses_that_name_nobody_are_refused(address: str) -> None:
    with pytest.raises(ConfigError):
        open_link(address, Advert(), SystemClock())


# ---- backends that take reports apart
def parsed(address: str = "AA:BB:CC:DD:EE:FF", platform: tuple[Any, ...] = (), **fields: Any) -> bytes:
    """The frame made of what such a backend gives."""
    nothing: dict[str, Any] = {
        "local_name": None, "manufacturer_data": {}, "service_data": {}, "service_uuids": [], "tx_power": None,
        "rssi": -60,
    }  # fmt: skip
    advertisement = AdvertisementData(**(nothing | fields), platform_data=platform)
    return frame_of(BLEDevice(address, None, None), advertisement)


def test_a_parsed_advertisement_is_built_again() -> None:
    frame = parsed(
        local_name="Tag 1", tx_power=-12, manufacturer_data={0x004C: b"\x10\x05", 0x0118: b"\xbe\xac"},
        service_uuids=["0000feaa-0000-1000-8000-00805f9b34fb", "12345678-0000-1000-8000-00805f9b34fb"],
        service_data={
            "0000fcd2-0000-1000-8000-00805f9b34fb": b"\x40", "12345678-0000-1000-8000-00805f9b34fb": b"\x01",
            "00112233-4455-6677-8899-aabbccddeeff": b"\x02",
        },
    )  # fmt: skip
    heard = _adverts.read_report(frame)
    assert (heard.address, heard.rssi) == ("AA:BB:CC:DD:EE:FF", -60)
    listed, long = "fb349b5f800000800010000078563412", "ffeeddccbbaa99887766554433221100"
    assert _adverts.structures(heard.data) == [
        (0x0A, b"\xf4"), (0x03, b"\xaa\xfe"), (0x07, bytes.fromhex(listed)),
        (0x16, b"\xd2\xfc\x40"), (0x20, b"\x78\x56\x34\x12\x01"), (0x21, bytes.fromhex(long) + b"\x02"),
        (0xFF, b"\x4c\x00\x10\x05"), (0xFF, b"\x18\x01\xbe\xac"), (0x09, b"Tag 1"),
    ]  # fmt: skip


def test_a_beacon_means_the_same_from_every_backend() -> None:
    who = _adverts.Sighting("e2c56db5-dffb-48d2-b060-d0f5a71096e0:1:7", "ibeacon", -59)
    raw = _adverts.write_sighting(who)
    company = {0x004C: _adverts.tagged(_adverts.structures(raw)[1])[1]}
    frame = parsed(manufacturer_data=company, platform=("/org/bluez/hci0/dev", {"AddressType": "random"}))
    heard = _adverts.read_report(frame)
    assert _adverts.beacon(_adverts.structures(heard.data)) == who
    assert heard.address_type == _adverts.RANDOM


def test_what_does_not_fit_into_a_report_is_left_out_whole() -> None:
    frame = parsed(manufacturer_data={n: bytes(100) for n in range(3)}, local_name="still there")
    found = _adverts.structures(_adverts.read_report(frame).data)
    assert [part.type for part in found] == [0xFF, 0xFF, 0x09]


@pytest.mark.parametrize(("rssi", "known"), [(-128, None), (127, None), (0, 0), (-127, -127)])
def test_a_strength_no_radio_has_is_not_known(rssi: int, known: int | None) -> None:
    assert _adverts.read_report(parsed(rssi=rssi)).rssi == known


def test_apples_hidden_addresses_stand_for_one() -> None:
    one, same, other = (parsed(f"61DE521B-F0BF-9F44-64D4-75BBE173810{n}") for n in (5, 5, 6))
    assert _adverts.read_report(one).address == _adverts.read_report(same).address
    assert _adverts.read_report(one).address != _adverts.read_report(other).address


# ---- simulated sites
class Feed:
    """What an agent does, for one device."""

    def __init__(self, address: str) -> None:
        self.said: list[Reading | FrameError] = []
        self.listens = asyncio.Event()
        self._link = link_to(address)
        self._decoder = (beacon_scanner if "any?" in address else temperature_tag).Decoder()

    async def run(self) -> None:
        async with aclosing(self._link.stream()) as stream:
            async for data, received_at in stream:
                self.listens.set()
                self.said += self._decoder.feed(data, received_at)


async def play(folder: Path, text: str, seconds: int, speed: float) -> dict[str, list[Reading | FrameError]]:
    """The readings of every device of a simulated unit."""
    fleet = Fleet([Spec("unit", parse(tomllib.loads(text)), 1)], folder, speed, START)
    feeds = {name: Feed(address) for name, address in (await fleet.listen(0))["unit"].items()}
    async with asyncio.timeout(60):
        tasks = [asyncio.create_task(feed.run()) for feed in feeds.values()]
        for feed in feeds.values():
            await feed.listens.wait()
        await fleet.run(seconds * 1_000_000)
    for ended in await asyncio.gather(*tasks, return_exceptions=True):
        assert isinstance(ended, OSError), "the simulator's end takes the adapters away"
    return {name: feed.said for name, feed in feeds.items()}


async def test_each_scanner_hears_a_tag_at_its_own_distance(tmp_path: Path) -> None:
    site = """
    title = "a tag beside the second scanner"
    profile = "beacon_site"
    step = [{ at = 0, device = "tag-1", set = { x = 30.0, y = 5.0 } }]
    """
    said = await play(tmp_path, site, 60, 20.0)
    level: dict[str, float] = {}
    for name, items in said.items():
        heard = [
            each["rssi"]
            for item in items
            if isinstance(item, Occurrence) and item.name == "beacon-sightings"
            for each in item.details["sightings"]
            if each["id"].endswith(":1:1")
        ]
        assert not [item for item in items if isinstance(item, FrameError)]
        level[name] = sum(heard) / len(heard)
    # -59 dBm at 1 m, and 25 m away 10 x 2.2 x log10(25) = 31 dB less
    assert level["scanner-2"] == pytest.approx(-59, abs=2)
    assert level["scanner-1"] == pytest.approx(-90, abs=2)
    assert level["scanner-3"] == pytest.approx(-90, abs=2)


async def test_thermometers_on_one_adapter_are_told_apart(tmp_path: Path) -> None:
    van = """
    title = "two boxes"
    profile = "delivery_van"
    devices = ["box-1", "box-2"]
    step = [
      { at = 0, device = "box-1", set = { temperature = 4.0 } },
      { at = 0, device = "box-2", set = { temperature = -19.0, battery = 8 } },
    ]
    """
    said = await play(tmp_path, van, 40, 20.0)
    for name, expected, conditions in (("box-1", 4.0, []), ("box-2", -19.0, ["battery-low"])):
        readings = [item for item in said[name] if isinstance(item, Numeric)]
        assert len(readings) >= 3
        for reading in readings:
            assert reading.values["cargo-temperature-1"] == pytest.approx(expected, abs=0.3)
            assert sorted(reading.conditions or ()) == conditions
