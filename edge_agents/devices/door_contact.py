"""Door contacts of a van's load compartment, on a module of digital inputs: open, closed, and tampered with.

The module is that of _inputs.py. Inputs 1 to 4 are the contacts of up to four doors, on while the door is open (as the
switch of a courtesy light); inputs 5 to 8 are the tamper outputs of the same contacts: the cable is cut, or a foreign
magnet holds the contact. The option ``doors`` says which doors there are, in the order of their inputs.

Of a door that closes it is told how long it was open, if it was seen opening.

Source: see _inputs.py; what is wired to which input is this project's choice.
"""

from typing import Final

from edge_agents.device import Reading
from edge_agents.devices import _inputs
from edge_agents.devices._details import Text
from edge_agents.devices._inputs import Input, InputDecoder

KIND: Final = "door_contact"
PROTOCOL: Final = _inputs.PROTOCOL
DOORS: Final = ("rear", "side")
TAMPER: Final = 4  # the input of the first door's tamper output, from 0
_NAME: Final = Text(24)


def inputs_of(doors: tuple[str, ...]) -> tuple[Input | None, ...]:
    """What the inputs mean when these doors are connected."""
    contacts = [Input("door-open", "door-closed", {"door": door}, lasted="open_s") for door in doors]
    free: list[Input | None] = [None] * (TAMPER - len(doors))
    return (*contacts, *free, *(Input("door-tampered", details={"door": door}) for door in doors))


INPUTS: Final = inputs_of(DOORS)
YIELDS: Final = _inputs.yields(INPUTS)


def encode(reading: Reading) -> bytes:
    """The answer in which an event of the doors is news; raises ValueError when there is none."""
    return _inputs.encode(INPUTS, reading)


class Decoder(InputDecoder):
    """Answers of the module to what happened to the doors."""

    def __init__(self, doors: str = ",".join(DOORS)) -> None:
        """``doors``: their names, separated by commas."""
        names = tuple(_NAME.check(name.strip()) for name in doors.split(","))
        if len(names) > TAMPER or len(set(names)) < len(names):
            raise ValueError(f"doors: expected up to {TAMPER} different names")
        super().__init__(inputs_of(names))
