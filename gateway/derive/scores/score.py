"""What every score has in common: inputs with an age, a chart of points, and a result that owns up to what it lacks."""

import math
from bisect import bisect_left
from collections.abc import Callable, Mapping
from typing import Final, Literal, Protocol, TypeAlias

import msgspec

from gateway.contract.envelope import Instant
from gateway.contract.quantity import HOUR, MINUTE, SECOND
from gateway.derive.population import Placed, Population, Pregnancy, place

Value: TypeAlias = float | str  # a word where a person judged: "alert", "oxygen", "severe"


class Reading(msgspec.Struct, frozen=True, gc=False):
    """An input's newest value and when it was observed, us."""

    value: Value
    at: Instant


Inputs: TypeAlias = Mapping[str, Reading]


class ScaleTwo(msgspec.Struct, frozen=True):
    """A clinician's record of hypercapnic respiratory failure with target 88-92 %: never inferred from data."""

    by: str
    at: Instant

    def __post_init__(self) -> None:
        if not self.by:
            raise ValueError("SpO2 scale 2 needs the clinician who recorded it")


class Person(msgspec.Struct, frozen=True):
    """What is known of whoever is measured; a field that is not known is None."""

    age_days: int | None = None
    sex: Literal["female", "male"] | None = None
    pregnancy: Pregnancy = Pregnancy.NONE
    scale_two: ScaleTwo | None = None

    @property
    def placed(self) -> Placed:
        return place(self.age_days, self.pregnancy)


class Part(msgspec.Struct, frozen=True, gc=False):
    """One input of a score. ``points`` is None where the score is no sum."""

    name: str
    value: Value
    points: int | None
    at: Instant


class Missing(msgspec.Struct, frozen=True, gc=False):
    """An input that a score lacks; ``at`` says when it was last there."""

    name: str
    why: Literal["absent", "stale"]
    at: Instant | None = None


class Score(msgspec.Struct, frozen=True):
    """A score as of ``at``. Unless ``complete``, ``value`` is a lower bound, or None where nothing can be said."""

    name: str
    version: str
    at: Instant
    value: float | None
    complete: bool
    parts: tuple[Part, ...]
    missing: tuple[Missing, ...]
    population: Population
    assumed: bool  # the age is not known: scored as an adult
    risk: str = ""  # the band of ``value``; of a lower bound the lowest that is possible
    marked: tuple[str, ...] = ()  # parts that count by themselves (NEWS2: any single 3)

    @property
    def text(self) -> str:
        """As it is shown: ``7``, ``>= 5``, or a dash."""
        if self.value is None:
            return "-"
        return f"{self.value:g}" if self.complete else f">= {self.value:g}"


class Refused(msgspec.Struct, frozen=True):
    """A score that is not made for this person. ``code``: the reason as a word, for pages in any language."""

    name: str
    population: Population
    reason: str
    code: str = "population"


Result: TypeAlias = Score | Refused

# How old an input may be and still count. Project defaults (domain facts 1.1); a site may override them.
_SPOT: Final = 15 * MINUTE  # en route; also for what a person judged
_FLOWING: Final = 5 * MINUTE
VALIDITY: Final[dict[str, int]] = {
    "resp-rate": _FLOWING,
    "spo2": _FLOWING,
    "heart-rate": _FLOWING,
    "pulse-rate": _FLOWING,
    "oxygen/flow": _FLOWING,
    "oxygen/fraction": _FLOWING,
    "oxygen": _SPOT,
    "bp-systolic": _SPOT,
    "bp-diastolic": _SPOT,
    "bp-mean": _SPOT,
    "consciousness": _SPOT,
    "gcs": _SPOT,
    "gcs-eye": _SPOT,
    "gcs-verbal": _SPOT,
    "gcs-motor": _SPOT,
    "capillary-refill": _SPOT,
    "respiratory-effort": _SPOT,
    "temperature": 4 * HOUR,
}
PULSE: Final = ("heart-rate", "pulse-rate")
OXYGEN: Final = ("oxygen", "oxygen/flow", "oxygen/fraction")
_PREFERENCE: Final = 10 * SECOND  # a preferred source gives way to one that is so much newer


_HALF: Final = 0.5 + 1e-9


def half_up(value: float, decimals: int = 0) -> float:
    """Rounded as on paper: 38.05 becomes 38.1, although the binary fraction lies just below it."""
    if decimals == 0:
        return math.floor(value + _HALF)
    scale = 10.0**decimals
    return math.floor(value * scale + _HALF) / scale


class Table(Protocol):
    """Points of one input."""

    def of(self, value: Value) -> int:
        """The points of a value."""

    @property
    def least(self) -> int:
        """What it gives at least: what an input that is missing counts in a lower bound."""


class Steps(msgspec.Struct, frozen=True):
    """Points by size: up to and including ``edges[i]`` it is ``points[i]``, beyond the last edge the last points."""

    edges: tuple[float, ...]
    points: tuple[int, ...]
    decimals: int = 0  # the chart's resolution: a value is rounded to it first, so bands have no gaps

    def __post_init__(self) -> None:
        if len(self.points) != len(self.edges) + 1 or list(self.edges) != sorted(set(self.edges)):
            raise ValueError(f"edges must rise and points be one more: {self.edges}, {self.points}")

    def of(self, value: Value) -> int:
        assert isinstance(value, (int, float))
        return self.points[bisect_left(self.edges, half_up(value, self.decimals))]

    @property
    def least(self) -> int:
        return min(self.points)


class Words(msgspec.Struct, frozen=True):
    """Points by word."""

    points: dict[str, int]

    def of(self, value: Value) -> int:
        return self.points[str(value)]

    @property
    def least(self) -> int:
        return min(self.points.values())


