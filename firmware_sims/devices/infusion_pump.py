"""Simulated syringe pump in a rack that sends every five seconds.

Steps: ``rate`` (mL/h), ``running``, ``standby``, ``syringe`` (mL that it holds when it is put in; each new value is
another syringe), ``bolus`` (mL; each new value is one that has been given), ``mains = false``, ``battery`` (min left),
``conditions`` (codes its alarms state, as ``["occlusion"]``). An empty syringe ends the infusion by itself.
"""

from collections.abc import Iterator
from itertools import count
from typing import Any, Final

from edge_agents.device import Numeric, Occurrence, Reading
from edge_agents.devices import infusion_pump
from edge_agents.devices.infusion_pump import BOLUS, STATE, Decoder
from firmware_sims.scenario import SECOND
from firmware_sims.world import Timed, World

__all__ = ["Decoder", "control", "encode", "readings"]

EVERY: Final = 5  # s
_AT_FIRST: Final[dict[str, Any]] = {
    "rate": 5.0,
    "running": True,
    "standby": False,
    "syringe": 50.0,
    "bolus": 0.0,
    "mains": True,
    "battery": 480.0,
    "conditions": (),
}
_BATTERY_LOW: Final = 30.0  # min


def encode(reading: Reading, _number: int) -> bytes:
    """A block; it carries no number."""
    return infusion_pump.encode(reading)


def control(_world: World, _elapsed: int, _frame: bytes) -> tuple[bytes, ...]:
    """Takes acknowledgements; nothing that is written to it changes the pump."""
    return ()


def readings(world: World) -> Iterator[Timed]:
    """A bolus that was given, the state and the numbers: as the rack, which sends all of them every time."""
    infused = 0.0
    syringe, left, bolus = _AT_FIRST["syringe"], _AT_FIRST["syringe"], 0.0
    for number in count():
        due = number * EVERY * SECOND
        at = world.start_at + due
        now = _AT_FIRST | world.told(due)
        if now["syringe"] != syringe:
            syringe = left = now["syringe"]
        running = bool(now["running"] and not now["standby"] and left > 0 and "occlusion" not in now["conditions"])
        given = min(left, now["rate"] * EVERY / 3600) if running and number else 0.0
        if now["bolus"] != bolus:
            bolus = now["bolus"]
            if bolus:
                given = min(left, given + bolus)
                yield Timed(due, Occurrence(observed_at=at, name=BOLUS, details={"count": 1, "volume": bolus}))
        infused, left = infused + given, left - given
        state = {"running": running, "bolus": False, "standby": bool(now["standby"])}
        yield Timed(due, Occurrence(observed_at=at, name=STATE, details=state))
        values: dict[str, float | None] = {
            "infusion-rate": now["rate"] if running else 0.0,
            "infused-volume": infused,
            "volume-remaining": left,
            "battery-time-left": now["battery"],
        }
        yield Timed(due, Numeric(observed_at=at, values=values, conditions=_conditions(now, left)))


def _conditions(now: dict[str, Any], left: float) -> frozenset[str]:
    stated = {
        "mains-lost": not now["mains"],
        "battery-low": now["battery"] < _BATTERY_LOW,
        "infusion-ended": left <= 0,
    }
    return frozenset(now["conditions"]) | {condition for condition, present in stated.items() if present}
