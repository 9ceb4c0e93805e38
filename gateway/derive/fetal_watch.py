"""The fetal heart of whoever is pregnant: baseline and share of lost signal, once a minute or when they mean another.

What it tells are values like any other (ADR 0011); alerts stand on them. After a restart the window is filled from what
is stored, and the trace goes on.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final

import msgspec

from gateway.contract.envelope import Instant
from gateway.contract.quantity import MINUTE, SECOND
from gateway.derive.scores.fetal import HELD, NAME, WINDOW, FetalState, FetalTrace
from gateway.derive.scores.score import Person, half_up

QUANTITY: Final = "fetal-heart-rate"
BASELINE: Final = "fetal-baseline"
LOSS: Final = "fetal-signal-loss"
NOBODY: Final = Person()


class Heard(msgspec.Struct, frozen=True):
    """What a trace says, as values of its unit."""

    unit: str
    at: Instant
    values: dict[str, float | None]
    invalid: dict[str, str]


class _Watched(msgspec.Struct):
    """One unit's trace."""

    trace: FetalTrace
    newest: Instant
    told: FetalState | None = None


class FetalWatch:
    """Owned by one pipeline. ``off``: derivations the site has switched off."""

    def __init__(self, off: Collection[str] = ()) -> None:
        self._off = NAME in off
        self._people: dict[str, Person] = {}
        self._watched: dict[str, _Watched] = {}

    def fill(self, traces: Mapping[str, Iterable[tuple[float, Instant]]]) -> None:
        """What each unit's device said before a start: value and time, oldest first. Nothing of it is told again."""
        for unit, values in traces.items():
            for value, at in values if not self._off else ():
                watched = self._watched.setdefault(unit, _Watched(FetalTrace(), at))
                watched.trace.feed(value, at)
                watched.newest = at

    def person(self, unit: str, person: Person) -> None:
        """Whose trace it is: it says something of a fetus only of somebody who is pregnant."""
        self._people[unit] = person

    def forget(self, unit: str) -> None:
        """Somebody else is there now."""
        self._people.pop(unit, None)
        self._watched.pop(unit, None)

    def take(self, unit: str, value: float | None, at: Instant) -> list[Heard]:
        """Takes a value, 1/min, None where the device heard nothing; an older one than the newest says nothing new."""
        if self._off:
            return []
        watched = self._watched.get(unit)
        if watched is None:
            watched = self._watched[unit] = _Watched(FetalTrace(), at)
        if at < watched.newest:
            return []
        watched.trace.feed(value, at)
        told = self._look(unit, watched, at) if at // SECOND > watched.newest // SECOND else []
        watched.newest = at
        return told

    def check(self, now: Instant) -> Iterator[Heard]:
        """What silence makes of the traces. Once a second is enough; one that is silent for a window is over."""
        for unit, watched in list(self._watched.items()):
            silent = now - watched.newest
            over = silent >= WINDOW + HELD
            if silent > HELD:
                yield from self._look(unit, watched, now, last=over)
            if over:
                del self._watched[unit]

    def _look(self, unit: str, watched: _Watched, now: Instant, *, last: bool = False) -> list[Heard]:
        state = watched.trace.state(self._people.get(unit, NOBODY).placed, now)
        if not isinstance(state, FetalState) or state.code == "filling":
            return []
        before = watched.told
        if not last and before is not None and state.code == before.code and state.at - before.at < MINUTE:
            return []
        watched.told = state
        invalid = {BASELINE: state.code} if state.baseline is None else {}
        return [Heard(unit, state.at, {BASELINE: state.baseline, LOSS: half_up(100 * state.loss, 1)}, invalid)]
