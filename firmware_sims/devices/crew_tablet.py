"""Simulated tablet of a crew: each step is an entry, ``set = { event = "...", <detail> = ... }`` as the device has it.

A ``time`` (last-known-well, symptoms-discovered) is in seconds of the scenario and may be negative: before it began.
"""

from collections.abc import Iterator

from edge_agents.device import Reading
from edge_agents.devices import crew_tablet
from edge_agents.devices.crew_tablet import Decoder
from firmware_sims.devices._steps import occurrence, told_events
from firmware_sims.scenario import SECOND
from firmware_sims.world import Timed, World

__all__ = ["Decoder", "encode", "readings"]


def encode(reading: Reading, _number: int) -> bytes:
    """One line; lines carry no number."""
    return crew_tablet.encode(reading)


def readings(world: World) -> Iterator[Timed]:
    """The entries in order."""
    for due, name, details in told_events(world):
        if "time" in details:
            details["time"] = world.start_at + round(details["time"] * SECOND)
        yield occurrence(world, due, name, details)
