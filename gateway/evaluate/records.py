"""Recordings of a folder: WFDB records, and the MATLAB export of the Creighton University database.

The folders are other people's. A record that cannot be read, or that no ECG detector could look at, is left out and
named with the reason; it stops no other one.
"""

import gzip
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from gateway.derive.ecg.beats import SLOWEST_FS

Signal = npt.NDArray[np.float64]  # (n,) mV; NaN where there is no sample
Samples = npt.NDArray[np.int64]  # (n,) sample numbers

MILLIVOLTS: Final = {"mv": 1.0, "uv": 1e-3, "µv": 1e-3, "v": 1e3}  # channels in other units are no ECG
# Channels that some databases scale to volts as well, by name
NO_ECG: Final = re.compile(r"eeg|eog|emg|resp|pleth|ppg|abp|\bbp\b|\bart\b|\bpap\b|cvp|scg|status|event", re.IGNORECASE)
BEATS: Final = frozenset("NLRBAaJSVrFejnE/fQ?")  # PhysioNet's beat codes
REFERENCE: Final = "atr"  # the extension of reference annotations
# Where the reference marks rhythms only (AFDB), or is missing: corrected beats, a reader's, then a program's
BEAT_FILES: Final = ("qrsc", "ecg", "qrs")
CUDB_FS: Final = 250.0  # Hz (PhysioNet cudb, Nolle et al. 1986)
CUDB_UNITS_PER_MV: Final = 400.0  # nominal gain, as above
CUDB_NO_SAMPLE: Final = -32768


class Annotations(msgspec.Struct, frozen=True):
    """Reference annotations in their order: ``symbols`` and ``notes`` (rhythm changes) as long as ``samples``."""

    samples: Samples
    symbols: list[str]
    notes: list[str]

    @property
    def has_beats(self) -> bool:
        """Whether any of them is a beat."""
        return not BEATS.isdisjoint(self.symbols)


class Recording(msgspec.Struct, frozen=True):
    """One record of a folder, in mV. ``beat_file``: what marks the beats that the reference does not."""

    name: str
    fs: float
    signals: dict[str, Signal]
    annotations: Annotations | None = None
    comments: tuple[str, ...] = ()
    beat_file: Annotations | None = None

    @property
    def marked_beats(self) -> Annotations | None:
        """The annotations that mark beats; None when none do."""
        return next((one for one in (self.annotations, self.beat_file) if one is not None and one.has_beats), None)


class Skipped(msgspec.Struct, frozen=True):
    """A record of the folder that is not in the figures, and why."""

    name: str
    why: str


class BrokenRecord(ValueError):
    """A file of the folder that cannot be read as what its name says; or a folder without any record that can."""


class Folder:
    """The records of a folder, by name, read one after another. After that ``skipped`` names what was left out."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.skipped: list[Skipped] = []

    def __iter__(self) -> Iterator[Recording]:
        """Every record with an ECG signal. Annotations come along where there are any.

        Raises:
            BrokenRecord: not one of them is there.
        """
        self.skipped, read = [], 0
        for path in record_files(self._directory):
            name = str(path.relative_to(self._directory)).removesuffix(".hea").removesuffix(".mat.gz")
            try:
                recording = msgspec.structs.replace(read_record(path), name=name)
            except Exception as error:  # noqa: BLE001 - what a strange file makes a reader raise is not to be foreseen
                self.skipped.append(Skipped(name, " ".join(str(error).split()) or repr(error)))
                continue
            read += 1
            yield recording
        if not read:
            raise BrokenRecord(": ".join([f"{self._directory}: no ECG record", *map(_sentence, self.skipped[:5])]))


def read_folder(directory: Path) -> Folder:
    """The records of a folder; of its subfolders when it has none of its own."""
    return Folder(directory)


def record_files(directory: Path) -> list[Path]:
    """What stands for a record each: headers, but those of a longer record's segments, and files of cudb."""
    for pattern in ("", "**/"):
        headers = set(directory.glob(f"{pattern}*.hea"))
        headers -= {segment for header in headers for segment in segments(header)}
        if found := sorted([*headers, *directory.glob(f"{pattern}*.mat.gz")]):
            return found
    return []


