"""Simulated refrigeration unit of a van: cools to its set point; warms while the door is open or it defrosts.

Understands, beside what every polled device does (`_polled`; of ``conditions`` one alarm code at a time): ``on``,
``on_mains``, ``door_open`` and ``defrosting``.
"""

from collections.abc import Iterator
from typing import Any, Final

from edge_agents.device import Reading
from edge_agents.devices.refrigeration_unit import MAP, Decoder
from firmware_sims.devices._polled import Measured, wander
from firmware_sims.devices._polled import readings as polled
from firmware_sims.scenario import SECOND
from firmware_sims.world import Timed, World

__all__ = ["Decoder", "encode", "readings"]

EVERY: Final = 2.0
SET_POINT: Final = 4.0  # degC
OUTSIDE: Final = 28.0
HOURS: Final = 5400
# degC per second that the air goes towards its aim
_COOLS: Final = 0.02
_WARMS: Final = 0.05


def encode(reading: Reading, _number: int) -> bytes:
    """Frames of the registers that the reading changes."""
    return MAP.pieces(reading)


def readings(world: World) -> Iterator[Timed]:
    """Every two seconds."""
    return polled(world, MAP, EVERY, _measure)


def _measure(world: World, elapsed: int) -> Measured:
    told: dict[str, Any] = world.told(elapsed)
    flags = {name: bool(told.get(name, first)) for name, first in _FLAGS.items()}
    warming = flags["door_open"] or flags["defrosting"] or not flags["on"]
    air = world.state.get("air", SET_POINT)
    step = (_WARMS if warming else _COOLS) * EVERY
    aim = OUTSIDE if warming else SET_POINT
    air += max(-step, min(step, aim - air))
    cargo = world.state.get("cargo", SET_POINT + 0.5)
    cargo += 0.004 * EVERY * (air - cargo)  # it follows the air slowly
    world.state.update(air=air, cargo=cargo)
    cooling = flags["on"] and not flags["defrosting"] and air > SET_POINT + 0.2
    values = {
        "return-air-temperature": round(air + 0.6 + wander(world, elapsed, 1, 0.2), 1),
        "supply-air-temperature": round(air - (2.0 if cooling else 0.0) + wander(world, elapsed, 2, 0.2), 1),
        "set-point-temperature": SET_POINT,
        "evaporator-temperature": 18.0 if flags["defrosting"] else round(air - (9.0 if cooling else 1.0), 1),
        "running-time": HOURS + elapsed // (3600 * SECOND),
    }
    for probe in range(1, 5):
        values[f"cargo-temperature-{probe}"] = round(cargo + wander(world, elapsed, 3 + probe, 0.3), 1)
    return Measured(values, {"refrigeration-state": flags | {"cooling": cooling, "heating": False}})


_FLAGS: Final = {"on": True, "on_mains": False, "door_open": False, "defrosting": False}
