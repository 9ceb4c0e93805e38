"""The lag that screens and ops staff are told, when the path stands still."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from gateway.adapters import clock
from gateway.app import Gateway
from gateway.changes import Batch, Position
from gateway.config import Settings
from gateway.contract.envelope import Instant
from gateway.contract.quantity import SECOND
from tests.unit.gateway.builders import NOW


class Time:
    """A clock that is told how late it is."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> Instant:
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    made = Time()
    monkeypatch.setattr(clock, "now", made)
    return made


@pytest.fixture
def gateway(tmp_path: Path, time: Time) -> Iterator[Gateway]:
    del time  # it starts at that time
    made = Gateway(tmp_path, Settings(), demo=False)
    yield made
    made.database.close()


async def feed(gateway: Gateway, batch: Batch) -> None:
    """What the path's loop does with a batch."""
    gateway.progress.begin(clock.now())
    await gateway.pipeline.step(batch, [])
    gateway.progress.done(batch)


def told(gateway: Gateway) -> tuple[float, float | None]:
    """Seconds of lag: on the screens' tick, and at /metrics."""
    return gateway.lag() / SECOND, gateway.registry_metrics.get_sample_value("lastmile_ingest_lag_seconds")


async def test_without_the_broker_the_lag_grows(gateway: Gateway, time: Time) -> None:
    await feed(gateway, Batch([], time.now))
    assert told(gateway) == (0, 0)
    time.now += 30 * SECOND
    await feed(gateway, Batch([], time.now, trouble="connection refused"))
    assert told(gateway) == (30, 30)


async def test_a_commit_that_hangs_shows(gateway: Gateway, time: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    await feed(gateway, Batch([], time.now))
    broken = True

    def fail(_connection: object, _changes: object) -> list[object]:
        if broken:
            raise OperationalError("insert", {}, Exception("disk full"))
        return []

    monkeypatch.setattr("gateway.committer.commit", fail)
    stuck = asyncio.create_task(feed(gateway, Batch([], time.now, Position("", 1, time.now))))
    while "database" not in gateway.troubles:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0)
    time.now += 12 * SECOND
    assert told(gateway) == (12, 12)
    broken = False
    await stuck
    await feed(gateway, Batch([], time.now))
    assert told(gateway) == (0, 0)
