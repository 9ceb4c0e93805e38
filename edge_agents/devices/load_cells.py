"""Load cells under a van's floor: the whole load, and every cell that is at fault.

The line is that of _checked_line.py under the tag LML1, code 01::

    l   the load, kg, tare taken off; !sensor-fault while a cell is at fault: a sum without a cell is not the load
    c   technical conditions; the part is the number of the cell: sensor-fault/3 (broken, or its bridge out of balance),
        out-of-measuring-range/2 (overloaded); and calibration-due

Source: layout of this project. Weighing terminals have protocols of their makers, but none that names a faulty cell.
"""

from typing import Final

from edge_agents.device import Reading
from edge_agents.devices._checked_line import Field, Layout, LineDecoder
from edge_agents.protocol import Stream

KIND: Final = "load_cells"
PROTOCOL: Final = Stream(baud=9600)
LAYOUT: Final = Layout(
    tag="LML1",
    measurements={"01": (Field("l", "load", 1),)},
    conditions=("sensor-fault", "out-of-measuring-range", "calibration-due"),
)
YIELDS: Final = LAYOUT.yields()


def encode(reading: Reading) -> bytes:
    """The line the weighing terminal sends for a reading; raises ValueError when there is none."""
    return LAYOUT.encode(reading)


class Decoder(LineDecoder):
    """Lines of the weighing terminal to readings."""

    def __init__(self) -> None:
        super().__init__(LAYOUT)
