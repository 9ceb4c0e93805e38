"""Fixtures of the integration tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.care_bench import enrol_live
from tests.integration.path_bench import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path / "lastmile.db")
    made.register()
    yield made
    made.database.close()


@pytest.fixture
def live(bench: Bench) -> Bench:
    """A live ambulance and a live kiosk beside the simulated ambulance."""
    enrol_live(bench)
    return bench
