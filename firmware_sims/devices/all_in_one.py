"""Simulated all-in-one machine: each step with ``measure`` is a person who is measured; the report comes then.

Names: ``height`` (cm), ``weight`` (kg), ``glucose`` (mmol/L), ``skip`` (a list of height, weight, pressure, pulse,
temperature, glucose), ``failed`` (a list of technical conditions: cuff-error, strip-error, sensor-off, body-moved ...).
Pressure, pulse, saturation and temperature are the patient's.
"""

import random
from collections.abc import Iterator
from typing import Any, Final

from edge_agents.device import Numeric, Reading
from edge_agents.devices import all_in_one
from edge_agents.devices.all_in_one import Decoder
from firmware_sims.devices._spot import moments, patient_at
from firmware_sims.physiology import Patient, Values
from firmware_sims.world import Timed, World

__all__ = ["Decoder", "encode", "readings"]

_STATIONS: Final = {
    "height": ("height", "bmi"),
    "weight": ("weight", "bmi"),
    "pressure": ("bp-systolic", "bp-diastolic", "bp-mean"),
    "pulse": ("pulse-rate", "spo2"),
    "temperature": ("temperature",),
    "glucose": ("glucose",),
}
_FAILS: Final = {"cuff-error": "pressure", "body-moved": "pressure", "strip-error": "glucose", "sensor-off": "pulse"}
_USUAL: Final = {"height": 168.0, "weight": 68.0, "glucose": 5.6}


def encode(reading: Reading, _number: int) -> bytes:
    """One line; lines carry no number."""
    return all_in_one.encode(reading)


def readings(world: World) -> Iterator[Timed]:
    """A report for each person."""
    noise = random.Random(world.device_seed)
    patient = Patient(world.seed, world.timeline.condition_at)
    for due in moments(world, 0.0, 0.0):
        patient_at(patient, due)
        yield Timed(due, _report(world.start_at + due, patient, world.told(due), noise))


def _report(at: int, patient: Patient, told: dict[str, Any], noise: random.Random) -> Numeric:
    values = _measured(patient, told, noise)
    for station in told.get("skip", ()):
        for name in _STATIONS[station]:
            values.pop(name, None)
    failed = frozenset(told.get("failed", ()))
    for condition in failed & _FAILS.keys():
        values |= {name: None for name in _STATIONS[_FAILS[condition]] if name in values}
    invalid = {name: "no-measurement" for name, value in values.items() if value is None}
    return Numeric(observed_at=at, values=values, invalid=invalid, conditions=failed)


def _measured(patient: Patient, told: dict[str, Any], noise: random.Random) -> Values:
    own = {name: float(told.get(name, usual)) for name, usual in _USUAL.items()}
    vitals = patient.vitals()
    values: Values = {name: round(value * (1 + noise.gauss(0, 0.002)), 1) for name, value in own.items()}
    values["bmi"] = own["weight"] / (own["height"] / 100) ** 2
    values |= patient.blood_pressure()
    values |= {name: vitals[name] for name in ("pulse-rate", "spo2", "temperature")}
    return values
