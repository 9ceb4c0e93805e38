"""What is sent again, and what is not."""

from edge_agents.backlog import Backlog
from edge_agents.outbox_ledger import Stream
from edge_agents.ranges import RangeSet
from gateway.contract.envelope import Lane, LaneState
from tests.unit.edge.helpers import EPOCH, NEXT_EPOCH, ack

OBS = Stream(EPOCH, Lane.OBS)
NONE = RangeSet()


def state(lane: Lane, first: int, following: int, epoch: str = EPOCH) -> LaneState:
    return LaneState(epoch=epoch, lane=lane, first=first, next=following)


def connected(*states: LaneState) -> Backlog:
    backlog = Backlog()
    backlog.connected(states or [state(Lane.OBS, 0, 10)])
    backlog.hello(1)
    return backlog


def send_all(backlog: Backlog) -> list[int]:
    sent = []
    while (taken := backlog.take(100)) is not None:
        stream, first, last = taken
        for seq in range(first, last + 1):
            backlog.published(stream, seq)
            sent.append(seq)
    return sent


def test_everything_is_sent_once_most_urgent_and_oldest_first() -> None:
    backlog = connected(
        state(Lane.WAVE, 5, 6), state(Lane.OBS, 0, 2), state(Lane.OBS, 0, 1, NEXT_EPOCH), state(Lane.EVENT, 3, 4)
    )
    order = []
    while (taken := backlog.take(100)) is not None:
        order.append(taken)
    assert order == [
        (Stream(EPOCH, Lane.EVENT), 3, 3), (OBS, 0, 1), (Stream(NEXT_EPOCH, Lane.OBS), 0, 0),
        (Stream(EPOCH, Lane.WAVE), 5, 5),
    ]  # fmt: skip


def test_a_gateway_that_is_behind_causes_no_resend() -> None:
    backlog = connected()
    assert send_all(backlog) == list(range(10))
    for _ in range(600):  # ten minutes of acks that answer the hello from before those records
        backlog.acknowledge([ack(Lane.OBS, 0, (0, 9))], hello_sent_at=1)
        assert not backlog


def test_missing_after_a_later_hello_is_sent_again_once() -> None:
    backlog = connected()
    send_all(backlog)
    backlog.hello(2)
    for _ in range(3):
        backlog.acknowledge([ack(Lane.OBS, 4, (4, 5))], hello_sent_at=2)
        backlog.acknowledge([ack(Lane.OBS, 4, (4, 5))], hello_sent_at=2)
    assert send_all(backlog) == [4, 5]
    backlog.acknowledge([ack(Lane.OBS, 4, (4, 5))], hello_sent_at=2)
    assert not backlog, "it went after hello 2: wait for the answer to the next"
    backlog.hello(3)
    backlog.acknowledge([ack(Lane.OBS, 4, (4, 4))], hello_sent_at=3)
    assert send_all(backlog) == [4]


def test_an_ack_for_a_hello_of_another_connection_judges_nothing() -> None:
    backlog = connected()
    send_all(backlog)
    for stale in (None, 0, 77):
        backlog.acknowledge([ack(Lane.OBS, 0, (0, 9))], hello_sent_at=stale)
        assert not backlog


def test_what_is_still_waiting_to_be_sent_is_not_queued_twice() -> None:
    backlog = connected()
    assert backlog.take(4) == (OBS, 0, 3)
    backlog.hello(2)
    backlog.acknowledge([ack(Lane.OBS, 0, (0, 9))], hello_sent_at=2)
    assert backlog.waiting == 6


def test_acked_numbers_are_not_sent_at_all() -> None:
    backlog = connected()
    backlog.acknowledge([ack(Lane.OBS, 7, (2, 2))], hello_sent_at=1)
    assert send_all(backlog) == [2, 7, 8, 9]
    assert backlog.is_acked(OBS, 3)
    assert not backlog.is_acked(OBS, 2)


def test_what_is_wanted_and_not_there_is_gone_unless_it_was_shed() -> None:
    backlog = connected()
    send_all(backlog)
    backlog.hello(2)
    backlog.acknowledge([ack(Lane.OBS, 1, (1, 4))], hello_sent_at=2)
    assert backlog.take(100) == (OBS, 1, 4)
    assert backlog.absent(OBS, RangeSet([(1, 4)]), shed=RangeSet([(1, 2)])), "the gateway must be told now"
    assert list(backlog.gone[OBS]) == [(3, 4)]
    backlog.acknowledge([ack(Lane.OBS, 10)], hello_sent_at=2)
    assert not backlog.gone[OBS], "once accounted for it is no longer declared"


def test_holes_nobody_asks_for_are_not_gone() -> None:
    backlog = connected()
    backlog.take(100)
    assert not backlog.absent(OBS, RangeSet([(0, 3)]), NONE)
    assert not backlog.gone[OBS]


def test_live_records_leave_the_backlog_and_come_back_when_deferred() -> None:
    backlog = connected()
    backlog.queue(OBS, 9)
    assert backlog.waiting == 9
    backlog.defer(OBS, 9)
    assert send_all(backlog) == list(range(10))


def test_many_unanswered_hellos_are_kept_in_bounded_space() -> None:
    backlog = connected(state(Lane.OBS, 0, 500))
    for seq in range(500):
        backlog.published(OBS, seq)
        backlog.hello(2 + seq)
    assert len(backlog._generations) <= 65
    backlog.acknowledge([ack(Lane.OBS, 0, (0, 499))], hello_sent_at=501)
    assert backlog.waiting == 500
