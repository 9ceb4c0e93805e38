"""Simulated input box of an ambulance: ``lights``, ``siren``, and the doors ``cab``, ``side``, ``rear``.

True is on or open. A step that changes one of them is an event; a scenario that comes again begins all off.
"""

from collections.abc import Iterator

from edge_agents.device import Reading
from edge_agents.devices import siren_inputs
from edge_agents.devices.siren_inputs import Decoder
from firmware_sims.devices._steps import changes, occurrence
from firmware_sims.world import Timed, World

__all__ = ["Decoder", "encode", "readings"]

_DOORS = ("cab", "side", "rear")


def encode(reading: Reading, _number: int) -> bytes:
    """One line; lines carry no number."""
    return siren_inputs.encode(reading)


def readings(world: World) -> Iterator[Timed]:
    """Every change of an input."""
    for due, name, on in changes(world, dict.fromkeys(("lights", "siren", *_DOORS), False)):
        if name in _DOORS:
            yield occurrence(world, due, "door-open" if on else "door-closed", {"door": name})
        else:
            yield occurrence(world, due, f"{name}-{'on' if on else 'off'}", {})
