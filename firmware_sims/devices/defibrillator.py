"""Simulated defibrillator: each step is an entry of its log, ``set = { event = "...", <detail> = ... }``.

``shock-delivered`` needs ``energy_j`` and ``impedance_ohm``; shocks are counted, and the measurement of each follows.
``conditions`` (a list, as battery-low) hold from their step on.
"""

from collections.abc import Iterator
from typing import Any

from edge_agents.device import Numeric, Reading
from edge_agents.devices import defibrillator
from edge_agents.devices.defibrillator import Decoder
from firmware_sims.devices._steps import occurrence, told_events
from firmware_sims.world import Timed, World

__all__ = ["Decoder", "encode", "readings"]

_MEASURED = 50_000  # us after the shock


def encode(reading: Reading, _number: int) -> bytes:
    """One line; lines carry no number."""
    return defibrillator.encode(reading)


def readings(world: World) -> Iterator[Timed]:
    """The log, and the measurement after each shock."""
    shocks = 0
    for due, name, told in told_events(world):
        details = {key: value for key, value in told.items() if key != "conditions"}
        if name != "shock-delivered":
            yield occurrence(world, due, name, details)
            continue
        shocks += 1
        yield occurrence(world, due, name, details | {"shock": shocks})
        yield _measurement(world, due + _MEASURED, details)


def _measurement(world: World, due: int, shock: dict[str, Any]) -> Timed:
    values: dict[str, float | None] = {
        "shock-energy": float(shock["energy_j"]),
        "shock-impedance": float(shock["impedance_ohm"]),
    }
    stated = frozenset(world.told(due).get("conditions", ()))
    return Timed(due, Numeric(observed_at=world.start_at + due, values=values, conditions=stated))
