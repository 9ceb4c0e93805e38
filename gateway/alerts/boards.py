"""Boards that can make no sound while somebody must be called: told to whoever looks after the patient.

A browser makes no sound before somebody has pressed once, and anybody may mute a screen. That is seen on the screen
itself at once; here it becomes an alert when it has lasted, and only while a high alert calls there: else nothing is
missed. The alert's unit is the one nobody hears, so its ladder asks the people of that place, and reminds them. When
another unit is the one nobody hears, or earnest goes unheard beside practice, it is another alert.
"""

from collections.abc import Callable, Iterable
from typing import Final

from gateway.alerts.alert import UNSEEN, Alert
from gateway.alerts.book import AlertBook, Transition
from gateway.alerts.place import Place
from gateway.contract.envelope import Instant
from gateway.contract.quantity import MINUTE, SECOND
from gateway.ports import MuteBoard
from gateway.rules.hold import Edge
from gateway.rules.row import Priority, Row
from gateway.rules.ruleset import Ruleset
from gateway.rules.threshold import Finding

BOARD_MUTE: Final = "board-mute"
PATIENCE: Final = 2 * MINUTE  # as long as an audio pause of a monitor usually lasts: project default


class BoardWatch:
    """Beside the book, whose open alerts tell what it has raised: a restart forgets nothing."""

    def __init__(self, book: AlertBook, place_of: Callable[[str], Place | None], ruleset: Ruleset) -> None:
        """``place_of``: of a unit; None when it is not registered any more."""
        self._book = book
        self._place_of = place_of
        self._ruleset = ruleset
        self._looked_at: Instant = 0

    def check(self, mute: Callable[[], Iterable[MuteBoard]], now: Instant) -> list[Transition]:
        """The alerts that begin and end; looks about once a second."""
        if abs(now - self._looked_at) < SECOND:  # abs: also after the wall clock was set back
            return []
        self._looked_at = now
        told = {alert.subject: alert for alert in self._book.open if alert.rule == BOARD_MUTE}
        unheard = self._unheard(mute(), told, now) if self._is_wanted(now) else {}
        kept = {subject for subject, (_, alert) in unheard.items() if _is_about(told.get(subject), alert)}
        findings = [
            Finding(self._row, Edge.CLEAR, subject, alert.unit, None, now)
            for subject, alert in sorted(told.items())
            if subject not in kept
        ]
        findings += [self._finding(*unheard[subject], now) for subject in sorted(unheard.keys() - kept)]
        return [made for found in findings if (made := self._book.apply(found, now)) is not None]

    @property
    def _row(self) -> Row:
        return self._ruleset.rows[BOARD_MUTE]

    def _is_wanted(self, now: Instant) -> bool:
        """Whether the site wants to be told of it, at this hour."""
        hours = self._row.hours
        return self._row.enabled and (hours is None or hours.open(now, self._ruleset.utc_offset))

    def _unheard(
        self, mute: Iterable[MuteBoard], told: dict[str, Alert], now: Instant
    ) -> dict[str, tuple[MuteBoard, Alert]]:
        """By subject each board that has been mute for long enough, and the alert nobody hears there."""
        calling = [
            one
            for one in self._book.open
            if one.priority is Priority.HIGH and one.state in UNSEEN and not one.muted and one.rule != BOARD_MUTE
        ]
        return {
            _subject(board): (board, alert)
            for board in mute
            if now - board.since >= PATIENCE
            if (alert := self._first_called(board, calling, told.get(_subject(board)))) is not None
        }

    def _first_called(self, board: MuteBoard, calling: Iterable[Alert], told: Alert | None) -> Alert | None:
        """Of the alerts that would sound there: in earnest before practice, then of the unit told, then the oldest."""
        here = (one for one in calling if one.unit and self._shows(board, one.unit))
        return min(here, key=lambda one: (one.simulated, told is None or one.unit != told.unit), default=None)

    def _shows(self, board: MuteBoard, unit: str) -> bool:
        place = self._place_of(unit)
        return place is not None and (board.sites is None or place.site in board.sites)

    def _finding(self, board: MuteBoard, unheard: Alert, now: Instant) -> Finding:
        """Of practice while only practice goes unheard."""
        why = f"no sound at {board.account} for {(now - board.since) // MINUTE} min"
        return Finding(
            self._row, Edge.RAISE, _subject(board), unheard.unit, None, now,
            details={"why": why, "alert": unheard.id, "rules_version": self._ruleset.version},
            simulated=unheard.simulated,
        )  # fmt: skip


def _subject(board: MuteBoard) -> str:
    return f"board/{board.account}"


def _is_about(told: Alert | None, unheard: Alert) -> bool:
    """Whether the alert of the board tells of the place that goes unheard, and as what it is."""
    return told is not None and (told.unit, told.simulated) == (unheard.unit, unheard.simulated)
