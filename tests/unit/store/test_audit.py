"""Books that balance are green; each of these faults turns them red, by name."""

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.console import Console
from sqlalchemy import select

from gateway.adapters import tables
from gateway.adapters.audit import StreamState, run_audit
from gateway.adapters.audit_report import Totals
from gateway.adapters.sql import DATABASE_NAME, connect
from tests.unit.store.audit_case import (
    EVENT,
    LOST,
    NOW,
    OBS,
    OBS_STORED,
    OLD_EPOCH,
    OLD_WAVE,
    OTHER,
    OTHER_OBS,
    REJECTED,
    SHED,
    UNIT,
    WAVE,
    Case,
    build,
)
from tests.unit.store.records import EPOCH, START, open_database


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """The clean case, made once."""
    folder = tmp_path_factory.mktemp("clean")
    engine = open_database(folder)
    case = build(folder, engine)
    engine.dispose()
    return case


@pytest.fixture
def case(built: Case, tmp_path: Path) -> Iterator[Case]:
    """A copy of the clean case to be spoiled."""
    folder = tmp_path / "data"
    shutil.copytree(built.data_dir, folder)
    engine = connect(folder / DATABASE_NAME)
    yield Case(folder, engine)
    engine.dispose()


# ---- the clean case -------------------------------------------------------------------------------------------------


def test_books_that_balance(case: Case) -> None:
    report = case.audit()
    assert report.differences == []
    assert report.ok
    unit = next(unit for unit in report.units if unit.unit == UNIT)
    obs = next(lane for lane in unit.lanes if (lane.epoch, lane.lane) == (EPOCH, "obs"))
    assert obs.totals == Totals(
        produced=2000, stored=1885, outbox=145, unacked=50, shed=15, gone=5, retired=50, rejected=1
    )
    assert unit.totals.unread == 3
    t = report.totals
    assert t.produced == t.stored + t.outbox - t.unacked + t.shed + t.gone + t.missing
    assert t.produced == 2000 + 600 + 3 + 50 + 100


def test_rows_and_blocks_are_both_there(case: Case) -> None:
    with case.engine.connect() as connection:
        lanes = set(connection.execute(select(tables.block.c.lane)).scalars())
        rows = set(connection.execute(select(tables.record.c.lane_id)).scalars())
    assert lanes == {"obs", "wave", "event"}
    assert OBS in rows


def test_without_the_ledger_the_books_balance_too(case: Case) -> None:
    assert case.audit(ledger=False).ok


