"""One MQTT 3.1.1 connection on asyncio, over paho-mqtt's public loop functions.

Why not aiomqtt: its ``publish`` is one task, one event and one timeout per message, and a half-open connection cannot
be dropped without its private attributes. Here a publish is a call, a PUBACK a callback, and ``abort`` closes the
socket. The receiving side takes QoS 0 only (ack, cmd), so its early PUBACK does not matter.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Any, Final

import msgspec
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.reasoncodes import ReasonCode

from edge_agents.scaled_clock import machine_seconds

CONNECT_SECONDS: Final = 10.0
_SEND_BUFFER: Final = 64 * 1024  # what waits in the kernel cannot be overtaken by an alarm
_GOODBYE_SECONDS: Final = 1.0


class MqttLostError(ConnectionError):
    """The connection could not be made, was refused, or has ended."""


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where and as whom to connect."""

    host: str
    port: int
    client_id: str
    username: str
    password: str
    keepalive: int = 15
    will_topic: str = ""
    will_payload: bytes = b""


class MqttConnection:
    """An open connection; every callback runs on the event loop."""

    def __init__(
        self, endpoint: Endpoint, on_puback: Callable[[int], None], on_message: Callable[[str, bytes], None]
    ) -> None:
        """Prepare; ``open`` connects."""
        self._loop = asyncio.get_running_loop()
        self._endpoint = endpoint
        self._on_puback = on_puback
        self._on_message = on_message
        self._accepted: asyncio.Future[None] = self._loop.create_future()
        self.lost: asyncio.Future[str] = self._loop.create_future()  # the reason, once the connection has ended
        self._sock: socket.socket | None = None
        self._client = self._make_client()

    def _make_client(self) -> paho.Client:
        at = self._endpoint
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=at.client_id,
            clean_session=True,
            protocol=paho.MQTTv311,
            reconnect_on_failure=False,
        )
        client.username_pw_set(at.username, at.password)
        client.connect_timeout = CONNECT_SECONDS
        client.max_inflight_messages_set(0)  # the uplink keeps its own window
        if at.will_topic:
            client.will_set(at.will_topic, at.will_payload, qos=1)
        client.on_connect = self._connected
        client.on_disconnect = self._disconnected
        client.on_publish = lambda _client, _data, mid, _code, _properties: self._on_puback(mid)
        client.on_message = lambda _client, _data, message: self._on_message(message.topic, bytes(message.payload))
        return client

    async def open(self) -> None:
        """Connect and wait for the broker's acceptance.

        Raises:
            MqttLostError: no connection, no answer, or refused (bad credentials ...).
        """
        at = self._endpoint
        try:
            async with asyncio.timeout(machine_seconds(2 * CONNECT_SECONDS)):
                await asyncio.to_thread(self._client.connect, at.host, at.port, at.keepalive)
                self._attach()
                await asyncio.wait((self._accepted, self.lost), return_when=asyncio.FIRST_COMPLETED)
        except (OSError, TimeoutError, ValueError) as error:
            self.abort(f"cannot connect: {error!s}" if isinstance(error, OSError) and str(error) else "cannot connect")
        if self.lost.done():
            raise MqttLostError(self.lost.result())

    def subscribe(self, *topics: str) -> None:
        """Ask for topics at QoS 0."""
        self._client.subscribe([(topic, 0) for topic in topics])

    def publish(self, topic: str, payload: bytes) -> int:
        """Send at QoS 1; returns the message id ``on_puback`` will name.

        Raises:
            MqttLostError: the connection has ended.
        """
        info = self._client.publish(topic, payload, qos=1)
        if info.rc not in (MQTTErrorCode.MQTT_ERR_SUCCESS, MQTTErrorCode.MQTT_ERR_AGAIN) or self.lost.done():
            self.abort(paho.error_string(info.rc))
            raise MqttLostError(self.lost.result())
        return info.mid

    def tick(self) -> None:
        """Once a second: keepalive pings."""
        self._client.loop_misc()

    def abort(self, reason: str) -> None:
        """Drop the connection at once, without a goodbye (so the broker publishes the last will)."""
        self._detach()
        if not self.lost.done():
            self.lost.set_result(reason)

    async def close(self) -> None:
        """Say goodbye (no last will) and drop the connection."""
        if not self.lost.done():
            self._client.disconnect()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(machine_seconds(_GOODBYE_SECONDS)):
                    await asyncio.wait((self.lost,))
        self.abort("closed")

    # ---- paho's side

    def _attach(self) -> None:
        sock = self._client.socket()
        if not isinstance(sock, socket.socket):
            raise OSError("the connection ended while it was made")
        self._sock = sock
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        self._loop.add_reader(sock, self._readable)
        self._client.on_socket_register_write = self._want_write
        self._client.on_socket_unregister_write = self._unwant_write
        self._client.on_socket_close = lambda _client, _data, _sock: self._detach()
        if self._client.want_write():
            self._loop.add_writer(sock, self._writable)

    def _detach(self) -> None:
        if (sock := self._sock) is None:
            return
        self._sock = None
        self._loop.remove_reader(sock)
        self._loop.remove_writer(sock)
        self._client.on_socket_unregister_write = None
        self._client.on_socket_register_write = None
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
        sock.close()

    def _want_write(self, _client: Any, _data: Any, sock: Any) -> None:
        self._loop.add_writer(sock, self._writable)

    def _unwant_write(self, _client: Any, _data: Any, sock: Any) -> None:
        self._loop.remove_writer(sock)

    def _readable(self) -> None:
        self._pump(self._client.loop_read)

    def _writable(self) -> None:
        self._pump(self._client.loop_write)

    def _pump(self, step: Callable[[], MQTTErrorCode]) -> None:
        try:
            code = step()
        except (OSError, ValueError, RuntimeError) as error:
            self.abort(f"broken: {error}")
            return
        if code not in (MQTTErrorCode.MQTT_ERR_SUCCESS, MQTTErrorCode.MQTT_ERR_AGAIN):
            self.abort(paho.error_string(code))

    def _connected(self, _client: Any, _data: Any, _flags: Any, code: ReasonCode, _properties: Any) -> None:
        if code.is_failure:
            self.abort(f"refused: {code}")
        elif not self._accepted.done():
            self._accepted.set_result(None)

    def _disconnected(self, _client: Any, _data: Any, _flags: Any, code: ReasonCode, _properties: Any) -> None:
        if not self.lost.done():
            self.lost.set_result(str(code))
