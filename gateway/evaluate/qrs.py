"""``lastmile evaluate qrs``: the beat detector of the product against reference beats (ANSI/AAMI EC57).

Fed as devices feed it, in frames of 200 ms, on the lead the product would choose. The main figures (``gross``) are of
the whole record, learning included; EC57 allows five minutes of it, and ``gross_from_5_min`` is what that gives.
"""

from collections.abc import Iterable
from functools import reduce
from operator import add as plus
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from gateway.derive.ecg.beat import Beat
from gateway.derive.ecg.beats import BeatDetector
from gateway.derive.ecg.lead import LEAD_PREFERENCE
from gateway.evaluate import noise as noises
from gateway.evaluate.ec57 import LEARNING_SECONDS, MATCH_SECONDS, Score, beats_of, compare, flutter, outside
from gateway.evaluate.records import Annotations, BrokenRecord, Recording, Samples, Signal, Skipped, read_folder

FRAME_SECONDS: Final = 0.2
NARROW_SECONDS: Final = 0.050  # a stricter window: R peaks that are to be measured must be met, not only found
VENTRICULAR: Final = "V"
NEITHER: Final = frozenset("FQ")  # fusion and unclassifiable beats count on neither side (EC57)


class Figures(msgspec.Struct, frozen=True):
    """A score with its two ratios."""

    true_positives: int
    false_negatives: int
    false_positives: int
    sensitivity: float | None
    positive_predictivity: float | None


class RecordFigures(msgspec.Struct, frozen=True):
    """One record."""

    name: str
    lead: str
    seconds: float
    whole: Figures
    from_5_min: Figures | None  # None when the record is shorter
    within_50_ms: Figures
    ventricular: Figures  # ventricular ectopic beats among those found


class NoiseFigures(msgspec.Struct, frozen=True):
    """All records with one kind of noise at one ratio."""

    kind: str
    ratio_db: float
    gross: Figures


class Report(msgspec.Struct, frozen=True):
    """What the command prints and writes."""

    task: str
    gross: Figures
    gross_from_5_min: Figures | None
    gross_within_50_ms: Figures
    gross_ventricular: Figures
    average_sensitivity: float | None
    average_positive_predictivity: float | None
    records: list[RecordFigures]
    noise: list[NoiseFigures]
    without_reference: list[str] = []
    skipped: list[Skipped] = []
    match_seconds: float = MATCH_SECONDS
    frame_seconds: float = FRAME_SECONDS


class Marked(msgspec.Struct, frozen=True):
    """A record with what the comparison needs of it."""

    name: str
    lead: str
    fs: float
    signal: Signal
    annotations: Annotations
    beats: Samples  # of the reference, without those in flutter
    flutter: list[tuple[int, int]]


def evaluate(directory: Path, *, noise: bool = False) -> Report:
    """Scores every record of the folder whose beats are marked."""
    folder = read_folder(directory)
    marked: list[Marked] = []
    without: list[str] = []
    for recording in folder:
        if recording.marked_beats is None:
            without.append(recording.name)
        else:
            marked.append(mark(recording, recording.marked_beats))
    if not marked:
        raise BrokenRecord(f"{directory}: no record with reference annotations of beats")
    records = [judge(record) for record in marked]
    return Report(
        task="qrs",
        gross=pool(record.whole for record in records),
        gross_from_5_min=pool(long) if (long := [r.from_5_min for r in records if r.from_5_min]) else None,
        gross_within_50_ms=pool(record.within_50_ms for record in records),
        gross_ventricular=pool(record.ventricular for record in records),
        average_sensitivity=average(record.whole.sensitivity for record in records),
        average_positive_predictivity=average(record.whole.positive_predictivity for record in records),
        records=records,
        noise=[
            NoiseFigures(kind, ratio, pool(with_noise(record, kind, ratio) for record in marked))
            for kind in (noises.KINDS if noise else ())
            for ratio in noises.RATIOS_DB
        ],
        without_reference=without,
        skipped=folder.skipped,
    )


