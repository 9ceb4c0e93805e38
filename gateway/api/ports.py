"""What the API asks of the rest of the gateway. Adapters implement these; the API imports none of them.

Functions that take a ``connection`` read or write inside the caller's transaction; a module of plain functions fits a
protocol here as well as an object does. ``sites`` is a site scope: ``None`` means every site.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from sqlalchemy import Connection

from gateway.commands.command import RemoteCommand
from gateway.contract.envelope import Instant
from gateway.derive.ecg.stored_window import Stretch

ALL_SITES = "*"
Sites = frozenset[str] | None


class Role(StrEnum):
    """What a person may do; `gateway.api.permissions` has the table."""

    DOCTOR = "doctor"
    NURSE = "nurse"
    DISPATCHER = "dispatcher"
    OPS = "ops"
    ADMIN = "admin"


def scope_of(sites: Collection[str]) -> Sites:
    """The site scope a list of site ids stands for; ``["*"]`` is every site."""
    return None if ALL_SITES in sites else frozenset(sites)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who makes a request, found by the session cookie."""

    name: str
    role: Role
    sites: tuple[str, ...]  # ("*",) = all
    session: str  # SHA-256 hex of the cookie's secret
    must_change_password: bool = False  # signed in with the one-time secret of the first start

    @property
    def scope(self) -> Sites:
        return scope_of(self.sites)


@dataclass(frozen=True, slots=True)
class DemoLogin:
    """The ready login of the demo, shown on the sign-in page; a demo listens on loopback only."""

    username: str
    password: str


@dataclass(frozen=True, slots=True)
class Account:
    """A row of table ``account``."""

    name: str
    password_hash: str
    role: Role
    sites: tuple[str, ...]
    created_at: Instant
    disabled_at: Instant | None
    must_change_password: bool


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Full state of the live feed, as JSON-ready dictionaries (UnitState and Alert of the live feed)."""

    units: Sequence[dict[str, Any]]
    alerts: Sequence[dict[str, Any]]


class IllegalTransition(Exception):
    """The alert cannot do this in its present state."""

    def __init__(self, state: str, owner: str | None = None) -> None:
        super().__init__(f"not possible while the alert is {state}")
        self.state = state
        self.owner = owner  # who has acknowledged it


class AlertNotFound(Exception):
    """No alert has this id."""


class Alerts(Protocol):
    """The one place that changes alerts."""

    async def acknowledge(self, alert_id: str, actor: str) -> dict[str, Any]:
        """The alert after ``actor`` acknowledged it, committed.

        Raises:
            AlertNotFound: no such alert.
            IllegalTransition: it is resolved, or acknowledged already.
        """
        ...


class Commands(Protocol):
    """The one place that takes remote commands."""

    async def request(self, wanted: RemoteCommand) -> RemoteCommand:
        """The command, committed; it is sent and answered later.

        Raises:
            CommandConflict: it cannot be taken now.
        """
        ...


class Accounts(Protocol):
    """Accounts and their sessions."""

    def find(self, connection: Connection, name: str) -> Account | None: ...

    def every(self, connection: Connection) -> list[Account]: ...

    def create(self, connection: Connection, account: Account) -> bool:
        """Adds it; false when the name is taken."""
        ...

    def save(self, connection: Connection, account: Account) -> None:
        """Writes hash, role, sites and disabling; closes all its sessions, so that none keeps old rights."""
        ...

    def open_session(self, connection: Connection, id_hash: str, name: str, now: Instant, expires_at: Instant) -> None:
        """Adds a session and forgets those that expired."""
        ...

    def close_session(self, connection: Connection, id_hash: str) -> None: ...

    def actor(self, connection: Connection, id_hash: str, now: Instant) -> Actor | None:
        """The person behind a session that is neither expired nor of a disabled account."""
        ...

    def live_sessions(self, connection: Connection, id_hashes: Collection[str], now: Instant) -> set[str]:
        """Those of ``id_hashes`` that still identify somebody."""
        ...


class AuditTrail(Protocol):
    """Append-only, hash-chained log of what people did."""

    def append(
        self, connection: Connection, at: Instant, actor: str, action: str, target: str, details: dict[str, Any]
    ) -> None: ...


Row = dict[str, Any]
"""A row as the API's schema names it; the response model checks it."""


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which page of a list: ``limit`` rows after the position ``after`` (the last row of the page before)."""

    limit: int
    after: tuple[int, str] | None = None  # (time or number, id) of the sort key


class Registry(Protocol):
    """Sites, units and devices."""

    def sites(self, connection: Connection, scope: Sites) -> list[Row]: ...

    def units(self, connection: Connection, scope: Sites, site: str | None = None) -> list[Row]: ...

    def unit(self, connection: Connection, unit: str, scope: Sites) -> Row | None: ...

    def devices(self, connection: Connection, unit: str) -> list[Row]: ...


class CommandReads(Protocol):
    """Remote commands as rows, newest first."""

    def commands(self, connection: Connection, unit: str, page: PageRequest, *, open_only: bool) -> list[Row]: ...

    def command(self, connection: Connection, unit: str, command_id: str) -> Row | None: ...


class People(Protocol):
    """People and which device speaks for whom."""

    def people(self, connection: Connection, scope: Sites, page: PageRequest) -> list[Row]: ...

    def person(self, connection: Connection, person: str, scope: Sites) -> Row | None: ...

    def add_person(self, connection: Connection, row: Row) -> None: ...

    def associations(
        self, connection: Connection, scope: Sites, page: PageRequest, *, unit: str | None, subject: str | None
    ) -> list[Row]: ...

    def association(self, connection: Connection, association: int, scope: Sites) -> Row | None: ...

    def associate(self, connection: Connection, row: Row) -> Row | None:
        """Adds it and gives it with its id; none when the device already speaks for somebody in that interval."""
        ...

    def end_association(self, connection: Connection, association: int, end_at: Instant, now: Instant) -> bool:
        """Ends it; false when it had ended already."""
        ...

    def correct_association(
        self, connection: Connection, association: int, subject: str | None, actor: str, now: Instant
    ) -> Row:
        """It was another person, or nobody knows who; gives the row as it is then."""
        ...


class Segment(Stretch, Protocol):
    """A stretch of a sampled signal without a hole, as it is kept."""

    @property
    def practice(self) -> bool:
        """Of a training, or of a device in service or test: nobody's."""
        ...


