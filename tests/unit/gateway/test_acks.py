"""Acks: at once after a hello, else at most once a second; cumulative and complete."""

import msgspec

from gateway.acks import INTERVAL, AckDesk
from gateway.contract.envelope import Ack, Lane, LaneState, SeqRange
from gateway.ledger import IdSource, LaneLedger, Ledger
from tests.unit.gateway.builders import EPOCH, NOW, UNIT, hello


class Clock:
    """Stands where it is put."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now


def desk() -> tuple[AckDesk, Clock, Ledger]:
    clock = Clock()
    return AckDesk(lambda _: UNIT, clock), clock, Ledger(IdSource(), IdSource())


def sent(made: AckDesk) -> list[Ack]:
    return [msgspec.json.decode(payload, type=Ack) for _, payload in made.due()]


def receive(ledger: Ledger, *numbers: int, epoch: str = EPOCH, lane: Lane = Lane.OBS) -> LaneLedger:
    found = ledger.lane("amb-001", epoch, lane)
    for number in numbers:
        ledger.receive(found, number, NOW)
    return found


def test_at_most_one_a_second() -> None:
    made, clock, ledger = desk()
    made.touch(receive(ledger, 0))
    assert len(sent(made)) == 1
    made.touch(receive(ledger, 1))
    assert sent(made) == []
    clock.now += INTERVAL
    assert [ack.lanes[0].watermark for ack in sent(made)] == [2], "what waited is said then"
    clock.now += INTERVAL
    assert sent(made) == [], "nothing new, nothing said"


def test_a_hello_is_answered_at_once_with_its_times() -> None:
    made, clock, ledger = desk()
    made.touch(receive(ledger, 0))
    made.due()
    made.greet(UNIT, hello(NOW - 5), NOW - 3, [])
    clock.now += 2
    [ack] = sent(made)
    assert (ack.hello_sent_at, ack.hello_received_at, ack.server_time) == (NOW - 5, NOW - 3, NOW + 2)


def test_lists_every_lane_the_hello_names_and_those_heard_since() -> None:
    made, clock, ledger = desk()
    old, forgotten = "01" * 8, "02" * 8
    lanes = [receive(ledger, 0, epoch=old), receive(ledger, 0, epoch=forgotten), receive(ledger, 0, 3)]
    states = [LaneState(epoch=epoch, lane=Lane.OBS, first=0, next=1) for epoch in (old, EPOCH)]
    made.greet(UNIT, hello(NOW, lanes=states), NOW, lanes)
    clock.now += INTERVAL
    made.touch(receive(ledger, 0, lane=Lane.EVENT))
    [ack] = sent(made)
    assert {(lane.epoch, lane.lane, lane.watermark) for lane in ack.lanes} == {
        (old, Lane.OBS, 1),
        (EPOCH, Lane.OBS, 1),
        (EPOCH, Lane.EVENT, 1),
    }
    assert [lane.missing for lane in ack.lanes if lane.missing] == [[SeqRange(1, 2)]]
