"""Frames that a weak link split in two: the audit and the charts put them together, and a spoiled half shows."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, insert

from edge_agents import outbox_schema
from edge_agents.device import Waveform
from edge_agents.outbox_codec import pack, unpack
from edge_agents.records import split_for_weak_link
from gateway.adapters import history, tables
from gateway.adapters.audit import audit
from gateway.adapters.audit_halves import rejoin
from gateway.adapters.audit_report import Difference, Report
from gateway.adapters.compactor import Compactor
from gateway.adapters.retention import Reason, retire
from gateway.adapters.sql import Database
from gateway.contract import wire
from gateway.contract.digest import digest
from gateway.contract.envelope import Lane
from gateway.contract.quantity import ECG_LEADS_12, LEADS
from gateway.contract.waveform import WaveFrame
from tests.unit.store.records import EPOCH, FRAME, SECOND, START, add_lane, add_rows, frames, row

UNIT = "amb-001"
DEFERRED = "00000000000000de"
LIVE_LANE, DEFERRED_LANE = 1, 2
COUNT, WEAK = 60, range(20, 45)  # frames; those split
END = START + COUNT * SECOND // 5
NOW = START + 3600 * SECOND
ONE = WEAK.start + 7  # of the frames split: the one that is spoiled
AT = START + ONE * SECOND // 5


def split(frame: WaveFrame) -> tuple[WaveFrame, WaveFrame]:
    """The agent's own division of a frame, as records of two epochs; both have the frame's number."""
    taken = Waveform(
        observed_at=frame.observed_at, n0=frame.n0, fs=frame.fs, leads=tuple(frame.leads), scale=frame.scale,
        samples=frame.samples,
    )  # fmt: skip
    live, rest = split_for_weak_link(taken)
    assert live is not None
    assert rest is not None
    one = msgspec.structs.replace(frame, leads=list(live.leads), samples=live.samples)
    other = msgspec.structs.replace(
        frame, epoch=DEFERRED, seq=0, backfill=True, leads=list(rest.leads), samples=rest.samples
    )
    return one, other


class Recording:
    """A minute in which the link was weak for a while, with the simulator's ledger of it."""

    def __init__(self, folder: Path, engine: Engine, database: Database) -> None:
        self.folder, self.engine, self.database = folder, engine, database
        self.sent = frames(COUNT)
        self.ledger = folder / "ledger"
        self.ledger.mkdir()
        (self.ledger / f"{UNIT}.jsonl").write_bytes(b"".join(map(_line, self.sent)))
        self.live = list(self.sent)
        self.deferred: list[WaveFrame] = []
        for seq, number in enumerate(WEAK):
            self.live[number], rest = split(self.sent[number])
            self.deferred.append(msgspec.structs.replace(rest, seq=seq))

    def store(self) -> None:
        """Puts what ``live`` and ``deferred`` say into the database."""
        with self.engine.begin() as connection:
            add_lane(connection, LIVE_LANE, Lane.WAVE, COUNT)
            add_lane(connection, DEFERRED_LANE, Lane.WAVE, max(len(WEAK), len(self.deferred)), epoch=DEFERRED)
            add_rows(connection, [row(LIVE_LANE, frame) for frame in self.live])
            late = [row(DEFERRED_LANE, frame, received_at=END + frame.observed_at - START) for frame in self.deferred]
            add_rows(connection, late)
            position = {"partition": 0, "stream_created": "2026-01-01", "sequence": 9_000, "logged_at": START}
            connection.execute(insert(tables.position).values(**position))

    def fold(self) -> None:
        assert Compactor(self.engine, self.database).step(NOW) > 0

    def keep(self, held: list[WaveFrame]) -> Path:
        """An outbox in which these deferred records are still waiting."""
        path = self.folder / "outbox.db"
        db = outbox_schema.connect(path)
        outbox_schema.migrate(db)
        db.execute("INSERT INTO epoch (id, epoch) VALUES (1, ?)", (DEFERRED,))
        statement = "INSERT INTO lane (epoch_id, lane, next, watermark, records) VALUES (1, 'wave', ?, ?, ?)"
        db.execute(statement, (len(WEAK), len(WEAK) - len(held), len(held)))
        for frame in held:
            key = (1 << outbox_schema.SEQ_BITS) + frame.seq
            packed = pack(key, Lane.WAVE, wire.encode(frame))
            db.execute("INSERT INTO wave_record (id, payload) VALUES (?, ?)", (key, packed))
        db.close()
        return path

    def audit(self, *outboxes: Path) -> Report:
        return audit(self.folder, outboxes, self.ledger, unpack=unpack, now=NOW)

    def differences(self) -> list[tuple[str, str, int]]:
        return sorted((one.kind, one.epoch, one.first) for one in self.audit().differences)

    def waves(self, start: int = START, end: int = END, leads: list[str] | None = None) -> list[history.Segment]:
        with self.engine.connect() as connection:
            return history.waveform(connection, UNIT, "monitor", start, end, leads)


