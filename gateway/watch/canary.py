"""A record that goes the whole way a device's does: MQTT, log, admission, rules, database, and its ack comes back.

One canary is on its way at a time. It is published again until the gateway says that it is committed, and only then
has the next one its turn: its lane has no gap, whatever fails. Each bears the time at which it set out.
"""

import secrets
from collections.abc import Callable
from typing import Any, Final

import msgspec
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from gateway.contract.envelope import Ack, Hello, Instant, Lane, LaneState, Presence
from gateway.contract.observation import Observation
from gateway.contract.quantity import CANARY
from gateway.contract.topic import Channel, UnitAddress
from gateway.contract.wire import encode

EVERY: Final = 5.0  # s between two canaries
KEEPALIVE: Final = 10
DEVICE: Final = "watch"
_ack: Final = msgspec.json.Decoder(Ack)


class Canary:
    """One MQTT connection as a unit of its own. Callbacks run in paho's thread and only note times."""

    def __init__(
        self, address: UnitAddress, token: str, clock: Callable[[], Instant], tick: Callable[[], float]
    ) -> None:
        """``clock``: us since 1970; ``tick``: s that only grow. Nothing is opened yet."""
        self._address = address
        self._clock = clock
        self._tick = tick
        self._epoch = secrets.token_hex(8)
        self._seq = 0
        self._payload = b""
        self._due = 0.0
        self.taken_at: float | None = None  # when the broker last took one (PUBACK)
        self.committed_at: float | None = None  # when an ack last said that one is committed
        self.trouble = "not connected yet"
        self.misread = ""  # what was wrong with the last ack, if it could not be read
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id=address.unit, protocol=paho.MQTTv311)
        client.username_pw_set(address.unit, token)
        client.will_set(address.topic(Channel.HELLO), self._hello(Presence.OFFLINE), qos=1)
        client.suppress_exceptions = True  # a fault in a callback would end paho's thread, and nobody would watch
        client.connect_timeout = KEEPALIVE
        client.reconnect_delay_set(1, 4)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        self._client = client

    def start(self, host: str, port: int) -> None:
        """Connects, and connects again for as long as it runs."""
        self._client.connect_async(host, port, KEEPALIVE)
        self._client.loop_start()

    def stop(self) -> None:
        """Says good-bye, as an agent does that ends."""
        self._client.disconnect()
        self._client.loop_stop()

    def step(self) -> None:
        """Publishes what is due: a new canary, or again the one that is on its way."""
        if not self._client.is_connected() or self._tick() < self._due:
            return
        self._due = self._tick() + EVERY
        if not self._payload:
            now = self._clock()
            body = Observation(
                epoch=self._epoch, seq=self._seq, device=DEVICE, observed_at=now, values={CANARY: float(self._seq)}
            )
            self._payload = encode(body)
        self._client.publish(self._address.topic(Channel.HELLO), self._hello(Presence.ONLINE), qos=1)
        self._client.publish(self._address.topic(Channel.OBS), self._payload, qos=1)

    def _hello(self, presence: Presence) -> bytes:
        lanes = [LaneState(epoch=self._epoch, lane=Lane.OBS, first=self._seq, next=self._seq + bool(self._payload))]
        online = presence is Presence.ONLINE
        hello = Hello(presence=presence, epoch=self._epoch, sent_at=self._clock(), lanes=lanes if online else [])
        return msgspec.json.encode(hello)

    # ---- in paho's thread

    def _on_connect(self, client: paho.Client, _data: Any, _flags: Any, code: ReasonCode, _more: Any) -> None:
        if code.is_failure:
            self.trouble = f"the broker refuses the canary: {code}"
            return
        self.trouble = ""
        self._due = 0.0
        client.subscribe(self._address.topic(Channel.ACK), qos=0)

    def _on_disconnect(self, _client: Any, _data: Any, _flags: Any, code: ReasonCode, _more: Any) -> None:
        self.trouble = f"no connection to the broker: {code}"

    def _on_publish(self, *_given: Any) -> None:
        self.taken_at = self._tick()

    def _on_message(self, _client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        try:
            lanes = _ack.decode(message.payload).lanes
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            self.misread = f"the canary's ack cannot be read: {error}"
            return
        self.misread = ""
        for lane in lanes:
            if lane.epoch == self._epoch and lane.lane is Lane.OBS and lane.watermark > self._seq and self._payload:
                self._seq, self._payload = lane.watermark, b""
                self.committed_at = self._tick()
