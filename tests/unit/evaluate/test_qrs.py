"""``lastmile evaluate qrs`` from folder to report, and the floors of the beat detector on real recordings."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from gateway.cli import build
from gateway.evaluate import noise
from gateway.evaluate.qrs import evaluate
from gateway.evaluate.records import BrokenRecord
from tests.unit.ecg.drawn import FS, axis, ectopic, regular, rhythm
from tests.unit.evaluate.test_records import annotate, write

FLOOR = 0.993  # sensitivity and positive predictivity on ecg-mitdb


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(build(["evaluate"]), ["evaluate", *arguments])
    return done.exit_code, done.output


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two records of a drawn heart. In the second, one marked beat is not in the signal and one beat is not marked."""
    times = regular(75, 30)
    marks = [round(at * FS) for at in times]
    signal = rhythm([at for at in times if at != times[20]], 30) + ectopic(axis(30), times[20])
    write(tmp_path, "a", {"V5": ("mV", np.zeros(signal.size)), "II": ("mV", signal)}, FS)
    annotate(tmp_path, "a", marks, ["V" if mark == marks[20] else "N" for mark in marks], [""] * len(marks))
    write(tmp_path, "b", {"MLII": ("mV", rhythm([at for at in times if at != times[10]], 30))}, FS)
    marked = [mark for mark in marks if mark != marks[25]]
    annotate(tmp_path, "b", marked, ["N"] * len(marked), [""] * len(marked))
    write(tmp_path, "c", {"II": ("mV", signal)}, FS)
    return tmp_path


def test_counts_what_is_there(folder: Path) -> None:
    report = evaluate(folder)
    assert [(record.name, record.lead) for record in report.records] == [("a", "II"), ("b", "MLII")]
    first, second = report.records
    learning = first.whole.false_negatives
    assert learning <= 2
    assert first.whole.false_positives == 0
    assert (second.whole.false_negatives, second.whole.false_positives) == (learning + 1, 1)
    assert (first.ventricular.true_positives, first.ventricular.false_positives) == (1, 0)
    assert report.gross.true_positives == sum(record.whole.true_positives for record in report.records)
    assert report.gross_from_5_min is None
    assert report.noise == []


def test_the_command_writes_what_it_prints(folder: Path, tmp_path: Path) -> None:
    code, output = run("qrs", str(folder), "--report", str(tmp_path / "out.json"))
    written = json.loads((tmp_path / "out.json").read_text())
    assert code == 0
    assert written["task"] == "qrs"
    assert 0.9 < written["gross"]["sensitivity"] < 1
    assert 0.9 < written["gross"]["positive_predictivity"] < 1
    assert [record["name"] for record in written["records"]] == ["a", "b"]
    assert f"{written['gross']['sensitivity']:.4f}" in output


def test_more_noise_is_worse(folder: Path) -> None:
    rows = evaluate(folder, noise=True).noise
    assert len(rows) == len(noise.KINDS) * len(noise.RATIOS_DB)
    motion = [row.gross for row in rows if row.kind == "electrode-motion"]
    assert motion[0].positive_predictivity is not None
    assert motion[-1].positive_predictivity is not None
    assert motion[0].positive_predictivity > 0.9 > motion[-1].positive_predictivity


@pytest.mark.parametrize("arguments", [("qrs", "nowhere"), ("qrs", "."), ("vf", ".", "--noise"), ("pqrst", ".")])
def test_what_cannot_be_done_is_said(
    arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(*arguments)[0] == 2


def test_without_reference_there_is_no_figure(tmp_path: Path) -> None:
    write(tmp_path, "a", {"II": ("mV", rhythm(regular(75, 10), 10))}, FS)
    with pytest.raises(BrokenRecord, match="no record with reference"):
        evaluate(tmp_path)


@pytest.mark.parametrize("kind", sorted(noise.KINDS))
@pytest.mark.parametrize("ratio_db", [18.0, 0.0])
def test_noise_has_the_stated_ratio(kind: str, ratio_db: float) -> None:
    times = regular(75, 60)
    signal, beats = rhythm(times, 60), np.array([round(at * FS) for at in times])
    noisy = noise.add(kind, signal, FS, beats, ratio_db, "a")
    power = noise.qrs_amplitude(signal, FS, beats) ** 2 / 8
    assert 10 * np.log10(power / np.mean((noisy - signal) ** 2)) == pytest.approx(ratio_db, abs=0.01)
    assert np.array_equal(noisy, noise.add(kind, signal, FS, beats, ratio_db, "a")), "the same every time"
    assert not np.array_equal(noisy, noise.add(kind, signal, FS, beats, ratio_db, "b"))


@pytest.mark.data
@pytest.mark.slow
def test_floors_on_the_arrhythmia_database(recordings: Path) -> None:
    gross = evaluate(recordings / "ecg-mitdb").gross
    assert gross.true_positives + gross.false_negatives > 44_000
    assert gross.sensitivity is not None
    assert gross.positive_predictivity is not None
    assert gross.sensitivity >= FLOOR
    assert gross.positive_predictivity >= FLOOR
