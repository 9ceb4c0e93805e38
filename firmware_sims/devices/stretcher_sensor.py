"""Simulated stretcher: ``loaded``, ``patient`` and ``battery_low`` (true or false), ``weight`` (kg of the person).

While somebody lies on it their weight is measured every 5 s, with the noise of a moving vehicle.
"""

import heapq
import random
from collections.abc import Iterator

from edge_agents.device import Numeric, Reading
from edge_agents.devices import stretcher_sensor
from edge_agents.devices.stretcher_sensor import Decoder
from firmware_sims.devices._steps import changes, occurrence, while_on
from firmware_sims.world import Timed, World

__all__ = ["Decoder", "encode", "readings"]

_WORDS = {
    "loaded": ("stretcher-loaded", "stretcher-unloaded"),
    "patient": ("patient-on-stretcher", "patient-off-stretcher"),
}
_EVERY = 5.0  # s
_WEIGHT = 68.0  # kg, when the scenario says nothing
_NOISE = 0.3  # kg


def encode(reading: Reading, _number: int) -> bytes:
    """One line; lines carry no number."""
    return stretcher_sensor.encode(reading)


def readings(world: World) -> Iterator[Timed]:
    """Events and measurements in order of time."""
    return heapq.merge(_events(world), _weights(world), key=lambda timed: timed.due)


def _events(world: World) -> Iterator[Timed]:
    for due, name, now in changes(world, dict.fromkeys(_WORDS, False)):
        came, went = _WORDS[name]
        yield occurrence(world, due, came if now else went, {})


def _weights(world: World) -> Iterator[Timed]:
    noise = random.Random(world.device_seed)
    for due in while_on(world, _EVERY, "patient"):
        told = world.told(due)
        weight = float(told.get("weight", _WEIGHT)) + noise.gauss(0, _NOISE)
        conditions = frozenset({"battery-low"} if told.get("battery_low") else ())
        values: dict[str, float | None] = {"weight": round(weight, 1)}
        yield Timed(due, Numeric(observed_at=world.start_at + due, values=values, conditions=conditions))
