"""A hospital's other broker and the devices on it: a real Mosquitto that can be killed, and QoS 1 publishers.

with Mosquitto(folder) as broker, Devices(broker.port, "bed-1", "bed-2") as devices:
    devices.produce(rate=200)          # readings a second, until devices.stop()
    ... break something ...
    devices.stop(); devices.settle()   # every reading has its PUBACK
devices.sent                           # {(unit, observed_at in us): heart rate}
"""

import itertools
import json
import queue
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from tests.acceptance.process import eventually
from tests.free_port import free_port

USER, PASSWORD = "bridge", "not a secret"  # as which bridges may come; devices need no name
TICK = 0.02  # s between bursts of produce()
SAVES_EVERY = 1  # s, autosave_interval: what a killed Mosquitto may forget of what it had acknowledged
NO_SUBSCRIBER = 16  # MQTT 5, 3.4.2.1: taken from the sender, and dropped
# Left at their defaults, the limits drop messages without a word, and the file is saved every 30 minutes.
CONFIG = """listener {tls_port} 127.0.0.1
certfile {folder}/cert.pem
keyfile {folder}/key.pem
listener {port} 127.0.0.1
allow_anonymous true
password_file {folder}/passwords
persistence true
persistence_location {folder}/
autosave_interval {saves}
max_inflight_messages 0
max_queued_messages 0
user {user}
"""


class Mosquitto:
    """One broker process; killed and started again it keeps its port and what it had saved."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.port = free_port(2)
        self.tls_port = self.port + 1
        self.certificate = folder / "cert.pem"
        self._folder = folder
        self._make_keys()
        self._config = folder / "mosquitto.conf"
        user = folder.owner()
        self._config.write_text(
            CONFIG.format(port=self.port, tls_port=self.tls_port, folder=folder, saves=SAVES_EVERY, user=user)
        )
        self._process: subprocess.Popen[bytes]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def start(self) -> None:
        program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        with (self._folder / "mosquitto.log").open("ab") as log:
            self._process = subprocess.Popen([program, "-c", str(self._config)], stdout=log, stderr=log)
        eventually(self._listens, "mosquitto listens", 20)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def _make_keys(self) -> None:
        """A certificate of its own, and one user with a password."""
        (self._folder / "passwords").touch(0o600)
        for command in (
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
             "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2",
             "-keyout", str(self._folder / "key.pem"), "-out", str(self.certificate)],
            ["mosquitto_passwd", "-b", str(self._folder / "passwords"), USER, PASSWORD],
        ):  # fmt: skip
            subprocess.run(command, check=True, capture_output=True)

    def _listens(self) -> bool:
        assert self._process.poll() is None, (self._folder / "mosquitto.log").read_text()
        with socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True


class Reading(NamedTuple):
    """One reading a device has published, and its bytes."""

    unit: str
    observed_at: int  # us
    heart_rate: int
    payload: bytes


class Devices:
    """Foreign devices that publish flat JSON at QoS 1 (MQTT 5) on wards/{unit}/vitals, and again what was not taken."""

    def __init__(self, port: int, *units: str) -> None:
        self.sent: dict[tuple[str, int], int] = {}
        self._units = itertools.cycle(units)
        self._taken: dict[tuple[str, int], tuple[float, Reading]] = {}  # by the broker, and when
        self._on_the_way: dict[int, Reading] = {}
        self._results: queue.SimpleQueue[tuple[int, int]] = queue.SimpleQueue()
        self._doubted: queue.SimpleQueue[float] = queue.SimpleQueue()
        self._produced = 0
        self._rate = 0.0
        self._last_ms = 0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id="ward", protocol=paho.MQTTv5)
        self._client.max_inflight_messages_set(0)
        self._client.reconnect_delay_set(min_delay=1, max_delay=1)
        self._client.on_publish = self._on_publish
        self._client.connect("127.0.0.1", port, keepalive=10)

    def __enter__(self) -> Self:
        self._client.loop_start()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        self._thread.join()
        self._client.disconnect()
        self._client.loop_stop()

    @property
    def connected(self) -> bool:
        return self._client.is_connected()

    def produce(self, rate: float) -> None:
        """From now on so many readings a second."""
        self._rate = rate

    def stop(self) -> None:
        self._rate = 0.0

    def more(self, count: int, timeout: float = 60) -> None:
        """Waits until so many more readings have been taken by the broker."""
        target = len(self._taken) + count
        eventually(lambda: len(self._taken) >= target, f"{count} more readings are taken", timeout)

    def doubt(self, seconds: float) -> None:
        """Publishes again what was taken in the last seconds: its broker was killed before it had saved them."""
        self._doubted.put(time.monotonic() - seconds)

    def settle(self) -> None:
        """Waits until the broker has taken every reading."""
        eventually(lambda: self._doubted.empty() and len(self._taken) == len(self.sent), "all readings are taken", 60)

    def publish(self, topic: str, payload: bytes, qos: int = 1) -> None:
        """Any other message; returns when the broker has taken it."""
        self._client.publish(topic, payload, qos).wait_for_publish(10)

    # ---- in its thread ----------------------------------------------------------------------------------------------
    def _run(self) -> None:
        owed = 0.0
        while not self._end.wait(TICK):
            owed = min(owed + self._rate * TICK, 200)
            while owed >= 1 and self._rate:
                owed -= 1
                self._publish(self._make())
            while not self._results.empty():
                self._heed(*self._results.get())
            while not self._doubted.empty():
                self._again(self._doubted.get())

    def _make(self) -> Reading:
        self._last_ms = ms = max(self._last_ms + 1, time.time_ns() // 1_000_000)
        rate = 60 + self._produced % 40
        self._produced += 1
        payload = json.dumps({"device": "monitor", "ts": ms, "hr": rate, "firmware": "9.1"}).encode()
        reading = Reading(next(self._units), ms * 1000, rate, payload)
        self.sent[reading.unit, reading.observed_at] = rate
        return reading

    def _publish(self, reading: Reading) -> None:
        self._on_the_way[self._client.publish(f"wards/{reading.unit}/vitals", reading.payload, 1).mid] = reading

    def _heed(self, mid: int, code: int) -> None:
        reading = self._on_the_way.pop(mid, None)
        if reading is None:
            return  # one of publish()
        if code == NO_SUBSCRIBER:
            self._publish(reading)
        else:
            self._taken[reading.unit, reading.observed_at] = time.monotonic(), reading

    def _again(self, since: float) -> None:
        for name, (at, reading) in list(self._taken.items()):
            if at >= since:
                del self._taken[name]
                self._publish(reading)

    def _on_publish(self, _client: paho.Client, _data: object, mid: int, code: Any, _more: object) -> None:
        self._results.put((mid, code.value))
