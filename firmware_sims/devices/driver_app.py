"""Simulated app of a driver: each step is an entry, ``set = { event = "...", <detail> = ... }``, as the app has it."""

from collections.abc import Iterator

from edge_agents.device import Reading
from edge_agents.devices import driver_app
from edge_agents.devices.driver_app import Decoder
from firmware_sims.devices._steps import occurrence, told_events
from firmware_sims.world import Timed, World

__all__ = ["Decoder", "encode", "readings"]


def encode(reading: Reading, _number: int) -> bytes:
    """One line; lines carry no number."""
    return driver_app.encode(reading)


def readings(world: World) -> Iterator[Timed]:
    """The entries in order."""
    for due, name, details in told_events(world):
        yield occurrence(world, due, name, details)
