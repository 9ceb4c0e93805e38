"""A small fleet whose books balance: every class of number occurs, in the gateway's and the agent's real files."""

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
from sqlalchemy import Connection, Engine, insert

from edge_agents import outbox_schema
from edge_agents.outbox_codec import pack, unpack
from gateway.adapters import tables
from gateway.adapters.audit import StreamState, audit
from gateway.adapters.audit_report import Report
from gateway.adapters.compactor import Compactor
from gateway.adapters.retention import Reason, retire
from gateway.adapters.sql import DATABASE_NAME, Database
from gateway.contract import wire
from gateway.contract.digest import digest
from gateway.contract.envelope import Hello, Lane, LaneState, Presence, SeqRange
from gateway.contract.observation import Event, Observation
from gateway.contract.waveform import WaveFrame
from tests.unit.store.records import EPOCH, SECOND, START, add_lane, add_rows, event, frames, observation, row

UNIT, OTHER = "amb-001", "amb-002"
OLD_EPOCH, OTHER_EPOCH = "00000000000000aa", "00000000000000cd"
OBS, WAVE, EVENT, OLD_WAVE, OTHER_OBS = 1, 2, 3, 4, 5  # lane ids
FOLD_AT = START + 1500 * SECOND
NOW = START + 9000 * SECOND

OBS_STORED, OBS_NEXT, OBS_ACKED = 1900, 2000, 1850
RETIRED = range(50)
REJECTED = 700
HEALED, LOST, SHED = SeqRange(300, 310), SeqRange(400, 404), SeqRange(410, 419)
WAVE_SHED, OUTBOX_SHED = SeqRange(100, 149), SeqRange(1960, 1964)
WAVES = 600


class Case:
    """The files of one balanced system."""

    def __init__(self, data_dir: Path, engine: Engine) -> None:
        self.data_dir = data_dir
        self.engine = engine
        self.outbox = data_dir / "outbox.db"
        self.ledger_dir = data_dir / "ledger"
        self.stream = StreamState("2026-01-01", 10_000)

    def audit(self, *, ledger: bool = True, outboxes: Sequence[Path] | None = None) -> Report:
        files = [self.outbox] if outboxes is None else outboxes
        folder = self.ledger_dir if ledger else None
        return audit(self.data_dir, files, folder, unpack=unpack, stream=self.stream, now=NOW)

    def sql(self, statement: str, *values: object) -> None:
        """Does something to the database that must not happen; it must touch at least one row."""
        self._run(self.data_dir / DATABASE_NAME, statement, values)

    def outbox_sql(self, statement: str, *values: object) -> None:
        """The same to the agent's outbox."""
        self._run(self.outbox, statement, values)

    def _run(self, path: Path, statement: str, values: Sequence[object]) -> None:
        connection = sqlite3.connect(path)
        with connection:
            changed = connection.execute(statement, values).rowcount
        connection.close()
        assert changed > 0, "the fault was not planted"

    def ledger_lines(self) -> list[bytes]:
        return (self.ledger_dir / f"{UNIT}.jsonl").read_bytes().splitlines(keepends=True)

    def write_ledger(self, lines: list[bytes]) -> None:
        (self.ledger_dir / f"{UNIT}.jsonl").write_bytes(b"".join(lines))


def build(data_dir: Path, engine: Engine) -> Case:
    """Fills a migrated database that has unit amb-001."""
    case = Case(data_dir, engine)
    numerics, waves, happened = _numerics(), frames(WAVES), _events()
    old = [msgspec.structs.replace(frame, epoch=OLD_EPOCH) for frame in frames(50, seed=9)]
    foreign = [msgspec.structs.replace(observation(seq), epoch=OTHER_EPOCH) for seq in range(100)]
    _fill_database(engine, numerics, waves, happened, old, foreign)
    _fill_outbox(case.outbox, numerics)
    case.ledger_dir.mkdir()
    produced: list[wire.Numbered] = [*old, *waves, *numerics, *happened]
    readings = [_line(one) for one in produced if one.device != "agent"]
    case.write_ledger([*readings, *_unread()])
    (case.ledger_dir / f"{OTHER}.jsonl").write_bytes(b"".join(_line(one) for one in foreign))
    return case


def _numerics() -> list[Observation]:
    return [observation(seq, device="gnss" if seq % 2 else "monitor") for seq in range(OBS_NEXT)]


def _events() -> list[Event]:
    return [event(seq, device="agent" if seq == 1 else "crew") for seq in range(3)]


