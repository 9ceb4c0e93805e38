"""Somebody lies on a pressure mat: a turn falls due, a mattress change is proposed, confirmed, read back; a kill."""

import json
from typing import Any

import httpx
import pytest

from tests.acceptance.harness import SCENARIOS, START, Stack
from tests.acceptance.process import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

BED = "bed-001"
PATH = f"/units/{BED}/pressure-care"
SECOND = 1_000_000
HURRIED = "[alert.turn-overdue]\nlimit = 0.1\n"  # min: nobody waits two hours for a test


@pytest.fixture
def bed(empty_stack: Stack) -> Stack:
    """A site that turns people every six seconds; everything runs."""
    stack = empty_stack
    (stack.data / "alerts.toml").write_text(HURRIED)
    stack.start_broker()
    stack.start_gateway()
    vehicle = stack.add_unit(BED, kind="homecare-bed")
    ports = stack.folder / "lying.ports"
    vehicle._simulator = stack.start(
        "simulate-bed", "simulate", str(SCENARIOS / "lying.toml"), "--unit", BED, "--ledger", str(stack.ledger),
        "--port-file", str(ports),
    )  # fmt: skip
    eventually(ports.exists, "the devices can be asked", START)
    links = json.loads(ports.read_text())["listening"][BED]
    vehicle._agent = stack.start(
        "agent-bed", "agent", "--unit", BED, "--site", stack.site, "--profile", "homecare_bed",
        "--broker", f"127.0.0.1:{stack.ports()['mqtt']}", "--token-file", str(vehicle.token_file),
        "--outbox", str(vehicle.outbox), *(f"--link={name}={address}" for name, address in links.items()),
    )  # fmt: skip
    return stack


def lying(api: httpx.Client) -> dict[str, Any]:
    told: dict[str, Any] = api.get(PATH).json()
    return told


def outcome(api: httpx.Client, answer: httpx.Response) -> tuple[str, Any]:
    """How a command ends."""
    assert answer.status_code == 202, answer.text
    place = answer.headers["Location"].removeprefix("/api/v1")
    ended = eventually(lambda: (row := api.get(place).json())["ended_at"] and row, "the command ends", 45)
    return ended["state"], ended["result"]


def alerts(api: httpx.Client) -> set[str]:
    items = api.get("/alerts", params={"unit": BED}).json()["items"]
    return {alert["rule"] for alert in items}


def test_a_proposal_moves_the_mattress_only_when_a_nurse_says_so(bed: Stack) -> None:
    with bed.api("nurse") as nurse:
        since = eventually(lambda: lying(nurse)["since"], "somebody lies there", 60)
        eventually(lambda: lying(nurse)["state"] == "overdue", "a turn is overdue", 30)
        still = {"device": "mattress", "name": "set-mattress-mode", "arguments": {"mode": "static"}, "reason": "a test"}
        assert outcome(nurse, nurse.post(f"/units/{BED}/commands", json=still)) == ("accepted", {"mode": "static"})
        proposal = eventually(lambda: lying(nurse)["proposal"], "letting it alternate is proposed", 30)
        assert (proposal["reason"], proposal["arguments"]) == ("turn-overdue", {"mode": "alternate"})
        eventually(lambda: "turn-overdue" in alerts(nurse), "a task for whoever looks after them", 10)

    next(process for process in bed.processes if process.name == "gateway").kill()
    bed.start_gateway()

    with bed.api("nurse") as nurse:
        told = lying(nurse)
        assert (told["since"], told["mode"], told["proposal"]) == (since, "static", proposal)
        assert told["dose"] > 0
        confirm = f"{PATH}/proposals/{proposal['proposed_at']}/confirm"
        answer = nurse.post(confirm, json={"reason": "sacrum red"})
        again = nurse.post(confirm, json={"reason": "sacrum red"})
        assert (again.status_code, again.json()["reason"]) == (409, "proposal-done")
        assert outcome(nurse, answer) == ("accepted", {"mode": "alternate"})
        eventually(lambda: lying(nurse)["mode"] == "alternate", "the mattress says so itself", 30)
        assert lying(nurse)["proposal"] is None
        turned = nurse.post(f"{PATH}/turns", json={})
        assert turned.status_code == 201
        assert turned.json()["since"] > since
        eventually(lambda: "turn-overdue" not in alerts(nurse), "the task is done", 10)
