"""The simulated ECG truly shows the ST level it was given, and the verdict measures it."""

import numpy as np
import pytest
from numpy.typing import NDArray

from firmware_sims.condition import Condition, Rhythm
from firmware_sims.dipole import FS, STEP_MV
from firmware_sims.physiology import Patient
from gateway.contract.quantity import ECG_LEADS_12
from gateway.contract.waveform import NO_SAMPLE
from gateway.scenario.st_level import st_level

INFERIOR = {"II": 0.25, "III": 0.35, "aVF": 0.30, "I": -0.10, "aVL": -0.225}  # by Einthoven and Goldberger
FLAT = dict.fromkeys(INFERIOR, 0.0)


def recorded(condition: Condition, seed: int, seconds: float = 10.0) -> dict[str, NDArray[np.int16]]:
    patient = Patient(seed, lambda _: condition)
    steps = [patient.advance() for _ in range(round(seconds * 5))]
    ecg = np.concatenate([step.ecg for step in steps if step is not None], axis=1)
    return dict(zip(ECG_LEADS_12, ecg, strict=True))


def levels(ecg: dict[str, NDArray[np.int16]]) -> dict[str, float | None]:
    return {lead: st_level(ecg["II"], ecg[lead], FS, STEP_MV) for lead in INFERIOR}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("rate", [50, 75, 100])
def test_elevation_and_its_reciprocal(rate: float, seed: int) -> None:
    flat = Condition(heart_rate=rate)
    raised = Condition(heart_rate=rate, st_inferior=0.25, st_lateral=-0.10)
    for condition, expected in ((flat, FLAT), (raised, INFERIOR)):
        measured = levels(recorded(condition, seed))
        assert measured == {lead: pytest.approx(level, abs=0.06) for lead, level in expected.items()}


def test_ectopic_beats_do_not_change_the_median() -> None:
    measured = levels(recorded(Condition(st_inferior=0.25, st_lateral=-0.10, ectopic_share=0.1), 4))
    assert measured == {lead: pytest.approx(level, abs=0.08) for lead, level in INFERIOR.items()}


def test_nothing_is_said_of_a_lead_that_is_off_or_a_heart_that_stands_still() -> None:
    ecg = recorded(Condition(), 1)
    ecg["III"][100] = NO_SAMPLE
    assert st_level(ecg["II"], ecg["III"], FS, STEP_MV) is None
    assert st_level(ecg["II"][:900], ecg["aVF"][:900], FS, STEP_MV) is None, "two beats"
    still = recorded(Condition(rhythm=Rhythm.ASYSTOLE), 1, 25.0)
    assert st_level(still["II"][-2500:], still["aVF"][-2500:], FS, STEP_MV) is None