class History(Protocol):
    """What was recorded, folded into blocks or not; rows in event time."""

    def latest(self, connection: Connection, unit: str, /) -> list[Row]:
        """device, quantity, value, at, received_at, derived; by device and quantity."""
        ...

    def series(
        self,
        connection: Connection,
        unit: str,
        quantity: str,
        start: Instant,
        end: Instant,
        step: int,
        device: str | None,
        /,
    ) -> Sequence[Row]:
        """at, n, min, max, mean per step of ``step`` us; with step 0: at, value of every value. ``end`` excluded."""
        ...

    def waveform(
        self,
        connection: Connection,
        unit: str,
        device: str,
        start: Instant,
        end: Instant,
        leads: Sequence[str] | None,
        /,
    ) -> Sequence[Segment]:
        """Segments in order, cut to the window."""
        ...

    def recent_frames(self, connection: Connection, unit: str, since: Instant, /) -> Sequence[bytes]:
        """Waveform frames of the unit since that time, as published, in order."""
        ...

    def events(self, connection: Connection, unit: str, start: Instant, end: Instant, /) -> Sequence[Row]:
        """at, received_at, device, name, details, late, test; oldest first."""
        ...


class Evidence(Protocol):
    """Gaps and refused input."""

    def gaps(
        self, connection: Connection, scope: Sites, page: PageRequest, *, unit: str | None, open_only: bool
    ) -> list[Row]:
        """Newest first, after the id in ``page.after``."""
        ...

    def rejects(
        self, connection: Connection, scope: Sites, page: PageRequest, *, unit: str | None, reason: str | None
    ) -> list[Row]:
        """Newest first, after the id in ``page.after``; without payloads."""
        ...

    def reject(self, connection: Connection, reject: int, scope: Sites) -> Row | None:
        """With its payload; none when unknown or out of scope."""
        ...
