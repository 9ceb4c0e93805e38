"""Sensor under a mattress: heart and breathing rate, movement and presence, once a second, and bed exits.

The line is that of _checked_line.py under the tag LMU1. What it says::

    01 a measurement: h = heart rate and r = breathing rate (/min), m = movement (counts), p = presence (1 or 0),
       c = technical conditions. With nobody in bed the rates are !sensor-off, while somebody moves they are !searching.
    02 somebody left the bed       details: in_bed_s = how long they had been in it
    03 somebody came back          details: away_s = how long they had been away

Source: layout of this project; there is no open one that all such sensors speak.
"""

from typing import Final

from edge_agents.device import Reading
from edge_agents.devices._checked_line import Field, Layout, LineDecoder
from edge_agents.devices._details import Event, Number
from edge_agents.protocol import Stream

KIND: Final = "under_mattress_sensor"
PROTOCOL: Final = Stream(baud=115200)
_SECONDS: Final = Number(0, 10_000_000, 1)
LAYOUT: Final = Layout(
    tag="LMU1",
    events={"02": Event("bed-exit", {}, {"in_bed_s": _SECONDS}), "03": Event("bed-return", {}, {"away_s": _SECONDS})},
    measurements={
        "01": (
            Field("h", "heart-rate", 1),
            Field("r", "resp-rate", 1),
            Field("m", "movement", 0),
            Field("p", "presence", 0),
        )
    },
    conditions=("sensor-fault", "signal-poor", "calibration-due"),
)
YIELDS: Final = LAYOUT.yields()


def encode(reading: Reading) -> bytes:
    """The line the sensor sends for a reading; raises ValueError when there is none."""
    return LAYOUT.encode(reading)


class Decoder(LineDecoder):
    """Lines of the sensor to readings."""

    def __init__(self) -> None:
        super().__init__(LAYOUT)
