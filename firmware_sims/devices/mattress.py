"""Simulated alternating-pressure mattress: its cells swing about the set pressure; takes writes inside its range.

Understands, beside what every polled device does (`_polled`): ``mode``, ``pressure_low_limit``,
``pressure_high_limit``, ``set_pressure`` and ``cycle``; what was written to it wins.
"""

import math
from collections.abc import Iterator
from typing import Any, Final

from edge_agents.device import Reading
from edge_agents.devices.mattress import HIGH_LIMIT, LOW_LIMIT, MAP, MODE, MODES, SET_PRESSURE, Decoder
from firmware_sims.devices._polled import ILLEGAL_ADDRESS, ILLEGAL_VALUE, Measured, refuse, written
from firmware_sims.devices._polled import readings as polled
from firmware_sims.scenario import SECOND
from firmware_sims.world import Timed, World

__all__ = ["Decoder", "control", "encode", "readings"]

EVERY: Final = 1.0
SWING: Final = 0.6  # kPa
START_HOURS: Final = 1200
_AT_FIRST: Final[dict[str, Any]] = {
    "mode": "alternate",
    "set_pressure": 4.0,
    "pressure_low_limit": 2.0,
    "pressure_high_limit": 9.0,
    "cycle": 10.0,
}
_WRITABLE: Final = {
    MODE: "mode",
    SET_PRESSURE: "set_pressure",
    LOW_LIMIT: "pressure_low_limit",
    HIGH_LIMIT: "pressure_high_limit",
}


def encode(reading: Reading, _number: int) -> bytes:
    """Frames of the registers that the reading changes."""
    return MAP.pieces(reading)


def readings(world: World) -> Iterator[Timed]:
    """Once a second."""
    return polled(world, MAP, EVERY, _measure)


def control(world: World, _elapsed: int, frame: bytes) -> tuple[bytes, ...]:
    """Takes mode, set pressure and alarm limits; whatever else is written is refused."""
    for address, word in written(frame).items():
        if address not in _WRITABLE:
            return refuse(frame, ILLEGAL_ADDRESS)
        if (word not in MODES) if address == MODE else not 5 <= word <= 120:
            return refuse(frame, ILLEGAL_VALUE)
    for address, word in written(frame).items():
        world.state[_WRITABLE[address]] = MODES[word] if address == MODE else word / 10
    return ()


def _measure(world: World, elapsed: int) -> Measured:
    now = _AT_FIRST | world.told(elapsed) | world.state
    mode, target = now["mode"], now["set_pressure"]
    seconds = elapsed / SECOND
    swing = SWING * math.sin(2 * math.pi * seconds / (60 * now["cycle"])) if mode == "alternate" else 0.0
    pressure = target + swing if mode in {"static", "alternate"} else 0.3
    if isinstance(said := now.get("mattress-pressure"), int | float):
        pressure = said
    conditions = {"pressure-low"} if pressure < now["pressure_low_limit"] else set()
    if pressure > now["pressure_high_limit"]:
        conditions.add("pressure-high")
    return Measured(
        values={
            "mattress-pressure": pressure,
            "mattress-set-pressure": target,
            "mattress-cycle": now["cycle"],
            "running-time": START_HOURS + seconds // 3600,
        },
        states={"mattress-state": {key: now[key] for key in ("mode", "pressure_low_limit", "pressure_high_limit")}},
        conditions=frozenset(conditions),
    )
