"""The notifier itself: what is obsolete, what a restart finds, what a full queue costs."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import update

from gateway.adapters import tables
from gateway.adapters.notify.worker import IN_FLIGHT
from tests.integration.notify_receivers import Receiver
from tests.integration.notify_site import Furnish, Site, board, strong
from tests.unit.notify.notices import MINUTE, SECOND, T0, all_deliveries, deliveries, notice

SCREEN = ("*", "screen")


def change_alert(here: Site, **values: Any) -> None:
    here.database.submit(lambda c: c.execute(update(tables.alert).values(values)).rowcount).result()


@pytest.mark.parametrize(
    ("change", "first_attempt"),
    [
        ({"acknowledged_at": T0 + 1}, "obsolete"),
        ({"silenced_by": "s1"}, "obsolete"),
        ({"inhibited_by": "a2"}, "obsolete"),
        ({"resolved_at": T0 + 1}, "sent"),  # it was there: that is told once
        ({"acknowledged_at": T0 - 1}, "sent"),  # an acknowledgement before this notice: the alert came again
    ],
)
async def test_what_is_settled_before_the_first_attempt(
    site: Furnish, receiver: Receiver, change: dict[str, Any], first_attempt: str
) -> None:
    here = board(site, receiver)
    here.raise_(notice())
    change_alert(here, **change)
    here.now += 2
    await here.work()
    assert deliveries(here.database)["*", "board"]["state"] == first_attempt
    assert len(receiver.requests) == (first_attempt == "sent")
    assert len(here.screens.told) == 1, "screens are told always"


@pytest.mark.parametrize("change", [{"acknowledged_at": T0 + 1}, {"resolved_at": T0 + 1}])
async def test_nobody_is_called_again_about_what_is_settled(
    site: Furnish, receiver: Receiver, change: dict[str, Any]
) -> None:
    receiver.after = 500
    here = board(site, receiver)
    here.raise_(notice())
    await here.work()
    change_alert(here, **change)
    here.now += MINUTE
    await here.work()
    assert deliveries(here.database)["*", "board"]["state"] == "obsolete"
    assert len(receiver.requests) == 1


async def test_simulated_notices_reach_screens_only(site: Furnish, receiver: Receiver) -> None:
    here = strong(site, receiver)
    here.raise_(notice(simulated=True))
    await here.work()
    assert set(deliveries(here.database)) == {SCREEN}
    assert receiver.requests == []
    ((kind, unit, body),) = here.screens.told
    assert (kind, unit, body["notification"]["simulated"]) == ("notification", "bed-007", True)


async def test_a_notice_made_again_by_a_replay_is_one_notice(site: Furnish, receiver: Receiver) -> None:
    here = board(site, receiver)
    here.raise_(notice(), notice())
    await here.work()
    here.raise_(notice())
    await here.work()
    assert len(receiver.requests) == 1


async def test_what_was_under_way_when_a_process_ended_is_sent_by_the_next(site: Furnish, receiver: Receiver) -> None:
    here = board(site, receiver)
    here.raise_(notice())
    here.database.submit(lambda c: here.notifier._work(c, T0, [], {"board": 2, "screen": 9}, fresh=True)).result()
    assert {row["state"] for row in all_deliveries(here.database)} == {"sending"}
    here.notifier = here.another()
    await here.work()
    assert {row["state"] for row in all_deliveries(here.database)} == {"sent"}
    assert deliveries(here.database)["*", "board"]["attempts"] == 2, "the attempt that was cut off counts"
    assert len(receiver.requests) == 1


async def test_a_channel_taken_out_of_the_file_leaves_dead_letters_and_not_silence(
    site: Furnish, receiver: Receiver
) -> None:
    receiver.after = 500
    here = board(site, receiver)
    here.raise_(notice())
    await here.work()
    here.settings.channel.clear()
    here.notifier = here.another()
    await here.work()
    row = deliveries(here.database)["*", "board"]
    assert (row["state"], row["last_error"]) == ("dead", "the channel is no longer in notify.toml")


async def test_it_beats_wakes_and_drains(site: Furnish, receiver: Receiver) -> None:
    here = board(site, receiver)
    here.now = T0 + SECOND
    stop = asyncio.Event()
    running = asyncio.create_task(here.notifier.run(stop))
    here.raise_(notice())
    await until(lambda: bool(receiver.requests))
    stop.set()
    here.notifier.wake()
    await asyncio.wait_for(running, 10)
    assert deliveries(here.database)["*", "board"]["state"] == "sent", "what landed is written down before it ends"
    assert here.notifier.beat_at == T0 + SECOND
    assert here.metric("lastmile_notifier_beat_timestamp_seconds") == (T0 + SECOND) / 1e6


async def test_a_database_that_refuses_stops_the_beat_and_loses_nothing(site: Furnish, receiver: Receiver) -> None:
    here = board(site, receiver)
    here.raise_(notice())
    here.database.submit(lambda c: c.exec_driver_sql("ALTER TABLE delivery RENAME TO away").rowcount).result()
    here.now += SECOND
    with pytest.raises(Exception, match="no such table"):
        await here.notifier.turn()
    assert here.notifier.beat_at == T0
    here.database.submit(lambda c: c.exec_driver_sql("ALTER TABLE away RENAME TO delivery").rowcount).result()
    await here.work()
    assert deliveries(here.database)["*", "board"]["state"] == "sent"


async def test_the_pause_ends_with_the_next_delivery(site: Furnish, receiver: Receiver) -> None:
    receiver.after = 500
    here = board(site, receiver)
    here.jitter = 0.5
    here.raise_(notice())
    await here.work()
    assert await here.notifier.turn() == pytest.approx(2.5)
    here.now += 2 * SECOND
    assert await here.notifier.turn() == pytest.approx(0.5)


async def test_a_flood_is_taken_in_small_turns(site: Furnish, receiver: Receiver) -> None:
    """A turn is a transaction of the thread that also commits records, so each does a bounded piece of work."""
    receiver.after = 500
    here = board(site, receiver)
    here.raise_(*(notice(n, at=T0 + n) for n in range(2_000)))
    for turn in range(1, 21):
        here.now += SECOND
        await here.notifier.turn()
        assert len({row["notification"] for row in all_deliveries(here.database)}) == turn * 100
        assert len(here.screens.told) == turn * 50
        assert len(receiver.requests) <= turn * IN_FLIGHT
    here.now += SECOND
    await here.notifier.turn()
    assert here.metric("lastmile_deliveries_waiting") == 4_000 - 20 * 50


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():
            await asyncio.to_thread(lambda: None)
