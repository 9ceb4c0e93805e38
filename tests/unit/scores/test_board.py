"""The board: what is said, when, how often; and that order, batches and clocks change nothing of it."""

from collections.abc import Mapping
from typing import Any

import pytest

from edge_agents.device import Occurrence
from edge_agents.devices import crew_tablet
from gateway.contract.quantity import MINUTE, SECOND
from gateway.contract.quantity import QUANTITIES as CONTRACT
from gateway.derive.population import Population
from gateway.derive.scores.board import EVENTS, QUANTITIES, SCORES, BadEntry, ScoreBoard, Scored
from gateway.derive.scores.observed import BOUNDED, values_of
from gateway.derive.scores.score import Person, Refused, ScaleTwo, Score
from tests.unit.scores.tables import ADULT, NOW, PREGNANT, UNIT, UNKNOWN, board_of, child


def named(scored: list[Scored], name: str) -> list[Score]:
    return [one.result for one in scored if one.result.name == name and isinstance(one.result, Score)]


def standing(board: ScoreBoard, name: str = "news2") -> Score:
    result = board.current(UNIT)[name]
    assert isinstance(result, Score), result
    return result


def test_a_second_is_scored_when_it_is_over() -> None:
    board = board_of()
    assert board.current(UNIT) == {}
    scored = board.value(UNIT, "heart-rate", 70, NOW + SECOND)
    assert [(one.unit, one.result.name) for one in scored] == [
        (UNIT, name) for name in ("news2", "mews", "qsofa", "shock-index")
    ]
    (news2,) = named(scored, "news2")
    assert (news2.value, news2.complete, news2.at) == (0, True, NOW)


def test_the_clock_ends_a_second_too_and_says_the_same() -> None:
    by_clock, by_value = board_of(), board_of()
    assert by_clock.check(NOW + SECOND - 1) == []
    assert by_clock.check(NOW + SECOND) == by_value.value(UNIT, "spo2", 97, NOW + SECOND)
    assert by_clock.check(NOW + 2 * SECOND) == []


