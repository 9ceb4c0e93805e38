"""Simulated pulse oximeter: spot checks, or with the step ``mode = "continuous"`` at 0 s a value a second.

Steps: ``measure`` (each new value is a press of the button), ``sensor = "off"``, ``signal = "weak"`` or another fault
of the signal, ``demo = true``, ``clock = "unset"``.
"""

from collections.abc import Iterator
from itertools import count
from typing import Any

from edge_agents.device import Numeric, Reading
from edge_agents.devices import pulse_oximeter
from edge_agents.devices.pulse_oximeter import DISOWNS, SENSOR_STATUS, Decoder
from firmware_sims.devices._spot import moments, patient_at, whole_second
from firmware_sims.physiology import Patient
from firmware_sims.scenario import SECOND
from firmware_sims.world import Timed, World

__all__ = ["Decoder", "encode", "readings", "stores"]


class Continuous(Numeric, frozen=True):
    """A value of a continuous measurement."""


def stores(world: World) -> bool:
    """A spot check is kept until somebody fetches it."""
    return not _is_continuous(world)


def encode(reading: Reading, _number: int) -> bytes:
    """An indication or a notification; neither carries a number."""
    if isinstance(reading, Continuous):
        return pulse_oximeter.encode_continuous(reading)
    return pulse_oximeter.encode(reading)


def readings(world: World) -> Iterator[Timed]:
    """A spot check at each press of the button, or a value every second."""
    patient = Patient(world.seed, world.timeline.condition_at)
    continuous = _is_continuous(world)
    for due in (second * SECOND for second in count(1)) if continuous else moments(world, 0, 0):
        patient_at(patient, due)
        kind = Continuous if continuous else Numeric
        yield Timed(due, _reading(kind, world.start_at + due, world.told(due), patient))


def _is_continuous(world: World) -> bool:
    return world.told(0).get("mode") == "continuous"


def _reading(kind: type[Numeric], at: int, told: dict[str, Any], patient: Patient) -> Numeric:
    vitals = patient.vitals()
    off = told.get("sensor") == "off"
    stated = {"sensor-off"} if off else set[str]()
    if signal := told.get("signal"):
        stated.add(f"signal-poor/{signal}")
    if told.get("clock") == "unset":
        stated.add("clock-unset")
    disowned = not stated.isdisjoint(SENSOR_STATUS[bit] for bit in DISOWNS)
    values = {name: None if disowned else vitals[name] for name in ("spo2", "pulse-rate", "perfusion-index")}
    invalid = {name: "no-measurement" for name, value in values.items() if value is None}
    return kind(
        observed_at=whole_second(at), values=values, invalid=invalid, conditions=frozenset(stated),
        test=bool(told.get("demo")),
    )  # fmt: skip
