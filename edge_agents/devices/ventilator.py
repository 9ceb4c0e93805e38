"""Transport ventilator: what it delivers and measures, its technical conditions and its alarms.

The line is that of _checked_line.py under the tag LMV1. What it says::

    01 a measurement, once a second: vt = tidal volume (mL), mv = minute volume (L/min), pip = peak airway pressure and
       peep (cm[H2O]), fio2 (%), rr = breathing rate (/min), etco2 (mm[Hg]), c = technical conditions
    02 an alarm about the patient began    details: alarm, priority
    03 it ended                            details: alarm, priority

What is wrong with the breathing circuit, the gas or the supply is a technical condition; what is wrong with the patient
is an alarm. Source: layout of this project; ventilators speak protocols of their makers.
"""

from typing import Final

from edge_agents.device import Reading
from edge_agents.devices._checked_line import Field, Layout, LineDecoder
from edge_agents.devices._details import Event, Word
from edge_agents.protocol import Stream

KIND: Final = "ventilator"
PROTOCOL: Final = Stream(baud=19200)
ALARMS: Final = (
    "apnoea",
    "resp-rate-high",
    "minute-volume-low",
    "minute-volume-high",
    "tidal-volume-low",
    "etco2-high",
)
_ALARM: Final = {"alarm": Word(ALARMS), "priority": Word(("low", "medium", "high"))}
LAYOUT: Final = Layout(
    tag="LMV1",
    events={"02": Event("device-alarm-on", _ALARM), "03": Event("device-alarm-off", _ALARM)},
    measurements={
        "01": (
            Field("vt", "tidal-volume", 0),
            Field("mv", "minute-volume", 1),
            Field("pip", "peak-airway-pressure", 1),
            Field("peep", "peep", 1),
            Field("fio2", "fio2", 0),
            Field("rr", "resp-rate", 0),
            Field("etco2", "etco2", 1),
        )
    },
    conditions=(
        "disconnected-circuit",
        "airway-pressure-high",
        "airway-pressure-low",
        "occlusion",
        "pressure-low",
        "battery-low",
        "mains-lost",
        "sensor-fault",
        "device-fault",
    ),
)
YIELDS: Final = LAYOUT.yields()


def encode(reading: Reading) -> bytes:
    """The line the ventilator sends for a reading; raises ValueError when there is none."""
    return LAYOUT.encode(reading)


class Decoder(LineDecoder):
    """Lines of the ventilator to readings."""

    def __init__(self) -> None:
        super().__init__(LAYOUT)
