"""Somebody who lies in each unit, and the desk of turns without the path: what is done is committed at once."""

import asyncio
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, insert, select

from gateway.adapters import audit_log, pressure_care, tables
from gateway.adapters.sql import Database
from gateway.commands.command import RemoteCommand
from gateway.contract.envelope import RESERVED_DEVICE, RESERVED_EPOCH, Instant, Lane
from gateway.contract.observation import Event
from gateway.contract.quantity import HOUR, MINUTE
from gateway.contract.wire import encode
from gateway.derive.pressure import CONFIRMED, EVENT, TURNED, Care, PressureWatch, confirmable
from gateway.derive.scores.pressure_dose import Dose
from gateway.derive.scores.turn_clock import LAPSES_AFTER, Proposal
from tests.unit.api.desks import T0, Clock, Orders

PROPOSED_AT = T0 - MINUTE
SINCE = T0 - 2 * HOUR - MINUTE
PROPOSAL = Proposal(
    "set-mattress-mode", {"mode": "alternate"}, "turn-overdue", "pelvis-middle", 968.0, PROPOSED_AT,
    PROPOSED_AT + LAPSES_AFTER,
)  # fmt: skip
CARE = Care(
    at=PROPOSED_AT, since=SINCE, zone="pelvis-middle", dose=968.0, zones={"pelvis-middle": Dose(968.0, SINCE, 8.0)},
    mat_at=PROPOSED_AT, mattress="air-mattress", mode="static", proposal=PROPOSAL,
)  # fmt: skip


def lie(engine: Engine, number: int, unit: str) -> None:
    """As the path would have told it."""
    with engine.begin() as db:
        row = {"id": 100 + number, "unit": unit, "epoch": RESERVED_EPOCH, "lane": Lane.EVENT.value, "next": 0}
        db.execute(insert(tables.lane).values(**row, seen_at=PROPOSED_AT))
        tell(db, unit, EVENT, msgspec.to_builtins(CARE), CARE.at)


def tell(db: Connection, unit: str, name: str, details: dict[str, Any], at: Instant) -> None:
    """One event more in the gateway's own lane."""
    lane = tables.lane
    row = db.execute(select(lane).where(lane.c.unit == unit, lane.c.lane == Lane.EVENT.value)).one()
    body = Event(epoch=RESERVED_EPOCH, seq=row.next, device=RESERVED_DEVICE, observed_at=at, name=name, details=details)
    db.execute(lane.update().where(lane.c.id == row.id).values(next=row.next + 1))
    stored = {"lane_id": row.id, "seq": row.next, "device": RESERVED_DEVICE, "observed_at": at, "event_at": at}
    db.execute(insert(tables.record).values(**stored, received_at=at, flags=0, payload=encode(body)))


@dataclass
class Turning:
    """The port `Turns`."""

    database: Database
    clock: Clock
    orders: Orders

    async def turned(self, unit: str, at: Instant, actor: str) -> None:
        def job(db: Connection) -> None:
            watch = self._watch(db, unit)
            watch.turnable(unit, at)
            self._happen(db, watch, unit, TURNED, {"by": actor}, at)
            audit_log.append(db, self.clock.now, actor, TURNED, unit, {"at": at})

        await asyncio.wrap_future(self.database.submit(job))

    async def confirm(self, proposed_at: Instant, wanted: RemoteCommand) -> RemoteCommand:
        def check(db: Connection) -> None:
            care = self._watch(db, wanted.unit).care(wanted.unit)
            confirmable(care, proposed_at, wanted.requested_by, self.clock.now)

        await asyncio.wrap_future(self.database.submit(check))
        taken = await self.orders.request(wanted)
        details = {"proposal": proposed_at, "by": wanted.requested_by}
        await asyncio.wrap_future(
            self.database.submit(
                lambda db: self._happen(
                    db, self._watch(db, wanted.unit), wanted.unit, CONFIRMED, details, taken.requested_at
                )
            )
        )
        return taken

    def _watch(self, db: Connection, unit: str) -> PressureWatch:
        return PressureWatch(pressure_care.load(db, [unit], self.clock.now))

    def _happen(
        self, db: Connection, watch: PressureWatch, unit: str, name: str, details: dict[str, Any], at: Instant
    ) -> None:
        event = Event(epoch=RESERVED_EPOCH, seq=0, device=RESERVED_DEVICE, observed_at=at, name=name, details=details)
        for told in watch.take(unit, event, at):
            tell(db, unit, EVENT, msgspec.to_builtins(told.care), told.at)
