"""From a reading to a telephone: the whole path, the ladder, the notifier, and a receiver that checks signatures."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.adapters.notify.settings import load_notify
from gateway.alerts.roster import Roster, Staff
from tests.integration.notify_receivers import Receiver, Request, verify
from tests.integration.notify_site import KEY, Site, hook
from tests.integration.path_bench import Bench
from tests.integration.test_alert_lifecycle import acknowledge, breathe, rows
from tests.unit.gateway.builders import observation
from tests.unit.notify.notices import all_deliveries

STAFF = (Staff("dr.li", "doctor", ("linyi",)),)


@pytest.fixture
def house(live: Bench, tmp_path: Path, receiver: Receiver) -> Site:
    """A board that is told of everything, and a service that calls people."""
    (tmp_path / "key").write_text(KEY)
    toml = hook("board", "system", f"{receiver.url}/board") + hook("voice", "call", f"{receiver.url}/call")
    (tmp_path / "notify.toml").write_text(toml + '[account."dr.li"]\nphone = "13800000002"\n')
    live.stages.lifecycle.set_roster(Roster(staff=STAFF))
    return Site(tmp_path, live.database, load_notify(tmp_path), now=live.now)


Notify = Callable[[Site, Bench], None]


@pytest.fixture
def notify() -> Iterator[Notify]:
    """The notifier's turns at the path's time, on a loop of their own: the path's batches have another one each."""
    with asyncio.Runner() as runner:

        def turns(house: Site, live: Bench) -> None:
            house.now = live.now
            house.notifier.wake()
            runner.run(house.work())

        yield turns


def about(receiver: Receiver, path: str, rule: str = "spo2-severe") -> list[Request]:
    return [request for request in receiver.requests if request.path == path and request.json["data"]["rule"] == rule]


def test_from_a_reading_to_a_signed_call(live: Bench, house: Site, receiver: Receiver, notify: Notify) -> None:
    breathe(live, 80, 6)
    notify(house, live)
    (raised,) = about(receiver, "/board")
    assert raised.json["data"]["reason"] == "raised"
    assert about(receiver, "/call") == [], "the crew has no telephone in this file"
    crew = [row for row in all_deliveries(live.database) if row["recipient"] == "role:crew"]
    assert {row["state"] for row in crew} == {"dead"}, "and that is no secret"

    breathe(live, 80, 60)
    notify(house, live)
    assert [request.json["data"]["reason"] for request in about(receiver, "/board")] == ["raised", "escalated"]
    (call,) = about(receiver, "/call")
    assert call.json["data"]["address"] == "13800000002"
    assert all(verify(request, KEY) for request in receiver.requests)
    assert b"dr.li" not in b"".join(request.body for request in receiver.requests)


def test_an_acknowledgement_ends_calls_that_have_not_got_through(
    live: Bench, house: Site, receiver: Receiver, notify: Notify
) -> None:
    receiver.after = 503
    breathe(live, 80, 66)
    notify(house, live)
    assert len(about(receiver, "/call")) == 1
    (alert,) = [row for row in rows(live) if row["rule"] == "spo2-severe"]
    acknowledge(live, alert["id"])
    breathe(live, 80, 60)
    notify(house, live)
    assert len(about(receiver, "/call")) == 1, "somebody looks after it"
    states = {row["state"] for row in all_deliveries(live.database) if row["channel"] == "voice"}
    assert "pending" not in states
    assert "obsolete" in states


def test_what_a_simulator_raises_reaches_screens_only(
    bench: Bench, tmp_path: Path, receiver: Receiver, notify: Notify
) -> None:
    (tmp_path / "key").write_text(KEY)
    (tmp_path / "notify.toml").write_text(hook("board", "system", receiver.url))
    house = Site(tmp_path, bench.database, load_notify(tmp_path), now=bench.now)
    for number in range(8):
        bench.step(observation(number, bench.now, spo2=80))
    notify(house, bench)
    assert house.screens.told
    assert receiver.requests == []
