"""A migrated database in a temporary folder, and records as an agent would publish them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from gateway.adapters.sql import Database
from tests.unit.store.records import open_database


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def engine(data_dir: Path) -> Iterator[Engine]:
    """The database with one site and one unit."""
    made = open_database(data_dir)
    yield made
    made.dispose()


@pytest.fixture
def database(engine: Engine) -> Iterator[Database]:
    made = Database(engine)
    yield made
    made.close()
