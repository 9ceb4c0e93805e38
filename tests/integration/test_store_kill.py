"""kill -9 at every arrow of compactor and retention: each number is in exactly one place afterwards."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import select

from gateway.adapters import blocks, tables
from gateway.adapters.compactor import Compactor
from gateway.adapters.sql import DATABASE_NAME, Database, connect
from gateway.contract.envelope import Lane
from gateway.ports import RecordRow
from tests.unit.store.records import SECOND, START, add_lane, add_rows, frames, open_database, row

NOW = START + 7200 * SECOND
COUNT = 900
SCRIPT = """
import sys
from pathlib import Path
from gateway.adapters.compactor import Compactor
from gateway.adapters.sql import Database, connect
engine = connect(Path(sys.argv[1]))
database = Database(engine)
Compactor(engine, database).step(int(sys.argv[2]))
"""


def everything(path: Path) -> list[RecordRow]:
    """Rows and opened blocks together, by number; a record that is there twice comes twice."""
    engine = connect(path)
    with engine.connect() as connection:
        found = [RecordRow(*r) for r in connection.execute(select(tables.record))]
        for b in connection.execute(select(tables.block)):
            found += blocks.unfold(b.lane_id, Lane(b.lane), b.device, b.header, b.data)
    engine.dispose()
    return sorted(found, key=lambda r: r.seq)


@pytest.mark.faults
@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("point", ["compact-before-commit", "compact-in-transaction", "compact-after-commit"])
def test_killed_compactor_leaves_every_record_exactly_once(tmp_path: Path, point: str, count: int) -> None:
    path = tmp_path / DATABASE_NAME
    sent = [row(1, frame) for frame in frames(COUNT)]
    engine = open_database(tmp_path)
    with engine.begin() as connection:
        add_lane(connection, 1, Lane.WAVE, COUNT)
        add_rows(connection, sent)
    engine.dispose()

    environment = os.environ | {"LASTMILE_FAILPOINT": f"{point}:{count}"}
    command = [sys.executable, "-c", SCRIPT, str(path), str(NOW)]
    killed = subprocess.run(command, env=environment, check=False, timeout=60)

    assert killed.returncode == -signal.SIGKILL
    assert everything(path) == sent
    subprocess.run(command, check=True, timeout=60)
    assert everything(path) == sent
    engine = connect(path)
    database = Database(engine)
    left = database.submit(lambda c: c.execute(select(tables.record.c.seq)).all()).result()
    database.close()
    assert left == []


RETENTION = """
import sys
from pathlib import Path
from gateway.adapters.retention import Policy, Retention
from gateway.adapters.sql import Database, connect
path = Path(sys.argv[1])
engine = connect(path)
policy = Policy(waveforms=0, numerics=None, rejects=None)
Retention(engine, Database(engine), path, policy).step(int(sys.argv[2]))
"""


def classes(path: Path) -> tuple[list[int], list[tuple[int, int]]]:
    """Numbers still in blocks, and the retired ranges."""
    held = [one.seq for one in everything(path)]
    engine = connect(path)
    table = tables.retired
    with engine.connect() as connection:
        query = select(table.c.first_seq, table.c.last_seq).order_by(table.c.first_seq)
        retired = [(first, last) for first, last in connection.execute(query)]
    engine.dispose()
    return held, retired


@pytest.mark.faults
@pytest.mark.parametrize("point", ["retire-before-commit", "retire-in-transaction", "retire-after-commit"])
def test_killed_retention_accounts_for_every_number(tmp_path: Path, point: str) -> None:
    path = tmp_path / DATABASE_NAME
    engine = open_database(tmp_path)
    count = 30 * 300  # more blocks than one transaction deletes
    sent = frames(300)
    with engine.begin() as connection:
        add_lane(connection, 1, Lane.WAVE, count)
        for minute in range(30):
            moved = (msgspec.structs.replace(f, seq=f.seq + 300 * minute) for f in sent)
            rows = [row(1, f) for f in moved]
            add_rows(connection, [msgspec.structs.replace(r, event_at=r.event_at + minute * 60 * SECOND) for r in rows])
    database = Database(engine)
    Compactor(engine, database).step(NOW)
    database.close()
    engine.dispose()

    command = [sys.executable, "-c", RETENTION, str(path), str(NOW)]
    killed = subprocess.run(
        command, env=os.environ | {"LASTMILE_FAILPOINT": f"{point}:2"}, check=False, timeout=60, capture_output=True
    )

    assert killed.returncode == -signal.SIGKILL
    held, retired = classes(path)
    gone = [seq for first, last in retired for seq in range(first, last + 1)]
    assert 0 < len(gone) < count
    assert sorted(held + gone) == list(range(count))
    subprocess.run(command, check=True, timeout=60, capture_output=True)
    assert classes(path) == ([], [(0, count - 1)])
