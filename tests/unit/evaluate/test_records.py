"""Folders of recordings: WFDB records as anybody writes them, and the files of ecg-cudb."""

import gzip
from pathlib import Path

import numpy as np
import pytest
import wfdb
from scipy.io import savemat

from gateway.evaluate.records import BrokenRecord, read_folder


def write(folder: Path, name: str, signals: dict[str, tuple[str, np.ndarray]], fs: float = 250) -> None:
    wfdb.wrsamp(
        name, fs=fs, units=[unit for unit, _ in signals.values()], sig_name=list(signals),
        p_signal=np.column_stack([samples for _, samples in signals.values()]), fmt=["16"] * len(signals),
        comments=["Age: 65"], write_dir=str(folder),
    )  # fmt: skip


def annotate(folder: Path, name: str, samples: list[int], symbols: list[str], notes: list[str]) -> None:
    wfdb.wrann(name, "atr", np.array(samples), symbol=symbols, aux_note=notes, write_dir=str(folder))


def test_units_names_comments_and_marks(tmp_path: Path) -> None:
    line = np.linspace(-1, 1, 500)
    write(tmp_path, "b", {"II": ("mV", line), "V": ("uV", 1000 * line), "PLETH": ("NU", line)})
    annotate(tmp_path, "b", [10, 100, 200], ["+", "N", "V"], ["(AFIB", "", ""])
    write(tmp_path, "a", {"ECG": ("mV", line), "other": ("mV", -line)})
    header = tmp_path / "a.hea"
    header.write_text(header.read_text().replace("other", "ECG"))
    first, second = read_folder(tmp_path)
    assert (first.name, first.annotations, list(first.signals)) == ("a", None, ["ECG", "ECG 1"])
    assert (second.name, second.fs, second.comments) == ("b", 250.0, ("Age: 65",))
    assert list(second.signals) == ["II", "V"], "what is not in volts is no ECG"
    assert np.allclose(second.signals["II"], line, atol=0.001)
    assert np.allclose(second.signals["V"], line, atol=0.001)
    assert second.annotations is not None
    assert second.annotations.samples.tolist() == [10, 100, 200]
    assert second.annotations.symbols == ["+", "N", "V"]
    assert second.annotations.notes == ["(AFIB", "", ""]


def test_missing_samples_are_nan(tmp_path: Path) -> None:
    line = np.linspace(-1, 1, 500)
    line[100:120] = np.nan
    write(tmp_path, "a", {"II": ("mV", line)})
    (found,) = read_folder(tmp_path)
    assert np.flatnonzero(np.isnan(found.signals["II"])).tolist() == list(range(100, 120))


def test_a_matlab_export(tmp_path: Path) -> None:
    savemat(tmp_path / "cu99m.mat", {"val": np.array([[400, -200, -32768]], np.int16)})
    with gzip.open(tmp_path / "cu99m.mat.gz", "wb") as file:
        file.write((tmp_path / "cu99m.mat").read_bytes())
    (found,) = read_folder(tmp_path)
    assert (found.name, found.fs, found.annotations) == ("cu99m", 250.0, None)
    assert np.array_equal(found.signals["ECG"], [1.0, -0.5, np.nan], equal_nan=True)


def test_a_broken_record_is_named(tmp_path: Path) -> None:
    write(tmp_path, "a", {"II": ("mV", np.linspace(-1, 1, 500))})
    (tmp_path / "a.dat").unlink()
    with pytest.raises(BrokenRecord, match=r"no ECG record: a \(.*a\.dat"):
        list(read_folder(tmp_path))
    write(tmp_path, "b", {"II": ("mV", np.linspace(-1, 1, 500))})
    folder = read_folder(tmp_path)
    assert [record.name for record in folder] == ["b"]
    assert [skipped.name for skipped in folder.skipped] == ["a"]
    assert list(read_folder(tmp_path)), "and again"


@pytest.mark.data
@pytest.mark.parametrize(
    ("folder", "records", "annotated", "fs"),
    [("ecg-mitdb", 19, 19, 360), ("ecg-af", 9, 9, 200), ("ecg-cudb", 6, 0, 250), ("icu-alarms", 1, 0, 250)],
)
def test_the_public_recordings(recordings: Path, folder: str, records: int, annotated: int, fs: float) -> None:
    found = list(read_folder(recordings / folder))
    assert len(found) == records
    assert sum(record.annotations is not None for record in found) == annotated
    assert {record.fs for record in found} == {fs}
    assert all(np.isfinite(signal).mean() > 0.95 for record in found for signal in record.signals.values())


@pytest.mark.data
def test_millivolts_are_millivolts(recordings: Path) -> None:
    """The converter of ecg-mitdb spans 10 mV (its README); a QRS complex is some of that."""
    for record in read_folder(recordings / "ecg-mitdb"):
        for signal in record.signals.values():
            assert 1 < np.ptp(signal) < 10.3, record.name
