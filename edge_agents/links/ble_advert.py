"""Advertisements as bleak's scanner hears them: ``advert://any`` or ``advert://AA:BB:CC:DD:EE:FF[?hci=...]``.

One frame per report, in the form of edge_agents.protocol. The Bumble backend hands over the raw report; the system's
stack has taken it apart, so the AD structures are built again from the fields bleak gives: name, services, service
data, maker's data and transmission power. What is lost with it: flags, the order, unknown structures, the event type.
BlueZ also merges scan responses in, so a rebuilt report may be longer than 31 bytes.

A radio cannot be asked to wait: what arrives while the caller is busy is kept up to a limit, then the oldest go. A
scanner that hears nobody at all is no quiet place but, sooner or later, a stuck controller (BlueZ's discovery is known
to die quietly): the link breaks with a sentence, is reported as such, and the next one starts a new scan.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from typing import Any, Final
from uuid import UUID

import structlog
from bleak import BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData

from edge_agents.devices import _adverts
from edge_agents.devices._adverts import Report, ad
from edge_agents.links import ble_adapter
from edge_agents.ports import ByteLink, Clock
from edge_agents.protocol import Advert
from gateway.contract.envelope import Instant

SILENT_SECONDS: Final = 30.0  # without any report, until the scanner is restarted
LONGEST_SECONDS: Final = 600.0  # the wait doubles up to this while restarting does not help
MAX_WAITING: Final = 4096  # reports; some seconds of a very busy hall

_BASE_UUID: Final = "-0000-1000-8000-00805f9b34fb"  # of 16 and 32 bit UUIDs: Bluetooth Core 5.4 Vol 3 Part B 2.5.1
_LONGEST_DATA: Final = 255  # the report's length is one byte
_SERVICES_16, _SERVICES_128, _POWER, _SERVICE_DATA_32, _SERVICE_DATA_128 = 0x03, 0x07, 0x0A, 0x20, 0x21
# BlueZ is asked for every report; by default it tells only what has changed
_SYSTEM: Final[dict[str, Any]] = {"bluez": {"filters": {"DuplicateData": True}}}

_log = structlog.get_logger()


class _Ears:
    """What the scanner's callback has heard and nobody has fetched yet."""

    def __init__(self, address: str, clock: Clock) -> None:
        self.news = asyncio.Event()
        self.reports: deque[tuple[bytes, Instant]] = deque(maxlen=MAX_WAITING)
        self.any = False
        self._address = address
        self._clock = clock
        self._lost = 0

    def __call__(self, device: BLEDevice, advertisement: AdvertisementData) -> None:
        """See bleak.BleakScanner."""
        self.any = True
        self.news.set()
        if self._address in {ble_adapter.ANY, device.address.upper()}:
            self._lost += len(self.reports) == MAX_WAITING
            self.reports.append((frame_of(device, advertisement), self._clock.now()))

    def fetch(self) -> list[tuple[bytes, Instant]]:
        """All there is."""
        found = list(self.reports)
        self.reports.clear()
        if self._lost:
            _log.warning("advertisements lost, the agent was busy", reports=self._lost)
            self._lost = 0
        return found


class AdvertLink:
    """A scanner on one adapter. Several links on the same adapter share it, and its scan."""

    def __init__(self, peer: ble_adapter.Peer, clock: Clock) -> None:
        self._peer = peer
        self._clock = clock
        self._patience = SILENT_SECONDS

    async def stream(self) -> AsyncGenerator[tuple[bytes, Instant], None]:
        """See edge_agents.ports.ByteLink."""
        ears = _Ears(self._peer.address, self._clock)
        async with ble_adapter.adapter(self._peer.hci) as adapter:
            watch = asyncio.create_task(adapter.lost.wait(), name="adapter watch")
            watch.add_done_callback(lambda _: ears.news.set())
            try:
                with ble_adapter.readable_errors():
                    async with BleakScanner(ears, **(adapter.scanner or _SYSTEM)):
                        yield b"", self._clock.now()
                        while True:
                            await self._wait(ears)
                            for report in ears.fetch():
                                yield report
                            if adapter.lost.is_set():
                                raise OSError("the Bluetooth adapter went away")
            finally:
                watch.cancel()

    async def _wait(self, ears: _Ears) -> None:
        """For any report, also of others than the one device."""
        try:
            async with asyncio.timeout(self._patience):
                await ears.news.wait()
        except TimeoutError:
            silent, self._patience = self._patience, min(2 * self._patience, LONGEST_SECONDS)
            raise OSError(f"the scanner heard nothing for {silent:.0f} s and is started again") from None
        ears.news.clear()
        if ears.any:
            self._patience = SILENT_SECONDS


def frame_of(device: BLEDevice, advertisement: AdvertisementData) -> bytes:
    """The report as a frame: the backend's own bytes where it gives them, else built again."""
    raw = advertisement.platform_data[0] if advertisement.platform_data else None
    return raw if isinstance(raw, bytes) else _adverts.write_report(_rebuilt(device, advertisement))


def _rebuilt(device: BLEDevice, advertisement: AdvertisementData) -> Report:
    parts = []
    if (power := advertisement.tx_power) is not None:
        parts.append(ad(_POWER, power.to_bytes(1, "little", signed=True)))
    parts += [_service(_SERVICES_16, _SERVICES_128, uuid, b"") for uuid in advertisement.service_uuids]
    parts += [_service(_adverts.SERVICE_DATA, _SERVICE_DATA_128, *item) for item in advertisement.service_data.items()]
    parts += [
        ad(_adverts.MAKER_DATA, company.to_bytes(2, "little") + data)
        for company, data in advertisement.manufacturer_data.items()
    ]
    if advertisement.local_name:
        parts.append(ad(_adverts.NAME, advertisement.local_name.encode()))
    rssi = advertisement.rssi if -127 <= advertisement.rssi <= 20 else None
    return Report(_address(device), _fitting(parts), rssi, 0, _address_type(advertisement))


def _service(short: int, long: int, uuid: str, data: bytes) -> bytes:
    """A service or its data, in the shortest form of its UUID (those of 32 bits stand in full in a list)."""
    number = UUID(uuid)
    if uuid.lower().endswith(_BASE_UUID):
        value = number.int >> 96
        if value < 1 << 16:
            return ad(short, value.to_bytes(2, "little") + data)
        if short == _adverts.SERVICE_DATA:
            return ad(_SERVICE_DATA_32, value.to_bytes(4, "little") + data)
    return ad(long, number.bytes[::-1] + data)


def _fitting(parts: list[bytes]) -> bytes:
    """As many whole structures as a report holds."""
    data = b""
    for part in parts:
        data += part if len(data) + len(part) <= _LONGEST_DATA else b""
    return data


def _address(device: BLEDevice) -> str:
    """Apple's stack hides addresses behind UUIDs of its own: those stand for one."""
    return device.address.upper() if len(device.address) == 17 else _adverts.address_of(device.address)


def _address_type(advertisement: AdvertisementData) -> int:
    """BlueZ knows; others do not say."""
    details = advertisement.platform_data[1] if len(advertisement.platform_data) > 1 else None
    return _adverts.RANDOM if isinstance(details, dict) and details.get("AddressType") == "random" else 0


def open_link(address: str, protocol: Advert, clock: Clock) -> ByteLink:  # noqa: ARG001  one for all link modules
    """The link an address names.

    Raises:
        ValueError: it names none.
    """
    return AdvertLink(ble_adapter.parse(address, any_peer=True), clock)
