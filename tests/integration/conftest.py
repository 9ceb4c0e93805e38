"""Fixtures of the integration tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.care_bench import enrol_live
from tests.integration.notify_receivers import Receiver, receiving
from tests.integration.notify_site import Furnish, Site, furnish
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


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """An HTTP server with a script."""
    with receiving() as made:
        yield made


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Furnish]:
    """Makes a site with a notifier."""
    made: list[Site] = []

    def make(toml: str, files: dict[str, str]) -> Site:
        made.append(furnish(tmp_path, toml, files))
        return made[-1]

    yield make
    for one in made:
        one.database.close()
