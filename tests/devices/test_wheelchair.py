"""Wheelchair: its map, and that nobody who tips over or asks for help is missed."""

from edge_agents.device import FrameError, FrameReason, Numeric, Occurrence, Reading
from edge_agents.devices.wheelchair import MAP, PROTOCOL, Decoder
from firmware_sims.devices import wheelchair as simulator
from firmware_sims.scenario import Timeline, parse
from firmware_sims.world import World
from tests.devices import modbus

READINGS = modbus.readings(MAP)
agrees = modbus.agrees

SECOND = 1_000_000
NOW = 1_000_000_000
STANDING = {0: 85, 1: 262, 2: 0, 3: 10, 4: 0b11, 5: 0, 7: 410}


def heard(decoder: Decoder, **words: int) -> list[Reading]:
    """What a chair at unit 5 says; words by register, as r0=1."""
    changed = STANDING | {int(name[1:]): word for name, word in words.items()}
    items = decoder.feed(modbus.answer(PROTOCOL, changed), NOW)
    return [item for item in items if not isinstance(item, FrameError)]


def names(items: list[Reading]) -> list[str]:
    return [item.name for item in items if isinstance(item, Occurrence)]


def test_one_poll_brings_everything() -> None:
    assert modbus.is_in_one_poll(PROTOCOL, MAP)


def test_help_and_tipping_over_are_told_once_each_time() -> None:
    decoder = Decoder()
    assert names(heard(decoder)) == ["wheelchair-state"]
    assert names(heard(decoder, r4=0b0111)) == ["wheelchair-state", "help-button"]
    assert names(heard(decoder, r4=0b0111)) == []
    assert names(heard(decoder, r4=0b1101)) == ["wheelchair-state", "tip-over"]
    assert names(heard(decoder)) == ["wheelchair-state"]
    assert names(heard(decoder, r4=0b0111)) == ["wheelchair-state", "help-button"]


def test_a_chair_found_on_its_side_says_so_in_its_state() -> None:
    state, _ = heard(Decoder(), r4=0b1001)
    assert isinstance(state, Occurrence)
    assert state.details["tipped_over"] is True


def test_a_speed_no_chair_reaches_is_no_speed() -> None:
    _, numeric = heard(Decoder(), r2=201)
    assert isinstance(numeric, Numeric)
    assert (numeric.values["speed"], numeric.invalid) == (None, {"speed": "out-of-range"})


def test_an_exception_is_a_refused_frame_with_a_reason() -> None:
    (error,) = Decoder().feed(bytes.fromhex("05 83 0000 0008 02"), NOW)
    assert isinstance(error, FrameError)
    assert error.reason is FrameReason.EXCEPTION


def test_a_simulated_chair_drives_tips_over_and_is_helped() -> None:
    steps = [
        {"at": 5, "device": "chair", "set": {"driving": 4.0}},
        {"at": 10, "device": "chair", "set": {"tipped_over": True, "seat_occupied": False}},
        {"at": 12, "device": "chair", "set": {"help": True}},
        {"at": 20, "device": "chair", "set": {"battery": 12}},
    ]
    scenario = parse({"title": "a fall", "step": steps})
    world = World(scenario=scenario, timeline=Timeline(scenario), seed=1, start_at=0, device="chair")
    said = []
    for timed in simulator.readings(world):
        if timed.due > 21 * SECOND:
            break
        said.append(timed.reading)
    states = [item.details for item in said if isinstance(item, Occurrence)]
    assert [state["brake"] for state in states] == [True, False, True, True]
    assert [state["tipped_over"] for state in states] == [False, False, True, True]
    speeds = [item.values["speed"] or 0.0 for item in said if isinstance(item, Numeric)]
    assert speeds[0] == 0.0
    assert 3.0 < speeds[7] < 5.0
    assert speeds[-1] == 0.0
    last = said[-1]
    assert isinstance(last, Numeric)
    assert last.conditions == frozenset({"battery-low"})
