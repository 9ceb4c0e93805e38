"""Simulated door contacts of a van: ``rear`` and ``side`` (true = open); ``tampered`` names the one that is cut."""

import heapq
from collections.abc import Iterator

from edge_agents.device import Occurrence, Reading
from edge_agents.devices import door_contact
from edge_agents.devices._inputs import SIZE, frame
from edge_agents.devices.door_contact import DOORS, TAMPER, Decoder
from firmware_sims.devices._steps import changes, occurrence
from firmware_sims.world import Timed, World

__all__ = ["AT_REST", "Decoder", "encode", "readings"]

AT_REST = frame(0, [False] * SIZE)
_TAMPERED = "door-tampered"


def encode(reading: Reading, _number: int) -> bytes:
    """The inputs that the event changes. A tamper output closes with its own contact and opens with any other."""
    if isinstance(reading, Occurrence) and reading.name == _TAMPERED:
        return frame(TAMPER, [door == reading.details["door"] for door in DOORS])
    return door_contact.encode(reading)


def readings(world: World) -> Iterator[Timed]:
    """Every door as it is at first, then every movement and every cut."""
    for door in DOORS:
        yield occurrence(world, 0, "door-closed", {"door": door})
    yield from heapq.merge(_movements(world), _cuts(world), key=lambda timed: timed.due)


def _movements(world: World) -> Iterator[Timed]:
    for due, door, is_open in changes(world, dict.fromkeys(DOORS, False)):
        yield occurrence(world, due, "door-open" if is_open else "door-closed", {"door": door})


def _cuts(world: World) -> Iterator[Timed]:
    for due, _, door in changes(world, {"tampered": ""}):
        yield occurrence(world, due, _TAMPERED, {"door": door})
