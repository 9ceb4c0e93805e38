"""How a unit reaches its devices, from its hello to what the fleet lists."""

from typing import Any

import msgspec

from gateway.adapters import care
from gateway.api.ports import PageRequest
from gateway.contract.envelope import DeviceLink, DeviceState, Presence
from tests.integration.path_bench import Bench
from tests.unit.gateway.builders import NOW, hello

MONITOR = DeviceState(device="monitor", kind="patient_monitor", link=DeviceLink.CONNECTED)
CUFF = DeviceState(device="cuff", kind="blood_pressure_monitor", link=DeviceLink.DISCONNECTED, firmware="1.4")


def listed(bench: Bench) -> dict[str, dict[str, Any]]:
    rows = bench.write(lambda db: care.devices(db, None, PageRequest(100, None), unit=None))
    return {row["id"]: row for row in rows}


def greet(bench: Bench, *devices: DeviceState) -> list[str]:
    """The devices of which this is the first that was heard."""
    changes = bench.step(msgspec.structs.replace(hello(bench.now), devices=list(devices)))
    return [device for _, device, _ in changes.devices]


def test_a_device_is_listed_with_link_and_firmware_before_it_has_measured_anything(bench: Bench) -> None:
    assert greet(bench, MONITOR, CUFF) == ["cuff", "monitor"]
    assert greet(bench, MONITOR, CUFF) == [], "known by now"
    bench.restart()
    assert greet(bench, MONITOR, CUFF) == [], "also to the next process"
    devices = listed(bench)
    names = ("kind", "link", "firmware", "received_at", "first_seen_at")
    assert [devices["cuff"][name] for name in names] == [
        "blood_pressure_monitor", "disconnected", "1.4", None, NOW + 1_000_000,
    ]  # fmt: skip
    assert (devices["monitor"]["link"], devices["monitor"]["firmware"]) == ("connected", None)


def test_the_newest_hello_counts_and_none_does_when_the_unit_is_away(bench: Bench) -> None:
    greet(bench, MONITOR, CUFF)
    greet(bench, msgspec.structs.replace(MONITOR, link=DeviceLink.SILENT), CUFF)
    assert listed(bench)["monitor"]["link"] == "silent"
    bench.step(hello(bench.now, presence=Presence.OFFLINE))
    away = listed(bench)
    assert [away[name]["link"] for name in ("monitor", "cuff")] == [None, None]
    assert away["cuff"]["firmware"] == "1.4", "what it runs it runs, whoever hears it"
    bench.step(hello(bench.now))
    assert listed(bench)["cuff"]["link"] is None, "an agent of version 1.0 says nothing of its devices"
