"""The composition root: builds the gateway out of its parts and runs it.

inbox --batches--> ingest (one task) --commit--> writer thread --> database
                      |                                             ^
                      +--> hub --> screens        compactor, retention, API writes
"""

import asyncio
import gc
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import nats
import structlog
from nats.aio.client import Client
from prometheus_client import CollectorRegistry

from gateway.acks import AckDesk
from gateway.adapters import (
    accounts,
    alert_reads,
    audit_log,
    care,
    clock,
    commands,
    evidence,
    history,
    limits,
    notifications,
    people,
    plans,
    pressure_care,
    registry,
    rosters,
    silences,
    subjects,
)
from gateway.adapters.auth_callout import AuthCallout
from gateway.adapters.broker import load_secrets, read_ports
from gateway.adapters.entries import entries
from gateway.adapters.gateway_file import announce, last_port
from gateway.adapters.jetstream import BrokerAddress, Inbox, StreamLimits
from gateway.adapters.judgements import Judgements
from gateway.adapters.load import load
from gateway.adapters.metrics import Metrics
from gateway.adapters.migrate import migrate
from gateway.adapters.notify.channels import build_notifier
from gateway.adapters.rules_file import load_ruleset, note_version
from gateway.adapters.sql import DATABASE_NAME, Database, connect
from gateway.admit import Admission
from gateway.alerts.alert import Alert
from gateway.alerts.ladder import hours_of
from gateway.alerts.pending import pending
from gateway.api.live import LiveHub
from gateway.api.ports import DemoLogin, Snapshot
from gateway.api.services import Services
from gateway.commands.desk import CommandDesk
from gateway.committer import Committer
from gateway.config import Settings
from gateway.contract.quantity import MINUTE
from gateway.contract.topic import UnitAddress
from gateway.derive.derivation import Derivation, load_analyser
from gateway.derive.scores.blood_pressure import TABLES
from gateway.derive.switch import switched_off
from gateway.derive.wording import Wordings
from gateway.front_desk import FrontDesk
from gateway.housekeeping import housekeeping
from gateway.pipeline import Pipeline
from gateway.progress import Progress, patience
from gateway.registry_watch import RegistryWatch
from gateway.rules.patient import NOBODY
from gateway.stages import Stages
from gateway.unpack import Unpacker

if TYPE_CHECKING:
    from fastapi import FastAPI

    from gateway.api.server import Server

T = TypeVar("T")
log = structlog.get_logger("gateway")

GIVE_WAY_SECONDS = 2.0
SWITCH_SECONDS = 0.001  # how long the compactor's thread may keep the event loop waiting (Python's default: 0.005)
STATIC_DIR = Path(__file__).parent / "api" / "static"


