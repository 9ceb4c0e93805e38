"""Remote commands: every legal and illegal move, pace, replies nobody expects, and the end of waiting."""

from itertools import product
from typing import Any

import msgspec
import pytest

from gateway.commands.command import (
    TRANSITIONS,
    CommandConflict,
    IllegalMove,
    Move,
    RemoteCommand,
    ReplyReason,
    State,
    next_state,
)
from gateway.commands.desk import GRACE, LONGEST_PAUSE, MAX_OPEN, REMEMBERED, CommandDesk
from gateway.contract.observation import Command, Reply
from gateway.contract.quantity import SECOND
from gateway.contract.topic import Channel, UnitAddress, UnitKind
from tests.unit.gateway.builders import EPOCH, NOW

BED = UnitAddress("linyi", UnitKind.HOMECARE_BED, "bed-001")
OTHER = UnitAddress("linyi", UnitKind.HOMECARE_BED, "bed-002")
UNITS = {unit.unit: unit for unit in (BED, OTHER)}
ILLEGAL = sorted(set(product(State, Move)) - set(TRANSITIONS))


def wanted(number: int = 1, **changes: Any) -> RemoteCommand:
    fields: dict[str, Any] = {
        "id": f"c{number}", "site": "linyi", "unit": "bed-001", "device": "mattress", "name": "set-mattress-mode",
        "arguments": {"mode": "static"}, "reason": "turned", "requested_by": "wang", "role": "nurse",
        "requested_at": NOW, "expires_at": NOW + 30 * SECOND,
    }  # fmt: skip
    return RemoteCommand(**fields | changes)


def reply(number: int = 1, **changes: Any) -> Reply:
    fields: dict[str, Any] = {"id": f"c{number}", "epoch": EPOCH, "accepted": True, "result": {"mode": "static"}}
    return Reply(**fields | changes)


class Case:
    """A desk whose clock is moved by hand."""

    def __init__(self, *known: RemoteCommand) -> None:
        self.now = NOW
        self.online = True
        self.desk = CommandDesk(known, UNITS.get, lambda: self.now)

    def step(self, seconds: float = 0.0, *, read_to_end: bool = True) -> list[Command]:
        """One batch: what is published after it."""
        self.now += round(seconds * SECOND)
        self.desk.advance(self.now, lambda _: self.online, read_to_end=read_to_end)
        sent = self.desk.due()
        assert {subject for subject, _ in sent} <= {unit.subject(Channel.CMD) for unit in UNITS.values()}
        return [msgspec.json.decode(payload, type=Command) for _, payload in sent]

    def states(self) -> list[State]:
        return [change.command.state for change in self.desk.take_changes()]


@pytest.mark.parametrize(("state", "move"), sorted(TRANSITIONS))
def test_every_row_of_the_table(state: State, move: Move) -> None:
    assert next_state(state, move) is TRANSITIONS[state, move]


@pytest.mark.parametrize(("state", "move"), ILLEGAL)
def test_every_other_move_is_illegal(state: State, move: Move) -> None:
    with pytest.raises(IllegalMove) as refused:
        next_state(state, move)
    assert (refused.value.state, refused.value.move) == (state, move)


def test_no_move_leaves_a_final_state_and_every_open_one_ends() -> None:
    assert {state for state, _ in TRANSITIONS} == {state for state in State if state.open}
    assert len(ILLEGAL) == len(State) * len(Move) - len(TRANSITIONS)
    for state in State:
        assert not state.open or any(not end.open for (start, _), end in TRANSITIONS.items() if start is state)


def test_a_command_is_sent_with_all_it_holds_and_ends_with_its_reply() -> None:
    case = Case()
    case.desk.request(wanted())
    expected = Command(
        id="c1", name="set-mattress-mode", arguments={"mode": "static"}, expires_at=NOW + 30 * SECOND, device="mattress"
    )
    assert case.step() == [expected]
    assert case.states() == [State.REQUESTED, State.SENT]
    assert case.desk.answer("bed-001", reply(), NOW + 5) is None
    [change] = case.desk.take_changes()
    ended = change.command
    assert (change.actor, ended.state, ended.ended_at) == ("unit/bed-001", State.ACCEPTED, NOW + 5)
    assert (ended.result, ended.refusal) == ({"mode": "static"}, None)
    assert case.desk.open == []
    assert case.step(1) == []


