"""Simulated electrocardiograph: each step with ``record`` ("12-lead" or "single-lead") is a recording of 10 s.

It shows the patient from that step on, leads whose electrodes are off (``sensor_off`` of the scenario) without samples,
and is transferred when it is complete.
"""

from collections.abc import Iterator
from itertools import count
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_agents.device import Occurrence, Reading, Waveform
from edge_agents.devices import resting_ecg
from edge_agents.devices.resting_ecg import FILTER, LAYOUTS, RECORDED, SCALE, STARTED, Decoder, first_sample
from firmware_sims.devices._spot import patient_at
from firmware_sims.devices._steps import steps
from firmware_sims.devices.patient_monitor import lost_leads
from firmware_sims.dipole import FS
from firmware_sims.physiology import STEP_US, Patient
from firmware_sims.scenario import SECOND
from firmware_sims.world import Timed, World
from gateway.contract.quantity import ECG_LEADS_12
from gateway.contract.waveform import NO_SAMPLE

__all__ = ["Decoder", "encode", "readings"]

_SECONDS: Final = 10
_CHUNK: Final = 250  # samples
_TRANSFER: Final = 20_000  # us a chunk
_LAYOUT: Final = {"12-lead": 1, "single-lead": 2}


def encode(reading: Reading, number: int) -> bytes:
    """One block."""
    return resting_ecg.encode(reading, number)


def readings(world: World) -> Iterator[Timed]:
    """Every recording: its start, then, 10 s later, its chunks and its end."""
    patient = Patient(world.seed, world.timeline.condition_at)
    numbers = count(1)
    free_at = 0
    for due, told in steps(world, "record"):
        if due >= free_at:  # nobody can begin while one is running
            patient_at(patient, due)
            yield from _recording(world, patient, next(numbers), LAYOUTS[_LAYOUT[told["record"]]])
            free_at = patient.elapsed + (_SECONDS * FS // _CHUNK + 1) * _TRANSFER


def _recording(world: World, patient: Patient, number: int, leads: tuple[str, ...]) -> Iterator[Timed]:
    begin = patient.elapsed
    at = world.start_at + begin
    about = {"recording": number, "leads": len(leads), "fs": FS, "seconds": float(_SECONDS)}
    yield Timed(begin, Occurrence(observed_at=at, name=STARTED, details=about))
    samples = _samples(world, patient)[[ECG_LEADS_12.index(lead) for lead in leads]]
    due = patient.elapsed
    for first in range(0, _SECONDS * FS, _CHUNK):
        time = at + first * SECOND // FS
        due += _TRANSFER
        yield Timed(due, _wave(time, leads, samples[:, first : first + _CHUNK]))
    yield Timed(due + _TRANSFER, Occurrence(observed_at=at, name=RECORDED, details=dict(about)))


def _samples(world: World, patient: Patient) -> NDArray[np.int16]:
    """10 s of all leads, steps of 2.5 uV."""
    pieces = []
    for _ in range(_SECONDS * SECOND // STEP_US):
        off = lost_leads(world.timeline.off_at(patient.elapsed))
        signals = patient.advance()
        assert signals is not None
        ecg = signals.ecg
        ecg[[i for i, lead in enumerate(ECG_LEADS_12) if lead in off]] = NO_SAMPLE
        pieces.append(ecg)
    return np.concatenate(pieces, axis=1)


def _wave(time: int, leads: tuple[str, ...], samples: NDArray[np.int16]) -> Waveform:
    return Waveform(
        observed_at=time, n0=first_sample(time, FS), fs=float(FS), leads=leads, scale=SCALE,
        samples=samples.astype("<i2").tobytes(), filter=FILTER,
    )  # fmt: skip
