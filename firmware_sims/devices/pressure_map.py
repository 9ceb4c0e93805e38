"""Simulated pressure mat: who lies on it, and how.

Names: ``in_bed`` (true at first), ``posture`` (supine, left, right, sitting), ``peak`` (kPa at the most loaded place),
``broken`` (cells from 0, row by row).
"""

import math
import random
from collections.abc import Iterator
from typing import Any, Final

from edge_agents.device import Reading
from edge_agents.devices import pressure_map
from edge_agents.devices.pressure_map import COLUMNS, EVENT, ROWS, Decoder
from firmware_sims.devices._steps import occurrence, ticks
from firmware_sims.world import Timed, World

__all__ = ["Decoder", "encode", "readings"]

_EVERY: Final = 3.0  # s
_PEAK: Final = 8.0  # kPa
# where the body presses: (share of the length from the head, share of the width, load, size along, size across)
_ON_THE_BACK: Final = (
    (0.08, 0.5, 0.5, 0.5, 1.0),  # head
    (0.28, 0.5, 0.7, 0.8, 2.5),  # shoulders
    (0.55, 0.5, 1.0, 0.7, 2.2),  # sacrum
    (0.93, 0.5, 0.5, 0.4, 2.0),  # heels
)
_ON_THE_LEFT: Final = (
    (0.08, 0.35, 0.4, 0.5, 0.8),
    (0.28, 0.35, 1.0, 0.6, 1.2),
    (0.55, 0.40, 0.9, 0.6, 1.3),  # hip
    (0.90, 0.45, 0.5, 0.4, 1.0),
)
_BODIES: Final = {
    "supine": _ON_THE_BACK,
    "left": _ON_THE_LEFT,
    "right": tuple((along, 1 - across, *rest) for along, across, *rest in _ON_THE_LEFT),
    "sitting": ((0.55, 0.5, 1.0, 0.8, 2.4), (0.93, 0.5, 0.2, 0.4, 1.6)),
}


def encode(reading: Reading, number: int) -> bytes:
    """One block."""
    return pressure_map.encode(reading, number)


def readings(world: World) -> Iterator[Timed]:
    """A map every 3 s, for ever."""
    noise = random.Random(world.device_seed)
    for due in ticks(_EVERY):
        cells = _cells(world.told(due), noise)
        yield occurrence(world, due, EVENT, {"rows": ROWS, "columns": COLUMNS, "kpa": cells})


def _cells(told: dict[str, Any], noise: random.Random) -> list[float | None]:
    body: tuple[tuple[float, ...], ...] = (
        _BODIES[str(told.get("posture", "supine"))] if told.get("in_bed", True) else ()
    )
    peak = float(told.get("peak", _PEAK))
    broken = set(told.get("broken", ()))
    cells: list[float | None] = []
    for place in range(ROWS * COLUMNS):
        row, column = divmod(place, COLUMNS)
        load = max((_load(row, column, part) for part in body), default=0.0)
        kpa = max(0.0, peak * load * (1 + noise.gauss(0, 0.03)) + noise.gauss(0, 0.02))
        cells.append(None if place in broken else round(min(kpa, 100.0), 2))
    return cells


def _load(row: int, column: int, part: tuple[float, ...]) -> float:
    along, across, load, length, width = part
    y = (row - along * (ROWS - 1)) / length
    x = (column - across * (COLUMNS - 1)) / width
    return load * math.exp(-0.5 * (x * x + y * y))