def test_a_refusal_keeps_its_reason() -> None:
    case = Case()
    case.desk.request(wanted())
    case.step()
    case.states()
    case.desk.answer("bed-001", reply(accepted=False, reason="outside-limits", result={}), NOW)
    [change] = case.desk.take_changes()
    assert (change.command.state, change.command.refusal) == (State.REFUSED, "outside-limits")


def test_repeated_after_one_second_then_ever_more_slowly() -> None:
    case = Case()
    case.desk.request(wanted(expires_at=NOW + 60 * SECOND))
    at = [tenth / 10 for tenth in range(700) if case.step(0.1 if tenth else 0)]
    assert at == [0, 1, 3, 7, 15, 25, 35, 45, 55]
    assert LONGEST_PAUSE == 10 * SECOND


def test_what_has_expired_is_not_sent_any_more_though_its_reply_may_still_come() -> None:
    case = Case()
    case.desk.request(wanted(expires_at=NOW + 7 * SECOND))
    at = [tenth / 10 for tenth in range(90) if case.step(0.1 if tenth else 0)]
    assert at == [0, 1, 3], "at 7 s it would be due again"
    assert [command.state for command in case.desk.open] == [State.SENT]


def test_a_clock_that_was_set_back_does_not_hold_a_command_up() -> None:
    case = Case()
    case.desk.request(wanted())
    assert case.step()
    assert len(case.step(-3600)) == 1


def test_a_unit_that_comes_back_gets_it_at_once() -> None:
    case = Case()
    case.desk.request(wanted())
    case.step()
    for _ in range(9):
        case.step(1)
    assert case.step(0.1) == []
    case.desk.hurry("bed-002")
    assert case.step(0.1) == []
    case.desk.hurry("bed-001")
    assert len(case.step(0.1)) == 1


def test_a_unit_that_is_away_is_sent_nothing_and_the_command_expires_undone() -> None:
    case = Case()
    case.online = False
    case.desk.request(wanted())
    assert case.step(29) == []
    assert case.states() == [State.REQUESTED]
    assert case.step(1) == []
    assert case.states() == [State.EXPIRED]
    assert case.desk.answer("bed-001", reply(), case.now) is ReplyReason.LATE_REPLY


def test_a_unit_that_comes_online_in_time_is_asked() -> None:
    case = Case()
    case.online = False
    case.desk.request(wanted())
    case.step(10)
    case.online = True
    assert len(case.step(1)) == 1
    [change] = [change for change in case.desk.take_changes() if change.command.state is State.SENT]
    assert change.command.sent_at == NOW + 11 * SECOND


def test_what_was_sent_and_not_answered_is_unanswered_after_a_grace() -> None:
    case = Case()
    case.desk.request(wanted())
    case.step()
    case.states()
    case.step(30)
    assert case.states() == [], "its reply may be on its way"
    case.step(GRACE / SECOND)
    assert case.states() == [State.UNANSWERED]
    assert case.desk.answer("bed-001", reply(), case.now) is ReplyReason.LATE_REPLY


def test_nothing_is_called_unanswered_while_the_log_has_not_been_read_to_its_end() -> None:
    case = Case()
    case.desk.request(wanted())
    case.step()
    case.step(3600, read_to_end=False)
    assert [command.state for command in case.desk.open] == [State.SENT]
    assert case.desk.answer("bed-001", reply(), NOW + SECOND) is None
    assert case.states()[-1] is State.ACCEPTED


