"""The migrations make exactly the tables of tables.py, in place, whatever happened before."""

import os
import re
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from gateway.adapters import tables
from gateway.adapters.migrate import SchemaError, _config, current_revision, head_revision, migrate
from gateway.adapters.sql import DATABASE_NAME, connect

REVISIONS = ScriptDirectory.from_config(_config(None))


def schema_of(path: Path) -> dict[str, list[str]]:
    """Name of every table and index to the parts of the SQL that made it; constraints may stand in any order.

    A table that was made anew under another name and renamed has its name in quotes; that is no difference.
    """
    with sqlite3.connect(path) as connection:
        rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    connection.close()
    return {
        name: sorted(re.split(r", | \)", " ".join(sql.replace('"', "").split())))
        for name, sql in rows
        if name != "alembic_version"
    }


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


def killed_in_a_migration(path: Path) -> int:
    """Exit code of a process that was killed before the migration's commit."""
    script = (
        "import sys; from pathlib import Path; from gateway.adapters.sql import connect;"
        "from gateway.adapters.migrate import migrate; migrate(connect(Path(sys.argv[1])))"
    )
    environment = os.environ | {"LASTMILE_FAILPOINT": "migrate-in-transaction"}
    return subprocess.run(
        [sys.executable, "-c", script, str(path)], env=environment, check=False, timeout=60
    ).returncode


def test_a_database_left_half_way_by_kill_9_upgrades(path: Path) -> None:
    assert killed_in_a_migration(path) == -signal.SIGKILL
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


OLDER = [revision.revision for revision in REVISIONS.walk_revisions() if revision.revision != head_revision()]


def at_revision(path: Path, revision: str) -> None:
    """A database as the release of that revision left it, with a row in it."""
    engine = connect(path)
    with engine.connect() as connection:
        command.upgrade(_config(connection), revision)
        connection.exec_driver_sql("INSERT INTO site (id, name) VALUES ('city', 'City')")
        connection.commit()
    engine.dispose()


def sites(path: Path) -> list[tuple[str]]:
    with sqlite3.connect(path) as connection:
        rows: list[tuple[str]] = connection.execute("SELECT id FROM site").fetchall()
    connection.close()
    return rows


@pytest.mark.parametrize("revision", OLDER)
def test_every_older_release_upgrades_in_place_also_after_kill_9(path: Path, tmp_path: Path, revision: str) -> None:
    at_revision(path, revision)
    older = schema_of(path)
    assert killed_in_a_migration(path) == -signal.SIGKILL
    assert schema_of(path) == older, "a half-made schema was committed"
    assert migrated(path) == head_revision()
    assert sites(path) == [("city",)]

    fresh = tmp_path / "fresh.db"
    migrated(fresh)
    assert schema_of(path) == schema_of(fresh), "all roads lead to the same schema"


def test_associations_survive_that_their_table_is_made_anew(path: Path) -> None:
    """0003 copies the table: SQLite cannot give one columns where the schema has them."""
    engine = connect(path)
    with engine.connect() as connection:
        command.upgrade(_config(connection), "0002")
        connection.commit()
    with engine.begin() as db:
        db.exec_driver_sql("INSERT INTO site (id, name) VALUES ('city', 'City')")
        db.exec_driver_sql("INSERT INTO unit VALUES ('amb-1', 'city', 'ambulance', 'A', 'live', 'x', 1, NULL)")
        db.exec_driver_sql("INSERT INTO person (id, name, created_at) VALUES ('p-1', '王小明', 1)")
        for id in (3, 7):
            db.exec_driver_sql(
                "INSERT INTO association (id, unit, device, subject, start_at, end_at, source, confirmed_by)"
                f" VALUES ({id}, 'amb-1', 'monitor', 'p-1', {id}, NULL, 'manual', 'nurse')"
            )
    engine.dispose()
    assert migrated(path) == head_revision()
    with sqlite3.connect(path) as database:
        rows = database.execute("SELECT * FROM association").fetchall()
        assert rows == [(id, "amb-1", "monitor", "p-1", id, None, "manual", "nurse", None, None, None) for id in (3, 7)]
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
    database.close()


def test_a_database_of_a_newer_program_is_refused(path: Path) -> None:
    migrated(path)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(SchemaError, match="9999"):
        migrated(path)
