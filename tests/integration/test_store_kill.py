"""kill -9 at every arrow of the compactor: each record is a row or in a block, never both, never neither."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from gateway.adapters import blocks, tables
from gateway.adapters.migrate import migrate
from gateway.adapters.sql import DATABASE_NAME, Database, connect
from gateway.contract.envelope import Lane
from gateway.ports import RecordRow
from tests.unit.store.records import SECOND, START, add_lane, add_rows, frames, row

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
    engine = connect(path)
    migrate(engine)
    with engine.begin() as connection:
        connection.execute(insert(tables.site).values(id="city", name="City"))
        unit = {"id": "amb-001", "site": "city", "kind": "ambulance", "name": "1", "provenance": "simulated"}
        connection.execute(insert(tables.unit).values(**unit, token_hash="", registered_at=0))
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
