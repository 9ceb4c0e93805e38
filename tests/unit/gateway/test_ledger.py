"""The gap ledger against a model that simply remembers every number."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.contract.envelope import MAX_RANGES_PER_LANE, Lane, LaneState, SeqRange
from gateway.ledger import Fate, IdSource, LaneLedger, Ledger, Receipt

EPOCH = "e" * 16


def lane() -> tuple[Ledger, LaneLedger]:
    ledger = Ledger(IdSource(), IdSource())
    return ledger, ledger.lane("amb-001", EPOCH, Lane.OBS)


def hello(
    next_: int, shed: list[tuple[int, int]] | None = None, gone: list[tuple[int, int]] | None = None
) -> list[LaneState]:
    ranges = [[SeqRange(*span) for span in spans or []] for spans in (shed, gone)]
    return [LaneState(epoch=EPOCH, lane=Lane.OBS, first=0, next=next_, shed=ranges[0], gone=ranges[1])]


numbers = st.integers(0, 40)
spans = st.tuples(numbers, st.integers(0, 5)).map(lambda pair: (pair[0], pair[0] + pair[1]))
steps = st.lists(st.one_of(numbers, st.tuples(st.sampled_from(["shed", "gone"]), spans)), max_size=80)


@given(steps)
def test_agrees_with_a_set_of_numbers(script: list[int | tuple[str, tuple[int, int]]]) -> None:
    ledger, one = lane()
    come: set[int] = set()
    fates: dict[int, str] = {}
    for step in script:
        if isinstance(step, int):
            receipt = ledger.receive(one, step, 1)
            assert (receipt is Receipt.DUPLICATE) == (step in come)
            come.add(step)
        else:
            kind, (first, last) = step
            ledger.hear("amb-001", hello(0, **{kind: [(first, last)]}), 2)
            for number in set(range(first, last + 1)) - come:
                fates[number] = "shed" if kind == "shed" else fates.get(number, "gone")
        reached = one.next
        assert {n for n in range(reached) if one.contains(n)} == come & set(range(reached))
        lost_or_shed = {n for a in one.absences if a.fate is not Fate.OPEN for n in range(a.first, a.last + 1)}
        assert lost_or_shed == {n for n in fates if n not in come}
        wanted = [n for n in range(reached) if n not in come and n not in fates]
        assert one.watermark == (wanted[0] if wanted else reached)


@given(st.permutations(range(30)))
def test_every_gap_heals_when_everything_comes(order: list[int]) -> None:
    ledger, one = lane()
    for seq in order:
        ledger.receive(one, seq, 1)
    assert one.absences == []
    assert one.watermark == 30
    healed = [absence for absence in one.take_changes() if absence.healed_at]
    covered = sorted(n for absence in healed for n in range(absence.first, absence.last + 1))
    assert len(covered) == len(set(covered)), "healed rows overlap"


def test_a_gap_is_wanted_until_it_fills() -> None:
    ledger, one = lane()
    for seq in (0, 1, 5):
        ledger.receive(one, seq, 7)
    assert one.ack().missing == [SeqRange(2, 4)]
    assert one.watermark == 2
    for seq in (3, 2, 4):
        ledger.receive(one, seq, 8)
    assert one.ack().missing == []
    assert one.watermark == 6


def test_the_tail_an_agent_announced_is_wanted_one_hello_later() -> None:
    """Records sent before a hello have arrived when it does; what the hello before announced is really missing."""
    ledger, one = lane()
    ledger.receive(one, 0, 1)
    ledger.hear("amb-001", hello(next_=3), 2)
    assert one.ack().missing == []
    ledger.hear("amb-001", hello(next_=3), 3)
    assert one.ack().missing == [SeqRange(1, 2)]


def test_lost_numbers_are_accounted_for_and_still_welcome() -> None:
    ledger, one = lane()
    ledger.receive(one, 4, 1)
    ledger.hear("amb-001", hello(next_=5, gone=[(0, 3)]), 2)
    assert one.watermark == 5
    assert ledger.receive(one, 2, 3) is Receipt.NEW
    assert ledger.receive(one, 2, 4) is Receipt.DUPLICATE


def test_shed_outranks_lost_but_not_the_other_way_round() -> None:
    ledger, one = lane()
    ledger.receive(one, 4, 1)
    ledger.hear("amb-001", hello(next_=5, gone=[(0, 3)]), 2)
    ledger.hear("amb-001", hello(next_=5, shed=[(1, 2)]), 3)
    ledger.hear("amb-001", hello(next_=5, gone=[(1, 2)]), 4)
    assert [(a.first, a.last, a.fate) for a in one.absences] == [
        (0, 0, Fate.LOST),
        (1, 2, Fate.SHED),
        (3, 3, Fate.LOST),
    ]


def test_refuses_what_would_need_one_range_too_many() -> None:
    ledger, one = lane()
    for step in range(MAX_RANGES_PER_LANE):
        assert ledger.receive(one, 2 * step + 1, 1) is Receipt.NEW
    before = one.next
    assert ledger.receive(one, before + 1, 1) is Receipt.REFUSED
    assert one.next == before
    assert ledger.receive(one, 0, 1) is Receipt.NEW  # a number that closes a range is always welcome
    assert ledger.receive(one, before + 1, 1) is Receipt.NEW


def test_ranges_that_are_over_do_not_block_a_lane() -> None:
    ledger, one = lane()
    for step in range(2 * MAX_RANGES_PER_LANE):
        assert ledger.receive(one, 2 * step + 1, 1) is Receipt.NEW
        ledger.hear("amb-001", hello(0, shed=[(2 * step, 2 * step)]), 2)
    assert one.watermark == 4 * MAX_RANGES_PER_LANE