def _fill_database(
    engine: Engine,
    numerics: list[Observation],
    waves: list[WaveFrame],
    happened: list[Event],
    old: list[WaveFrame],
    foreign: list[Observation],
) -> None:
    absent = {*_numbers(LOST), *_numbers(SHED), REJECTED}
    with engine.begin() as connection:
        other = {"id": OTHER, "site": "city", "kind": "ambulance", "name": "2", "provenance": "simulated"}
        connection.execute(insert(tables.unit).values(**other, token_hash="", registered_at=0))
        add_lane(connection, OBS, Lane.OBS, OBS_STORED)
        add_lane(connection, WAVE, Lane.WAVE, WAVES)
        add_lane(connection, EVENT, Lane.EVENT, 3)
        add_lane(connection, OLD_WAVE, Lane.WAVE, 50, epoch=OLD_EPOCH)
        add_lane(connection, OTHER_OBS, Lane.OBS, 100, unit=OTHER, epoch=OTHER_EPOCH)
        kept = [one for one in numerics[:OBS_STORED] if one.seq not in absent and one.seq not in RETIRED]
        add_rows(connection, [row(OBS, one) for one in kept])
        add_rows(connection, [row(WAVE, one) for one in waves if one.seq not in _numbers(WAVE_SHED)])
        add_rows(connection, [row(EVENT, one) for one in happened] + [row(OLD_WAVE, one) for one in old])
        add_rows(connection, [row(OTHER_OBS, one) for one in foreign])
        retire(connection, OBS, RETIRED, Reason.AGE, START)
        _add_gap(connection, OBS, HEALED, healed_at=START)
        _add_gap(connection, OBS, LOST, lost_at=START)
        _add_gap(connection, OBS, SHED, shed_at=START)
        _add_gap(connection, WAVE, WAVE_SHED, shed_at=START)
        refused = {
            "received_at": START,
            "subject": "x",
            "unit": UNIT,
            "reason": "conflict",
            "detail": "",
            "whole": True,
        }
        payload = wire.encode(numerics[REJECTED])
        connection.execute(insert(tables.reject).values(**refused, lane_id=OBS, seq=REJECTED, payload=payload))
        position = {"partition": 0, "stream_created": "2026-01-01", "sequence": 9_000, "logged_at": START}
        connection.execute(insert(tables.position).values(**position))
        _add_hello(connection)
    database = Database(engine)
    Compactor(engine, database).step(FOLD_AT)
    database.close()


def _numbers(span: SeqRange) -> range:
    return range(span.first, span.last + 1)


def _add_gap(connection: Connection, lane_id: int, span: SeqRange, **fate: int) -> None:
    values = {"lane_id": lane_id, "first": span.first, "last": span.last, "seen_at": START} | fate
    connection.execute(insert(tables.gap).values(**values))


def _add_hello(connection: Connection) -> None:
    lanes = [LaneState(epoch=EPOCH, lane=Lane.OBS, first=OBS_ACKED, next=1990)]
    hello = Hello(presence=Presence.ONLINE, epoch=EPOCH, sent_at=START, lanes=lanes)
    values = {"unit": UNIT, "presence": "online", "epoch": EPOCH, "hello_at": START, "hello": wire.encode(hello)}
    connection.execute(insert(tables.unit_link).values(**values))


def _fill_outbox(path: Path, numerics: list[Observation]) -> None:
    """What an agent's file holds after the acks: the lanes' accounts, and the records from the watermark on."""
    db = outbox_schema.connect(path)
    outbox_schema.migrate(db)
    db.execute("INSERT INTO epoch (id, epoch) VALUES (1, ?)", (EPOCH,))
    kept = [one for one in numerics[OBS_ACKED:] if one.seq not in _numbers(OUTBOX_SHED)]
    for lane, following, watermark in (("obs", OBS_NEXT, OBS_ACKED), ("wave", WAVES, WAVES), ("event", 3, 3)):
        records = len(kept) if lane == "obs" else 0
        statement = "INSERT INTO lane (epoch_id, lane, next, watermark, records) VALUES (1, ?, ?, ?, ?)"
        db.execute(statement, (lane, following, watermark, records))
    for one in kept:
        key = (1 << outbox_schema.SEQ_BITS) + one.seq
        db.execute("INSERT INTO obs_record (id, payload) VALUES (?, ?)", (key, pack(key, Lane.OBS, wire.encode(one))))
    db.execute("INSERT INTO shed VALUES (1, 'obs', ?, ?)", (OUTBOX_SHED.first, OUTBOX_SHED.last))
    db.close()


def _line(one: wire.Numbered, *, unread: bool = False) -> bytes:
    channel = {Observation: "obs", Event: "event", WaveFrame: "wave"}[type(one)]
    line = {
        "type": "reading", "device": one.device, "channel": channel, "observed_at": one.observed_at,
        "digest": digest(one),
    }  # fmt: skip
    return msgspec.json.encode(line | ({"unread": True} if unread else {})) + b"\n"


def _unread() -> Iterator[bytes]:
    """Readings the agent could not have: in flight when the link went, and while it was down."""
    later = START + 5000 * SECOND
    for number in range(2):
        yield _line(observation(0, later + number * SECOND // 2, "panel"))
    yield b'{"type":"link","device":"panel","state":"down","at":1}\n'
    yield _line(observation(0, later + 30 * SECOND, "panel"), unread=True)
    yield b'{"type":"reading","device":"panel","channel":"ob'  # torn: the simulator was killed
