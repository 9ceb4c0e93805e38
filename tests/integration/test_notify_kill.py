"""kill -9 of the notifier between claiming, sending and writing down: every message goes out, under one id."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.notify_receivers import receiving, verify
from tests.integration.notify_site import KEY, furnish
from tests.unit.notify.notices import MINUTE, T0, all_deliveries, commit, notice, open_database

COUNT = 6
SCRIPT = """
import asyncio, sys
from pathlib import Path
from tests.integration.notify_site import Site
from gateway.adapters.notify.settings import load_notify
from gateway.adapters.sql import DATABASE_NAME, Database, connect

folder = Path(sys.argv[1])

async def main():
    site = Site(folder, Database(connect(folder / DATABASE_NAME)), load_notify(folder), now=int(sys.argv[2]))
    await site.work()
    site.database.close()

asyncio.run(main())
"""


@pytest.mark.faults
@pytest.mark.parametrize("count", [1, COUNT])
@pytest.mark.parametrize("point", ["notify-before-send", "notify-after-send"])
def test_killed_notifier_sends_everything_under_one_id(tmp_path: Path, point: str, count: int) -> None:
    with receiving() as receiver:
        toml = f'[channel.board]\npurpose = "system"\nvia = "webhook"\nurl = "{receiver.url}"\nsecret_file = "key"\n'
        site = furnish(tmp_path, toml, {"key": KEY})
        commit(site.database, *(notice(number, at=T0 + number) for number in range(COUNT)))
        site.database.close()

        def run(now: int, **environment: str) -> int:
            command = [sys.executable, "-c", SCRIPT, str(tmp_path), str(now)]
            return subprocess.run(
                command, env=os.environ | environment, cwd=Path(__file__).parents[2], check=False, timeout=60
            ).returncode

        assert run(T0 + MINUTE, LASTMILE_FAILPOINT=f"{point}:{count}") == -signal.SIGKILL
        before = len(receiver.requests)
        database = open_database(tmp_path)
        states = [row["state"] for row in all_deliveries(database) if row["channel"] == "board"]
        database.close()
        assert len(states) in {0, COUNT}, "planned together, or not at all"
        assert "sending" in states

        assert run(T0 + 2 * MINUTE) == 0
        database = open_database(tmp_path)
        rows = [row for row in all_deliveries(database) if row["channel"] == "board"]
        database.close()
        assert [row["state"] for row in rows] == ["sent"] * COUNT

        assert all(verify(request, KEY) for request in receiver.requests)
        ids = {request.headers["webhook-id"]: request.json["data"]["alert"] for request in receiver.requests}
        assert sorted(ids.values()) == [f"alert-{number}" for number in range(COUNT)], "one id an alert, none missing"
        again = len(receiver.requests) - COUNT
        assert sum(row["attempts"] for row in rows) == COUNT + states.count("sending"), "what was cut off counts"
        assert 0 <= again <= states.count("sending"), "only what nobody knew about is sent twice"
        if point == "notify-after-send":
            assert before >= count
            assert again >= 1


@pytest.mark.faults
def test_killed_in_the_commit_there_is_neither_alert_nor_notice(tmp_path: Path) -> None:
    """Alert and notice are one transaction: a crash leaves both or none."""
    open_database(tmp_path).close()
    script = """
import os, signal, sys
from pathlib import Path
from tests.unit.notify.notices import commit, notice, open_database
from gateway.adapters import notifications
write = notifications.write
def killed(connection, notices):
    write(connection, notices)
    os.kill(os.getpid(), signal.SIGKILL)
notifications.write = killed
commit(open_database(Path(sys.argv[1])), notice())
"""
    command = [sys.executable, "-c", script, str(tmp_path)]
    killed = subprocess.run(command, cwd=Path(__file__).parents[2], check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    database = open_database(tmp_path)
    counts = database.submit(
        lambda c: [c.exec_driver_sql(f"SELECT count(*) FROM {name}").scalar_one() for name in ("alert", "notification")]
    ).result()
    database.close()
    assert counts == [0, 0]
