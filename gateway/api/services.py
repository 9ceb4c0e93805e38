"""What the composition root gives to the API."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from prometheus_client import CollectorRegistry
from sqlalchemy import Connection, Engine

from gateway.api.care_ports import Care, Subjects, Windows
from gateway.api.live import LiveHub
from gateway.api.ports import (
    Accounts,
    AlertReads,
    Alerts,
    AuditTrail,
    CommandReads,
    Commands,
    DemoLogin,
    Evidence,
    History,
    People,
    Registry,
)
from gateway.contract.envelope import Instant
from gateway.ports import Writer

T = TypeVar("T")


def _nothing(_: str) -> None: ...


def _no_lag() -> int:
    return 0


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
    commands: Commands
    command_reads: CommandReads
    windows: Windows
    care: Care
    subjects: Subjects
    metrics: CollectorRegistry
    readiness: Callable[[], list[str]]  # why not ready; empty = ready
    clock: Callable[[], Instant]
    version: str
    static_dir: Path  # the built web app; may be missing
    demo: DemoLogin | None = None
    lag: Callable[[], int] = _no_lag  # how far ingest is behind now, us; shown with every tick
    on_association: Callable[[str], None] = _nothing  # called on the loop after a unit's associations changed

    async def write(self, job: Callable[[Connection], T]) -> T:
        """The job's result once it is committed."""
        return await asyncio.wrap_future(self.writer.submit(job))

    async def read(self, job: Callable[[Connection], T]) -> T:
        """The job's result, read in a worker thread."""
        return await asyncio.to_thread(self._read, job)

    def _read(self, job: Callable[[Connection], T]) -> T:
        with self.engine.connect() as connection:
            return job(connection)
