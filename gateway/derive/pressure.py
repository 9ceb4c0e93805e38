"""Pressure care of whoever lies on a pressure mat: doses by zone, the turn clock, a change proposed for the mattress.

A fold of events: the mat's maps, somebody leaving the bed and coming back, the mattress' mode, a turn that a person
recorded, a proposal that somebody confirmed. What it comes to is told once a minute, and at once when people or the
bed changed something: as two quantities for the rules, and as an event that holds all of it, from which a restart
goes on. See ADR 0027.
"""

from collections.abc import Callable, Collection, Mapping
from enum import StrEnum
from typing import Any, Final

import msgspec

from gateway.contract.envelope import Instant
from gateway.contract.observation import Event
from gateway.contract.quantity import HOUR, MINUTE
from gateway.derive.scores import pressure_dose, turn_clock
from gateway.derive.scores.pressure_dose import LIMIT, RELIEF, BadMap, Dose, DoseMap
from gateway.derive.scores.turn_clock import (
    TURN_EVERY,
    Confirmed,
    NotConfirmable,
    Proposal,
    TurnClock,
    confirm,
    propose,
)

EVENT: Final = "pressure-care"
TURNED: Final = "turned"
CONFIRMED: Final = "proposal-confirmed"
DOSE: Final = "pressure-dose"
UNTURNED: Final = "time-unturned"
TELL_EVERY: Final = MINUTE
SILENT_AFTER: Final = 2 * TELL_EVERY  # a mat that has said nothing for so long: the clock goes on without it
SETTLES: Final = MINUTE  # a mat that is pressed so long after an exit: somebody is back, whatever the bed says
UNHEARD: Final = 12 * HOUR  # overdue for so long, and no word of anybody: nobody knows whether somebody lies there


class Stopped(StrEnum):
    """Why no clock runs where one ran."""

    EXIT = "exit"  # a sensor of the bed says so
    EMPTY = "empty"  # nobody has lain on the mat for as long as relief takes
    UNHEARD = "unheard"  # neither mat, nor bed, nor anybody has said a word


class Limits(msgspec.Struct, frozen=True):
    """What counts for whoever lies there: the site's limits, or their own."""

    dose: float = LIMIT  # kPa min
    turn: int = TURN_EVERY  # us


class Care(msgspec.Struct, frozen=True):
    """How somebody lies, ``at`` some instant. It is the details of the event, so times are us and names are stable."""

    at: Instant
    since: Instant | None = None  # they have lain like this; None = nobody is known to lie there
    turn_every: int = TURN_EVERY  # us; 0 = the site has no turn clock
    zone: str = ""  # the one with the largest dose
    dose: float = 0.0  # kPa min
    limit: float = LIMIT
    unknown: int = 0  # us within that dose of which nothing is known
    zones: dict[str, Dose] = {}  # those that have a dose
    mat_at: Instant | None = None  # of the newest map
    left_at: Instant | None = None  # they left the bed and have not come back, or nobody knows of anybody since
    stopped: Stopped | None = None  # and so the clock stands
    empty_at: Instant | None = None  # since when nobody lies on the mat
    heard_at: Instant = 0  # of the newest word of mat, bed or a person about whoever lies there
    mattress: str = ""  # the device
    mode: str | None = None
    mode_at: Instant | None = None
    proposal: Proposal | None = None
    confirmed_by: str = ""  # who has taken the proposal on
    command: str = ""  # what it became by that

    def clock(self) -> TurnClock | None:
        return TurnClock(self.since, self.turn_every) if self.since is not None and self.turn_every else None


class Told(msgspec.Struct, frozen=True):
    """What is to be recorded of a unit."""

    unit: str
    at: Instant
    values: dict[str, float | None]
    care: Care


class Refusal(StrEnum):
    """Why a turn is not recorded, or a proposal not confirmed."""

    NOT_A_BED = "not-a-bed"
    TURN_TOO_OLD = "turn-too-old"  # they have lain as they lie for less long
    PROPOSAL_LAPSED = "proposal-lapsed"  # or what it was based on is over
    PROPOSAL_DONE = "proposal-done"


