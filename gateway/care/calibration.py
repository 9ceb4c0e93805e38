"""Devices whose calibration falls due: told a week before, and again on the day. Pure, on processing time.

Looked at when a day begins (UTC) and when the dates have changed, not with every tick.
"""

from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from gateway.contract.envelope import Instant
from gateway.contract.quantity import HOUR
from gateway.rules.catalogue import CATALOGUE
from gateway.rules.hold import Edge
from gateway.rules.threshold import Finding

DAY: Final = 24 * HOUR
NOTICE_DAYS: Final = 7
CODE: Final = "calibration-due"
_SUBJECT: Final = "calibration/"


class Due(msgspec.Struct, frozen=True):
    """A device and the day (midnight UTC, us) its calibration runs out."""

    unit: str
    device: str
    at: Instant

    def subject(self, now: Instant) -> str | None:
        """What there is to tell now: that it comes near, that it has come, or nothing yet."""
        if now < self.at - NOTICE_DAYS * DAY:
            return None
        return f"{_SUBJECT}{self.unit}/{self.device}/{'due' if now >= self.at else 'soon'}"


class CalibrationWatch:
    """The due dates of the fleet. ``raised``: subjects of the alerts that are open."""

    def __init__(self, raised: Iterable[str] = ()) -> None:
        self._raised = {subject for subject in raised if subject.startswith(_SUBJECT)}
        self._dues: frozenset[Due] = frozenset()
        self._checked: int | None = None  # day
        self._known = False  # whether the dates have been told since the start

    def set_dues(self, dues: Iterable[Due]) -> None:
        """The dates as they are now; the next check looks at them when they have changed."""
        found = frozenset(dues)
        if found != self._dues or not self._known:
            self._dues, self._known, self._checked = found, True, None

    def judge_anew(self, subjects: Iterable[str]) -> None:
        """Their alerts were practice and have ended with it; what of them is due is raised with the next check."""
        ended = self._raised.intersection(subjects)
        if ended:
            self._raised -= ended
            self._checked = None

    def check(self, now: Instant, simulated: Callable[[str], bool | None]) -> list[Finding]:
        """What begins and ends to be due. ``simulated``: whether a unit is not live; None = not registered."""
        day = now // DAY
        if not self._known or day == self._checked:
            return []
        self._checked = day
        about = {due.unit: simulated(due.unit) for due in self._dues}
        wanted = {
            subject: due
            for due in self._dues
            if about[due.unit] is not None and (subject := due.subject(now)) is not None
        }
        ended = [_finding(subject, now, False) for subject in sorted(self._raised - set(wanted))]
        raised = [
            _finding(subject, now, bool(about[due.unit]), due)
            for subject, due in sorted(wanted.items())
            if subject not in self._raised
        ]
        self._raised = set(wanted)
        return ended + raised


def _finding(subject: str, now: Instant, simulated: bool, due: Due | None = None) -> Finding:
    _, unit, device, _ = subject.split("/")
    edge = Edge.RAISE if due else Edge.CLEAR
    details = {"due_at": due.at} if due else {}
    return Finding(CATALOGUE[CODE], edge, subject, unit, device, now, details=details, simulated=simulated)
