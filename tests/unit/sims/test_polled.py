"""Simulated Modbus devices: what the scenario sets on them, what is written to them, and a bed that moves."""

import importlib
from collections.abc import Iterator
from itertools import takewhile
from typing import Any

import pytest

from edge_agents import kinds
from edge_agents.device import Numeric, Occurrence, Reading
from edge_agents.devices import bed_controller as bed
from edge_agents.devices import mattress
from edge_agents.protocol import Modbus, modbus_frame
from firmware_sims.devices import bed_controller as bed_sim
from firmware_sims.devices import mattress as mattress_sim
from firmware_sims.scenario import SECOND, Timeline, parse
from firmware_sims.world import Timed, World

POLLED = [  # those with registers; modules of inputs have none
    kind for kind in kinds.names() if isinstance(kinds.load(kind).PROTOCOL, Modbus) and hasattr(kinds.load(kind), "MAP")
]
START = 1_767_225_600 * SECOND


def world(*steps: dict[str, Any], seed: int = 5) -> World:
    scenario = parse({"title": "test", "step": [{"at": 0, "device": "it", **step} for step in steps]})
    return World(scenario, Timeline(scenario), seed, START, device="it")


def until(readings: Iterator[Timed], seconds: float) -> list[Reading]:
    return [timed.reading for timed in takewhile(lambda timed: timed.due <= seconds * SECOND, readings)]


def series(found: list[Reading], quantity: str) -> list[float | None]:
    return [reading.values[quantity] for reading in found if isinstance(reading, Numeric)]


def simulate(kind: str, seconds: float, *steps: dict[str, Any], seed: int = 5) -> list[Reading]:
    sim = importlib.import_module(f"firmware_sims.devices.{kind}")
    return until(sim.readings(world(*steps, seed=seed)), seconds)


@pytest.mark.parametrize("kind", POLLED)
def test_same_seed_same_readings_and_all_of_them_have_registers(kind: str) -> None:
    sim = importlib.import_module(f"firmware_sims.devices.{kind}")
    once, again = simulate(kind, 60), simulate(kind, 60)
    assert once == again
    assert any(isinstance(reading, Numeric) for reading in once)
    assert all(sim.encode(reading, number) for number, reading in enumerate(once))


@pytest.mark.parametrize("kind", POLLED)
def test_a_sensor_told_to_be_broken_is_no_number_and_a_condition_or_in_the_registers(kind: str) -> None:
    row = kinds.load(kind).MAP.numbers[0]  # type: ignore[attr-defined]
    found = simulate(kind, 21, {"at": 11, "set": {row.quantity: "fault"}})
    values = series(found, row.quantity)
    assert values[0] is not None
    assert values[-1] is None


@pytest.mark.parametrize("kind", sorted(set(POLLED) - {"bed_controller"}))
def test_conditions_are_those_the_scenario_sets(kind: str) -> None:
    code = kinds.load(kind).YIELDS.conditions[0]
    found = [r for r in simulate(kind, 21, {"at": 11, "set": {"conditions": [code]}}) if isinstance(r, Numeric)]
    assert found[-1].conditions is not None
    assert code in found[-1].conditions
    assert code not in (found[0].conditions or ())


def test_states_are_told_at_first_and_when_they_change() -> None:
    found = simulate("refrigeration_unit", 60, {"at": 20, "set": {"door_open": True}})
    doors = [reading.details["door_open"] for reading in found if isinstance(reading, Occurrence)]
    assert doors[0] is False
    assert doors[-1] is True
    assert len(doors) <= 4, "not at every interval"


def test_a_door_left_open_warms_the_air_and_slowly_the_cargo() -> None:
    found = simulate("refrigeration_unit", 600, {"at": 10, "set": {"door_open": True}})
    air, cargo = (series(found, name) for name in ("return-air-temperature", "cargo-temperature-1"))
    assert air[-1] is not None
    assert air[-1] > 15
    assert cargo[0] is not None
    assert cargo[-1] is not None
    assert cargo[0] + 2 < cargo[-1] < air[-1]


def test_low_purity_raises_the_concentrators_own_alarm() -> None:
    found = simulate("oxygen_concentrator", 120, {"at": 90, "set": {"oxygen-purity": 78.0}})
    last = found[-1]
    assert isinstance(last, Numeric)
    assert last.conditions == frozenset({"oxygen-purity-low"})


def test_without_mains_the_battery_empties_and_says_so() -> None:
    found = simulate("vehicle_power", 14_400, {"at": 0, "set": {"source": "battery"}})
    charge = series(found, "battery")
    assert charge[0] == 92
    assert charge[-1] == 0
    last = found[-1]
    assert isinstance(last, Numeric)
    assert last.conditions is not None
    assert {"battery-low", "mains-lost"} <= last.conditions


def test_the_cylinder_empties_with_the_flow() -> None:
    left = series(simulate("vehicle_power", 600, {"at": 0, "set": {"oxygen-flow": 10.0}}), "oxygen-remaining")
    assert left[0] is not None
    assert left[-1] is not None
    assert left[0] - left[-1] == pytest.approx(100, abs=2)  # 10 L/min for 10 min


