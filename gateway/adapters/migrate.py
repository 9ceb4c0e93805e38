"""Brings a database to the schema of this program, in place. Killed half-way, it starts again from where it was."""

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect

SCRIPTS: Final = Path(__file__).parent / "migrations"
INCREMENTAL: Final = 2  # value of PRAGMA auto_vacuum


class SchemaError(RuntimeError):
    """The database was written by a newer program, or is not ours."""


def migrate(engine: Engine) -> None:
    """Upgrades the schema to head in one IMMEDIATE transaction; does nothing when it is there already.

    Raises:
        SchemaError: the database has a revision this program does not know.
    """
    with engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            _allow_shrinking(connection)
        found = current_revision(connection)
        config = _config(connection)
        if found is not None and found not in {
            s.revision for s in ScriptDirectory.from_config(config).walk_revisions()
        }:
            raise SchemaError(f"schema revision {found} is not known to this program: was it written by a newer one?")
        command.upgrade(config, "head")
        connection.commit()


def head_revision() -> str | None:
    """The newest revision this program carries."""
    return ScriptDirectory.from_config(_config(None)).get_current_head()


def current_revision(connection: Connection) -> str | None:
    """The revision the database is at; None for a new database."""
    return MigrationContext.configure(connection).get_current_revision()


def _config(connection: Connection | None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _allow_shrinking(connection: Connection) -> None:
    """Sets auto_vacuum=INCREMENTAL; SQLite takes it only on an empty file, before a VACUUM, outside a transaction."""
    empty = not inspect(connection).get_table_names()
    connection.rollback()
    driver = connection.connection.dbapi_connection
    if driver is None or not empty or driver.execute("PRAGMA auto_vacuum").fetchone()[0] == INCREMENTAL:
        return
    driver.execute(f"PRAGMA auto_vacuum={INCREMENTAL}")
    driver.execute("VACUUM")
