"""Every score of every unit, from values as they come: stored at once, scored once per second of event time.

A second is scored when the first value of a later one arrives, so what comes out depends on which values there were in
it and not on their order. `check` does the same by the wall clock, which also ages the inputs of a unit that is silent.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final

import msgspec

from gateway.contract.envelope import Instant
from gateway.contract.quantity import SECOND
from gateway.derive.population import Population
from gateway.derive.scores.gcs import GCS, RANGES
from gateway.derive.scores.meows import MEOWS
from gateway.derive.scores.mews import MEWS
from gateway.derive.scores.news2 import NEWS2
from gateway.derive.scores.pews import PEWS
from gateway.derive.scores.qsofa import QSOFA
from gateway.derive.scores.score import (
    VALIDITY,
    Definition,
    Person,
    Reading,
    Refused,
    Result,
    Score,
    Value,
    half_up,
    refuse,
)
from gateway.derive.scores.shock import MEAN_ESTIMATE, MODIFIED_SHOCK_INDEX, SHOCK_INDEX

DEFINITIONS: Final[tuple[Definition, ...]] = (
    NEWS2, MEWS, QSOFA, GCS, SHOCK_INDEX, MODIFIED_SHOCK_INDEX, MEAN_ESTIMATE, PEWS, MEOWS,
)  # fmt: skip
SCORES: Final[dict[str, Definition]] = {row.name: row for row in DEFINITIONS}

AVPU: Final = frozenset({"alert", "confused", "voice", "pain", "unresponsive"})
EFFORT: Final = frozenset({"normal", "mild", "moderate", "severe"})
MUCH_FLOW: Final = 4.0  # L/min; from here on Bedside PEWS counts oxygen twice
MUCH_FRACTION: Final = 50.0  # %
AIR_FRACTION: Final = 21.0  # %
_OXYGEN: Final = {"oxygen-flow": "oxygen/flow", "fio2": "oxygen/fraction"}
_QUANTITIES: Final = {name: name for name in VALIDITY if "/" not in name} | _OXYGEN
_NOT_MEASURED: Final = frozenset({"oxygen", "consciousness", "gcs", *RANGES, "capillary-refill", "respiratory-effort"})
QUANTITIES: Final = frozenset(_QUANTITIES) - _NOT_MEASURED  # what `value` takes; anything else it passes over
EVENTS: Final = frozenset({"avpu", "gcs", "oxygen", "capillary-refill", "respiratory-effort"})  # what `event` takes


class BadEntry(ValueError):
    """Somebody's entry that does not say what it should."""


class Scored(msgspec.Struct, frozen=True):
    """A score of a unit that has changed. `Refused` only ends a score that was there before."""

    unit: str
    result: Result


class NotFor(msgspec.Struct, frozen=True):
    """Why a score is not made for somebody (``code``, as in `Refused`), and for whom it is."""

    code: str
    made_for: tuple[Population, ...]


class _Board(msgspec.Struct):
    """One unit's part."""

    person: Person = Person()
    inputs: dict[str, Reading] = {}
    results: dict[str, Result] = {}
    touched: set[str] = set()  # inputs since the second was last scored
    newest: Instant = 0  # of all values: where event time stands
    scored_at: Instant = 0  # never goes back, so that nothing that was too old counts again
    expires_at: Instant | None = None  # when the first input that counts now will be too old


