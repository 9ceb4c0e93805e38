"""Oxygen concentrator: its map, its states."""

from edge_agents.device import Occurrence
from edge_agents.devices.oxygen_concentrator import MAP, PROTOCOL, Decoder
from tests.devices import modbus

READINGS = modbus.readings(MAP)
agrees = modbus.agrees


def test_one_poll_brings_everything() -> None:
    assert modbus.is_in_one_poll(PROTOCOL, MAP)


def test_switching_it_off_is_an_event() -> None:
    decoder, told = Decoder(), []
    for status in (1, 2, 2, 0):
        items = decoder.feed(modbus.answer(PROTOCOL, {0: status}), 0)
        told += [(item.name, item.details) for item in items if isinstance(item, Occurrence)]
    assert told == [
        ("concentrator-state", {"status": "warming-up"}),
        ("concentrator-state", {"status": "running"}),
        ("concentrator-running", {}),
        ("concentrator-state", {"status": "off"}),
        ("concentrator-off", {}),
    ]
