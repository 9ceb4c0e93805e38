"""What goes in comes out until it is acked, whatever happens to the process, the disk or the file."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from edge_agents.failpoint import VARIABLE
from edge_agents.outbox import Entry, Outbox
from edge_agents.outbox_file import DiskFullError, OutboxBusyError
from edge_agents.outbox_ledger import Stream
from edge_agents.outbox_salvage import open_outbox
from edge_agents.outbox_schema import PAGE_SIZE, VERSION, UnknownVersionError, connect, migrate
from edge_agents.ranges import RangeSet
from gateway.contract.envelope import Lane, LaneState, SeqRange
from tests.unit.edge.helpers import EPOCH, NEXT_EPOCH, ack, entries, held, open_box, payload, shed

SMALL = 1 << 20


@pytest.fixture
def box(tmp_path: Path) -> Generator[Outbox, None, None]:
    box = open_box(tmp_path)
    yield box
    box.close()


class TestKeeping:
    def test_bytes_come_back_as_they_went_in(self, box: Outbox) -> None:
        for lane in Lane:
            box.append_batch(entries(lane, range(3)))
            rows = box.read(Stream(EPOCH, lane), 0, 10, 10, 1 << 20)
            assert [(r.seq, r.payload) for r in rows] == [(n, payload(lane, n)) for n in range(3)]

    def test_reading_stops_at_the_byte_limit_but_yields_at_least_one(self, box: Outbox) -> None:
        box.append_batch(entries(Lane.WAVE, range(5)))
        assert [r.seq for r in box.read(Stream(EPOCH, Lane.WAVE), 1, 4, 10, 6000)] == [1, 2]
        assert [r.seq for r in box.read(Stream(EPOCH, Lane.WAVE), 1, 4, 10, 1)] == [1]

    def test_a_restart_keeps_the_older_epoch_under_its_numbers(self, tmp_path: Path) -> None:
        box = open_box(tmp_path)
        box.append_batch(entries(Lane.OBS, range(5)))
        box.close()
        box = open_box(tmp_path, NEXT_EPOCH)
        box.append_batch(entries(Lane.OBS, range(2), NEXT_EPOCH))
        assert held(box, Lane.OBS) == [0, 1, 2, 3, 4]
        assert held(box, Lane.OBS, NEXT_EPOCH) == [0, 1]
        assert LaneState(epoch=EPOCH, lane=Lane.OBS, first=0, next=5) in box.lane_states()
        assert box.records == 7
        box.close()

    def test_a_restart_that_records_nothing_leaves_nothing(self, tmp_path: Path) -> None:
        open_box(tmp_path).close()
        box = open_box(tmp_path, NEXT_EPOCH)
        assert {state.epoch for state in box.lane_states()} == {NEXT_EPOCH}
        box.close()

    def test_two_agents_cannot_share_an_outbox(self, box: Outbox) -> None:
        with pytest.raises(OutboxBusyError):
            open_box(box.path.parent, NEXT_EPOCH)


class TestAcks:
    def test_below_the_watermark_goes_except_what_is_missing(self, box: Outbox) -> None:
        box.append_batch(entries(Lane.OBS, range(10)))
        assert box.acknowledge([ack(Lane.OBS, 8, (2, 3), (8, 8))]) == 6
        assert held(box, Lane.OBS) == [2, 3, 8, 9]
        assert box.acknowledge([ack(Lane.OBS, 10)]) == 4
        assert box.records == 0

    def test_a_watermark_beyond_what_was_produced_deletes_only_what_is_there(self, box: Outbox) -> None:
        box.append_batch(entries(Lane.OBS, range(3)))
        box.acknowledge([ack(Lane.OBS, 100)])
        box.append_batch(entries(Lane.OBS, [3]))
        assert held(box, Lane.OBS) == [3]

    def test_an_old_epoch_is_forgotten_once_complete_and_not_before(self, tmp_path: Path) -> None:
        box = open_box(tmp_path)
        box.append_batch(entries(Lane.OBS, range(3)) + entries(Lane.EVENT, [0]))
        box.close()
        box = open_box(tmp_path, NEXT_EPOCH)
        box.acknowledge([ack(Lane.OBS, 3)])
        assert {s.lane for s in box.lane_states() if s.epoch == EPOCH} == {Lane.EVENT}
        box.acknowledge([ack(Lane.EVENT, 1)])
        assert not [s for s in box.lane_states() if s.epoch == EPOCH]
        assert box._db.execute("SELECT count(*) FROM epoch").fetchone()[0] == 0
        box.close()

    def test_the_running_epoch_is_never_forgotten(self, box: Outbox) -> None:
        box.append_batch(entries(Lane.OBS, range(3)))
        box.acknowledge([ack(Lane.OBS, 3)])
        assert LaneState(epoch=EPOCH, lane=Lane.OBS, first=3, next=3) in box.lane_states()

    def test_streams_nobody_knows_are_ignored(self, box: Outbox) -> None:
        assert box.acknowledge([ack(Lane.OBS, 5, epoch=NEXT_EPOCH)]) == 0


class TestShedding:
    def test_oldest_waveforms_go_first_and_every_number_is_declared(self, tmp_path: Path) -> None:
        box = open_box(tmp_path, max_bytes=SMALL)
        box.append_batch(entries(Lane.OBS, range(200)) + entries(Lane.EVENT, range(20)))
        for n in range(500):
            box.append_batch(entries(Lane.WAVE, [n]))
        there = held(box, Lane.WAVE)
        assert shed(box, Lane.WAVE) == [(0, there[0] - 1)], "exact to the record"
        assert there == list(range(there[0], 500))
        assert len(held(box, Lane.OBS)) == 200
        assert box.used_bytes <= SMALL
        assert disk_use(box) <= SMALL
        box.close()
        box = open_box(tmp_path, NEXT_EPOCH, SMALL)
        assert shed(box, Lane.WAVE) == [(0, there[0] - 1)], "survives a restart"
        box.close()

    def test_observations_push_out_waveforms_then_older_observations(self, tmp_path: Path) -> None:
        box = open_box(tmp_path, max_bytes=SMALL)
        box.append_batch(entries(Lane.WAVE, range(250)))
        for first in range(0, 40000, 500):
            box.append_batch(entries(Lane.OBS, range(first, first + 500)))
        assert held(box, Lane.WAVE) == []
        assert shed(box, Lane.WAVE) == [(0, 249)]
        there = held(box, Lane.OBS)
        assert shed(box, Lane.OBS) == [(0, there[0] - 1)]
        assert there == list(range(there[0], 40000))
        assert box.records == len(there)
        box.close()

    def test_a_waveform_never_pushes_out_an_observation(self, tmp_path: Path) -> None:
        box = open_box(tmp_path, max_bytes=SMALL)
        fill_with_observations(box)
        before = held(box, Lane.OBS)
        assert box.append_batch(entries(Lane.WAVE, range(3))) == []
        assert shed(box, Lane.WAVE) == [(0, 2)]
        assert held(box, Lane.OBS) == before
        box.close()

    def test_events_are_kept_even_when_only_events_are_left(self, tmp_path: Path) -> None:
        box = open_box(tmp_path, max_bytes=SMALL)
        number = 0
        while box.used_bytes < SMALL:
            box.append_batch(entries(Lane.EVENT, range(number, number + 500)))
            number += 500
        box.append_batch(entries(Lane.EVENT, [number]) + entries(Lane.OBS, [0]) + entries(Lane.WAVE, [0]))
        assert held(box, Lane.EVENT) == list(range(number + 1))
        assert shed(box, Lane.OBS) == shed(box, Lane.WAVE) == [(0, 0)]
        assert box.shed_counts == {Lane.OBS: 1, Lane.WAVE: 1}, "and it is reported"
        box.close()

    def test_an_ack_that_passes_shed_numbers_ends_their_declaration(self, tmp_path: Path) -> None:
        box = open_box(tmp_path, max_bytes=SMALL)
        box.append_batch([], {Stream(EPOCH, Lane.WAVE): RangeSet([(0, 9)])})
        assert box.lane_states()[2].shed == [SeqRange(0, 9)]
        box.acknowledge([ack(Lane.WAVE, 5)])
        assert shed(box, Lane.WAVE) == [(5, 9)]
        box.close()

    def test_room_that_acks_make_is_used_again(self, tmp_path: Path) -> None:
        box = open_box(tmp_path, max_bytes=SMALL)
        for round_number in range(20):
            first = round_number * 200
            for number in range(first, first + 200, 5):
                box.append_batch(entries(Lane.WAVE, range(number, number + 5)))
            box.acknowledge([ack(Lane.WAVE, first + 200)])
        assert shed(box, Lane.WAVE) == []
        assert box.path.stat().st_size <= SMALL
        box.close()

    def test_an_ack_for_a_large_backlog_keeps_the_log_small(self, tmp_path: Path) -> None:
        box = open_box(tmp_path, max_bytes=512 << 20)
        box.append_batch(entries(Lane.OBS, range(20)))
        for first in range(0, 9000, 500):
            box.append_batch(entries(Lane.WAVE, range(first, first + 500)))
        assert box.acknowledge([ack(Lane.WAVE, 8990, (3, 4)), ack(Lane.OBS, 20)]) == 8988 + 20
        assert held(box, Lane.WAVE) == [3, 4, *range(8990, 9000)]
        assert box.records == 12
        assert disk_use(box) - box.path.stat().st_size <= 8 << 20
        box.close()


def fill_with_observations(box: Outbox) -> None:
    number = 0
    while not box.shed_counts:
        box.append_batch(entries(Lane.OBS, range(number, number + 500)))
        number += 500


def disk_use(box: Outbox) -> int:
    return sum(p.stat().st_size for p in (box.path, box.path.with_name(box.path.name + "-wal")))


class TestFullDisk:
    """SQLite reports the same SQLITE_FULL for its own page limit as for ENOSPC."""

    def limit(self, box: Outbox, pages: int) -> None:
        box._db.execute(f"PRAGMA max_page_count = {pages}")

    def test_waveforms_are_shed_and_all_else_is_kept(self, tmp_path: Path) -> None:
        box = open_box(tmp_path)
        box.append_batch(entries(Lane.WAVE, range(300)))
        self.limit(box, box._db.execute("PRAGMA page_count").fetchone()[0])
        for n in range(300):
            assert box.append_batch(entries(Lane.OBS, [n]) + entries(Lane.EVENT, [n]))
        assert held(box, Lane.OBS) == held(box, Lane.EVENT) == list(range(300))
        there = held(box, Lane.WAVE)
        assert shed(box, Lane.WAVE) == [(0, there[0] - 1)]
        assert there == list(range(there[0], 300))
        box.close()

    def test_when_nothing_may_be_shed_the_batch_stays_with_the_caller_until_there_is_room(self, tmp_path: Path) -> None:
        box = open_box(tmp_path)
        box.append_batch(entries(Lane.EVENT, range(500)))
        self.limit(box, box._db.execute("PRAGMA page_count").fetchone()[0])
        with pytest.raises(DiskFullError):
            box.append_batch(entries(Lane.EVENT, range(500, 5000)))
        assert held(box, Lane.EVENT) == list(range(500))
        self.limit(box, 100_000)
        box.lift_limit()
        assert len(box.append_batch(entries(Lane.EVENT, range(500, 5000)))) == 4500
        box.close()


class TestDamage:
    def fill(self, folder: Path, count: int = 400) -> Path:
        box = open_box(folder)
        box.append_batch(entries(Lane.OBS, range(count)) + entries(Lane.WAVE, range(count), size=200))
        box.append_batch(entries(Lane.EVENT, range(10)))
        box.close()
        return box.path

    def test_a_torn_file_is_set_aside_and_what_is_readable_is_kept(self, tmp_path: Path) -> None:
        path = self.fill(tmp_path)
        os.truncate(path, path.stat().st_size // 2)
        box, damage = open_outbox(path, epoch=NEXT_EPOCH, max_bytes=64 << 20)
        assert damage is not None
        assert (tmp_path / damage.set_aside).exists()
        assert box.append_batch(entries(Lane.OBS, [0], NEXT_EPOCH)), "the agent starts"
        if not damage.ledger_lost:
            assert box.accounts[Stream(EPOCH, Lane.OBS)].next == 400, "numbers that were lost are still asked for"
        box.close()

    def test_garbage_instead_of_a_file(self, tmp_path: Path) -> None:
        path = tmp_path / "outbox.db"
        path.write_bytes(b"not a database" * 1000)
        box, damage = open_outbox(path, epoch=EPOCH, max_bytes=64 << 20)
        assert damage is not None
        assert damage.ledger_lost
        box.close()

    def test_flipped_bits_never_come_out_as_data(self, tmp_path: Path) -> None:
        path = self.fill(tmp_path)
        good = path.read_bytes()
        rng = random.Random(7)
        for _ in range(60):
            flipped = bytearray(good)
            flipped[rng.randrange(100, len(good))] ^= 1 << rng.randrange(8)
            path.write_bytes(flipped)
            box, _ = open_outbox(path, epoch=NEXT_EPOCH, max_bytes=64 << 20)
            for lane in Lane:
                for row in box.read(Stream(EPOCH, lane), 0, 2**40, 10**6, 2**40):
                    assert row.payload == payload(lane, row.seq, size=200)
            box.close()
            for stray in tmp_path.glob("outbox.db*"):
                stray.unlink()

    def test_a_newer_file_is_left_alone(self, tmp_path: Path) -> None:
        path = self.fill(tmp_path)
        with sqlite3.connect(path) as db:
            db.execute(f"PRAGMA user_version = {VERSION + 1}")
        db.close()
        with pytest.raises(UnknownVersionError):
            open_outbox(path, epoch=NEXT_EPOCH, max_bytes=64 << 20)


MIGRATE = f"""
import sys
from pathlib import Path
from tests.unit.edge.helpers import open_box
open_box(Path(sys.argv[1]), {NEXT_EPOCH!r}).close()
"""


class TestMigration:
    def version_1(self, folder: Path) -> None:
        """A file as version 1 wrote it: 30 vitals and 5 events of one epoch."""
        db = connect(folder / "outbox.db")
        migrate(db, target=1)
        box_bytes = entries(Lane.OBS, range(30)), entries(Lane.EVENT, range(5))
        db.execute("INSERT INTO epoch VALUES (1, ?)", (EPOCH,))
        from edge_agents.outbox_codec import pack  # noqa: PLC0415

        for batch in box_bytes:
            lane = batch[0].stream.lane
            db.execute("INSERT INTO lane VALUES (1, ?, ?)", (lane.value, len(batch)))
            rows = [((1 << 48) + e.seq, pack((1 << 48) + e.seq, lane, e.payload)) for e in batch]
            db.executemany(f"INSERT INTO {lane.value}_record VALUES (?, ?)", rows)
        db.close()

    def assert_all_there(self, folder: Path) -> None:
        box = open_box(folder, NEXT_EPOCH)
        assert held(box, Lane.OBS) == list(range(30))
        assert held(box, Lane.EVENT) == list(range(5))
        assert box.records == 35
        assert box.acknowledge([ack(Lane.OBS, 30), ack(Lane.EVENT, 5)]) == 35
        box.close()

    def test_version_1_becomes_current_in_place(self, tmp_path: Path) -> None:
        self.version_1(tmp_path)
        self.assert_all_there(tmp_path)

    def test_kill_9_in_the_middle_of_a_migration(self, tmp_path: Path) -> None:
        self.version_1(tmp_path)
        killed = subprocess.run(
            [sys.executable, "-c", MIGRATE, str(tmp_path)],
            env={**os.environ, VARIABLE: "in-migration", "PYTHONPATH": os.pathsep.join(sys.path)},
            check=False,
        )
        assert killed.returncode == -signal.SIGKILL
        db = connect(tmp_path / "outbox.db")
        assert db.execute("PRAGMA user_version").fetchone()[0] == 1, "nothing half done"
        db.close()
        self.assert_all_there(tmp_path)


class TestCapacity:
    """Two weeks of vitals or ten hours of 12-lead ECG in 512 MB, from one hundredth of each."""

    LIMIT = 512 * 10**6

    def file_size(self, tmp_path: Path, batches: list[list[Entry]]) -> int:
        box = open_box(tmp_path)
        for batch in batches:
            box.append_batch(batch)
        box.close()
        return box.path.stat().st_size

    def test_vitals(self, tmp_path: Path) -> None:
        from gateway.contract import wire  # noqa: PLC0415
        from gateway.contract.observation import Observation  # noqa: PLC0415

        rng = random.Random(3)
        share = 14 * 86_400 // 100
        stream = Stream(EPOCH, Lane.OBS)

        def vitals(seq: int) -> Entry:
            names = ("heart-rate", "pulse-rate", "spo2", "resp-rate", "temperature", "perfusion-index", "etco2")
            values: dict[str, float | None] = {name: round(rng.uniform(10, 99), 1) for name in names}
            record = Observation(
                epoch=EPOCH, seq=seq, device="monitor", observed_at=1_790_000_000_000_000 + seq, values=values
            )
            return Entry(stream, seq, wire.encode(record))

        batch = [vitals(n) for n in range(share)]
        assert sum(len(e.payload) for e in batch) / share > 210
        size = self.file_size(tmp_path, [batch[n : n + 500] for n in range(0, share, 500)])
        assert size * 100 < self.LIMIT
        assert size > share * 30, "the file was measured, not imagined"

    @pytest.mark.parametrize("compressible", [False, True])
    def test_waveforms(self, tmp_path: Path, compressible: bool) -> None:
        """Even samples that do not compress at all (noise in every bit) fit."""
        share = 10 * 3600 * 5 // 100
        batch = entries(Lane.WAVE, range(share))
        if compressible:
            batch = [Entry(e.stream, e.seq, e.payload.replace(e.payload[-2000:], bytes(2000))) for e in batch]
        size = self.file_size(tmp_path, [[entry] for entry in batch])
        assert size * 100 < self.LIMIT + 10**6 * PAGE_SIZE / 8192
