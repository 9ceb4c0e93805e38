"""Beat-by-beat comparison, worked by hand and against the best pairing there is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.evaluate.ec57 import Score, beats_of, compare, flutter, outside
from gateway.evaluate.records import BEATS, Annotations

WINDOW = 54  # 150 ms at 360 Hz


def annotations(*marks: tuple[int, str]) -> Annotations:
    return Annotations(np.array([at for at, _ in marks]), [symbol for _, symbol in marks], [""] * len(marks))


@pytest.mark.parametrize(
    ("reference", "found", "score"),
    [
        ([], [], (0, 0, 0)),
        ([100], [], (0, 1, 0)),
        ([], [100], (0, 0, 1)),
        ([100, 400, 700], [100, 400, 700], (3, 0, 0)),
        ([100], [154], (1, 0, 0)),  # at the edge of the window
        ([100], [155], (0, 1, 1)),  # beyond
        ([154], [100], (1, 0, 0)),
        ([100], [90, 110], (1, 0, 1)),  # each matches once
        ([90, 110], [100], (1, 1, 0)),
        ([100, 400], [60, 100, 400], (2, 0, 1)),  # the nearer one takes it
        ([100, 140], [130], (1, 1, 0)),
        ([100, 140], [60, 130], (1, 1, 1)),  # the nearest, not the most: no two beats are so near to each other
        ([100, 400, 700], [400, 1000], (1, 2, 1)),
    ],
)
def test_worked_by_hand(reference: list[int], found: list[int], score: tuple[int, int, int]) -> None:
    assert compare(np.array(reference, int), np.array(found, int), WINDOW) == Score(*score)


def most_pairs(reference: list[int], found: list[int], window: int) -> int:
    """Size of the largest pairing; on a line, taking the earliest possible partner is best."""
    pairs = at = 0
    for sample in reference:
        while at < len(found) and found[at] < sample - window:
            at += 1
        if at < len(found) and found[at] <= sample + window:
            pairs, at = pairs + 1, at + 1
    return pairs


rising = st.lists(st.integers(0, 3000), max_size=30, unique=True).map(sorted)


@given(rising, rising)
def test_every_sample_is_counted_once(reference: list[int], found: list[int]) -> None:
    score = compare(np.array(reference, int), np.array(found, int), WINDOW)
    assert score.true_positives + score.false_negatives == len(reference)
    assert score.true_positives + score.false_positives == len(found)
    assert score.true_positives <= most_pairs(reference, found, WINDOW)


@given(st.lists(st.integers(2 * WINDOW + 1, 500), max_size=20), st.lists(st.integers(2 * WINDOW + 1, 500), max_size=20))
def test_beats_of_a_heart_are_paired_as_well_as_can_be(reference: list[int], found: list[int]) -> None:
    """Beats further apart than two windows leave no choice."""
    wanted, given_ = np.cumsum(reference, dtype=int), np.cumsum(found, dtype=int)
    assert compare(wanted, given_, WINDOW).true_positives == most_pairs(wanted.tolist(), given_.tolist(), WINDOW)


def test_only_beats_count() -> None:
    marks = annotations((1, "+"), (2, "N"), (3, "~"), (4, "V"), (5, "x"), (6, "|"), (7, "/"), (8, "!"), (9, "Q"))
    assert beats_of(marks).tolist() == [2, 4, 7, 9]
    assert not BEATS & set("[]!x|~+\"'")


def test_flutter_is_left_out_on_both_sides() -> None:
    marks = annotations((100, "N"), (500, "["), (600, "!"), (900, "]"), (1000, "N"), (1500, "["))
    stretches = flutter(marks, 2000)
    assert stretches == [(500, 900), (1500, 2000)]
    assert outside(np.array([100, 499, 500, 700, 900, 901, 1600]), stretches).tolist() == [100, 499, 901]


def test_gross_figures_are_ratios_of_sums() -> None:
    total = Score(90, 10, 0) + Score(10, 0, 30)
    assert (total.sensitivity, total.positive_predictivity) == (100 / 110, 100 / 130)


def test_nothing_to_divide_by_is_no_figure() -> None:
    assert Score().sensitivity is None
    assert Score().positive_predictivity is None