def _line(frame: WaveFrame) -> bytes:
    line = {"type": "reading", "device": frame.device, "channel": "wave", "observed_at": frame.observed_at}
    return msgspec.json.encode(line | {"digest": digest(frame)}) + b"\n"


@pytest.fixture
def recording(data_dir: Path, engine: Engine, database: Database) -> Recording:
    return Recording(data_dir, engine, database)


# ---- two records are one reading ------------------------------------------------------------------------------------


@given(st.permutations([*ECG_LEADS_12]), st.integers(0, 11))
def test_the_digest_is_found_wherever_the_single_lead_was(leads: list[str], place: int) -> None:
    (whole,) = frames(1)
    whole = msgspec.structs.replace(whole, leads=leads)
    size = 2 * FRAME
    cut = slice(place * size, (place + 1) * size)
    single = msgspec.structs.replace(whole, leads=[leads[place]], samples=whole.samples[cut])
    others = [name for name in leads if name != leads[place]]
    rest = whole.samples[: cut.start] + whole.samples[cut.stop :]
    other = msgspec.structs.replace(whole, leads=others, samples=rest)
    assert rejoin(single, other, {1, digest(whole)}) == digest(whole)
    assert rejoin(other, single, {digest(whole)}) == digest(whole)
    assert rejoin(single, other, {1}) is None
    assert rejoin(single, msgspec.structs.replace(other, n0=other.n0 + 1), {digest(whole)}) is None


@pytest.mark.parametrize("folded", [False, True])
def test_an_audit_of_a_weak_link_is_green(recording: Recording, folded: bool) -> None:
    recording.store()
    if folded:
        recording.fold()
    report = recording.audit()
    assert report.differences == []
    assert report.totals.stored == COUNT + len(WEAK)


def test_halves_that_wait_in_the_outbox_count(recording: Recording) -> None:
    held = recording.deferred[10:]
    recording.deferred = recording.deferred[:10]
    recording.store()
    with recording.engine.begin() as connection:
        connection.execute(tables.lane.update().where(tables.lane.c.id == DEFERRED_LANE).values(next=10))
    assert recording.audit(recording.keep(held)).differences == []
    broken = [msgspec.structs.replace(held[0], samples=bytes(len(held[0].samples))), *held[1:]]
    (recording.folder / "outbox.db").unlink()
    kinds = {one.kind for one in recording.audit(recording.keep(broken)).differences}
    assert kinds == {"not-in-ledger", "ledger-missing"}


# ---- planted faults -------------------------------------------------------------------------------------------------


def changed(frame: WaveFrame) -> WaveFrame:
    """One bit of one sample is another."""
    return msgspec.structs.replace(frame, samples=bytes([frame.samples[0] ^ 1]) + frame.samples[1:])


def live_half_missing(it: Recording) -> None:
    it.live = [frame for frame in it.live if frame.seq != ONE]


def other_half_missing(it: Recording) -> None:
    del it.deferred[7]


def live_half_changed(it: Recording) -> None:
    it.live[ONE] = changed(it.live[ONE])


def other_half_changed(it: Recording) -> None:
    it.deferred[7] = changed(it.deferred[7])


def whole_as_well(it: Recording) -> None:
    it.deferred.append(msgspec.structs.replace(it.sent[ONE], epoch=DEFERRED, seq=len(WEAK)))


def halves_of_two_moments(it: Recording) -> None:
    """The other leads of two frames have each other's time."""
    one, two = it.deferred[7], it.deferred[8]
    it.deferred[7] = msgspec.structs.replace(one, samples=two.samples)
    it.deferred[8] = msgspec.structs.replace(two, samples=one.samples)


MISSING = ("ledger-missing", "", AT)
LIVE, OTHER = ("not-in-ledger", EPOCH, ONE), ("not-in-ledger", DEFERRED, 7)
FAULTS: list[tuple[Callable[[Recording], None], list[tuple[str, str, int]]]] = [
    (live_half_missing, [MISSING, ("missing", EPOCH, ONE), OTHER]),
    (other_half_missing, [MISSING, ("missing", DEFERRED, 7), LIVE]),
    (live_half_changed, [MISSING, LIVE, OTHER]),
    (other_half_changed, [MISSING, LIVE, OTHER]),
    (whole_as_well, [("ledger-double", DEFERRED, len(WEAK))]),
    (halves_of_two_moments, [MISSING, LIVE, OTHER]),  # two each: neighbours are named as one range
]


@pytest.mark.parametrize("folded", [False, True])
@pytest.mark.parametrize(("plant", "named"), FAULTS, ids=[plant.__name__ for plant, _ in FAULTS])
def test_a_spoiled_half_turns_the_audit_red(
    recording: Recording, plant: Callable[[Recording], None], named: list[tuple[str, str, int]], folded: bool
) -> None:
    plant(recording)
    recording.store()
    if folded:
        recording.fold()
    assert recording.differences() == sorted(named)


