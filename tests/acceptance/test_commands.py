"""Remote commands with real processes: asked over HTTP, carried out by the agent, one outcome whatever is killed.

The command is one every agent knows: ``link-mode`` to the agent itself.
"""

import time
from collections import Counter
from typing import Any

import httpx
import pytest

from tests.acceptance.faults import in_database
from tests.acceptance.harness import Stack
from tests.acceptance.process import Process, always, eventually
from tests.acceptance.screen import Screen

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

UNIT = "amb-001"
PATH = f"/units/{UNIT}/commands"
WEAK: dict[str, Any] = {"name": "link-mode", "arguments": {"mode": "weak"}, "reason": "radio test on the ring road"}
FINAL = {"accepted", "refused", "expired", "unanswered"}


@pytest.fixture
def online(stack: Stack) -> Stack:
    """An agent is connected; its devices are not there, and need not be."""
    stack.add_unit(UNIT)
    stack.start_agent(UNIT)
    wait_for_link(stack, "online")
    return stack


def wait_for_link(stack: Stack, link: str) -> None:
    with stack.api("doctor") as doctor:
        eventually(lambda: doctor.get(f"/units/{UNIT}").json()["link"] == link, f"the unit is {link}", 30)


def ask(api: httpx.Client, body: dict[str, Any] = WEAK, **changes: Any) -> str:
    """Asks; the id of the command."""
    answer = api.post(PATH, json=body | changes)
    assert answer.status_code == 202, answer.text
    id: str = answer.json()["id"]
    return id


def ended(api: httpx.Client, id: str, timeout: float = 30) -> dict[str, Any]:
    """The command once it has its outcome."""

    def look() -> dict[str, Any] | None:
        command: dict[str, Any] = api.get(f"{PATH}/{id}").json()
        return command if command["state"] in FINAL else None

    return eventually(look, f"command {id} ends", timeout)


def audit_lines(stack: Stack, id: str) -> list[tuple[str, str]]:
    """(who, what) of the audit log about a command."""
    lines = in_database(stack, "SELECT actor, action FROM audit_log WHERE target = ? ORDER BY id", id)
    return [(actor, action) for actor, action in lines]


def gateway_of(stack: Stack) -> Process:
    return next(process for process in stack.processes if process.name == "gateway")


def test_asked_carried_out_read_back_and_on_record(online: Stack) -> None:
    with online.api("ops") as ops, online.api("nurse") as nurse, Screen(nurse) as screen:
        screen.subscribe([UNIT])
        screen.wait_for("snapshot")
        id = ask(ops)
        command = ended(ops, id)
        assert (command["state"], command["refusal"], command["result"]) == ("accepted", None, {"mode": "weak"})
        assert command["requested_at"] <= command["sent_at"] <= command["ended_at"] < command["expires_at"]
        seen = screen.wait_for("command", lambda message: message["command"]["state"] == "accepted")
        assert (seen["unit"], seen["command"]["id"]) == (UNIT, id)
        assert "ring road" not in str(screen.texts), "what was typed stays with the API"
        eventually(lambda: ops.get(f"/units/{UNIT}").json()["link_mode"] == "weak", "the unit does what it says", 30)
    assert audit_lines(online, id) == [("ops", "command-requested"), (f"unit/{UNIT}", "command-accepted")]
    figures = online.metrics()
    assert figures['lastmile_commands_total{state="accepted"}'] == 1
    eventually(lambda: online.metrics()["lastmile_commands_open"] == 0, "nothing is open")


def test_what_the_unit_or_a_device_refuses_has_its_reason(online: Stack) -> None:
    with online.api("ops") as ops, online.api("nurse") as nurse:
        wrong = ended(ops, ask(ops, arguments={"mode": "purple"}))
        unknown = ended(ops, ask(ops, name="self-destruct", arguments={}))
        mattress = ask(nurse, device="mattress", name="set-mattress-mode", arguments={"mode": "static"})
        nobody = ended(nurse, mattress)
    outcomes = [(command["state"], command["refusal"]) for command in (wrong, unknown, nobody)]
    assert outcomes == [("refused", "bad-argument"), ("refused", "unknown-command"), ("refused", "unknown-device")]
    assert audit_lines(online, mattress)[-1] == (f"unit/{UNIT}", "command-refused")


def test_what_the_gateway_refuses_leaves_no_command(online: Stack) -> None:
    mattress = WEAK | {"device": "mattress", "name": "set-mattress-mode"}
    silent = {key: value for key, value in WEAK.items() if key != "reason"}
    with online.api("ops") as ops, online.api("nurse") as nurse, online.api("dispatcher") as dispatcher:
        answers = [
            nurse.post(PATH, json=WEAK),
            ops.post(PATH, json=mattress),
            dispatcher.post(PATH, json=mattress),
            ops.post(PATH, json=silent),
            ops.post(PATH, json=WEAK | {"reason": "   "}),
            ops.post(PATH, json=WEAK | {"expires_in": 3600}),
            nurse.post(PATH, json=mattress | {"name": "bed-motion", "expires_in": 5}),
        ]
    assert [answer.status_code for answer in answers] == [403, 403, 403, 422, 422, 422, 422]
    assert {answer.headers["content-type"] for answer in answers} == {"application/problem+json"}
    assert in_database(online, "SELECT count(*) FROM command") == [(0,)]
    assert in_database(online, "SELECT count(*) FROM audit_log WHERE action LIKE 'command-%'") == [(0,)]


