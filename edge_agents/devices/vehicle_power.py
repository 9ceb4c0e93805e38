"""Power and oxygen of a vehicle on Modbus: inverter with battery, and the oxygen cylinder's pressure and flow.

Input registers, 16 bits::

    0 state (0 mains, 1 battery, 2 bypass, 3 fault)     8 minutes left on battery
    1 voltage in x 0.1 V     2 voltage out x 0.1 V      9 temperature s16 x 0.1 degC
    3 frequency x 0.01 Hz    4 load %                   10 oxygen cylinder pressure, kPa
    5 battery x 0.01 V       6 battery s16 x 0.01 A     11 oxygen flow x 0.1 L/min    12 oxygen left, L
    7 state of charge %                                 13 alarm bits: 0 battery low, 1 mains lost,
                                                           2 oxygen pressure low, 3 fault

Source: registers 0 to 9 are this project's own profile for simulators of an inverter, 10 to 13 its extension for the
cylinder; this table is the definition. Minutes left and oxygen left are the device's own estimates.
"""

from typing import Final

from edge_agents.device import Reading, Yields
from edge_agents.devices._register_fields import Choice, Edge, Number, State, Type, alarm_bits
from edge_agents.devices._registers import RegisterDecoder, RegisterMap
from edge_agents.protocol import Modbus, Poll

KIND: Final = "vehicle_power"
PROTOCOL: Final = Modbus(polls=(Poll(function=4, address=0, count=14, every=2.0),))
SOURCES: Final = {0: "mains", 1: "battery", 2: "bypass", 3: "fault"}
MAP: Final = RegisterMap(
    function=4,
    numbers=(
        Number(1, "supply-voltage", divisor=10),
        Number(2, "output-voltage", divisor=10),
        Number(3, "supply-frequency", divisor=100),
        Number(4, "output-load"),
        Number(5, "battery-voltage", divisor=100),
        Number(6, "battery-current", Type.S16, 100),
        Number(7, "battery"),
        Number(8, "battery-time-left"),
        Number(9, "device-temperature", Type.S16, 10),
        Number(10, "oxygen-pressure"),
        Number(11, "oxygen-flow", divisor=10),
        Number(12, "oxygen-remaining"),
    ),
    alarms=alarm_bits(13, "battery-low", "mains-lost", "pressure-low", "device-fault"),
    states=(State("power-state", (Choice("source", 0, SOURCES),)),),
    edges=(
        Edge("source", "battery", "power-on-battery"),
        Edge("source", "mains", "power-on-mains"),
    ),
)
YIELDS: Final = Yields(quantities=MAP.quantities, events=MAP.events, conditions=MAP.conditions)


def encode(reading: Reading) -> bytes:
    """A poll's answer. Raises ValueError when the map has no place for the reading."""
    return MAP.encode(reading)


class Decoder(RegisterDecoder):
    """Answers of a vehicle's power supply."""

    table = MAP
