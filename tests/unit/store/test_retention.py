"""The oldest goes first, every number that goes is accounted for, and the file does not grow for ever."""

import sqlite3
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import Engine, func, insert, select, update

from gateway.adapters import tables
from gateway.adapters.compactor import Compactor
from gateway.adapters.retention import DAY, Policy, Reason, Retention, retire, used_bytes
from gateway.adapters.sql import DATABASE_NAME, Database
from gateway.contract.envelope import Lane
from gateway.ports import RecordRow
from tests.unit.store.records import SECOND, START, add_lane, add_rows, frames, observation, row

NOTHING = Policy(waveforms=None, numerics=None, events=None, rejects=None)
NOON = START // DAY * DAY + DAY // 2


def fill(engine: Engine, database: Database, days: int, per_day: int = 200) -> None:
    """``days`` days with ``per_day`` frames each at noon, and as many numerics from two devices, all folded."""
    with engine.begin() as connection:
        add_lane(connection, 1, Lane.WAVE, days * per_day)
        add_lane(connection, 2, Lane.OBS, days * per_day)
        for day in range(days):
            for number, frame in enumerate(frames(per_day, day * per_day, 0, seed=day)):
                at = NOON + day * DAY + number * SECOND // 5
                add_rows(connection, [_moved(row(1, frame), at)])
            for seq in range(day * per_day, (day + 1) * per_day):
                sent = observation(seq, NOON + day * DAY + seq % per_day * SECOND, "gnss" if seq % 3 else "monitor")
                add_rows(connection, [row(2, sent)])
    Compactor(engine, database).step(NOON + (days + 1) * DAY)


def _moved(one: RecordRow, at: int) -> RecordRow:
    return msgspec.structs.replace(one, event_at=at, received_at=at)


def retired(engine: Engine, lane_id: int) -> list[tuple[int, int, str]]:
    table = tables.retired
    query = select(table.c.first_seq, table.c.last_seq, table.c.reason).where(table.c.lane_id == lane_id)
    with engine.connect() as connection:
        return [tuple(r) for r in connection.execute(query.order_by(table.c.first_seq))]


def days_left(engine: Engine, lane: Lane) -> set[int]:
    query = select(tables.block.c.start_at).where(tables.block.c.lane == lane.value)
    with engine.connect() as connection:
        return {(at - NOON) // DAY for at in connection.execute(query).scalars()}


def checkpointed(path: Path) -> int:
    """Size of the file with everything in it that is in the WAL."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return path.stat().st_size


@pytest.fixture
def path(data_dir: Path) -> Path:
    return data_dir / DATABASE_NAME


def test_what_is_too_old_goes_and_is_accounted_for(engine: Engine, database: Database, path: Path) -> None:
    fill(engine, database, days=4)
    policy = Policy(waveforms=2 * DAY, numerics=3 * DAY, rejects=None)
    gone = Retention(engine, database, path, policy).step(NOON + 4 * DAY)

    assert days_left(engine, Lane.WAVE) == {2, 3}
    assert days_left(engine, Lane.OBS) == {1, 2, 3}
    assert retired(engine, 1) == [(0, 399, "age")], "two days of waveforms, as one range"
    assert retired(engine, 2) == [(0, 199, "age")], "both devices' numbers, interleaved"
    assert gone == 600


def test_a_second_pass_extends_the_range(engine: Engine, database: Database, path: Path) -> None:
    fill(engine, database, days=3)
    policy = Policy(waveforms=DAY, rejects=None)
    for now in (NOON + 2 * DAY, NOON + 2 * DAY, NOON + 3 * DAY):
        Retention(engine, database, path, policy).step(now)
    assert retired(engine, 1) == [(0, 399, "age")]


def test_over_budget_the_oldest_waveforms_go_first(engine: Engine, database: Database, path: Path) -> None:
    fill(engine, database, days=5)
    with engine.connect() as connection:
        size = connection.execute(select(func.sum(func.length(tables.block.c.data)))).scalar_one()
    keeper = Retention(engine, database, path, NOTHING)
    assert keeper.step(NOON + 9 * DAY) == 0, "no budget, no age: nothing goes"

    with engine.connect() as connection:
        budget = used_bytes(connection, path) - size // 3
    keeper.policy = Policy(waveforms=None, numerics=None, rejects=None, budget=budget)
    keeper.step(NOON + 9 * DAY)

    left = days_left(engine, Lane.WAVE)
    assert left
    assert left < {0, 1, 2, 3, 4}
    assert left == set(range(5 - len(left), 5)), "whole days, oldest first"
    assert days_left(engine, Lane.OBS) == {0, 1, 2, 3, 4}
    assert {reason for *_, reason in retired(engine, 1)} == {"budget"}


def test_nothing_left_to_delete_ends_the_pass(engine: Engine, database: Database, path: Path) -> None:
    fill(engine, database, days=2)
    Retention(engine, database, path, Policy(budget=1, rejects=None)).step(NOON + 2 * DAY)
    assert days_left(engine, Lane.WAVE) == days_left(engine, Lane.OBS) == set()


def test_the_file_shrinks(engine: Engine, database: Database, path: Path) -> None:
    fill(engine, database, days=4, per_day=500)
    before = checkpointed(path)
    Retention(engine, database, path, Policy(waveforms=DAY, rejects=None)).step(NOON + 9 * DAY)
    assert checkpointed(path) < before / 2


def test_a_block_whose_numbers_cannot_be_read_stays(engine: Engine, database: Database, path: Path) -> None:
    fill(engine, database, days=2)
    with engine.begin() as connection:
        first = connection.execute(select(func.min(tables.block.c.id))).scalar_one()
        connection.execute(update(tables.block).where(tables.block.c.id == first).values(header=b"?"))
    Retention(engine, database, path, Policy(budget=1, rejects=None)).step(NOON + 2 * DAY)
    with engine.connect() as connection:
        assert connection.execute(select(tables.block.c.id)).scalars().all() == [first]


def test_a_reject_that_accounts_for_a_number_is_retired_with_it(engine: Engine, database: Database, path: Path) -> None:
    with engine.begin() as connection:
        add_lane(connection, 1, Lane.OBS, 10)
        for number, (whole, seq) in enumerate([(True, 4), (True, 5), (False, 6), (True, None)]):
            values = {"received_at": START, "subject": "x", "reason": "bad-schema", "detail": "", "payload": b""}
            lane_id = None if seq is None else 1
            connection.execute(
                insert(tables.reject).values(id=number + 1, whole=whole, seq=seq, lane_id=lane_id, **values)
            )
    Retention(engine, database, path, Policy(rejects=DAY)).step(START + 2 * DAY)
    assert retired(engine, 1) == [(4, 5, "age")]
    with engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(tables.reject)).scalar() == 0


def test_ranges_join_only_with_their_own_reason(engine: Engine) -> None:
    with engine.begin() as connection:
        add_lane(connection, 1, Lane.OBS, 100)
        for seqs, reason in [((1, 2, 5), Reason.AGE), ((3,), Reason.BUDGET), ((4, 6), Reason.AGE), ((20,), Reason.AGE)]:
            retire(connection, 1, seqs, reason, START)
    assert retired(engine, 1) == [(1, 2, "age"), (3, 3, "budget"), (4, 6, "age"), (20, 20, "age")]
