"""When ST may speak; what lowers the confidence is named and never suppresses."""

import numpy as np
import pytest

from firmware_sims.condition import Condition
from firmware_sims.dipole import FS
from gateway.derive.ecg.st import measure
from gateway.derive.ecg.st_criteria import criteria
from gateway.derive.ecg.st_gate import cautions, confidence, low_cut_hz
from gateway.derive.ecg.st_report import INDEPENDENT, StReport
from tests.unit.ecg.st_builders import Leads, lead, recorded, report, with_injury

RAISED = with_injury(Condition(), {"II": 0.3})


@pytest.mark.parametrize(
    ("text", "hz"),
    [
        ("0.05-150 Hz", 0.05),
        ("0.05-40 Hz", 0.05),
        ("0.5-40 Hz", 0.5),
        ("0.67 Hz - 40 Hz", 0.67),
        ("1-30 Hz", 1.0),
        ("DC-150 Hz", 0.0),
        ("0 to 250 Hz", 0.0),
        ("", None),
        ("monitor", None),
        ("40 Hz", None),
    ],
)
def test_the_low_cut_is_read_from_the_frames_filter(text: str, hz: float | None) -> None:
    assert low_cut_hz(text) == hz


@pytest.mark.parametrize(
    ("leads", "fs", "low_cut", "reason"),
    [
        (RAISED, FS, 0.5, "filter-not-fit-for-st"),
        (RAISED, FS, 0.051, "filter-not-fit-for-st"),
        ({name: row[:4999] for name, row in RAISED.items()}, FS, 0.05, "shorter-than-10-s"),
        ({name: RAISED[name] for name in ("I", "II", "V1")}, FS, 0.05, "not-12-lead"),
        ({name: RAISED[name] for name in INDEPENDENT if name != "V4"}, FS, 0.05, "not-12-lead"),
        (RAISED | {"V2": np.where(np.arange(5000) == 70, np.nan, RAISED["V2"])}, FS, 0.05, "lead-off"),
        (RAISED, 200, 0.05, "sampled-too-slowly"),
        ({}, FS, 0.05, "not-12-lead"),
    ],
)
def test_what_refuses(leads: Leads, fs: float, low_cut: float, reason: str) -> None:
    refused = measure(leads, fs, low_cut)
    assert reason in refused.refused
    assert refused.leads == ()
    assert criteria(refused, "male", 60) is None


@pytest.mark.parametrize("low_cut", [0.0, 0.01, 0.05])
def test_a_low_cut_of_a_twentieth_hertz_or_less_may_speak(low_cut: float) -> None:
    finding = criteria(measure(RAISED, FS, low_cut), "male", 60)
    assert finding is not None
    assert finding.criteria_met
    assert finding.confidence == "usual"


def test_an_unknown_filter_is_measured_and_said() -> None:
    finding = criteria(measure(RAISED, FS, None), "male", 60)
    assert finding is not None
    assert finding.criteria_met
    assert finding.confidence == "lowered"
    assert [(caution.code, caution.limit) for caution in finding.cautions] == [("filter-unknown", 0.05)]


def codes(made: StReport, sex: str | None = "male") -> list[str]:
    return [caution.code for caution in cautions(made, sex)]