def test_the_same_reply_again_is_no_fault_and_another_one_is() -> None:
    case = Case()
    case.desk.request(wanted())
    case.step()
    for _ in range(3):
        assert case.desk.answer("bed-001", reply(), NOW) is None
    assert case.desk.answer("bed-001", reply(epoch="cd" * 8), NOW) is None, "the agent was started again"
    assert case.states() == [State.REQUESTED, State.SENT, State.ACCEPTED]
    for other in (reply(result={"mode": "cpr"}), reply(accepted=False, reason="bad-argument")):
        assert case.desk.answer("bed-001", other, NOW) is ReplyReason.CONFLICTING_REPLY
    assert case.states() == []


@pytest.mark.parametrize("result", [{"text": "x" * 5000}, {"a": [[[[[]]]]]}, {str(n): n for n in range(1000)}])
def test_a_result_that_is_no_read_back_is_not_kept_and_still_ends_the_command(result: dict[str, Any]) -> None:
    case = Case()
    case.desk.request(wanted())
    case.step()
    for _ in range(2):
        assert case.desk.answer("bed-001", reply(result=result), NOW) is None
    [ended] = [change.command for change in case.desk.take_changes() if not change.command.state.open]
    assert (ended.state, ended.result) == (State.ACCEPTED, {"omitted": "too large"})


def test_replies_nobody_waits_for() -> None:
    case = Case()
    case.online = False
    case.desk.request(wanted())
    case.step()
    assert case.desk.answer("bed-001", reply(2), NOW) is ReplyReason.UNKNOWN_COMMAND
    assert case.desk.answer("bed-002", reply(1), NOW) is ReplyReason.FOREIGN_COMMAND
    assert case.desk.answer("bed-001", reply(1), NOW) is ReplyReason.UNEXPECTED_REPLY
    assert case.states() == [State.REQUESTED]


def test_one_command_of_a_name_to_a_device_at_a_time() -> None:
    case = Case()
    case.desk.request(wanted(1))
    with pytest.raises(CommandConflict, match="wang has asked") as refused:
        case.desk.request(wanted(2, requested_by="li"))
    assert refused.value.reason == "command-open"
    case.desk.request(wanted(3, device="bed"))
    case.desk.request(wanted(4, name="set-alarm-limit"))
    case.desk.request(wanted(5, unit="bed-002"))
    case.step()
    case.desk.answer("bed-001", reply(1), NOW)
    case.desk.request(wanted(2, requested_by="li"))


def test_the_open_commands_of_a_unit_are_bounded() -> None:
    case = Case()
    for number in range(MAX_OPEN):
        case.desk.request(wanted(number, name=f"set-{number}"))
    with pytest.raises(CommandConflict) as refused:
        case.desk.request(wanted(99))
    assert refused.value.reason == "too-many-open"
    case.desk.request(wanted(99, unit="bed-002"))


def test_a_revoked_unit_is_asked_nothing() -> None:
    case = Case()
    with pytest.raises(CommandConflict) as refused:
        case.desk.request(wanted(unit="bed-003"))
    assert refused.value.reason == "unit-revoked"


def test_a_restart_sends_again_what_is_open_and_still_knows_what_has_ended() -> None:
    sent = wanted(1, state=State.SENT, sent_at=NOW)
    ended = wanted(2, state=State.ACCEPTED, sent_at=NOW, ended_at=NOW, result={"mode": "static"})
    case = Case(ended, sent)
    assert [command.id for command in case.step()] == ["c1"]
    assert case.desk.answer("bed-001", reply(2), NOW) is None
    assert case.desk.answer("bed-001", reply(1), NOW) is None
    assert case.states() == [State.ACCEPTED]


def test_memory_is_bounded() -> None:
    case = Case()
    for number in range(REMEMBERED + 1):
        case.desk.request(wanted(number))
        case.step()
        case.desk.answer("bed-001", reply(number), NOW)
    assert case.desk.answer("bed-001", reply(0), NOW) is ReplyReason.UNKNOWN_COMMAND
    assert case.desk.answer("bed-001", reply(1), NOW) is None
