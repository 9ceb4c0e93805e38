"""Who speaks: a cloned outbox card, a stolen client id, a wrong or revoked token, somebody else's topic."""

import base64
import json
import shutil
from typing import Any

import httpx
import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from tests.acceptance.faults import Proof, alerts, emptied, outbox_depth, stored
from tests.acceptance.harness import DEVICES, Stack, Vehicle
from tests.acceptance.load import LoadUnit, MqttUnit
from tests.acceptance.process import always, eventually
from tests.free_port import free_port

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.timeout(400)]

UNIT, OTHER = "amb-001", "amb-002"


def test_outbox_card_cloned(stack: Stack, proof: Proof) -> None:
    """Two agents of one unit, each with a copy of the same outbox and devices of its own."""
    original = stack.add_unit(UNIT)
    stack.start_vehicle(UNIT, "stress")
    eventually(lambda: stored(stack, UNIT) > 500, "load flows", 60)
    gateway = next(each for each in stack.processes if each.name == "gateway")
    gateway.pause()
    eventually(lambda: outbox_depth(original) > 2000, "the card holds something", 60)
    original.agent.kill()
    gateway.resume()

    copy = Vehicle(UNIT, original.token_file, stack.folder / "clone.outbox", free_port(len(DEVICES)))
    for suffix in ("", "-wal", "-shm"):
        if (part := original.outbox.with_name(original.outbox.name + suffix)).exists():
            shutil.copy(part, copy.outbox.with_name(copy.outbox.name + suffix))
    assert outbox_depth(copy) == outbox_depth(original)
    original.agent.restart()
    stack.vehicles[UNIT] = copy
    stack.start_simulator(UNIT, "ambulance-stable", seed=2)
    stack.start_agent(UNIT)

    alert = eventually(lambda: alerts(stack, "duplicate-identity"), "duplicate-identity is raised", 90)[0]
    assert alert["unit"] == UNIT
    assert alert["priority"] == "high"
    copy.simulator.terminate()
    copy.agent.terminate(10)
    stack.vehicles = {"original": original, "copy": copy}
    original.simulator.terminate()
    emptied(stack, "original", timeout=120)
    original.agent.terminate()
    proof.note(clones=1, in_the_copy=outbox_depth(copy))
    proof.audit(stack)


class Caller:
    """One attempt to connect: ``answer`` is the broker's return code, None as long as it has not answered."""

    def __init__(self, stack: Stack, *, client: str, user: str, token: str) -> None:
        self.answer: ReasonCode | None = None
        self.client = paho.Client(CallbackAPIVersion.VERSION2, client_id=client, protocol=paho.MQTTv311)
        self.client.username_pw_set(user, token)
        self.client.on_connect = self._connected
        self.client.on_disconnect = self._refused
        self.client.connect("127.0.0.1", stack.ports()["mqtt"])
        self.client.loop_start()

    def _connected(self, _client: paho.Client, _data: object, _flags: object, code: Any, _more: object) -> None:
        self.answer = code

    def _refused(self, _client: paho.Client, _data: object, _flags: object, code: Any, _more: object) -> None:
        self.answer = self.answer or code

    def refused(self) -> bool:
        """Waits for the answer and hangs up."""
        try:
            answer = eventually(lambda: self.answer, "the broker answers", 20)
        finally:
            self.client.disconnect()
            self.client.loop_stop()
        return bool(answer.is_failure)


def connections(stack: Stack, unit: str) -> list[int]:
    """The broker's connection ids of a client id."""
    answer = httpx.get(f"http://127.0.0.1:{stack.ports()['monitor']}/connz", timeout=5, trust_env=False).json()
    return [each["cid"] for each in answer["connections"] if each.get("mqtt_client") == unit]


def test_client_id_of_another_unit_is_refused(stack: Stack, proof: Proof) -> None:
    with LoadUnit(stack, stack.add_unit(UNIT)) as victim:
        victim.produce(50)
        before = eventually(lambda: connections(stack, UNIT), "the victim is connected", 10)
        thief = stack.add_unit(OTHER)
        assert Caller(stack, client=UNIT, user=OTHER, token=thief.token_file.read_text().strip()).refused()
        always(lambda: victim.connected, "the victim stays connected", 3)
        assert connections(stack, UNIT) == before
        victim.stop()
        victim.settle()
    proof.note(attempts=1)
    proof.audit(stack)


@pytest.mark.parametrize(
    ("client", "user", "token"),
    [(UNIT, UNIT, "wrong"), ("amb-999", "amb-999", "unknown"), (UNIT, UNIT, ""), ("gateway", "gateway", "guess")],
)
def test_wrong_credentials_are_refused(credible: Stack, client: str, user: str, token: str) -> None:
    refused = refusals(credible)
    assert Caller(credible, client=client, user=user, token=token).refused()
    if user != "gateway":  # the broker judges its own users itself
        eventually(lambda: refusals(credible) > refused, "it is counted", 10)


@pytest.fixture
def credible(stack: Stack) -> Stack:
    stack.add_unit(UNIT)
    return stack


def refusals(stack: Stack) -> float:
    return stack.metrics()["lastmile_refused_connections_total"]


def test_revoked_unit_is_cut_off(stack: Stack, proof: Proof) -> None:
    vehicle = stack.add_unit(UNIT)
    with LoadUnit(stack, vehicle) as unit:
        unit.produce(50)
        eventually(lambda: unit.acks, "it is heard", 20)
        unit.stop()
        unit.settle()
        stack.run_well("unit", "revoke", UNIT, "--data", str(stack.data))
        eventually(lambda: not unit.connected, "it is cut off within five seconds", 5)
        always(lambda: not unit.connected, "it does not come back", 3)
    assert Caller(stack, client=UNIT, user=UNIT, token=vehicle.token_file.read_text().strip()).refused()
    proof.note(units=1)
    proof.audit(stack)


def test_foreign_topic_is_refused_and_findable(stack: Stack, proof: Proof) -> None:
    stack.add_unit(OTHER)
    forged = json.dumps(
        {"epoch": "f" * 16, "seq": 0, "device": "monitor", "observed_at": 0, "values": {"heart-rate": 200}}
    ).encode()
    base = f"lm/v1/{stack.site}/ambulance/{OTHER}"
    with MqttUnit(stack, stack.add_unit(UNIT)) as unit:
        for topic in (f"{base}/obs", f"{base}/hello", f"{base}/ack", f"{unit.base}/ack", "$SYS/x"):
            unit.send_to(topic, forged)
        eventually(lambda: len(rejects(stack, "denied-by-broker")) >= 4, "they are shown", 30)
    found = rejects(stack, "denied-by-broker")
    assert {reject["unit"] for reject in found} <= {UNIT, None}
    assert any(OTHER in reject["detail"] for reject in found)
    assert stored(stack, OTHER) == 0
    with stack.api("admin") as api:
        whole = api.get(f"/rejects/{found[0]['id']}").json()
    assert "Violation" in json.loads(base64.b64decode(whole["payload"]))["what"]
    proof.note(forged=5)
    proof.audit(stack)


def rejects(stack: Stack, reason: str) -> list[dict[str, Any]]:
    with stack.api("admin") as api:
        items: list[dict[str, Any]] = api.get("/rejects", params={"reason": reason, "limit": 100}).json()["items"]
    return items