# ---- writes ----------------------------------------------------------------------------------------------------------
def test_what_is_written_to_a_mattress_shows_in_its_following_readings() -> None:
    here = world()
    readings = mattress_sim.readings(here)
    until(readings, 3)
    assert mattress_sim.control(here, 3 * SECOND, modbus_frame(1, 6, 0, 1, b"\x00\x01")) == ()
    assert mattress_sim.control(here, 3 * SECOND, modbus_frame(1, 6, 2, 1, b"\x00\x37")) == ()
    found = until(readings, 6)
    assert [r.details["mode"] for r in found if isinstance(r, Occurrence)] == ["static"]
    assert series(found, "mattress-set-pressure")[-1] == 5.5
    assert series(found, "mattress-pressure")[-1] == 5.5


@pytest.mark.parametrize(("register", "word", "code"), [(1, 40, 2), (0, 9, 3), (2, 4, 3), (2, 121, 3), (5, 0, 2)])
def test_a_mattress_refuses_what_it_cannot_be_set_to(register: int, word: int, code: int) -> None:
    here = world()
    frame = modbus_frame(1, 6, register, 1, word.to_bytes(2, "big"))
    assert mattress_sim.control(here, 0, frame) == (modbus_frame(1, 0x86, register, 1, bytes((code,))),)
    assert here.state == {}


# ---- the bed moves ---------------------------------------------------------------------------------------------------
READY = {"remote_motion": True, "hold_to_run": True}


def raise_head(token: int = 1, angle: int = 400, longest: int = 1000) -> bytes:
    words = [1, angle, longest, token]
    return modbus_frame(1, 16, 8, 4, b"".join(word.to_bytes(2, "big") for word in words))


def heads(readings: Iterator[Timed], seconds: float) -> list[float]:
    return [angle for angle in series(until(readings, seconds), "head-angle") if angle is not None]


def test_a_bed_stops_half_a_second_after_its_watchdog_was_written() -> None:
    here = world({"set": READY})
    readings = bed_sim.readings(here)
    assert heads(readings, 1) == [20.0] * 5
    assert bed_sim.control(here, 1_250_000, raise_head()) == ()
    angles = heads(readings, 5)
    assert angles[-1] == angles[4] == pytest.approx(21.5, abs=0.1)  # 3 degrees a second for half a second


def test_it_goes_on_as_long_as_it_is_asked_to_and_not_beyond_the_target() -> None:
    here = world({"set": READY})
    readings = bed_sim.readings(here)
    heads(readings, 1)
    for tenth in range(60):
        assert bed_sim.control(here, SECOND + tenth * 400_000, raise_head(tenth + 1)) == ()
        heads(readings, 1 + tenth * 0.4)
    assert heads(readings, 40)[-1] == 40.0


def test_a_second_is_the_longest_however_often_only_the_watchdog_is_written() -> None:
    here = world({"set": READY})
    readings = bed_sim.readings(here)
    heads(readings, 1)
    bed_sim.control(here, SECOND, raise_head())
    for tenth in range(1, 20):
        bed_sim.control(here, SECOND + tenth * 100_000, modbus_frame(1, 6, bed.WATCHDOG, 1, bytes((0, tenth + 1))))
        heads(readings, 1 + tenth * 0.1)
    assert 22.0 < heads(readings, 9)[-1] <= 23.0  # 3 degrees a second; half a second would be 21.5


@pytest.mark.parametrize("letting_go", [{"hold_to_run": False}, {"cpr": True}, {"rail_left_up": False}])
def test_it_stops_at_once_when_somebody_at_the_bed_says_so(letting_go: dict[str, bool]) -> None:
    here = world({"set": READY}, {"at": 1.3, "set": letting_go})
    readings = bed_sim.readings(here)
    heads(readings, 1)
    bed_sim.control(here, SECOND, raise_head())
    assert heads(readings, 4)[-1] < 21.0


@pytest.mark.parametrize(
    ("told", "frame", "code"),
    [
        ({}, raise_head(), 4),
        ({"remote_motion": True}, raise_head(), 4),
        (READY | {"rail_right_up": False}, raise_head(), 4),
        (READY | {"cpr": True}, raise_head(), 4),
        (READY | {"brake_set": False}, raise_head(), 4),
        (READY, raise_head(longest=1001), 3),
        (READY, raise_head(angle=701), 3),
        (READY, modbus_frame(1, 6, 9, 1, b"\x00\x10"), 2),
        (READY, modbus_frame(1, 6, bed.WATCHDOG, 1, b"\x00\x10"), 2),  # of no motion
    ],
)
def test_the_bed_itself_refuses_too(told: dict[str, bool], frame: bytes, code: int) -> None:
    here = world({"set": told}) if told else world()
    (answer,) = bed_sim.control(here, SECOND, frame)
    assert answer[1] == frame[1] | 0x80
    assert answer[-1] == code
    assert heads(bed_sim.readings(here), 3)[-1] == 20.0


def test_the_agents_order_is_what_the_bed_takes() -> None:
    here = world({"set": READY})
    readings = bed_sim.readings(here)
    held: dict[int, int] = {}
    for reading in until(readings, 1):
        held |= bed.MAP.image(reading)
    decoder, at = bed.Decoder(), START + SECOND
    decoder.feed(modbus_frame(1, 3, 0, 8, b"".join(held[word].to_bytes(2, "big") for word in range(8))), at)
    order = decoder.order("bed-motion", {"part": "head", "angle": 25}, at)
    assert bed_sim.control(here, SECOND, order.writes[0]) == ()
    assert heads(readings, 5)[-1] > 21.0


def test_modes_of_the_table_are_the_modes_of_the_simulator() -> None:
    assert {"off", "static", "alternate", "cpr"} == set(mattress.MODES.values())
