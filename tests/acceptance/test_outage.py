"""The gateway is away for ten minutes while fifty units go on: no storm when it is back."""

import time

import httpx
import pytest

from tests.acceptance.faults import Proof, at_rest, outbox_depth, seconds, stored
from tests.acceptance.harness import Stack
from tests.acceptance.process import FULL, eventually

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.timeout(1800)]

UNITS = 50 if FULL else 10
MEASURE = 20.0  # s over which a rate is taken


def taken_by_the_log(stack: Stack) -> int:
    """Messages the broker's log has taken since it was made; only units publish into it."""
    url = f"http://127.0.0.1:{stack.ports()['monitor']}/jsz?streams=1&accounts=1"
    answer = httpx.get(url, timeout=5, trust_env=False).json()
    return sum(
        stream["state"]["last_seq"]
        for account in answer["account_details"]
        for stream in account.get("stream_detail", [])
        if stream["name"] == "LASTMILE"
    )


def passed(length: float) -> float:
    """Lets time pass; how much it was."""
    began = time.monotonic()
    eventually(lambda: time.monotonic() - began >= length, "time passes", length + 30, 0.25)
    return time.monotonic() - began


def test_no_storm_after_an_outage(stack: Stack, proof: Proof) -> None:
    units = [f"amb-{number:03}" for number in range(1, UNITS + 1)]
    for unit in units:
        stack.add_unit(unit)
        stack.start_vehicle(unit, "vitals")
    eventually(lambda: all(stored(stack, unit) > 5 for unit in units), "every unit is live", 180, 1)
    emptied_once(stack)

    began = taken_by_the_log(stack)
    live = (taken_by_the_log_after(stack, MEASURE) - began) / MEASURE
    gateway = next(each for each in stack.processes if each.name == "gateway")
    gateway.kill()
    before = taken_by_the_log(stack)
    away = passed(seconds(600, 60))
    during = (taken_by_the_log(stack) - before) / away
    backlog = sum(outbox_depth(vehicle) for vehicle in stack.vehicles.values())

    returned = taken_by_the_log(stack)
    gateway.restart()
    began_at = time.monotonic()
    stack.wait_for_gateway(gateway)
    passed(MEASURE)
    emptied_once(stack)
    after, length = taken_by_the_log(stack) - returned, time.monotonic() - began_at
    proof.note(
        units=UNITS, seconds_away=round(away), live_per_s=round(live, 1), while_away_per_s=round(during, 1),
        backlog=backlog, after_return=after, allowed=round(2 * live * length + backlog),
    )  # fmt: skip
    assert during < 2 * live, f"{during:.1f} messages/s while the gateway was away, {live:.1f} before"
    assert after < 2 * live * length + backlog, f"{after} messages in {length:.0f} s after return"
    at_rest(stack, timeout=180)
    proof.audit(stack)


def taken_by_the_log_after(stack: Stack, length: float) -> int:
    passed(length)
    return taken_by_the_log(stack)


def emptied_once(stack: Stack) -> None:
    """Each outbox has been down to what a second of live data leaves in it."""
    behind = set(stack.vehicles)

    def caught_up() -> bool:
        behind.difference_update([unit for unit in behind if outbox_depth(stack.vehicles[unit]) < 30])
        return not behind

    eventually(caught_up, "every unit has caught up", 180, 0.25)
