"""The gateway's path on a real database file, without a broker; used by the tests beside it."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import select
from sqlalchemy.dialects.sqlite import insert

from gateway.acks import AckDesk
from gateway.adapters import tables
from gateway.adapters.commit import commit
from gateway.adapters.load import load
from gateway.adapters.migrate import migrate
from gateway.adapters.sql import Database, connect
from gateway.admit import Admission
from gateway.changes import Batch, Changes, Position
from gateway.commands.desk import CommandDesk
from gateway.contract.envelope import Ack
from gateway.contract.observation import Command
from gateway.contract.quantity import SECOND
from gateway.contract.topic import Channel
from gateway.derive.derivation import Derivation
from gateway.moves import PersonsMove
from gateway.pipeline import Conflict, Pipeline
from gateway.ports import LogMessage, MuteBoard
from gateway.stages import Stages
from gateway.unpack import Unpacker
from tests.unit.gateway.builders import NOW, UNIT, message


class Feed:
    """Remembers what screens would get."""

    def __init__(self) -> None:
        self.watched = True
        self.sent: list[tuple[str, str, dict[str, Any]]] = []

    def wave(self, unit: str, payload: bytes) -> None:
        self.sent.append(("wave", unit, {"payload": payload}))

    def notify(self, kind: str, unit: str, body: dict[str, Any]) -> None:
        self.sent.append((kind, unit, body))

    def mute_boards(self) -> list[MuteBoard]:
        return []


class Bench:
    """A gateway's path on one database file; ``restart`` forgets everything but the file."""

    def __init__(self, path: Path) -> None:
        self.database = Database(connect(path))
        migrate(self.database.engine)
        self.now = NOW
        self.sequence = 0
        self.restart()

    def register(self) -> None:
        row = {"id": "amb-001", "site": "linyi", "kind": "ambulance", "name": "A", "provenance": "simulated",
               "token_hash": "0" * 64, "registered_at": NOW}  # fmt: skip
        self.write(lambda c: c.execute(insert(tables.site).values(id="linyi", name="Linyi")))
        self.write(lambda c: c.execute(insert(tables.unit).values(row)))
        self.restart()

    def write(self, job: Any) -> Any:
        return self.database.submit(job).result()

    def restart(self) -> None:
        restored = self.write(lambda c: load(c, self.now))
        self.position = restored.position
        self.ledger, self.book, self.feed = restored.ledger, restored.lifecycle.book, Feed()
        fleet = restored.fleet
        derivation = Derivation(restored.ledger, fleet, restored.rules.switches.rhythms, pressure=restored.pressure)
        derivation.fetal.fill(restored.traces)
        self.stages = Stages(
            admission=Admission(restored.ledger, fleet.units, fleet.clocks),
            sequencer=restored.sequencer,
            derivation=derivation,
            rules=restored.rules,
            silence=restored.silence,
            book=self.book,
            lifecycle=restored.lifecycle,
            standing=restored.standing,
            commands=CommandDesk(restored.commands, lambda _: UNIT, lambda: self.now),
            fleet=fleet,
            desk=AckDesk(lambda _: UNIT, lambda: self.now),
            live=self.feed,
        )
        self.acks: list[Ack] = []
        self.commands: list[Command] = []
        self.pipeline = Pipeline(Unpacker(), self.stages, self.commit, self.send)

    async def commit(self, changes: Changes) -> list[Conflict]:
        return await asyncio.wrap_future(self.database.submit(lambda c: commit(c, changes)))

    async def send(self, subject: str, payload: bytes) -> None:
        if subject == UNIT.subject(Channel.CMD):
            self.commands.append(msgspec.json.decode(payload, type=Command))
            return
        assert subject.endswith(f".{Channel.ACK}")
        self.acks.append(msgspec.json.decode(payload, type=Ack))

    def step(self, *bodies: Any, seconds: float = 1.0, moves: list[PersonsMove[Any]] | None = None) -> Changes:
        """One batch of messages, all logged ``seconds`` after the batch before."""
        self.now += round(seconds * SECOND)
        messages = []
        for body in bodies:
            self.sequence += 1
            raw = body if isinstance(body, LogMessage) else message(self.sequence, body, self.now)
            messages.append(msgspec.structs.replace(raw, sequence=self.sequence, logged_at=self.now))
        position = Position("2026", self.sequence, self.now) if messages else None
        return asyncio.run(self.pipeline.step(Batch(messages, self.now, position), moves or []))

    def rows(self, table: Any, *columns: str) -> list[tuple[Any, ...]]:
        query = select(*(table.c[name] for name in columns))
        return [tuple(row) for row in self.write(lambda c: c.execute(query).all())]
