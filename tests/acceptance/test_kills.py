"""kill -9 at random moments under load: gateway x 20, broker x 10 (server, supervisor), agent x 20."""

import os
import random
import signal
from collections.abc import Callable

import psutil
import pytest

from tests.acceptance.faults import Proof, at_rest, stored, times
from tests.acceptance.harness import Stack
from tests.acceptance.process import Process, eventually

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.timeout(1200)]

UNIT = "amb-001"
SEED = 20_240_611
RECOVERY = 120.0  # s until records are stored again


@pytest.fixture
def loaded(stack: Stack) -> Stack:
    """One vehicle that sends a thousand readings a second."""
    stack.add_unit(UNIT)
    stack.start_vehicle(UNIT, "stress")
    eventually(lambda: stored(stack, UNIT) > 500, "load flows", 60)
    return stack


def kill_often(stack: Stack, proof: Proof, count: int, kill: Callable[[int], None]) -> None:
    """Kills at moments that a seeded random number of stored records decides; now and then before it has recovered."""
    chance = random.Random(SEED)
    for number in range(count):
        wait_for_more(stack, chance.choice([0, chance.randrange(1, 200), chance.randrange(500, 3000)]))
        kill(number)
    wait_for_more(stack, 500)
    at_rest(stack, timeout=RECOVERY)
    proof.note(kills=count)
    proof.audit(stack)


def wait_for_more(stack: Stack, records: int) -> None:
    """Waits until so many more records are stored."""
    target = stored(stack, UNIT) + records
    eventually(lambda: stored(stack, UNIT) >= target, f"{records} more records are stored", RECOVERY)


def process_named(stack: Stack, name: str) -> Process:
    return next(each for each in stack.processes if each.name == name)


def test_gateway_killed_again_and_again(loaded: Stack, proof: Proof) -> None:
    gateway = process_named(loaded, "gateway")

    def kill(_: int) -> None:
        gateway.kill()
        gateway.restart()

    kill_often(loaded, proof, times(20), kill)


def test_broker_killed_again_and_again(loaded: Stack, proof: Proof) -> None:
    """In turn the server, which its supervisor starts again, and the supervisor with the server."""
    broker = process_named(loaded, "broker")

    def kill(number: int) -> None:
        if number % 2 == 0:
            server = eventually(lambda: server_pid(loaded), "a server runs", 30)
            os.kill(server, signal.SIGKILL)
            eventually(lambda: server_pid(loaded) != server, "the supervisor starts the server again", 30)
        else:
            broker.kill()
            broker.restart()

    kill_often(loaded, proof, max(2, times(10)), kill)


def server_pid(stack: Stack) -> int:
    """The process id of nats-server."""
    broker = process_named(stack, "broker")
    children = psutil.Process(broker.pid).children()
    assert children, "no server runs"
    return int(children[0].pid)


def test_agent_killed_again_and_again(loaded: Stack, proof: Proof) -> None:
    agent = loaded.vehicles[UNIT].agent

    def kill(_: int) -> None:
        agent.kill()
        agent.restart()

    kill_often(loaded, proof, times(20), kill)


def test_all_killed_at_once(loaded: Stack, proof: Proof) -> None:
    """A power cut of everything but the simulated devices."""
    victims = [process_named(loaded, name) for name in ("gateway", "broker", f"agent-{UNIT}")]

    def kill(_: int) -> None:
        for victim in victims:
            os.killpg(victim.pid, signal.SIGKILL)
        for victim in victims:
            victim.kill()
            victim.restart()

    kill_often(loaded, proof, times(10), kill)