def test_chunks_change_nothing(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = case.audit()
    monkeypatch.setattr("gateway.adapters.audit_lane.CHUNK", 37)
    assert case.audit() == whole


def test_without_a_reader_of_outboxes_their_numbers_still_count(case: Case) -> None:
    assert run_audit(case.data_dir, [case.outbox], case.ledger_dir, console=Console(quiet=True)) == 0


def test_the_exit_code_and_the_report(case: Case, tmp_path: Path) -> None:
    case.sql("DELETE FROM record WHERE lane_id = ? AND seq = 1800", OBS)
    path = tmp_path / "report.json"
    assert run_audit(case.data_dir, [case.outbox], None, path, console=Console(quiet=True)) == 1
    report = json.loads(path.read_text())
    assert report["ok"] is False
    assert report["totals"]["missing"] == 1
    (found,) = report["differences"]
    assert (found["kind"], found["unit"], found["epoch"], found["lane"], found["first"], found["last"]) == (
        "ack-before-commit", UNIT, EPOCH, "obs", 1800, 1800,
    )  # fmt: skip


# ---- planted faults -------------------------------------------------------------------------------------------------


def _copy_into_row(case: Case) -> None:
    """A number of a block comes back as a row."""
    record = "INSERT INTO record SELECT ?, 60, device, observed_at, event_at, received_at, flags, payload FROM record"
    case.sql(f"{record} WHERE lane_id = ? LIMIT 1", OBS, OBS)


def _flip_payload(case: Case) -> None:
    """A digit of a value in an unfolded row changes: it still parses."""
    case.sql("UPDATE record SET payload = replace(payload, '97.5', '57.5') WHERE lane_id = ? AND seq = 1700", OBS)


def _flip_block(case: Case) -> None:
    with case.engine.begin() as connection:
        block = connection.execute(select(tables.block).where(tables.block.c.lane_id == WAVE)).first()
        assert block is not None
        data = bytearray(block.data)
        data[len(data) // 2] ^= 16
        connection.execute(tables.block.update().where(tables.block.c.id == block.id).values(data=bytes(data)))


def _swap_blocks(case: Case) -> None:
    """Two blocks of different lanes exchange their content."""
    with case.engine.begin() as connection:
        one = connection.execute(select(tables.block).where(tables.block.c.lane_id == WAVE)).first()
        other = connection.execute(select(tables.block).where(tables.block.c.lane_id == OLD_WAVE)).first()
        assert one is not None
        assert other is not None
        for target, source in ((one, other), (other, one)):
            values = {"header": source.header, "data": source.data}
            connection.execute(tables.block.update().where(tables.block.c.id == target.id).values(**values))


def _forget_reading(case: Case) -> None:
    lines = case.ledger_lines()
    del lines[100]
    case.write_ledger(lines)


def _change_reading(case: Case) -> None:
    lines = case.ledger_lines()
    line = json.loads(lines[100])
    lines[100] = (json.dumps(line | {"digest": line["digest"] ^ 1}) + "\n").encode()
    case.write_ledger(lines)


def _extra_reading(case: Case) -> None:
    lines = case.ledger_lines()
    line = json.loads(lines[0])
    case.write_ledger([(json.dumps(line | {"observed_at": START - 7}) + "\n").encode(), *lines])


def _tear_ledger(case: Case) -> None:
    case.write_ledger([b"{nonsense}\n", *case.ledger_lines()])


def _repeat_under_new_number(case: Case) -> None:
    """The same reading is stored a second time, as the record behind the last."""
    case.sql(
        "INSERT INTO record SELECT lane_id, 1900, device, observed_at, event_at, received_at, flags,"
        """ replace(payload, '"seq":1701', '"seq":1900') FROM record WHERE lane_id = ? AND seq = 1701""",
        OBS,
    )
    case.sql("UPDATE lane SET next = 1901 WHERE id = ?", OBS)


def _shed_file_open(case: Case) -> None:
    case.stream = StreamState(case.stream.created, 8_999)


def _delete_early(case: Case) -> None:
    """The agent takes a PUBACK for a receipt."""
    case.outbox_sql("UPDATE lane SET watermark = 1905 WHERE lane = 'obs'")
    case.outbox_sql("DELETE FROM obs_record WHERE id & 0xffffffffffff < 1905")


def _newer_outbox(case: Case) -> None:
    connection = sqlite3.connect(case.outbox)
    connection.execute("PRAGMA user_version = 99")
    connection.close()


def sql(statement: str, *values: object) -> Callable[[Case], None]:
    return lambda case: case.sql(statement, *values)


def outbox_sql(statement: str, *values: object) -> Callable[[Case], None]:
    return lambda case: case.outbox_sql(statement, *values)


FAULTS: dict[str, tuple[str, Callable[[Case], None]]] = {
    "a row is deleted": ("ack-before-commit", sql("DELETE FROM record WHERE lane_id = ? AND seq = 1777", OBS)),
    "the last row is deleted": ("ack-before-commit", sql("DELETE FROM record WHERE lane_id = ? AND seq = 1899", OBS)),
    "a block is deleted": ("missing", sql("DELETE FROM block WHERE lane_id = ?", OLD_WAVE)),
    "an acknowledged block is deleted": ("ack-before-commit", sql("DELETE FROM block WHERE lane_id = ?", WAVE)),
    "a folded number is there as a row again": ("double", _copy_into_row),
    "a block is there twice": (
        "double",
        sql(
            "INSERT INTO block (unit, lane, device, lane_id, first_seq, last_seq, records, start_at, end_at, codec,"
            " header, data) SELECT unit, lane, device, lane_id, first_seq, last_seq, records, start_at, end_at, codec,"
            " header, data FROM block WHERE lane_id = ? LIMIT 1",
            WAVE,
        ),
    ),
    "the lane's next is set back": ("beyond", sql("UPDATE lane SET next = 1800 WHERE id = ?", OBS)),
    "the lane's next is set forward": ("outbox-hole", sql("UPDATE lane SET next = 2005 WHERE id = ?", OBS)),
    "the agent's numbers are set back": ("seq-reset", outbox_sql("UPDATE lane SET next = 1890 WHERE lane = 'obs'")),
    "the agent deletes before the commit": ("ack-before-commit", _delete_early),
    "a shed range ends one too early": ("ack-before-commit", sql("UPDATE gap SET last = ? WHERE first = ?", 418, 410)),
    "a shed range ends one too late": ("gap-covers-stored", sql("UPDATE gap SET last = ? WHERE first = ?", 420, 410)),
    "a shed gap is deleted": ("ack-before-commit", sql("DELETE FROM gap WHERE lane_id = ? AND first = ?", WAVE, 100)),
    "a lost gap is marked healed": ("gap-not-healed", sql("UPDATE gap SET healed_at = 1 WHERE first = ?", LOST.first)),
    "a healed gap is open again": ("gap-covers-stored", sql("UPDATE gap SET healed_at = NULL WHERE first = 300")),
    "two gaps overlap": (
        "gap-overlap",
        sql("INSERT INTO gap (lane_id, first, last, seen_at, lost_at) VALUES (?, ?, ?, 1, 1)", OBS, 404, 412),
    ),
    "a gap is lost and shed": ("gap-inconsistent", sql("UPDATE gap SET lost_at = 1 WHERE first = ?", SHED.first)),
    "a gap runs backwards": ("gap-inconsistent", sql("UPDATE gap SET last = 399 WHERE first = ?", LOST.first)),
    "a gap lies beyond the stream": (
        "beyond",
        sql("INSERT INTO gap (lane_id, first, last, seen_at) VALUES (?, 5000, 5001, 1)", OBS),
    ),
    "a bit of a stored value flips": ("not-in-ledger", _flip_payload),
    "a stored payload is cut off": (
        "payload-damaged",
        sql("UPDATE record SET payload = substr(payload, 1, 40) WHERE lane_id = ? AND seq = 1700", OBS),
    ),
    "a record moves to another number": (
        "payload-foreign",
        sql("UPDATE record SET seq = 401 WHERE lane_id = ? AND seq = 1890", OBS),
    ),
    "two records swap devices": (
        "payload-foreign",
        sql("UPDATE record SET device = 'crew' WHERE lane_id = ? AND seq = 1700", OBS),
    ),
    "a block is cut off": (
        "block-damaged",
        sql("UPDATE block SET data = substr(data, 1, length(data) - 9) WHERE lane_id = ?", WAVE),
    ),
    "a bit of a block flips": ("block-damaged", _flip_block),
    "a block's header is cut off": (
        "block-damaged",
        sql("UPDATE block SET header = substr(header, 1, 60) WHERE lane_id = ?", OBS),
    ),
    "a block claims fewer records": (
        "block-foreign",
        sql("UPDATE block SET records = records - 1 WHERE lane_id = ?", WAVE),
    ),
    "two blocks swap contents": ("block-foreign", _swap_blocks),
    "a block goes to another unit": ("block-foreign", sql("UPDATE block SET unit = ? WHERE lane_id = ?", OTHER, WAVE)),
    "an epoch is swapped": (
        "block-foreign",
        sql("UPDATE lane SET epoch = 'ffffffffffffffff' WHERE id = ?", OLD_WAVE),
    ),
    "an epoch of unfolded rows is swapped": (
        "payload-foreign",
        sql("UPDATE lane SET epoch = 'ffffffffffffffff' WHERE id = ?", OBS),
    ),
    "a unit is swapped": ("block-foreign", sql("UPDATE lane SET unit = ? WHERE id = ?", OTHER, OLD_WAVE)),
    "a unit is swapped, seen by the ledger": (
        "ledger-missing",
        sql("UPDATE lane SET unit = ? WHERE id = ?", UNIT, OTHER_OBS),
    ),
    "a lane is deleted": ("orphan", sql("DELETE FROM lane WHERE id = ?", EVENT)),
    "a reject that accounts for a number is removed": (
        "ack-before-commit",
        sql("DELETE FROM reject WHERE seq = ?", REJECTED),
    ),
    "a reject no longer counts as whole": ("ack-before-commit", sql("UPDATE reject SET whole = 0")),
    "a retired range is deleted": ("ack-before-commit", sql("DELETE FROM retired")),
    "a retired range is too long": ("double", sql("UPDATE retired SET last_seq = 50, records = 51")),
    "a retired range counts wrongly": ("retired-inconsistent", sql("UPDATE retired SET records = 49")),
    "a record is deleted from the outbox": (
        "outbox-hole",
        outbox_sql("DELETE FROM obs_record WHERE id & 0xffffffffffff = 1950"),
    ),
    "the outbox holds a number it never gave": (
        "beyond",
        outbox_sql("UPDATE obs_record SET id = id + 500 WHERE id & 0xffffffffffff = 1999"),
    ),
    "a record in the outbox is damaged": (
        "outbox-damaged",
        outbox_sql("UPDATE obs_record SET payload = x'00' WHERE id & 0xffffffffffff = 1950"),
    ),
    "a declared shed range vanishes from the outbox": ("outbox-hole", outbox_sql("DELETE FROM shed")),
    "the agent has what it said was gone": (
        "gone-in-outbox",
        outbox_sql("INSERT INTO obs_record SELECT (id & ~0xffffffffffff) + 402, payload FROM obs_record LIMIT 1"),
    ),
    "the outbox is of a newer program": ("outbox-unreadable", _newer_outbox),
    "the database claims what only the outbox holds": (
        "ack-before-commit",
        sql("UPDATE lane SET next = 1950 WHERE id = ?", OBS),
    ),
    "the hello announces what never came": (
        "missing",
        sql("UPDATE unit_link SET hello = replace(hello, '00ab', '00ef')"),
    ),
    "the position is gone": ("position-missing", sql("DELETE FROM position")),
    "the position lies beyond the log": ("position-beyond-stream", _shed_file_open),
    "a reading is missing in the ledger": ("not-in-ledger", _forget_reading),
    "a reading of the ledger was changed": ("not-in-ledger", _change_reading),
    "the ledger knows a reading nobody has": ("ledger-missing", _extra_reading),
    "the ledger is damaged": ("ledger-damaged", _tear_ledger),
    "a reading is stored under two numbers": ("ledger-double", _repeat_under_new_number),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_turns_the_audit_red(case: Case, fault: str) -> None:
    kind, plant = FAULTS[fault]
    plant(case)
    report = case.audit()
    assert not report.ok
    assert kind in {found.kind for found in report.differences}


def test_a_ledger_of_a_unit_nobody_knows(case: Case) -> None:
    (case.ledger_dir / "amb-009.jsonl").write_bytes(b"")
    assert [found.kind for found in case.audit().differences] == ["ledger-unknown-unit"]


def test_an_outbox_that_is_not_there(case: Case) -> None:
    report = case.audit(outboxes=[case.data_dir / "no.db"])
    assert "outbox-unreadable" in {found.kind for found in report.differences}


def test_differences_are_named_by_range(case: Case) -> None:
    case.sql("DELETE FROM record WHERE lane_id = ? AND seq BETWEEN 1700 AND 1709", OBS)
    (found,) = case.audit(ledger=False).differences
    assert (found.first, found.last) == (1700, 1709)
    assert case.audit(ledger=False).totals.missing == 10


def test_an_agent_that_went_on_after_its_outbox_was_read_is_no_reset(case: Case) -> None:
    case.outbox_sql("UPDATE lane SET next = ? WHERE lane = 'obs'", OBS_STORED - 1)
    case.sql("UPDATE lane SET seen_at = ? WHERE id = ?", NOW, OBS)
    assert "seq-reset" not in {found.kind for found in case.audit().differences}


def test_an_epoch_nobody_told_the_database_of(case: Case) -> None:
    case.outbox_sql("UPDATE epoch SET epoch = ?", OLD_EPOCH)
    assert not case.audit().ok
