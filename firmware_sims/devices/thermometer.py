"""Simulated ear thermometer: measures when its button is pressed.

Steps: ``measure`` (each new value is a press of the button), ``ear = "missed"`` (it could not measure),
``clock = "unset"``.
"""

from collections.abc import Iterator

from edge_agents.device import Numeric, Reading
from edge_agents.devices import thermometer
from edge_agents.devices.thermometer import Decoder
from firmware_sims.devices._spot import moments, stores, whole_second
from firmware_sims.world import Timed, World

__all__ = ["VALUES", "Decoder", "encode", "readings", "stores"]

VALUES = {thermometer.TYPE: bytes([3])}  # ear


def encode(reading: Reading, _number: int) -> bytes:
    """An indication; it carries no number."""
    return thermometer.encode(reading)


def readings(world: World) -> Iterator[Timed]:
    """The patient's temperature at each press, in the tenths that such thermometers show."""
    for due in moments(world, 0, 0):
        told = world.told(due)
        missed = told.get("ear") == "missed"
        value = None if missed else round(world.timeline.condition_at(due).temperature, 1)
        reading = Numeric(
            observed_at=whole_second(world.start_at + due),
            values={"temperature": value},
            invalid={"temperature": "no-measurement"} if missed else {},
            conditions=frozenset({"clock-unset"} if told.get("clock") == "unset" else ()),
        )
        yield Timed(due, reading)
