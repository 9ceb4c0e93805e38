"""Refrigeration unit of a delivery van on Modbus: air and cargo temperatures, door, defrost, alarm code.

Input registers, 16 bits unless noted, temperatures s16 x 0.1 degC with 8000 for a broken probe::

    0 state bits: 0 on, 1 cooling, 2 heating, 3 on mains    9 door (0 closed, 1 open)
    1 return air    2 supply air                            10 defrost (0 no, 1 yes)
    3 set point     4 evaporator                            11 alarm code: 1 compressor, 2 pressure high,
    5 to 8 cargo probes 1 to 4                                 3 pressure low, 4 battery low, 5 mains lost, 6 pump;
                                                               others: a fault
                                                            12 compressor hours u32

Source: this project's own profile for simulators (transport units speak protocols of their makers); this table is its
definition.
"""

from typing import Final

from edge_agents.device import Reading, Yields
from edge_agents.devices._register_fields import Alarm, Edge, Flag, Number, State, Type
from edge_agents.devices._registers import RegisterDecoder, RegisterMap
from edge_agents.protocol import Modbus, Poll

KIND: Final = "refrigeration_unit"
PROTOCOL: Final = Modbus(polls=(Poll(function=4, address=0, count=14, every=5.0),))
ALARM_CODES: Final = {
    1: "compressor-fault",
    2: "pressure-high",
    3: "pressure-low",
    4: "battery-low",
    5: "mains-lost",
    6: "pump-fault",
}


def _probe(address: int, quantity: str) -> Number:
    return Number(address, quantity, Type.S16, 10, fault="probe-fault")


MAP: Final = RegisterMap(
    function=4,
    numbers=(
        _probe(1, "return-air-temperature"),
        _probe(2, "supply-air-temperature"),
        Number(3, "set-point-temperature", Type.S16, 10),
        _probe(4, "evaporator-temperature"),
        *(_probe(4 + probe, f"cargo-temperature-{probe}") for probe in range(1, 5)),
        Number(12, "running-time", Type.U32),
    ),
    alarms=tuple(Alarm(11, 0xFFFF, code, condition) for code, condition in ALARM_CODES.items()),
    states=(
        State(
            "refrigeration-state",
            (
                Flag("on", 0, 0),
                Flag("cooling", 0, 1),
                Flag("heating", 0, 2),
                Flag("on_mains", 0, 3),
                Flag("door_open", 9, 0),
                Flag("defrosting", 10, 0),
            ),
        ),
    ),
    edges=(
        Edge("on", True, "refrigeration-on"),
        Edge("on", False, "refrigeration-off"),
        Edge("door_open", True, "door-open"),
        Edge("door_open", False, "door-closed"),
        Edge("defrosting", True, "defrost-started"),
        Edge("defrosting", False, "defrost-ended"),
    ),
)
YIELDS: Final = Yields(quantities=MAP.quantities, events=MAP.events, conditions=MAP.conditions)


def encode(reading: Reading) -> bytes:
    """A poll's answer. Raises ValueError when the map has no place for the reading."""
    return MAP.encode(reading)


class Decoder(RegisterDecoder):
    """Answers of a refrigeration unit."""

    table = MAP
