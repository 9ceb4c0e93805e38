"""RangeSet against a plain set of numbers."""

from hypothesis import given
from hypothesis import strategies as st

from edge_agents.ranges import RangeSet, from_wire

spans = st.tuples(st.integers(0, 60), st.integers(0, 12)).map(lambda t: (t[0], t[0] + t[1]))
steps = st.lists(st.tuples(st.booleans(), spans), max_size=30)


def numbers(ranges: RangeSet) -> set[int]:
    return {n for first, last in ranges for n in range(first, last + 1)}


@given(steps)
def test_it_holds_what_a_set_would(changes: list[tuple[bool, tuple[int, int]]]) -> None:
    ranges, plain = RangeSet(), set[int]()
    for adding, (first, last) in changes:
        if adding:
            ranges.add(first, last)
            plain |= set(range(first, last + 1))
        else:
            ranges.remove(first, last)
            plain -= set(range(first, last + 1))
        assert numbers(ranges) == plain
        assert ranges.count == len(plain)
        assert all(b + 1 < c for (_, b), (c, _) in zip(ranges, list(ranges)[1:], strict=False)), "merged and sorted"
        assert all((n in ranges) == (n in plain) for n in range(80))


@given(steps, spans)
def test_within_is_the_intersection(changes: list[tuple[bool, tuple[int, int]]], window: tuple[int, int]) -> None:
    ranges = RangeSet(span for adding, span in changes if adding)
    assert numbers(ranges.within(*window)) == numbers(ranges) & set(range(window[0], window[1] + 1))


def test_the_wire_form_is_cut_to_the_lowest_ranges() -> None:
    ranges = RangeSet((n, n) for n in range(0, 20, 2))
    assert from_wire(ranges.to_wire(3)) == RangeSet([(0, 0), (2, 2), (4, 4)])
