"""The bleak backend on Bumble against the virtual radio of a unit."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from bleak import BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData

from edge_agents.clock import clocks
from edge_agents.devices import blood_pressure_monitor
from edge_agents.links import ble_adapter, bumble_radio
from edge_agents.links.ble_gatt import open_link
from firmware_sims.hosts.air import Air, Port

# not connectable, 11:22:33:44:55:66, flags and the name "Tag1", -60 dBm
REPORT = bytes.fromhex("03 01 665544332211 09 020106 0509 54616731 c4")


@pytest.fixture
async def port() -> AsyncIterator[Port]:
    air = Air("127.0.0.1")
    yield await air.join(0)
    await air.leave()


class Ears:
    """A scanner's callback that can be waited for."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[tuple[BLEDevice, AdvertisementData]] = asyncio.Queue()

    def __call__(self, device: BLEDevice, advertisement: AdvertisementData) -> None:
        self.heard.put_nowait((device, advertisement))


@asynccontextmanager
async def scanning(port: Port) -> AsyncIterator[Ears]:
    ears = Ears()
    async with ble_adapter.adapter(port.spec) as adapter, BleakScanner(ears, **adapter.scanner):
        yield ears


async def test_a_report_arrives_whole_and_parsed(port: Port) -> None:
    async with scanning(port) as ears:
        assert port.hear(REPORT)
        device, advertisement = await ears.heard.get()
    assert device.address == "11:22:33:44:55:66"
    assert (advertisement.local_name, advertisement.rssi) == ("Tag1", -60)
    assert advertisement.platform_data == (REPORT,)


async def test_the_same_again_is_heard_again(port: Port) -> None:
    async with scanning(port) as ears:
        for _ in range(3):
            port.hear(REPORT)
        for _ in range(3):
            await ears.heard.get()


async def test_scanners_of_a_process_share_one_controller_and_the_last_one_ends_the_scan(port: Port) -> None:
    async with scanning(port) as first:
        async with scanning(port) as second:
            assert len(port.sockets) == 1
            port.hear(REPORT)
            await first.heard.get()
            await second.heard.get()
        assert port.scanning
        port.hear(REPORT)
        await first.heard.get()
        assert second.heard.empty()
    assert not port.hear(REPORT), "nobody scans"


async def test_a_controller_that_goes_away_is_noticed(port: Port) -> None:
    async with ble_adapter.adapter(port.spec) as adapter:
        await port.close()
        await adapter.lost.wait()
    with pytest.raises(OSError, match=r"Bluetooth|Connect"):
        async with ble_adapter.adapter(port.spec):
            pass


async def test_a_lost_controller_is_opened_anew(port: Port) -> None:
    spec = port.spec
    async with ble_adapter.adapter(spec) as old:
        for socket in list(port.sockets):
            socket.transport.close()
        await old.lost.wait()
        async with scanning(port) as ears:
            port.hear(REPORT)
            await ears.heard.get()
        assert not bumble_radio._radios[asyncio.get_running_loop()].get(spec)


@pytest.mark.parametrize(
    "address", ["ble://AA:BB:CC:DD:EE", "ble://any", "ble://AA:BB:CC:DD:EE:FF?adapter=hci1", "ble:AA:BB:CC:DD:EE:FF"]
)
def test_an_address_that_names_nothing_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match=r"Bluetooth address|unknown"):
        ble_adapter.parse(address)


def test_addresses() -> None:
    with_hci = ble_adapter.parse("ble://aa:bb:cc:dd:ee:ff?hci=tcp-client:127.0.0.1:9001")
    assert with_hci == ("AA:BB:CC:DD:EE:FF", "tcp-client:127.0.0.1:9001")
    assert ble_adapter.parse("ble://AA:BB:CC:DD:EE:FF") == ("AA:BB:CC:DD:EE:FF", "")
    assert ble_adapter.parse("advert://any", any_peer=True) == ("any", "")


async def test_without_a_bluetooth_service_an_agent_is_told_so_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's own backend, on a system that has none."""
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/system_bus_socket")
    link = open_link("ble://AA:BB:CC:DD:EE:FF", blood_pressure_monitor.PROTOCOL, clocks(None)[0])
    with pytest.raises(OSError, match="no Bluetooth service"):
        await anext(link.stream())
