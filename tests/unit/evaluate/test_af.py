"""Durations of atrial fibrillation, counted by hand."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from gateway.evaluate import af
from gateway.evaluate.af import FIBRILLATION, bootstrap, evaluate, patient, pool, score
from gateway.evaluate.records import Annotations, Recording, read_annotations, read_wfdb
from gateway.evaluate.watch import stretches, watch

FS = 100.0
FLOOR = 0.9


def recording(*marks: tuple[int, str], seconds: int = 100, comments: tuple[str, ...] = ()) -> Recording:
    """Rhythm marks at seconds."""
    annotations = Annotations(
        np.array([round(at * FS) for at, _ in marks], np.int64), ["+"] * len(marks), [note for _, note in marks]
    )
    return Recording("201", FS, {"II": np.zeros(round(seconds * FS))}, annotations, comments)


def told(*seconds: tuple[int, int]) -> list[tuple[int, int]]:
    return [(round(start * FS), round(end * FS)) for start, end in seconds]


def test_every_second_is_one_of_four() -> None:
    found = score(recording((0, "(N"), (20, "(AFIB"), (60, "(N")), told((30, 70))).seconds
    assert (found.true_positive, found.false_negative) == (30, 10)
    assert (found.false_positive, found.true_negative) == (10, 50)
    assert found.sensitivity == 0.75
    assert found.specificity == pytest.approx(5 / 6)
    assert found.positive_predictivity == 0.75


def test_flutter_is_counted_on_its_own() -> None:
    found = score(recording((0, "(AFIB"), (40, "(AFL"), (80, "(N")), told((0, 70))).seconds
    assert (found.flutter, found.flutter_told) == (40, 30)
    assert (found.true_positive, found.false_positive, found.true_negative) == (40, 0, 20)


def test_a_record_is_of_interest_when_it_fibrillates_or_was_collected_for_it() -> None:
    assert score(recording((0, "(AFIB")), []).of_interest
    assert score(recording(comments=("non atrial fibrillation",)), []).of_interest
    assert not score(recording((0, "(N")), []).of_interest


def test_without_a_reference_rhythm_nothing_is_scored() -> None:
    assert af.has_reference(recording((0, "(N")))
    assert af.has_reference(recording(comments=("persistent atrial fibrillation",)))
    assert not af.has_reference(recording())
    assert not af.has_reference(msgspec.structs.replace(recording((0, "(N")), annotations=None))


def test_a_pool_adds_seconds_not_records() -> None:
    long = score(recording((0, "(AFIB"), seconds=300), told((0, 300)))
    short = score(recording((0, "(AFIB"), seconds=100), [])
    pooled = pool([long, short])
    assert pooled.sensitivity == 0.75
    assert pooled.specificity is None
    assert (pooled.records, pooled.patients, pooled.sensitivity_bounds) == (2, 1, None)


def test_bounds_widen_with_the_difference_between_patients() -> None:
    alike, different = (
        bootstrap([(90, 10)] * 6),
        bootstrap([(100, 0), (100, 0), (100, 0), (60, 40), (100, 0), (80, 20)]),
    )
    assert alike is not None
    assert different is not None
    assert [*alike] == pytest.approx([0.9, 0.9])
    assert different[0] < 0.85
    assert different[1] > 0.95
    assert bootstrap([(90, 10)] * 2) is None


def test_records_of_one_patient_are_one() -> None:
    assert patient("data_101_6") == patient("data_101_9") == "101"
    assert patient("201") == "201"


@pytest.mark.data
@pytest.mark.parametrize(("name", "least", "most"), [("data_8_4", 0.9, 1.0), ("data_35_6", 0.0, 0.1)])
def test_real_fibrillation_and_a_slow_rhythm_without_it(recordings: Path, name: str, least: float, most: float) -> None:
    record = read_wfdb(recordings / "ecg-af" / name)
    size = record.signals["II"].size
    covered = sum(end - start for start, end in stretches(watch(record), af.CODE, size))
    assert least <= covered / size <= most


def fibrillates(header: Path) -> bool:
    """Whether the reference says so anywhere in the record."""
    given = read_annotations(header.with_suffix(""), "atr")
    return given is not None and FIBRILLATION in given.notes


@pytest.mark.data
@pytest.mark.slow
def test_floors_by_duration_on_every_record_of_fibrillation(recordings: Path, tmp_path: Path) -> None:
    """ecg-af and the records of ecg-mitdb that fibrillate, in one folder."""
    taken = [
        *(recordings / "ecg-af").glob("*.hea"),
        *(header for header in (recordings / "ecg-mitdb").glob("*.hea") if fibrillates(header)),
    ]
    for header in taken:
        for file in header.parent.glob(f"{header.stem}.*"):
            (tmp_path / file.name).symlink_to(file)
    found = evaluate(tmp_path)
    gross = found.gross
    assert (gross.records, found.skipped, found.without_reference) == (len(taken), [], [])
    assert gross.patients == 5
    assert gross.sensitivity is not None
    assert gross.specificity is not None
    assert gross.sensitivity >= FLOOR
    assert gross.specificity >= FLOOR
