"""Reads the marks of sessions out of a kiosk's records, and knows which session may have run out. Pure.

Whose reading is whose is not copied into anything: it is found when somebody asks, by unit, device and event time.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from gateway.admit import Admitted
from gateway.care.sitting import USE_STEP, Kind, Mark
from gateway.contract.envelope import MAX_SEQ, Instant
from gateway.contract.identity import AssociationSource
from gateway.contract.observation import Event, Observation
from gateway.contract.quantity import MINUTE, QUANTITIES
from gateway.contract.topic import UnitKind
from gateway.fleet import GATEWAY_DEVICE
from gateway.ports import RecordFlag

DEFAULT_IDLE: Final = 5 * MINUTE
START_EVENTS: Final = frozenset({"session-start", "person-identified"})
END_EVENT: Final = "session-end"
_PSEUDONYM: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,35}")
_OF_A_PERSON: Final = frozenset(name for name, row in QUANTITIES.items() if row.loinc) - {"ambient-temperature"}
_NO_USE: Final = RecordFlag.SERVICE
_SOURCES: Final = {"card": AssociationSource.CARD, "qr": AssociationSource.QR}


class SessionWork(msgspec.Struct, frozen=True):
    """What the writer must fold anew with this commit: units with new marks, and those whose time may be over."""

    marks: dict[str, list[Mark]]
    due: list[str]
    idle: int
    now: Instant


class SessionWatch:
    """Owned by one pipeline. ``deadlines``: unit to the time its open session is given up."""

    def __init__(self, idle: int = DEFAULT_IDLE, deadlines: Mapping[str, Instant] | None = None) -> None:
        self._idle = idle
        self._deadlines = dict(deadlines or {})
        self._used: dict[str, int] = {}  # unit: the newest step its use was noted in
        self._marks: dict[str, list[Mark]] = {}
        self._due: list[str] = []

    def take(self, record: Admitted) -> None:
        """Notes what a record means for its unit's session; only health kiosks have sessions."""
        address, body = record.route.address, record.body
        if address.kind is not UnitKind.HEALTH_KIOSK or body.device == GATEWAY_DEVICE:
            return
        mark = self._of_event(record, body) if isinstance(body, Event) else self._of_use(record)
        if mark is not None:
            self._marks.setdefault(address.unit, []).append(mark)
            # Never too late: should the session last longer, the fold says so and the next mark moves this on.
            deadline = record.received_at + USE_STEP + self._idle
            self._deadlines[address.unit] = max(deadline, self._deadlines.get(address.unit, 0))

    def check(self, now: Instant) -> None:
        """Finds the units whose session may have run out."""
        for unit, deadline in list(self._deadlines.items()):
            if now >= deadline:
                self._due.append(unit)
                del self._deadlines[unit]

    def take_work(self, now: Instant) -> SessionWork | None:
        """What the next commit must fold."""
        if not self._marks and not self._due:
            return None
        work = SessionWork(self._marks, [unit for unit in self._due if unit not in self._marks], self._idle, now)
        self._marks, self._due = {}, []
        return work

    def _of_event(self, record: Admitted, body: Event) -> Mark | None:
        if body.name == END_EVENT:
            return Mark(Kind.END, record.event_at, record.received_at, number=_number(body.details))
        if body.name not in START_EVENTS:
            return None
        identity = read_identity(body.details)
        return Mark(Kind.START, record.event_at, record.received_at, *identity, _number(body.details))

    def _of_use(self, record: Admitted) -> Mark | None:
        """A measurement of a person; a battery's charge is no use."""
        body, unit = record.body, record.route.address.unit
        if body.test or record.flags & _NO_USE:
            return None
        if isinstance(body, Observation) and not any(
            value is not None and name in _OF_A_PERSON for name, value in body.values.items()
        ):
            return None
        step = record.event_at // USE_STEP
        if self._used.get(unit) == step:
            return None
        self._used[unit] = step
        return Mark(Kind.USE, record.event_at, record.received_at)


def read_identity(details: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Pseudonym and source of an identification; no pseudonym when what was read is not one."""
    subject, source = details.get("subject"), details.get("source")
    known = isinstance(subject, str) and _PSEUDONYM.fullmatch(subject) is not None
    found = _SOURCES.get(source, AssociationSource.PROPOSED) if isinstance(source, str) else AssociationSource.PROPOSED
    return (str(subject), str(found)) if known else (None, None)


def _number(details: Mapping[str, Any]) -> int | None:
    """The kiosk's own number of its session."""
    number = details.get("session")
    return number if type(number) is int and 0 <= number < MAX_SEQ else None
