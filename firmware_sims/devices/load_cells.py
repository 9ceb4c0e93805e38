"""Simulated load cells: ``load`` (kg), ``faults`` and ``overload`` (lists of cells, from 1), ``calibration_due``."""

import random
from collections.abc import Iterator

from edge_agents.device import Numeric, Reading
from edge_agents.devices import load_cells
from edge_agents.devices.load_cells import Decoder
from firmware_sims.devices._steps import ticks
from firmware_sims.world import Timed, World

__all__ = ["Decoder", "encode", "readings"]

_EVERY = 10.0  # s
_LOAD = 0.0  # kg, when the scenario says nothing
_NOISE = 0.4  # kg


def encode(reading: Reading, _number: int) -> bytes:
    """One line; lines carry no number."""
    return load_cells.encode(reading)


def readings(world: World) -> Iterator[Timed]:
    """The load every 10 s, for ever."""
    noise = random.Random(world.device_seed)
    for due in ticks(_EVERY):
        told = world.told(due)
        faults = [f"sensor-fault/{cell}" for cell in told.get("faults", ())]
        over = [f"out-of-measuring-range/{cell}" for cell in told.get("overload", ())]
        stated = frozenset([*faults, *over, *(["calibration-due"] if told.get("calibration_due") else [])])
        load = round(float(told.get("load", _LOAD)) + noise.gauss(0, _NOISE), 1)
        invalid = {"load": "sensor-fault" if faults else "out-of-range"} if faults or over else {}
        values: dict[str, float | None] = {"load": None if invalid else load}
        at = world.start_at + due
        yield Timed(due, Numeric(observed_at=at, values=values, invalid=invalid, conditions=stated))
