"""A bleak backend on Bumble: Bluetooth on a controller reached over HCI, without the operating system's stack.

::

    BumbleScanner, BumbleClient (bleak) --> Radio: one Bumble host --HCI--> a controller (USB stick, virtual radio)
"""

import contextlib
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any, Final

from bleak.args import SizedBuffer
from bleak.assigned_numbers import gatt_char_props_to_strs
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient, NotifyCallback
from bleak.backends.descriptor import BleakGATTDescriptor
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, AdvertisementDataCallback, BaseBleakScanner
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from bleak.exc import BleakError
from bleak.uuids import normalize_uuid_16, normalize_uuid_str
from bumble import att, core, hci
from bumble.core import AdvertisingData
from bumble.device import Connection, Peer
from bumble.gatt_client import Client

from edge_agents.links.ble_confirmation import Confirmation
from edge_agents.links.bumble_radio import Radio, Report, bleak_errors, radio

MAX_MTU: Final = 517  # what the operating systems' own stacks ask for
_UUID_LISTS: Final = {
    AdvertisingData.Type.INCOMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS: 2,  # bytes of each
    AdvertisingData.Type.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS: 2,
    AdvertisingData.Type.INCOMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS: 16,
    AdvertisingData.Type.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS: 16,
}


class BumbleScanner(BaseBleakScanner):
    """Every report as it is heard, duplicates too.

    ``platform_data`` of an advertisement is (the report as in an HCI LE Advertising Report event,).
    """

    def __init__(
        self,
        detection_callback: AdvertisementDataCallback | None,
        service_uuids: list[str] | None,
        scanning_mode: str,
        *,
        hci: str,
        **_others: Any,
    ) -> None:
        """``hci``: Bumble's name for the transport to the controller. Other backends' arguments mean nothing here."""
        super().__init__(detection_callback, service_uuids)
        self._active = scanning_mode == "active"
        self._spec = hci
        self._radio: Radio
        self._held = AsyncExitStack()

    async def start(self) -> None:
        """See BaseBleakScanner."""
        self.seen_devices = {}
        self._radio = await self._held.enter_async_context(radio(self._spec))
        try:
            await bleak_errors(self._radio.listen(self._heard, active=self._active))
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """See BaseBleakScanner."""
        async with self._held:
            await bleak_errors(self._radio.unlisten(self._heard))

    def _heard(self, report: Report) -> None:
        advertisement = _advertisement(report)
        if self.is_allowed_uuid(advertisement.service_uuids):
            address = _plain(report.address)
            device = self.create_or_update_device(
                address, address, advertisement.local_name, report.address, advertisement
            )
            self.call_detection_callbacks(device, advertisement)


def _advertisement(report: Report) -> AdvertisementData:
    name: str | None = None
    maker: dict[int, bytes] = {}
    service_data: dict[str, bytes] = {}
    services: list[str] = []
    power: int | None = None
    kinds = AdvertisingData.Type
    for kind, data in AdvertisingData.from_bytes(report.data).ad_structures:
        match kind:
            case kinds.COMPLETE_LOCAL_NAME | kinds.SHORTENED_LOCAL_NAME:
                name = data.decode("utf-8", "replace")
            case kinds.MANUFACTURER_SPECIFIC_DATA if len(data) >= 2:
                maker[int.from_bytes(data[:2], "little")] = data[2:]
            case kinds.SERVICE_DATA_16_BIT_UUID if len(data) >= 2:
                service_data[normalize_uuid_16(int.from_bytes(data[:2], "little"))] = data[2:]
            case kinds.SERVICE_DATA_128_BIT_UUID if len(data) >= 16:
                service_data[_uuid_text(core.UUID.from_bytes(data[:16]))] = data[16:]
            case kind if kind in _UUID_LISTS:
                found = AdvertisingData.uuid_list_to_objects(data, _UUID_LISTS[kind])
                services += [_uuid_text(uuid) for uuid in found]
            case kinds.TX_POWER_LEVEL if len(data) == 1:
                power = int.from_bytes(data, "big", signed=True)
    return AdvertisementData(name, maker, service_data, services, power, report.rssi, (raw_report(report),))


