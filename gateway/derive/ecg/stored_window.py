"""Cuts windows for the ST measurement out of stored signal, as `twelve_lead_window` does with frames as they come.

What a weak link brought in halves is whole again in the store. A window that is not fit to be measured is cut all the
same, with NaN where an electrode was off: the gate of the measurement says what is wrong with it.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from gateway.contract.envelope import Instant
from gateway.contract.quantity import SECOND
from gateway.contract.waveform import NO_SAMPLE
from gateway.derive.ecg.st_gate import SECONDS, low_cut_hz
from gateway.derive.ecg.st_report import INDEPENDENT, canonical
from gateway.derive.ecg.twelve_lead_window import TwelveLeads

NEAR: Final = SECOND  # us by which a window may end before the time it is asked for: the newest frame is on its way


class Stretch(Protocol):
    """Stored signal of one device without a hole."""

    @property
    def start_at(self) -> Instant: ...

    @property
    def fs(self) -> float: ...

    @property
    def scale(self) -> float: ...

    @property
    def leads(self) -> Sequence[str]: ...

    @property
    def n0(self) -> int: ...

    @property
    def samples(self) -> NDArray[np.int16]:
        """Shape (leads, n)."""
        ...

    @property
    def filter(self) -> str: ...


def window_before(stretches: Iterable[Stretch], end: Instant) -> TwelveLeads | None:
    """The 10 s that ended then, or what there is of them; None when no ECG lead was recorded.

    ``stretches``: of the time before ``end``.
    """
    near = [one for one in stretches if _is_ecg(one) and _end(one) >= end - NEAR]
    if not near:
        return None
    best = max(near, key=lambda one: (len(one.leads), one.samples.shape[1]))
    return _cut(best, max(0, best.samples.shape[1] - _length(best)))


def whole_windows(stretches: Iterable[Stretch]) -> Iterator[TwelveLeads]:
    """Every window of 10 s without a hole, oldest first; they begin 5 s apart, and the last ends with the signal."""
    for stretch in stretches:
        length, n = _length(stretch), stretch.samples.shape[1]
        if _is_ecg(stretch) and n >= length:
            yield from (_cut(stretch, start) for start in (*range(0, n - length, length // 2), n - length))


def _is_ecg(stretch: Stretch) -> bool:
    return any(canonical(lead) is not None for lead in stretch.leads)


def _length(stretch: Stretch) -> int:
    return int(SECONDS * stretch.fs)


def _end(stretch: Stretch) -> Instant:
    n: int = stretch.samples.shape[1]
    return stretch.start_at + round(n * SECOND / stretch.fs)


def _cut(stretch: Stretch, start: int) -> TwelveLeads:
    """10 s from sample ``start`` on. A lead that may be calculated and lacks a sample is left out."""
    raw = stretch.samples[:, start : start + _length(stretch)]
    mv = np.where(raw == NO_SAMPLE, np.nan, raw * stretch.scale)
    leads = {
        name: row
        for spelt, row in zip(stretch.leads, mv, strict=True)
        if (name := canonical(spelt)) is not None and (name in INDEPENDENT or not np.isnan(row).any())
    }
    start_at = stretch.start_at + round(start * SECOND / stretch.fs)
    return TwelveLeads(leads, stretch.fs, stretch.n0 + start, start_at, low_cut_hz(stretch.filter))
