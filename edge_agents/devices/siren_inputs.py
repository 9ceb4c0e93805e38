"""Lights, siren and doors of an ambulance: digital inputs of the vehicle, one text line a change.

The line is that of _checked_line.py under the tag LMI1. What it says::

    01 lights on      03 siren on      05 a door is open    details: door = cab | side | rear
    02 lights off     04 siren off     06 a door is closed  details: door

The box debounces its inputs (20 ms) and, when it starts, reports every input that is not off or closed. Source: layout
of this project; there is no open one for these inputs.
"""

from typing import Final

from edge_agents.device import Reading
from edge_agents.devices._checked_line import Layout, LineDecoder
from edge_agents.devices._details import Event, Word
from edge_agents.protocol import Stream

KIND: Final = "siren_inputs"
PROTOCOL: Final = Stream(baud=9600)
_DOOR: Final = {"door": Word(("cab", "side", "rear"))}
LAYOUT: Final = Layout(
    tag="LMI1",
    events={
        "01": Event("lights-on"),
        "02": Event("lights-off"),
        "03": Event("siren-on"),
        "04": Event("siren-off"),
        "05": Event("door-open", _DOOR),
        "06": Event("door-closed", _DOOR),
    },
)
YIELDS: Final = LAYOUT.yields()


def encode(reading: Reading) -> bytes:
    """The line the input box sends for a reading; raises ValueError when there is none."""
    return LAYOUT.encode(reading)


class Decoder(LineDecoder):
    """Lines of the input box to readings."""

    def __init__(self) -> None:
        super().__init__(LAYOUT)
