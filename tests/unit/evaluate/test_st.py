"""``lastmile evaluate st``: labels from headers, counts, and the recordings at hand."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sims.condition import Condition
from firmware_sims.dipole import FS
from gateway.evaluate.records import Recording
from gateway.evaluate.st import Label, Record, evaluate, gross, judged, label_of
from gateway.evaluate.wilson import wilson
from tests.unit.ecg.st_builders import recorded, with_injury


@pytest.mark.parametrize(
    ("comments", "label"),
    [
        (("Dx: 426783006",), Label.NEGATIVE),
        (("Age: 60", "Dx: 426783006,164931005"), Label.POSITIVE),
        (("Dx: 164865005",), Label.POSITIVE),
        (("Dx: 54329005,426783006",), Label.POSITIVE),
        (("Dx: 57054005",), Label.POSITIVE),
        (("Dx: 164867002",), Label.EXCLUDED),
        (("Dx: 164867002,164931005",), Label.POSITIVE),
        (("Reason for admission: Myocardial infarction",), Label.POSITIVE),
        (("Reason for admission: Healthy control",), Label.NEGATIVE),
        ((), Label.NEGATIVE),
    ],
)
def test_the_label_comes_from_the_header(comments: tuple[str, ...], label: Label) -> None:
    assert label_of(comments) is label


def test_a_recording_is_judged_as_its_stream_would_be() -> None:
    raised = with_injury(Condition(), {"V2": 0.17, "V3": 0.18})
    woman = judged(Recording("a", FS, raised, None, ("Age: 60", "Sex: Female")))
    man = judged(Recording("b", FS, raised, None, ("Age: 60", "Sex: Male")))
    assert (woman.sex, woman.age, woman.met, woman.groups) == ("female", 60.0, True, (("V2", "V3"),))
    assert (man.sex, man.met, man.groups) == ("male", False, ())
    assert woman.cautions == ("filter-unknown",)
    assert woman.levels["V2"] == pytest.approx(0.17, abs=0.02)


@pytest.mark.parametrize("age", ["NaN", "n/a", "Unknown", ""])
def test_an_age_that_is_none_is_unknown(age: str) -> None:
    record = judged(Recording("a", FS, recorded(Condition()), None, (f"Age: {age}", "Sex: Unknown")))
    assert (record.age, record.sex, record.met) == (None, None, False)


@pytest.mark.parametrize(
    ("recording", "why"),
    [
        (
            Recording("short", FS, {name: row[:4000] for name, row in recorded(Condition()).items()}),
            "no-whole-10-s-12-lead",
        ),
        (Recording("one lead", FS, {"II": recorded(Condition())["II"]}), "no-whole-10-s-12-lead"),
        (Recording("none", FS, {"pleth": np.zeros(5000)}), "no-whole-10-s-12-lead"),
        (Recording("child", FS, recorded(Condition()), None, ("Age: 8",)), "outside-population"),
    ],
)
def test_what_cannot_be_judged_is_counted_apart(recording: Recording, why: str) -> None:
    record = judged(recording)
    assert record.met is None
    assert record.silent == (why,)
    assert gross((record,)).not_measured == 1
    assert gross((record,)).specificity is None


def test_the_counts() -> None:
    def made(label: Label, met: bool | None, times: int) -> list[Record]:
        return [Record("x", label, None, None, met)] * times

    counts = gross(
        (
            *made(Label.POSITIVE, True, 3), *made(Label.POSITIVE, False, 1), *made(Label.NEGATIVE, True, 2),
            *made(Label.NEGATIVE, False, 18), *made(Label.EXCLUDED, True, 5), *made(Label.NEGATIVE, None, 7),
        )
    )  # fmt: skip
    assert (counts.sensitivity, counts.specificity, counts.positive_predictivity) == (0.75, 0.9, 0.6)
    assert (counts.excluded, counts.not_measured) == (5, 7)


@given(st.integers(1, 2000).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_wilsons_interval_holds_the_share(count: tuple[int, int]) -> None:
    hits, of = count
    bounds = wilson(hits, of)
    assert bounds is not None
    assert 0 <= bounds[0] <= hits / of + 1e-12
    assert hits / of - 1e-12 <= bounds[1] <= 1


def test_wilsons_interval_as_published() -> None:
    """Newcombe, Stat Med 1998;17:857, table I, method 3."""
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson(0, 0) is None


@pytest.mark.data
def test_the_recordings_at_hand(recordings: Path) -> None:
    report = evaluate(recordings / "ecg-12lead")
    assert report.gross.specificity is not None
    assert report.gross.specificity >= 0.9
    assert report.gross.not_measured == 0
    read = msgspec.json.decode(msgspec.json.encode(report))
    assert read["task"] == "st"
    assert {"sensitivity", "positive_predictivity", "specificity"} <= read["gross"].keys()
    assert len(read["records"]) == len(report.records) == 26
