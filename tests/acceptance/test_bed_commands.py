"""A bed and a mattress at home over real Modbus: commanded from the ward, read back, refused outside safe limits."""

import json
import time
from typing import Any

import httpx
import pytest

from tests.acceptance.harness import SCENARIOS, Stack, Vehicle
from tests.acceptance.process import always, eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

BED = "bed-001"
PATH = f"/units/{BED}/commands"
RAISED = 30.0  # degrees the head is to be raised to; it lies at 20
COAST = 1_000_000  # us after the last command: the watchdog's half a second, and the age of a reading
MOTION_ALLOWED = """
name = "home"
kind = "homecare-bed"
[[device]]
name = "bed"
kind = "bed_controller"
motion = true
[[device]]
name = "mattress"
kind = "mattress"
"""


def start_bed(stack: Stack, profile: str, *, via_proxy: bool = False) -> Vehicle:
    """The bed on Modbus TCP, the mattress on a serial line, and their agent."""
    vehicle = stack.add_unit(BED, kind="homecare-bed")
    ports = stack.folder / "bed.ports"
    vehicle._simulator = stack.start(
        "simulate-bed", "simulate", str(SCENARIOS / "home_bed.toml"), "--unit", BED, "--ledger", str(stack.ledger),
        "--port-file", str(ports),
    )  # fmt: skip
    eventually(ports.exists, "bed and mattress can be asked", 60)
    links = json.loads(ports.read_text())["listening"][BED]
    assert links["bed"].startswith("modbus+tcp://")
    assert links["mattress"].startswith("modbus+rtu://")
    if via_proxy:
        vehicle.proxy = stack.start_proxy(BED)
    port = vehicle.proxy.port if vehicle.proxy else stack.ports()["mqtt"]
    vehicle._agent = stack.start(
        "agent-bed", "agent", "--unit", BED, "--site", stack.site, "--profile", profile,
        "--broker", f"127.0.0.1:{port}", "--token-file", str(vehicle.token_file), "--outbox", str(vehicle.outbox),
        *(f"--link={name}={address}" for name, address in links.items()),
    )  # fmt: skip
    for quantity in ("mattress-set-pressure", "head-angle"):
        eventually(lambda quantity=quantity: latest(stack, quantity) is not None, f"{quantity} is read", 60)  # type: ignore[misc]
    return vehicle


@pytest.fixture
def bed(stack: Stack) -> Stack:
    """As the profile comes: nothing moves from afar."""
    start_bed(stack, "homecare_bed")
    return stack


@pytest.fixture
def movable(stack: Stack) -> Stack:
    """A site that has allowed motion, behind a line that can be broken."""
    profile = stack.folder / "home.toml"
    profile.write_text(MOTION_ALLOWED)
    start_bed(stack, str(profile), via_proxy=True)
    return stack


def latest(stack: Stack, quantity: str) -> float | None:
    with stack.api("doctor") as doctor:
        values = {row["quantity"]: row["value"] for row in doctor.get(f"/units/{BED}/latest").json()["items"]}
    value: float | None = values.get(quantity)
    return value


def angle(stack: Stack) -> float:
    """Where the head of the bed is, degrees."""
    now = latest(stack, "head-angle")
    assert now is not None
    return now


def ask(nurse: httpx.Client, device: str, name: str, **arguments: Any) -> dict[str, Any]:
    """The command with its outcome."""
    body = {"device": device, "name": name, "arguments": arguments, "reason": "turned to the left side"}
    answer = nurse.post(PATH, json=body)
    assert answer.status_code == 202, answer.text
    place = answer.headers["Location"].removeprefix("/api/v1")

    def outcome() -> dict[str, Any] | None:
        command: dict[str, Any] = nurse.get(place).json()
        return command if command["ended_at"] else None

    return eventually(outcome, f"{name} ends", 45, 0.02)


def raise_head(nurse: httpx.Client) -> dict[str, Any]:
    return ask(nurse, "bed", "bed-motion", part="head", angle=RAISED)


def keep_raising(stack: Stack, nurse: httpx.Client, wanted: float) -> dict[str, Any]:
    """Asks again and again, as a held button does, until the head is there; the last command."""
    end = time.monotonic() + 60
    while True:
        moved = raise_head(nurse)
        assert moved["state"] == "accepted", moved
        if angle(stack) >= wanted:
            return moved
        assert time.monotonic() < end, "it does not move"


