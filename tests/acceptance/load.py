"""A unit played by the test itself over MQTT: any message, good or bad, at any rate. Its outbox is a dictionary.

    with LoadUnit(stack, stack.add_unit("amb-900")) as load:
        load.produce(rate=1000)            # observations a second, until load.stop()
        ... break something ...
        load.stop(); load.settle()         # every number acknowledged, or NotInTimeError
    assert stack.audit().green

It keeps the agent's side of the contract (numbers, hello, resend what an ack names, delete what it covers) with the
least code that can, so that a fault test needs no simulator and no outbox file.
"""

import json
import secrets
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from tests.acceptance.harness import Stack, Vehicle
from tests.acceptance.process import eventually

TICK = 0.02  # s between bursts of produce()
HELLO_EVERY = 10.0  # s


class MqttUnit:
    """A registered unit's MQTT connection: publishes whatever it is given, keeps what it receives."""

    def __init__(self, stack: Stack, vehicle: Vehicle, *, port: int | None = None) -> None:
        self.unit = vehicle.unit
        self.base = f"lm/v1/{stack.site}/ambulance/{vehicle.unit}"
        self.acks: list[dict[str, Any]] = []
        self._port = port or stack.ports()["mqtt"]
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id=vehicle.unit, protocol=paho.MQTTv311)
        self._client.username_pw_set(vehicle.unit, vehicle.token_file.read_text().strip())
        self._client.max_inflight_messages_set(1000)
        self._client.reconnect_delay_set(min_delay=1, max_delay=1)
        self._client.on_connect = self._connected
        self._client.on_message = self._received

    def __enter__(self) -> Self:
        self._client.connect_async("127.0.0.1", self._port, keepalive=15)
        self._client.loop_start()
        eventually(self._client.is_connected, f"{self.unit} connects", 15)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    @property
    def connected(self) -> bool:
        return self._client.is_connected()

    def send(self, channel: str, payload: bytes, *, qos: int = 1) -> paho.MQTTMessageInfo:
        """Publishes on the unit's own topic."""
        return self._client.publish(f"{self.base}/{channel}", payload, qos=qos)

    def send_to(self, topic: str, payload: bytes, *, qos: int = 1) -> paho.MQTTMessageInfo:
        """Publishes anywhere; the broker should refuse what is not the unit's own."""
        return self._client.publish(topic, payload, qos=qos)

    def _connected(self, client: paho.Client, *_: object) -> None:
        client.subscribe(f"{self.base}/ack", qos=0)

    def _received(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        self.acks.append(json.loads(message.payload))


class LoadUnit(MqttUnit):
    """An agent with an outbox in memory: numbers observations, resends until acknowledged."""

    def __init__(self, stack: Stack, vehicle: Vehicle, *, port: int | None = None) -> None:
        super().__init__(stack, vehicle, port=port)
        self.epoch = secrets.token_hex(8)
        self.next = 0
        self.watermark = 0
        self.sent_again = 0
        self._waiting: dict[int, dict[str, Any]] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._every(HELLO_EVERY, self.hello)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        super().__exit__(kind, error, trace)

    # ---- producing --------------------------------------------------------------------------------------------------
    def produce(self, rate: float, values: Callable[[int], dict[str, float]] = lambda n: {"spo2": 90 + n % 10}) -> None:
        """Appends ``rate`` observations a second in the background; ``values`` of observation number n."""
        owed = 0.0

        def burst() -> None:
            nonlocal owed
            owed += rate * TICK
            while owed >= 1:
                owed -= 1
                self.observe(values(self.next))

        self._every(TICK, burst)

    def observe(self, values: dict[str, float], observed_at: int | None = None, *, backfill: bool = False) -> int:
        """One observation into the outbox and, when connected, on the wire; its number."""
        at = time.time_ns() // 1000 if observed_at is None else observed_at
        with self._lock:
            seq, self.next = self.next, self.next + 1
            body = {"epoch": self.epoch, "seq": seq, "device": "monitor", "observed_at": at, "values": values}
            if backfill:
                body["backfill"] = True
            self._waiting[seq] = body
        if self.connected:
            self.send("obs", json.dumps(body).encode())
        return seq

    def stop(self) -> None:
        """Ends producing (and the regular hello)."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def settle(self, timeout: float = 60.0) -> None:
        """Waits until every number is acknowledged, saying hello and probing now and then as an agent does."""

        def settled() -> bool:
            if self.connected and self.watermark < self.next:
                self.hello()
                self._resend(sorted(self._waiting)[:1])
            return self.watermark == self.next

        eventually(settled, f"all numbers of {self.unit} are acknowledged ({self.next} produced)", timeout, 1.0)

    def hello(self) -> None:
        """Says what the outbox holds."""
        with self._lock:
            lane = {
                "epoch": self.epoch,
                "lane": "obs",
                "first": min(self._waiting, default=self.next),
                "next": self.next,
            }
            waiting = len(self._waiting)
        body = {
            "presence": "online", "epoch": self.epoch, "sent_at": time.time_ns() // 1000, "lanes": [lane],
            "profile": "ambulance", "outbox_records": waiting, "simulated": True,
        }  # fmt: skip
        if self.connected:
            self.send("hello", json.dumps(body).encode())

    # ---- hearing ----------------------------------------------------------------------------------------------------
    def _connected(self, client: paho.Client, *_: object) -> None:
        super()._connected(client)
        self.hello()
        with self._lock:
            waiting = list(self._waiting)
        self._resend(waiting)

    def _received(self, client: paho.Client, data: object, message: paho.MQTTMessage) -> None:
        super()._received(client, data, message)
        for lane in self.acks[-1]["lanes"]:
            if lane["epoch"] == self.epoch and lane["lane"] == "obs":
                self._heed(lane["watermark"], lane.get("missing", []))

    def _heed(self, watermark: int, missing: list[list[int]]) -> None:
        wanted = {seq for first, last in missing for seq in range(first, last + 1)}
        with self._lock:
            self.watermark = max(self.watermark, watermark if not wanted else min(wanted))
            for seq in [seq for seq in self._waiting if seq < watermark and seq not in wanted]:
                del self._waiting[seq]
        self._resend(sorted(wanted))

    def _resend(self, numbers: list[int]) -> None:
        for seq in numbers:
            if (body := self._waiting.get(seq)) and self.connected:
                self.sent_again += 1
                self.send("obs", json.dumps({**body, "backfill": True}).encode())

    def _every(self, seconds: float, work: Callable[[], None]) -> None:
        def loop() -> None:
            due = time.monotonic() + seconds
            while not self._stop.wait(max(0.0, due - time.monotonic())):
                due += seconds
                work()

        thread = threading.Thread(target=loop, daemon=True)
        self._threads.append(thread)
        thread.start()
