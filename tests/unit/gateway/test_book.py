"""Every move in every state: the legal ones lead where the table says, all others are refused."""

import itertools

import pytest

from gateway.alerts.alert import TRANSITIONS, IllegalMove, Move, State, UnknownAlert, next_state
from gateway.alerts.book import REOPEN_WITHIN, AlertBook, PracticeOver
from gateway.rules.catalogue import CATALOGUE
from gateway.rules.hold import Edge
from gateway.rules.threshold import Finding

HIGH = CATALOGUE["heart-rate-high"]


def finding(edge: Edge, at: int = 10) -> Finding:
    return Finding(HIGH, edge, "unit/amb-001", "amb-001", "monitor", at, 141.0, 130.0, {"since": 0})


@pytest.mark.parametrize(("state", "move"), sorted(TRANSITIONS))
def test_legal_moves(state: State, move: Move) -> None:
    assert next_state(state, move) is TRANSITIONS[state, move]


@pytest.mark.parametrize(("state", "move"), sorted(set(itertools.product(State, Move)) - set(TRANSITIONS)))
def test_illegal_moves_are_refused(state: State, move: Move) -> None:
    with pytest.raises(IllegalMove) as refusal:
        next_state(state, move)
    assert (refusal.value.state, refusal.value.move) == (state, move)


def test_an_episode_from_raise_to_resolve() -> None:
    book = AlertBook([])
    raised = book.apply(finding(Edge.RAISE), 11)
    assert raised is not None
    assert (raised.alert.state, raised.alert.value, raised.alert.limit) == (State.FIRING, 141.0, 130.0)
    assert book.apply(finding(Edge.RAISE, 12), 12) is None, "one open alert per subject and rule"
    taken = book.acknowledge(raised.alert.id, "wang", 13)
    assert (taken.alert.state, taken.alert.acknowledged_by, taken.alert.acknowledged_at) == ("acknowledged", "wang", 13)
    resolved = book.apply(finding(Edge.CLEAR, 14), 14)
    assert resolved is not None
    assert (resolved.alert.state, resolved.alert.resolved_at) == (State.RESOLVED, 14)
    assert book.open == []


def test_two_people_acknowledge_one_owner() -> None:
    book = AlertBook([])
    raised = book.apply(finding(Edge.RAISE), 11)
    assert raised is not None
    book.acknowledge(raised.alert.id, "wang", 12)
    with pytest.raises(IllegalMove) as refusal:
        book.acknowledge(raised.alert.id, "li", 12)
    assert refusal.value.owner == "wang", "whoever comes second is told who came first"
    assert book.open[0].acknowledged_by == "wang"


def test_a_resolved_alert_is_not_open() -> None:
    book = AlertBook([])
    raised = book.apply(finding(Edge.RAISE), 11)
    assert raised is not None
    book.apply(finding(Edge.CLEAR, 12), 12)
    with pytest.raises(UnknownAlert):
        book.acknowledge(raised.alert.id, "wang", 13)


def test_a_second_episode_is_a_second_alert() -> None:
    book = AlertBook([])
    times = ((1, Edge.RAISE), (2, Edge.CLEAR), (REOPEN_WITHIN + 3, Edge.RAISE))
    first, _, second = (book.apply(finding(edge, at), at) for at, edge in times)
    assert first is not None
    assert second is not None
    assert first.alert.id != second.alert.id


def test_the_same_input_read_twice_makes_the_same_alert() -> None:
    one, two = (AlertBook([]).apply(finding(Edge.RAISE), now) for now in (11, 99))
    assert one is not None
    assert two is not None
    assert one.alert.id == two.alert.id


def test_open_alerts_are_taken_over_at_the_start() -> None:
    book = AlertBook([])
    raised = book.apply(finding(Edge.RAISE), 11)
    assert raised is not None
    later = AlertBook(book.open)
    assert later.apply(finding(Edge.RAISE, 12), 12) is None
    assert later.acknowledge(raised.alert.id, "wang", 13).alert.state is State.ACKNOWLEDGED


@pytest.mark.parametrize("simulated", [True, False])
def test_what_has_happened_ends_with_its_training_and_never_by_itself(simulated: bool) -> None:
    book = AlertBook([])
    row = CATALOGUE["duplicate-identity"]
    raised, cleared = (
        Finding(row, edge, "unit/amb-001", "amb-001", None, 10, simulated=simulated)
        for edge in (Edge.RAISE, Edge.CLEAR)
    )
    book.apply(raised, 10)
    assert book.apply(cleared, 10) is None, "no finding ends it"
    over = PracticeOver(**{name: getattr(cleared, name) for name in Finding.__struct_fields__})
    ended = book.apply(over, 11) if simulated else None
    assert (ended is not None, book.open == []) == (simulated, simulated)
