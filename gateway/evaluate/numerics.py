"""Numerics of bedside monitors: WFDB records of values, often one a minute, beside or without signals."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from gateway.contract.quantity import QUANTITIES
from gateway.evaluate.records import BrokenRecord

Values = npt.NDArray[np.float64]  # (n,); NaN where there is no value

# Names of the MIMIC databases, without case, blanks and signs: (who measures, quantity)
CHANNELS: Final = {
    "hr": ("monitor", "heart-rate"),
    "pulse": ("oximeter", "pulse-rate"),
    "spo2": ("oximeter", "spo2"),
    "resp": ("monitor", "resp-rate"),
    "abpsys": ("arterial", "bp-systolic"),
    "abpdias": ("arterial", "bp-diastolic"),
    "abpmean": ("arterial", "bp-mean"),
    "nbpsys": ("cuff", "bp-systolic"),
    "nbpdias": ("cuff", "bp-diastolic"),
    "nbpmean": ("cuff", "bp-mean"),
}
SPOT: Final = frozenset({"cuff"})  # whose value is of the one measurement and does not stand until the next


class Series(msgspec.Struct, frozen=True):
    """One channel. A zero is a disconnected sensor, and like an implausible value none at all: NaN."""

    device: str
    quantity: str
    values: Values


class Numerics(msgspec.Struct, frozen=True):
    """One patient's values, ``interval`` seconds apart."""

    name: str
    interval: float
    series: tuple[Series, ...]


def read_folder(directory: Path) -> Iterator[Numerics]:
    """Every WFDB record of a folder that has a channel we know, by name.

    Raises:
        BrokenRecord: a file cannot be read as what its name says.
    """
    for path in sorted(directory.glob("*.hea")):
        try:
            numerics = read(path.with_suffix(""))
        except (OSError, ValueError, KeyError, IndexError) as error:
            raise BrokenRecord(f"{path.name}: {error}") from error
        if numerics.series:
            yield numerics


def read(path: Path) -> Numerics:
    """A WFDB record; ``path`` without an extension."""
    import wfdb  # noqa: PLC0415 - brings pandas, which takes a second

    record: Any = wfdb.rdrecord(str(path))
    names = (re.sub(r"[^a-z0-9]", "", name.lower()) for name in record.sig_name)
    series = tuple(
        Series(*CHANNELS[name], plausible(CHANNELS[name][1], record.p_signal[:, column]))
        for column, name in enumerate(names)
        if name in CHANNELS
    )
    return Numerics(path.name, 1 / float(record.fs), series)


def plausible(quantity: str, values: Values) -> Values:
    """The values, NaN in place of zeros and of what admission would refuse."""
    known = QUANTITIES[quantity]
    wrong = (values == 0) | (values < known.low) | (values > known.high)
    return np.where(wrong, np.nan, values)
