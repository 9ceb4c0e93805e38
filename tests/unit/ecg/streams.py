"""A simulated patient's rhythm leads whose truth is known second by second, and electrodes that fall off."""

from functools import cache

import numpy as np

from firmware_sims.condition import Condition, Rhythm
from firmware_sims.dipole import FS, STEP_MV
from firmware_sims.physiology import Patient
from gateway.contract.quantity import ECG_LEADS_12, SECOND
from gateway.contract.waveform import NO_SAMPLE
from tests.unit.ecg.st_builders import Leads

NORMAL = Condition()
FIBRILLATION = Condition(rhythm=Rhythm.VENTRICULAR_FIBRILLATION)
FAST = Condition(heart_rate=175)
FRAMES_A_SECOND = 5


@cache
def simulated(seconds: int, *changes: tuple[float, Condition]) -> Leads:
    """Leads I and II, mV, of a heart that is normal until the seconds of ``changes``."""

    def condition_at(elapsed: int) -> Condition:
        return [NORMAL, *(condition for at, condition in changes if at * SECOND <= elapsed)][-1]

    patient = Patient(1, condition_at)
    steps = [patient.advance() for _ in range(seconds * FRAMES_A_SECOND)]
    ecg = np.concatenate([step.ecg[:2] for step in steps if step is not None], axis=1)
    return dict(zip(ECG_LEADS_12[:2], ecg * STEP_MV, strict=True))


def electrode_off(leads: Leads, start: float, end: float, *names: str) -> Leads:
    """The same with these leads' electrode in the air from one second to another."""
    air = {name: leads[name].copy() for name in names}
    for row in air.values():
        row[round(start * FS) : round(end * FS)] = NO_SAMPLE * STEP_MV
    return {**leads, **air}
