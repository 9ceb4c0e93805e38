"""Simulated chest strap: a value a second, with the interval before the last beat.

Step: ``contact = "lost"`` (it has slipped off the skin).
"""

from collections.abc import Iterator
from itertools import count

from edge_agents.device import Numeric, Reading
from edge_agents.devices import heart_rate_sensor
from edge_agents.devices.heart_rate_sensor import OFF, Decoder
from firmware_sims.devices._spot import patient_at
from firmware_sims.physiology import Patient
from firmware_sims.scenario import SECOND
from firmware_sims.world import Timed, World

__all__ = ["Decoder", "encode", "readings"]


def encode(reading: Reading, _number: int) -> bytes:
    """A notification; it carries no number."""
    return heart_rate_sensor.encode(reading)


def readings(world: World) -> Iterator[Timed]:
    """A value every second, for ever."""
    patient = Patient(world.seed, world.timeline.condition_at)
    for due in (second * SECOND for second in count(1)):
        patient_at(patient, due)
        yield Timed(due, _reading(world.start_at + due, patient, lost=world.told(due).get("contact") == "lost"))


def _reading(at: int, patient: Patient, *, lost: bool) -> Numeric:
    rate = patient.vitals()["heart-rate"]
    values: dict[str, float | None] = {"heart-rate": None if lost else rate}
    if rate and not lost:
        values["rr-interval"] = round(60_000 / rate)
    return Numeric(
        observed_at=at, values=values, invalid={"heart-rate": OFF} if lost else {},
        conditions=frozenset({OFF} if lost else ()),
    )  # fmt: skip
