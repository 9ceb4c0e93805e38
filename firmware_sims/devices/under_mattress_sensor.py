"""Simulated sensor under a mattress: ``in_bed`` (true at first), ``restless`` (0 to 1), ``fault`` (true or false).

Heart and breathing rate are the patient's; a restless patient hides them, one who is up gives none.
"""

import heapq
import random
from collections.abc import Iterator

from edge_agents.device import Numeric, Reading
from edge_agents.devices import under_mattress_sensor
from edge_agents.devices.under_mattress_sensor import Decoder
from firmware_sims.devices._spot import patient_at
from firmware_sims.devices._steps import changes, occurrence, ticks
from firmware_sims.physiology import Patient
from firmware_sims.scenario import SECOND
from firmware_sims.world import Timed, World

__all__ = ["Decoder", "encode", "readings"]

_HIDES = 0.6  # restlessness at which the rates are lost
_STILL, _TOSSING = 4.0, 250.0  # counts of movement


def encode(reading: Reading, _number: int) -> bytes:
    """One line; lines carry no number."""
    return under_mattress_sensor.encode(reading)


def readings(world: World) -> Iterator[Timed]:
    """A measurement a second and the bed exits, in order of time."""
    return heapq.merge(_exits(world), _seconds(world), key=lambda timed: timed.due)


def _exits(world: World) -> Iterator[Timed]:
    since = 0
    for due, _, now in changes(world, {"in_bed": True}):
        name, detail = ("bed-return", "away_s") if now else ("bed-exit", "in_bed_s")
        yield occurrence(world, due, name, {detail: (due - since) / SECOND})
        since = due


def _seconds(world: World) -> Iterator[Timed]:
    noise = random.Random(world.device_seed)
    patient = Patient(world.seed, world.timeline.condition_at)
    for due in ticks(1.0):
        patient_at(patient, due)
        yield Timed(due, _measurement(world, due, patient, noise))


def _measurement(world: World, due: int, patient: Patient, noise: random.Random) -> Numeric:
    told = world.told(due)
    restless = float(told.get("restless", 0.0))
    lost = ""
    if told.get("fault"):
        lost = "sensor-fault"
    elif not told.get("in_bed", True):
        lost = "sensor-off"
    elif restless >= _HIDES:
        lost = "searching"
    vitals = patient.vitals()
    names = ("heart-rate", "resp-rate")
    values: dict[str, float | None] = {name: None if lost else vitals[name] for name in names}
    invalid = dict.fromkeys(names, lost) if lost else {}
    if lost in ("", "searching"):
        moved = _STILL + (_TOSSING - _STILL) * restless
        values |= {"movement": float(max(0, round(noise.gauss(moved, moved / 4)))), "presence": 1.0}
    elif lost == "sensor-off":
        values |= {"movement": 0.0, "presence": 0.0}
    conditions = {"sensor-fault"} if told.get("fault") else {"signal-poor"} if lost == "searching" else set()
    return Numeric(observed_at=world.start_at + due, values=values, invalid=invalid, conditions=frozenset(conditions))