def raw_report(report: Report) -> bytes:
    """As in an HCI LE Advertising Report event: event type, address type, address, length, data, RSSI."""
    head = bytes([_event_type(report), report.address.address_type]) + bytes(report.address)
    return head + bytes([len(report.data)]) + report.data + (report.rssi & 0xFF).to_bytes(1, "big")


def _event_type(report: Report) -> int:
    """The legacy event type, also of an extended report (Bluetooth Core 5.4 Vol 4 Part E 7.7.65.2 and 7.7.65.13)."""
    if isinstance(report, hci.HCI_LE_Advertising_Report_Event.Report):
        return int(report.event_type)
    connectable, scannable, directed, response = ((report.event_type >> bit) & 1 for bit in range(4))
    if response:
        return 4
    if connectable:
        return 1 if directed else 0
    return 2 if scannable else 3


def _plain(address: hci.Address) -> str:
    return address.to_string(with_type_qualifier=False)


def _uuid_text(uuid: core.UUID) -> str:
    return normalize_uuid_str(uuid.to_hex_str("-"))


# ---- connections -----------------------------------------------------------------------------------------------------
class BumbleClient(BaseBleakClient):
    """One connection as the central."""

    def __init__(
        self,
        address_or_ble_device: BLEDevice | str,
        *,
        disconnected_callback: Callable[[], None] | None,
        timeout: float,
        hci: str,
        services: set[str] | None = None,
        confirmation: Confirmation | None = None,
        **_others: Any,
    ) -> None:
        """``hci``: as BumbleScanner; ``confirmation``: holds that of an indication back, if given.

        Other backends' arguments mean nothing here.
        """
        super().__init__(address_or_ble_device, disconnected_callback=disconnected_callback, timeout=timeout)
        self._peer = _address_of(address_or_ble_device)
        self._spec = hci
        self._wanted = services
        self._confirmation = confirmation
        self._radio: Radio
        self._held = AsyncExitStack()
        self._connection: Connection | None = None
        self._told: dict[int, Callable[[bytes], None]] = {}  # by handle of the characteristic

    @property
    def name(self) -> str:
        """See BaseBleakClient."""
        return self.address.replace(":", "-")

    @property
    def mtu_size(self) -> int:
        """See BaseBleakClient."""
        return self._open_connection.att_mtu

    @property
    def is_connected(self) -> bool:
        """See BaseBleakClient."""
        return self._connection is not None

    @property
    def _open_connection(self) -> Connection:
        if self._connection is None:
            raise BleakError("not connected")
        return self._connection

    async def connect(self, pair: bool, **_others: Any) -> None:
        """See BaseBleakClient; a BleakError also says that the device did not advertise in time."""
        self._radio = await self._held.enter_async_context(radio(self._spec))
        try:
            connection = await bleak_errors(self._radio.connect(self._peer, self._timeout))
            connection.on("disconnection", self._disconnected)
            self._connection = connection
            if self._confirmation is not None:
                _hold_back(connection.gatt_client, self._confirmation)
            await bleak_errors(connection.gatt_client.request_mtu(MAX_MTU))
            if pair:
                await self.pair()
            self.services = await bleak_errors(self._discover(connection))
        except BaseException:
            await self.disconnect()
            raise

    async def disconnect(self) -> None:
        """See BaseBleakClient."""
        async with self._held:
            connection = self._connection
            if connection is not None and not self._radio.lost.is_set():
                with contextlib.suppress(BleakError):  # it went by itself in the meantime
                    await bleak_errors(connection.disconnect())

    def _disconnected(self, _reason: int) -> None:
        self._connection = None
        if self._disconnected_callback is not None:
            self._disconnected_callback()

    async def pair(self, *_args: Any, **_others: Any) -> None:
        """See BaseBleakClient; a device that was paired with before is only asked to encrypt."""
        await bleak_errors(self._radio.secure(self._open_connection))

    async def unpair(self) -> None:
        """See BaseBleakClient."""
        await bleak_errors(self._radio.forget(self._peer))

    async def _discover(self, connection: Connection) -> BleakGATTServiceCollection:
        found = BleakGATTServiceCollection()
        peer = Peer(connection)
        for service in await peer.discover_services():
            if self._wanted is not None and _uuid_text(service.uuid) not in self._wanted:
                continue
            shown = BleakGATTService(service, service.handle, _uuid_text(service.uuid))
            found.add_service(shown)
            for characteristic in await service.discover_characteristics():
                item = BleakGATTCharacteristic(
                    characteristic, characteristic.handle, _uuid_text(characteristic.uuid),
                    list(gatt_char_props_to_strs(characteristic.properties)), self._room, shown,
                )  # fmt: skip
                found.add_characteristic(item)
                for descriptor in await characteristic.discover_descriptors():
                    found.add_descriptor(
                        BleakGATTDescriptor(descriptor, descriptor.handle, _uuid_text(descriptor.type), item)
                    )
        return found

    def _room(self) -> int:
        """Bytes of one write without response."""
        return self.mtu_size - 3

    async def read_gatt_char(self, characteristic: BleakGATTCharacteristic, **_others: Any) -> bytearray:
        """See BaseBleakClient."""
        return await self._read(characteristic.handle)

    async def read_gatt_descriptor(self, descriptor: BleakGATTDescriptor, **_others: Any) -> bytearray:
        """See BaseBleakClient."""
        return await self._read(descriptor.handle)

    async def _read(self, handle: int) -> bytearray:
        return bytearray(await bleak_errors(self._open_connection.gatt_client.read_value(handle)))

    async def write_gatt_char(self, characteristic: BleakGATTCharacteristic, data: SizedBuffer, response: bool) -> None:
        """See BaseBleakClient."""
        await self._write(characteristic.handle, data, response=response)

    async def write_gatt_descriptor(self, descriptor: BleakGATTDescriptor, data: SizedBuffer) -> None:
        """See BaseBleakClient."""
        await self._write(descriptor.handle, data, response=True)

    async def _write(self, handle: int, data: SizedBuffer, *, response: bool) -> None:
        client = self._open_connection.gatt_client
        await bleak_errors(client.write_value(handle, bytes(data), with_response=response))

    async def start_notify(
        self, characteristic: BleakGATTCharacteristic, callback: NotifyCallback, **_others: Any
    ) -> None:
        """See BaseBleakClient."""
        told = self._told.setdefault(characteristic.handle, lambda value: callback(bytearray(value)))
        await bleak_errors(self._open_connection.gatt_client.subscribe(characteristic.obj, told))

    async def stop_notify(self, characteristic: BleakGATTCharacteristic) -> None:
        """See BaseBleakClient."""
        told = self._told.pop(characteristic.handle, None)
        await bleak_errors(self._open_connection.gatt_client.unsubscribe(characteristic.obj, told))


def _hold_back(client: Client, confirmation: Confirmation) -> None:
    """Bumble confirms an indication as soon as its subscribers have returned, and has no other word for when."""
    confirm = client.on_att_handle_value_indication
    send = client.send_confirmation

    def hold(pdu: att.ATT_Handle_Value_Confirmation) -> None:
        confirmation.hold(lambda: send(pdu))

    def on_indication(indication: att.ATT_Handle_Value_Indication) -> None:
        heard = client.indication_subscribers.get(indication.attribute_handle)
        chosen: Callable[[att.ATT_Handle_Value_Confirmation], None] = hold if heard else send
        client.send_confirmation = chosen  # type: ignore[assignment, method-assign]
        confirm(indication)

    client.on_att_handle_value_indication = on_indication  # type: ignore[method-assign]


def _address_of(device: BLEDevice | str) -> hci.Address:
    if isinstance(device, BLEDevice) and isinstance(device.details, hci.Address):
        return device.details
    text = device.address if isinstance(device, BLEDevice) else device
    is_static = int(text[:2], 16) >= 0xC0  # the two top bits of a static random address are set
    return hci.Address(text, hci.AddressType.RANDOM_DEVICE if is_static else hci.AddressType.PUBLIC_DEVICE)
