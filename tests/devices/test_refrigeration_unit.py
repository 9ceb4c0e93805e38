"""Refrigeration unit: its map, door and defrost."""

import pytest

from edge_agents.device import Numeric, Occurrence
from edge_agents.devices.refrigeration_unit import MAP, PROTOCOL, Decoder, encode
from tests.devices import modbus

READINGS = modbus.readings(MAP)
agrees = modbus.agrees

RUNNING = {0: 1, 5: 45, 6: 46}


def test_one_poll_brings_everything() -> None:
    assert modbus.is_in_one_poll(PROTOCOL, MAP)


def test_door_and_defrost_are_events_when_they_change() -> None:
    decoder, told = Decoder(), []
    for change in ({}, {9: 1}, {10: 1}, {}):
        items = decoder.feed(modbus.answer(PROTOCOL, RUNNING | change), 0)
        told += [item.name for item in items if isinstance(item, Occurrence) and item.name != "refrigeration-state"]
    assert told == ["door-open", "door-closed", "defrost-started", "defrost-ended"]


def test_a_broken_probe_is_a_condition_and_never_a_number() -> None:
    (numeric,) = (
        item
        for item in Decoder().feed(modbus.answer(PROTOCOL, RUNNING | {5: 0x8000, 6: 0x8001, 7: 0x7FFF}), 0)
        if isinstance(item, Numeric)
    )
    assert numeric.values["cargo-temperature-1"] is None
    assert numeric.values["cargo-temperature-2"] is None
    assert numeric.invalid == {"cargo-temperature-1": "probe-fault", "cargo-temperature-2": "out-of-range"}
    assert "cargo-temperature-3" not in numeric.values
    assert numeric.conditions == frozenset({"probe-fault/cargo-temperature-1", "probe-fault/cargo-temperature-2"})


def test_one_alarm_code_at_a_time() -> None:
    both = Numeric(
        observed_at=0, values={"cargo-temperature-1": 4.0}, conditions=frozenset({"compressor-fault", "pump-fault"})
    )
    with pytest.raises(ValueError, match="no room"):
        encode(both)
