"""One small hospital: two sites, a person of every role, and the real adapters on a real SQLite file."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from sqlalchemy import Connection, Engine, insert, select, update

from gateway.adapters import (
    accounts,
    alert_reads,
    audit_log,
    care,
    commands,
    evidence,
    people,
    registry,
    subjects,
    tables,
    windows,
)
from gateway.adapters.sql import DATABASE_NAME, Database, connect
from gateway.api.application import create_app
from gateway.api.live import LiveHub
from gateway.api.passwords import hash_password
from gateway.api.ports import Account, AlertNotFound, IllegalTransition, Role, Snapshot
from gateway.api.services import Services
from gateway.care.desk import ServiceDesk
from gateway.care.window import ServiceWindow
from gateway.commands.command import RemoteCommand
from gateway.commands.desk import CommandDesk
from gateway.contract.topic import UnitAddress, UnitKind

T0 = 1_767_225_600_000_000
SECOND = 1_000_000
PASSWORD = "correct horse battery"
HASH = hash_password(PASSWORD)
ROLES = tuple(Role)


@dataclass
class Clock:
    now: int = T0

    def __call__(self) -> int:
        return self.now


@dataclass
class Segment:
    start_at: int
    fs: float
    scale: float
    leads: Sequence[str]
    n0: int
    samples: Any


@dataclass
class Recorded:
    """History that answers from memory; the real one has tests of its own."""

    frames: dict[str, list[bytes]] = field(default_factory=dict)

    def latest(self, connection: Connection, unit: str) -> list[dict[str, Any]]:
        table = tables.latest
        query = select(table, table.c.event_at.label("at")).where(table.c.unit == unit)
        return [dict(row) for row in connection.execute(query).mappings()]

    def series(
        self, connection: Connection, unit: str, quantity: str, start: int, end: int, step: int, device: str | None
    ) -> list[dict[str, Any]]:
        if step:
            return [{"at": start, "n": 3, "min": 70.0, "max": 74.0, "mean": 72.0}]
        return [
            {"at": at, "received_at": at, "device": device or "monitor", "value": value}
            for at, value in ((start, 72.0), (start + SECOND, None))
        ]

    def waveform(
        self, connection: Connection, unit: str, device: str, start: int, end: int, leads: Sequence[str] | None
    ) -> list[Segment]:
        if device != "monitor":
            return []
        samples = np.array([[1, -2, 3], [4, 5, -32768]], dtype=np.int16)
        return [Segment(start + n0, 500.0, 0.005, ["I", "II"], n0, samples) for n0 in (0, 100)]

    def recent_frames(self, connection: Connection, unit: str, since: int) -> list[bytes]:
        return self.frames.get(unit, [])

    def events(self, connection: Connection, unit: str, start: int, end: int) -> list[dict[str, Any]]:
        body = {"device": "crew", "name": "boarded", "details": {}, "late": False, "test": False}
        return [{"at": start, "received_at": start + 5, **body}]


@dataclass
class Book:
    """The alert book's port on the table of alerts."""

    database: Database
    clock: Clock

    async def acknowledge(self, alert_id: str, actor: str) -> dict[str, Any]:
        return await asyncio.wrap_future(self.database.submit(lambda db: self._acknowledge(db, alert_id, actor)))

    def _acknowledge(self, db: Connection, alert_id: str, actor: str) -> dict[str, Any]:
        row = alert_reads.alert(db, alert_id, None)
        if row is None:
            raise AlertNotFound(alert_id)
        if row["state"] != "firing":
            raise IllegalTransition(row["state"])
        change = {"state": "acknowledged", "acknowledged_at": self.clock.now, "acknowledged_by": actor}
        db.execute(update(tables.alert).where(tables.alert.c.id == alert_id).values(change))
        return row | change


@dataclass
class Orders:
    """The command desk's port, without the path: what is asked for is committed at once."""

    database: Database
    desk: CommandDesk

    async def request(self, wanted: RemoteCommand) -> RemoteCommand:
        taken = self.desk.request(wanted)
        changes = self.desk.take_changes()
        await asyncio.wrap_future(self.database.submit(lambda db: commands.write(db, changes)))
        return taken


