"""The bridge's file: taken once, numbered without holes, kept until acknowledged, also over a kill."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.bridge.store import Draft, Notice, Parcel, Store, StoreError, Waiting, message_key
from gateway.contract.envelope import Ack, Epoch, Lane, LaneAck, Seq, SeqRange
from gateway.contract.topic import Channel, UnitAddress, UnitKind

BED, VAN = (UnitAddress("site-a", kind, name) for kind, name in
            ((UnitKind.HOMECARE_BED, "bed-1"), (UnitKind.DELIVERY_VAN, "van-1")))  # fmt: skip
EPOCH = "00000000000000aa"
ALL = 1 << 40


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bridge.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    store = Store(path, EPOCH)
    yield store
    store.close()


def parcel(key: str, *addresses: UnitAddress) -> Parcel:
    def build(epoch: Epoch, seq: Seq) -> bytes:
        return f"{epoch} {seq} {key}".encode()

    return Parcel(message_key("t", key.encode()), [Draft(address, Channel.OBS, build) for address in addresses])


def ack(watermark: int, *missing: tuple[int, int], epoch: str = EPOCH) -> Ack:
    spans = [SeqRange(*span) for span in missing]
    return Ack(server_time=0, lanes=[LaneAck(epoch=epoch, lane=Lane.OBS, watermark=watermark, missing=spans)])


def contents(rows: list[Waiting]) -> list[bytes]:
    return [row.payload.partition(b" ")[2] for row in rows]


def test_a_message_is_taken_once(store: Store) -> None:
    first = store.take([parcel("a", BED), parcel("b", BED, VAN), parcel("a", BED)], 0)
    assert contents(first) == [b"0 a", b"1 b", b"0 b"]
    assert store.take([parcel("b", BED, VAN)], 1) == []
    assert contents(store.take([parcel("c", BED)], 1)) == [b"2 c"]
    assert len({row.once for row in first}) == 3
    assert store.waiting(0, ALL)[:3] == first


def test_the_same_bytes_on_another_topic_are_another_message() -> None:
    assert len({message_key("t", b"x"), message_key("u", b"x"), message_key("t", b"y"), message_key("", b"tx")}) == 4


def test_a_failed_transaction_leaves_no_hole(store: Store) -> None:
    def broken(epoch: Epoch, seq: Seq) -> bytes:
        raise ZeroDivisionError

    bad = Parcel(b"bad", [Draft(BED, Channel.OBS, broken)])
    with pytest.raises(ZeroDivisionError):
        store.take([parcel("a", BED), bad], 0)
    assert contents(store.take([parcel("a", BED)], 0)) == [b"0 a"]


def test_an_ack_deletes_what_is_committed_and_finds_what_is_missed(store: Store) -> None:
    store.take([parcel(str(n), BED) for n in range(10)] + [parcel("v", VAN)], 0)
    missed = store.acknowledge("bed-1", ack(8, (2, 3), (6, 6)))
    assert contents(missed) == [b"2 2", b"3 3", b"6 6"]
    assert contents(store.waiting(0, ALL)) == [b"2 2", b"3 3", b"6 6", b"8 8", b"9 9", b"0 v"]
    assert store.acknowledge("bed-1", ack(10)) == []
    assert store.acknowledge("van-1", ack(10, epoch="00000000000000bb")) == []
    assert contents(store.waiting(0, ALL)) == [b"0 v"]


def test_what_has_no_number_is_done_when_the_log_has_it(store: Store) -> None:
    rows = store.take([Parcel(b"n", [Notice("lm.denied.b", b"bytes")]), parcel("a", BED)], 0)
    store.published(rows)
    assert contents(store.waiting(0, ALL)) == [b"0 a"]


def test_contents_are_replaced_under_their_number(store: Store) -> None:
    [row] = store.take([parcel("a", BED)], 0)
    instead = row._replace(payload=b"instead", once="")
    store.replace([instead])
    assert store.waiting(0, ALL) == [instead]


def test_age_and_size_are_bounded(store: Store) -> None:
    for now, key in enumerate("abcdef"):
        store.take([parcel(key, BED)], now)
    size = len(store.waiting(0, ALL)[0].payload)
    assert store.forget(seen_before=None, kept_before=2, max_bytes=ALL) == 2
    assert store.forget(seen_before=None, kept_before=0, max_bytes=3 * size) == 1
    assert contents(store.waiting(0, ALL)) == [b"3 d", b"4 e", b"5 f"]
    assert store.take([parcel("a", BED)], 9) == []  # recognised as long as it is remembered
    store.forget(seen_before=1, kept_before=0, max_bytes=ALL)
    assert contents(store.take([parcel("a", BED), parcel("b", BED)], 9)) == [b"6 a"]


def test_a_second_bridge_is_kept_out(store: Store, path: Path) -> None:
    with pytest.raises(StoreError, match=r"bridge\.db: .*locked"):
        Store(path, EPOCH)


def test_a_damaged_file_and_a_newer_one_are_named(path: Path) -> None:
    path.write_bytes(b"not a database at all" * 300)
    with pytest.raises(StoreError, match=r"bridge\.db"):
        Store(path, EPOCH)
    path.unlink()
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(StoreError, match="newer"):
        Store(path, EPOCH)


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.unit.bridge.test_store import BED, EPOCH, Store, parcel
store = Store(Path(sys.argv[1]), EPOCH)
store.take([parcel("a", BED), parcel("b", BED)], 0)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_was_taken_survives_a_kill(path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], cwd=Path(__file__).parents[3], check=False,
                          env=os.environ | {"PYTHONPATH": "."})  # fmt: skip
    assert done.returncode == -signal.SIGKILL
    store = Store(path, "00000000000000bb")
    assert contents(store.waiting(0, ALL)) == [b"0 a", b"1 b"]
    assert contents(store.take([parcel("a", BED), parcel("c", BED)], 1)) == [b"0 c"]
    assert store.acknowledge("bed-1", ack(2)) == []
    assert contents(store.waiting(0, ALL)) == [b"0 c"]
    store.close()
