"""The fetal heart of whoever is pregnant: baseline and share of lost signal, once a minute or when they mean another.

What it tells are values like any other (ADR 0011); alerts stand on them. Every device has a trace of its own: two
transducers may hear two hearts, and a window of both has the median of neither. A unit has one baseline, which is the
worst of them, and one loss, the largest. After a restart the windows are filled from what is stored, and go on.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final

import msgspec

from gateway.contract.envelope import Instant
from gateway.contract.quantity import MINUTE, SECOND
from gateway.derive.scores.fetal import HELD, HIGH, LOW, NAME, WINDOW, FetalState, FetalTrace
from gateway.derive.scores.score import Person, half_up

QUANTITY: Final = "fetal-heart-rate"
BASELINE: Final = "fetal-baseline"
LOSS: Final = "fetal-signal-loss"
OVER: Final = "trace-over"  # why there is no value: nothing is recorded any more, or not of the same person
NOBODY: Final = Person()
_WORST_FIRST: Final = ("bradycardia", "tachycardia", "normal", "signal-loss")
_MIDDLE: Final = (LOW + HIGH) / 2

Sound = tuple[str, float, Instant]  # device, value, time


class Heard(msgspec.Struct, frozen=True):
    """What the traces say, as values of their unit."""

    unit: str
    at: Instant
    values: dict[str, float | None]
    invalid: dict[str, str]
    practice: bool = False


class _Source(msgspec.Struct):
    """One device's trace."""

    trace: FetalTrace
    newest: Instant


class _Watched(msgspec.Struct):
    """One unit's traces, by device. What is heard in a training is never in a window with what is not."""

    practice: bool = False
    sources: dict[str, _Source] = {}
    newest: Instant = 0  # of any of them
    told: tuple[str, ...] = ()  # what they meant when it was last told ...
    told_at: Instant = 0  # ... which was then


class FetalWatch:
    """Owned by one pipeline. ``off``: derivations the site has switched off."""

    def __init__(self, off: Collection[str] = ()) -> None:
        self._off = NAME in off
        self._people: dict[str, Person] = {}
        self._watched: dict[str, _Watched] = {}
        self._spoke: set[str] = set()  # units of whose person something has been told
        self._left: list[str] = []  # units whose person has gone, which is not told yet

    def fill(self, heard: Mapping[str, Iterable[Sound]]) -> None:
        """What each unit's devices said before a start, oldest first. Nothing of it is told again.

        A unit of which something was told and nothing is young enough to count has no sounds: its trace is over.
        """
        for unit, sounds in heard.items() if not self._off else ():
            watched = self._watched.setdefault(unit, _Watched())
            self._spoke.add(unit)
            for device, value, at in sounds:
                self._feed(watched, device, value, at)

    def person(self, unit: str, person: Person) -> None:
        """Whose trace it is: it says something of a fetus only of somebody who is pregnant."""
        self._people[unit] = person

    def forget(self, unit: str) -> None:
        """Somebody else is there now."""
        self._people.pop(unit, None)
        self._watched.pop(unit, None)
        if unit in self._spoke:
            self._spoke.discard(unit)
            self._left.append(unit)

    def take(self, unit: str, device: str, value: float | None, at: Instant, *, practice: bool = False) -> list[Heard]:
        """Takes a value, 1/min, None where the device heard nothing; an older one than its newest says nothing new."""
        watched = None if self._off else self._of(unit, at, practice)
        if watched is None:
            return []
        before = watched.newest
        if not self._feed(watched, device, value, at):
            return []
        return self._look(unit, watched, at) if at // SECOND > before // SECOND else []

    def check(self, now: Instant) -> Iterator[Heard]:
        """What silence makes of the traces. Once a second is enough; one that is silent for a window is over."""
        while self._left:
            yield Heard(self._left.pop(), now, {BASELINE: None, LOSS: None}, {BASELINE: OVER, LOSS: OVER})
        for unit, watched in list(self._watched.items()):
            for device, source in list(watched.sources.items()):
                if now - source.newest >= WINDOW + HELD:
                    del watched.sources[device]
            if not watched.sources:
                del self._watched[unit]
                if unit in self._spoke:  # a baseline that was beyond its limits has not come back by that
                    yield Heard(unit, now, {LOSS: None}, {LOSS: OVER}, watched.practice)
            elif now - watched.newest > HELD:
                yield from self._look(unit, watched, now)

    def _of(self, unit: str, at: Instant, practice: bool) -> _Watched | None:
        """The unit's traces; new ones where a training begins or has ended, none for what comes late from before it."""
        known = self._watched.get(unit)
        if known is not None and known.practice is practice:
            return known
        if known is not None and at < known.newest:
            return None
        made = self._watched[unit] = _Watched(practice)
        return made

    @staticmethod
    def _feed(watched: _Watched, device: str, value: float | None, at: Instant) -> bool:
        source = watched.sources.setdefault(device, _Source(FetalTrace(), at))
        if at < source.newest:
            return False
        source.trace.feed(value, at)
        source.newest = at
        watched.newest = max(at, watched.newest)
        return True

    def _look(self, unit: str, watched: _Watched, now: Instant) -> list[Heard]:
        placed = self._people.get(unit, NOBODY).placed
        found = [watched.sources[device].trace.state(placed, now) for device in sorted(watched.sources)]
        states = [one for one in found if isinstance(one, FetalState) and one.code != "filling"]
        codes = tuple(one.code for one in states)
        if not states or (codes == watched.told and now - watched.told_at < MINUTE):
            return []
        watched.told, watched.told_at = codes, now
        self._spoke.add(unit)
        worst, loss = min(states, key=_rank), max(one.loss for one in states)
        invalid = {BASELINE: worst.code} if worst.baseline is None else {}
        values = {BASELINE: worst.baseline, LOSS: half_up(100 * loss, 1)}
        return [Heard(unit, now, values, invalid, watched.practice)]


def _rank(state: FetalState) -> tuple[int, float]:
    """The worst first; a baseline that can be read before one that cannot."""
    away = 0.0 if state.baseline is None else abs(state.baseline - _MIDDLE)
    return _WORST_FIRST.index(state.code), -away
