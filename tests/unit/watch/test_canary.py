"""The canary's connection, against a real broker."""

import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from gateway.contract.envelope import Ack, Lane, LaneAck
from gateway.contract.observation import Observation
from gateway.contract.topic import Channel, UnitAddress, UnitKind
from gateway.contract.wire import decode, encode
from gateway.watch.canary import EVERY, Canary
from tests.unit.edge.stand_in import Broker

pytestmark = pytest.mark.server("mosquitto")
ADDRESS = UnitAddress("system", UnitKind.WATCH, "watch")
GARBAGE = (b"", b"{", b"\xff\xfe", b'{"server_time": "soon", "lanes": []}', b'{"server_time": 1, "lanes": [7]}')


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    broker = Broker(tmp_path)
    await broker.start()
    yield broker
    await broker.kill()


class Commits:
    """Acks each canary, after bytes that are no ack at all."""

    def __init__(self, port: int) -> None:
        self.came = {seq: threading.Event() for seq in range(3)}
        self.client = paho.Client(CallbackAPIVersion.VERSION2, client_id="gateway")
        self.client.on_connect = lambda client, *_: client.subscribe(ADDRESS.topic(Channel.OBS), qos=1)
        self.client.on_message = self._take
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()

    def _take(self, client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        canary = decode(Channel.OBS, bytes(message.payload))
        assert isinstance(canary, Observation)
        lane = LaneAck(epoch=canary.epoch, lane=Lane.OBS, watermark=canary.seq + 1)
        for payload in (*GARBAGE, encode(Ack(server_time=1, lanes=[lane]))):
            client.publish(ADDRESS.topic(Channel.ACK), payload)
        self.came[canary.seq].set()

    def stop(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


async def test_an_ack_that_cannot_be_read_is_passed_over_and_the_next_canary_sets_out(broker: Broker) -> None:
    seconds = 0.0
    commits = Commits(broker.port)
    canary = Canary(ADDRESS, "t", clock=lambda: 1, tick=lambda: seconds)
    canary.start("127.0.0.1", broker.port)
    try:
        for came in commits.came.values():  # each but the first only after the ack of the one before
            while not came.wait(0.05):
                seconds += EVERY
                canary.step()
    finally:
        canary.stop()
        commits.stop()
    assert canary.committed_at is not None
    assert canary.misread == "", "the last ack was a good one"


def test_what_is_wrong_with_an_ack_is_kept_until_a_good_one_comes() -> None:
    canary = Canary(ADDRESS, "t", clock=lambda: 1, tick=lambda: 0.0)
    for payload in GARBAGE:
        message = paho.MQTTMessage()
        message.payload = payload
        canary._on_message(None, None, message)
        assert canary.misread.startswith("the canary's ack cannot be read: ")
    message = paho.MQTTMessage()
    message.payload = encode(Ack(server_time=1, lanes=[]))
    canary._on_message(None, None, message)
    assert canary.misread == ""
