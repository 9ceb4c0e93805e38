"""Simulated door contact of a van: every other name is a door (true = open); ``tampered`` names one that is cut."""

import heapq
from collections.abc import Iterator

from edge_agents.device import Reading
from edge_agents.devices import door_contact
from edge_agents.devices.door_contact import Decoder
from firmware_sims.devices._steps import changes, occurrence, steps
from firmware_sims.scenario import SECOND
from firmware_sims.world import Timed, World

__all__ = ["Decoder", "encode", "readings"]

_TAMPERED = "tampered"


def encode(reading: Reading, _number: int) -> bytes:
    """One line; lines carry no number."""
    return door_contact.encode(reading)


def readings(world: World) -> Iterator[Timed]:
    """Every movement of a door; one that closes tells how long it was open."""
    return heapq.merge(_movements(world), _cuts(world), key=lambda timed: timed.due)


def _movements(world: World) -> Iterator[Timed]:
    opened: dict[str, int] = {}
    mine = (step.set for step in world.scenario.step if step.device == world.device)
    doors = {name for told in mine for name in told} - {_TAMPERED}
    for due, door, is_open in changes(world, dict.fromkeys(sorted(doors), False)):
        if is_open:
            opened[door] = due
            yield occurrence(world, due, "door-open", {"door": door})
        else:
            yield occurrence(world, due, "door-closed", {"door": door, "open_s": (due - opened[door]) / SECOND})


def _cuts(world: World) -> Iterator[Timed]:
    for due, told in steps(world, _TAMPERED):
        yield occurrence(world, due, "door-tampered", {"door": told[_TAMPERED]})
