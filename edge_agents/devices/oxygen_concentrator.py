"""Oxygen concentrator on Modbus: purity, flow, outlet pressure, hours, alarms.

Input registers, 16 bits unless noted::

    0 status (0 off, 1 warming up, 2 running, 3 standby)    4 running time u32, h
    1 oxygen purity x 0.1 %                                 6 alarm bits: 0 purity low, 1 mains lost, 2 pressure low,
    2 flow x 0.01 L/min                                       3 outlet blocked, 4 pump, 5 fault
    3 outlet pressure x 0.1 kPa

Source: this project's own profile for simulators (no public register map of a concentrator was found); this table is
its definition. Purity alarms below 82 % as in ISO 80601-2-69.
"""

from typing import Final

from edge_agents.device import Reading, Yields
from edge_agents.devices._register_fields import Choice, Edge, Number, State, Type, alarm_bits
from edge_agents.devices._registers import RegisterDecoder, RegisterMap
from edge_agents.protocol import Modbus, Poll

KIND: Final = "oxygen_concentrator"
PROTOCOL: Final = Modbus(polls=(Poll(function=4, address=0, count=7, every=2.0),))
STATUSES: Final = {0: "off", 1: "warming-up", 2: "running", 3: "standby"}
PURITY_LOW: Final = 82.0  # %
MAP: Final = RegisterMap(
    function=4,
    numbers=(
        Number(1, "oxygen-purity", divisor=10),
        Number(2, "oxygen-flow", divisor=100),
        Number(3, "oxygen-pressure", divisor=10),
        Number(4, "running-time", Type.U32),
    ),
    alarms=alarm_bits(6, "oxygen-purity-low", "mains-lost", "pressure-low", "occlusion", "pump-fault", "device-fault"),
    states=(State("concentrator-state", (Choice("status", 0, STATUSES),)),),
    edges=(
        Edge("status", "running", "concentrator-running"),
        Edge("status", "off", "concentrator-off"),
    ),
)
YIELDS: Final = Yields(quantities=MAP.quantities, events=MAP.events, conditions=MAP.conditions)


def encode(reading: Reading) -> bytes:
    """A poll's answer. Raises ValueError when the map has no place for the reading."""
    return MAP.encode(reading)


class Decoder(RegisterDecoder):
    """Answers of a concentrator."""

    table = MAP
