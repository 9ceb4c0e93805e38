"""Sampled signals to bytes and back, losslessly: pcodec, with the derived ECG leads coded as residuals (ADR 0005)."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from pcodec import ChunkConfig, standalone

Samples = npt.NDArray[np.int16]
Integers = npt.NDArray[np.int64]

_CONFIG: Final = ChunkConfig(compression_level=8)


def pack_integers(values: Integers) -> bytes:
    """Any int64 column; counters and clock times take a few bits each."""
    return bytes(standalone.simple_compress(np.ascontiguousarray(values, np.int64), _CONFIG))


def unpack_integers(data: bytes, count: int) -> Integers:
    """The column ``pack_integers`` took; ``count`` is its length."""
    values = np.empty(count, np.int64)
    standalone.simple_decompress_into(data, values)
    return values


def pack_leads(leads: Sequence[str], samples: Samples) -> list[bytes]:
    """One stream a lead. ``samples``: (len(leads), n) int16."""
    coded = samples.copy()
    for row, prediction in _predictions(leads, samples).items():
        coded[row] -= prediction  # wraps: exact for every int16, -32768 included
    return [bytes(standalone.simple_compress(np.ascontiguousarray(lead), _CONFIG)) for lead in coded]


def unpack_leads(leads: Sequence[str], streams: Sequence[bytes], count: int) -> Samples:
    """(len(leads), count) int16, equal to what ``pack_leads`` took."""
    samples = np.empty((len(leads), count), np.int16)
    for row, stream in enumerate(streams):
        standalone.simple_decompress_into(stream, samples[row])
    for row, prediction in _predictions(leads, samples).items():
        samples[row] += prediction
    return samples


def _predictions(leads: Sequence[str], samples: Samples) -> dict[int, Samples]:
    """Row of each derived limb lead to what leads I and II say it is.

    Source: Einthoven III = II - I; Goldberger aVR = -(I + II) / 2, aVL = I - II / 2, aVF = II - I / 2.
    Halves are rounded down, so a device that rounds otherwise leaves residuals of 0 and 1.
    """
    names = {name: row for row, name in enumerate(leads)}
    if len(names) != len(leads) or "I" not in names or "II" not in names:
        return {}
    one = samples[names["I"]].astype(np.int32)
    two = samples[names["II"]].astype(np.int32)
    derived = {"III": two - one, "aVR": -((one + two) >> 1), "aVL": one - (two >> 1), "aVF": two - (one >> 1)}
    return {names[name]: values.astype(np.int16) for name, values in derived.items() if name in names}
