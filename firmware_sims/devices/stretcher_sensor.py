"""Simulated stretcher: ``loaded``, ``patient`` and ``battery_low`` (true or false), ``weight`` (kg of the person).

True or false too: ``broken`` (a cell pulls, which nothing that lies on it does), ``overloaded``, and ``moving``: the
weight does not come to rest. It weighs twice a second, with a little noise.
"""

import random
from collections.abc import Iterator

from edge_agents.device import Occurrence, Reading
from edge_agents.devices.stretcher_sensor import Decoder, answer
from firmware_sims.devices._steps import occurrence, ticks
from firmware_sims.world import Timed, World

__all__ = ["AT_REST", "Decoder", "encode", "readings"]

AT_REST = answer(0.0)
_STATE = "stretcher"  # what is handed on from `readings` to `encode`
_EVERY = 0.5  # s
_WEIGHT = 68.0  # kg, when the scenario says nothing
_NOISE = 0.3  # kg


def encode(reading: Reading, _number: int) -> bytes:
    """What the transmitter answers from then on."""
    assert isinstance(reading, Occurrence)
    return answer(**reading.details)


def readings(world: World) -> Iterator[Timed]:
    """Weight and inputs, for ever."""
    noise = random.Random(world.device_seed)
    for due in ticks(_EVERY):
        told = world.told(due)
        person = float(told.get("weight", _WEIGHT)) if told.get("patient") else 0.0
        state = {
            "net": round(person + noise.gauss(0, _NOISE), 1),
            "loaded": bool(told.get("loaded")),
            "battery_low": bool(told.get("battery_low")),
            "faulty": bool(told.get("broken")),
            "overloaded": bool(told.get("overloaded")),
            "stable": not told.get("moving"),
        }
        yield occurrence(world, due, _STATE, state)
