"""The simulated patient against truths that do not come from its own code."""

import math
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from numpy.typing import NDArray
from sleepecg.heartbeats import detect_heartbeats

from firmware_sims.condition import Condition, Rhythm
from firmware_sims.dipole import FS, J_POINT, STEP_MV
from firmware_sims.heart import REMEMBERED_BEATS, Beat, Heart
from firmware_sims.physiology import PLETH_FS, STEP_S, Patient, Signals
from gateway.contract.quantity import ECG_LEADS_12, QUANTITIES

Ints = NDArray[np.int64]

CONDITIONS = {
    "sinus": Condition(),
    "slow": Condition(heart_rate=42),
    "fast": Condition(heart_rate=150),
    "atrial fibrillation": Condition(rhythm=Rhythm.ATRIAL_FIBRILLATION, heart_rate=95),
    "ectopic beats": Condition(ectopic_share=0.15),
    "inferior ST elevation": Condition(st_inferior=0.3, heart_rate=92),
    "ventricular fibrillation": Condition(rhythm=Rhythm.VENTRICULAR_FIBRILLATION),
    "asystole": Condition(rhythm=Rhythm.ASYSTOLE),
    "ventricular tachycardia": Condition(rhythm=Rhythm.VENTRICULAR_TACHYCARDIA, heart_rate=170),
}
BEATING = [name for name in CONDITIONS if name not in {"ventricular fibrillation", "asystole"}]


def always(condition: Condition) -> Callable[[int], Condition]:
    return lambda _elapsed: condition


def changed(at_s: float, before: Condition, after: Condition) -> Callable[[int], Condition]:
    return lambda elapsed: before if elapsed < at_s * 1_000_000 else after


def signals(patient: Patient, seconds: float) -> Iterator[Signals]:
    for _ in range(round(seconds / STEP_S)):
        step = patient.advance()
        assert step is not None
        yield step


def ecg_of(patient: Patient, seconds: float) -> dict[str, Ints]:
    rows = np.concatenate([step.ecg for step in signals(patient, seconds)], axis=1).astype(np.int64)
    return dict(zip(ECG_LEADS_12, rows, strict=True))


def beats_in(patient: Patient, start: float, end: float) -> list[Beat]:
    return [beat for beat in patient.heart.beats if start <= beat.at < end]


@pytest.mark.parametrize("condition", CONDITIONS.values(), ids=CONDITIONS)
def test_limb_leads_obey_einthoven_and_goldberger_exactly(condition: Condition) -> None:
    lead = ecg_of(Patient(1, always(condition)), 30)
    assert (lead["III"] == lead["II"] - lead["I"]).all()
    assert (2 * lead["aVR"] == -(lead["I"] + lead["II"])).all()
    assert (2 * lead["aVL"] == 2 * lead["I"] - lead["II"]).all()
    assert (2 * lead["aVF"] == 2 * lead["II"] - lead["I"]).all()
    assert any(samples.any() for samples in lead.values())


@pytest.mark.parametrize("lead", ["I", "II", "V2", "V5"])
@pytest.mark.parametrize("name", BEATING)
def test_an_independent_detector_finds_the_true_rate(name: str, lead: str) -> None:
    patient = Patient(3, always(CONDITIONS[name]))
    samples = ecg_of(patient, 60)[lead]
    found = detect_heartbeats(samples * STEP_MV, FS) / FS
    true = [beat.at for beat in beats_in(patient, 0.5, 59.5)]
    rate = 60 * (len(true) - 1) / (true[-1] - true[0])
    inside = found[(found > 0.4) & (found < 59.6)]
    assert 60 * (len(inside) - 1) / (inside[-1] - inside[0]) == pytest.approx(rate, abs=1.0)


@pytest.mark.parametrize("name", BEATING)
def test_shown_rate_is_that_of_the_true_beats(name: str) -> None:
    patient = Patient(4, always(CONDITIONS[name]))
    shown = []
    for _ in signals(patient, 60):
        value = patient.vitals()["heart-rate"]
        assert value is not None
        shown.append(value)
    true = [beat.at for beat in beats_in(patient, 0, 60)]
    rate = 60 * (len(true) - 1) / (true[-1] - true[0])
    assert np.mean(shown) == pytest.approx(rate, abs=1.5)


def st_levels(condition: Condition) -> dict[str, float]:
    """Median over the beats of the level at J + 60 ms above that before the QRS, mV per lead."""
    patient = Patient(5, always(condition))
    leads = ecg_of(patient, 40)
    beats = [beat.at for beat in beats_in(patient, 1, 39)]

    def level(samples: Ints, offset: float) -> float:
        places = [round((at + offset) * FS) for at in beats]
        return float(np.median([samples[place - 3 : place + 4].mean() for place in places]) * STEP_MV)

    return {name: level(samples, J_POINT + 0.06) - level(samples, -0.07) for name, samples in leads.items()}


