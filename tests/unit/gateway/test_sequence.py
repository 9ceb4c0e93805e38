"""Rules see each lane in number order: at once when contiguous, else after two seconds or when the hole fills."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.admit import Admitted
from gateway.contract.quantity import SECOND
from gateway.sequence import PATIENCE, Sequencer
from tests.unit.gateway.builders import NOW, admitted


def numbers(records: list[Admitted]) -> list[int]:
    return [record.body.seq for record in records]


def test_contiguous_records_pass_at_once() -> None:
    sequencer = Sequencer()
    assert [numbers(sequencer.take(admitted(seq))) for seq in (7, 8, 9)] == [[7], [8], [9]]


def test_a_hole_holds_back_until_it_fills() -> None:
    sequencer = Sequencer()
    out = [numbers(sequencer.take(admitted(seq))) for seq in (0, 2, 3, 1, 4)]
    assert out == [[0], [], [], [1, 2, 3], [4]]


def test_a_hole_holds_back_for_two_seconds_only() -> None:
    sequencer = Sequencer()
    sequencer.take(admitted(0))
    sequencer.take(admitted(2))
    assert sequencer.expire(NOW + PATIENCE - 1) == []
    assert numbers(sequencer.expire(NOW + PATIENCE)) == [2]
    assert numbers(sequencer.take(admitted(3))) == [3]
    assert numbers(sequencer.take(admitted(1))) == [1], "what comes too late is still seen"


def test_backlog_does_not_hold_back_live_records() -> None:
    sequencer = Sequencer()
    sequencer.restore(1, 10)
    assert numbers(sequencer.take(admitted(20, backfill=True))) == [20]
    assert numbers(sequencer.take(admitted(10))) == [10]


@given(st.permutations(range(12)))
def test_every_record_is_seen_once_and_in_order_between_pauses(order: list[int]) -> None:
    sequencer = Sequencer()
    sequencer.restore(1, 0)
    seen: list[int] = []
    for seq in order:
        seen += numbers(sequencer.take(admitted(seq)))
    seen += numbers(sequencer.expire(NOW + 10 * SECOND))
    assert seen == list(range(12))


def test_many_holes_do_not_put_the_rules_behind() -> None:
    """Every second number is missing, five records a second: nobody waits longer than the patience and one record."""
    sequencer = Sequencer()
    sequencer.restore(1, 0)
    waits = []
    for step in range(500):
        now = NOW + step * SECOND // 5
        released = sequencer.take(admitted(2 * step + 1, at=now)) + sequencer.expire(now)
        waits += [now - record.received_at for record in released]
    assert max(waits) <= PATIENCE + SECOND // 5
    assert len(waits) > 480
