"""Simulated inputs of an ambulance: ``lights``, ``siren``, and the doors ``cab``, ``side``, ``rear``.

True is on or open. A step that changes one of them is an event; a scenario that comes again begins all off.
"""

from collections.abc import Iterator

from edge_agents.device import Reading
from edge_agents.devices import siren_inputs
from edge_agents.devices._inputs import SIZE, frame
from edge_agents.devices.siren_inputs import Decoder
from firmware_sims.devices._steps import changes, occurrence
from firmware_sims.world import Timed, World

__all__ = ["AT_REST", "Decoder", "encode", "readings"]

AT_REST = frame(0, [False] * SIZE)
_DOORS = ("cab", "side", "rear")
_ALL = ("lights", "siren", *_DOORS)


def encode(reading: Reading, _number: int) -> bytes:
    """The input that the event changes."""
    return siren_inputs.encode(reading)


def readings(world: World) -> Iterator[Timed]:
    """Every input as it is at first, then every change."""
    for name in _ALL:
        yield _event(world, 0, name, on=False)
    for due, name, on in changes(world, dict.fromkeys(_ALL, False)):
        yield _event(world, due, name, on=on)


def _event(world: World, due: int, name: str, *, on: bool) -> Timed:
    if name in _DOORS:
        return occurrence(world, due, "door-open" if on else "door-closed", {"door": name})
    return occurrence(world, due, f"{name}-{'on' if on else 'off'}", {})