def test_a_mattress_is_commanded_and_read_back(bed: Stack) -> None:
    with bed.api("nurse") as nurse:
        done = ask(nurse, "mattress", "set-mattress-mode", mode="static")
        assert (done["state"], done["result"]) == ("accepted", {"mode": "static"})
        done = ask(nurse, "mattress", "set-mattress-pressure", pressure=5.5)
        assert (done["state"], done["result"]) == ("accepted", {"pressure": 5.5})
        eventually(lambda: latest(bed, "mattress-set-pressure") == 5.5, "the next poll says the same", 30)
        done = ask(nurse, "mattress", "set-alarm-limit", limit="pressure-high", value=8.0)
        assert (done["state"], done["result"]) == ("accepted", {"limit": "pressure-high", "value": 8.0})


def test_refused_outside_safe_limits_and_nothing_is_written(bed: Stack) -> None:
    with bed.api("nurse") as nurse:
        refusals = [
            ask(nurse, "mattress", "set-mattress-pressure", pressure=12)["refusal"],
            ask(nurse, "mattress", "set-alarm-limit", limit="pressure-low", value=3.9)["refusal"],
            ask(nurse, "mattress", "set-mattress-mode", mode="cpr")["refusal"],
            ask(nurse, "mattress", "set-mattress-mode", mode="waterbed")["refusal"],
            ask(nurse, "bed", "bed-cpr")["refusal"],
            ask(nurse, "bed", "bed-flat")["refusal"],
        ]
    assert refusals == ["outside-limits", "outside-limits", "local-only", "bad-argument", "local-only", "local-only"]
    assert latest(bed, "mattress-set-pressure") == 4.0


def test_a_device_that_hangs_refuses_and_another_command_works_again(bed: Stack) -> None:
    simulator = bed.vehicles[BED].simulator
    with bed.api("nurse") as nurse:
        simulator.pause()
        refusal = ask(nurse, "mattress", "set-mattress-mode", mode="static")["refusal"]
        assert refusal in {"device-offline", "no-answer", "status-too-old"}
        simulator.resume()

        def works() -> bool:
            return bool(ask(nurse, "mattress", "set-mattress-mode", mode="alternate")["state"] == "accepted")

        eventually(works, "it is back", 60, 1.0)


def test_motion_is_off_by_default_even_with_key_and_button_at_the_bedside(bed: Stack) -> None:
    with bed.api("nurse") as nurse:
        refused = raise_head(nurse)
    assert (refused["state"], refused["refusal"]) == ("refused", "motion-off")
    always(lambda: angle(bed) == 20.0, "the bed lies still", 2)


def test_motion_lasts_only_as_long_as_it_is_asked_for(movable: Stack) -> None:
    with movable.api("nurse") as nurse:
        moved = keep_raising(movable, nurse, 23.0)
    assert_stands_still(movable, moved)


def test_a_lost_link_stops_the_motion(movable: Stack) -> None:
    proxy = movable.vehicles[BED].proxy
    assert proxy is not None
    with movable.api("nurse") as nurse:
        moved = keep_raising(movable, nurse, 21.0)
        proxy.ask(set={"up": {"stall": True}, "down": {"stall": True}})
        lost = raise_head(nurse)
        assert lost["state"] == "unanswered", "nobody knows, and the screen says so"
        proxy.ask(clear=True)
        eventually(lambda: ask(nurse, "bed", "bed-flat")["refusal"] == "local-only", "the link is back", 60, 1.0)
    assert_stands_still(movable, moved)


def assert_stands_still(stack: Stack, last: dict[str, Any]) -> None:
    """From a second after the last command that was carried out until five seconds from now, nothing moves."""
    since, until = last["ended_at"] + COAST, time.time_ns() // 1000 + 5_000_000

    with stack.api("doctor") as doctor:

        def recorded() -> list[dict[str, Any]]:
            window = {"quantity": "head-angle", "from": since, "to": until}
            points: list[dict[str, Any]] = doctor.get(f"/units/{BED}/series", params=window).json()["points"]
            return points

        watched = "the bed was watched"
        eventually(lambda: (points := recorded()) and points[-1]["at"] > until - 1_000_000, watched, 60, 0.5)
        angles = {point["value"] for point in recorded()}
    assert len(angles) == 1, angles
    assert 20.0 < angles.pop() < RAISED
