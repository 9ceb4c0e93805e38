"""The virtual radio of a unit: simulated Bluetooth controllers within reach of each other, and ports for agents.

::

    peripherals (gatt_peripheral.py) -- RadioController --+
                                                          +-- LocalLink -- RadioController -- HCI over TCP -- agent
    scanner reports (advertiser.py) ----------- Port.hear ------------------^

Everything above the air is the real protocol: HCI, link layer control, L2CAP, ATT, SMP. An agent reaches it with
``?hci=tcp-client:host:port``. Whoever connects to a port gets a controller of his own and loses it with the connection,
as if he pulled a USB stick: peers then see a supervision timeout.
"""

import asyncio
import contextlib
import logging
from typing import Final

from bumble import core, hci, ll
from bumble.controller import Connection, Controller
from bumble.link import LocalLink
from bumble.transport.common import StreamPacketSource, TransportSink

from firmware_sims.hosts.host import Stage

DEFAULT_RSSI: Final = -60  # dBm
MAX_UNSENT: Final = 64 * 1024  # bytes a host may lag behind before its controller hears no more advertisements
_KEY: Final = "bluetooth"
_REPORT_HEAD: Final = hci.HCI_EVENT_PACKET, hci.HCI_LE_META_EVENT
# its warnings are of packets that were under way when a connection ended, which is what cut links are made of
logging.getLogger("bumble").setLevel(logging.CRITICAL)


class RadioController(Controller):
    """Bumble's controller with the manners of a real one: signal strength, cancelling, connections that fail or break.

    It is one of Bluetooth 4.2: no extended advertising, so hosts use the legacy commands and get legacy reports.
    """

    le_features = Controller.le_features & ~(
        hci.LeFeatureMask.LE_EXTENDED_ADVERTISING | hci.LeFeatureMask.LE_PERIODIC_ADVERTISING
    )

    def __init__(self, name: str, air: "Air", host: TransportSink | None = None) -> None:
        """Joins the air."""
        super().__init__(name, host_sink=host, link=air.link)
        self._air = air

    def on_advertising_pdu(self, pdu: ll.AdvInd | ll.AdvExtInd) -> None:
        """Reports what is heard once (Bumble: also as a scan response), as strong as the air says."""
        address = pdu.advertiser_address
        if self.le_scan_enable:
            rssi = self._air.rssi.get(str(address), DEFAULT_RSSI)
            head = bytes([hci.HCI_LE_Advertising_Report_Event.EventType.ADV_IND, address.address_type]) + bytes(address)
            self.hear(head + bytes([len(pdu.data)]) + pdu.data + (rssi & 0xFF).to_bytes(1, "big"))
        if self.pending_le_connection is not None and self.pending_le_connection.peer_address == address:
            self.create_le_connection(address)

    def hear(self, report: bytes) -> bool:
        """Passes a report on to the host when it scans; whether it does. Layout as edge_agents.protocol says."""
        if not self.le_scan_enable or self.host is None:
            return False
        subevent = bytes([hci.HCI_LE_ADVERTISING_REPORT_EVENT, 1]) + report
        self.host.on_packet(bytes([*_REPORT_HEAD, len(subevent)]) + subevent)
        return True

    def on_hci_le_create_connection_cancel_command(
        self, _command: hci.HCI_LE_Create_Connection_Cancel_Command
    ) -> hci.HCI_StatusReturnParameters:
        """Bluetooth Core 5.4 Vol 4 Part E 7.8.13; Bumble's controller goes on trying for ever."""
        pending, self.pending_le_connection = self.pending_le_connection, None
        if pending is None:
            return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.COMMAND_DISALLOWED_ERROR)
        asyncio.get_running_loop().call_soon(
            self.send_hci_packet,
            hci.HCI_LE_Connection_Complete_Event(
                status=hci.HCI_ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR,
                connection_handle=0,
                role=hci.Role.CENTRAL,
                peer_address_type=pending.peer_address.address_type,
                peer_address=pending.peer_address,
                connection_interval=0,
                peripheral_latency=0,
                supervision_timeout=0,
                central_clock_accuracy=0,
            ),
        )
        return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.SUCCESS)

    def create_le_connection(self, peer_address: hci.Address) -> None:
        """Also notices that the peer has meanwhile connected to somebody else."""
        super().create_le_connection(peer_address)
        asyncio.get_running_loop().call_soon(self._check_established, peer_address)

    def _check_established(self, peer_address: hci.Address) -> None:
        connection = self.le_connections.get(peer_address)
        peer = self.link.find_le_controller(peer_address)
        if connection is not None and (peer is None or connection.self_address not in peer.le_connections):
            self.on_le_disconnected(connection, hci.HCI_ErrorCode.CONNECTION_FAILED_TO_BE_ESTABLISHED_ERROR)

    def cut(self) -> None:
        """Goes out of reach: both ends of every connection see a supervision timeout."""
        for connection in list(self.le_connections.values()):
            self._end(connection, hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR)

    def _end(self, connection: Connection, reason: int) -> None:
        with contextlib.suppress(core.InvalidArgumentError):  # the peer went first
            connection.send_ll_control_pdu(ll.TerminateInd(reason))
        self.on_le_disconnected(connection, reason)

    def leave(self) -> None:
        """Leaves the air for good."""
        self.le_legacy_advertiser.stop()
        self.le_scan_enable = False
        self.cut()
        self.host = None
        self.link.remove_controller(self)


