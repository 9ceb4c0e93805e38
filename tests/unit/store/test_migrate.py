"""The migrations make exactly the tables of tables.py, in place, whatever happened before."""

import os
import re
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from gateway.adapters import tables
from gateway.adapters.migrate import SchemaError, current_revision, head_revision, migrate
from gateway.adapters.sql import DATABASE_NAME, connect


def schema_of(path: Path) -> dict[str, list[str]]:
    """Name of every table and index to the parts of the SQL that made it; constraints may stand in any order."""
    with sqlite3.connect(path) as connection:
        rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    connection.close()
    return {name: sorted(re.split(r", | \)", " ".join(sql.split()))) for name, sql in rows if name != "alembic_version"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / DATABASE_NAME


def migrated(path: Path) -> str | None:
    engine = connect(path)
    migrate(engine)
    with engine.connect() as connection:
        revision = current_revision(connection)
    engine.dispose()
    return revision


def test_the_migrated_schema_is_the_schema_of_tables_py(path: Path, tmp_path: Path) -> None:
    migrated(path)
    plain = tmp_path / "plain.db"
    engine = create_engine(f"sqlite:///{plain}")
    tables.metadata.create_all(engine)
    engine.dispose()

    assert schema_of(path) == schema_of(plain)


def test_migrating_twice_changes_nothing(path: Path) -> None:
    first = migrated(path)
    before = schema_of(path)

    assert migrated(path) == first == head_revision()
    assert schema_of(path) == before


def test_the_file_can_shrink(path: Path) -> None:
    migrated(path)
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA auto_vacuum").fetchone() == (2,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_a_database_left_half_way_by_kill_9_upgrades(path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from gateway.adapters.sql import connect;"
        "from gateway.adapters.migrate import migrate; migrate(connect(Path(sys.argv[1])))"
    )
    environment = os.environ | {"LASTMILE_FAILPOINT": "migrate-in-transaction"}
    killed = subprocess.run([sys.executable, "-c", script, str(path)], env=environment, check=False, timeout=60)

    assert killed.returncode == -signal.SIGKILL
    assert schema_of(path) == {}, "a half-made schema was committed"
    assert migrated(path) == head_revision()
    assert set(tables.metadata.tables) <= set(schema_of(path))


def test_rows_survive_a_second_start(path: Path) -> None:
    migrated(path)
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO site (id, name) VALUES ('city', 'City')")
    connection.close()
    migrated(path)
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT id FROM site").fetchall() == [("city",)]
    connection.close()


def test_a_database_of_a_newer_program_is_refused(path: Path) -> None:
    migrated(path)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(SchemaError, match="9999"):
        migrated(path)
