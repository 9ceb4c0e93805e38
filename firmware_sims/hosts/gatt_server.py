"""One simulated peripheral as others meet it: a Bumble device with a medical service, battery and information."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from bumble import hci
from bumble.att import ATT_Error, Attribute, ErrorCode
from bumble.core import UUID, AdvertisingData
from bumble.device import AdvertisingType, Connection, Device, DeviceConfiguration
from bumble.gatt import (
    GATT_CLIENT_CHARACTERISTIC_CONFIGURATION_DESCRIPTOR,
    Characteristic,
    CharacteristicValue,
    Descriptor,
    Service,
)
from bumble.host import Host
from bumble.keys import MemoryKeyStore
from bumble.transport.common import AsyncPipeSink

from edge_agents.protocol import Gatt
from firmware_sims.hosts.air import Air, RadioController

ADVERTISING_MS: Final = 50.0
RACP: Final = 0x2A52  # Record Access Control Point
INDICATED: Final = frozenset({0x2A35, 0x2A1C, 0x2A9D, 0x2A5E, RACP})  # says their services; all others notify
BATTERY_LEVEL: Final = 0x2A19
INFORMATION: Final = {0x2A29: b"Lastmile simulators", 0x2A26: b"1.0"}
_Properties: Final = Characteristic.Properties

OnWrite = Callable[[int, bytes], None]  # (characteristic, value); raises Busy


class Busy(Exception):
    """What was written before has not been carried out yet."""


class Peripheral:
    """Bumble's peripheral side, as a device's firmware uses its Bluetooth chip."""

    def __init__(self, name: str, address: str, protocol: Gatt, air: Air, on_news: Callable[[], None]) -> None:
        """``on_news``: called when somebody has connected, subscribed or gone."""
        self.address = address
        self.battery = 100  # %
        self.on_write: OnWrite = lambda _characteristic, _value: None
        self._protocol = protocol
        self._on_news = on_news
        self._gone = asyncio.Event()
        self._connection: Connection | None = None
        self._advertising = False
        self._controller = RadioController(name, air)
        host = Host(self._controller, AsyncPipeSink(self._controller))
        config = DeviceConfiguration(
            name=name,
            address=hci.Address(address),
            advertising_data=_advertising_data(name, protocol.service),
            advertising_interval_min=ADVERTISING_MS,
            advertising_interval_max=ADVERTISING_MS,
        )
        self._device = Device(config=config, host=host)
        self._device.keystore = MemoryKeyStore()
        self._device.on("connection", self._connected)
        self._told: dict[int, Characteristic[bytes]] = {}

    @property
    def connected(self) -> bool:
        """Whether a central is connected."""
        return self._connection is not None

    async def power_on(self, values: dict[int, bytes]) -> None:
        """Comes up, not advertising yet. ``values``: of further characteristics that can be read."""
        own = [self._make_told(short) for short in self._protocol.subscribe]
        own += [_readable(short, value) for short, value in values.items()]
        self._device.add_service(Service(_uuid(self._protocol.service), own))
        self._device.add_service(
            Service(_uuid(0x180A), [_readable(short, text) for short, text in INFORMATION.items()])
        )
        level = CharacteristicValue(read=lambda _connection: bytes([self.battery]))
        self._device.add_service(Service(_uuid(0x180F), [_readable(BATTERY_LEVEL, level)]))
        await self._device.power_on()

    async def advertise(self) -> None:
        """Shows itself, connectably; does nothing when it does already."""
        if not self._advertising:
            self._advertising = True
            await self._device.start_advertising(AdvertisingType.UNDIRECTED_CONNECTABLE_SCANNABLE)

    async def hide(self) -> None:
        """Shows itself no longer."""
        if self._advertising:
            self._advertising = False
            await self._device.stop_advertising()

    def hears(self, characteristic: int) -> bool:
        """Whether the central has subscribed to a characteristic."""
        subscribed = self._device.gatt_server.subscribers.get(self._connection or object(), {})  # type: ignore[call-overload]
        return any(subscribed.get(self._told[characteristic].handle, b""))

    async def tell(self, characteristic: int, value: bytes) -> bool:
        """Notifies, or indicates and waits for the confirmation; False when nobody heard it."""
        connection = self._connection
        if connection is None or not self.hears(characteristic):
            return False
        server, attribute = self._device.gatt_server, self._told[characteristic]
        if characteristic not in INDICATED:
            await server.notify_subscriber(connection, attribute, value)
            return True
        return await self._while_connected(server.indicate_subscriber(connection, attribute, value))

    async def disconnect(self) -> None:
        """Ends the connection in good order."""
        if self._connection is not None:
            reason = hci.HCI_ErrorCode.REMOTE_USER_TERMINATED_CONNECTION_ERROR
            await self._while_connected(self._connection.disconnect(reason))

    def cut(self) -> None:
        """Is out of reach from one moment to the next."""
        self._controller.cut()

    async def power_off(self) -> None:
        """Goes for good."""
        await self.hide()
        await self.disconnect()
        self._controller.leave()

    async def _while_connected(self, work: Coroutine[Any, Any, Any]) -> bool:
        """Whether it was done before the connection ended."""
        task, gone = asyncio.ensure_future(work), asyncio.ensure_future(self._gone.wait())
        try:
            await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
            return task.done() and not task.cancelled() and task.exception() is None
        finally:
            for one in (task, gone):
                one.cancel()
            await asyncio.wait({task, gone})

    def _connected(self, connection: Connection) -> None:
        self._connection = connection
        self._advertising = False  # the controller stops by itself
        self._gone.clear()
        connection.on("disconnection", self._disconnected)
        self._on_news()

    def _disconnected(self, _reason: int) -> None:
        self._connection = None
        self._gone.set()
        self._on_news()

    def _make_told(self, short: int) -> Characteristic[bytes]:
        """A characteristic that is subscribed to; by paired centrals only, if the device pairs."""
        properties = _Properties.INDICATE if short in INDICATED else _Properties.NOTIFY
        permissions = Attribute.Permissions(0)
        value: Any = b""
        if short == RACP:
            properties |= _Properties.WRITE
            permissions |= Attribute.WRITEABLE | self._protection
            value = CharacteristicValue(write=lambda _connection, value: self._written(short, value))
        told: Characteristic[bytes] = Characteristic(_uuid(short), properties, permissions, value)
        configuration = Descriptor(
            GATT_CLIENT_CHARACTERISTIC_CONFIGURATION_DESCRIPTOR,
            Attribute.READABLE | Attribute.WRITEABLE | self._protection,
            self._device.gatt_server.make_descriptor_value(told),
        )
        told.descriptors = (configuration,)
        told.on("subscription", lambda *_: self._on_news())
        self._told[short] = told
        return told

    @property
    def _protection(self) -> Attribute.Permissions:
        return Attribute.WRITE_REQUIRES_ENCRYPTION if self._protocol.pair else Attribute.Permissions(0)

    def _written(self, short: int, value: bytes) -> None:
        if not all(self.hears(one) for one in (short, self._protocol.subscribe[0])):
            raise ATT_Error(ErrorCode.CCCD_IMPROPERLY_CONFIGURED)
        try:
            self.on_write(short, value)
        except Busy as error:
            raise ATT_Error(ErrorCode.PROCEDURE_ALREADY_IN_PROGRESS) from error


def _readable(short: int, value: bytes | CharacteristicValue[bytes]) -> Characteristic[bytes]:
    return Characteristic(_uuid(short), _Properties.READ, Attribute.READABLE, value)


def _uuid(short: int) -> UUID:
    return UUID.from_16_bits(short)


def _advertising_data(name: str, service: int) -> bytes:
    flags = AdvertisingData.Flags.LE_GENERAL_DISCOVERABLE_MODE | AdvertisingData.Flags.BR_EDR_NOT_SUPPORTED
    return bytes(
        AdvertisingData([
            (AdvertisingData.Type.FLAGS, bytes([flags])),
            (AdvertisingData.Type.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS, service.to_bytes(2, "little")),
            (AdvertisingData.Type.SHORTENED_LOCAL_NAME, name.encode()[:18]),
        ])
    )  # fmt: skip
