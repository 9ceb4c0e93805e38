"""All-in-one health machine of a kiosk: everything it measured of one person in one report.

The line is that of _checked_line.py under the tag LMK1, code 01; a station that was skipped is left out::

    h height (cm), w weight (kg), b body mass index (kg/m2), s d a blood pressure systolic, diastolic, mean (mm[Hg]),
    p pulse rate (/min), o oxygen saturation (%), t temperature (Cel), g glucose (mmol/L), c technical conditions

A station that tried and failed gives !no-measurement and states why among the conditions (cuff-error, body-moved,
strip-error, sensor-off ...). Source: layout of this project; such machines speak protocols of their makers.
"""

from typing import Final

from edge_agents.device import Reading
from edge_agents.devices._checked_line import Field, Layout, LineDecoder
from edge_agents.protocol import Stream

KIND: Final = "all_in_one"
PROTOCOL: Final = Stream(baud=9600)
LAYOUT: Final = Layout(
    tag="LMK1",
    measurements={
        "01": (
            Field("h", "height", 1),
            Field("w", "weight", 1),
            Field("b", "bmi", 1),
            Field("s", "bp-systolic", 0),
            Field("d", "bp-diastolic", 0),
            Field("a", "bp-mean", 0),
            Field("p", "pulse-rate", 0),
            Field("o", "spo2", 0),
            Field("t", "temperature", 1),
            Field("g", "glucose", 1),
        )
    },
    conditions=(
        "cuff-error",
        "body-moved",
        "irregular-pulse",
        "strip-error",
        "out-of-measuring-range",
        "sensor-off",
        "sensor-fault",
        "ambient-temperature",
        "calibration-due",
    ),
)
YIELDS: Final = LAYOUT.yields()


def encode(reading: Reading) -> bytes:
    """The line the machine sends for a reading; raises ValueError when there is none."""
    return LAYOUT.encode(reading)


class Decoder(LineDecoder):
    """Lines of the machine to readings."""

    def __init__(self) -> None:
        super().__init__(LAYOUT)