class ScoreBoard:
    """Owned by one pipeline. ``off``: names of scores that are switched off."""

    def __init__(self, off: Collection[str] = ()) -> None:
        if unknown := set(off) - SCORES.keys():
            raise ValueError(f"no such scores: {', '.join(sorted(unknown))}")
        self._definitions = tuple((row, row.inputs) for row in DEFINITIONS if row.name not in off)
        self._boards: dict[str, _Board] = {}

    def value(self, unit: str, quantity: str, value: float, at: Instant) -> list[Scored]:
        """Takes a measured value; what comes back belongs to the seconds before it."""
        name = _QUANTITIES.get(quantity)
        if name is None or quantity in _NOT_MEASURED:
            return []
        return self._take(unit, name, _oxygen(quantity, value) if quantity in _OXYGEN else value, at)

    def event(self, unit: str, name: str, details: Mapping[str, Any], at: Instant) -> list[Scored]:
        """Takes what somebody entered; other events are passed over.

        Raises:
            BadEntry: the details are not those of the event.
        """
        scored: list[Scored] = []
        for entry, value in _read(name, details).items():
            scored += self._take(unit, entry, value, at)
        return scored

    def person(self, unit: str, person: Person) -> list[Scored]:
        """Says who is measured. Everything is scored anew; the inputs stay (see `forget`)."""
        board = self._board(unit)
        if board.person == person:
            return []
        board.person = person
        return self._score(unit, board, board.newest, anew=True) if board.inputs else []

    def forget(self, unit: str) -> list[Scored]:
        """Somebody else lies there now, or the unit is gone: nothing of what was seen counts any more.

        What comes back ends the scores there were, so that nobody inherits them.
        """
        board = self._boards.pop(unit, None)
        if board is None:
            return []
        return [Scored(unit, ended) for result in board.results.values() if (ended := _end(result, board.newest))]

    def check(self, now: Instant) -> list[Scored]:
        """What has changed by the wall clock: seconds that are over, and inputs too old to count. Once a second.

        The clock decides when something is said, never what: each score bears the time at which it became so.
        """
        scored: list[Scored] = []
        for unit, board in self._boards.items():
            if board.touched and now - board.newest >= SECOND:
                scored += self._score(unit, board, board.newest)
            if board.expires_at is not None and board.expires_at < now:
                scored += self._expire(unit, board, now)
        return scored

    def current(self, unit: str) -> dict[str, Result]:
        """The scores of a unit as they stand, refusals with their reasons."""
        board = self._boards.get(unit)
        return {} if board is None else dict(board.results)

    def not_for(self, person: Person) -> dict[str, NotFor]:
        """The scores that are not made for somebody, whatever is measured of them."""
        found = {}
        for row, _ in self._definitions:
            refused = refuse(row.name, person.placed, row.populations)
            if refused is not None:
                found[row.name] = NotFor(refused.code, tuple(sorted(row.populations)))
        return found

    def _board(self, unit: str) -> _Board:
        found = self._boards.get(unit)
        if found is None:
            found = self._boards[unit] = _Board()
        return found

    def _take(self, unit: str, name: str, value: Value, at: Instant) -> list[Scored]:
        board = self._board(unit)
        scored: list[Scored] = []
        if at > board.newest:
            if at // SECOND > board.newest // SECOND:
                if board.touched:
                    scored = self._score(unit, board, board.newest)
                scored += self._expire(unit, board, at)
            board.newest = at
        before = board.inputs.get(name)
        if before is None or at > before.at or (at == before.at and str(value) > str(before.value)):
            board.inputs[name] = Reading(value, at)  # of one instant: not whichever came last
            board.touched.add(name)
        return scored

    def _expire(self, unit: str, board: _Board, until: Instant) -> list[Scored]:
        """Every moment before ``until`` at which an input became too old."""
        scored: list[Scored] = []
        while board.expires_at is not None and board.expires_at < until:
            scored += self._score(unit, board, board.expires_at + 1)
        return scored

    def _score(self, unit: str, board: _Board, at: Instant, *, anew: bool = False) -> list[Scored]:
        now = board.scored_at = max(at, board.scored_at)
        anew = anew or (board.expires_at is not None and now > board.expires_at)
        touched = board.touched
        scored = []
        for row, uses in self._definitions:
            before = board.results.get(row.name)
            if before is not None and not anew and (isinstance(before, Refused) or uses.isdisjoint(touched)):
                continue
            result = row.evaluate(board.person, board.inputs, now)
            board.results[row.name] = result
            if _tells(before, result):
                scored.append(Scored(unit, result))
        touched.clear()
        ends = [end for name, reading in board.inputs.items() if (end := reading.at + VALIDITY[name]) >= now]
        board.expires_at = min(ends, default=None)
        return scored


def _end(result: Result, at: Instant) -> Score | None:
    """A score that had a value, without it."""
    if isinstance(result, Refused) or result.value is None:
        return None
    return msgspec.structs.replace(
        result, at=max(at, result.at), value=None, complete=False, parts=(), missing=(), risk="", marked=()
    )


def _tells(before: Result | None, after: Result) -> bool:
    """Whether a result says something that the one before did not."""
    if isinstance(after, Refused):
        return isinstance(before, Score) and before.value is not None
    if not isinstance(before, Score):
        return after.value is not None
    return (
        before.value != after.value
        or before.complete is not after.complete
        or before.risk != after.risk
        or before.population is not after.population
        or before.assumed is not after.assumed
        or _gist(before) != _gist(after)
    )


def _gist(score: Score) -> tuple[object, ...]:
    """What made a score, without what changes every second: the values themselves, and when they were observed."""
    return [(part.name, part.points) for part in score.parts], [(gap.name, gap.why) for gap in score.missing]


def _oxygen(quantity: str, value: float) -> str:
    if quantity == "oxygen-flow":
        return "oxygen-high" if value >= MUCH_FLOW else "oxygen" if value > 0 else "air"
    if value >= MUCH_FRACTION:
        return "oxygen-high"
    return "oxygen" if half_up(value) > AIR_FRACTION else "air"


def _read(name: str, details: Mapping[str, Any]) -> dict[str, Value]:
    """The inputs an entry gives."""
    match name:
        case "avpu":
            return {"consciousness": _word(name, details.get("level"), AVPU)}
        case "gcs":
            parts: dict[str, Value] = {
                part: _number(name, details.get(part.removeprefix("gcs-")), 1, highest)
                for part, highest in RANGES.items()
            }
            return {**parts, "gcs": sum(float(points) for points in parts.values())}
        case "oxygen":
            state = _word(name, details.get("state"), frozenset({"air", "oxygen"}))
            flow = details.get("flow")
            much = state == "oxygen" and flow is not None and _number(name, flow, 0, 100) >= MUCH_FLOW
            return {"oxygen": "oxygen-high" if much else state}
        case "capillary-refill":
            return {name: _number(name, details.get("seconds"), 0, 60)}
        case "respiratory-effort":
            return {name: _word(name, details.get("level"), EFFORT)}
    return {}


def _word(name: str, word: object, words: frozenset[str]) -> str:
    if not isinstance(word, str) or word not in words:
        raise BadEntry(f"{name}: {word!r:.40} is none of {', '.join(sorted(words))}")
    return word


def _number(name: str, number: object, low: float, high: float) -> float:
    if isinstance(number, bool) or not isinstance(number, (int, float)) or not low <= number <= high:
        raise BadEntry(f"{name}: {number!r:.40} is not within {low:g} to {high:g}")
    return number
