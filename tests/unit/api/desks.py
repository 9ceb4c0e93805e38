"""What stands in for the gateway's path and store in the API's tests: what is asked for is committed at once."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sqlalchemy import Connection, select, update

from gateway.adapters import alert_reads, commands, silences, tables, windows
from gateway.adapters.sql import Database
from gateway.alerts.silence import Silence, SilenceDesk
from gateway.api.ports import AlertNotFound, IllegalTransition
from gateway.care.desk import ServiceDesk
from gateway.care.window import ServiceWindow
from gateway.commands.command import RemoteCommand
from gateway.commands.desk import CommandDesk

T0 = 1_767_225_600_000_000
SECOND = 1_000_000


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
    filter: str = "0.05-150 Hz"
    practice: bool = False


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
            raise IllegalTransition(row["state"], row["acknowledged_by"])
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


@dataclass
class Quiet:
    """The silences' port, without the path: what is asked for is committed at once."""

    database: Database
    clock: Clock

    async def silence(self, wanted: Silence) -> Silence:
        return await self._committed(lambda desk: desk.start(wanted))

    async def unsilence(self, silence_id: str, actor: str) -> Silence:
        return await self._committed(lambda desk: desk.end(silence_id, actor, self.clock.now))

    async def _committed(self, act: Callable[[SilenceDesk], Silence]) -> Silence:
        def job(db: Connection) -> Silence:
            desk = SilenceDesk(silences.load(db))
            done = act(desk)
            silences.write(db, desk.take_changes())
            return done

        return await asyncio.wrap_future(self.database.submit(job))
