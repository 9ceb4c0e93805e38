"""What a row of the catalogue waits for: a limit, a change within a time, several of these together. Pure.

A condition judges one value at a time. What it has to remember between values is its *memory*, kept with the hold of
its row, so that a restart forgets nothing.
"""

import math
from collections.abc import Iterable
from enum import StrEnum
from typing import Final, TypeAlias

import msgspec

from gateway.contract.envelope import Instant
from gateway.contract.quantity import QUANTITIES

Point: TypeAlias = tuple[Instant, float, bool]  # event time, value, whether it was beyond its limit
Memory: TypeAlias = tuple[Point, ...]
_NEVER: Final[Point] = (0, 0.0, False)
BUCKETS: Final = 32  # how finely a window of change is remembered
EVERY_PROBE: Final = "*"  # in the name of a quantity: the same condition for each probe by itself


class Direction(StrEnum):
    ABOVE = "above"
    BELOW = "below"


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """What one value means for a condition."""

    breached: bool
    cleared: bool
    memory: Memory = ()
    confirmed: bool = False  # a repeated reading says it again: nothing more to wait for


class Threshold(msgspec.Struct, frozen=True, tag="threshold"):
    """Breached beyond ``limit``; cleared only ``hysteresis`` back inside it. Durations in us of event time."""

    quantity: str
    direction: Direction
    limit: float
    hysteresis: float
    for_: int
    clear_for: int
    inclusive: bool = False  # the limit itself is beyond it
    readings: int = 1  # so many in a row must be beyond it ...
    within: int = 0  # ... none of them older than this
    each: bool = False  # every reading beyond it is told: a spot measurement, and the next may be somebody else's
    stands: bool = False  # told only when it changes: a value counts until the next one
    repeat: bool = False  # ``for_`` is how long to wait for a second reading, which confirms the first or takes it back

    @property
    def quantities(self) -> tuple[str, ...]:
        return (self.quantity,)

    def breached(self, value: float) -> bool:
        if self.inclusive and value == self.limit:
            return True
        return value > self.limit if self.direction is Direction.ABOVE else value < self.limit

    def cleared(self, value: float) -> bool:
        if self.breached(value):
            return False
        if self.direction is Direction.ABOVE:
            return value <= self.limit - self.hysteresis
        return value >= self.limit + self.hysteresis

    def judge(self, memory: Memory, _quantity: str, value: float, at: Instant) -> Verdict:
        breached = self.breached(value)
        if self.stands:
            confirmed = self.repeat and breached and bool(memory)
            return Verdict(breached, self.cleared(value), ((at, value, True),) if breached else (), confirmed)
        if self.readings == 1:
            return Verdict(breached, self.cleared(value))
        run = (*(point for point in memory if at - point[0] <= self.within), (at, value, True)) if breached else ()
        return Verdict(len(run) >= self.readings, self.cleared(value), run[-self.readings :])

    def quiet(self, _quantity: str) -> tuple[float, float]:
        """The values that mean nothing to it while nothing has begun: from, to, both included."""
        if self.direction is Direction.ABOVE:
            return -math.inf, math.nextafter(self.limit, -math.inf) if self.inclusive else self.limit
        return math.nextafter(self.limit, math.inf) if self.inclusive else self.limit, math.inf

    def of(self, probe: str) -> "Threshold":
        return msgspec.structs.replace(self, quantity=self.quantity.replace(EVERY_PROBE, probe))


