"""Lights, siren and doors of an ambulance: digital inputs of the vehicle, read from a module on Modbus.

The module is that of _inputs.py. On is 12 V at the lamp or the siren, and for a door the switch of its courtesy light::

    1 lights    2 siren    3 cab door    4 side door    5 rear door    6 to 8 not connected

Source: see _inputs.py; what is wired to which input is this project's choice.
"""

from typing import Final

from edge_agents.device import Reading
from edge_agents.devices import _inputs
from edge_agents.devices._inputs import Input, InputDecoder

KIND: Final = "siren_inputs"
PROTOCOL: Final = _inputs.PROTOCOL
INPUTS: Final = (
    Input("lights-on", "lights-off"),
    Input("siren-on", "siren-off"),
    *(Input("door-open", "door-closed", {"door": door}) for door in ("cab", "side", "rear")),
)
YIELDS: Final = _inputs.yields(INPUTS)


def encode(reading: Reading) -> bytes:
    """The answer in which an event is news; raises ValueError when there is none."""
    return _inputs.encode(INPUTS, reading)


class Decoder(InputDecoder):
    """Answers of the module to what was switched on, off, opened and closed."""

    def __init__(self) -> None:
        super().__init__(INPUTS)
