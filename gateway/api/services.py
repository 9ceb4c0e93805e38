"""What the composition root gives to the API."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from prometheus_client import CollectorRegistry
from sqlalchemy import Connection, Engine

from gateway.alerts.ladder import SERVICE_HOURS, ServiceHours, Setting
from gateway.api.alert_ports import AlertReads, Rosters, SilenceReads, Silences
from gateway.api.care_ports import Care, Subjects, Windows
from gateway.api.limit_ports import Limits
from gateway.api.live import LiveHub
from gateway.api.notification_ports import Notifications
from gateway.api.plan_ports import CarePlans
from gateway.api.ports import (
    Accounts,
    Alerts,
    AuditTrail,
    CommandReads,
    Commands,
    DemoLogin,
    Evidence,
    History,
    People,
    Registry,
    Row,
)
from gateway.api.turn_ports import TurnReads, Turns
from gateway.contract.envelope import Instant
from gateway.derive.wording import Wordings
from gateway.ports import Writer
from gateway.rules.patient import NOBODY, Patient
from gateway.rules.ruleset import Ruleset, default_ruleset

T = TypeVar("T")


def _nothing(_: str) -> None: ...


def _no_lag() -> int:
    return 0


def _never() -> Instant | None:
    return None


def _no_rows() -> Sequence[Row]:
    return ()


def _no_change() -> None: ...


def _default_hours() -> Mapping[Setting, ServiceHours]:
    return SERVICE_HOURS


def _nobody(_: str) -> Patient:
    return NOBODY


@dataclass(frozen=True, kw_only=True)
class Services:
    """The ports behind the endpoints. Modules of functions fit where their protocol has functions only."""

    engine: Engine  # read-only
    writer: Writer
    hub: LiveHub
    accounts: Accounts
    audit: AuditTrail
    registry: Registry
    people: People
    alert_reads: AlertReads
    evidence: Evidence
    history: History
    alerts: Alerts
    silences: Silences
    silence_reads: SilenceReads
    rosters: Rosters
    notifications: Notifications
    commands: Commands
    command_reads: CommandReads
    windows: Windows
    turns: Turns
    turn_reads: TurnReads
    care: Care
    subjects: Subjects
    limits: Limits
    plans: CarePlans
    metrics: CollectorRegistry
    readiness: Callable[[], list[str]]  # why not ready; empty = ready
    clock: Callable[[], Instant]
    version: str
    static_dir: Path  # the built web app; may be missing
    demo: DemoLogin | None = None
    ruleset: Ruleset = field(default_factory=default_ruleset)  # the catalogue as this site has it
    wordings: Wordings = field(default_factory=Wordings)  # what readings are called at this site
    patient_of: Callable[[str], Patient] = _nobody  # whom a unit's values speak of now
    lag: Callable[[], int] = _no_lag  # how far ingest is behind now, us; shown with every tick
    canary_at: Callable[[], Instant | None] = _never  # when the newest committed canary set out
    notifier_at: Callable[[], Instant | None] = _never  # when the notifier last made its round
    on_association: Callable[[str], None] = _nothing  # called on the loop after a unit's associations changed
    on_retry: Callable[[], None] = _no_change  # called on the loop after dead letters were made due again
    on_roster: Callable[[], None] = _no_change  # called on the loop after shifts changed
    pending: Callable[[], Sequence[Row]] = _no_rows  # half-elapsed alerts, each with the site of its unit
    service_hours: Callable[[], Mapping[Setting, ServiceHours]] = _default_hours

    async def write(self, job: Callable[[Connection], T]) -> T:
        """The job's result once it is committed."""
        return await asyncio.wrap_future(self.writer.submit(job))

    async def read(self, job: Callable[[Connection], T]) -> T:
        """The job's result, read in a worker thread."""
        return await asyncio.to_thread(self._read, job)

    def _read(self, job: Callable[[Connection], T]) -> T:
        with self.engine.connect() as connection:
            return job(connection)
