"""The uplink against a real broker (Mosquitto) and a gateway that keeps account."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from edge_agents.outbox_ledger import Stream
from gateway.contract.envelope import Lane, LinkMode, Presence
from gateway.contract.observation import Command
from tests.unit.edge.helpers import EPOCH, NEXT_EPOCH, entries, open_box
from tests.unit.edge.stand_in import Broker, Side, StandIn, Valve

pytestmark = pytest.mark.server("mosquitto")

FOR_EVER = 2**60


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    broker = Broker(tmp_path)
    await broker.start()
    yield broker
    await broker.kill()


@pytest.fixture
async def gateway(broker: Broker) -> AsyncIterator[StandIn]:
    gateway = StandIn(broker.port)
    await gateway.connect()
    yield gateway
    await gateway.close()


def make_side(tmp_path: Path, broker: Broker, epoch: str = EPOCH) -> Side:
    return Side(tmp_path / "outbox.db", broker.port, epoch=epoch)


async def test_a_puback_frees_nothing_only_the_ack_deletes(tmp_path: Path, broker: Broker, gateway: StandIn) -> None:
    gateway.acking = False
    async with make_side(tmp_path, broker).running() as side:
        await gateway.until(lambda: gateway.hellos)
        side.observe(20)
        await gateway.until(lambda: gateway.count() == 20)
        assert await side.records() == 20
        gateway.ack()
        await side.until_empty()
    assert max(gateway.seen.values()) == 1
    await gateway.until(lambda: gateway.hellos[-1].presence is Presence.OFFLINE)  # a clean end says goodbye


async def test_missing_records_are_sent_again_and_gone_ones_declared_at_once(
    tmp_path: Path, broker: Broker, gateway: StandIn
) -> None:
    gateway.deaf.add(3, 5)
    async with make_side(tmp_path, broker).running() as side:
        await gateway.until(lambda: gateway.hellos)
        side.observe(10)
        await gateway.until(lambda: sum(gateway.seen.values()) == 10)
        await side.writer.call(lambda box: box._db.execute("DELETE FROM obs_record WHERE id & 0xff = 4"))
        await gateway.until(lambda: any(s.gone for hello in gateway.hellos for s in hello.lanes), 25)
        await gateway.until(lambda: gateway.count() == 9)
    gone = [(r.first, r.last) for s in gateway.hellos[-2].lanes if s.lane is Lane.OBS for r in s.gone]
    assert gone in ([(4, 4)], [])
    assert {seq: n for (_, seq), n in gateway.seen.items() if n > 1} == {3: 2, 5: 2}, "nothing else was sent twice"


async def test_what_waited_offline_is_sent_once_in_order_and_marked(
    tmp_path: Path, broker: Broker, gateway: StandIn
) -> None:
    box = open_box(tmp_path)
    box.append_batch(entries(Lane.OBS, range(700)) + entries(Lane.EVENT, range(3)))
    box.close()
    async with make_side(tmp_path, broker, NEXT_EPOCH).running() as side:
        await side.until_empty()
    assert [seq for stream, seq, _ in gateway.order if stream == Stream(EPOCH, Lane.OBS)] == list(range(700))
    assert [stream.lane for stream, _, _ in gateway.order[:3]] == [Lane.EVENT] * 3, "most urgent first"
    assert all(backfill for _, _, backfill in gateway.order)


async def test_live_is_not_kept_waiting_by_a_backlog(tmp_path: Path, broker: Broker, gateway: StandIn) -> None:
    box = open_box(tmp_path)
    box.append_batch(entries(Lane.OBS, range(20_000)))
    box.close()
    async with make_side(tmp_path, broker, NEXT_EPOCH).running() as side:
        await gateway.until(lambda: len(gateway.order) > 100)
        side.observe()
        await gateway.until(lambda: side.stream in gateway.stored)
        position = next(n for n, (stream, _, _) in enumerate(gateway.order) if stream == side.stream)
        assert not gateway.order[position][2], "live is not marked backfill"
        assert position < 15_000, "and does not wait for the end of it"
        await side.until_empty()


async def test_a_broker_that_dies_costs_duplicates_of_the_unacked_only(
    tmp_path: Path, broker: Broker, gateway: StandIn
) -> None:
    async with make_side(tmp_path, broker).running() as side:
        await gateway.until(lambda: gateway.hellos)
        side.observe(50)
        await gateway.until(lambda: gateway.count() == 50)
        await side.until_empty()
        await broker.kill()
        side.observe(200)
        await broker.start()
        await gateway.close()
        await gateway.connect()
        await side.until_empty()
        assert side.uplink.connections == 2
    assert gateway.count() == 250
    assert all(n == 1 for (_, seq), n in gateway.seen.items() if seq < 50)


async def test_a_half_open_link_is_noticed_within_one_and_a_half_keepalives(
    tmp_path: Path, broker: Broker, gateway: StandIn
) -> None:
    valve = Valve(broker.port)
    async with valve.listening() as port:
        side = Side(tmp_path / "outbox.db", port, epoch=EPOCH, keepalive=4)
        async with side.running():
            await gateway.until(lambda: gateway.hellos)
            side.observe(10)
            await gateway.until(lambda: gateway.count() == 10)
            valve.hold()
            held_at = time.monotonic()
            side.observe(10)
            lost = side.uplink._connection.lost
            reason = await lost
            assert time.monotonic() - held_at <= 1.5 * 4 + 0.5
            assert "half-open" in reason
            valve.release()
            await gateway.until(lambda: gateway.count() == 20)
            await side.until_empty()


async def test_an_operator_may_choose_the_link_mode(tmp_path: Path, broker: Broker, gateway: StandIn) -> None:
    async with make_side(tmp_path, broker).running() as side:
        await gateway.until(lambda: gateway.hellos)
        for count in (1, 2):
            gateway.command(Command(id="c1", name="link-mode", arguments={"mode": "weak"}, expires_at=FOR_EVER))
            await gateway.until(lambda count=count: len(gateway.replies) == count)  # type: ignore[misc]
        gateway.command(Command(id="c2", name="explode", expires_at=FOR_EVER))
        gateway.command(Command(id="c3", name="link-mode", arguments={"mode": "full"}, expires_at=0))
        await gateway.until(lambda: len(gateway.replies) == 4)
        outcome = [(reply.id, reply.accepted, reply.reason) for reply in gateway.replies]
        assert outcome == [
            ("c1", True, ""),
            ("c1", True, ""),
            ("c2", False, "unknown-command"),
            ("c3", False, "expired"),
        ]
        await gateway.until(lambda: gateway.hellos[-1].link_mode is LinkMode.WEAK)
        assert ("link-mode", {"mode": "weak", "reason": "command"}) in side.events


async def test_the_clock_offset_is_measured(tmp_path: Path, broker: Broker, gateway: StandIn) -> None:
    async with make_side(tmp_path, broker).running() as side:
        await gateway.until(lambda: gateway.hellos)
        await side.uplink.progress.wait()
        estimate = side.uplink.offset.estimate(time.monotonic())
        assert estimate is not None
        assert abs(estimate.offset) <= estimate.error < 1_000_000, "both ends read the same clock here"


async def test_three_thousand_records_a_second(tmp_path: Path, broker: Broker, gateway: StandIn) -> None:
    """Judged by processor time, stand-in gateway included, because the machine that runs tests has other work too."""
    count = 12_000
    async with make_side(tmp_path, broker).running() as side:
        await gateway.until(lambda: gateway.hellos)
        started = time.process_time()
        for _ in range(count // 50):
            await side.writer.room()
            side.observe(50)
        await gateway.until(lambda: gateway.count() == count, 60)
        await side.until_empty()
        rate = count / (time.process_time() - started)
    assert rate >= 3000, f"{rate:.0f}/s"
    assert max(gateway.seen.values()) == 1
