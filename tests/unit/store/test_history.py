"""The past reads the same whether it lies in rows or in blocks."""

from typing import Any

import msgspec
import numpy as np
import pytest
from sqlalchemy import Engine, insert, select, update

from gateway.adapters import blocks, history, tables
from gateway.adapters.compactor import Compactor
from gateway.adapters.sql import Database
from gateway.contract import wire
from gateway.contract.digest import digest
from gateway.contract.envelope import Lane
from gateway.contract.waveform import WaveFrame
from gateway.ports import RecordFlag, RecordRow
from tests.unit.store.records import FRAME, SECOND, START, add_lane, add_rows, event, frames, observation, row

UNIT = "amb-001"
MINUTE = 60 * SECOND
LATER = START + 86_400 * SECOND
COUNT = 3000  # s of numerics: five blocks


def put(engine: Engine, lane: Lane, rows: list[RecordRow], lane_id: int = 1) -> None:
    with engine.begin() as connection:
        add_lane(connection, lane_id, lane, rows[-1].seq + 1)
        add_rows(connection, rows)


def fold(engine: Engine, database: Database, until: int = LATER) -> None:
    assert Compactor(engine, database).step(until) > 0


def rates(engine: Engine, start: int, end: int, step: int, device: str | None = None) -> list[dict[str, Any]]:
    with engine.connect() as connection:
        return history.series(connection, UNIT, "heart-rate", start, end, step, device)


SPANS = [(START, START + COUNT * SECOND), (START + 17 * SECOND, START + 2222 * SECOND), (START - MINUTE, START)]


@pytest.mark.parametrize("until", [START + 1500 * SECOND, LATER])
@pytest.mark.parametrize("step", [0, SECOND, 7 * SECOND, MINUTE, 3600 * SECOND])
@pytest.mark.parametrize("span", SPANS)
def test_folding_changes_no_chart(
    engine: Engine, database: Database, until: int, step: int, span: tuple[int, int]
) -> None:
    put(engine, Lane.OBS, [row(1, observation(seq)) for seq in range(COUNT)])
    before = rates(engine, *span, step)
    fold(engine, database, until)
    after = rates(engine, *span, step)
    assert [point.pop("mean", 0) for point in after] == pytest.approx([point.pop("mean", 0) for point in before])
    assert after == before


def test_a_step_has_the_numbers_of_its_values(engine: Engine) -> None:
    values = [60.0, None, 90.0, 9999.0, 75.0]
    put(engine, Lane.OBS, [row(1, observation(seq, heart_rate=value)) for seq, value in enumerate(values)])
    start = START // MINUTE * MINUTE
    assert rates(engine, start, start + 2 * MINUTE, MINUTE) == [
        {"at": start, "n": 3, "min": 60.0, "max": 90.0, "mean": 75.0}
    ]
    points = rates(engine, START, START + 4 * SECOND, 0)
    assert [(point["at"], point["value"]) for point in points] == [(START, 60.0), (START + 2 * SECOND, 90.0)]
    assert all(point["received_at"] >= point["at"] and point["device"] == "monitor" for point in points)


