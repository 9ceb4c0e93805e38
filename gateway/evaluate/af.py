"""``lastmile evaluate af``: irregular rhythm consistent with atrial fibrillation, by duration (ANSI/AAMI EC57).

Every second of a recording is one of four: fibrillation by reference or not, told by the product or not. Atrial flutter
is counted on its own, in neither. ``gross`` pools the records of interest: those in which the reference has
fibrillation, and all of a collection made for it (its headers name a class of fibrillation). ``every_record`` pools all
that have a reference rhythm. The bounds are of a bootstrap over patients: seconds of one patient are not independent.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from gateway.evaluate.records import Recording, Skipped, read_folder
from gateway.evaluate.watch import Stretch, length, rhythm_lead, rhythms, stretches, watch

CODE: Final = "irregular-rhythm"
FIBRILLATION: Final = "(AFIB"
FLUTTER: Final = "(AFL"
PATIENT: Final = re.compile(r"data_(\d+)_\d+")  # CPSC 2021: data_<patient>_<record>
CLASS: Final = "atrial fibrillation"  # in the headers of CPSC 2021, also as "non atrial fibrillation"
RESAMPLES: Final = 2000
SEED: Final = 20151
FEWEST_PATIENTS: Final = 3

Flags = npt.NDArray[np.bool_]
Bounds = tuple[float, float]


class Seconds(msgspec.Struct, frozen=True):
    """Seconds of signal by what they are and what was told."""

    true_positive: float = 0.0
    false_negative: float = 0.0
    false_positive: float = 0.0
    true_negative: float = 0.0
    flutter_told: float = 0.0  # atrial flutter by reference, told as irregular
    flutter: float = 0.0  # atrial flutter by reference

    def __add__(self, other: "Seconds") -> "Seconds":
        mine, others = msgspec.structs.astuple(self), msgspec.structs.astuple(other)
        return Seconds(*(a + b for a, b in zip(mine, others, strict=True)))

    @property
    def sensitivity(self) -> float | None:
        """Share of fibrillation that was told; None without any."""
        return ratio(self.true_positive, self.true_positive + self.false_negative)

    @property
    def specificity(self) -> float | None:
        """Share of the rest (but flutter) that was not; None without any."""
        return ratio(self.true_negative, self.true_negative + self.false_positive)

    @property
    def positive_predictivity(self) -> float | None:
        """Share of what was told that was fibrillation; None when nothing was."""
        return ratio(self.true_positive, self.true_positive + self.false_positive)


class Figures(msgspec.Struct, frozen=True):
    """A pool of records. Bounds: 95 %, patient bootstrap; None when fewer than three patients have such seconds."""

    records: int
    patients: int
    seconds: Seconds
    sensitivity: float | None
    specificity: float | None
    positive_predictivity: float | None
    sensitivity_bounds: Bounds | None
    specificity_bounds: Bounds | None
    bounds: str = "95 %, bootstrap over patients"


class RecordFigures(msgspec.Struct, frozen=True):
    """One record."""

    name: str
    patient: str
    lead: str
    of_interest: bool
    seconds: Seconds
    sensitivity: float | None
    specificity: float | None
    episodes: list[tuple[float, float]]  # s, told


class Report(msgspec.Struct, frozen=True):
    """What the command prints and writes."""

    task: str
    gross: Figures
    every_record: Figures
    records: list[RecordFigures]
    without_reference: list[str]
    skipped: list[Skipped] = []


def evaluate(directory: Path) -> Report:
    """Scores every record with a reference rhythm."""
    records: list[RecordFigures] = []
    without: list[str] = []
    folder = read_folder(directory)
    for recording in folder:
        if has_reference(recording):
            records.append(score(recording, stretches(watch(recording), CODE, length(recording))))
        else:
            without.append(recording.name)
    interesting = pool(record for record in records if record.of_interest)
    return Report("af", interesting, pool(records), records, without, folder.skipped)


def has_reference(recording: Recording) -> bool:
    """Whether a reader has said where this recording fibrillates."""
    return recording.annotations is not None and bool(rhythms(recording) or is_classed(recording))


def is_classed(recording: Recording) -> bool:
    """Whether its header names a class of fibrillation, or that there is none."""
    return any(CLASS in comment.lower() for comment in recording.comments)


def score(recording: Recording, told: list[Stretch]) -> RecordFigures:
    """Compares what was told with the reference."""
    size, fs = length(recording), recording.fs
    marked = rhythms(recording)
    reference = cover((stretch for stretch, note in marked if note == FIBRILLATION), size)
    flutter = cover((stretch for stretch, note in marked if note == FLUTTER), size)
    found = cover(told, size)

    def seconds(which: Flags) -> float:
        return round(float(np.count_nonzero(which)) / fs, 3)

    counted = Seconds(
        true_positive=seconds(reference & found),
        false_negative=seconds(reference & ~found),
        false_positive=seconds(~reference & ~flutter & found),
        true_negative=seconds(~reference & ~flutter & ~found),
        flutter_told=seconds(flutter & found),
        flutter=seconds(flutter),
    )
    return RecordFigures(
        name=recording.name,
        patient=patient(recording.name),
        lead=rhythm_lead(recording),
        of_interest=bool(reference.any()) or is_classed(recording),
        seconds=counted,
        sensitivity=counted.sensitivity,
        specificity=counted.specificity,
        episodes=[(round(start / fs, 1), round(end / fs, 1)) for start, end in told],
    )


def pool(records: Iterable[RecordFigures]) -> Figures:
    """Adds records up; bounds by resampling patients, each with all of his or her records."""
    listed = list(records)
    by_patient: dict[str, Seconds] = defaultdict(Seconds)
    for record in listed:
        by_patient[record.patient] += record.seconds
    total = sum(by_patient.values(), Seconds())
    return Figures(
        records=len(listed),
        patients=len(by_patient),
        seconds=total,
        sensitivity=total.sensitivity,
        specificity=total.specificity,
        positive_predictivity=total.positive_predictivity,
        sensitivity_bounds=bootstrap([(s.true_positive, s.false_negative) for s in by_patient.values()]),
        specificity_bounds=bootstrap([(s.true_negative, s.false_positive) for s in by_patient.values()]),
    )


def bootstrap(counts: list[tuple[float, float]]) -> Bounds | None:
    """95 % bounds of right / (right + wrong) when patients, (right, wrong) each, are drawn with replacement."""
    usable = np.array([count for count in counts if sum(count) > 0.0])
    if len(usable) < FEWEST_PATIENTS:
        return None
    drawn = usable[np.random.default_rng(SEED).integers(len(usable), size=(RESAMPLES, len(usable)))].sum(axis=1)
    low, high = np.percentile(drawn[:, 0] / drawn.sum(axis=1), (2.5, 97.5))
    return float(low), float(high)


def cover(parts: Iterable[Stretch], size: int) -> Flags:
    """Which samples lie in one of the stretches."""
    covered = np.zeros(size, bool)
    for start, end in parts:
        covered[max(0, start) : end] = True
    return covered


def patient(name: str) -> str:
    """Who was recorded, as far as the record's name tells."""
    match = PATIENT.fullmatch(name.rpartition("/")[2])
    return match[1] if match else name


def ratio(part: float, whole: float) -> float | None:
    """A share, or None of nothing."""
    return part / whole if whole else None