INFERIOR, LATERAL, ANTERIOR = ("II", "III", "aVF"), ("I", "aVL", "V5", "V6"), ("V1", "V2", "V3", "V4")


@pytest.mark.parametrize("rate", [60, 100, 135])
@pytest.mark.parametrize(("group", "leads"), [("inferior", INFERIOR), ("lateral", LATERAL), ("anterior", ANTERIOR)])
@pytest.mark.parametrize("elevation", [-0.1, 0.1, 0.4])
def test_st_elevation_is_as_asked_for_in_its_leads(
    rate: float, group: str, leads: tuple[str, ...], elevation: float
) -> None:
    plain = st_levels(Condition(heart_rate=rate))
    changed = st_levels(Condition(heart_rate=rate, **{f"st_{group}": elevation}))  # type: ignore[arg-type]
    for lead in leads:
        assert changed[lead] == pytest.approx(elevation, abs=0.045)
        assert changed[lead] - plain[lead] == pytest.approx(elevation, abs=0.01)


def test_inferior_elevation_depresses_avl() -> None:
    """The reciprocal change every reader looks for, here a consequence of the identities."""
    assert st_levels(Condition(st_inferior=0.3))["aVL"] == pytest.approx(-0.15, abs=0.02)


@pytest.mark.parametrize("condition", CONDITIONS.values(), ids=CONDITIONS)
def test_same_seed_same_bytes(condition: Condition) -> None:
    def run(seed: int) -> list[bytes]:
        patient = Patient(seed, always(condition))
        return [
            step.ecg.tobytes() + step.pleth.tobytes() + repr(patient.vitals()).encode() for step in signals(patient, 20)
        ]

    assert run(7) == run(7)
    assert run(7) != run(8)


def test_vitals_do_not_need_the_signals() -> None:
    with_signals, without = (Patient(9, always(Condition())) for _ in range(2))
    for _ in signals(with_signals, 20):
        assert without.advance(render=False) is None
        assert with_signals.vitals() == without.vitals()


