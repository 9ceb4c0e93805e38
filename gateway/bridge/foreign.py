"""The foreign broker: one persistent session, one connection after another, acknowledged by hand.

A connection is never made again under the same client object: a PUBACK meant for a connection that has ended can
only go nowhere, never to another message that happens to bear its number now.

    paho's thread --on_message--> _inbox --batch()--> the bridge --acknowledge()--> paho's thread
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from gateway.bridge.config import ForeignBroker

CONNECT_SECONDS: Final = 10.0
MOST_AT_ONCE: Final = 1000  # messages of one batch
MOST_UNASKED: Final = 10_000  # QoS 0 messages kept in memory: nothing holds their sender back


class ForeignMessage(NamedTuple):
    """One delivery."""

    topic: str
    payload: bytes
    qos: int
    mid: int


class ForeignLostError(ConnectionError):
    """The connection could not be made, was refused, or has ended."""


class ForeignConnection:
    """One connection; ``open`` makes it, ``lost`` says why it has ended."""

    def __init__(self, broker: ForeignBroker, client_id: str, filters: Sequence[str]) -> None:
        self._loop = asyncio.get_running_loop()
        self._broker = broker
        self._filters = [f"$share/{broker.share}/{text}" if broker.share else text for text in filters]
        self._inbox: deque[ForeignMessage] = deque()
        self._arrived = asyncio.Event()
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self.lost: asyncio.Future[str] = self._loop.create_future()
        self.dropped = 0  # QoS 0 messages there was no room for
        self.session_present = False
        self._client = self._make_client(client_id)

    def _make_client(self, client_id: str) -> paho.Client:
        at, five = self._broker, self._broker.protocol == "5"
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=None if five else False,
            protocol=paho.MQTTv5 if five else paho.MQTTv311,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        if at.username:
            password = (
                Path(at.password_file).read_text(encoding="utf-8").partition("\n")[0] if at.password_file else None
            )
            client.username_pw_set(at.username, password)
        if at.tls:
            client.tls_set(at.ca_file or None, at.cert_file or None, at.key_file or None)
        client.connect_timeout = CONNECT_SECONDS
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_disconnect = lambda _client, _data, _flags, code, _more: self._tell(self._lose, str(code))
        return client

    async def open(self) -> None:
        """Connects and subscribes.

        Raises:
            ForeignLostError: no connection, no answer, refused, or a subscription not granted.
        """
        try:
            async with asyncio.timeout(2 * CONNECT_SECONDS):
                await asyncio.to_thread(self._connect)
                self._client.loop_start()
                await asyncio.wait((self._ready, self.lost), return_when=asyncio.FIRST_COMPLETED)
        except (OSError, TimeoutError, ValueError) as error:
            self._lose(f"cannot connect: {str(error) or 'no answer'}")
        if self.lost.done():
            raise ForeignLostError(self.lost.result())

    def _connect(self) -> None:
        at = self._broker
        if at.protocol != "5":
            self._client.connect(at.host, at.port, at.keepalive)
            return
        wishes = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho leaves it untyped
        wishes.SessionExpiryInterval = min(int(at.session_hours * 3600), 0xFFFF_FFFE)
        wishes.ReceiveMaximum = at.receive_maximum
        self._client.connect(at.host, at.port, at.keepalive, clean_start=False, properties=wishes)

    async def batch(self) -> list[ForeignMessage]:
        """What has arrived since the last call, in order; waits for the first message.

        Raises:
            ForeignLostError: the connection has ended, and everything that came over it has been handed over.
        """
        while not self._inbox:
            if self.lost.done():
                raise ForeignLostError(self.lost.result())
            await self._arrived.wait()
            self._arrived.clear()
        return [self._inbox.popleft() for _ in range(min(MOST_AT_ONCE, len(self._inbox)))]

    def acknowledge(self, messages: Sequence[ForeignMessage]) -> None:
        """Tells the broker to forget them, in the order they came (MQTT 3.1.1, 4.6; MQTT 5, 4.6)."""
        for message in messages:
            if message.qos:
                self._client.ack(message.mid, message.qos)

    async def close(self) -> None:
        """Says goodbye, if there is anybody, and ends paho's thread. The session stays at the broker."""
        self._client.disconnect()
        await asyncio.to_thread(self._client.loop_stop)

    # ---- in paho's thread

    def _on_connect(self, client: paho.Client, _data: Any, flags: Any, code: ReasonCode, _more: Any) -> None:
        if code.is_failure:
            self._tell(self._lose, f"refused: {code}")
            return
        self.session_present = bool(flags.session_present)
        if self._broker.protocol == "5":
            client.subscribe([(text, SubscribeOptions(qos=1, retainHandling=1)) for text in self._filters])
        else:
            client.subscribe([(text, 1) for text in self._filters])

    def _on_subscribe(
        self, _client: paho.Client, _data: Any, _mid: int, codes: Sequence[ReasonCode], _more: Any
    ) -> None:
        poor = [f"{text}: {code}" for text, code in zip(self._filters, codes, strict=False) if code.value != 1]
        if poor:  # QoS 0 would lose messages without a word
            self._tell(self._lose, f"subscription not granted at QoS 1: {', '.join(poor)}")
        else:
            self._tell(self._make_ready)

    def _on_message(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        if message.qos == 0 and len(self._inbox) >= MOST_UNASKED:
            self.dropped += 1
            return
        try:
            topic = message.topic
        except UnicodeDecodeError:  # no broker should let it through; without a topic it is refused, and kept
            topic = ""
        self._inbox.append(ForeignMessage(topic, bytes(message.payload), message.qos, message.mid))
        self._tell(self._arrived.set)

    def _tell(self, what: Callable[..., object], *arguments: object) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(what, *arguments)

    # ---- on the event loop

    def _make_ready(self) -> None:
        if not self._ready.done():
            self._ready.set_result(None)

    def _lose(self, reason: str) -> None:
        if not self.lost.done():
            self.lost.set_result(reason)
        self._arrived.set()
