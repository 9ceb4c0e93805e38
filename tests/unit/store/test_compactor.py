"""Closed windows become blocks, nothing else does, and nothing is lost on the way."""

import msgspec
import pytest
from sqlalchemy import Engine, func, select

from gateway.adapters import blocks, compactor, tables
from gateway.adapters.compactor import GRACE, Compactor
from gateway.adapters.sql import Database
from gateway.contract.envelope import Lane
from gateway.ports import RecordRow
from tests.unit.store.records import SECOND, START, add_lane, add_rows, event, frames, observation, row

MINUTE = 60 * SECOND
WINDOW_END = (START // MINUTE + 1) * MINUTE


@pytest.fixture
def fold(engine: Engine, database: Database) -> Compactor:
    return Compactor(engine, database)


def put(engine: Engine, lane: Lane, rows: list[RecordRow], lane_id: int = 1) -> None:
    with engine.begin() as connection:
        add_lane(connection, lane_id, lane, rows[-1].seq + 1)
        add_rows(connection, rows)


def rows_left(engine: Engine) -> int:
    with engine.connect() as connection:
        return compactor.backlog(connection)


def folded(engine: Engine) -> list[RecordRow]:
    """Every record that lies in a block, in order of the blocks."""
    with engine.connect() as connection:
        found = connection.execute(select(tables.block).order_by(tables.block.c.id)).all()
    return [r for b in found for r in blocks.unfold(b.lane_id, Lane(b.lane), b.device, b.header, b.data)]


def test_a_window_is_folded_once_it_is_closed(engine: Engine, fold: Compactor) -> None:
    rows = [row(1, frame) for frame in frames(600)]
    put(engine, Lane.WAVE, rows)
    first = [one for one in rows if one.event_at < WINDOW_END]
    assert 0 < len(first) < len(rows)

    assert fold.step(WINDOW_END + GRACE - 1) == 0
    assert rows_left(engine) == 600
    assert fold.step(WINDOW_END + GRACE) == 1
    assert folded(engine) == first
    assert rows_left(engine) == 600 - len(first)


def test_what_is_there_in_the_end_is_what_came(engine: Engine, fold: Compactor) -> None:
    numerics = [row(2, observation(seq, device="gnss" if seq % 2 else "monitor")) for seq in range(1500)]
    happened = [row(3, event(seq)) for seq in range(0, 40, 7)]
    put(engine, Lane.WAVE, [row(1, frame) for frame in frames(400)])
    put(engine, Lane.OBS, numerics, 2)
    put(engine, Lane.EVENT, happened, 3)

    fold.step(START + 7200 * SECOND)

    assert rows_left(engine) == 0
    key = RecordRow.__struct_fields__[:2]
    expected = [row(1, frame) for frame in frames(400)] + numerics + happened
    assert sorted(folded(engine), key=lambda r: [getattr(r, name) for name in key]) == expected


def test_backfill_of_an_old_window_makes_a_block_of_its_own(engine: Engine, fold: Compactor) -> None:
    sent = frames(300)
    live, late = sent[:100] + sent[200:], sent[100:200]
    put(engine, Lane.WAVE, [row(1, frame) for frame in live])
    fold.step(START + 300 * SECOND)
    with engine.begin() as connection:
        add_rows(connection, [row(1, frame, received_at=START + 400 * SECOND) for frame in late])

    assert fold.step(START + 400 * SECOND + GRACE - 1) == 0, "the backlog may still be coming"
    assert fold.step(START + 400 * SECOND + GRACE) > 0
    assert rows_left(engine) == 0
    assert sorted(r.seq for r in folded(engine)) == list(range(300))


def test_a_window_that_still_grows_waits(engine: Engine, fold: Compactor) -> None:
    rows = [row(1, observation(seq)) for seq in range(20)]
    rows[-1] = msgspec.structs.replace(rows[-1], received_at=START + 3000 * SECOND)
    put(engine, Lane.OBS, rows)
    assert fold.step(START + 3000 * SECOND) == 0
    assert fold.step(START + 3000 * SECOND + GRACE) == 1


def test_a_time_in_the_future_does_not_keep_a_row_for_ever(engine: Engine, fold: Compactor) -> None:
    ahead = msgspec.structs.replace(row(1, observation(0)), event_at=START * 2)
    put(engine, Lane.OBS, [ahead])
    assert fold.step(START + 1800 * SECOND) == 0
    assert fold.step(START + 4000 * SECOND) == 1


def test_a_block_that_would_not_open_keeps_its_rows(
    engine: Engine, fold: Compactor, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(engine, Lane.OBS, [row(1, observation(seq)) for seq in range(20)])
    monkeypatch.setattr(blocks, "unfold", lambda *_: [])
    assert fold.step(START + 7200 * SECOND) == 0
    assert rows_left(engine) == 20
    monkeypatch.undo()
    assert fold.step(START + 7200 * SECOND) == 0, "tried again at once"
    assert fold.step(START + 7200 * SECOND + compactor.RETRY) == 1


def test_rows_that_vanish_meanwhile_roll_the_block_back(
    engine: Engine, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(engine, Lane.OBS, [row(1, observation(seq)) for seq in range(20)])
    real = blocks.fold

    def fold_and_steal(lane: Lane, rows: list[RecordRow]) -> blocks.Folded:
        database.submit(lambda c: c.execute(tables.record.delete().where(tables.record.c.seq == 3))).result()
        return real(lane, rows)

    monkeypatch.setattr(blocks, "fold", fold_and_steal)
    assert Compactor(engine, database).step(START + 7200 * SECOND) == 0
    assert rows_left(engine) == 19
    with engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(tables.block)).scalar() == 0


def test_a_block_holds_the_writer_for_a_bounded_amount(engine: Engine, fold: Compactor) -> None:
    put(engine, Lane.WAVE, [row(1, frame) for frame in frames(3000)])
    fold.step(START + 7200 * SECOND)
    with engine.connect() as connection:
        sizes = connection.execute(select(tables.block.c.records)).scalars().all()
    assert sum(sizes) == 3000
    assert max(sizes) <= 300