def test_frames_join_without_a_step() -> None:
    lead = ecg_of(Patient(2, always(Condition(st_inferior=0.2))), 30)["II"]
    jumps = np.abs(np.diff(lead))
    at_borders = jumps[FS // 5 - 1 :: FS // 5]
    assert at_borders.max() <= np.delete(jumps, np.s_[FS // 5 - 1 :: FS // 5]).max()
    assert np.median(at_borders) <= 2 * np.median(jumps) + 2


def test_asystole_is_flat_and_shows_rate_0_after_four_seconds() -> None:
    patient = Patient(1, changed(10, Condition(), Condition(rhythm=Rhythm.ASYSTOLE)))
    leads = ecg_of(patient, 16)
    assert patient.vitals()["heart-rate"] == 0.0
    assert patient.vitals()["spo2"] is None
    assert patient.blood_pressure()["bp-systolic"] is None
    assert np.ptp(leads["II"][12 * FS :]) * STEP_MV < 0.15, "below what a monitor may count as a QRS"
    assert beats_in(patient, 11.5, 20) == []


def test_the_heart_beats_again_after_asystole() -> None:
    patient = Patient(1, changed(10, Condition(rhythm=Rhythm.ASYSTOLE), Condition(heart_rate=60)))
    list(signals(patient, 30))
    assert 17 <= len(beats_in(patient, 10, 30)) <= 21
    assert beats_in(patient, 0, 9.8) == []
    assert patient.vitals()["heart-rate"] == pytest.approx(60, abs=4)


def test_ventricular_fibrillation_is_a_coarse_wave_of_a_few_hertz() -> None:
    lead = ecg_of(Patient(1, always(CONDITIONS["ventricular fibrillation"])), 20)["II"] * STEP_MV
    spectrum = np.abs(np.fft.rfft(lead - lead.mean()))
    frequency = np.fft.rfftfreq(len(lead), 1 / FS)[spectrum.argmax()]
    assert 3 <= frequency <= 9
    assert lead.std() > 0.2


def test_ventricular_tachycardia_is_regular_wide_and_fast() -> None:
    patient = Patient(1, changed(10, Condition(), CONDITIONS["ventricular tachycardia"]))
    lead = ecg_of(patient, 30)["II"] * STEP_MV
    beats = beats_in(patient, 11, 29)
    assert all(beat.ectopic and not beat.atrial for beat in beats)
    assert 60 / np.mean([beat.rr for beat in beats]) == pytest.approx(170, abs=3)
    assert np.std([beat.rr for beat in beats]) < 0.01

    def wide(start: int) -> float:
        stretch = np.abs(lead[start * FS : (start + 5) * FS])
        return float((stretch > 0.3 * stretch.max()).mean())

    assert wide(20) > 3 * wide(2)


def test_atrial_fibrillation_is_irregular_and_has_no_p_wave() -> None:
    def about(rhythm: Rhythm) -> tuple[float, float]:
        patient = Patient(6, always(Condition(rhythm=rhythm, heart_rate=80)))
        lead = ecg_of(patient, 60)["II"] * STEP_MV
        beats = beats_in(patient, 1, 59)
        p = np.mean([lead[round((b.at - 0.16) * FS)] - lead[round((b.at - 0.07) * FS)] for b in beats])
        intervals = np.diff([beat.at for beat in beats])
        return float(p), float(intervals.std() / intervals.mean())

    (p, variation), (p_fibrillating, variation_fibrillating) = about(Rhythm.SINUS), about(Rhythm.ATRIAL_FIBRILLATION)
    assert p > 0.05
    assert abs(p_fibrillating) < 0.03
    assert variation < 0.06
    assert variation_fibrillating > 0.12


def test_a_premature_beat_is_early_wide_and_followed_by_a_pause() -> None:
    patient = Patient(6, always(Condition(ectopic_share=0.2, heart_rate=70, sinus_arrhythmia=0.0)))
    lead = np.abs(ecg_of(patient, 60)["II"])
    beats = beats_in(patient, 2, 58)
    widths: dict[bool, list[int]] = {True: [], False: []}
    for before, beat, after in zip(beats, beats[1:], beats[2:], strict=False):
        window = lead[round((beat.at - 0.12) * FS) : round((beat.at + 0.12) * FS)]
        widths[beat.ectopic].append(int((window * STEP_MV > 0.35).sum()))
        if beat.ectopic:
            assert beat.at - before.at < 0.75 * 60 / 70
            assert after.at - beat.at > 1.2 * 60 / 70
    assert len(widths[True]) > 5
    assert np.mean(widths[True]) > 1.8 * np.mean(widths[False])


def test_breathing_moves_the_rate() -> None:
    heart = Heart(11, always(Condition(heart_rate=70, resp_rate=15, sinus_arrhythmia=0.06)))
    heart.beat_until(240.0)
    times = np.array([beat.at for beat in heart.beats])
    grid = np.arange(1, 239, 0.25)
    intervals = np.interp(grid, times[1:], np.diff(times))
    spectrum = np.abs(np.fft.rfft((intervals - intervals.mean()) * np.hanning(len(grid))))
    assert np.fft.rfftfreq(len(grid), 0.25)[spectrum.argmax()] == pytest.approx(15 / 60, abs=0.02)


def test_a_pulse_follows_every_beat() -> None:
    patient = Patient(12, always(Condition(heart_rate=66)))
    pleth = np.concatenate([step.pleth for step in signals(patient, 30)]).astype(float)
    for beat in beats_in(patient, 1, 28):
        window = pleth[round(beat.at * PLETH_FS) : round((beat.at + 0.6) * PLETH_FS)]
        assert window.argmax() / PLETH_FS == pytest.approx(0.34, abs=0.04), "transit and rise time"


def test_saturation_falls_with_a_lag() -> None:
    patient = Patient(13, changed(10, Condition(spo2=97.0), Condition(spo2=83.0)))
    shown = []
    for _ in signals(patient, 90):
        value = patient.vitals()["spo2"]
        assert value is not None
        shown.append(value)
    at = {second: np.mean(shown[round(second / STEP_S) - 5 : round(second / STEP_S)]) for second in (10, 13, 80)}
    assert at[10] == pytest.approx(97, abs=0.5)
    assert at[13] > 93
    assert at[80] == pytest.approx(83, abs=0.5)


@pytest.mark.parametrize("condition", CONDITIONS.values(), ids=CONDITIONS)
def test_all_values_are_plausible(condition: Condition) -> None:
    patient = Patient(14, always(condition))
    for _ in signals(patient, 10):
        for name, value in {**patient.vitals(), **patient.blood_pressure()}.items():
            assert value is None or QUANTITIES[name].low <= value <= QUANTITIES[name].high


def test_memory_does_not_grow() -> None:
    heart = Heart(1, always(Condition(heart_rate=300)))
    heart.beat_until(3600.0)
    assert len(heart.beats) == REMEMBERED_BEATS
    assert math.isclose(heart.beats[-1].at, 3600, abs_tol=1)
