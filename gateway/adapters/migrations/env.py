"""Alembic's entry point: runs the revisions on the connection ``gateway.adapters.migrate`` hands over."""

from typing import Final

from alembic import context
from sqlalchemy import Connection

from gateway.adapters import tables
from gateway.failpoint import failpoint

CONNECTION: Final = "connection"  # key in Config.attributes


def _run(connection: Connection) -> None:
    """All revisions in one transaction: SQLite's DDL is transactional, alembic only does not trust old drivers."""
    context.configure(
        connection=connection, target_metadata=tables.metadata, render_as_batch=True, transactional_ddl=True
    )
    with context.begin_transaction():
        context.run_migrations()
        failpoint("migrate-in-transaction")


_run(context.config.attributes[CONNECTION])
