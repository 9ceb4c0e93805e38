"""Recordings of a folder: WFDB records, and the MATLAB export of the Creighton University database."""

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

Signal = npt.NDArray[np.float64]  # (n,) mV; NaN where there is no sample
Samples = npt.NDArray[np.int64]  # (n,) sample numbers

MILLIVOLTS: Final = {"mv": 1.0, "uv": 1e-3, "µv": 1e-3, "v": 1e3}  # channels in other units are no ECG
REFERENCE: Final = "atr"  # the extension of reference annotations
CUDB_FS: Final = 250.0  # Hz (PhysioNet cudb, Nolle et al. 1986)
CUDB_UNITS_PER_MV: Final = 400.0  # nominal gain, as above
CUDB_NO_SAMPLE: Final = -32768


class Annotations(msgspec.Struct, frozen=True):
    """Reference annotations in their order: ``symbols`` and ``notes`` (rhythm changes) as long as ``samples``."""

    samples: Samples
    symbols: list[str]
    notes: list[str]


class Recording(msgspec.Struct, frozen=True):
    """One record of a folder, in mV."""

    name: str
    fs: float
    signals: dict[str, Signal]
    annotations: Annotations | None = None
    comments: tuple[str, ...] = ()


class BrokenRecord(ValueError):
    """A file of the folder that cannot be read as what its name says."""


def read_folder(directory: Path) -> Iterator[Recording]:
    """Every record of a folder with at least one ECG signal, by name. Annotations come along where there are any."""
    for path in sorted([*directory.glob("*.hea"), *directory.glob("*.mat.gz")]):
        try:
            recording = read_wfdb(path.with_suffix("")) if path.suffix == ".hea" else read_cudb(path)
        except (OSError, ValueError, KeyError, IndexError) as error:
            raise BrokenRecord(f"{path.name}: {error}") from error
        if recording.signals:
            yield recording


def read_wfdb(path: Path) -> Recording:
    """A WFDB record; ``path`` without an extension."""
    import wfdb  # noqa: PLC0415 - brings pandas, which takes a second

    record: Any = wfdb.rdrecord(str(path))
    signals: dict[str, Signal] = {}
    for number, (lead, unit) in enumerate(zip(record.sig_name, record.units, strict=True)):
        if (factor := MILLIVOLTS.get(unit.lower())) is not None:
            name = lead if lead not in signals else f"{lead} {number}"
            signals[name] = np.ascontiguousarray(record.p_signal[:, number]) * factor
    return Recording(path.name, float(record.fs), signals, read_annotations(path), tuple(record.comments))


def read_annotations(path: Path) -> Annotations | None:
    """The reference annotations beside a record, if any."""
    import wfdb  # noqa: PLC0415 - as above

    if not path.with_name(f"{path.name}.{REFERENCE}").exists():
        return None
    found: Any = wfdb.rdann(str(path), REFERENCE)
    notes = [note.rstrip("\x00").strip() for note in found.aux_note]
    return Annotations(np.asarray(found.sample, np.int64), list(found.symbol), notes)


def read_cudb(path: Path) -> Recording:
    """One channel of the Creighton University Ventricular Tachyarrhythmia Database, gzipped MATLAB, without labels."""
    from scipy.io import loadmat  # noqa: PLC0415 - brings SciPy

    with gzip.open(path) as file:
        raw = np.asarray(loadmat(file)["val"]).reshape(-1)
    signal = np.where(raw == CUDB_NO_SAMPLE, np.nan, raw / CUDB_UNITS_PER_MV)
    return Recording(path.name.removesuffix(".mat.gz"), CUDB_FS, {"ECG": signal})
