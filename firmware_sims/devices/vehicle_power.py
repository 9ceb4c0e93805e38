"""Simulated power supply and oxygen of a vehicle: the battery empties without mains, the cylinder with the flow.

Understands, beside what every polled device does (`_polled`): ``source`` (mains, battery, bypass, fault). A nearly
empty battery or cylinder is also its own alarm.
"""

from collections.abc import Iterator
from typing import Any, Final

from edge_agents.device import Reading
from edge_agents.devices.vehicle_power import MAP, Decoder
from firmware_sims.devices._polled import Measured, wander
from firmware_sims.devices._polled import readings as polled
from firmware_sims.world import Timed, World

__all__ = ["Decoder", "encode", "readings"]

EVERY: Final = 1.0
CYLINDER: Final = 10.0  # L of water; at 100 kPa a kPa of pressure is 0.1 L of oxygen
FULL: Final = 15_000.0  # kPa
LOW_OXYGEN: Final = 2_000.0
LOW_BATTERY: Final = 20.0  # %
MINUTES: Final = 240.0  # on a full battery


def encode(reading: Reading, _number: int) -> bytes:
    """Frames of the registers that the reading changes."""
    return MAP.pieces(reading)


def readings(world: World) -> Iterator[Timed]:
    """Once a second."""
    return polled(world, MAP, EVERY, _measure)


def _measure(world: World, elapsed: int) -> Measured:
    told: dict[str, Any] = world.told(elapsed)
    source = told.get("source", "mains")
    mains = source in {"mains", "bypass"}
    charge = world.state.get("charge", 92.0)
    charge = min(100.0, charge + 0.01 * EVERY) if mains else max(0.0, charge - 100 / MINUTES / 60 * EVERY)
    flow = round(6.0 + wander(world, elapsed, 1, 0.3), 1)
    pressure = world.state.get("pressure", 0.8 * FULL)
    taken = told.get("oxygen-flow", flow)
    pressure = max(0.0, pressure - (0.0 if taken == "fault" else taken) * EVERY / 60 * 100 / CYLINDER)
    world.state.update(charge=charge, pressure=pressure)
    values = {
        "supply-voltage": round(230 + wander(world, elapsed, 2, 3), 1) if mains else 0.0,
        "output-voltage": round(230 + wander(world, elapsed, 3, 1), 1),
        "supply-frequency": round(50 + wander(world, elapsed, 4, 0.05), 2) if mains else 0.0,
        "output-load": round(34 + wander(world, elapsed, 5, 6)),
        "battery-voltage": round(24 + 2.8 * charge / 100, 2),
        "battery-current": 4.5 if mains else -18.2,
        "battery": round(charge),
        "battery-time-left": round(MINUTES * charge / 100),
        "device-temperature": round(38 + wander(world, elapsed, 6, 2), 1),
        "oxygen-pressure": round(pressure),
        "oxygen-flow": flow,
        "oxygen-remaining": round(pressure * CYLINDER / 100),
    }
    return Measured(values, {"power-state": {"source": source}}, _alarms(values | told, source))


def _alarms(values: dict[str, Any], source: str) -> frozenset[str]:
    limits = {"battery-low": ("battery", LOW_BATTERY), "pressure-low": ("oxygen-pressure", LOW_OXYGEN)}
    low = {name for name, (of, limit) in limits.items() if values[of] != "fault" and values[of] < limit}
    own = {"battery": {"mains-lost"}, "fault": {"device-fault"}}
    return frozenset(low | own.get(source, set()))