def test_a_half_whose_other_half_was_shed_is_excused_and_no_other(recording: Recording) -> None:
    del recording.deferred[7]
    recording.store()
    shed = {"lane_id": DEFERRED_LANE, "first": 7, "last": 7, "seen_at": START, "shed_at": START}
    with recording.engine.begin() as connection:
        connection.execute(insert(tables.gap).values(**shed))
    assert recording.audit().differences == []
    with recording.engine.begin() as connection:
        wrong = wire.encode(changed(recording.live[ONE + 3]))
        of = tables.record.c
        chosen = tables.record.update().where(of.lane_id == LIVE_LANE, of.seq == ONE + 3)
        connection.execute(chosen.values(payload=wrong))
    assert {one.kind for one in recording.audit().differences} == {"not-in-ledger", "ledger-missing"}


def test_no_more_halves_are_excused_than_numbers_are(recording: Recording) -> None:
    del recording.deferred[7:9]
    recording.store()
    shed = {"lane_id": DEFERRED_LANE, "first": 7, "last": 7, "seen_at": START, "shed_at": START}
    with recording.engine.begin() as connection:
        connection.execute(insert(tables.gap).values(**shed))
    found = recording.differences()
    assert [one[:2] for one in found] == [("ledger-missing", ""), ("missing", DEFERRED), ("not-in-ledger", EPOCH)]


def test_a_half_is_excused_when_the_agent_was_killed_before_it_stored_the_other(recording: Recording) -> None:
    """The reading lies in the last second before the device lost its reader."""
    recording.deferred.pop()
    recording.store()
    with recording.engine.begin() as connection:
        last = tables.lane.update().where(tables.lane.c.id == DEFERRED_LANE)
        connection.execute(last.values(next=len(WEAK) - 1))
    assert [kind for kind, *_ in recording.differences()] == ["ledger-missing", "not-in-ledger"]
    path = recording.ledger / f"{UNIT}.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    lines.insert(WEAK.stop, b'{"type":"link","device":"monitor","state":"down","at":1}\n')
    path.write_bytes(b"".join(lines))
    report = recording.audit()
    assert report.differences == []
    assert report.totals.unread == 1


def test_a_changed_whole_frame_is_no_half(recording: Recording) -> None:
    """Shed numbers elsewhere excuse missing readings, never a wrong one."""
    recording.live[3] = changed(recording.live[3])
    recording.store()
    with recording.engine.begin() as connection:
        retire(connection, DEFERRED_LANE, range(len(WEAK), len(WEAK) + 1), Reason.AGE, START)
        connection.execute(tables.lane.update().where(tables.lane.c.id == DEFERRED_LANE).values(next=len(WEAK) + 1))
    found = recording.audit().differences
    assert found == [Difference("not-in-ledger", UNIT, EPOCH, "wave", 3, 3, "monitor")]


# ---- charts ---------------------------------------------------------------------------------------------------------


def whole(recording: Recording) -> np.ndarray[tuple[int, ...], np.dtype[np.int16]]:
    return np.concatenate([np.frombuffer(f.samples, "<i2").reshape(12, -1) for f in recording.sent], axis=1)


@pytest.mark.parametrize("folded", [False, True])
def test_a_window_shows_all_leads_in_one_piece(recording: Recording, folded: bool) -> None:
    recording.store()
    if folded:
        recording.fold()
    (segment,) = recording.waves()
    assert (segment.start_at, segment.n0, segment.leads) == (START, 0, ECG_LEADS_12)
    assert np.array_equal(segment.samples, whole(recording))
    (cut,) = recording.waves(AT + 50_000, AT + 450_000, ["V1", "II"])
    assert (cut.n0, cut.leads) == (ONE * FRAME + 25, ("II", "V1"))
    assert np.array_equal(cut.samples, whole(recording)[[1, 6], ONE * FRAME + 25 : ONE * FRAME + 225])
    (chest,) = recording.waves(leads=["V4"])
    assert chest.samples.shape == (1, COUNT * FRAME)


def test_while_the_other_leads_are_on_their_way_lead_two_is_there(recording: Recording) -> None:
    recording.deferred = recording.deferred[:10]
    recording.store()
    came = WEAK.start + 10
    shown = [(s.n0 // FRAME, s.samples.shape[1] // FRAME, s.leads) for s in recording.waves()]
    assert shown == [
        (0, came, ECG_LEADS_12),
        (came, WEAK.stop - came, ("II",)),
        (WEAK.stop, COUNT - WEAK.stop, ECG_LEADS_12),
    ]
    (rhythm,) = recording.waves(leads=["II"])
    assert np.array_equal(rhythm.samples[0], whole(recording)[1])


def test_other_samples_are_never_put_together(recording: Recording) -> None:
    """Same moment and leads that would fit, but numbers or scales that do not."""
    recording.deferred = [msgspec.structs.replace(frame, scale=0.01) for frame in recording.deferred]
    recording.store()
    assert {len(segment.leads) for segment in recording.waves()} == {12, 11, 1}


def test_leads_come_in_the_order_of_the_table() -> None:
    assert list(ECG_LEADS_12) == sorted(ECG_LEADS_12, key=list(LEADS).index)
