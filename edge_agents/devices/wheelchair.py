"""Smart wheelchair on Modbus: charge, speed, whether somebody sits in it, seat tilt, brake, help button, tipping over.

Holding registers, 16 bits unless noted::

    0 battery, %                                     4 state bits: 0 seat occupied, 1 brake on, 2 help button,
    1 battery voltage x 0.1 V                                      3 tipped over
    2 speed x 0.1 km/h, forwards or backwards        5 alarm bits: 0 battery low, 1 drive or brake, 2 tilt sensor
    3 seat tilted backwards, deg in steps of 5       6 running time u32, h

The chair keeps the bits of help button and tipping over set until somebody at the chair has answered them, so that no
poll misses them. It takes no commands: nobody moves a chair from afar.

Source: this project's own profile for simulators (no public register map of a wheelchair was found: their buses, as
DX and R-net, are not published); this table is its definition.
"""

from typing import Final

from edge_agents.device import Reading, Yields
from edge_agents.devices._register_fields import Edge, Flag, Level, Number, State, Type, alarm_bits
from edge_agents.devices._registers import RegisterDecoder, RegisterMap
from edge_agents.protocol import Modbus, Poll

KIND: Final = "wheelchair"
PROTOCOL: Final = Modbus(polls=(Poll(function=3, address=0, count=8, every=1.0),))
FASTEST: Final = 20.0  # km/h; what is above is a broken sensor
MAP: Final = RegisterMap(
    function=3,
    numbers=(
        Number(0, "battery"),
        Number(1, "battery-voltage", divisor=10),
        Number(2, "speed", divisor=10, high=FASTEST),
        Number(6, "running-time", Type.U32),
    ),
    alarms=alarm_bits(5, "battery-low", "device-fault", "sensor-fault/tilt"),
    states=(
        State(
            "wheelchair-state",
            (
                Flag("seat_occupied", 4, 0),
                Flag("brake", 4, 1),
                Flag("help", 4, 2),
                Flag("tipped_over", 4, 3),
                Level("seat_tilt", 3),
            ),
        ),
    ),
    edges=(
        Edge("help", True, "help-button"),
        Edge("tipped_over", True, "tip-over"),
    ),
)
YIELDS: Final = Yields(quantities=MAP.quantities, events=MAP.events, conditions=MAP.conditions)


def encode(reading: Reading) -> bytes:
    """A poll's answer. Raises ValueError when the map has no place for the reading."""
    return MAP.encode(reading)


class Decoder(RegisterDecoder):
    """Answers of a wheelchair."""

    table = MAP
