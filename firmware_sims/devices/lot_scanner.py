"""Simulated hand scanner: each step with ``scan`` is a package; ``{gs}`` in it stands for a group separator."""

from collections.abc import Iterator

from edge_agents.device import Reading
from edge_agents.devices import lot_scanner
from edge_agents.devices.lot_scanner import SCANNED, Decoder
from firmware_sims.devices._steps import occurrence, steps
from firmware_sims.world import Timed, World

__all__ = ["Decoder", "encode", "readings"]


def encode(reading: Reading, _number: int) -> bytes:
    """One line; lines carry no number."""
    return lot_scanner.encode(reading)


def readings(world: World) -> Iterator[Timed]:
    """The scans in order."""
    for due, told in steps(world, "scan"):
        yield occurrence(world, due, SCANNED, {"scan": str(told["scan"]).replace("{gs}", "\x1d")})
