"""Remote commands on the path: row, audit line and reply in one commit; restarts change nothing."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from gateway.adapters import audit_log, tables
from gateway.changes import Batch
from gateway.commands.command import CommandConflict, RemoteCommand
from gateway.contract.envelope import Presence
from gateway.contract.observation import Reply
from gateway.contract.quantity import SECOND
from gateway.contract.topic import Channel
from gateway.contract.wire import encode
from gateway.moves import CommandRequest
from gateway.ports import LogMessage
from tests.integration.path_bench import Bench
from tests.unit.gateway.builders import EPOCH, UNIT, hello


def wanted(bench: Bench, number: int = 1, **changes: Any) -> RemoteCommand:
    fields: dict[str, Any] = {
        "id": f"c{number}", "site": "linyi", "unit": "amb-001", "device": "mattress", "name": "set-mattress-mode",
        "arguments": {"mode": "static"}, "reason": "王小明 turned", "requested_by": "wang", "role": "nurse",
        "requested_at": bench.now, "expires_at": bench.now + 30 * SECOND,
    }  # fmt: skip
    return RemoteCommand(**fields | changes)


def ask(bench: Bench, *commands: RemoteCommand) -> list[RemoteCommand | Exception]:
    """People ask, all in one batch; what each of them hears."""

    async def hand_in() -> list[Any]:
        loop = asyncio.get_running_loop()
        moves = [CommandRequest(command, loop.create_future()) for command in commands]
        await bench.pipeline.step(Batch([], bench.now), list(moves))
        return await asyncio.gather(*(move.future for move in moves), return_exceptions=True)

    return asyncio.run(hand_in())


def replied(number: int = 1, unit: str = "amb-001", **changes: Any) -> LogMessage:
    fields: dict[str, Any] = {"id": f"c{number}", "epoch": EPOCH, "accepted": True, "result": {"mode": "static"}}
    subject = UNIT.subject(Channel.REPLY).replace("amb-001", unit)
    return LogMessage(0, 0, subject, encode(Reply(**fields | changes)))


def outcomes(bench: Bench) -> list[tuple[Any, ...]]:
    return bench.rows(tables.command, "id", "state", "refusal")


@pytest.fixture
def online(bench: Bench) -> Bench:
    bench.step(hello(bench.now))
    return bench


def test_request_reply_and_audit(online: Bench) -> None:
    [taken] = ask(online, wanted(online))
    assert isinstance(taken, RemoteCommand)
    assert [(command.id, command.device) for command in online.commands] == [("c1", "mattress")]
    assert outcomes(online) == [("c1", "sent", None)]
    online.step(replied())
    [row] = online.rows(tables.command, "state", "result", "ended_at", "reason", "requested_by", "role")
    assert row == ("accepted", '{"mode": "static"}', online.now, "王小明 turned", "wang", "nurse")
    lines = online.rows(tables.audit_log, "actor", "action", "target")
    assert lines == [("wang", "command-requested", "c1"), ("unit/amb-001", "command-accepted", "c1")]
    assert online.write(audit_log.verify) == []


def test_screens_follow_it_without_what_was_typed(online: Bench) -> None:
    online.feed.sent.clear()
    ask(online, wanted(online))
    online.step(replied())
    told = [(unit, body["command"]) for kind, unit, body in online.feed.sent if kind == "command"]
    assert [(unit, command["state"]) for unit, command in told] == [("amb-001", "sent"), ("amb-001", "accepted")]
    assert told[-1][1]["result"] == {"mode": "static"}
    assert "王小明" not in str(told)


def test_two_people_at_once_one_is_told_why_not(online: Bench) -> None:
    first, second = ask(online, wanted(online, 1), wanted(online, 2, requested_by="li"))
    assert isinstance(first, RemoteCommand)
    assert isinstance(second, CommandConflict)
    assert outcomes(online) == [("c1", "sent", None)]
    online.step(replied(1))
    assert isinstance(ask(online, wanted(online, 2, requested_by="li"))[0], RemoteCommand)


def test_a_duplicate_reply_changes_nothing(online: Bench) -> None:
    ask(online, wanted(online))
    online.step(replied(), replied())
    online.restart()
    online.step(replied())
    assert outcomes(online) == [("c1", "accepted", None)]
    assert len(online.rows(tables.audit_log, "id")) == 2
    assert online.rows(tables.reject, "id") == []


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (lambda: replied(2), "unknown-command"),
        (lambda: replied(1, accepted=False, reason="bad-argument"), "conflicting-reply"),
        (lambda: replied(1, unit="amb-002"), "unknown-unit"),
    ],
)
def test_replies_nobody_waits_for_are_kept(online: Bench, message: Callable[[], LogMessage], reason: str) -> None:
    ask(online, wanted(online))
    online.step(replied())
    online.step(message())
    assert online.rows(tables.reject, "reason", "whole", "payload") == [(reason, True, message().payload)]
    assert outcomes(online) == [("c1", "accepted", None)]


def test_a_reply_of_another_unit_is_kept_and_changes_nothing(online: Bench) -> None:
    row = {"id": "amb-002", "site": "linyi", "kind": "ambulance", "name": "B", "provenance": "simulated",
           "token_hash": "0" * 64, "registered_at": 0}  # fmt: skip
    online.write(lambda c: c.execute(tables.unit.insert().values(row)))
    online.restart()
    ask(online, wanted(online))
    online.step(replied(unit="amb-002"))
    assert online.rows(tables.reject, "reason", "unit", "detail") == [("foreign-command", "amb-002", "c1")]
    assert outcomes(online) == [("c1", "sent", None)]


def test_an_absent_unit_is_not_asked_until_it_says_hello(bench: Bench) -> None:
    ask(bench, wanted(bench))
    bench.step(seconds=5)
    assert (outcomes(bench), bench.commands) == ([("c1", "requested", None)], [])
    bench.step(hello(bench.now))
    assert [command.id for command in bench.commands] == ["c1"]
    assert outcomes(bench) == [("c1", "sent", None)]


def test_a_unit_that_comes_back_is_asked_again_at_once(online: Bench) -> None:
    ask(online, wanted(online))
    for _ in range(8):
        online.step()
    assert len(online.commands) == 4, "the next one would be due at 15 s"
    online.step(hello(online.now, presence=Presence.OFFLINE))
    online.step(hello(online.now))
    assert len(online.commands) == 5


def test_expired_and_unanswered_are_told_apart(online: Bench) -> None:
    ask(online, wanted(online, 1))
    online.step(hello(online.now, presence=Presence.OFFLINE))
    ask(online, wanted(online, 2, name="set-alarm-limit"))
    online.step(seconds=40)
    assert outcomes(online) == [("c1", "unanswered", None), ("c2", "expired", None)]
    online.step(replied(1), replied(2))
    assert online.rows(tables.reject, "reason") == [("late-reply",)] * 2
    actors = online.rows(tables.audit_log, "actor", "action")
    assert actors[2:] == [("gateway", "command-unanswered"), ("gateway", "command-expired")]


def test_a_restart_reads_the_waiting_reply_before_it_gives_up(online: Bench) -> None:
    """The gateway was down for an hour; the reply has been in the log ever since."""
    ask(online, wanted(online))
    online.restart()
    online.now += 3600 * SECOND
    asyncio.run(online.pipeline.step(Batch([], online.now, caught_up=False), []))
    asyncio.run(online.pipeline.step(Batch([], online.now, trouble="connection refused"), []))
    assert outcomes(online) == [("c1", "sent", None)]
    online.step(replied())
    assert outcomes(online) == [("c1", "accepted", None)]


def test_a_restart_sends_an_open_command_again(online: Bench) -> None:
    ask(online, wanted(online))
    online.restart()
    online.step()
    assert [command.id for command in online.commands] == ["c1"]


def test_a_commit_that_fails_tells_nobody(online: Bench) -> None:
    """Row and audit line are written by the commit; until it is through nothing is sent."""

    async def refuse(_: Any) -> Any:
        raise OSError("no disk")

    plain, online.pipeline.commit = online.pipeline.commit, refuse
    with pytest.raises(OSError, match="no disk"):
        ask(online, wanted(online))
    online.pipeline.commit = plain
    assert (outcomes(online), online.commands) == ([], [])
    assert "command" not in [kind for kind, _, _ in online.feed.sent]


def test_a_hostile_reason_of_a_unit_is_cut(online: Bench) -> None:
    ask(online, wanted(online))
    online.step(replied(accepted=False, reason="x" * 100_000))
    [(refusal,)] = online.rows(tables.command, "refusal")
    assert len(refusal) == 200
    assert msgspec.json.decode(online.rows(tables.command, "result")[0][0]) == {"mode": "static"}