def test_whole_blocks_are_read_from_their_headers(
    engine: Engine, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(engine, Lane.OBS, [row(1, observation(seq)) for seq in range(COUNT)])
    fold(engine, database)
    monkeypatch.setattr(history, "opened", lambda *_: pytest.fail("a block was opened"))
    day = 86_400 * SECOND
    (point,) = rates(engine, START // day * day, START // day * day + day, day)
    assert point["n"] == COUNT


@pytest.mark.parametrize("folded", [False, True])
def test_what_was_said_in_service_mode_is_no_measurement(engine: Engine, database: Database, folded: bool) -> None:
    flags = [RecordFlag.SERVICE if seq % 2 else 0 for seq in range(COUNT)]
    put(engine, Lane.OBS, [row(1, observation(seq), flags=flag) for seq, flag in enumerate(flags)])
    if folded:
        fold(engine, database)
    for step in (0, SECOND, 86_400 * SECOND):
        assert sum(point.get("n", 1) for point in rates(engine, START, LATER, step)) == COUNT // 2
    with engine.connect() as connection:
        found = history.records(connection, "amb-001", Lane.OBS, START, LATER)
        assert sum(1 for _ in found) == COUNT, "all of it is stored"


def test_a_device_can_be_chosen(engine: Engine, database: Database) -> None:
    rows = [row(1, observation(seq, device="monitor" if seq % 2 else "spot")) for seq in range(100)]
    put(engine, Lane.OBS, rows)
    assert sum(point["n"] for point in rates(engine, START, LATER, MINUTE, "spot")) == 50
    fold(engine, database)
    assert sum(point["n"] for point in rates(engine, START, LATER, MINUTE, "spot")) == 50


def test_a_damaged_block_leaves_a_hole_and_nothing_else(engine: Engine, database: Database) -> None:
    put(engine, Lane.OBS, [row(1, observation(seq)) for seq in range(COUNT)])
    fold(engine, database)
    with engine.begin() as connection:
        first = connection.execute(select(tables.block).order_by(tables.block.c.start_at)).first()
        assert first is not None
        connection.execute(update(tables.block).where(tables.block.c.id == first.id).values(data=b"?", header=b"?"))
    for step in (0, 3600 * SECOND):
        points = rates(engine, START, LATER, step)
        assert sum(point.get("n", 1) for point in points) == COUNT - first.records


# ---- waveforms ------------------------------------------------------------------------------------------------------


def lead(sent: list[WaveFrame], number: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int16]]:
    return np.concatenate([np.frombuffer(f.samples, "<i2").reshape(12, -1)[number] for f in sent])


def waves(
    engine: Engine, start: int = START, end: int = LATER, leads: list[str] | None = None
) -> list[history.Segment]:
    with engine.connect() as connection:
        return history.waveform(connection, UNIT, "monitor", start, end, leads)


@pytest.mark.parametrize("until", [None, START + 200 * SECOND, LATER])
def test_samples_come_back_in_one_piece(engine: Engine, database: Database, until: int | None) -> None:
    sent = frames(700)
    put(engine, Lane.WAVE, [row(1, frame) for frame in sent])
    if until is not None:
        fold(engine, database, until)
    (segment,) = waves(engine)
    assert (segment.start_at, segment.n0, segment.fs, segment.scale) == (START, 0, 500.0, 0.005)
    assert segment.samples.shape == (12, 700 * FRAME)
    assert np.array_equal(segment.samples[1], lead(sent, 1))


def test_a_window_is_cut_to_the_sample(engine: Engine) -> None:
    sent = frames(50)
    put(engine, Lane.WAVE, [row(1, frame) for frame in sent])
    (segment,) = waves(engine, START + 1_050_000, START + 2_010_000, ["V1", "II"])
    assert (segment.start_at, segment.n0, segment.leads) == (START + 1_050_000, 525, ("II", "V1"))
    assert np.array_equal(segment.samples, np.array([lead(sent, 1), lead(sent, 6)])[:, 525:1005])


def test_segments_are_never_joined_across_a_gap(engine: Engine) -> None:
    sent = frames(50)
    put(engine, Lane.WAVE, [row(1, frame) for frame in sent if frame.seq not in {20, 21}])
    first, second = waves(engine)
    assert (first.n0, first.samples.shape[1]) == (0, 20 * FRAME)
    assert (second.n0, second.start_at) == (22 * FRAME, START + 22 * SECOND // 5)


def test_a_sample_recorded_twice_comes_once(engine: Engine) -> None:
    sent = frames(20)
    again = [msgspec.structs.replace(frame, seq=100 + frame.seq) for frame in sent[5:9]]
    put(engine, Lane.WAVE, [row(1, frame) for frame in [*sent, *again]])
    (segment,) = waves(engine)
    assert np.array_equal(segment.samples[0], lead(sent, 0))


def test_a_restarted_agent_and_other_settings_begin_a_segment(engine: Engine) -> None:
    sent = frames(30)
    coarser = [msgspec.structs.replace(frame, scale=0.01) for frame in sent[10:20]]
    put(engine, Lane.WAVE, [row(1, frame) for frame in [*sent[:10], *coarser]])
    restarted = [msgspec.structs.replace(frame, epoch="0" * 16, n0=frame.n0 - 2000) for frame in sent[20:]]
    with engine.begin() as connection:
        add_lane(connection, 2, Lane.WAVE, 30, epoch="0" * 16)
        add_rows(connection, [row(2, frame) for frame in restarted])
    assert [(s.n0, s.scale, s.samples.shape[1]) for s in waves(engine)] == [
        (0, 0.005, 1000),
        (1000, 0.01, 1000),
        (0, 0.005, 1000),
    ]


def test_recent_frames_are_the_published_bytes(engine: Engine) -> None:
    sent = frames(100)
    put(engine, Lane.WAVE, [row(1, frame) for frame in sent])
    with engine.connect() as connection:
        found = history.recent_frames(connection, UNIT, START + 10 * SECOND)
    assert found == [wire.encode(frame) for frame in sent[50:]]


# ---- events, latest, digests ----------------------------------------------------------------------------------------


def test_events_before_and_after_folding(engine: Engine, database: Database) -> None:
    put(engine, Lane.EVENT, [row(1, event(seq, name)) for seq, name in enumerate(["boarded", "arrived"])])
    with engine.connect() as connection:
        before = history.events(connection, UNIT, START, LATER)
    fold(engine, database)
    with engine.connect() as connection:
        assert history.events(connection, UNIT, START, LATER) == before
        assert [found["name"] for found in before] == ["boarded", "arrived"]
        assert history.events(connection, "amb-999", START, LATER) == []


def test_latest_values(engine: Engine) -> None:
    values = {"unit": UNIT, "device": "monitor", "event_at": 5, "received_at": 6, "derived": False}
    with engine.begin() as connection:
        connection.execute(insert(tables.latest).values(**values, quantity="spo2", value=97.0))
        connection.execute(insert(tables.latest).values(**values, quantity="heart-rate", value=None))
        found = history.latest(connection, UNIT)
    common = {"device": "monitor", "at": 5, "received_at": 6, "derived": False}
    assert found == [common | {"quantity": "heart-rate", "value": None}, common | {"quantity": "spo2", "value": 97.0}]


def test_a_record_s_digest_is_known_in_a_row_and_in_a_block(engine: Engine, database: Database) -> None:
    sent = [observation(seq) for seq in range(0, 40, 2)]
    put(engine, Lane.OBS, [row(1, one) for one in sent])
    for _ in range(2):
        with engine.connect() as connection:
            assert history.stored_digest(connection, 1, 6) == digest(sent[3])
            assert history.stored_digest(connection, 1, 7) is None
            assert history.stored_digest(connection, 2, 6) is None
        Compactor(engine, database).step(LATER)


def test_a_resent_record_has_the_digest_of_the_first(engine: Engine) -> None:
    sent = observation(3)
    put(engine, Lane.OBS, [row(1, sent)])
    again = msgspec.structs.replace(sent, backfill=True)
    with engine.connect() as connection:
        assert history.stored_digest(connection, 1, 3) == digest(again)


def test_damage_does_not_stop_whoever_asks_for_a_digest(engine: Engine, database: Database) -> None:
    put(engine, Lane.OBS, [row(1, observation(seq)) for seq in range(20)])
    fold(engine, database)
    with engine.begin() as connection:
        connection.execute(tables.block.update().values(header=b"?"))
        add_rows(connection, [msgspec.structs.replace(row(1, observation(99)), payload=b"?")])
        assert history.stored_digest(connection, 1, 5) is None
        assert history.stored_digest(connection, 1, 99) is None


def test_blocks_module_names_its_codec() -> None:
    assert blocks.CODEC == "lm-pco-1"
