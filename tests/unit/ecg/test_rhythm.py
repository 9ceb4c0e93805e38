"""The rhythm watch as a whole, on a simulated patient whose truth is known, and on artefacts of the electrodes."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from firmware_sims.condition import Condition, Rhythm
from firmware_sims.dipole import FS, STEP_MV
from firmware_sims.physiology import Patient
from gateway.derive.ecg.beats import BeatDetector
from gateway.derive.ecg.quality import Quality, QualityMeter
from gateway.derive.ecg.rhythm import CODES, LETHAL, RhythmEdge, RhythmWatch

FRAME = 100
ONSET, END = 30.0, 50.0  # s
LEAD_II = 1

Signal = NDArray[np.float64]

NORMAL = Condition()
FIBRILLATION = Condition(rhythm=Rhythm.VENTRICULAR_FIBRILLATION)
ABNORMAL = {
    "ventricular-fibrillation": FIBRILLATION,
    "asystole": Condition(rhythm=Rhythm.ASYSTOLE),
    "ventricular-tachycardia": Condition(rhythm=Rhythm.VENTRICULAR_TACHYCARDIA, heart_rate=180),
    "pause": Condition(rhythm=Rhythm.ASYSTOLE),
    "extreme-tachycardia": Condition(heart_rate=175),
    "extreme-bradycardia": Condition(heart_rate=28),
}


def simulated(condition_at: Callable[[float], Condition], seconds: float, seed: int = 1) -> Signal:
    """Lead II, mV."""
    patient = Patient(seed, lambda elapsed: condition_at(elapsed / 1_000_000))
    frames = []
    for _ in range(round(seconds * FS / FRAME)):
        step = patient.advance()
        assert step is not None
        frames.append(step.ecg[LEAD_II])
    return np.concatenate(frames) * STEP_MV


def episode(condition: Condition) -> Callable[[float], Condition]:
    return lambda at: condition if ONSET <= at < END else NORMAL


def edges_of(signal: Signal, frame: int = FRAME) -> list[RhythmEdge]:
    beats, quality, watch = BeatDetector(FS), QualityMeter(FS), RhythmWatch(FS)
    edges: list[RhythmEdge] = []
    for n0 in range(0, signal.size, frame):
        block = signal[n0 : n0 + frame]
        edges += watch.feed(beats.feed(block, n0), block, n0, quality.feed(block, n0))
    return edges


def codes(edges: list[RhythmEdge]) -> set[str]:
    return {edge.code for edge in edges}


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(("code", "condition"), ABNORMAL.items(), ids=ABNORMAL)
def test_an_abnormal_rhythm_is_told_within_10_s_and_ends_after_10_s_of_normal_rhythm(
    code: str, condition: Condition, seed: int
) -> None:
    on, off = [edge for edge in edges_of(simulated(episode(condition), 75, seed)) if edge.code == code]
    assert (on.on, off.on) == (True, False)
    assert ONSET < on.sample / FS <= ONSET + 10
    assert ONSET - 2 <= on.since / FS <= ONSET + 4
    assert END + 9.8 <= off.sample / FS <= END + 16
    assert END - 3 <= off.since / FS <= END + 6


@pytest.mark.parametrize("rate", [42, 75, 100, 150])
def test_sinus_rhythm_raises_nothing(rate: float) -> None:
    assert edges_of(simulated(lambda _: Condition(heart_rate=rate), 90)) == []


def test_atrial_fibrillation_is_irregular_and_nothing_else() -> None:
    edges = edges_of(simulated(lambda at: Condition(rhythm=Rhythm.ATRIAL_FIBRILLATION, heart_rate=95), 60))
    assert [(edge.code, edge.on) for edge in edges] == [("irregular-rhythm", True)]
    assert edges[0].since / FS < 4


def test_many_premature_beats_are_told_as_such() -> None:
    edges = edges_of(simulated(lambda _: Condition(ectopic_share=0.3), 90))
    assert codes(edges) == {"premature-beats"}
    assert edges[0].details["per minute"] == 10


def test_fibrillation_leaves_no_premature_beats_behind() -> None:
    edges = edges_of(simulated(episode(FIBRILLATION), 75))
    after = [edge for edge in edges if edge.on and edge.sample / FS > ONSET + 10]
    assert after == []


@pytest.mark.parametrize("frame", [20, 50, 250])
def test_the_length_of_frames_does_not_matter(frame: int) -> None:
    signal = simulated(episode(FIBRILLATION), 70)
    usual, other = edges_of(signal), edges_of(signal, frame)
    told = [edge for edge in other if edge.code == "ventricular-fibrillation"]
    expected = [edge for edge in usual if edge.code == "ventricular-fibrillation"]
    assert len(told) == len(expected) == 2
    for ours, theirs in zip(told, expected, strict=True):
        assert abs(ours.sample - theirs.sample) <= FS


def test_a_lead_that_is_off_or_flat_is_no_asystole() -> None:
    for dead in (np.nan, 0.0):
        signal = simulated(lambda _: NORMAL, 60)
        signal[30 * FS : 45 * FS] = dead
        assert not codes(edges_of(signal)) & set(CODES)


def test_a_lead_that_comes_off_during_fibrillation_does_not_end_it() -> None:
    signal = simulated(lambda at: NORMAL if at < ONSET else FIBRILLATION, 75)
    signal[45 * FS : 60 * FS] = np.nan
    edges = [edge for edge in edges_of(signal) if edge.code == "ventricular-fibrillation"]
    assert [edge.on for edge in edges] == [True]


def test_an_amplifier_that_recovers_from_a_jump_is_no_asystole() -> None:
    """Record 116 of the MIT-BIH database: the line is smooth for six seconds, and the heart beats all the while."""
    signal = simulated(lambda _: NORMAL, 60)
    since = np.arange(6 * FS) / FS
    signal[30 * FS : 36 * FS] = 4.0 * np.exp(-since / 1.2)
    assert not codes(edges_of(signal)) & set(LETHAL)
    assert "pause" not in codes(edges_of(signal))


def test_missed_beats_are_no_asystole_when_the_signal_shows_them() -> None:
    signal, watch = simulated(lambda _: NORMAL, 30), RhythmWatch(FS)
    edges = [edge for n0 in range(0, signal.size, FRAME) for edge in watch.feed([], signal[n0 : n0 + FRAME], n0, None)]
    assert edges == []


@pytest.mark.parametrize("reason", ["noise", "baseline"])
def test_poor_quality_does_not_hide_fibrillation(reason: str) -> None:
    signal = simulated(episode(FIBRILLATION), 50)
    beats, watch = BeatDetector(FS), RhythmWatch(FS)
    edges: list[RhythmEdge] = []
    for n0 in range(0, signal.size, FRAME):
        block = signal[n0 : n0 + FRAME]
        poor = Quality(n0 + FRAME, 0.0, (reason,))
        edges += watch.feed(beats.feed(block, n0), block, n0, poor)
    assert [(edge.code, edge.on) for edge in edges] == [("ventricular-fibrillation", True)]
    assert edges[0].sample / FS <= ONSET + 10


def test_in_poor_quality_beats_raise_nothing() -> None:
    signal = simulated(episode(ABNORMAL["ventricular-tachycardia"]), 50)
    beats, watch = BeatDetector(FS), RhythmWatch(FS)
    for n0 in range(0, signal.size, FRAME):
        block = signal[n0 : n0 + FRAME]
        assert watch.feed(beats.feed(block, n0), block, n0, Quality(n0 + FRAME, 0.1, ("noise",))) == []