@pytest.mark.parametrize(
    ("normal", "doubtful", "code"),
    [
        (report(heart_rate=129.9), report(heart_rate=130.0), "fast-heart-rate"),
        (report(qrs_ms=119.9), report(qrs_ms=120.0), "wide-qrs"),
        (report(), report(pacing=True), "pacing"),
        (report(beats=12, beats_used=6), report(beats=12, beats_used=5), "beats-differ"),
        (report(None, lead("V2", error=0.025)), report(None, lead("V2", error=0.026)), "artefact"),
        (report(None, lead("V2", tp=-0.05)), report(None, lead("V2", tp=-0.051)), "baseline"),
        (report(None, lead("V2", tp=None)), report(None, lead("V2", tp=0.2)), "baseline"),
        (report(einthoven_mv=0.05), report(einthoven_mv=0.051), "limb-leads-disagree"),
        (
            report(None, lead("V1", s=-1.5), lead("V6", r=1.99)),
            report(None, lead("V1", s=-1.5), lead("V6", r=2.0)),
            "lvh-sokolow-lyon",
        ),
        (
            report(None, lead("aVL", r=1.3), lead("V3", s=-1.5)),
            report(None, lead("aVL", r=1.31), lead("V3", s=-1.5)),
            "lvh-cornell",
        ),
        (
            report(None, lead("II", p=-0.1, r=0.2, s=-0.8, t=0.3)),
            report(None, lead("II", p=-0.1, r=0.2, s=-0.8, t=-0.3)),
            "lead-reversal",
        ),
        (report(None, lead("II", r=0.06, s=-0.04)), report(None, lead("II", r=0.05, s=-0.04)), "lead-reversal"),
    ],
)
def test_each_caution_at_its_limit(normal: StReport, doubtful: StReport, code: str) -> None:
    assert codes(normal) == []
    assert codes(doubtful) == [code]
    assert confidence(cautions(normal, "male")) == "usual"
    assert confidence(cautions(doubtful, "male")) == "lowered"


@pytest.mark.parametrize(("sex", "named"), [("male", False), ("female", True), (None, True)])
def test_cornell_of_an_unknown_sex_takes_the_lower_limit(sex: str | None, named: bool) -> None:
    made = report(None, lead("aVL", r=1.0), lead("V3", s=-1.2))
    assert (codes(made, sex) == ["lvh-cornell"]) is named


def test_swapped_arms_are_named_and_dextrocardia_is_not_taken_for_them() -> None:
    swapped = recorded(Condition())
    one, two, three = swapped["I"], swapped["II"], swapped["III"]
    arms = {"I": -one, "II": three, "III": two}
    assert "lead-reversal" not in codes(measure(swapped, FS, 0.05))
    found = measure({name: arms.get(name, swapped[name]) for name in INDEPENDENT}, FS, 0.05)
    assert [(caution.code, caution.leads) for caution in cautions(found)] == [("lead-reversal", ("I", "aVR"))]
    mirrored = measure(
        {name: -swapped[name] if name in {"I", "V6"} else swapped[name] for name in INDEPENDENT}, FS, 0.05
    )
    assert ("lead-reversal", ("I", "aVR")) not in [(caution.code, caution.leads) for caution in cautions(mirrored)]


def test_a_third_limb_lead_of_another_recording_is_named() -> None:
    leads = recorded(Condition(), 1)
    mixed = leads | {"III": recorded(Condition(heart_rate=61), 2)["II"]}
    assert measure(leads, FS, 0.05).einthoven_mv < 0.005
    assert "limb-leads-disagree" in codes(measure(mixed, FS, 0.05))


@pytest.mark.parametrize(("before", "paced"), [(0.08, True), (0.2, True), (None, False)])
@pytest.mark.parametrize("rate", [60, 100])
def test_pacing_spikes_are_seen(before: float | None, rate: float, paced: bool) -> None:
    leads = recorded(Condition(heart_rate=rate))
    first = measure(leads, FS, 0.05)
    assert not first.pacing
    if before is None:
        return
    at = [int(i) for i in np.flatnonzero(np.diff((leads["II"] > 0.6).astype(int)) == 1)]
    spiked = {name: row.copy() for name, row in leads.items() if name in INDEPENDENT}
    for place in at:
        for row in spiked.values():
            row[max(0, place - round(before * FS))] += 1.0
    report_ = measure(spiked, FS, 0.05)
    assert report_.pacing is paced
    assert "pacing" in codes(report_)


def test_muscle_noise_names_its_leads() -> None:
    noise = np.random.default_rng(3).standard_normal(5000)
    noisy = measure(RAISED | {"V5": RAISED["V5"] + 0.3 * noise}, FS, 0.05)
    artefact = next(caution for caution in cautions(noisy) if caution.code == "artefact")
    assert artefact.leads == ("V5",)
    finding = criteria(noisy, "male", 60)
    assert finding is not None
    assert finding.criteria_met, "named, not suppressed"
