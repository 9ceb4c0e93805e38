"""Simulated oxygen concentrator: warms up for a minute, then delivers two litres a minute.

Understands, beside what every polled device does (`_polled`): ``status`` (off, warming-up, running, standby). Purity
below 82 % is also its own alarm.
"""

from collections.abc import Iterator
from typing import Any, Final

from edge_agents.device import Reading
from edge_agents.devices.oxygen_concentrator import MAP, PURITY_LOW, Decoder
from firmware_sims.devices._polled import Measured, wander
from firmware_sims.devices._polled import readings as polled
from firmware_sims.scenario import SECOND
from firmware_sims.world import Timed, World

__all__ = ["Decoder", "encode", "readings"]

EVERY: Final = 1.0
WARMING_UP: Final = 60.0  # s
HOURS: Final = 3150


def encode(reading: Reading, _number: int) -> bytes:
    """Frames of the registers that the reading changes."""
    return MAP.pieces(reading)


def readings(world: World) -> Iterator[Timed]:
    """Once a second."""
    return polled(world, MAP, EVERY, _measure)


def _measure(world: World, elapsed: int) -> Measured:
    told: dict[str, Any] = world.told(elapsed)
    seconds = elapsed / SECOND
    status = told.get("status", "running" if seconds >= WARMING_UP else "warming-up")
    on = status in {"warming-up", "running"}
    warm = min(1.0, 0.75 + 0.25 * seconds / WARMING_UP) if status == "warming-up" else 1.0
    values = {
        "oxygen-purity": round(warm * 93.5 + wander(world, elapsed, 1, 0.4), 1) if on else 21.0,
        "oxygen-flow": round(2.0 + wander(world, elapsed, 2, 0.05), 2) if on else 0.0,
        "oxygen-pressure": round(45.0 + wander(world, elapsed, 3, 1.5), 1) if on else 0.0,
        "running-time": HOURS + seconds // 3600,
    }
    purity = told.get("oxygen-purity", values["oxygen-purity"])
    low = status == "running" and purity != "fault" and purity < PURITY_LOW
    conditions = frozenset({"oxygen-purity-low"} if low else ())
    return Measured(values, {"concentrator-state": {"status": status}}, conditions)
