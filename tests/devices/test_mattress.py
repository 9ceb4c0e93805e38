"""Mattress: its map, and every command it takes or refuses."""

from typing import Any

import pytest

from edge_agents.device import CommandRefused, FrameError, FrameReason, Numeric, Occurrence
from edge_agents.devices.mattress import MAP, PROTOCOL, Decoder
from edge_agents.protocol import modbus_frame
from tests.devices import modbus

READINGS = modbus.readings(MAP)
agrees = modbus.agrees

NOW = 1_000_000_000
ALTERNATING = {0: 2, 1: 41, 2: 40, 3: 10, 6: 1200, 7: 20, 8: 90}


def heard(at: int = NOW, **words: int) -> Decoder:
    """A decoder that has just heard of a mattress at unit 5; words by register, as r0=1."""
    decoder = Decoder()
    decoder.feed(modbus.answer(PROTOCOL, ALTERNATING | {int(name[1:]): word for name, word in words.items()}), at)
    return decoder


def refusal(decoder: Decoder, name: str, at: int = NOW, /, **arguments: Any) -> str:
    with pytest.raises(CommandRefused) as caught:
        decoder.order(name, arguments, at)
    return str(caught.value)


def test_one_poll_brings_everything() -> None:
    assert modbus.is_in_one_poll(PROTOCOL, MAP)


def test_the_state_is_told_once_and_again_when_it_changes() -> None:
    decoder = Decoder()
    first, again, later = (
        decoder.feed(modbus.answer(PROTOCOL, ALTERNATING | change), NOW) for change in ({}, {}, {0: 1})
    )
    assert [item.details["mode"] for item in first if isinstance(item, Occurrence)] == ["alternate"]
    assert not any(isinstance(item, Occurrence) for item in again)
    assert [item.details["mode"] for item in later if isinstance(item, Occurrence)] == ["static"]


def test_a_mode_that_means_nothing_is_refused_and_the_numbers_stay() -> None:
    error, numeric = Decoder().feed(modbus.answer(PROTOCOL, ALTERNATING | {0: 9}), NOW)
    assert isinstance(error, FrameError)
    assert error.reason is FrameReason.OUT_OF_RANGE
    assert isinstance(numeric, Numeric)
    assert numeric.values["mattress-pressure"] == 4.1


def test_an_exception_is_a_refused_frame_with_a_reason() -> None:
    (error,) = Decoder().feed(modbus_frame(5, 0x83, 0, 9, b"\x02"), NOW)
    assert isinstance(error, FrameError)
    assert error.reason is FrameReason.EXCEPTION


# ---- commands --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "arguments", "register", "word", "result"),
    [
        ("set-mattress-mode", {"mode": "static"}, 0, 1, {"mode": "static"}),
        ("set-mattress-mode", {"mode": "alternate"}, 0, 2, {"mode": "alternate"}),
        ("set-mattress-pressure", {"pressure": 5.25}, 2, 52, {"pressure": 5.2}),
        ("set-mattress-pressure", {"pressure": 8}, 2, 80, {"pressure": 8.0}),
        ("set-alarm-limit", {"limit": "pressure-low", "value": 3.5}, 7, 35, {"limit": "pressure-low", "value": 3.5}),
        ("set-alarm-limit", {"limit": "pressure-high", "value": 10}, 8, 100, {"limit": "pressure-high", "value": 10.0}),
    ],
)
def test_a_command_is_one_write_and_what_must_then_be_read(
    name: str, arguments: dict[str, Any], register: int, word: int, result: dict[str, Any]
) -> None:
    order = heard().order(name, arguments, NOW)
    data = word.to_bytes(2, "big")
    assert order.writes == (modbus_frame(5, 6, register, 1, data),)
    assert order.expect == (modbus_frame(5, 3, register, 1, data),)
    assert order.result == result


@pytest.mark.parametrize("mode", ["off", "cpr"])
def test_off_and_cpr_are_for_whoever_stands_at_the_bed(mode: str) -> None:
    assert refusal(heard(), "set-mattress-mode", mode=mode) == "local-only"