class Gateway:
    """One gateway process. Build it with :func:`open_gateway`; ``run`` ends when ``stop`` is set."""

    def __init__(self, data: Path, settings: Settings, demo: bool) -> None:
        self.data = data
        self.settings = settings
        self.demo = demo
        self.stop = asyncio.Event()
        self.stop_threads = threading.Event()
        self.reader = connect(data / DATABASE_NAME, readonly=True)
        self.started_at = clock.now()
        self.troubles: dict[str, str] = {"start": "starting"}  # why not ready
        self.database = Database(connect(data / DATABASE_NAME))
        migrate(self.database.engine)
        idle = round(settings.sessions.idle_minutes * MINUTE)
        off = switched_off(settings.derive.off)
        self.ruleset = load_ruleset(data, off)
        self.database.submit(lambda c: note_version(c, self.ruleset, self.started_at)).result()
        self.restored = self.database.submit(lambda c: load(c, self.started_at, idle, self.ruleset)).result()
        position = self.restored.position
        self.progress = Progress(position.logged_at if position else self.started_at)
        self.registry_metrics = CollectorRegistry()
        self.metrics = Metrics(self.registry_metrics)
        self.registry_metrics.register(Judgements(self.reader))
        self.metrics.lag.set_function(lambda: clock.machine_seconds(self.lag()))  # at each scrape
        limits = StreamLimits(settings.broker.log_hours, settings.broker.log_bytes)
        self.inbox = Inbox(lambda: _broker_address(data), limits, clock.now)
        self.front_desk = FrontDesk(self.database, self.inbox.wake)
        self.book = self.restored.lifecycle.book
        self.restored.lifecycle.hours = hours_of(settings.service_hours)
        self.hub = LiveHub(
            clock=clock.now, snapshot=self.snapshot, site_of=self._site_of, metrics=self.registry_metrics
        )
        self.notifier = build_notifier(data, self.database, self.hub, self.registry_metrics)
        wake = self.notifier.wake
        self.committer = Committer(self.database, self.troubles, self.metrics.commit_failures, wake)
        self.ingesting = asyncio.Event()  # the first batch is through
        self.derivation = Derivation(
            self.restored.ledger, self.restored.fleet, self.restored.rules.switches.rhythms, off,
            self.restored.pressure, Wordings(off, TABLES[settings.derive.blood_pressure]),
        )  # fmt: skip
        self.derivation.ready = False
        self.stages = self._build_stages()
        self.pipeline = Pipeline(Unpacker(), self.stages, self.committer.commit, self._send)
        secrets = load_secrets(data)
        self.callout = AuthCallout(secrets.account_seed, {}, clock.wall, self.metrics.refused_connections.inc)
        self.registry_watch = RegistryWatch(
            self.reader, self.stages, self.callout.credentials, self.hub, self.connect_system
        )
        self.callout.refresh = self.registry_watch.refresh
        self.server: Server | None = None

    def _build_stages(self) -> Stages:
        restored, fleet = self.restored, self.restored.fleet
        self.derivation.fetal.fill(restored.traces)
        admission = Admission(restored.ledger, fleet.units, fleet.clocks)

        def address(unit: str) -> UnitAddress | None:
            entry = fleet.units.get(unit)
            return entry.address if entry else None

        return Stages(
            admission=admission,
            sequencer=restored.sequencer,
            derivation=self.derivation,
            rules=restored.rules,
            silence=restored.silence,
            book=self.book,
            lifecycle=restored.lifecycle,
            standing=restored.standing,
            commands=CommandDesk(restored.commands, address, clock.now),
            fleet=fleet,
            desk=AckDesk(address, clock.now),
            live=self.hub,
        )

    # ---- what the API asks ------------------------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """All units and open alerts now."""
        units = [self.stages.describe(unit) for unit in sorted(self.restored.fleet.states)]
        return Snapshot(units, [_alert_body(alert) for alert in self.book.open])

    def _pending(self) -> list[dict[str, Any]]:
        """What is beyond a limit, and not yet for long enough."""
        found = pending(self.restored.rules.thresholds, clock.now())
        return [_alert_body(alert) | {"site": self._site_of(alert.unit)} for alert in found]

    def readiness(self) -> list[str]:
        """Why the gateway is not ready; empty when it is."""
        return [f"{part}: {why}" for part, why in self.troubles.items()]

    def lag(self) -> int:
        """How far the database lies behind the log, us; 0 when caught up."""
        return self.progress.lag(clock.now())

    def _site_of(self, unit: str) -> str | None:
        entry = self.restored.fleet.units.get(unit)
        return entry.address.site if entry else None

    # ---- the path ---------------------------------------------------------------------------------------------------

    async def ingest(self) -> None:
        """The pipeline's loop: one batch after another until told to stop."""
        async with patience(self.troubles, "broker"):
            await self.inbox.connect()
            await self.callout.serve(self.inbox.client)
            warm = await self.inbox.open(self.restored.position)
        self.stages.warm([self.pipeline.unpacker.unpack(message) for message in warm])
        self.troubles.pop("start", None)
        while not self.stop.is_set():
            batch = await self.inbox.batch()
            self.progress.begin(clock.now())
            self._note("broker", batch.trouble)
            changes = await self.pipeline.step(batch, self.front_desk.take())
            self.progress.done(batch)
            self.metrics.observe_batch(changes, len(batch.messages), self.committer.seconds, clock.now())
            self.ingesting.set()

    def _note(self, part: str, trouble: str | None) -> None:
        """Keeps why a part is not ready, for readyz."""
        if trouble is None:
            self.troubles.pop(part, None)
        else:
            self.troubles[part] = trouble

    async def _send(self, subject: str, payload: bytes) -> None:
        """Acks and commands: QoS 0, because both are sent again."""
        try:
            await self.inbox.client.publish(subject, payload)
        except (nats.errors.Error, OSError) as error:
            log.warning("not sent; it will be sent again", subject=subject, error=repr(error))

    async def load_analyser_aside(self) -> None:
        """Heart rates begin when the detector has been loaded; until then frames are stored and kept for its window."""
        await self._give_way()
        await asyncio.to_thread(load_analyser)
        self.derivation.ready = True
        units = sorted(self.restored.fleet.states)
        self.derivation.refill(await asyncio.to_thread(entries, self.reader, units, clock.now()))

    async def _give_way(self) -> None:
        """After a start ingest goes first: what else takes seconds to load waits for the first commit, but not long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(GIVE_WAY_SECONDS):
                await self.ingesting.wait()

    # ---- beside the path --------------------------------------------------------------------------------------------

    async def connect_system(self) -> Client:
        """The connection by which live sessions are cut."""
        broker = await self.inbox.find_broker()
        return await nats.connect(
            f"nats://{broker.host}:{broker.nats}",
            user="system",
            password=load_secrets(self.data).system_password,
            max_reconnect_attempts=-1,
            error_cb=_quiet,
        )

    def _observe(self) -> None:
        restored = self.restored
        open_commands = len(self.stages.commands.open)
        self.metrics.observe_fleet(restored.fleet, restored.ledger, len(self.book.open), open_commands)

    async def serve_api(self) -> None:
        """The HTTP server, in this event loop. Its imports are half of a start: they wait for ingest."""
        await self._give_way()
        create_app, build_server = await asyncio.to_thread(_import_api)
        login = await self._prepare_accounts()
        services = Services(
            engine=self.reader,
            writer=self.database,
            hub=self.hub,
            accounts=accounts,
            audit=audit_log,
            registry=registry,
            people=people,
            alert_reads=alert_reads,
            evidence=evidence,
            history=history,
            alerts=self.front_desk,
            silences=self.front_desk,
            silence_reads=silences,
            rosters=rosters,
            notifications=notifications,
            commands=self.front_desk,
            command_reads=commands,
            windows=self.front_desk,
            turns=self.front_desk,
            turn_reads=pressure_care,
            care=care,
            subjects=subjects,
            limits=limits,
            plans=plans,
            wordings=self.derivation.wordings,
            ruleset=self.ruleset,
            patient_of=lambda unit: self.restored.rules.thresholds.patients.get(unit, NOBODY),
            metrics=self.registry_metrics,
            readiness=self.readiness,
            clock=clock.now,
            version=version("lastmile"),
            static_dir=STATIC_DIR,
            demo=login,
            lag=self.lag,
            canary_at=lambda: self.stages.canary_at or None,
            on_association=lambda _: self.registry_watch.changed.set(),  # every screen learns it at once
            notifier_at=lambda: self.notifier.beat_at,
            on_retry=self.notifier.wake,
            on_roster=self.registry_watch.changed.set,
            pending=self._pending,
            service_hours=lambda: self.restored.lifecycle.hours,
        )
        http = self.settings.http
        self.server = build_server(create_app(services), http.host, http.port or last_port(self.data))
        if not self.stop.is_set():
            self._announce(self.server.port)
            await self.server.serve()

    async def _prepare_accounts(self) -> DemoLogin | None:
        now = clock.now()
        secret = await asyncio.wrap_future(self.database.submit(lambda c: accounts.ensure_admin(c, now)))
        if secret is not None:
            print(f"First start. Sign in once as admin with {secret} and choose a password.", flush=True)
        if not self.demo:
            return None
        return DemoLogin(*await asyncio.wrap_future(self.database.submit(lambda c: accounts.ensure_demo(c, now))))

    def _announce(self, port: int) -> None:
        entry = announce(self.data, self.settings.http.host, port)
        log.info("gateway listens", url=f"http://{entry.host}:{port}/")

    async def run(self) -> None:
        """Runs until SIGTERM or SIGINT, then ends cleanly within seconds."""
        for name in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(name, self.stop.set)
        await self.registry_watch.refresh()
        try:
            async with asyncio.TaskGroup() as tasks:
                await self._run_tasks(tasks)
        finally:
            self.stop_threads.set()
        await self.inbox.close()
        self.database.close()

    async def _run_tasks(self, tasks: asyncio.TaskGroup) -> None:
        tasks.create_task(self.serve_api(), name="api")
        ingest = tasks.create_task(self.ingest(), name="ingest")
        tasks.create_task(self.load_analyser_aside(), name="detector")
        tasks.create_task(self.notifier.run(self.stop), name="notifier")
        path, keep = self.data / DATABASE_NAME, self.settings.retention
        for job in housekeeping(self.reader, self.database, path, keep, self.stop_threads, self.troubles):
            tasks.create_task(asyncio.to_thread(job))
        registry_watch = tasks.create_task(self.registry_watch.run(self._observe), name="registry")
        await self.stop.wait()
        self.stop_threads.set()
        self.hub.close()
        if self.server is not None:
            self.server.should_exit = True
        self.notifier.wake()
        self.inbox.wake()
        registry_watch.cancel()
        if self.troubles.get("start") or self.troubles.get("database"):
            ingest.cancel()


def run_gateway(data: Path, settings: Settings, *, demo: bool = False) -> None:
    """Runs the gateway of a data directory until it is told to stop."""
    import uvloop

    async def main() -> None:
        gateway = Gateway(data, settings, demo)
        gc.freeze()  # what exists now stays; and a record leaves no garbage that only a collection could find
        gc.set_threshold(50_000, 20, 50)
        sys.setswitchinterval(SWITCH_SECONDS)
        await gateway.run()

    try:
        uvloop.run(main())
    except BaseException:
        log.exception("the gateway ends; everything committed is on the disk")
        os._exit(1)  # no thread may keep a process alive that does not ingest: whoever started it starts it again


def _import_api() -> "tuple[Callable[[Services], FastAPI], Callable[[FastAPI, str, int], Server]]":
    from gateway.api.application import create_app
    from gateway.api.server import build_server

    return create_app, build_server


def _broker_address(data: Path) -> BrokerAddress:
    ports = read_ports(data)
    return BrokerAddress(ports.host, ports.nats, "gateway", load_secrets(data).gateway_password)


def _alert_body(alert: Alert) -> dict[str, Any]:
    body: dict[str, Any] = msgspec.to_builtins(alert)
    return body


async def _quiet(error: Exception) -> None:
    log.debug("system connection", error=repr(error))
