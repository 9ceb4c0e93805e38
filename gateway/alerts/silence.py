"""A person's silence: matching alerts stay visible, tell nobody, and for a day at most. Lethal ones it never covers.

It silences notices of this gateway. No sound of a bedside device is ever switched off from here.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

import msgspec

from gateway.alerts.alert import Alert
from gateway.alerts.policy import is_lethal
from gateway.contract.envelope import Instant
from gateway.contract.quantity import HOUR, MINUTE

LONGEST: Final = 24 * HOUR
SHORTEST: Final = MINUTE
GATEWAY: Final = "gateway"  # who ends a silence that runs out


class Refusal(StrEnum):
    """Why a silence does not begin, or cannot be ended."""

    LETHAL = "lethal-alert"
    TOO_LONG = "too-long"
    NOT_ON = "not-on"


class SilenceRefused(Exception):
    """What a person asked for cannot be done."""

    def __init__(self, reason: Refusal, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class Silence(msgspec.Struct, frozen=True, kw_only=True):
    """A row of table ``silence``."""

    id: str
    unit: str
    subject: str  # "" = everything of the unit
    rule: str  # "" = every rule that is not lethal
    reason: str  # as the person typed it
    author: str
    role: str
    created_at: Instant
    expires_at: Instant
    ended_at: Instant | None = None
    ended_by: str | None = None

    def covers(self, alert: Alert, now: Instant) -> bool:
        """Whether it mutes the alert now."""
        return (
            self.ended_at is None
            and now < self.expires_at
            and alert.unit == self.unit
            and self.subject in ("", alert.subject)
            and self.rule in ("", alert.rule)
            and not is_lethal(alert.rule)
        )


class SilenceDesk:
    """The silences that are on. Owned by one pipeline; ``changes`` collect what the next commit must write."""

    def __init__(self, known: Iterable[Silence] = ()) -> None:
        self._on = {silence.id: silence for silence in known}
        self._changes: list[Silence] = []
        self.version = 0  # counts changes

    @property
    def on(self) -> list[Silence]:
        return list(self._on.values())

    def start(self, wanted: Silence) -> Silence:
        """Begins a silence.

        Raises:
            SilenceRefused: it names a lethal rule, or lasts too long.
        """
        if is_lethal(wanted.rule):
            raise SilenceRefused(Refusal.LETHAL, f"{wanted.rule} cannot be silenced: look at the patient")
        if not SHORTEST <= wanted.expires_at - wanted.created_at <= LONGEST:
            raise SilenceRefused(Refusal.TOO_LONG, f"a silence lasts from one minute to {LONGEST // HOUR} hours")
        self._keep(wanted)
        return wanted

    def end(self, id: str, actor: str, now: Instant) -> Silence:
        """Ends one before its time.

        Raises:
            SilenceRefused: it is not on.
        """
        silence = self._on.get(id)
        if silence is None:
            raise SilenceRefused(Refusal.NOT_ON, "this silence is over")
        return self._end(silence, now, actor)

    def advance(self, now: Instant) -> None:
        """Ends what has run out."""
        for silence in [silence for silence in self._on.values() if now >= silence.expires_at]:
            self._end(silence, silence.expires_at, GATEWAY)

    def covering(self, alert: Alert, now: Instant) -> Silence | None:
        """The silence that mutes an alert; the oldest if there are several."""
        found = [silence for silence in self._on.values() if silence.covers(alert, now)]
        return min(found, key=lambda silence: (silence.created_at, silence.id)) if found else None

    def take_changes(self) -> list[Silence]:
        """What the next commit must write."""
        changes, self._changes = self._changes, []
        return changes

    def _end(self, silence: Silence, at: Instant, actor: str) -> Silence:
        ended = msgspec.structs.replace(silence, ended_at=at, ended_by=actor)
        self._keep(ended)
        return ended

    def _keep(self, silence: Silence) -> None:
        if silence.ended_at is None:
            self._on[silence.id] = silence
        else:
            del self._on[silence.id]
        self._changes.append(silence)
        self.version += 1