def test_a_unit_that_is_away_is_not_asked_and_the_command_expires(online: Stack) -> None:
    agent = online.vehicles[UNIT].agent
    agent.terminate()
    wait_for_link(online, "offline")
    with online.api("ops") as ops:
        short, long = ask(ops, expires_in=1), ask(ops, name="other-command", expires_in=300)
        command = ended(ops, short)
        assert (command["state"], command["sent_at"]) == ("expired", None)
        assert audit_lines(online, short)[-1] == ("gateway", "command-expired")
        agent.restart()
        assert ended(ops, long)["refusal"] == "unknown-command", "its hello brought what was still open"
        assert ops.get(f"{PATH}/{short}").json()["state"] == "expired"
        assert ops.get(f"/units/{UNIT}").json()["link_mode"] == "full"


def test_a_unit_that_hangs_leaves_it_unanswered_and_its_late_reply_is_kept(online: Stack) -> None:
    agent = online.vehicles[UNIT].agent
    agent.pause()
    with online.api("ops") as ops:
        id = ask(ops, expires_in=1)
        assert ended(ops, id)["state"] == "unanswered"
        agent.resume()
        rejects = eventually(
            lambda: ops.get("/rejects", params={"reason": "late-reply"}).json()["items"], "its reply is kept", 30
        )
        assert (rejects[0]["unit"], rejects[0]["detail"]) == (UNIT, id)
        assert ops.get(f"{PATH}/{id}").json()["state"] == "unanswered"
        assert ops.get(f"/units/{UNIT}").json()["link_mode"] == "full", "it was too late to do it"


def test_two_people_one_device(online: Stack) -> None:
    agent = online.vehicles[UNIT].agent
    agent.pause()
    with online.api("ops") as ops, online.api("admin") as admin:
        first = ask(ops)
        refused = admin.post(PATH, json=WEAK | {"arguments": {"mode": "full"}})
        assert (refused.status_code, refused.json()["reason"]) == (409, "command-open")
        assert "ops" in refused.json()["detail"]
        agent.resume()
        assert ended(ops, first)["state"] == "accepted"
        second = ask(admin, arguments={"mode": "full"})
        assert ended(admin, second)["result"] == {"mode": "full"}
        assert ops.get(f"{PATH}/{first}").json()["requested_by"] == "ops"
        assert admin.get(f"{PATH}/{second}").json()["requested_by"] == "admin"


@pytest.mark.faults
@pytest.mark.parametrize("fault", [{"set": {"down": {"stall": True}}}, {"set": {"up": {"stall": True}}}, {"cut": True}])
def test_on_a_bad_line_it_is_done_once_and_ends_once(stack: Stack, fault: dict[str, Any]) -> None:
    """The command, its reply, or both are lost on the way; what was held back arrives in a heap afterwards."""
    vehicle = stack.add_unit(UNIT)
    stack.start_agent(UNIT, via_proxy=True)
    wait_for_link(stack, "online")
    assert vehicle.proxy is not None
    with stack.api("ops") as ops:
        vehicle.proxy.ask(**fault)
        id = ask(ops, expires_in=60)
        always(lambda: ops.get(f"{PATH}/{id}").json()["state"] in {"requested", "sent", "accepted"}, "it waits", 4)
        vehicle.proxy.ask(clear=True)
        assert ended(ops, id, 60)["state"] == "accepted"
        assert_ended_once(stack, ops, id, "accepted")
        done = 'SELECT count(*) FROM record WHERE CAST(payload AS TEXT) LIKE \'%"reason":"command"%\''
        eventually(lambda: in_database(stack, done) == [(1,)], "the agent changed its mode once", 30)


@pytest.mark.faults
@pytest.mark.parametrize("place", ["before-command-send", "after-command-send"])
def test_gateway_killed_between_request_and_reply(online: Stack, place: str) -> None:
    gateway = gateway_of(online)
    with online.api("ops") as ops:
        gateway.kill()
        gateway.restart(env={"LASTMILE_FAILPOINT": f"{place}:1"})
        online.wait_for_gateway(gateway)
        wait_for_link(online, "online")
        with pytest.raises(httpx.TransportError):
            ask(ops, expires_in=120)
        eventually(lambda: not gateway.running, "the gateway died")
        gateway.restart(env={})
        online.wait_for_gateway(gateway)
        [found] = ops.get(PATH).json()["items"]
        assert ended(ops, found["id"])["state"] == "accepted"
        assert_ended_once(online, ops, found["id"], "accepted")


@pytest.mark.faults
def test_a_reply_that_came_while_the_gateway_was_dead_counts_even_after_the_expiry(online: Stack) -> None:
    gateway, agent = gateway_of(online), online.vehicles[UNIT].agent
    with online.api("ops") as ops:
        agent.pause()
        id = ask(ops, expires_in=6)
        eventually(lambda: ops.get(f"{PATH}/{id}").json()["state"] == "sent", "it is sent")
        gateway.kill()
        agent.resume()
        expiry = in_database(online, "SELECT expires_at FROM command")[0][0] / 1e6 + 4
        eventually(lambda: time.time() > expiry, "it has expired, grace and all", 30)
        gateway.restart()
        online.wait_for_gateway(gateway)
        assert ended(ops, id)["state"] == "accepted"
        assert_ended_once(online, ops, id, "accepted")


def assert_ended_once(stack: Stack, api: httpx.Client, id: str, state: str) -> None:
    """One outcome, one line for it, and it stays so while repetitions may still arrive."""
    always(lambda: api.get(f"{PATH}/{id}").json()["state"] == state, "its outcome stays", 3)
    assert Counter(action for _, action in audit_lines(stack, id)) == {"command-requested": 1, f"command-{state}": 1}
    assert in_database(stack, "SELECT count(*) FROM command") == [(1,)]
    assert in_database(stack, "SELECT count(*) FROM reject") == [(0,)]
