"""Simulated wheelchair: stands with the brake on, or drives; its battery goes down with the way.

Understands, beside what every polled device does (`_polled`): ``seat_occupied``, ``brake``, ``help``, ``tipped_over``,
``seat_tilt`` and ``driving`` (km/h; takes the brake off). Nobody drives a chair that lies on its side.
"""

from collections.abc import Iterator
from typing import Any, Final

from edge_agents.device import Reading
from edge_agents.devices.wheelchair import MAP, Decoder
from firmware_sims.devices._polled import Measured, wander
from firmware_sims.devices._polled import readings as polled
from firmware_sims.scenario import SECOND
from firmware_sims.world import Timed, World

__all__ = ["Decoder", "encode", "readings"]

EVERY: Final = 1.0
FULL: Final = 85.0  # % at the beginning
PER_HOUR: Final = 6.0  # % that it uses
HOURS: Final = 410
_BATTERY_LOW: Final = 20.0
_AT_FIRST: Final[dict[str, Any]] = {
    "seat_occupied": True,
    "brake": True,
    "help": False,
    "tipped_over": False,
    "seat_tilt": 0.0,
    "driving": 0.0,
}


def encode(reading: Reading, _number: int) -> bytes:
    """Frames of the registers that the reading changes."""
    return MAP.pieces(reading)


def readings(world: World) -> Iterator[Timed]:
    """Once a second."""
    return polled(world, MAP, EVERY, _measure)


def _measure(world: World, elapsed: int) -> Measured:
    told = world.told(elapsed)
    now = _AT_FIRST | told
    hours = elapsed / SECOND / 3600
    battery = max(0.0, FULL - PER_HOUR * hours)
    moves = now["driving"] > 0 and not now["tipped_over"]
    speed = max(0.1, now["driving"] + wander(world, elapsed, 1, 0.3)) if moves else 0.0
    charge = told.get("battery", battery)
    low = charge != "fault" and charge < _BATTERY_LOW
    state = {
        "seat_occupied": bool(now["seat_occupied"]),
        "brake": bool(now["brake"]) and not moves,
        "help": bool(now["help"]),
        "tipped_over": bool(now["tipped_over"]),
        "seat_tilt": 5.0 * round(now["seat_tilt"] / 5),
    }
    return Measured(
        values={
            "battery": round(battery),
            "battery-voltage": round(22.0 + 0.05 * battery, 1),
            "speed": round(speed, 1),
            "running-time": HOURS + hours // 1,
        },
        states={"wheelchair-state": state},
        conditions=frozenset({"battery-low"} if low else ()),
    )
