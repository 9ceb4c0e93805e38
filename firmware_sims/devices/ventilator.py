"""Simulated ventilator that supports the patient's own breaths.

Names: ``on`` (false at first), ``tidal_volume`` (mL), ``peep`` and ``support`` (cm[H2O]), ``fio2`` (%), ``etco2``
(mm[Hg]), ``disconnected`` (true or false), and ``conditions``, a list of technical conditions. The breathing rate is
the patient's; apnoea and a rate over 35 /min are alarms.
"""

import random
from collections.abc import Iterator
from typing import Any

from edge_agents.device import Numeric, Reading
from edge_agents.devices import ventilator
from edge_agents.devices.ventilator import Decoder
from firmware_sims.devices._spot import patient_at
from firmware_sims.devices._steps import occurrence, while_on
from firmware_sims.physiology import Patient
from firmware_sims.world import Timed, World

__all__ = ["Decoder", "encode", "readings"]

_USUAL = {"tidal_volume": 450.0, "peep": 5.0, "support": 10.0, "fio2": 40.0, "etco2": 38.0}
_THROUGH_THE_LUNG = ("tidal-volume", "minute-volume", "resp-rate", "etco2")
_FAST = 35.0  # /min


def encode(reading: Reading, _number: int) -> bytes:
    """One line; lines carry no number."""
    return ventilator.encode(reading)


def readings(world: World) -> Iterator[Timed]:
    """A measurement a second while it is on, and its alarms."""
    noise = random.Random(world.device_seed)
    alarming: frozenset[str] = frozenset()
    patient = Patient(world.seed, world.timeline.condition_at)
    for due in while_on(world, 1.0, "on"):
        patient_at(patient, due)
        told = world.told(due)
        rate = patient.vitals()["resp-rate"] or 0.0
        now = frozenset[str]() if told.get("disconnected") else _alarms(rate)
        yield from _changes(world, due, alarming, now)
        alarming = now
        yield Timed(due, _measurement(world.start_at + due, told, rate, noise))


def _alarms(rate: float) -> frozenset[str]:
    return frozenset({"apnoea"} if not rate else {"resp-rate-high"} if rate > _FAST else ())


def _changes(world: World, due: int, before: frozenset[str], now: frozenset[str]) -> Iterator[Timed]:
    for state, names in (("off", before - now), ("on", now - before)):
        for name in sorted(names):
            yield occurrence(world, due, f"device-alarm-{state}", {"alarm": name, "priority": "high"})


def _measurement(at: int, told: dict[str, Any], rate: float, noise: random.Random) -> Numeric:
    get = {name: float(told.get(name, usual)) for name, usual in _USUAL.items()}
    volume = max(0.0, get["tidal_volume"] * (1 + noise.gauss(0, 0.03)))
    values: dict[str, float | None] = {
        "tidal-volume": volume,
        "minute-volume": volume * rate / 1000,
        "peak-airway-pressure": get["peep"] + get["support"] + noise.gauss(0, 0.4),
        "peep": get["peep"] + noise.gauss(0, 0.1),
        "fio2": get["fio2"],
        "resp-rate": rate,
        "etco2": get["etco2"] + noise.gauss(0, 0.5),
    }
    conditions = set(told.get("conditions", ()))
    invalid: dict[str, str] = {}
    if told.get("disconnected"):
        conditions.add("disconnected-circuit")
        values |= {"peak-airway-pressure": 0.0, "peep": 0.0} | dict.fromkeys(_THROUGH_THE_LUNG)
        invalid = dict.fromkeys(_THROUGH_THE_LUNG, "no-measurement")
    return Numeric(observed_at=at, values=values, invalid=invalid, conditions=frozenset(conditions))