class Item(msgspec.Struct, frozen=True):
    """One row of a chart. ``sources``: inputs that can give it, the preferred one first.

    ``worst``: of several sources the one with most points counts (somebody on oxygen by any account is on oxygen).
    """

    name: str
    sources: tuple[str, ...]
    table: Table
    worst: bool = False

    def read(self, inputs: Inputs, now: Instant) -> Reading | None:
        """The reading that counts, or None when there is none young enough."""
        if len(self.sources) == 1:
            return fresh_of(inputs, self.sources[0], now)
        if self.worst:
            fresh = [one for source in self.sources if (one := fresh_of(inputs, source, now)) is not None]
            return max(fresh, key=lambda one: (self.table.of(one.value), one.at)) if fresh else None
        return preferred(inputs, self.sources, now)


Chart: TypeAlias = tuple[Item, ...]


def fresh_of(inputs: Inputs, source: str, now: Instant) -> Reading | None:
    """An input's reading while it is within its validity."""
    reading = inputs.get(source)
    return reading if reading is not None and now - reading.at <= VALIDITY[source] else None


def preferred(inputs: Inputs, sources: tuple[str, ...], now: Instant) -> Reading | None:
    """The first source's reading, unless it is stale or another is clearly newer."""
    chosen: Reading | None = None
    for source in sources:
        reading = fresh_of(inputs, source, now)
        if reading is not None and (chosen is None or reading.at - chosen.at > _PREFERENCE):
            chosen = reading
    return chosen


def lack(inputs: Inputs, name: str, sources: tuple[str, ...]) -> Missing:
    """Why an input does not count."""
    last = max((inputs[source].at for source in sources if source in inputs), default=None)
    return Missing(name, "absent" if last is None else "stale", last)


def refuse(name: str, placed: Placed, allowed: frozenset[Population]) -> Refused | None:
    """The refusal of somebody the score is not made for."""
    if placed.population in allowed and (not placed.assumed or Population.ADULT in allowed):
        return None
    if placed.assumed:
        return Refused(name, placed.population, "age is not known", "age-unknown")
    made_for = ", ".join(sorted(allowed))
    return Refused(name, placed.population, f"made for {made_for}; this person is {placed.population}")


class Sum(msgspec.Struct, frozen=True):
    """A score that adds the points of a chart. ``risk``: the band of a total, and whether a part is ``marked``.

    ``mark``: points by which a part counts by itself. A site puts other charts in place of ``charts``.
    """

    name: str
    version: str
    populations: frozenset[Population]
    charts: tuple[Chart, ...]
    choose: Callable[[tuple[Chart, ...], Person, Inputs, Instant], Chart]
    risk: Callable[[int, bool], str]
    mark: int | None = None
    worst_is_low: bool = False  # then a lower bound says nothing about risk

    @property
    def inputs(self) -> frozenset[str]:
        return frozenset(source for chart in self.charts for item in chart for source in item.sources)

    def evaluate(self, person: Person, inputs: Inputs, now: Instant) -> Result:
        """The score as of ``now``."""
        placed = person.placed
        refused = refuse(self.name, placed, self.populations)
        if refused is not None:
            return refused
        total, parts, missing = add_up(self.choose(self.charts, person, inputs, now), inputs, now)
        marked = () if self.mark is None else tuple([part.name for part in parts if part.points == self.mark])
        unknown = total is None or (self.worst_is_low and missing)
        return Score(
            self.name, self.version, now, total, not missing, parts, missing, placed.population, placed.assumed,
            "" if unknown or total is None else self.risk(total, bool(marked)), marked,
        )  # fmt: skip


def only(charts: tuple[Chart, ...], _person: Person, _inputs: Inputs, _now: Instant) -> Chart:
    """The chart of a score that has one."""
    return charts[0]


def trigger_from(limit: int) -> Callable[[int, bool], str]:
    """The risk of a score with one limit."""
    return lambda total, _marked: "trigger" if total >= limit else "none"


class Outcome(msgspec.Struct, frozen=True):
    """What a formula makes of its inputs; without a value it names what is missing."""

    value: float | None
    parts: tuple[Part, ...] = ()
    missing: tuple[Missing, ...] = ()
    risk: str = ""


class Formula(msgspec.Struct, frozen=True):
    """A score that is no sum of points."""

    name: str
    version: str
    populations: frozenset[Population]
    inputs: frozenset[str]
    compute: Callable[[Inputs, Instant], Outcome]

    def evaluate(self, person: Person, inputs: Inputs, now: Instant) -> Result:
        """The score as of ``now``."""
        placed = person.placed
        refused = refuse(self.name, placed, self.populations)
        if refused is not None:
            return refused
        found = self.compute(inputs, now)
        return Score(
            self.name, self.version, now, found.value, found.value is not None, found.parts, found.missing,
            placed.population, placed.assumed, found.risk,
        )  # fmt: skip


Definition: TypeAlias = Sum | Formula


def add_up(chart: Chart, inputs: Inputs, now: Instant) -> tuple[int | None, tuple[Part, ...], tuple[Missing, ...]]:
    """The sum of a chart (what is missing counted at its least, None without any input), its parts and its gaps."""
    total = 0
    parts: list[Part] = []
    missing: list[Missing] = []
    for item in chart:
        reading = item.read(inputs, now)
        if reading is None:
            missing.append(lack(inputs, item.name, item.sources))
            total += item.table.least
            continue
        points = item.table.of(reading.value)
        total += points
        parts.append(Part(item.name, reading.value, points, reading.at))
    return (total if parts else None), tuple(parts), tuple(missing)
