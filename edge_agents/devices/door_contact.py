"""Door contact of a van's load compartment: one text line when a door moves, and one when somebody tampers with it.

The line is that of _checked_line.py under the tag LMO1. What it says::

    01 a door was opened    details: door = its name, as the installer set it
    02 a door was closed    details: door, open_s = how long it had been open
    03 the cable was cut, or a foreign magnet holds the contact    details: door

Source: layout of this project; there is no open one for door contacts.
"""

from typing import Final

from edge_agents.device import Reading
from edge_agents.devices._checked_line import Layout, LineDecoder
from edge_agents.devices._details import Event, Number, Text
from edge_agents.protocol import Stream

KIND: Final = "door_contact"
PROTOCOL: Final = Stream(baud=9600)
_DOOR: Final = {"door": Text(24)}
LAYOUT: Final = Layout(
    tag="LMO1",
    events={
        "01": Event("door-open", _DOOR),
        "02": Event("door-closed", _DOOR, {"open_s": Number(0, 10_000_000, 1)}),
        "03": Event("door-tampered", _DOOR),
    },
)
YIELDS: Final = LAYOUT.yields()


def encode(reading: Reading) -> bytes:
    """The line the contact sends for a reading; raises ValueError when there is none."""
    return LAYOUT.encode(reading)


class Decoder(LineDecoder):
    """Lines of the contact to readings."""

    def __init__(self) -> None:
        super().__init__(LAYOUT)