def segments(header: Path) -> list[Path]:
    """The headers of the parts a record is put together from; none for a plain one."""
    with suppress(OSError):  # reading it as a record will say what is wrong
        text = header.read_text(errors="replace")
        return _segments(header, [line for line in text.splitlines() if line.strip() and line[0] != "#"])
    return []


def _segments(header: Path, lines: list[str]) -> list[Path]:
    if not lines or "/" not in lines[0].split()[0]:
        return []
    return [header.with_name(f"{line.split()[0]}.hea") for line in lines[1:]]


def read_record(path: Path) -> Recording:
    """A record by its file, fit for the detectors.

    Raises:
        BrokenRecord: there is nothing in it that they could look at.
    """
    recording = read_wfdb(path.with_suffix("")) if path.suffix == ".hea" else read_cudb(path)
    if not recording.signals:
        raise BrokenRecord("no ECG signal: none is in volts")
    if recording.fs < SLOWEST_FS:
        raise BrokenRecord(f"{recording.fs:g} Hz is too slow for an ECG, which takes {SLOWEST_FS:g} Hz")
    present = {lead: signal for lead, signal in recording.signals.items() if np.isfinite(signal).any()}
    if not present:
        raise BrokenRecord("no sample in it")
    return msgspec.structs.replace(recording, signals=present)


def read_wfdb(path: Path) -> Recording:
    """A WFDB record; ``path`` without an extension."""
    import wfdb  # noqa: PLC0415 - brings pandas, which takes a second

    record: Any = wfdb.rdrecord(str(path))
    signals: dict[str, Signal] = {}
    names = record.sig_name or ()
    for number, (named, unit) in enumerate(zip(names, record.units or [""] * len(names), strict=True)):
        lead = (named or "").strip() or f"signal {number}"
        factor = MILLIVOLTS.get((unit or "mV").lower())  # WFDB's header(5): a unit that is not given is mV
        if factor is not None and not NO_ECG.search(lead):
            name = lead if lead not in signals else f"{lead} {number}"
            signals[name] = np.ascontiguousarray(record.p_signal[:, number]) * factor
    return Recording(
        path.name, float(record.fs), signals, read_annotations(path, REFERENCE), tuple(record.comments or ()),
        read_beats(path),
    )  # fmt: skip


def read_beats(path: Path) -> Annotations | None:
    """The first file beside a record, other than the reference, that marks beats."""
    found = (read_annotations(path, extension) for extension in BEAT_FILES)
    return next((one for one in found if one is not None and one.has_beats), None)


def read_annotations(path: Path, extension: str) -> Annotations | None:
    """An annotation file beside a record, if it is there and says anything."""
    import wfdb  # noqa: PLC0415 - as above

    file = path.with_name(f"{path.name}.{extension}")
    if not file.exists() or not file.stat().st_size:
        return None
    found: Any = wfdb.rdann(str(path), extension)
    if not len(found.sample):
        return None
    notes = [note.rstrip("\x00").strip() for note in found.aux_note]
    return Annotations(np.asarray(found.sample, np.int64), list(found.symbol), notes)


def read_cudb(path: Path) -> Recording:
    """One channel of the Creighton University Ventricular Tachyarrhythmia Database, gzipped MATLAB, without labels."""
    from scipy.io import loadmat  # noqa: PLC0415 - brings SciPy

    with gzip.open(path) as file:
        raw = np.asarray(loadmat(file)["val"]).reshape(-1)
    signal = np.where(raw == CUDB_NO_SAMPLE, np.nan, raw / CUDB_UNITS_PER_MV)
    return Recording(path.name.removesuffix(".mat.gz"), CUDB_FS, {"ECG": signal})


def _sentence(skipped: Skipped) -> str:
    return f"{skipped.name} ({skipped.why})"
