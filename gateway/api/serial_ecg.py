"""12-lead ECGs of one person beside each other, found in stored signal and measured when somebody asks.

*Serial*: the first of the same ride that can be measured, and those before the one that is looked at. *Prior*: the
newest from before the ride, of any unit that spoke for the person. Nothing is stored: a late binding, a correction or
a new version of the measurement changes at once what is compared (docs/adr/0028).
"""

from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from itertools import islice
from typing import Final

import msgspec
from sqlalchemy import Connection

from gateway.api.care_ports import Subjects
from gateway.api.ports import History, Segment, Sites
from gateway.contract.envelope import Instant
from gateway.contract.quantity import HOUR, MINUTE, SECOND
from gateway.derive.ecg.median_beat import MedianBeat
from gateway.derive.ecg.st import examine
from gateway.derive.ecg.st_gate import SECONDS
from gateway.derive.ecg.st_report import StReport
from gateway.derive.ecg.st_serial import Comparison, compare
from gateway.derive.ecg.stored_window import NEAR, whole_windows, window_before
from gateway.derive.ecg.twelve_lead_window import EVERY, TwelveLeads

WINDOW: Final = round(SECONDS * SECOND)
LONGEST_RIDE: Final = 12 * HOUR  # a bed's patient is not compared with the day they came, but with the last half day
PREVIOUS: Final = 2
PRIOR_REACH: Final = 24 * HOUR  # how far back from the end of each time a device spoke for the person
PIECE: Final = 2 * MINUTE  # of signal that is read at once ...
MOST_PIECES: Final = 8  # ... and how often for each question: what one request may cost


class Which(StrEnum):
    """What an earlier ECG is to the one that is looked at."""

    PREVIOUS = "previous"
    FIRST = "first"
    PRIOR = "prior"


class NoEcg(StrEnum):
    """Why there is none, beside the reasons of the measurement's gate."""

    NO_SIGNAL = "no-signal"
    NOBODY_BOUND = "nobody-bound"


class Ecg(msgspec.Struct, frozen=True):
    """10 s of stored signal as they were measured. ``beat``: None when the report says why there is none."""

    unit: str
    device: str
    start_at: Instant
    end_at: Instant
    report: StReport
    beat: MedianBeat | None


class Earlier(msgspec.Struct, frozen=True):
    which: Which
    ecg: Ecg
    comparison: Comparison


class Serial(msgspec.Struct, frozen=True):
    """``earlier``: newest first. ``absent``: what there is none of, and why."""

    subject: str | None
    ride_from: Instant
    now: Ecg
    earlier: tuple[Earlier, ...]
    absent: dict[Which, str]


class Place(msgspec.Struct, frozen=True):
    """A stretch of time in which a device may have stored 12 leads."""

    unit: str
    device: str
    start_at: Instant
    end_at: Instant