@pytest.mark.parametrize("register", [0, 3])
def test_a_mattress_switched_off_or_in_cpr_takes_no_command_at_all(register: int) -> None:
    decoder = heard(r0=register)
    assert refusal(decoder, "set-mattress-mode", mode="static") == "local-only"
    assert refusal(decoder, "set-mattress-pressure", pressure=4.0) == "local-only"
    assert refusal(decoder, "set-alarm-limit", limit="pressure-low", value=2.0) == "local-only"


def test_no_command_is_judged_by_a_state_that_has_been_followed_by_nonsense() -> None:
    decoder = heard()
    decoder.feed(modbus.answer(PROTOCOL, ALTERNATING | {0: 9}), NOW)
    assert refusal(decoder, "set-mattress-mode", mode="static") == "local-only"
    assert refusal(decoder, "set-mattress-pressure", pressure=4.0) == "local-only"


@pytest.mark.parametrize("pressure", [-1, 0, 1.9, 8.1, 50, float("nan"), float("inf")])
def test_pressure_stays_inside_safe_limits(pressure: float) -> None:
    assert refusal(heard(), "set-mattress-pressure", pressure=pressure) == "outside-limits"


def test_pressure_keeps_away_from_its_alarm_limits() -> None:
    assert refusal(heard(r7=40), "set-mattress-pressure", pressure=4.4) == "outside-limits"
    assert heard(r7=40).order("set-mattress-pressure", {"pressure": 4.5}, NOW).result == {"pressure": 4.5}
    assert refusal(heard(r8=60), "set-mattress-pressure", pressure=5.6) == "outside-limits"


def test_a_site_may_narrow_the_limits() -> None:
    decoder = Decoder(lowest_pressure=3.0, highest_pressure=5.0)
    decoder.feed(modbus.answer(PROTOCOL, ALTERNATING), NOW)
    assert refusal(decoder, "set-mattress-pressure", pressure=5.1) == "outside-limits"
    with pytest.raises(ValueError, match="expected 0 < lowest_pressure"):
        Decoder(lowest_pressure=5.0, highest_pressure=3.0)


@pytest.mark.parametrize(
    ("limit", "value"), [("pressure-low", 0.9), ("pressure-low", 3.6), ("pressure-high", 4.4), ("pressure-high", 10.1)]
)
def test_an_alarm_cannot_be_moved_out_of_the_way(limit: str, value: float) -> None:
    assert refusal(heard(), "set-alarm-limit", limit=limit, value=value) == "outside-limits"


def test_alarm_limits_need_a_known_set_pressure() -> None:
    assert refusal(heard(r2=0xFFFE), "set-alarm-limit", limit="pressure-low", value=2.0) == "status-too-old"


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("set-mattress-mode", {}),
        ("set-mattress-mode", {"mode": 1}),
        ("set-mattress-mode", {"mode": "boost"}),
        ("set-mattress-mode", {"mode": "static", "now": True}),
        ("set-mattress-pressure", {"pressure": "4"}),
        ("set-mattress-pressure", {"pressure": True}),
        ("set-alarm-limit", {"limit": "power", "value": 1}),
        ("set-alarm-limit", {"value": 1}),
    ],
)
def test_arguments_that_mean_nothing_are_refused(name: str, arguments: dict[str, Any]) -> None:
    assert refusal(heard(), name, **arguments) == "bad-argument"


def test_other_commands_are_unknown() -> None:
    assert refusal(heard(), "bed-motion", part="head", angle=10) == "unknown-command"


@pytest.mark.parametrize("age", [10_000_001, -1])
def test_nobody_commands_a_mattress_that_has_not_been_heard_of_lately(age: int) -> None:
    assert refusal(Decoder(), "set-mattress-mode", mode="static") == "status-too-old"
    assert refusal(heard(), "set-mattress-mode", NOW + age, mode="static") == "status-too-old"
