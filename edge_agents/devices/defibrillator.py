"""Defibrillator: its event log as it happens, and the energy and impedance of every shock.

The line is that of _checked_line.py under the tag LMD1. What it says::

    01 switched on             05 shock advised        09 a shock was given    details: shock (its number), energy_j,
    02 switched off            06 no shock advised                             impedance_ohm
    03 pads on the chest       07 charging             10 the charge was taken back inside
    04 analysis started        08 charged              11 chest compressions began    12 they ended
       (details of 07, 08: energy_j)                   13 pads came off
    20 the measurement of a shock: e = delivered energy (J), i = impedance (Ohm), c = technical conditions

After a shock both 09 and 20 are sent. Source: layout of this project; defibrillators have logs of their makers.
"""

from typing import Final

from edge_agents.device import Reading
from edge_agents.devices._checked_line import Field, Layout, LineDecoder
from edge_agents.devices._details import Count, Event, Number
from edge_agents.protocol import Stream

KIND: Final = "defibrillator"
PROTOCOL: Final = Stream(baud=19200)
_ENERGY: Final = {"energy_j": Number(0, 1000, 1)}
LAYOUT: Final = Layout(
    tag="LMD1",
    events={
        "01": Event("defibrillator-on"),
        "02": Event("defibrillator-off"),
        "03": Event("pads-on"),
        "04": Event("analysis-started"),
        "05": Event("shock-advised"),
        "06": Event("no-shock-advised"),
        "07": Event("charge-started", _ENERGY),
        "08": Event("charged", _ENERGY),
        "09": Event("shock-delivered", {"shock": Count(99), **_ENERGY, "impedance_ohm": Number(0, 500, 1)}),
        "10": Event("disarmed"),
        "11": Event("cpr-started"),
        "12": Event("cpr-stopped"),
        "13": Event("pads-off"),
    },
    measurements={"20": (Field("e", "shock-energy", 1), Field("i", "shock-impedance", 1))},
    conditions=("battery-low", "self-test-failed", "device-fault", "sensor-off", "paper-out"),
)
YIELDS: Final = LAYOUT.yields()


def encode(reading: Reading) -> bytes:
    """The line the defibrillator sends for a reading; raises ValueError when there is none."""
    return LAYOUT.encode(reading)


class Decoder(LineDecoder):
    """Lines of the defibrillator to readings."""

    def __init__(self) -> None:
        super().__init__(LAYOUT)