def test_it_speaks_when_something_changes_and_at_most_once_a_second() -> None:
    board = board_of()
    said = []
    for tenth in range(1, 101):
        rate = 70 + (tenth % 3) if tenth < 60 else 95  # within one band, then one point more
        said += named(board.value(UNIT, "heart-rate", rate, NOW + tenth * SECOND // 10), "news2")
    said += named(board.check(NOW + 12 * SECOND), "news2")
    assert [(score.value, score.at) for score in said] == [(0, NOW + 9 * SECOND // 10), (1, NOW + 69 * SECOND // 10)]
    assert said[-1].parts[4].value == 95


def test_an_input_that_grows_too_old_makes_the_score_partial_at_that_moment() -> None:
    board = board_of()
    board.check(NOW + SECOND)
    assert board.check(NOW + 5 * MINUTE) == []
    (partial,) = named(board.check(NOW + 5 * MINUTE + 3 * SECOND), "news2")
    assert (partial.complete, partial.at, partial.text) == (False, NOW + 5 * MINUTE + 1, ">= 0")
    assert [(gap.name, gap.why) for gap in partial.missing] == [
        ("resp-rate", "stale"),
        ("spo2", "stale"),
        ("pulse", "stale"),
    ]
    later = named(board.check(NOW + 20 * MINUTE), "news2")
    assert [gap.name for gap in later[-1].missing][-3:] == ["bp-systolic", "pulse", "consciousness"]
    (gone,) = named(board.check(NOW + 5 * 60 * MINUTE), "news2")
    assert (gone.value, gone.text) == (None, "-")
    assert board.check(NOW + 10 * 60 * MINUTE) == []


def test_an_index_ends_when_its_pressure_is_too_old() -> None:
    board = board_of()
    board.check(NOW + SECOND)
    assert standing(board, "shock-index").value == 0.58
    board.value(UNIT, "heart-rate", 70, NOW + 15 * MINUTE)
    said = named(board.check(NOW + 16 * MINUTE), "shock-index")
    assert said[-1].value is None
    assert [gap.name for gap in said[-1].missing] == ["bp-systolic"]


def test_the_next_value_tells_of_what_grew_old_meanwhile() -> None:
    """Event time alone, as in a backlog that is played faster than it happened."""
    board = board_of()
    said = named(board.value(UNIT, "heart-rate", 70, NOW + 6 * MINUTE), "news2")
    assert [(score.complete, score.at - NOW) for score in said] == [(True, 0), (False, 5 * MINUTE + 1)]


def test_what_was_too_old_by_the_clock_does_not_come_back() -> None:
    board = board_of()
    board.check(NOW + 5 * MINUTE + SECOND)
    board.value(UNIT, "bp-systolic", 120, NOW + 4 * MINUTE)
    board.check(NOW + 5 * MINUTE + 2 * SECOND)
    assert "spo2" in {gap.name for gap in standing(board).missing}


def test_a_value_from_before_the_newest_of_its_kind_changes_nothing() -> None:
    board = board_of()
    board.value(UNIT, "heart-rate", 140, NOW - SECOND)
    board.check(NOW + SECOND)
    assert standing(board).value == 0


@pytest.mark.parametrize(
    ("quantity", "value", "points"),
    [("oxygen-flow", 0, 0), ("oxygen-flow", 0.1, 2), ("oxygen-flow", 15, 2), ("fio2", 21, 0), ("fio2", 21.4, 0),
     ("fio2", 21.5, 2), ("fio2", 100, 2)],
)  # fmt: skip
def test_oxygen_is_read_off_the_devices(quantity: str, value: float, points: int) -> None:
    board = board_of()
    board.value(UNIT, quantity, value, NOW)
    board.check(NOW + SECOND)
    assert standing(board).value == points


@pytest.mark.parametrize(("quantity", "value", "points"), [("oxygen-flow", 3.9, 2), ("oxygen-flow", 4, 4),
                                                          ("fio2", 49, 2), ("fio2", 50, 4)])  # fmt: skip
def test_a_childs_oxygen_counts_by_amount(quantity: str, value: float, points: int) -> None:
    board = ScoreBoard()
    board.person(UNIT, child(5))
    board.value(UNIT, quantity, value, NOW)
    board.check(NOW + SECOND)
    assert standing(board, "pews").value == points


@pytest.mark.parametrize(
    ("name", "details", "score", "value"),
    [
        ("avpu", {"level": "confused"}, "news2", 3),
        ("avpu", {"level": "pain", "by": "medic-7"}, "mews", 3),  # one for sixteen breaths
        ("oxygen", {"state": "oxygen", "flow": 2}, "news2", 2),
        ("gcs", {"eye": 3, "verbal": 5, "motor": 6}, "gcs", 14),
        ("gcs", {"eye": 3, "verbal": 5, "motor": 6}, "qsofa", 1),
    ],
)
def test_entries_of_people(name: str, details: dict[str, Any], score: str, value: float) -> None:
    board = board_of()
    board.event(UNIT, name, details, NOW + MINUTE)
    board.check(NOW + 2 * MINUTE)
    assert standing(board, score).value == value


def test_entries_for_children() -> None:
    board = ScoreBoard()
    board.person(UNIT, child(5))
    board.event(UNIT, "capillary-refill", {"seconds": 3}, NOW)
    board.event(UNIT, "respiratory-effort", {"level": "moderate"}, NOW)
    board.event(UNIT, "oxygen", {"state": "oxygen", "flow": 4}, NOW)
    board.check(NOW + SECOND)
    assert (standing(board, "pews").value, standing(board, "pews").complete) == (10, False)


@pytest.mark.parametrize(
    ("name", "details"),
    [
        ("avpu", {}),
        ("avpu", {"level": "sleepy"}),
        ("avpu", {"level": 3}),
        ("oxygen", {"state": "some"}),
        ("oxygen", {"state": "oxygen", "flow": "much"}),
        ("gcs", {"eye": 4, "verbal": 5}),
        ("gcs", {"eye": 5, "verbal": 5, "motor": 6}),
        ("gcs", {"eye": 0, "verbal": 5, "motor": 6}),
        ("gcs", {"eye": True, "verbal": 5, "motor": 6}),
        ("capillary-refill", {"seconds": -1}),
        ("capillary-refill", {"seconds": float("nan")}),
        ("respiratory-effort", {"level": "alert"}),
    ],
)
def test_an_entry_that_makes_no_sense_is_refused_and_changes_nothing(name: str, details: dict[str, Any]) -> None:
    assert name in EVENTS
    board = ScoreBoard()
    with pytest.raises(BadEntry, match=name):
        board.event(UNIT, name, details, NOW)
    assert board.check(NOW + SECOND) == []


def test_what_is_no_input_is_passed_over() -> None:
    board = ScoreBoard()
    assert board.value(UNIT, "speed", 50, NOW) == []
    assert board.value(UNIT, "gcs", 3, NOW) == []
    assert board.event(UNIT, "boarded", {}, NOW) == []
    assert board.check(NOW + SECOND) == []
    assert set(CONTRACT) >= QUANTITIES


def test_a_score_that_is_switched_off_is_never_made() -> None:
    board = board_of(off=("mews", "shock-index"))
    names = {one.result.name for one in board.check(NOW + SECOND)}
    assert names == {"news2", "qsofa"}
    assert board.current(UNIT).keys() == SCORES.keys() - {"mews", "shock-index"}
    with pytest.raises(ValueError, match="news3"):
        ScoreBoard(off=("news3",))


def test_another_population_ends_the_score_with_a_reason() -> None:
    board = board_of()
    board.check(NOW + SECOND)
    scored = board.person(UNIT, PREGNANT)
    (ended,) = [one.result for one in scored if one.result.name == "news2"]
    assert ended == Refused("news2", Population.PREGNANT, "made for adult; this person is pregnant")
    assert values_of(ended) == (
        dict.fromkeys(("news2", "news2-at-least", "news2-single")),
        dict.fromkeys(("news2", "news2-at-least", "news2-single"), "population"),
    )  # fmt: skip
    assert named(scored, "meows")[0].value == 0
    assert board.person(UNIT, PREGNANT) == []
    assert {one.result.name for one in board.person(UNIT, ADULT)} >= {"news2", "meows"}


def test_a_refusal_that_ends_nothing_is_not_said_but_can_be_asked_for() -> None:
    board = board_of()
    assert not [one for one in board.check(NOW + SECOND) if isinstance(one.result, Refused)]
    assert isinstance(board.current(UNIT)["pews"], Refused)


def test_an_age_that_becomes_known_is_a_change() -> None:
    board = board_of(UNKNOWN)
    board.check(NOW + SECOND)
    assert standing(board).assumed
    (known,) = named(board.person(UNIT, ADULT), "news2")
    assert (known.assumed, known.value) == (False, 0)


def test_scale_2_comes_from_a_clinician_only() -> None:
    board = board_of()
    board.value(UNIT, "spo2", 90, NOW)
    board.value(UNIT, "spo2", 90, NOW + SECOND)
    board.check(NOW + 2 * SECOND)
    assert standing(board).value == 3
    (score,) = named(board.person(UNIT, Person(ADULT.age_days, scale_two=ScaleTwo("dr-li", NOW))), "news2")
    assert score.value == 0


def test_somebody_else_begins_with_nothing() -> None:
    board = board_of()
    board.check(NOW + SECOND)
    ended = board.forget(UNIT)
    assert {one.result.name for one in ended} == {"news2", "mews", "qsofa", "shock-index"}
    assert {score.value for score in named(ended, "news2")} == {None}
    assert board.current(UNIT) == {}
    assert board.forget(UNIT) == []
    board.value(UNIT, "spo2", 90, NOW + SECOND)
    board.check(NOW + 2 * SECOND)
    assert standing(board).text == ">= 3"


def test_units_do_not_touch_each_other() -> None:
    board = board_of()
    board.value("ambulance-002", "spo2", 80, NOW)
    scored = board.check(NOW + SECOND)
    assert {one.unit for one in scored} == {UNIT, "ambulance-002"}
    assert standing(board).value == 0


def test_values_of_a_partial_score_hold_the_bound_apart() -> None:
    board = ScoreBoard()
    board.person(UNIT, ADULT)
    board.value(UNIT, "spo2", 90, NOW)
    (news2,) = named(board.check(NOW + SECOND), "news2")
    assert values_of(news2) == ({"news2": None, "news2-at-least": 3, "news2-single": 3}, {"news2": "incomplete"})
    assert values_of(standing(board_and_check())) == ({"news2": 0, "news2-at-least": 0, "news2-single": 0}, {})
    assert frozenset({"news2", "mews", "qsofa", "pews", "meows"}) == BOUNDED


def board_and_check() -> ScoreBoard:
    board = board_of()
    board.check(NOW + SECOND)
    return board


def test_every_score_has_its_quantity_and_every_value_fits_it() -> None:
    for name in SCORES:
        names = (name, f"{name}-at-least") if name in BOUNDED else (name,)
        assert set(names) <= CONTRACT.keys()
    for name in BOUNDED:
        highest = max(sum(max(points_of(item)) for item in chart) for chart in charts_of(name))
        assert (CONTRACT[name].low, CONTRACT[name].high) == (0, highest)


def charts_of(name: str) -> Any:
    return SCORES[name].charts  # type: ignore[union-attr]


def points_of(item: Any) -> tuple[int, ...]:
    points = getattr(item.table, "points", (0, 1))
    return tuple(points.values()) if isinstance(points, Mapping) else points


def test_what_a_tablet_may_say_the_board_understands() -> None:
    """The lines of the tablet and the entries of the board name the same words within the same limits."""
    assert crew_tablet.EVENTS.keys() >= EVENTS
    board = board_of()
    for line in (Occurrence(observed_at=NOW, name="avpu", details={"level": level}) for level in crew_tablet.LEVELS):
        board.event(UNIT, line.name, _sent(line), NOW)
    for effort in crew_tablet.EFFORTS:
        board.event(UNIT, "respiratory-effort", {"level": effort}, NOW)
    for name, details in (
        ("oxygen", {"state": "oxygen", "flow": 60}),
        ("gcs", {"eye": 1, "verbal": 1, "motor": 1}),
        ("gcs", {"eye": 4, "verbal": 5, "motor": 6}),
        ("capillary-refill", {"seconds": 60}),
    ):
        board.event(UNIT, name, _sent(Occurrence(observed_at=NOW, name=name, details=details)), NOW)


def _sent(entry: Occurrence) -> dict[str, Any]:
    """The details as they arrive."""
    (got,) = crew_tablet.Decoder().feed(crew_tablet.encode(entry), NOW)
    assert isinstance(got, Occurrence)
    return got.details