@dataclass
class Service:
    """The service desk's port, without the path: what is asked for is committed at once."""

    database: Database
    clock: Clock
    desk: ServiceDesk = field(default_factory=ServiceDesk)

    async def start(self, wanted: ServiceWindow) -> ServiceWindow:
        return await self._committed(self.desk.start(wanted))

    async def end(self, unit: str, device: str, actor: str) -> ServiceWindow:
        return await self._committed(self.desk.end(unit, device, actor, self.clock.now))

    async def _committed(self, window: ServiceWindow) -> ServiceWindow:
        changes = self.desk.take_changes()
        await asyncio.wrap_future(self.database.submit(lambda db: windows.write(db, changes)))
        return window


def address_of(unit: str) -> UnitAddress | None:
    return UnitAddress(SITES[unit], UnitKind.AMBULANCE, unit) if unit in SITES else None


def unit_state(unit: str, site: str, subject: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"id": unit, "site": site, "kind": "ambulance", "name": unit, "subject": subject, "latest": {}}


SUBJECT = {"id": "person-north", "name": "王小明", "sex": "male", "age": 63}
SITES = {"amb-001": "north", "amb-002": "south"}


@dataclass
class Hospital:
    services: Services
    app: FastAPI
    database: Database
    clock: Clock
    hub: LiveHub
    history: Recorded
    state: Snapshot
    not_ready: list[str]

    @asynccontextmanager
    async def client(self, name: str | None = None, **options: Any) -> AsyncIterator[httpx.AsyncClient]:
        """A browser on this machine, signed in as ``name``."""
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        options = {"base_url": "http://localhost"} | options
        async with httpx.AsyncClient(transport=transport, **options) as client:
            if name:
                answer = await client.post(
                    "http://localhost/api/v1/session", json={"username": name, "password": PASSWORD}
                )
                assert answer.status_code == 200, answer.text
            yield client

    async def audit(self) -> list[tuple[str, str, str]]:
        table = tables.audit_log
        rows = await self.services.read(
            lambda db: db.execute(select(table.c.actor, table.c.action, table.c.target).order_by(table.c.id)).all()
        )
        return [(row.actor, row.action, row.target) for row in rows]


def put(engine: Engine, table: Any, *rows: dict[str, Any]) -> None:
    with engine.begin() as db:
        for row in rows:
            db.execute(insert(table).values(**row))


def alert_row(number: int, unit: str, state: str = "firing") -> dict[str, Any]:
    return {
        "id": f"alert-{number}", "subject": f"device/{unit}/monitor", "unit": unit, "device": "monitor",
        "rule": "heart-rate-high", "kind": "physiological", "priority": "high", "state": state,
        "quantity": "heart-rate", "value": 150.0, "limit": 130.0, "raised_at": T0 + number, "updated_at": T0 + number,
        "simulated": True,
    }  # fmt: skip


def command_row(number: int, unit: str, site: str) -> dict[str, Any]:
    return {
        "id": f"command-{number}", "site": site, "unit": unit, "device": "mattress", "name": "set-mattress-mode",
        "arguments": '{"mode": "static"}', "reason": "王小明 turned", "requested_by": "nurse", "role": "nurse",
        "requested_at": T0 + number, "expires_at": T0 + 30 * SECOND, "state": "accepted", "sent_at": T0 + 1,
        "ended_at": T0 + 2, "result": '{"mode": "static"}',
    }  # fmt: skip


def account_name(role: str, scope: str = "") -> str:
    return f"{role}.{scope}" if scope else role


def care_for(engine: Engine, number: int, unit: str) -> None:
    """A device that is known, a cleaning that was."""
    put(engine, tables.device_care, {
        "unit": unit, "device": "monitor", "kind": "patient_monitor", "calibration_due": "2027-03-01",
    })  # fmt: skip
    put(engine, tables.device_serial, {
        "unit": unit, "device": "monitor", "serial": f"SN-{number}", "from_at": T0 - SECOND, "recorded_by": "ops",
    })  # fmt: skip
    put(engine, tables.service_window, {
        "id": f"window-{number}", "unit": unit, "device": "monitor", "mode": "cleaning", "reason": "王小明 left",
        "started_by": "nurse", "role": "nurse", "started_at": T0 - 9 * SECOND, "expires_at": T0, "state": "ended",
        "ended_at": T0 - SECOND, "ended_by": "nurse",
    })  # fmt: skip