class Change(msgspec.Struct, frozen=True, tag="change"):
    """Breached when a quantity moved by more than ``limit`` ``within`` a time; cleared ``hysteresis`` below that."""

    quantity: str
    direction: Direction
    limit: float
    within: int
    hysteresis: float
    for_: int = 0
    clear_for: int = 0
    each: bool = False

    @property
    def quantities(self) -> tuple[str, ...]:
        return (self.quantity,)

    def judge(self, memory: Memory, _quantity: str, value: float, at: Instant) -> Verdict:
        upward = self.direction is Direction.ABOVE
        points = [point for point in memory if at - point[0] <= self.within]
        start = (min if upward else max)((point[1] for point in points), default=value)
        moved = value - start if upward else start - value
        bucket = max(1, self.within // BUCKETS)
        if points and points[-1][0] // bucket == at // bucket:  # of one bucket the point that makes the larger change
            held = points.pop()
            value = min(held[1], value) if upward else max(held[1], value)
        points.append((at, value, False))
        return Verdict(moved > self.limit, moved <= self.limit - self.hysteresis, tuple(points))

    def quiet(self, _quantity: str) -> tuple[float, float]:
        """None: every value moves the window."""
        return math.inf, -math.inf

    def of(self, probe: str) -> "Change":
        return msgspec.structs.replace(self, quantity=self.quantity.replace(EVERY_PROBE, probe))


class Part(msgspec.Struct, frozen=True):
    """One limit of several. ``unknown``: what it counts as while there is no reading within its clinical validity."""

    threshold: Threshold
    unknown: bool = False


class Combined(msgspec.Struct, frozen=True, tag="combined"):
    """AND (``every``) or OR of limits on one unit's quantities; each part has its own hysteresis.

    Each device has a memory of what it gave itself, ADR 0029.
    """

    parts: tuple[Part, ...]
    every: bool
    for_: int = 0
    clear_for: int = 0
    each: bool = False

    @property
    def quantities(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(part.threshold.quantity for part in self.parts))

    def judge(self, memory: Memory, quantity: str, value: float, at: Instant, others: Iterable[Memory] = ()) -> Verdict:
        """``memory``: what the device itself gave; ``others``: what every other device of the unit gave."""
        points = list(memory) if len(memory) == len(self.parts) else [_NEVER] * len(self.parts)
        for n, part in enumerate(self.parts):
            limit = part.threshold
            if limit.quantity == quantity:
                beyond = limit.breached(value) or (points[n][2] and not limit.cleared(value))
                points[n] = (at, value, beyond)
        return self.look(tuple(points), at, others)

    def look(self, points: Memory, at: Instant, others: Iterable[Memory] = ()) -> Verdict:
        """The verdict on what is remembered. An AND is about what its first part measures: who does not, says nothing.

        What else an AND needs is the device's own if it measures that, and only else the newest of another's. The
        parts of an OR are alarms each by itself: nobody needs another's.
        """
        heard = [other for other in others if len(other) == len(self.parts)] if self.every else []
        states = []
        for n, (part, own) in enumerate(zip(self.parts, points, strict=True)):
            point = max(other[n] for other in heard) if heard and not _counts(part, own, at) else own
            states.append(point[2] if _counts(part, point, at) else part.unknown)
        holds = self.measures(points, at) and all(states) if self.every else any(states)
        # Where nothing is beyond its limit and nothing else would be assumed, there is nothing to remember.
        beyond = any(point[2] for memory in (points, *heard) for point in memory)
        worth = beyond or any(part.unknown for part in self.parts)
        return Verdict(holds, not holds, points if worth else ())

    def measures(self, points: Memory, at: Instant) -> bool:
        """Whether the device that gave them measures what it is about, still."""
        return len(points) == len(self.parts) and _counts(self.parts[0], points[0], at)

    def quiet(self, quantity: str) -> tuple[float, float]:
        """As of its parts on this quantity; a part that holds while unknown makes every value count."""
        if any(part.unknown for part in self.parts):
            return math.inf, -math.inf
        bands = [part.threshold.quiet(quantity) for part in self.parts if part.threshold.quantity == quantity]
        return max(low for low, _ in bands), min(high for _, high in bands)

    def of(self, probe: str) -> "Combined":
        parts = (msgspec.structs.replace(part, threshold=part.threshold.of(probe)) for part in self.parts)
        return msgspec.structs.replace(self, parts=tuple(parts))


def _counts(part: Part, point: Point, at: Instant) -> bool:
    """Whether there is a reading, within its clinical validity."""
    return point[0] > 0 and at - point[0] <= QUANTITIES[part.threshold.quantity].clinical_validity


Condition: TypeAlias = Threshold | Change | Combined
