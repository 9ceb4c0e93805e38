"""Simulated scale: weighs whoever steps on it.

Steps: ``measure`` (each new value is a person stepping on it), ``weight`` (kg), ``height`` (cm; then it also tells the
body mass index), ``clock = "unset"``.
"""

import random
from collections.abc import Iterator
from typing import Any

from edge_agents.device import Numeric, Reading
from edge_agents.devices import weight_scale
from edge_agents.devices.weight_scale import Decoder
from firmware_sims.devices._spot import moments, stores, whole_second
from firmware_sims.world import Timed, World

__all__ = ["VALUES", "Decoder", "encode", "readings", "stores"]

VALUES = {weight_scale.FEATURE: bytes.fromhex("2b000000")}  # time, index, 0.05 kg


def encode(reading: Reading, _number: int) -> bytes:
    """An indication; it carries no number."""
    return weight_scale.encode(reading)


def readings(world: World) -> Iterator[Timed]:
    """A weight each time."""
    noise = random.Random(world.device_seed)
    for due in moments(world, 0, 0):
        told = world.told(due)
        conditions = frozenset({"clock-unset"} if told.get("clock") == "unset" else ())
        at = whole_second(world.start_at + due)
        yield Timed(due, Numeric(observed_at=at, values=_values(told, noise), conditions=conditions))


def _values(told: dict[str, Any], noise: random.Random) -> dict[str, float | None]:
    weight = round((told.get("weight", 68.0) + noise.gauss(0, 0.05)) / 0.05) * 0.05
    if "height" not in told:
        return {"weight": round(weight, 2)}
    index = weight / (told["height"] / 100) ** 2
    return {"weight": round(weight, 2), "bmi": round(index, 1), "height": round(told["height"], 1)}