def furnish(engine: Engine) -> None:
    """Everybody and everything, twice: at the site north and at the site south."""
    put(engine, tables.site, {"id": "north", "name": "North"}, {"id": "south", "name": "South"})
    for role in ROLES:
        for scope, sites in (("", ("*",)), ("north", ("north",)), ("south", ("south",))):
            account = Account(account_name(role, scope), HASH, role, sites, T0, None, False)
            with engine.begin() as db:
                accounts.create(db, account)
    for number, (unit, site) in enumerate(SITES.items(), 1):
        put(engine, tables.unit, {
            "id": unit, "site": site, "kind": "ambulance", "name": unit.upper(), "provenance": "simulated",
            "token_hash": "0" * 64, "registered_at": T0,
        })  # fmt: skip
        put(engine, tables.unit_link, {
            "unit": unit, "presence": "online", "epoch": "0" * 16, "hello_at": T0, "clock_offset": 10,
            "clock_error": 5,
            "hello": b'{"presence":"online","epoch":"0000000000000000","sent_at":1,"outbox_records":7,"firmware":"1"}',
        })  # fmt: skip
        put(engine, tables.device, {"unit": unit, "device": "monitor", "first_seen_at": T0})
        put(engine, tables.latest, {
            "unit": unit, "device": "monitor", "quantity": "heart-rate", "value": 72.0, "event_at": T0,
            "received_at": T0 + 5, "derived": False,
        })  # fmt: skip
        put(engine, tables.alert, alert_row(number, unit))
        put(engine, tables.person, {
            "id": f"person-{site}", "name": "王小明", "sex": "male", "birth_date": "1962-04-30", "identifier": "X1",
            "created_at": T0 + number,
        })  # fmt: skip
        put(engine, tables.association, {
            "id": number, "unit": unit, "device": "monitor", "subject": f"person-{site}", "start_at": T0,
            "source": "manual", "confirmed_by": "doctor",
        })  # fmt: skip
        put(engine, tables.lane, {
            "id": number, "unit": unit, "epoch": "0" * 16, "lane": "obs", "next": 100, "seen_at": T0,
        })  # fmt: skip
        put(engine, tables.command, command_row(number, unit, site))
        care_for(engine, number, unit)
        put(engine, tables.gap, {"id": number, "lane_id": number, "first": 5, "last": 9, "seen_at": T0})
        put(engine, tables.reject, {
            "id": number, "received_at": T0, "subject": f"lm.v1.{site}.ambulance.{unit}.obs", "unit": unit,
            "reason": "bad-schema", "detail": "no", "whole": True, "payload": b"\x00{",
        })  # fmt: skip


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The furnished database as bytes: each test gets a copy."""
    path = tmp_path_factory.mktemp("furnished") / DATABASE_NAME
    engine = connect(path)
    tables.metadata.create_all(engine)
    furnish(engine)
    with engine.connect() as db:
        db.exec_driver_sql("ROLLBACK")
        db.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()
    return path.read_bytes()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def database(tmp_path: Path, furnished: bytes) -> Iterator[Database]:
    path = tmp_path / DATABASE_NAME
    path.write_bytes(furnished)
    engine = connect(path)
    database = Database(engine)
    database.submit(lambda db: None).result()
    yield database
    database.close()


@pytest.fixture
def build(tmp_path: Path, database: Database, clock: Clock) -> Callable[..., Hospital]:
    """Makes the application; keywords replace fields of `Services`."""

    def make(**changes: Any) -> Hospital:
        metrics = CollectorRegistry()
        state = Snapshot(
            [unit_state("amb-001", "north", SUBJECT), unit_state("amb-002", "south")],
            [alert_row(1, "amb-001"), alert_row(2, "amb-002")],
        )
        hub = LiveHub(clock=clock, snapshot=lambda: state, site_of=SITES.get, metrics=metrics)
        history = Recorded()
        not_ready: list[str] = []
        services = Services(
            engine=connect(tmp_path / DATABASE_NAME, readonly=True),
            writer=database,
            hub=hub,
            accounts=accounts,
            audit=audit_log,
            registry=registry,
            people=people,
            alert_reads=alert_reads,
            evidence=evidence,
            history=history,
            alerts=Book(database, clock),
            commands=Orders(database, CommandDesk([], address_of, clock)),
            command_reads=commands,
            windows=Service(database, clock),
            care=care,
            subjects=subjects,
            metrics=metrics,
            readiness=lambda: not_ready,
            clock=clock,
            version="0.1.0",
            static_dir=tmp_path / "web",
        )
        services = replace(services, **changes)
        return Hospital(services, create_app(services), database, clock, hub, history, state, not_ready)

    return make


@pytest.fixture
def hospital(build: Callable[..., Hospital]) -> Hospital:
    return build()


@pytest.fixture
async def stranger(hospital: Hospital) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody who is not signed in."""
    async with hospital.client() as client:
        yield client