class SerialEcgs:
    """Answers one question on one connection. Reads from disk and measures for up to a second: not on the loop."""

    def __init__(self, connection: Connection, history: History, subjects: Subjects) -> None:
        self._db = connection
        self._history = history
        self._subjects = subjects

    def of(self, unit: str, device: str, at: Instant, scope: Sites) -> Serial:
        """The ECG of the 10 s before ``at``, beside earlier ones within the scope."""
        signal = self._signal(Place(unit, device, at - WINDOW - NEAR, at))
        now = self._measured(unit, device, window_before(signal, at), at)
        practice = any(one.practice for one in signal)
        whose = self._subjects.bound(self._db, unit, device, at - 1)  # whose its last moment was
        subject, begin = whose["subject"], max(whose["start_at"], at - LONGEST_RIDE)
        found, absent = self._of_ride(now, subject, begin, lambda one: one.practice == practice)
        if subject is None:
            absent[Which.PRIOR] = NoEcg.NOBODY_BOUND
        elif isinstance(prior := self._prior(subject, scope, begin), Ecg):
            found.append((Which.PRIOR, prior))
        else:
            absent[Which.PRIOR] = prior
        earlier = tuple(Earlier(which, ecg, compare(now.report, ecg.report)) for which, ecg in found)
        return Serial(subject, begin, now, earlier, absent)

    # ---- which

    def _of_ride(
        self, now: Ecg, subject: str | None, begin: Instant, fits: Callable[[Segment], bool]
    ) -> tuple[list[tuple[Which, Ecg]], dict[Which, str]]:
        """The previous ones, newest first, then the first, which is none of them."""
        found: list[tuple[Which, Ecg]] = []
        rows = self._subjects.chest_leads(self._db, now.unit, now.device, begin, now.end_at - EVERY)
        ride = [Place(now.unit, row["device"], row["start_at"], row["end_at"]) for row in rows]
        first = self._fit(_pieces(reversed(ride)), subject, fits, newest=False)
        if not isinstance(first, Ecg):
            return found, {Which.PREVIOUS: first, Which.FIRST: first}
        before = now.end_at - EVERY
        while len(found) < PREVIOUS:
            one = self._fit(_pieces_back(ride, first.end_at, before), subject, fits, newest=True)
            if not isinstance(one, Ecg):
                break
            found.append((Which.PREVIOUS, one))
            before = one.end_at - EVERY
        absent: dict[Which, str] = {} if found else {Which.PREVIOUS: NoEcg.NO_SIGNAL}
        return [*found, (Which.FIRST, first)], absent

    def _prior(self, subject: str, scope: Sites, before: Instant) -> Ecg | str:
        return self._fit(
            _pieces_back(self._places_of(subject, scope, before), 0, before), subject,
            lambda one: not one.practice, newest=True,
        )  # fmt: skip

    def _places_of(self, subject: str, scope: Sites, before: Instant) -> Iterator[Place]:
        """Where the person's ECG may lie, newest first."""
        for span in self._subjects.spans(self._db, subject, scope, before):
            start = max(span["start_at"], span["end_at"] - PRIOR_REACH)
            for row in self._subjects.chest_leads(self._db, span["unit"], span["device"], start, span["end_at"]):
                yield Place(span["unit"], row["device"], row["start_at"], row["end_at"])

    # ---- reading and measuring

    def _fit(
        self, pieces: Iterable[Place], subject: str | None, fits: Callable[[Segment], bool], *, newest: bool
    ) -> Ecg | str:
        """The first or the newest that can be measured and is the person's, or why there is none."""
        why: str = NoEcg.NO_SIGNAL
        for piece in islice(pieces, MOST_PIECES):
            windows = list(whole_windows(one for one in self._signal(piece) if fits(one)))
            for window in reversed(windows) if newest else windows:
                if self._subjects.bound(self._db, piece.unit, piece.device, window.start)["subject"] != subject:
                    continue
                ecg = self._measured(piece.unit, piece.device, window, piece.end_at)
                if ecg.beat is not None:
                    return ecg
                why = ecg.report.refused[0]
        return why

    def _signal(self, place: Place) -> list[Segment]:
        return list(self._history.waveform(self._db, place.unit, place.device, place.start_at, place.end_at, None))

    @staticmethod
    def _measured(unit: str, device: str, window: TwelveLeads | None, at: Instant) -> Ecg:
        if window is None:
            return Ecg(unit, device, at - WINDOW, at, StReport(0.0, 0.0, None, (NoEcg.NO_SIGNAL,)), None)
        report, beat = examine(window.leads, window.fs, window.low_cut_hz)
        end = window.start + round(report.seconds * SECOND)
        return Ecg(unit, device, window.start, end, report, beat)


def _pieces(places: Iterable[Place]) -> Iterator[Place]:
    """Places, oldest first, in pieces that are read at once."""
    for place in places:
        for start in range(place.start_at, place.end_at, PIECE):
            yield msgspec.structs.replace(place, start_at=start, end_at=min(start + PIECE, place.end_at))


def _pieces_back(places: Iterable[Place], start: Instant, end: Instant) -> Iterator[Place]:
    """The pieces of what lies between, newest first within each place."""
    for place in places:
        first, last = max(place.start_at, start), min(place.end_at, end)
        for stop in range(last, first, -PIECE):
            yield msgspec.structs.replace(place, start_at=max(stop - PIECE, first), end_at=stop)
