"""One small hospital: two sites, a person of every role, and the real adapters on a real SQLite file."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from sqlalchemy import Engine, insert, select

from gateway.adapters import (
    accounts,
    alert_reads,
    audit_log,
    care,
    commands,
    evidence,
    limits,
    notifications,
    people,
    plans,
    pressure_care,
    registry,
    rosters,
    silences,
    subjects,
    tables,
)
from gateway.adapters.sql import DATABASE_NAME, Database, connect
from gateway.api.application import create_app
from gateway.api.live import LiveHub
from gateway.api.passwords import hash_password
from gateway.api.ports import Account, Role, Snapshot
from gateway.api.services import Services
from gateway.commands.desk import CommandDesk
from gateway.contract.topic import UnitAddress, UnitKind
from tests.unit.api.desks import SECOND, T0, Book, Clock, Orders, Quiet, Recorded, Service
from tests.unit.api.turns import Turning, lie

__all__ = ["SECOND", "T0", "Clock"]  # beside what is defined here

HOUR = 3_600 * SECOND
PASSWORD = "correct horse battery"
HASH = hash_password(PASSWORD)
ROLES = tuple(Role)


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


def told_of(engine: Engine, number: int, unit: str, site: str) -> None:
    """A strong reminder: the call went out, the text message is a dead letter."""
    put(engine, tables.notification, {
        "id": f"notification-{number}", "alert": f"alert-{number}", "unit": unit, "site": site,
        "rule": "heart-rate-high", "priority": "high", "reason": "raised", "step": 0, "role": "nurse",
        "means": "strong", "recipients": f'["nurse.{site}"]', "at": T0 + number, "simulated": False,
        "planned_at": T0 + number,
    })  # fmt: skip
    for channel, state, error in (("call", "sent", None), ("sms", "dead", "HTTP 503")):
        put(engine, tables.delivery, {
            "notification": f"notification-{number}", "recipient": f"nurse.{site}", "channel": channel,
            "state": state, "rank": 0, "attempts": 1, "due_at": T0, "next_at": T0, "last_error": error,
            "sent_at": None if error else T0 + SECOND,
        })  # fmt: skip


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


def quiet_for(engine: Engine, number: int, unit: str, site: str) -> None:
    """A silence that is on, a shift, a line of an alert's history."""
    put(engine, tables.silence, {
        "id": f"silence-{number}", "unit": unit, "subject": f"unit/{unit}", "rule": "spo2-low",
        "reason": "王小明 knows", "author": "doctor", "role": "doctor", "created_at": T0, "expires_at": T0 + HOUR,
    })  # fmt: skip
    put(engine, tables.shift, {
        "id": f"shift-{number}", "account": f"nurse.{site}", "duty": "nurse", "site": site, "unit": "",
        "start_at": T0 - HOUR, "end_at": T0 + HOUR, "entered_by": "ops",
    })  # fmt: skip
    put(engine, tables.alert_event, {
        "alert": f"alert-{number}", "at": T0 + number, "event": "raise", "state": "firing",
        "details": '{"value": 150.0, "limit": 130.0}',
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
            "hello": b'{"presence":"online","epoch":"0000000000000000","sent_at":1,"outbox_records":7,"firmware":"1",'
            b'"devices":[{"device":"monitor","kind":"gnss","link":"connected","firmware":"2.1"}]}',
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
        put(engine, tables.person_limit, {
            "id": f"limit-{number}", "person": f"person-{site}", "rule": "heart-rate-high", "limit": 150.0,
            "reason": "王小明 runs", "set_by": "doctor", "set_at": T0 - SECOND, "expires_at": T0 + 86_400 * SECOND,
        })  # fmt: skip
        put(engine, tables.care_plan, {
            "id": f"plan-{number}", "person": f"person-{site}", "kind": "uploads", "reason": "王小明 is alone",
            "plan": '{"kind":"uploads","every_minutes":1440,"grace_minutes":0,"quantity":null}', "set_by": "doctor",
            "set_at": T0 - SECOND, "expires_at": T0 + 86_400 * SECOND,
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
        quiet_for(engine, number, unit, site)
        told_of(engine, number, unit, site)
        lie(engine, number, unit)
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
        orders = Orders(database, CommandDesk([], address_of, clock))
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
            silences=Quiet(database, clock),
            silence_reads=silences,
            rosters=rosters,
            notifications=notifications,
            commands=orders,
            command_reads=commands,
            windows=Service(database, clock),
            turns=Turning(database, clock, orders),
            turn_reads=pressure_care,
            care=care,
            subjects=subjects,
            limits=limits,
            plans=plans,
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
