"""A Bluetooth controller reached over HCI, and the Bumble host on it, opened once in a process and shared."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, NamedTuple, TypeVar
from weakref import WeakKeyDictionary

from bleak.exc import BleakError, BleakGATTProtocolError
from bumble import core, hci
from bumble.att import ATT_Error
from bumble.device import Connection, Device, DeviceConfiguration
from bumble.host import Host
from bumble.keys import MemoryKeyStore
from bumble.pairing import PairingConfig, PairingDelegate
from bumble.transport import open_transport
from bumble.transport.common import Transport

from edge_agents.scaled_clock import machine_seconds

T = TypeVar("T")
Report = hci.HCI_LE_Advertising_Report_Event.Report | hci.HCI_LE_Extended_Advertising_Report_Event.Report
Hear = Callable[[Report], None]

OPEN_SECONDS: Final = 10.0  # for a controller to answer
CLOSE_SECONDS: Final = 2.0
# errors come as exceptions; what Bumble warns of besides (a packet after the end of its connection) needs nobody
logging.getLogger("bumble").setLevel(logging.CRITICAL)


class Identity(NamedTuple):
    """Who a controller is to peripherals; one for the life of the process, because a key is kept for an address."""

    address: hci.Address
    keys: MemoryKeyStore


_identities: dict[str, Identity] = {}


def _pairing(_connection: Connection) -> PairingConfig:
    """Just works, bonding. Without identity keys: a device is known by its address, so it must not change it."""
    keys = PairingDelegate.KeyDistribution.DISTRIBUTE_ENCRYPTION_KEY
    delegate = PairingDelegate(local_initiator_key_distribution=keys, local_responder_key_distribution=keys)
    return PairingConfig(sc=True, mitm=False, bonding=True, delegate=delegate)


class Radio:
    """A controller and the Bumble host on it."""

    def __init__(self, spec: str) -> None:
        self.spec = spec
        self.users = 0
        self.lost = asyncio.Event()
        self._connecting = asyncio.Lock()
        self.device: Device
        self._transport: Transport | None = None
        self._opening = asyncio.Lock()
        self._switching = asyncio.Lock()  # the scan on or off
        self._ears: set[Hear] = set()

    async def open(self) -> None:
        """Power the controller on; does nothing when it is.

        Raises:
            OSError: it cannot be reached, or does not answer.
        """
        async with self._opening:
            if self._transport is not None:
                return
            try:
                async with asyncio.timeout(machine_seconds(OPEN_SECONDS)):
                    self._transport = await open_transport(self.spec)
                    await self._power_on(self._transport)
                _raise_if_cancelled()
            except (core.BaseBumbleError, TimeoutError, ValueError) as error:
                await self.close()
                raise OSError(f"Bluetooth controller {self.spec}: {str(error) or 'no answer'}") from error
            except (OSError, asyncio.CancelledError):
                await self.close()
                raise

    async def _power_on(self, transport: Transport) -> None:
        identity = _identities.setdefault(self.spec, Identity(hci.Address.generate_static_address(), MemoryKeyStore()))
        config = DeviceConfiguration(name="Lastmile", address=identity.address)
        self.device = Device(config=config, host=Host(transport.source, transport.sink))
        self.device.keystore = identity.keys
        self.device.pairing_config_factory = _pairing
        self.device.on("flush", self._went)
        # Reports are taken as they come: Bumble's device would wait for scan responses, and remember every address.
        self.device.host.remove_listener("advertising_report", self.device.on_advertising_report)
        self.device.host.on("advertising_report", self._heard)
        await self.device.power_on()

    async def close(self) -> None:
        """Let the controller go; ends what is left of connections and scans."""
        if (transport := self._transport) is None:
            return
        self._transport = None
        await transport.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(machine_seconds(CLOSE_SECONDS)):
                await transport.source.terminated

    async def listen(self, hear: Hear, *, active: bool) -> None:
        """Scan, for this listener too; every report is passed on, duplicates as well."""
        async with self._switching:
            if not self._ears:
                await self.device.start_scanning(active=active, filter_duplicates=False)
            self._ears.add(hear)

    async def unlisten(self, hear: Hear) -> None:
        """The last one ends the scan."""
        async with self._switching:
            self._ears.discard(hear)
            if not self._ears and self.device.is_scanning and not self.lost.is_set():
                await self.device.stop_scanning()

    def _heard(self, report: Report) -> None:
        for hear in list(self._ears):
            hear(report)

    async def connect(self, peer: hci.Address, timeout: float) -> Connection:  # noqa: ASYNC109  the controller keeps it
        """Connect when the peer next advertises; a controller makes one connection at a time.

        Raises:
            core.BaseBumbleError: it did not in time, or the controller refused.
        """
        async with self._connecting:
            try:
                return await self.device.connect_le(peer, timeout=timeout)
            except asyncio.CancelledError:
                if not self.lost.is_set():
                    with contextlib.suppress(core.BaseBumbleError):  # nothing to cancel any more
                        await self.device.send_sync_command(hci.HCI_LE_Create_Connection_Cancel_Command())
                raise

    async def secure(self, connection: Connection) -> None:
        """Encrypt with the key of an earlier pairing, or pair when there is none or the peer has lost it."""
        if await self.device.get_long_term_key(connection.handle, b"", 0) is not None:
            try:
                await connection.encrypt()
            except core.BaseBumbleError:
                await self.forget(connection.peer_address)
                await connection.pair()
        else:
            await connection.pair()

    async def forget(self, peer: hci.Address) -> None:
        """Delete the key of an earlier pairing, if any."""
        if self.device.keystore is not None:
            with contextlib.suppress(KeyError):
                await self.device.keystore.delete(str(peer))

    def _went(self) -> None:
        """The line to the controller broke: what hung on it has ended."""
        self.lost.set()
        for connection in list(self.device.connections.values()):
            self.device.on_disconnection(connection.handle, hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR)


_radios: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, Radio]] = WeakKeyDictionary()


@asynccontextmanager
async def radio(spec: str) -> AsyncIterator[Radio]:
    """The process's only host on this controller, open while anybody uses it.

    Raises:
        OSError: the controller cannot be reached, or does not answer.
    """
    shelf = _radios.setdefault(asyncio.get_running_loop(), {})
    held = shelf.get(spec)
    if held is None or held.lost.is_set():
        held = shelf[spec] = Radio(spec)
    held.users += 1
    try:
        await held.open()
        yield held
    finally:
        held.users -= 1
        if not held.users:
            if shelf.get(spec) is held:
                del shelf[spec]
            await held.close()


async def bleak_errors(asked: Awaitable[T]) -> T:
    """Bumble's errors as bleak's; and cancelling as it is meant.

    Bumble cancels what was asked of a device that went away: that must not look like the cancelling of our own task.
    On the other hand, when an answer comes in the same moment, `asyncio.wait_for` of Python 3.11 swallows the
    cancelling of our task, and Bumble waits with it.
    """
    try:
        answer = await asked
    except asyncio.CancelledError:
        if _is_cancelled():
            raise
        raise BleakError("the device went away") from None
    except ATT_Error as error:
        raise BleakGATTProtocolError(error.error_code) from error
    except (core.BaseBumbleError, TimeoutError) as error:
        raise BleakError(str(error) or "no answer in time") from error
    _raise_if_cancelled()
    return answer


def _raise_if_cancelled() -> None:
    if _is_cancelled():
        raise asyncio.CancelledError


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0
