"""The windows that are on: opening, ending, expiring; which record falls into one. Pure: times are arguments."""

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from gateway.admit import OLDEST_BACKLOG
from gateway.care.window import (
    LONGEST,
    SHORTEST,
    Refusal,
    ServiceWindow,
    State,
    WindowChange,
    WindowRefused,
)
from gateway.contract.envelope import Instant
from gateway.contract.quantity import HOUR

REMEMBERED: Final = OLDEST_BACKLOG  # how late a record may come and still be found to be from a window
GATEWAY: Final = "gateway"  # who ends a window that runs out


class ServiceDesk:
    """Owned by one pipeline; nothing else changes a window."""

    def __init__(self, known: Iterable[ServiceWindow] = ()) -> None:
        """``known``: those that are on, and those that ended within ``REMEMBERED``."""
        self._on: dict[tuple[str, str], ServiceWindow] = {}  # (unit, device): the one that is on
        self._over: dict[tuple[str, str], list[ServiceWindow]] = {}  # those that ended, oldest first
        self.units: set[str] = set()  # that have any of them: of all others no record can fall into one
        self._changes: list[WindowChange] = []
        for window in sorted(known, key=lambda window: window.started_at):
            self._keep(window)

    # ---- what people do ---------------------------------------------------------------------------------------------

    def start(self, wanted: ServiceWindow) -> ServiceWindow:
        """Opens a window.

        Raises:
            WindowRefused: it lasts too long, or one is on there already.
        """
        lasts = wanted.expires_at - wanted.started_at
        if not SHORTEST <= lasts <= LONGEST[wanted.mode]:
            hours = LONGEST[wanted.mode] // HOUR
            raise WindowRefused(Refusal.TOO_LONG, f"{wanted.mode} lasts from one minute to {hours} hours")
        present = self.on(wanted.unit, wanted.device)
        if present is not None:
            raise WindowRefused(Refusal.ALREADY_ON, f"{present.mode} is on already, by {present.started_by}: end it")
        self._note(wanted, wanted.started_at, wanted.started_by)
        return wanted

    def end(self, unit: str, device: str, actor: str, now: Instant) -> ServiceWindow:
        """Ends what is on at a device or unit.

        Raises:
            WindowRefused: nothing is on there.
        """
        window = self.on(unit, device)
        if window is None:
            raise WindowRefused(Refusal.NOT_ON, "nothing is on there")
        return self._end(window, State.ENDED, now, actor)

    # ---- what time does ---------------------------------------------------------------------------------------------

    def advance(self, now: Instant) -> None:
        """Ends what has run out."""
        for window in [window for window in self._on.values() if now >= window.expires_at]:
            self._end(window, State.EXPIRED, window.expires_at, GATEWAY)

    # ---- who asks ---------------------------------------------------------------------------------------------------

    def on(self, unit: str, device: str) -> ServiceWindow | None:
        """What is on at a device, or (device "") the unit's training."""
        return self._on.get((unit, device))

    def during(self, unit: str, device: str, at: Instant) -> ServiceWindow | None:
        """The window an instant of a device (or unit) falls into, on or over."""
        place = (unit, device)
        present = self._on.get(place)
        if present is not None and present.covers(at):
            return present
        return next((window for window in reversed(self._over.get(place, ())) if window.covers(at)), None)

    @property
    def resting(self) -> set[tuple[str, str]]:
        """(unit, device) of every device in service mode now."""
        return {place for place in self._on if place[1]}

    def devices(self, unit: str) -> dict[str, dict[str, Any]]:
        """The unit's devices in service mode as screens are told of them."""
        return {
            window.device: {"mode": str(window.mode), "started_at": window.started_at, "expires_at": window.expires_at}
            for window in self._on.values()
            if window.unit == unit and window.device
        }

    def training(self, unit: str) -> dict[str, Any] | None:
        """The unit's training as screens are told of it."""
        window = self.on(unit, "")
        return {"started_at": window.started_at, "expires_at": window.expires_at} if window else None

    def take_changes(self) -> list[WindowChange]:
        """What the next commit must write."""
        changes, self._changes = self._changes, []
        return changes

    @property
    def changed(self) -> list[WindowChange]:
        """What has changed and is not taken yet."""
        return list(self._changes)

    def _end(self, window: ServiceWindow, state: State, at: Instant, actor: str) -> ServiceWindow:
        ended = msgspec.structs.replace(window, state=state, ended_at=at, ended_by=actor)
        self._note(ended, at, actor)
        return ended

    def _note(self, window: ServiceWindow, at: Instant, actor: str) -> None:
        self._keep(window)
        self._changes.append(WindowChange(window, at, actor))

    def _keep(self, window: ServiceWindow) -> None:
        place = (window.unit, window.device)
        self.units.add(window.unit)
        if window.ended_at is None:
            self._on[place] = window
            return
        self._on.pop(place, None)
        young = [one for one in self._over.get(place, ()) if one.covers_after(window.ended_at - REMEMBERED)]
        self._over[place] = [*young, window]
