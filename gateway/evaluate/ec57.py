"""Beat-by-beat comparison as ANSI/AAMI EC57 has it, and as PhysioNet's reference comparator ``bxb`` does it.

A detected beat and a reference beat match when they lie within 150 ms of each other; each matches once. Reference
annotations that are no beats (rhythm, quality, blocked P waves) do not count. Stretches of ventricular flutter or
fibrillation, ``[`` to ``]``, have no beats to detect: whatever either side marks in them is left out.
"""

from typing import Final

import msgspec
import numpy as np

from gateway.evaluate.records import BEATS, Annotations, Samples

MATCH_SECONDS: Final = 0.150
LEARNING_SECONDS: Final = 300.0  # EC57 lets a detector learn so long before the comparison starts
FLUTTER_ON: Final = "["
FLUTTER_OFF: Final = "]"


class Score(msgspec.Struct, frozen=True):
    """Counts of one comparison, or of several added up (gross, as EC57 calls it)."""

    true_positives: int = 0
    false_negatives: int = 0
    false_positives: int = 0

    def __add__(self, other: "Score") -> "Score":
        return Score(
            self.true_positives + other.true_positives,
            self.false_negatives + other.false_negatives,
            self.false_positives + other.false_positives,
        )

    @property
    def sensitivity(self) -> float | None:
        """TP / (TP + FN); None when there was nothing to detect."""
        beats = self.true_positives + self.false_negatives
        return self.true_positives / beats if beats else None

    @property
    def positive_predictivity(self) -> float | None:
        """TP / (TP + FP); None when nothing was detected."""
        found = self.true_positives + self.false_positives
        return self.true_positives / found if found else None


def beats_of(annotations: Annotations) -> Samples:
    """The samples of all reference beats."""
    return annotations.samples[[symbol in BEATS for symbol in annotations.symbols]]


def flutter(annotations: Annotations, end: int) -> list[tuple[int, int]]:
    """Stretches of ventricular flutter or fibrillation; one that is not closed lasts to the ``end``."""
    found: list[tuple[int, int]] = []
    start: int | None = None
    for sample, symbol in zip(annotations.samples.tolist(), annotations.symbols, strict=True):
        if symbol == FLUTTER_ON and start is None:
            start = sample
        elif symbol == FLUTTER_OFF and start is not None:
            found.append((start, sample))
            start = None
    return found if start is None else [*found, (start, end)]


def outside(samples: Samples, stretches: list[tuple[int, int]]) -> Samples:
    """The samples that lie in none of the stretches."""
    kept = np.ones(samples.size, bool)
    for start, end in stretches:
        kept &= (samples < start) | (samples > end)
    return samples[kept]


def compare(reference: Samples, found: Samples, window: int) -> Score:
    """Pairs two rising lists, each sample once, none further apart than ``window`` samples.

    The earlier of the two heads is unmatched when it is too early for the other list's head, or when that head has a
    nearer partner right behind.
    """
    wanted, given = reference.tolist(), found.tolist()
    matched = i = j = 0
    while i < len(wanted) and j < len(given):
        apart = abs(wanted[i] - given[j])
        if wanted[i] <= given[j]:
            nearer = i + 1 < len(wanted) and abs(wanted[i + 1] - given[j]) < apart
            step = (1, 0)
        else:
            nearer = j + 1 < len(given) and abs(wanted[i] - given[j + 1]) < apart
            step = (0, 1)
        if apart <= window and not nearer:
            matched += 1
            step = (1, 1)
        i, j = i + step[0], j + step[1]
    return Score(matched, len(wanted) - matched, len(given) - matched)
