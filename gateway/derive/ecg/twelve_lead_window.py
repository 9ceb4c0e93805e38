"""Collects a device's 12-lead frames into windows of 10 s that are fit to be measured.

A window holds no gap and no lead-off. Frames without all independent leads are no part of it: on a weak link lead II
comes live and the rest late (docs/adr/0012), and such a stretch waits for the stored signal.
"""

from collections import deque
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from gateway.contract.envelope import Instant
from gateway.contract.quantity import SECOND
from gateway.contract.waveform import NO_SAMPLE, WaveFrame
from gateway.derive.ecg.st_gate import SECONDS, low_cut_hz
from gateway.derive.ecg.st_report import INDEPENDENT, canonical

EVERY: Final = 60 * SECOND  # us between two windows that nobody asked for


class TwelveLeads(msgspec.Struct, frozen=True):
    """10 s of one recording. ``leads``: (n,) mV each; ``n0``: the stream's number of its first sample."""

    leads: dict[str, NDArray[np.float64]]
    fs: float
    n0: int
    start: Instant  # time of the first sample, us
    low_cut_hz: float | None


class TwelveLeadWindow:
    """One device's collector. Feed it frames in order; it yields a window at most every 60 s, or when asked.

    ``ask`` makes the next complete window come at once: a doctor pressed "12-lead", or a recording ended.
    """

    def __init__(self, every: int = EVERY) -> None:
        self._every = every
        self._frames: deque[WaveFrame] = deque()
        self._starts: deque[Instant] = deque()
        self._samples = 0
        self._last: Instant | None = None
        self._asked = False

    def ask(self) -> None:
        self._asked = True

    def feed(self, frame: WaveFrame, event_at: Instant) -> TwelveLeads | None:
        """The last 10 s when they are whole and a window is due. ``event_at``: time of the first sample, us."""
        if not _all_leads(frame):
            return None
        if self._frames and not _follows(self._frames[-1], frame):
            if frame.backfill:
                return None  # old signal must not end the live window
            self._restart()
        if _lead_off(frame):
            self._restart()
            return None
        self._append(frame, event_at)
        end = event_at + round(frame.n * SECOND / frame.fs)
        if self._samples < SECONDS * frame.fs or not self._due(end):
            return None
        self._last, self._asked = end, False
        return self._window()

    def _due(self, now: Instant) -> bool:
        return self._asked or self._last is None or now - self._last >= self._every

    def _restart(self) -> None:
        self._frames.clear()
        self._starts.clear()
        self._samples = 0

    def _append(self, frame: WaveFrame, event_at: Instant) -> None:
        self._frames.append(frame)
        self._starts.append(event_at)
        self._samples += frame.n
        while self._samples - self._frames[0].n >= SECONDS * frame.fs:
            self._samples -= self._frames.popleft().n
            self._starts.popleft()

    def _window(self) -> TwelveLeads:
        """The newest 10 s of what was collected."""
        last = self._frames[-1]
        length = round(SECONDS * last.fs)
        raw = np.concatenate([_rows(frame) for frame in self._frames], axis=1)
        skip = raw.shape[1] - length
        leads = {
            name: row * last.scale
            for spelt, row in zip(last.leads, raw[:, skip:], strict=True)
            if (name := canonical(spelt)) is not None and NO_SAMPLE not in row
        }
        start = self._starts[0] + round(skip * SECOND / last.fs)
        return TwelveLeads(leads, last.fs, self._frames[0].n0 + skip, start, low_cut_hz(last.filter))


def _all_leads(frame: WaveFrame) -> bool:
    return set(INDEPENDENT) <= {canonical(lead) for lead in frame.leads}


def _follows(one: WaveFrame, other: WaveFrame) -> bool:
    """Whether the second frame goes on where the first ends, in the same way."""
    return (
        other.n0 == one.n0 + one.n
        and (other.epoch, other.fs, other.scale, other.filter) == (one.epoch, one.fs, one.scale, one.filter)
        and other.leads == one.leads
    )


def _rows(frame: WaveFrame) -> NDArray[np.int16]:
    """(leads, n) int16."""
    return np.frombuffer(frame.samples, "<i2").reshape(len(frame.leads), -1)


def _lead_off(frame: WaveFrame) -> bool:
    """Whether a lead the measurement cannot do without lacks a sample."""
    needed = [canonical(lead) in INDEPENDENT for lead in frame.leads]
    return bool((_rows(frame)[needed] == NO_SAMPLE).any())
