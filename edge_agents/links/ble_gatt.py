"""A Bluetooth peripheral as a device: ``ble://AA:BB:CC:DD:EE:FF[?hci=TRANSPORT]``, through bleak.

::

    scan until it advertises --> connect (pair) --> read --> subscribe, in order --> (b"", now), what was read and told
         ^                                                                                           |
         '--- Feed, with backoff <----------- the device disconnects: the stream ends <--------------'

Cuffs, thermometers and scales advertise only when they have a measurement: waiting for them is the normal state and no
failure, so the scan goes on for as long as it takes. A scan that has not heard the device for a while is started anew,
because radios and their drivers do go deaf.

What a device indicates it keeps until that is confirmed. Over Bumble the confirmation goes out when the next is asked
for, so when what was indicated is on the disk; an operating system's stack confirms by itself, as soon as it has it.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterator
from typing import Any, Final, NamedTuple

from bleak import BleakClient, BleakScanner
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakError, BleakGATTProtocolError
from bleak.uuids import normalize_uuid_16

from edge_agents.links.ble_adapter import Adapter, Peer, adapter, parse, readable_errors
from edge_agents.links.ble_confirmation import Confirmation
from edge_agents.ports import Clock
from edge_agents.protocol import GATT_HEAD, Gatt, gatt_frame
from edge_agents.scaled_clock import machine_seconds
from gateway.contract.envelope import Instant

SCAN_SECONDS: Final = 60.0  # of one scan
CONNECT_SECONDS: Final = 20.0
MAX_WAITING: Final = 10_000  # values; a device cannot be told to wait, only be left
_COMPANIONS: Final = (0x180A, 0x180F)  # Device Information, Battery


class Told(NamedTuple):
    """What a device has said."""

    frame: bytes
    at: Instant
    indicated: bool = False  # it waits for a confirmation


class GattLink:
    """One peripheral."""

    def __init__(self, peer: Peer, protocol: Gatt, clock: Clock) -> None:
        self._peer = peer
        self._protocol = protocol
        self._clock = clock
        self._client: BleakClient | None = None  # while it is ready to be written to
        self._confirmation = Confirmation()
        self.unconfirmed = False

    async def stream(self) -> AsyncGenerator[tuple[bytes, Instant], None]:
        """See edge_agents.ports.ByteLink."""
        async with adapter(self._peer.hci) as radio:
            with readable_errors():
                found = await self._find(radio)
            inbox: asyncio.Queue[Told | None] = asyncio.Queue()  # None: it has disconnected
            client = self._make_client(found, radio, inbox)
            try:
                with readable_errors():
                    await client.connect()
                    read = [told async for told in self._read(client)]
                    await self._subscribe(client, inbox)  # last: the device may speak and leave at once
                self._client = client
                yield b"", self._clock.now()
                for told in read:
                    yield told.frame, told.at
                while (said := await self._next(inbox)) is not None:
                    self.unconfirmed = said.indicated
                    yield said.frame, said.at
                    if said.indicated:
                        self._confirmation.give()
            finally:
                self._client = None
                self.unconfirmed = False
                self._confirmation.forget()
                with contextlib.suppress(BleakError, TimeoutError):
                    await client.disconnect()

    async def write(self, frame: bytes) -> bytes:
        """See edge_agents.ports.WritableLink; GATT has no reading back."""
        client = self._client
        if client is None:
            raise OSError("Bluetooth: not connected")
        with readable_errors():
            characteristic = client.services.get_characteristic(normalize_uuid_16(GATT_HEAD.unpack_from(frame)[0]))
            if characteristic is None:
                raise OSError("Bluetooth: the device has no such characteristic")
            await client.write_gatt_char(characteristic, frame[GATT_HEAD.size :], response=True)
        return b""

    async def _find(self, radio: Adapter) -> BLEDevice:
        """Waits until the device advertises."""
        heard: asyncio.Future[BLEDevice] = asyncio.get_running_loop().create_future()

        def on_heard(device: BLEDevice, _advertisement: AdvertisementData) -> None:
            if device.address.upper() == self._peer.address and not heard.done():
                heard.set_result(device)

        lost: asyncio.Future[Any] = asyncio.ensure_future(radio.lost.wait())
        try:
            while not heard.done():
                async with BleakScanner(on_heard, **radio.scanner):
                    either: set[asyncio.Future[Any]] = {heard, lost}
                    await asyncio.wait(
                        either, timeout=machine_seconds(SCAN_SECONDS), return_when=asyncio.FIRST_COMPLETED
                    )
                if lost.done():
                    raise OSError("Bluetooth: the controller went away")
            return heard.result()
        finally:
            lost.cancel()

    def _make_client(self, device: BLEDevice, radio: Adapter, inbox: "asyncio.Queue[Told | None]") -> BleakClient:
        late: dict[str, Any] = {"confirmation": self._confirmation} if radio.client else {}
        return BleakClient(
            device,
            disconnected_callback=lambda _client: inbox.put_nowait(None),
            services=[normalize_uuid_16(service) for service in (self._protocol.service, *_COMPANIONS)],
            timeout=machine_seconds(CONNECT_SECONDS),
            pair=self._protocol.pair,
            **radio.client,
            **late,
        )

    async def _subscribe(self, client: BleakClient, inbox: "asyncio.Queue[Told | None]") -> None:
        """Notifications or indications, as the characteristic has them; optional ones of a profile may be missing."""

        def on_told(characteristic: BleakGATTCharacteristic, value: bytearray) -> None:
            # with both properties bleak has it notify
            indicated = "indicate" in characteristic.properties and "notify" not in characteristic.properties
            frame = gatt_frame(_short(characteristic), bytes(value))
            inbox.put_nowait(Told(frame, self._clock.now(), indicated))

        present = list(_present(client, self._protocol.subscribe))
        if not present:
            raise OSError(f"Bluetooth: {self._peer.address} has nothing of service {self._protocol.service:04X}")
        for characteristic in present:
            try:
                await client.start_notify(characteristic, on_told)
            except BleakError:
                if inbox.empty():
                    raise
                return  # it has told what it had and left: that is not lost, the end of the connection comes behind it

    async def _read(self, client: BleakClient) -> AsyncGenerator[Told, None]:
        for characteristic in _present(client, self._protocol.read):
            with contextlib.suppress(BleakGATTProtocolError):  # the device does not let us: as if it had none
                value = await client.read_gatt_char(characteristic)
                yield Told(gatt_frame(_short(characteristic), bytes(value)), self._clock.now())

    async def _next(self, inbox: "asyncio.Queue[Told | None]") -> Told | None:
        if inbox.qsize() > MAX_WAITING:
            raise OSError("Bluetooth: the device says more than is taken")
        limit = self._protocol.restart_after
        try:
            async with asyncio.timeout(limit):
                return await inbox.get()
        except TimeoutError:
            raise OSError(f"Bluetooth: connected, but silent for {limit:g} s") from None


def _present(client: BleakClient, wanted: tuple[int, ...]) -> Iterator[BleakGATTCharacteristic]:
    for short in wanted:
        characteristic = client.services.get_characteristic(normalize_uuid_16(short))
        if characteristic is not None:
            yield characteristic


def _short(characteristic: BleakGATTCharacteristic) -> int:
    return int(characteristic.uuid[4:8], 16)


def open_link(address: str, protocol: Gatt, clock: Clock) -> GattLink:
    """The link an address names.

    Raises:
        ValueError: it names none.
    """
    return GattLink(parse(address), protocol, clock)
