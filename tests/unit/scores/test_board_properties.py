"""Properties of the board: order and looks at the clock change nothing; a bound is a bound; worse is not less."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.contract.quantity import MINUTE, SECOND
from gateway.derive.scores.board import ScoreBoard, Scored
from gateway.derive.scores.observed import BOUNDED
from gateway.derive.scores.score import Person, Refused, ScaleTwo, Score
from tests.unit.scores.tables import ADULT, NOW, PREGNANT, UNIT, UNKNOWN, board_of, child

RANGES = {
    "resp-rate": (4, 40),
    "spo2": (75, 100),
    "bp-systolic": (60, 240),
    "bp-diastolic": (30, 110),
    "bp-mean": (40, 150),
    "heart-rate": (30, 160),
    "pulse-rate": (30, 160),
    "temperature": (33, 41),
    "oxygen-flow": (0, 10),
    "fio2": (21, 100),
}
measured = st.sampled_from(sorted(RANGES)).flatmap(
    lambda name: st.tuples(st.just(name), st.integers(*RANGES[name]), st.integers(0, 40 * 60))
)
entered = st.tuples(
    st.just("avpu"), st.sampled_from(["alert", "confused", "voice", "pain", "unresponsive"]), st.integers(0, 40 * 60)
)
people = st.sampled_from([ADULT, UNKNOWN, PREGNANT, child(0.05), child(3), child(14),
                          Person(ADULT.age_days, scale_two=ScaleTwo("dr-li", NOW))])  # fmt: skip
Step = tuple[str, int | str, int]


def play(board: ScoreBoard, steps: list[Step]) -> list[Scored]:
    scored = []
    for name, value, second in steps:
        at = NOW + second * SECOND
        if isinstance(value, str):
            scored += board.event(UNIT, name, {"level": value}, at)
        else:
            scored += board.value(UNIT, name, value, at)
    return scored


@given(people, st.lists(measured | entered, max_size=40), st.randoms())
def test_the_order_within_a_second_changes_nothing(person: Person, steps: list[Step], random: Any) -> None:
    in_order = sorted(steps, key=lambda step: step[2])
    shuffled = sorted(random.sample(steps, len(steps)), key=lambda step: step[2])
    said = []
    for played in (in_order, shuffled):
        board = ScoreBoard()
        board.person(UNIT, person)
        said.append(play(board, played) + board.check(NOW + 41 * MINUTE))
    assert said[0] == said[1]


@given(people, st.lists(measured | entered, max_size=40), st.randoms())
def test_in_any_order_it_ends_the_same(person: Person, steps: list[Step], random: Any) -> None:
    ends = []
    for played in (steps, random.sample(steps, len(steps))):
        board = ScoreBoard()
        board.person(UNIT, person)
        play(board, played)
        board.check(NOW + 41 * MINUTE)
        ends.append({name: fresh(result) for name, result in board.current(UNIT).items()})
    assert ends[0] == ends[1]


def fresh(result: Any) -> Any:
    """A result without the moment from which it holds, which is that of the last change on the way there."""
    return result if isinstance(result, Refused) else (result.value, result.complete, result.parts, result.missing)


@given(people, st.lists(measured | entered, max_size=30), st.lists(st.integers(0, 40 * 60), max_size=10))
def test_looking_at_the_clock_changes_when_not_what(person: Person, steps: list[Step], looks: list[int]) -> None:
    steps = sorted(steps, key=lambda step: step[2])
    silent, watched = ScoreBoard(), ScoreBoard()
    for board in (silent, watched):
        board.person(UNIT, person)
    said, seen = play(silent, steps), []
    for second in sorted({*looks, *(step[2] for step in steps)}):
        if second in looks:
            seen += watched.check(NOW + second * SECOND)
        seen += play(watched, [step for step in steps if step[2] == second])
    assert said + silent.check(NOW + 41 * MINUTE) == seen + watched.check(NOW + 41 * MINUTE)


@given(people, st.dictionaries(st.sampled_from(sorted(RANGES)), st.integers(0, 10_000), min_size=1), st.randoms())
def test_a_partial_score_is_never_above_the_total(person: Person, raw: dict[str, int], random: Any) -> None:
    """Whatever is left out, the bound stays at or below what all of it gives."""
    steps: list[Step] = [
        (name, RANGES[name][0] + value % (RANGES[name][1] - RANGES[name][0] + 1), 0) for name, value in raw.items()
    ]
    kept = random.sample(steps, random.randint(0, len(steps)))
    boards = [ScoreBoard(), ScoreBoard()]
    for board, part in zip(boards, (kept, steps), strict=True):
        board.person(UNIT, person)
        play(board, part)
        board.check(NOW + SECOND)
    less, all_of_it = (board.current(UNIT) for board in boards)
    for name in BOUNDED:
        one, other = less.get(name), all_of_it[name]
        if isinstance(one, Score) and isinstance(other, Score) and one.value is not None:
            if raw.keys() & {"heart-rate", "pulse-rate"} == {"heart-rate", "pulse-rate"}:
                continue  # two sources of one part: not a part that is missing
            assert other.value is not None
            assert one.value <= other.value
            assert len(one.missing) >= len(other.missing)


WORSE = [  # (quantity, from, to, direction): within it more in that direction is never fewer points, in every score
    ("resp-rate", 17, 60, 1),
    ("resp-rate", 11, 4, -1),
    ("spo2", 96, 50, -1),
    ("bp-systolic", 110, 40, -1),
    ("heart-rate", 90, 220, 1),
    ("heart-rate", 50, 20, -1),
    ("temperature", 38, 42, 1),
    ("temperature", 36, 30, -1),
]


@pytest.mark.parametrize(("name", "start", "end", "step"), WORSE)
@pytest.mark.parametrize("person", [ADULT, PREGNANT])
def test_worse_is_never_fewer_points(name: str, start: int, end: int, step: int, person: Person) -> None:
    board = board_of(person)
    before: dict[str, float] = {}
    for second, value in enumerate(range(start, end + step, step)):
        board.value(UNIT, name, value, NOW + (second + 1) * SECOND)
        board.check(NOW + (second + 2) * SECOND)
        for score in BOUNDED:
            result = board.current(UNIT)[score]
            if isinstance(result, Score) and result.value is not None:
                assert result.value >= before.get(score, 0), (score, value)
                before[score] = result.value
    assert before
