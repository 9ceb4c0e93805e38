"""Sensor of an ambulance stretcher: whether it is in the vehicle, whether somebody lies on it, and their weight.

The line is that of _checked_line.py under the tag LMR1. What it says::

    01 the stretcher is locked in the vehicle    03 somebody lies on it
    02 it left the vehicle                       04 nobody does any more
    10 a measurement: w = weight (kg, empty stretcher taken off), c = technical conditions (battery-low, sensor-fault)

Source: layout of this project; there is no open one for stretchers.
"""

from typing import Final

from edge_agents.device import Reading
from edge_agents.devices._checked_line import Field, Layout, LineDecoder
from edge_agents.devices._details import Event
from edge_agents.protocol import Stream

KIND: Final = "stretcher_sensor"
PROTOCOL: Final = Stream(baud=9600)
LAYOUT: Final = Layout(
    tag="LMR1",
    events={
        "01": Event("stretcher-loaded"),
        "02": Event("stretcher-unloaded"),
        "03": Event("patient-on-stretcher"),
        "04": Event("patient-off-stretcher"),
    },
    measurements={"10": (Field("w", "weight", 1),)},
    conditions=("battery-low", "sensor-fault"),
)
YIELDS: Final = LAYOUT.yields()


def encode(reading: Reading) -> bytes:
    """The line the stretcher sends for a reading; raises ValueError when there is none."""
    return LAYOUT.encode(reading)


class Decoder(LineDecoder):
    """Lines of the stretcher to readings."""

    def __init__(self) -> None:
        super().__init__(LAYOUT)
