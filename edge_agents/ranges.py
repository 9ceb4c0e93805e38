"""A set of sequence numbers kept as inclusive ranges: small when numbers are contiguous, which they mostly are."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

from gateway.contract.envelope import SeqRange


class RangeSet:
    """Sorted, disjoint, non-adjacent inclusive ranges of non-negative integers."""

    __slots__ = ("_firsts", "_lasts")

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        for first, last in ranges:
            self.add(first, last)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(list(zip(self._firsts, self._lasts, strict=True)))

    def __bool__(self) -> bool:
        return bool(self._firsts)

    def __len__(self) -> int:
        """How many ranges (not numbers) there are."""
        return len(self._firsts)

    def __contains__(self, number: int) -> bool:
        at = bisect_right(self._firsts, number) - 1
        return at >= 0 and number <= self._lasts[at]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RangeSet) and self._firsts == other._firsts and self._lasts == other._lasts

    __hash__ = None  # type: ignore[assignment]  # mutable

    def __repr__(self) -> str:
        return f"RangeSet({list(self)})"

    @property
    def count(self) -> int:
        """How many numbers there are."""
        return sum(self._lasts) - sum(self._firsts) + len(self._firsts)

    @property
    def first(self) -> int:
        """The smallest number; the set must not be empty."""
        return self._firsts[0]

    def add(self, first: int, last: int | None = None) -> None:
        """Put ``first`` to ``last`` (just ``first`` when ``last`` is None) into the set."""
        last = first if last is None else last
        if last < first:
            return
        if self._firsts and self._firsts[-1] <= first <= self._lasts[-1] + 1:  # the common case: it grows at its end
            self._lasts[-1] = max(last, self._lasts[-1])
            return
        low = bisect_left(self._lasts, first - 1)
        high = bisect_right(self._firsts, last + 1)
        if low < high:
            first = min(first, self._firsts[low])
            last = max(last, self._lasts[high - 1])
        self._firsts[low:high] = [first]
        self._lasts[low:high] = [last]

    def remove(self, first: int, last: int | None = None) -> None:
        """Take ``first`` to ``last`` out of the set; numbers that are not in it do not matter."""
        last = first if last is None else last
        low = bisect_left(self._lasts, first)
        high = bisect_right(self._firsts, last)
        if low >= high or last < first:
            return
        kept = [(self._firsts[low], first - 1), (last + 1, self._lasts[high - 1])]
        kept = [(a, b) for a, b in kept if a <= b]
        self._firsts[low:high] = [a for a, _ in kept]
        self._lasts[low:high] = [b for _, b in kept]

    def update(self, other: "RangeSet") -> None:
        """Add every number of ``other``."""
        for first, last in other:
            self.add(first, last)

    def subtract(self, other: "RangeSet") -> None:
        """Remove every number of ``other``."""
        for first, last in other:
            self.remove(first, last)

    def within(self, first: int, last: int) -> "RangeSet":
        """The numbers of this set from ``first`` to ``last``."""
        low = bisect_left(self._lasts, first)
        high = bisect_right(self._firsts, last)
        pairs = zip(self._firsts[low:high], self._lasts[low:high], strict=True)
        return RangeSet((max(a, first), min(b, last)) for a, b in pairs)

    def copy(self) -> "RangeSet":
        """An independent copy."""
        clone = RangeSet()
        clone._firsts, clone._lasts = self._firsts.copy(), self._lasts.copy()
        return clone

    def to_wire(self, most: int) -> list[SeqRange]:
        """The lowest ``most`` ranges as the contract writes them."""
        return [SeqRange(a, b) for a, b in zip(self._firsts[:most], self._lasts[:most], strict=True)]


def from_wire(ranges: Iterable[SeqRange]) -> RangeSet:
    """The set the contract's ranges name; a range whose end precedes its start names nothing."""
    return RangeSet((r.first, r.last) for r in ranges)
