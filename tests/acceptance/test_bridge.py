"""`lastmile bridge` between a real Mosquitto and the log: kill -9 of every part loses nothing, stores nothing twice."""

import base64
import json
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.faults import Proof, in_database, stored, times
from tests.acceptance.foreign import PASSWORD, SAVES_EVERY, USER, Devices, Mosquitto
from tests.acceptance.harness import Stack
from tests.acceptance.process import Process, eventually

pytestmark = [
    pytest.mark.faults, pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.server("mosquitto"),
    pytest.mark.server("openssl"),
]  # fmt: skip

UNITS = ("bed-1", "bed-2")
STRANGER = "bed-404"
HOUR = 3_600_000_000  # us
RATE = 300  # readings a second
CONFIG = """
name = "bridge-1"

[broker]
host = "127.0.0.1"
port = {port}
protocol = "{protocol}"
{more}

[[map]]
topic = "wards/{{unit}}/vitals"
site = "site-a"
kind = "homecare-bed"
units = {{ "Bed_02" = "bed-2" }}

[map.codec]
name = "flat-json"
device_key = "device"
timestamp = {{ key = "ts", unit = "ms" }}

[map.codec.quantities]
hr = "heart-rate"
spo2 = "spo2"
temp_f = {{ quantity = "temperature", scale = 0.5555555555555556, offset = -17.77777777777778 }}
"""


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path / "mosquitto") as broker:
        yield broker


@pytest.fixture
def ward(stack: Stack) -> Stack:
    """The beds behind the foreign broker are registered, and the gateway has noticed."""
    for unit in UNITS:
        stack.add_unit(unit, "homecare-bed")
    eventually(lambda: stack.metrics()["lastmile_units"] == len(UNITS), "the gateway knows the beds", 20)
    return stack


SHARED = {"protocol": "5", "more": 'share = "lastmile"'}
PLAIN = {"protocol": "5", "more": ""}
OLD = {
    "protocol": "3.1.1",
    "more": f'tls = true\nca_file = "ca.pem"\nusername = "{USER}"\npassword_file = "{USER}.password"',
}


def start_bridge(stack: Stack, mosquitto: Mosquitto, name: str, how: dict[str, str]) -> Process:
    (stack.folder / "ca.pem").write_bytes(mosquitto.certificate.read_bytes())
    (stack.folder / f"{USER}.password").write_text(f"{PASSWORD}\n")
    config = stack.folder / f"{name}.toml"
    config.write_text(CONFIG.format(port=mosquitto.tls_port if how is OLD else mosquitto.port, **how))
    process = stack.start(name, "bridge", "--config", str(config), "--data", str(stack.data), "--name", name)
    connected(process, 1)
    return process


def connected(bridge: Process, times_: int) -> None:
    """Waits until a bridge has said so often that it is connected, and subscribed."""

    def look() -> bool:
        bridge.must_run()
        return bridge.output().count("event=connected") >= times_

    eventually(look, f"{bridge.name} is connected", 60)


def process_named(stack: Stack, name: str) -> Process:
    return next(each for each in stack.processes if each.name == name)


def series(stack: Stack) -> Counter[tuple[str, int, float]]:
    """(unit, time, heart rate) of every value, as a doctor gets it."""
    now = time.time_ns() // 1000
    window: dict[str, str | int] = {"quantity": "heart-rate", "step": 0, "from": now - HOUR, "to": now + 1}
    with stack.api("doctor") as api:
        answers = {unit: api.get(f"/units/{unit}/series", params=window) for unit in UNITS}
    return Counter(
        (unit, point["at"], point["value"]) for unit, answer in answers.items() for point in answer.json()["points"]
    )


def settled(stack: Stack, devices: Devices) -> None:
    """Every reading the foreign broker has taken is stored exactly once, with its value and its time."""
    devices.settle()
    stack.wait_for_gateway(process_named(stack, "gateway"))
    expected = Counter({(unit, at, float(rate)): 1 for (unit, at), rate in devices.sent.items()})

    def all_stored() -> bool:
        assert not (lost := expected - series(stack)), f"{len(lost)} of {len(expected)} are not stored"
        return True

    eventually(all_stored, "every reading is stored", 60, 0.5)
    assert not (extra := series(stack) - expected), f"stored twice, or never sent: {list(extra.items())[:5]}"


