"""Power and oxygen of a vehicle: its map, and which source feeds it."""

from edge_agents.device import Occurrence
from edge_agents.devices.vehicle_power import MAP, PROTOCOL, Decoder
from tests.devices import modbus

READINGS = modbus.readings(MAP)
agrees = modbus.agrees


def test_one_poll_brings_everything() -> None:
    assert modbus.is_in_one_poll(PROTOCOL, MAP)


def test_losing_mains_and_getting_it_back_are_events() -> None:
    decoder, told = Decoder(), []
    for source in (0, 1, 0):
        items = decoder.feed(modbus.answer(PROTOCOL, {0: source}), 0)
        told += [item.name for item in items if isinstance(item, Occurrence) and item.name != "power-state"]
    assert told == ["power-on-battery", "power-on-mains"]