def rows(report: Report) -> list[dict[str, object]]:
    """The table of the command: each record whole, and its ventricular beats."""
    return [
        {
            "record": record.name,
            "lead": record.lead,
            "beats": record.whole.true_positives + record.whole.false_negatives,
            "missed": record.whole.false_negatives,
            "false": record.whole.false_positives,
            "sensitivity": record.whole.sensitivity,
            "+P": record.whole.positive_predictivity,
            "+P from 5 min": record.from_5_min and record.from_5_min.positive_predictivity,
            "sensitivity from 5 min": record.from_5_min and record.from_5_min.sensitivity,
            "VEB sensitivity": record.ventricular.sensitivity,
            "VEB +P": record.ventricular.positive_predictivity,
        }
        for record in report.records
    ]


def mark(recording: Recording, annotations: Annotations) -> Marked:
    """Takes the lead the product would take; the first one when it knows none of the names."""
    lead = next((name for name in LEAD_PREFERENCE if name in recording.signals), next(iter(recording.signals)))
    signal = recording.signals[lead]
    stretches = flutter(recording.annotations or annotations, signal.size)
    beats = outside(beats_of(annotations), stretches)
    return Marked(recording.name, lead, recording.fs, signal, annotations, beats, stretches)


def detect(signal: Signal, fs: float) -> list[Beat]:
    """All beats of a signal that comes in frames."""
    detector, frame = BeatDetector(fs), round(FRAME_SECONDS * fs)
    return [beat for n0 in range(0, signal.size, frame) for beat in detector.feed(signal[n0 : n0 + frame], n0)]


def judge(record: Marked) -> RecordFigures:
    """Scores one record."""
    beats = detect(record.signal, record.fs)
    found = samples_of(beats, record)
    learnt = round(LEARNING_SECONDS * record.fs)
    whole = compare(record.beats, found, round(MATCH_SECONDS * record.fs))
    later = compare(
        record.beats[record.beats >= learnt], found[found >= learnt], round(MATCH_SECONDS * record.fs)
    )  # fmt: skip
    return RecordFigures(
        name=record.name,
        lead=record.lead,
        seconds=record.signal.size / record.fs,
        whole=figures(whole),
        from_5_min=figures(later) if record.signal.size > learnt else None,
        within_50_ms=figures(compare(record.beats, found, round(NARROW_SECONDS * record.fs))),
        ventricular=figures(ventricular(beats, record)),
    )


def with_noise(record: Marked, kind: str, ratio_db: float) -> Figures:
    """Scores one record with noise added."""
    signal = noises.add(kind, record.signal, record.fs, record.beats, ratio_db, record.name)
    found = samples_of(detect(signal, record.fs), record)
    return figures(compare(record.beats, found, round(MATCH_SECONDS * record.fs)))


def samples_of(beats: list[Beat], record: Marked) -> Samples:
    """The R peaks outside flutter."""
    return outside(np.array([beat.sample for beat in beats], np.int64), record.flutter)


def ventricular(beats: list[Beat], record: Marked) -> Score:
    """Ventricular ectopic beats, among the beats that match a reference beat of a class that counts."""
    wanted = dict(zip(record.annotations.samples.tolist(), record.annotations.symbols, strict=True))
    reference = record.beats.tolist()
    counts = {(True, True): 0, (True, False): 0, (False, True): 0, (False, False): 0}
    for beat in beats:
        near = int(np.searchsorted(record.beats, beat.sample))
        at = min(reference[max(0, near - 1) : near + 1], key=lambda at: abs(at - beat.sample), default=None)
        if at is not None and abs(at - beat.sample) <= MATCH_SECONDS * record.fs and wanted[at] not in NEITHER:
            counts[wanted[at] == VENTRICULAR, beat.ventricular] += 1
    return Score(counts[True, True], counts[True, False], counts[False, True])


def figures(score: Score) -> Figures:
    """A score as it is reported."""
    return Figures(
        score.true_positives,
        score.false_negatives,
        score.false_positives,
        score.sensitivity,
        score.positive_predictivity,
    )


def pool(parts: Iterable[Figures]) -> Figures:
    """Gross figures: counts added up first (EC57)."""
    scores = (Score(part.true_positives, part.false_negatives, part.false_positives) for part in parts)
    return figures(reduce(plus, scores, Score()))


def average(ratios: Iterable[float | None]) -> float | None:
    """Average figures: each record counts the same (EC57)."""
    known = [ratio for ratio in ratios if ratio is not None]
    return sum(known) / len(known) if known else None