def kill_mosquitto(mosquitto: Mosquitto, devices: Devices, bridges: list[Process]) -> None:
    """What Mosquitto had not saved is published again, as by a device that knows how often its broker saves."""
    before = [bridge.output().count("event=connected") for bridge in bridges]
    mosquitto.kill()
    killed = time.monotonic()
    mosquitto.start()
    for bridge, count in zip(bridges, before, strict=True):
        connected(bridge, count + 1)
    eventually(lambda: devices.connected, "the devices are back", 20)
    devices.doubt(time.monotonic() - killed + 2 * SAVES_EVERY)


def kill(process: Process) -> None:
    process.kill()
    process.restart()


@pytest.mark.parametrize(
    ("how", "names"), [(SHARED, ("bridge-1", "bridge-2")), (OLD, ("bridge-1",))], ids=["mqtt5-shared", "mqtt311-tls"]
)
def test_killed_again_and_again(
    ward: Stack, mosquitto: Mosquitto, proof: Proof, how: dict[str, str], names: tuple[str, ...]
) -> None:
    """MQTT 5: two bridges in one shared subscription. 3.1.1: one bridge with a plain one, over TLS with a password."""
    bridges = [start_bridge(ward, mosquitto, name, how) for name in names]
    broker, gateway = process_named(ward, "broker"), process_named(ward, "gateway")
    rounds = times(10)
    with Devices(mosquitto.port, *UNITS) as devices:
        devices.produce(RATE)
        devices.more(RATE)
        for number in range(rounds):
            for bridge in bridges:
                kill(bridge)
                devices.more(RATE // 2)
                connected(bridge, bridge.output().count("event=connected") + 1)
            kill_mosquitto(mosquitto, devices, bridges)
            devices.more(RATE // 3)
            kill((broker, gateway)[(number + len(bridges)) % 2])
            devices.more(RATE // 2)
        devices.stop()
        settled(ward, devices)
        proof.note(protocol=how["protocol"], bridges=len(bridges), readings=len(devices.sent),
                   kills=rounds * (len(bridges) + 2))  # fmt: skip
    for bridge in bridges:
        assert bridge.terminate() == 0
    assert not in_database(ward, "SELECT * FROM conflict")
    proof.audit(ward)
    with ward.api("doctor") as api:
        latest = {row["quantity"]: row["value"] for row in api.get(f"/units/{UNITS[0]}/latest").json()["items"]}
    assert latest["heart-rate"] in range(60, 100)


def test_log_wiped_before_the_gateway_read_it(ward: Stack, mosquitto: Mosquitto, proof: Proof) -> None:
    """The log had confirmed them and the foreign broker has forgotten them: the bridge still has them."""
    bridge = start_bridge(ward, mosquitto, "bridge-1", PLAIN)
    gateway, broker = process_named(ward, "gateway"), process_named(ward, "broker")
    with Devices(mosquitto.port, *UNITS) as devices:
        devices.produce(RATE)
        eventually(lambda: stored(ward) > RATE, "readings are stored", 30)
        gateway.kill()
        before = in_log(ward)
        devices.more(RATE)
        devices.stop()
        devices.settle()
        eventually(lambda: in_log(ward) >= before + RATE, "the log runs ahead of the gateway", 30)
        mosquitto.kill()
        broker.kill()
        shutil.rmtree(ward.data / "jetstream")
        broker.restart()
        gateway.restart()
        mosquitto.start()
        settled(ward, devices)
        proof.note(readings=len(devices.sent), wiped=RATE)
    assert bridge.terminate() == 0
    proof.audit(ward)


def in_log(stack: Stack) -> int:
    """Messages in JetStream, as the broker's monitoring says."""
    answer = httpx.get(f"http://127.0.0.1:{stack.ports()['monitor']}/jsz?streams=1", timeout=5, trust_env=False).json()
    return sum(stream["state"]["messages"] for each in answer["account_details"] for stream in each["stream_detail"])


def reading(**changes: Any) -> bytes:
    good = {"device": "monitor", "ts": time.time_ns() // 1_000_000, "hr": 71}
    return json.dumps({key: value for key, value in (good | changes).items() if value != "-"}).encode()


BAD = [
    ("bed-1", "bad-syntax", b"\x00\x01 not JSON"),
    ("bed-1", "bad-syntax", b'{"device":"monitor","ts":1,"hr":NaN}'),
    ("bed-1", "bad-schema", b"[1, 2]"),
    ("bed-1", "bad-schema", reading(hr="72")),
    ("bed-2", "bad-timestamp", reading(ts="-")),
    ("bed-2", "bad-timestamp", reading(ts="yesterday")),
    ("bed-2", "no-quantity", reading(hr="-", horoscope=7)),
    ("bed-2", "bad-id", reading(device="Monitor 7")),
    ("bed-2", "bad-schema", b'{"device":"monitor","ts":1700000000000,"hr":1e400}'.replace(b"1e400", b"9" * 400)),
    # a message of ours in disguise must not pass as one
    ("bed-2", "bad-timestamp", b'{"epoch":"00000000000000aa","seq":0,"device":"m","observed_at":1,"values":{}}'),
]  # fmt: skip


def test_what_cannot_be_taken_is_found_with_its_reason(ward: Stack, mosquitto: Mosquitto, proof: Proof) -> None:
    bridge = start_bridge(ward, mosquitto, "bridge-1", PLAIN)
    stranger = reading(hr=55)
    with Devices(mosquitto.port, *UNITS) as devices:
        for unit, _, payload in BAD:
            devices.publish(f"wards/{unit}/vitals", payload)
        devices.publish(f"wards/{STRANGER}/vitals", stranger)
        devices.publish("wards/Bed 7/vitals", reading(hr=56))
        devices.publish("wards/Bed_02/vitals", reading(hr=57, temp_f=98.6, spo2=None))
        devices.publish("wards/bed-1/vitals", reading(hr=58), qos=0)
    eventually(lambda: len(rejects(ward)) >= len(BAD) + 2, "each is shown", 30, 0.25)
    found = rejects(ward)
    assert Counter((reject["unit"], reject["reason"], reject["payload"]) for reject in found if reject["lane"]) == (
        Counter(BAD)
    )
    assert [(r["reason"], json.loads(r["payload"])["values"]) for r in found if r["unit"] == STRANGER] == [
        ("unknown-unit", {"heart-rate": 55.0})
    ]
    assert [(r["reason"], json.loads(r["payload"])["hr"]) for r in found if r["unit"] == "bridge-1"] == [("bad-id", 56)]
    eventually(lambda: stored(ward) == 2, "good ones beside them are stored", 20)
    with ward.api("doctor") as api:
        latest = {row["quantity"]: row["value"] for row in api.get("/units/bed-2/latest").json()["items"]}
    assert latest == {"heart-rate": 57.0, "temperature": pytest.approx(37.0), "spo2": None}
    refuses_what_it_cannot_do(ward)
    ward.add_unit(STRANGER, "homecare-bed")
    kill(bridge)
    eventually(lambda: stored(ward, STRANGER) == 1, "what came before its unit was registered is sent again", 30)
    connected(bridge, 2)
    mosquitto.kill()
    eventually(lambda: "foreign broker away" in bridge.output(), "it says so", 20)
    assert bridge.terminate() == 0
    proof.note(bad=len(BAD) + 2)
    proof.audit(ward)


def refuses_what_it_cannot_do(ward: Stack) -> None:
    """A second bridge on the same state file; a configuration with an error, named with its file."""
    good = ward.folder / "bridge-1.toml"
    bad = ward.folder / "bad.toml"
    bad.write_text(good.read_text().replace('"heart-rate"', '"horoscope"'))
    for config, code, words in ((good, 3, "bridge-1.db"), (bad, 2, f"{bad}: map[0].codec.quantities: expected")):
        done = ward.run("bridge", "--config", str(config), "--data", str(ward.data))
        assert done.returncode == code
        assert words in done.stderr


def rejects(stack: Stack) -> list[dict[str, Any]]:
    """Every reject as ops get it, with its bytes; ``lane``: whether its number is accounted for."""
    with stack.api("ops") as api:
        items = api.get("/rejects", params={"limit": 100}).json()["items"]
        whole = [item | api.get(f"/rejects/{item['id']}").json() for item in items]
    accounted = {id_ for (id_,) in in_database(stack, "SELECT id FROM reject WHERE lane_id IS NOT NULL")}
    return [each | {"payload": base64.b64decode(each["payload"]), "lane": each["id"] in accounted} for each in whole]
