"""A recording played to the product's own rhythm watch, in frames of 200 ms as devices send them."""

from typing import Final

import numpy as np

from gateway.derive.ecg.beats import BeatDetector
from gateway.derive.ecg.lead import LEAD_PREFERENCE
from gateway.derive.ecg.quality import QualityMeter
from gateway.derive.ecg.rhythm import RhythmEdge, RhythmWatch
from gateway.evaluate.records import Recording

FRAME_SECONDS: Final = 0.2
CHANGES: Final = frozenset("sT")  # of ST segment and T wave: their notes begin with a bracket as well (European ST-T)

Stretch = tuple[int, int]  # from one sample to another


def rhythm_lead(recording: Recording) -> str:
    """The lead the product would watch."""
    return next((lead for lead in LEAD_PREFERENCE if lead in recording.signals), next(iter(recording.signals)))


def watch(recording: Recording) -> list[RhythmEdge]:
    """Every edge the product would tell, in order."""
    signal, fs = recording.signals[rhythm_lead(recording)], recording.fs
    beats, quality, rhythm = BeatDetector(fs), QualityMeter(fs), RhythmWatch(fs)
    size = round(FRAME_SECONDS * fs)
    edges: list[RhythmEdge] = []
    for n0 in range(0, signal.size, size):
        frame = np.ascontiguousarray(signal[n0 : n0 + size])
        edges += rhythm.feed(beats.feed(frame, n0), frame, n0, quality.feed(frame, n0))
    return edges


def length(recording: Recording) -> int:
    """Samples in the recording."""
    return recording.signals[rhythm_lead(recording)].size


def stretches(edges: list[RhythmEdge], code: str, end: int) -> list[Stretch]:
    """Where the rhythm was, by the product's own word for its onset and end; one still on lasts to the ``end``."""
    found: list[Stretch] = []
    since: int | None = None
    for edge in edges:
        if edge.code != code:
            continue
        if edge.on:
            since = edge.since
        elif since is not None:
            found.append((since, max(since, edge.since)))
            since = None
    return found if since is None else [*found, (since, end)]


def rhythms(recording: Recording) -> list[tuple[Stretch, str]]:
    """The reference rhythms, ``(AFIB`` and so on, each from its annotation to the next."""
    if recording.annotations is None:
        return []
    given = recording.annotations
    notes = zip(given.samples.tolist(), given.symbols, given.notes, strict=True)
    marks = [(sample, note) for sample, symbol, note in notes if note.startswith("(") and symbol not in CHANGES]
    ends = [*(sample for sample, _ in marks[1:]), length(recording)]
    return [((start, end), note) for (start, note), end in zip(marks, ends, strict=False)]