class _Socket(StreamPacketSource):
    """One host on a port, and its controller."""

    def __init__(self, port: "Port") -> None:
        super().__init__()
        self._port = port

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        assert isinstance(transport, asyncio.WriteTransport)
        self.transport = transport
        self.controller = RadioController(f"host of {self._port.name}", self._port.air, self)
        self.set_packet_sink(self.controller)
        self._port.sockets.add(self)

    def connection_lost(self, _error: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._port.sockets.discard(self)
        self.controller.leave()
        self.on_transport_lost()

    def on_packet(self, packet: bytes) -> None:
        """A packet for the host (as bumble.transport.common.TransportSink)."""
        is_report = packet[0] == hci.HCI_EVENT_PACKET and packet[3:4] == bytes([hci.HCI_LE_ADVERTISING_REPORT_EVENT])
        if is_report and self.transport.get_write_buffer_size() > MAX_UNSENT:
            return  # a controller whose host does not read drops reports first
        self.transport.write(packet)


class Port:
    """A TCP port behind which there is a controller for everybody who connects."""

    def __init__(self, name: str, air: "Air") -> None:
        self.name = name
        self.air = air
        self.spec = ""  # once open: as ``?hci=`` takes it
        self.sockets: set[_Socket] = set()
        self._server: asyncio.Server | None = None

    async def open(self, host: str, port: int) -> None:
        """Raises OSError when the port is taken; 0 takes a free one."""
        self._server = await asyncio.get_running_loop().create_server(lambda: _Socket(self), host, port)
        bound_host, bound = self._server.sockets[0].getsockname()[:2]
        self.spec = f"tcp-client:{bound_host}:{bound}"

    def hear(self, report: bytes) -> bool:
        """Every host here that scans hears an advertisement (edge_agents.protocol, Advert); whether any does."""
        heard = [socket.controller.hear(report) for socket in list(self.sockets)]
        return any(heard)

    @property
    def scanning(self) -> bool:
        """Whether any host here scans."""
        return any(socket.controller.le_scan_enable for socket in self.sockets)

    async def close(self) -> None:
        """Pulls the sticks out."""
        sockets = list(self.sockets)
        for socket in sockets:
            socket.transport.close()
        for socket in sockets:
            await socket.terminated
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()


class Air:
    """What the Bluetooth hosts of a unit share."""

    def __init__(self, listen_host: str) -> None:
        self.link: LocalLink = LocalLink()  # type: ignore[no-untyped-call]
        self.rssi: dict[str, int] = {}  # dBm by advertiser's address, where it is not DEFAULT_RSSI
        self._listen_host = listen_host
        self._ports: dict[str, Port] = {}
        self._users = 0

    @classmethod
    def of(cls, stage: Stage) -> "Air":
        """The unit's air; made when first asked for."""
        air: Air = stage.air.setdefault(_KEY, cls(stage.listen_host))
        return air

    async def join(self, port: int, name: str = "") -> Port:
        """The port of that name ("" = the unit's common one), opened when first asked for; ``leave`` must follow.

        Raises:
            OSError: the TCP port is taken.
        """
        self._users += 1
        held = self._ports.get(name)
        if held is None:
            held = self._ports[name] = Port(name or "the unit", self)
            await held.open(self._listen_host, port)
        return held

    async def leave(self) -> None:
        """The last one closes all ports."""
        self._users -= 1
        if not self._users:
            for port in self._ports.values():
                await port.close()
            self._ports.clear()
