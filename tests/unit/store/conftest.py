"""A migrated database in a temporary folder, and records as an agent would publish them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert

from gateway.adapters import tables
from gateway.adapters.migrate import migrate
from gateway.adapters.sql import DATABASE_NAME, Database, connect

SITE = "city"
UNIT = "amb-001"


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def engine(data_dir: Path) -> Iterator[Engine]:
    """The database with one site and one unit."""
    made = connect(data_dir / DATABASE_NAME)
    migrate(made)
    with made.begin() as connection:
        connection.execute(insert(tables.site).values(id=SITE, name="City"))
        connection.execute(
            insert(tables.unit).values(
                id=UNIT,
                site=SITE,
                kind="ambulance",
                name="Ambulance 1",
                provenance="simulated",
                token_hash="0" * 64,
                registered_at=0,
            )
        )
    yield made
    made.dispose()


@pytest.fixture
def database(engine: Engine) -> Iterator[Database]:
    made = Database(engine)
    yield made
    made.close()