class CareRefused(Exception):
    """What somebody wants cannot be done now."""

    def __init__(self, reason: Refusal, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def confirmable(care: Care, proposed_at: Instant, by: str, now: Instant) -> Confirmed:
    """A proposal that somebody takes on. Only this may become a command.

    Raises:
        CareRefused: it is done, or over.
    """
    proposal = care.proposal
    if proposal is None or proposal.proposed_at != proposed_at:
        if care.mode == "alternate":
            raise CareRefused(Refusal.PROPOSAL_DONE, "the mattress alternates")
        raise CareRefused(Refusal.PROPOSAL_LAPSED, "what it was based on is over")
    if care.confirmed_by:
        raise CareRefused(Refusal.PROPOSAL_DONE, f"{care.confirmed_by} has confirmed it")
    try:
        return confirm(proposal, by, now)
    except NotConfirmable as late:
        raise CareRefused(Refusal.PROPOSAL_LAPSED, str(late)) from late


class _Map(msgspec.Struct):
    """What an event says of a mat."""

    kpa: list[float | None]
    over: list[int] = []


class _Bed:
    """One unit. Each event that is read says whether it changed something that is told at once."""

    def __init__(self, known: Care | None = None) -> None:
        self.care = known or Care(0)  # as it was last told, but for what has changed since
        self.mat = DoseMap(self.care.zones, self.care.mat_at)

    def change(self, **changes: Any) -> None:
        self.care = msgspec.structs.replace(self.care, **changes)

    def feed(self, event: Event, at: Instant) -> bool:
        try:
            found = msgspec.convert(event.details, _Map)
        except msgspec.ValidationError as error:
            raise BadMap(str(error)) from error
        self.mat.feed(found.kpa, at, found.over)
        since, left_at = self.care.since, self.care.left_at
        if since is not None:
            return self._empties(since, at)
        if not self.mat.loaded or (left_at is not None and at - left_at < SETTLES):
            return False
        self._start(at)
        return True

    def _empties(self, since: Instant, at: Instant) -> bool:
        """A mat that nobody lies on for as long as relief takes: they are gone, whatever the bed does not say."""
        if not self.mat.empty:
            self.change(empty_at=None)
            return False
        empty_at = max(since, self.care.empty_at or at)
        self.change(empty_at=empty_at)
        if at - empty_at < RELIEF:
            return False
        self._stop(empty_at, Stopped.EMPTY)
        return True

    def leave(self, _event: Event, at: Instant) -> bool:
        since = self.care.since
        if since is None or at < since:
            return False  # nobody is watched there, or another sensor has said so
        self._stop(at, Stopped.EXIT)
        return True

    def unheard(self, now: Instant) -> bool:
        """Whether a clock has been stopped that nobody has said anything about for long."""
        clock = self.care.clock()
        if clock is None:
            return False
        heard_at = max(self.care.heard_at, self.care.mat_at or 0, clock.since)
        if now - max(heard_at, clock.due_at) < UNHEARD:
            return False
        self._stop(heard_at, Stopped.UNHEARD)
        return True

    def come_back(self, _event: Event, at: Instant) -> bool:
        left_at = self.care.left_at
        if left_at is None or at < left_at:
            return False
        self._start(at)
        return True

    def turn(self, _event: Event, at: Instant) -> bool:
        """Of somebody who has left the bed it starts no clock; where nobody was heard of, it is a word of them."""
        if self.care.stopped not in (Stopped.EXIT, Stopped.EMPTY):
            self.mat.reset(at)
            self._start(max(at, self.care.since or at))
        return True

    def _start(self, at: Instant) -> None:
        self.change(since=at, left_at=None, stopped=None, empty_at=None)

    def _stop(self, at: Instant, why: Stopped) -> None:
        self.mat.reset(at)
        self.change(since=None, left_at=at, stopped=why, empty_at=None)

    def set_mode(self, event: Event, at: Instant) -> bool:
        before, mode = self.care, event.details.get("mode")
        if before.mode_at is not None and at < before.mode_at:
            return False  # out of a backlog
        self.change(mattress=event.device, mode=mode if isinstance(mode, str) else None, mode_at=at)
        return (self.care.mattress, self.care.mode) != (before.mattress, before.mode)

    def take_on(self, event: Event, _at: Instant) -> bool:
        proposal = self.care.proposal
        if proposal is None or proposal.proposed_at != event.details.get("proposal"):
            return False
        self.change(confirmed_by=str(event.details.get("by", "")), command=str(event.details.get("command", "")))
        return True

    def came_to_nothing(self, failed: Callable[[str], bool]) -> bool:
        """Whether what somebody confirmed was not done: anybody may confirm it again."""
        if not self.care.command or not failed(self.care.command):
            return False
        self.change(confirmed_by="", command="")
        return True

    @property
    def lies(self) -> bool:
        """Whether there is anything to tell of every minute."""
        return self.care.since is not None or self.care.dose > 0 or self.mat.worst[1].value > 0


_READ: Final[dict[str, Callable[[_Bed, Event, Instant], bool]]] = {
    "pressure-map": _Bed.feed,
    "bed-exit": _Bed.leave,
    "bed-return": _Bed.come_back,
    "bed-occupied": _Bed.come_back,
    "mattress-state": _Bed.set_mode,
    TURNED: _Bed.turn,
    CONFIRMED: _Bed.take_on,
}
_OF_SOMEBODY: Final = frozenset({"pressure-map", "bed-exit", "bed-return", "bed-occupied", TURNED})


def _default_limits(_unit: str) -> Limits:
    return Limits()


def _none(_command: str) -> bool:
    return False


class PressureWatch:
    """Owned by one pipeline. ``known``: how each unit's bed was last told to be."""

    def __init__(
        self, known: Mapping[str, Care] | None = None, limits: Callable[[str], Limits] = _default_limits
    ) -> None:
        self._beds = {unit: _Bed(care) for unit, care in (known or {}).items()}
        self._limits = limits
        self._forgotten: set[str] = set()
        self.off: Collection[str] = ()  # derivations that the site has switched off
        self.failed: Callable[[str], bool] = _none  # whether a command has ended and was not carried out

    def take(self, unit: str, event: Event, at: Instant) -> list[Told]:
        """What an event changes; others are passed over.

        Raises:
            BadMap: it is no map of our mat.
        """
        read = _READ.get(event.name)
        if read is None or self._idle or (read is _Bed.feed and pressure_dose.NAME in self.off):
            return []
        bed = self._beds.setdefault(unit, _Bed())
        changed = read(bed, event, at)
        if event.name in _OF_SOMEBODY:
            bed.change(heard_at=max(at, bed.care.heard_at))
        due = bed.lies and at - bed.care.at >= TELL_EVERY
        return [self._tell(unit, bed, at)] if changed or due else []

    def check(self, now: Instant) -> list[Told]:
        """What the wall clock brings: time passes also while a mat is silent. Once a second is enough.

        The clock decides when something is said, never what: it is told for a full minute of the turn clock.
        """
        if self._idle:
            return []
        told = [self._tell(unit, self._beds[unit], now) for unit in sorted(self._forgotten)]
        self._forgotten.clear()
        for unit, bed in self._beds.items():
            changed = bed.came_to_nothing(self.failed)
            since = bed.care.since
            if bed.unheard(now) or changed:
                told.append(self._tell(unit, bed, now))
            elif since is not None and now - bed.care.at >= SILENT_AFTER:
                told.append(self._tell(unit, bed, now - (now - since) % TELL_EVERY))
        return told

    def forget(self, unit: str) -> None:
        """Somebody else lies there now."""
        bed = self._beds.get(unit)
        if bed is not None:
            bed.mat = DoseMap(at=bed.mat.at)
            bed.change(since=None, stopped=None, proposal=None)
            self._forgotten.add(unit)

    def turnable(self, unit: str, at: Instant) -> None:
        """Whether a turn at that time can be recorded.

        Raises:
            CareRefused: it was before the last one, or before they left the bed.
        """
        care = self.care(unit)
        if any(since is not None and at < since for since in (care.since, care.left_at)):
            raise CareRefused(Refusal.TURN_TOO_OLD, "they have lain as they lie for less long")

    def care(self, unit: str) -> Care:
        """How whoever is there lies, as it was last told but for what has changed since."""
        bed = self._beds.get(unit)
        return Care(0) if bed is None else bed.care

    @property
    def _idle(self) -> bool:
        """Whether the site wants none of it."""
        return {pressure_dose.NAME, turn_clock.NAME} <= set(self.off)

    def _tell(self, unit: str, bed: _Bed, at: Instant) -> Told:
        """Never before what was told last: a turn that is recorded late ends what is wrong now."""
        at, limits = max(at, bed.care.at), self._limits(unit)
        zone, dose = bed.mat.worst
        bed.change(
            at=at,
            turn_every=0 if turn_clock.NAME in self.off else limits.turn,
            zone=zone if dose.value > 0 else "",
            dose=round(dose.value, 1),
            limit=limits.dose,
            unknown=dose.unknown,
            zones={name: one for name, one in bed.mat.doses.items() if one.since is not None},
            mat_at=bed.mat.at,
        )
        self._propose(bed, zone, dose)
        care = bed.care
        values: dict[str, float | None] = {}
        if pressure_dose.NAME not in self.off:
            values[DOSE] = care.dose
        if care.turn_every:
            values[UNTURNED] = 0.0 if care.since is None else round((at - care.since) / MINUTE, 1)
        return Told(unit, at, values, care)

    def _propose(self, bed: _Bed, zone: str, dose: Dose) -> None:
        """A proposal stands until it lapses or what it was based on is over."""
        care, clock = bed.care, bed.care.clock()
        wanted = None
        if clock is not None:
            wanted = propose(zone, dose, clock, care.mode, care.at, care.limit)
        if wanted is None:
            bed.change(proposal=None, confirmed_by="", command="")
        elif care.proposal is None or care.at >= care.proposal.lapses_at:
            bed.change(proposal=wanted, confirmed_by="", command="")
