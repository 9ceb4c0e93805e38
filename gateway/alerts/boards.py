"""Boards that can make no sound while somebody must be called: told to whoever looks after the patient.

A browser makes no sound before somebody has pressed once, and anybody may mute a screen. That is seen on the screen
itself at once; here it becomes an alert when it has lasted, and only while a high alert calls there: else nothing is
missed. The alert's unit is the one nobody hears, so its ladder asks the people of that place, and reminds them.
"""

from collections.abc import Callable, Iterable
from typing import Final

from gateway.alerts.alert import UNSEEN, Alert
from gateway.alerts.book import AlertBook, Transition
from gateway.alerts.place import Place
from gateway.contract.envelope import Instant
from gateway.contract.quantity import MINUTE, SECOND
from gateway.ports import MuteBoard
from gateway.rules.catalogue import CATALOGUE
from gateway.rules.hold import Edge
from gateway.rules.row import Priority
from gateway.rules.threshold import Finding

BOARD_MUTE: Final = "board-mute"
PATIENCE: Final = 2 * MINUTE  # as long as an audio pause of a monitor usually lasts: project default


class BoardWatch:
    """Beside the book, whose open alerts tell what it has raised: a restart forgets nothing."""

    def __init__(self, book: AlertBook, place_of: Callable[[str], Place | None]) -> None:
        """``place_of``: of a unit; None when it is not registered any more."""
        self._book = book
        self._place_of = place_of
        self._looked_at: Instant = 0

    def check(self, mute: Callable[[], Iterable[MuteBoard]], now: Instant) -> list[Transition]:
        """The alerts that begin and end; looks about once a second."""
        if abs(now - self._looked_at) < SECOND:  # abs: also after the wall clock was set back
            return []
        self._looked_at = now
        open_alerts = self._book.open
        standing = {alert.subject: alert for alert in open_alerts if alert.rule == BOARD_MUTE}
        unheard = {
            _subject(board): (board, alert)
            for board in mute()
            if now - board.since >= PATIENCE and (alert := self._first_called(board, open_alerts)) is not None
        }
        findings = [
            _finding(board, alert, now) for subject, (board, alert) in unheard.items() if subject not in standing
        ]
        findings += [
            Finding(CATALOGUE[BOARD_MUTE], Edge.CLEAR, subject, alert.unit, None, now)
            for subject, alert in sorted(standing.items())
            if subject not in unheard
        ]
        return [made for found in findings if (made := self._book.apply(found, now)) is not None]

    def _first_called(self, board: MuteBoard, alerts: Iterable[Alert]) -> Alert | None:
        """The oldest high alert that would sound there."""
        calling = (one for one in alerts if one.priority is Priority.HIGH and one.state in UNSEEN and not one.muted)
        return next((one for one in calling if one.unit and self._shows(board, one.unit)), None)

    def _shows(self, board: MuteBoard, unit: str) -> bool:
        place = self._place_of(unit)
        return place is not None and (board.sites is None or place.site in board.sites)


def _subject(board: MuteBoard) -> str:
    return f"board/{board.account}"


def _finding(board: MuteBoard, unheard: Alert, now: Instant) -> Finding:
    """Of practice while only practice goes unheard."""
    why = f"no sound at {board.account} for {(now - board.since) // MINUTE} min"
    return Finding(
        CATALOGUE[BOARD_MUTE], Edge.RAISE, _subject(board), unheard.unit, None, now,
        details={"why": why, "alert": unheard.id}, simulated=unheard.simulated,
    )  # fmt: skip
