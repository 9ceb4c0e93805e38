"""Simulated cuff: measures as often as the scenario's NIBP interval says, and whenever somebody presses its button.

Steps: ``measure`` (a number; each new value is a press of the button), ``cuff = "loose"``, ``moved = true``,
``clock = "unset"``.
"""

from collections.abc import Iterator
from typing import Any

from edge_agents.device import Numeric, Reading
from edge_agents.devices import blood_pressure_monitor
from edge_agents.devices.blood_pressure_monitor import PRESSURES, SPOILING, Decoder
from firmware_sims.condition import Rhythm
from firmware_sims.devices._spot import moments, patient_at, stores, whole_second
from firmware_sims.physiology import Patient
from firmware_sims.world import Timed, World

__all__ = ["Decoder", "encode", "readings", "stores"]


def encode(reading: Reading, _number: int) -> bytes:
    """An indication; it carries no number."""
    return blood_pressure_monitor.encode(reading)


def readings(world: World) -> Iterator[Timed]:
    """A measurement at each of its moments."""
    rates = world.scenario.rates
    patient = Patient(world.seed, world.timeline.condition_at)
    for due in moments(world, rates.nibp_first, rates.nibp_every):
        patient_at(patient, due)
        yield Timed(due, _measurement(world, due, patient))


def _measurement(world: World, due: int, patient: Patient) -> Numeric:
    told = world.told(due)
    conditions = _conditions(told, patient)
    measured = patient.blood_pressure() | {"pulse-rate": patient.vitals()["pulse-rate"]}
    values = {name: None if conditions & SPOILING else measured[name] for name in (*PRESSURES, "pulse-rate")}
    invalid = {name: "no-measurement" for name, value in values.items() if value is None}
    return Numeric(
        observed_at=whole_second(world.start_at + due), values=values, invalid=invalid, conditions=conditions
    )


def _conditions(told: dict[str, Any], patient: Patient) -> frozenset[str]:
    stated = {
        "cuff-error/loose": told.get("cuff") == "loose",
        "cuff-error/position": told.get("cuff") == "misplaced",
        "body-moved": bool(told.get("moved")),
        "irregular-pulse": patient.condition.rhythm is Rhythm.ATRIAL_FIBRILLATION,
        "clock-unset": told.get("clock") == "unset",
    }
    return frozenset(condition for condition, present in stated.items() if present)
