"""Folders as other people leave them: whatever lies in one, every task reports, names what it left out, and ends."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import wfdb
from numpy.typing import NDArray

from gateway.evaluate import af, qrs, st, vf
from gateway.evaluate.records import BrokenRecord, read_folder
from tests.unit.ecg.drawn import regular, rhythm
from tests.unit.evaluate.test_qrs import run
from tests.unit.evaluate.test_records import annotate, write

SECONDS = 30
TIMES = regular(75, SECONDS)

Signal = NDArray[np.float64]


def heart(fs: float = 250) -> Signal:
    return rhythm(TIMES, SECONDS, fs)


def marked(folder: Path, name: str, fs: float = 250, extension: str = "atr") -> None:
    samples = np.array([round(at * fs) for at in TIMES])
    wfdb.wrann(name, extension, samples, symbol=["N"] * samples.size, write_dir=str(folder))


def good(folder: Path, name: str = "good", fs: float = 250, lead: str = "II") -> None:
    folder.mkdir(exist_ok=True, parents=True)
    write(folder, name, {lead: ("mV", heart(fs))}, fs)
    marked(folder, name, fs)


def edit(header: Path, *changes: tuple[str, str]) -> None:
    text = header.read_text()
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    header.write_text(text)


def report(folder: Path, task: str) -> dict[str, Any]:
    """What the command writes, and that it ends well."""
    out = folder.parent / f"{folder.name}-{task}.json"
    code, output = run(task, str(folder), "--report", str(out))
    assert code == 0, output
    found: dict[str, Any] = json.loads(out.read_text())
    return found


def refused(*arguments: str) -> str:
    """The message, without the frame it is printed in."""
    code, output = run(*arguments)
    assert code == 2
    return " ".join(output.replace("│", " ").split())


# ---- one bad record stops no other ----------------------------------------------------------------------------------


@pytest.fixture
def littered(tmp_path: Path) -> Path:
    """A good record among every kind of bad one."""
    folder = tmp_path / "littered"
    good(folder)
    write(folder, "unmarked", {"II": ("mV", heart())})
    write(folder, "without-dat", {"II": ("mV", heart())})
    (folder / "without-dat.dat").unlink()
    write(folder, "cut-short", {"II": ("mV", heart())})
    (folder / "cut-short.dat").write_bytes((folder / "cut-short.dat").read_bytes()[:1000])
    (folder / "garbage.hea").write_bytes(bytes(range(256)))
    (folder / "blank.hea").write_text("")
    (folder / "no-signal.hea").write_text("no-signal 0 250 1000\n")
    (folder / "gone.hea").symlink_to(folder / "nowhere.hea")
    write(folder, "oximeter", {"PLETH": ("NU", heart())})
    write(folder, "brain", {"EEG (sec)": ("mV", heart())})
    write(folder, "slow", {"II": ("mV", heart(60))}, 60)
    write(folder, "no-sample", {"II": ("mV", heart())})
    (folder / "no-sample.dat").write_bytes(b"\x00\x80" * heart().size)
    write(folder, "bad-marks", {"II": ("mV", heart())})
    (folder / "bad-marks.atr").write_bytes(b"\x01")
    write(folder, "empty-marks", {"II": ("mV", heart())})
    (folder / "empty-marks.atr").write_bytes(b"")
    (folder / "notes.txt").write_text("not a record")
    (folder / "broken.mat.gz").write_bytes(b"no archive")
    return folder


SKIPPED = {
    "without-dat", "cut-short", "garbage", "blank", "no-signal", "gone", "oximeter", "brain", "slow", "no-sample",
    "bad-marks", "broken",
}  # fmt: skip


@pytest.mark.parametrize("task", ["qrs", "af", "vf", "st"])
def test_what_cannot_be_read_is_named_with_the_reason_and_the_rest_is_scored(littered: Path, task: str) -> None:
    found = report(littered, task)
    why = {row["name"]: row["why"] for row in found["skipped"]}
    assert why.keys() == SKIPPED
    assert all(why.values())
    assert "volts" in why["oximeter"]
    assert "60 Hz" in why["slow"]
    left = {row["name"] for row in found["records"]} | set(found.get("without_reference", ()))
    assert left == {"good", "unmarked", "empty-marks"}
    if task == "qrs":
        assert found["gross"]["sensitivity"] > 0.9
        assert found["without_reference"] == ["empty-marks", "unmarked"]


def test_the_command_shows_what_was_left_out(littered: Path) -> None:
    _, output = run("qrs", str(littered))
    assert "skipped" in output
    assert "60 Hz is too slow" in output


@pytest.mark.parametrize("task", ["qrs", "af", "vf", "st"])
def test_a_folder_with_nothing_to_read_is_refused_with_the_reasons(tmp_path: Path, task: str) -> None:
    assert "no ECG record" in refused(task, str(tmp_path))
    write(tmp_path, "slow", {"II": ("mV", heart(60))}, 60)
    assert "60 Hz" in refused(task, str(tmp_path))


def test_a_report_that_could_not_be_written_is_refused_before_the_work(tmp_path: Path) -> None:
    good(tmp_path)
    assert "nothing has been" in refused("qrs", str(tmp_path), "--report", str(tmp_path / "nowhere" / "out.json"))


# ---- formats, rates, leads ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fmt", ["16", "212", "80", "24", "32"])
def test_every_format_of_samples(tmp_path: Path, fmt: str) -> None:
    wfdb.wrsamp(
        "a", fs=250, units=["mV", "mV"], sig_name=["V5", "II"], p_signal=np.column_stack([-heart(), heart()]),
        fmt=[fmt, fmt], write_dir=str(tmp_path),
    )  # fmt: skip
    marked(tmp_path, "a")
    [found] = read_folder(tmp_path)
    assert np.allclose(found.signals["II"], heart(), atol=0.02 if fmt == "80" else 0.002)
    assert qrs.evaluate(tmp_path).gross.positive_predictivity == 1.0


@pytest.mark.parametrize("fs", [100, 128, 200, 257.5, 1000])
def test_every_sampling_rate(tmp_path: Path, fs: float) -> None:
    good(tmp_path, fs=fs)
    gross = qrs.evaluate(tmp_path).gross
    assert gross.false_positives == 0
    assert gross.false_negatives <= 2, "of those it learns from"
    assert vf.evaluate(tmp_path).gross.lethal_alarms == 0
    assert af.evaluate(tmp_path).without_reference == ["good"]
    assert st.evaluate(tmp_path).records[0].silent == ("no-whole-10-s-12-lead",)


@pytest.mark.parametrize("lead", ["ECG1", "V5", "ECG lead II", "D2", "ecg"])
def test_a_lead_of_any_name_is_looked_at(tmp_path: Path, lead: str) -> None:
    good(tmp_path, lead=lead)
    [record] = qrs.evaluate(tmp_path).records
    assert record.lead == lead
    assert record.whole.positive_predictivity == 1.0


@pytest.mark.parametrize(
    "changes",
    [
        (("(0)/mV", "/mV"),),  # no baseline
        ((" II\n", "\n"),),  # no name
        (("/mV", ""), (" II\n", "\n")),  # no unit either: it is mV (header(5))
    ],
)
def test_a_header_that_says_little(tmp_path: Path, changes: tuple[tuple[str, str], ...]) -> None:
    samples = np.rint(200 * heart()).astype(np.int64)
    wfdb.wrsamp(
        "a", fs=250, units=["mV"], sig_name=["II"], d_signal=samples[:, None], fmt=["16"], adc_gain=[200.0],
        baseline=[0], write_dir=str(tmp_path),
    )  # fmt: skip
    marked(tmp_path, "a")
    edit(tmp_path / "a.hea", *changes)
    [found] = read_folder(tmp_path)
    [signal] = found.signals.values()
    assert np.allclose(signal, heart(), atol=0.005)
    assert qrs.evaluate(tmp_path).gross.positive_predictivity == 1.0


def test_a_gain_of_nought_means_200_units_a_millivolt(tmp_path: Path) -> None:
    """header(5) of WFDB: the default of an uncalibrated signal."""
    samples = np.rint(200 * heart()).astype(np.int64)
    wfdb.wrsamp(
        "a", fs=250, units=["mV"], sig_name=["II"], d_signal=samples[:, None], fmt=["16"], adc_gain=[200.0],
        baseline=[0], write_dir=str(tmp_path),
    )  # fmt: skip
    edit(tmp_path / "a.hea", ("200.0(0)/mV", "0"))
    [found] = read_folder(tmp_path)
    assert np.allclose(found.signals["II"], heart(), atol=0.005)


# ---- more than one folder, more than one part -----------------------------------------------------------------------


def test_records_in_subfolders_are_named_by_their_path(tmp_path: Path) -> None:
    good(tmp_path / "part-1")
    good(tmp_path / "part-2" / "deeper", "data_7_1")
    assert [record.name for record in read_folder(tmp_path)] == ["part-1/good", "part-2/deeper/data_7_1"]
    assert af.patient("part-2/deeper/data_7_1") == "7"
    good(tmp_path, "own")
    assert [record.name for record in read_folder(tmp_path)] == ["own"], "a folder's own records are the collection"


def test_a_record_in_segments_is_one(tmp_path: Path) -> None:
    half = heart().size // 2
    for number, part in enumerate((heart()[:half], heart()[half:])):
        write(tmp_path, f"whole_{number}", {"II": ("mV", part)})
    (tmp_path / "whole.hea").write_text(f"whole/2 1 250 {2 * half}\nwhole_0 {half}\nwhole_1 {half}\n")
    [found] = read_folder(tmp_path)
    assert found.name == "whole"
    assert np.allclose(found.signals["II"], heart(), atol=0.002)
    (tmp_path / "whole_1.dat").unlink()
    folder = read_folder(tmp_path)
    with pytest.raises(BrokenRecord, match="whole"):
        list(folder)
    assert [skipped.name for skipped in folder.skipped] == ["whole"]


def test_a_layout_of_changing_signals_with_a_gap(tmp_path: Path) -> None:
    """As in the MIMIC databases: a header that names every signal there may be, and a stretch without any."""
    half = heart().size // 2
    write(tmp_path, "part_0", {"II": ("mV", heart()[:half])})
    write(tmp_path, "part_1", {"II": ("uV", 1000 * heart()[half:])})
    layout = ("part_layout 2 250 0", *(f"~ 0 200(0)/mV 16 0 0 0 0 {lead}" for lead in ("II", "V5")))
    (tmp_path / "part_layout.hea").write_text("\n".join(layout))
    lines = ("part/4 2 250", f"{2 * half + 250}\npart_layout 0\npart_0 {half}\n~ 250\npart_1 {half}\n")
    (tmp_path / "part.hea").write_text(" ".join(lines))
    [found] = read_folder(tmp_path)
    assert found.name == "part"
    assert found.signals.keys() == {"II"}, "the other one is nowhere"
    assert np.flatnonzero(np.isnan(found.signals["II"])).tolist() == list(range(half, half + 250))


# ---- annotations of other databases ---------------------------------------------------------------------------------


@pytest.mark.parametrize("extension", ["qrs", "ecg", "qrsc"])
def test_beats_are_taken_from_the_file_that_marks_them(tmp_path: Path, extension: str) -> None:
    """As in the MIT-BIH Atrial Fibrillation Database: rhythms in .atr, beats in .qrs or, corrected, in .qrsc."""
    write(tmp_path, "04015", {"ECG1": ("mV", heart()), "ECG2": ("mV", -heart())})
    annotate(tmp_path, "04015", [50, 2000, 5000], ["+"] * 3, ["(N", "(AFIB", "(N"])
    marked(tmp_path, "04015", extension=extension)
    gross = qrs.evaluate(tmp_path).gross
    assert (gross.false_positives, gross.true_positives + gross.false_negatives) == (0, len(TIMES))
    fibrillates = af.evaluate(tmp_path).gross
    assert fibrillates.seconds.false_negative + fibrillates.seconds.true_positive == 12
    assert fibrillates.records == 1


def test_corrected_beats_go_before_automatic_ones(tmp_path: Path) -> None:
    write(tmp_path, "a", {"II": ("mV", heart())})
    marked(tmp_path, "a", extension="qrsc")
    wfdb.wrann("a", "qrs", np.array([10, 20]), symbol=["N", "N"], write_dir=str(tmp_path))
    assert qrs.evaluate(tmp_path).gross.false_positives == 0


@pytest.mark.parametrize(
    ("note", "seconds", "episodes"),
    [("(VF", 8, 1), ("(VFIB", 8, 1), ("(VFL", 8, 1), ("(VT", 8, 1), ("(VT", 2, 0), ("(NOISE", 8, 0), ("(ASYS", 8, 0)],
)
def test_rhythms_without_beats_as_in_the_malignant_arrhythmia_database(
    tmp_path: Path, note: str, seconds: int, episodes: int
) -> None:
    write(tmp_path, "418", {"ECG": ("mV", heart())})
    annotate(tmp_path, "418", [0, 2500, 2500 + 250 * seconds], ["+"] * 3, ["(N", note, "(N"])
    found = vf.evaluate(tmp_path).records[0]
    assert found.episodes is not None
    assert [(one.start, one.end) for one in found.episodes] == [(10.0, 10.0 + seconds)] * episodes


def test_asystole_that_the_reference_names_is_true(tmp_path: Path) -> None:
    signal = heart()
    signal[10 * 250 : 18 * 250] = 0.005 * np.random.default_rng(1).standard_normal(2000)
    write(tmp_path, "a", {"ECG": ("mV", signal)})
    annotate(tmp_path, "a", [0, 2500, 4500], ["+"] * 3, ["(N", "(ASYS", "(N"])
    [alarm] = vf.evaluate(tmp_path).records[0].alarms
    assert (alarm.code, alarm.true) == ("asystole", True)


def test_marks_of_st_changes_are_no_rhythm(tmp_path: Path) -> None:
    """European ST-T Database: the notes of ST and T episodes begin with a bracket too."""
    write(tmp_path, "e0103", {"MLIII": ("mV", heart())})
    notes = ["(AFIB", "(ST0+", "AST0+200", "ST0+)", "(rtT0-"]
    annotate(tmp_path, "e0103", [10, 1000, 1500, 2000, 2500], ["+", "s", "s", "s", "T"], notes)
    seconds = af.evaluate(tmp_path).gross.seconds
    assert seconds.true_positive + seconds.false_negative == pytest.approx(30, abs=0.1)


def test_marks_of_quality_alone_are_no_reference(tmp_path: Path) -> None:
    write(tmp_path, "a", {"II": ("mV", heart())})
    annotate(tmp_path, "a", [10], ["~"], ["noisy"])
    assert vf.evaluate(tmp_path).records[0].episodes is None
