"""Whatever happens in whatever order: one open alert per (subject, rule), none lost, none doubled, one owner each.

And a gateway that was killed anywhere on the way does the same as one that was not.
"""

from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.alerts.alert import UNSEEN, IllegalMove, Mark, Move, State, UnknownAlert, next_state
from gateway.alerts.ladder import LADDERS
from gateway.alerts.roster import Duty
from gateway.alerts.silence import SilenceRefused
from gateway.rules.hold import Edge
from tests.unit.alerts.clinic import Clinic, kept, shift, steps_of

RULES = ("extreme-tachycardia", "heart-rate-high", "asystole", "lead-off", "duplicate-identity")
UNITS = ("ward-1", "home-1")
SUBJECTS = {"lead-off": "device/{}/monitor"}
Act = tuple[Any, ...]

acts = st.one_of(
    st.tuples(st.just("raise"), st.sampled_from(RULES), st.sampled_from(UNITS)),
    st.tuples(st.just("clear"), st.sampled_from(RULES), st.sampled_from(UNITS)),
    st.tuples(st.just("acknowledge"), st.integers(0, 5), st.sampled_from(["nurse.wang", "dr.li"])),
    st.tuples(st.just("silence"), st.sampled_from((*RULES, "")), st.sampled_from(UNITS)),
    st.tuples(st.just("unsilence")),
    st.tuples(st.just("wait"), st.sampled_from([1, 29, 30, 31, 60, 120, 299, 301, 900])),
    st.tuples(st.just("roster"), st.booleans()),
)


def do(clinic: Clinic, act: Act) -> str | None:
    """One act; the refusal if it was refused."""
    clinic.now += 1
    try:
        match act:
            case ("raise" | "clear" as kind, rule, unit):
                edge = Edge.RAISE if kind == "raise" else Edge.CLEAR
                clinic.step(clinic.finding(edge, rule, unit, subject=SUBJECTS.get(rule, "").format(unit)))
            case ("acknowledge", n, who):
                known = sorted(clinic.stored)
                if known:
                    clinic.acknowledge(clinic.stored[known[n % len(known)]], who)
            case ("silence", rule, unit):
                clinic.silence(unit, rule=rule, minutes=3)
            case ("unsilence",):
                on = clinic.lifecycle.silences.on
                if on:
                    clinic.lifecycle.silences.end(on[0].id, "dr.li", clinic.now)
                clinic.step()
            case ("wait", seconds):
                clinic.step(seconds=seconds)
            case ("roster", full):
                clinic.roster = kept(*([shift("nurse.wang", Duty.NURSE)] if full else []))
                clinic.lifecycle.set_roster(clinic.roster)
                clinic.step()
    except (IllegalMove, UnknownAlert, SilenceRefused) as refusal:
        return type(refusal).__name__
    return None


def check_book(clinic: Clinic) -> None:
    book = clinic.book.open
    keys = Counter((alert.subject, alert.rule) for alert in book)
    assert max(keys.values(), default=1) == 1, "one open alert per (subject, rule)"
    stored_open = {id for id, alert in clinic.stored.items() if alert.state is not State.RESOLVED}
    assert stored_open == {alert.id for alert in book}, "the disk and the memory know the same alerts"
    for alert in clinic.stored.values():
        assert alert.state is not State.PENDING, "never stored"
        assert (alert.state is State.RESOLVED) == (alert.resolved_at is not None)
        if alert.state not in UNSEEN or alert.muted:
            assert alert.next_step_at is None, "whoever has it is not told again"
        elif alert.ladder:
            assert alert.next_step_at is not None, "an alert that nobody has seen is never forgotten"
            assert alert.next_step_at > clinic.now
        if alert.silenced_by is not None and alert.state is not State.RESOLVED:
            assert alert.rule != "asystole", "never silenced"


def check_log(clinic: Clinic) -> None:
    for lines in clinic.episodes():
        owners = [one.actor for one in lines if one.move is Move.ACKNOWLEDGE]
        assert len(owners) <= 1, "one owner"
        steps = steps_of(lines)
        assert steps == sorted(steps), "escalation goes up"
        ladders = {one.alert.ladder for one in lines} - {""}
        assert len(ladders) <= 1
        assert all(step <= len(LADDERS[ladder].steps) for ladder in ladders for step in steps)
    for id in clinic.stored:
        state = State.PENDING
        for one in (one for one in clinic.log if one.alert.id == id):
            if isinstance(one.move, Mark):
                assert one.alert.state is state, "a mark leaves the state as it is"
            else:
                state = next_state(state, one.move)
                assert one.alert.state is state
        assert state is clinic.stored[id].state
    ids = [notice.id for notice in clinic.notices]
    assert len(ids) == len(set(ids)), "no notice is made twice"
    assert len(ids) == sum(one.move is Mark.NOTIFY for one in clinic.log), "a line of history for each"
    raised = [one for one in clinic.log if one.move in (Move.RAISE, Move.HAPPEN, Move.REOPEN)]
    assert {one.alert.id for one in raised} == set(clinic.stored)


@settings(max_examples=120, deadline=None)
@given(st.lists(acts, max_size=40))
def test_the_book_keeps_its_promises(plan: list[Act]) -> None:
    clinic = Clinic()
    for act in plan:
        do(clinic, act)
        check_book(clinic)
    check_log(clinic)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(acts, st.booleans()), max_size=30))
def test_a_gateway_that_was_killed_does_the_same_as_one_that_was_not(plan: list[tuple[Act, bool]]) -> None:
    steady, killed = Clinic(), Clinic()
    for act, kill in plan:
        if kill:
            killed.restart()
        assert do(killed, act) == do(steady, act)
        assert killed.stored == steady.stored
        assert killed.notices == steady.notices
    assert killed.log == steady.log
