"""Bed: its map, its events, and every reason for which it does not move."""

from typing import Any

import pytest

from edge_agents.device import CommandRefused, Occurrence
from edge_agents.devices.bed_controller import MAP, PROTOCOL, Decoder
from edge_agents.protocol import modbus_frame
from tests.devices import modbus

READINGS = modbus.readings(MAP)
agrees = modbus.agrees

NOW = 1_000_000_000
OCCUPIED, EXIT, LEFT, RIGHT, BRAKE, CPR, FAULT = (1 << bit for bit in range(7))
SAFE = OCCUPIED | LEFT | RIGHT | BRAKE
ENABLED, HELD = 1, 2
READY = {0: SAFE, 1: 740, 2: 300, 7: ENABLED | HELD}


def heard(change: dict[int, int] | None = None, at: int = NOW) -> Decoder:
    decoder = Decoder()
    decoder.feed(modbus.answer(PROTOCOL, READY | (change or {})), at)
    return decoder


def refusal(decoder: Decoder, name: str = "bed-motion", at: int = NOW, **arguments: Any) -> str:
    with pytest.raises(CommandRefused) as caught:
        decoder.order(name, arguments or {"part": "head", "angle": 35}, at)
    return str(caught.value)


def test_one_poll_brings_everything() -> None:
    assert modbus.is_in_one_poll(PROTOCOL, MAP)


def test_what_changes_is_an_event_and_what_is_there_at_first_is_only_the_state() -> None:
    decoder, told = Decoder(), []
    for status in (SAFE, SAFE & ~LEFT, SAFE & ~(LEFT | OCCUPIED) | EXIT, SAFE & ~BRAKE | CPR):
        items = decoder.feed(modbus.answer(PROTOCOL, READY | {0: status}), NOW)
        told.append([(item.name, item.details) for item in items if isinstance(item, Occurrence)])
    assert [[name for name, _ in row] for row in told] == [
        ["bed-state"],
        ["bed-state", "rail-down"],
        ["bed-state", "bed-exit", "device-alarm-on"],
        ["bed-state", "bed-occupied", "device-alarm-off", "rail-up", "brake-released", "cpr-on"],
    ]
    assert told[1][1][1] == {"rail": "left"}
    assert told[2][2][1] == {"alarm": "bed-exit", "priority": "high"}


# ---- motion ----------------------------------------------------------------------------------------------------------
def test_a_motion_is_one_write_of_at_most_a_second_with_a_new_watchdog_value_each_time() -> None:
    decoder = heard()
    first = decoder.order("bed-motion", {"part": "head", "angle": 35.5}, NOW)
    again = decoder.order("bed-motion", {"part": "tilt", "angle": -12}, NOW)
    assert first.writes == (modbus_frame(5, 16, 8, 4, bytes.fromhex("0001 0163 03e8 0001")),)
    assert first.expect == (modbus_frame(5, 3, 8, 4, bytes.fromhex("0001 0163 03e8 0001")),)
    assert first.result == {"part": "head", "angle": 35.5, "for_ms": 500}
    assert again.writes == (modbus_frame(5, 16, 8, 4, bytes.fromhex("0003 ff88 03e8 0002")),)


def test_an_empty_bed_moves_with_its_rails_down() -> None:
    decoder = heard({0: BRAKE, 1: 20})
    assert decoder.order("bed-motion", {"part": "knee", "angle": 10}, NOW).result["part"] == "knee"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({7: 0}, "remote-motion-disabled"),
        ({7: HELD}, "remote-motion-disabled"),
        ({7: ENABLED}, "hold-to-run-released"),
        ({0: SAFE | FAULT}, "device-fault"),
        ({0: SAFE | CPR}, "local-only"),
        ({0: SAFE & ~BRAKE}, "brake-released"),
        ({0: SAFE & ~LEFT}, "rail-down"),
        ({0: SAFE & ~RIGHT}, "rail-down"),
        ({0: SAFE & ~OCCUPIED}, "occupancy-unclear"),  # but 74 kg
        ({1: 99}, "occupancy-unclear"),  # somebody of 9.9 kg
        ({1: 0xFFFE}, "occupancy-unclear"),  # load cell broken
        ({1: 0xFFFF}, "occupancy-unclear"),  # no load cell
    ],
)
def test_it_does_not_move(change: dict[int, int], reason: str) -> None:
    assert refusal(heard(change)) == reason


def test_a_load_that_is_not_told_any_more_does_not_count() -> None:
    decoder = heard()
    decoder.feed(modbus.answer(PROTOCOL, READY | {1: 0xFFFF}), NOW)
    assert refusal(decoder) == "occupancy-unclear"


@pytest.mark.parametrize("age", [2_000_001, 60_000_000, -1])
def test_it_does_not_move_by_an_old_status(age: int) -> None:
    assert refusal(Decoder()) == "status-too-old"
    assert refusal(heard(), at=NOW + age) == "status-too-old"
    assert heard().order("bed-motion", {"part": "head", "angle": 35}, NOW + 2_000_000).writes


@pytest.mark.parametrize("name", ["bed-cpr", "bed-flat"])
def test_cpr_and_flat_are_for_whoever_stands_at_the_bed(name: str) -> None:
    assert refusal(heard(), name) == "local-only"


@pytest.mark.parametrize(
    ("part", "angle"), [("head", 70.1), ("head", -0.1), ("knee", 41), ("tilt", 12.5), ("tilt", float("nan"))]
)
def test_angles_stay_inside_safe_limits(part: str, angle: float) -> None:
    assert refusal(heard(), part=part, angle=angle) == "outside-limits"


@pytest.mark.parametrize(
    "arguments", [{"part": "head"}, {"part": "legs", "angle": 1}, {"part": "head", "angle": "1"}, {"angle": 1, "x": 2}]
)
def test_arguments_that_mean_nothing_are_refused(arguments: dict[str, Any]) -> None:
    assert refusal(heard(), **arguments) == "bad-argument"


def test_other_commands_are_unknown() -> None:
    assert refusal(heard(), "set-mattress-mode") == "unknown-command"
