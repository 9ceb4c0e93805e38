"""A patient who moves: what the sensors show, and what stays true."""

import math

import numpy as np
import pytest

from firmware_sims.condition import Condition
from firmware_sims.dipole import FS, STEP_MV
from firmware_sims.physiology import Patient
from firmware_sims.unrest import Floats, Unrest
from gateway.evaluate.noise import qrs_amplitude

SECONDS = 300


def moved(seed: int, at: Floats) -> Floats:
    """Artefacts of lead II, in windows of 200 ms as the patient renders them."""
    unrest = Unrest(seed)
    return np.concatenate([unrest.ecg(window)[1] for window in np.split(at, SECONDS * 5)])


def recorded(condition: Condition, seed: int = 3) -> tuple[Patient, Floats]:
    patient = Patient(seed, lambda _elapsed: condition)
    steps = [patient.advance() for _ in range(SECONDS)]
    return patient, np.concatenate([step.ecg for step in steps if step is not None], axis=1) * STEP_MV


@pytest.mark.parametrize("seed", [1, 2, 5])
def test_strength_1_is_6_db_in_the_middle_of_a_bout(seed: int) -> None:
    patient, clean = recorded(Condition(), seed)
    beats = np.array([round(beat.at * FS) for beat in patient.heart.beats if 0 < beat.at < SECONDS / 5], np.int64)
    power = qrs_amplitude(clean[1], FS, beats) ** 2 / 8
    at = np.arange(SECONDS * FS) / FS
    bouts = np.array([Unrest(seed).bout(t) for t in at[:: FS // 5]]).repeat(FS // 5)
    noise = moved(seed, at)
    assert 10 * math.log10(power / np.mean(noise[bouts > 0.95] ** 2)) == pytest.approx(6, abs=2)
    assert not noise[bouts == 0].any() or np.abs(noise[bouts == 0]).max() < 0.1, "between bouts they lie still"
    assert 0.05 < (bouts > 0).mean() < 0.4


def test_windows_join() -> None:
    noise = moved(4, np.arange(SECONDS * FS) / FS)
    steps = np.abs(np.diff(noise))
    borders = np.arange(FS // 5 - 1, steps.size, FS // 5)
    assert steps[borders].max() <= np.delete(steps, borders).max()


def test_einthoven_holds_for_artefacts_too() -> None:
    _, leads = recorded(Condition(unrest=1.0))
    assert np.allclose(leads[0] + leads[2], leads[1])


def test_who_lies_still_is_measured_as_before() -> None:
    still, moving = recorded(Condition())[1], recorded(Condition(unrest=1.0))[1]
    bouts = np.array([Unrest(3).bout(t) for t in np.arange(still.shape[1]) / FS])
    assert np.array_equal(still[:, bouts == 0], moving[:, bouts == 0])
    assert not np.array_equal(still, moving)


def test_movement_fools_oximeter_and_breathing_and_never_the_heart() -> None:
    def values(unrest: float) -> dict[str, list[float]]:
        patient = Patient(3, lambda _elapsed: Condition(unrest=unrest))
        found: dict[str, list[float]] = {}
        for step in range(SECONDS * 5):
            patient.advance(render=False)
            if step % 5:
                continue
            for name, value in patient.vitals().items():
                found.setdefault(name, []).append(value or 0.0)
        return found

    still, moving = values(0.0), values(1.0)
    assert min(moving["spo2"]) < 89 < min(still["spo2"])
    assert np.std(moving["resp-rate"]) > 2 * np.std(still["resp-rate"])
    assert moving["heart-rate"] == still["heart-rate"]
