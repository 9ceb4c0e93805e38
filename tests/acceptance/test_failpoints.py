"""kill -9 at every arrow of the path, under at least 1,000 messages a second; nothing lost, nothing stored twice.

``LASTMILE_FAILPOINT=name:count`` makes a process kill itself at the count-th pass of that place. The count is chosen so
that it dies in full flow, seconds after the load began. docs/data-path.md says what each place means.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.acceptance.faults import (
    Proof,
    arrival_rate,
    at_rest,
    in_database,
    outbox_depth,
    query,
    stored,
)
from tests.acceptance.harness import Stack, Vehicle
from tests.acceptance.load import LoadUnit
from tests.acceptance.process import Process, eventually

pytestmark = [pytest.mark.faults, pytest.mark.slow]

UNIT = "amb-001"
SCENARIO = "flood"
RATE = 1000  # messages a second that must have been flowing
WARM = 500  # records stored before the rate is measured
TO_DIE = 60.0  # s until the failpoint must have been reached
BATCHES = 600  # passes of the pipeline: some seconds of load
SHEDDINGS = 60  # the first ones drop what was stored already and only not acked yet
MINUTE = 60_000_000

IN_THE_PIPELINE = (
    "after-fetch",
    "after-unpack",
    "after-admit",
    "after-derive",
    "after-rules",
    "before-commit",
    "in-commit",
    "after-commit",
    "after-live-push",
    "after-ack",
)
IN_THE_COMPACTOR = ("compact-before-commit", "compact-in-transaction", "compact-after-commit")
IN_THE_AGENT = {  # and the pass at which it dies
    "after-decode": 3000,
    "before-append-commit": 150,
    "after-append-commit": 150,
    "before-publish": 3000,
    "after-publish": 3000,
    "after-puback": 3000,
    "ack-received": 4,
    "before-ack-delete": 4,
    "after-ack-delete": 4,
}


def armed(name: str, count: int) -> dict[str, str]:
    return {"LASTMILE_FAILPOINT": f"{name}:{count}"}


def killed(process: Process, name: str) -> float:
    """Waits until the failpoint has killed the process; when that was seen."""
    eventually(lambda: not process.running, f"the failpoint {name} is reached", TO_DIE, 0.02)
    assert process.exit_code == -9, process.tail()
    return time.time()


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Broker, gateway and a registered unit, shared by the cases: starting processes is what costs time here."""
    stack = Stack(tmp_path_factory.mktemp("failpoints"))
    stack.start_broker()
    stack.add_unit(UNIT)
    stack.start_gateway()
    yield stack
    stack.close()


@pytest.fixture
def shared(line: Stack, show_logs_of: Callable[[Stack], None]) -> Iterator[Stack]:
    """The shared stack, its gateway up; whatever a failed case left running is ended."""
    show_logs_of(line)
    gateway = running_gateway(line)
    if gateway is None:
        line.start_gateway()
    yield line
    for process in line.processes:
        if process.name.startswith(("agent", "simulate")):
            process.kill()


def running_gateway(stack: Stack) -> Process | None:
    return next((each for each in stack.processes if each.name == "gateway" and each.running), None)


def flowing(stack: Stack, unit: str, before: int) -> float:
    """Waits until the load flows; since when."""
    eventually(lambda: stored(stack, unit) > before + WARM, "load flows", 30, 0.1)
    return time.time()


def note_rate(stack: Stack, proof: Proof, unit: str, since: float, until: float) -> None:
    """Checks how many messages a second the log took from ``since`` to the kill; all of them must be stored by now."""
    rate = arrival_rate(stack, unit, since, until)
    proof.note(kills=1, messages_per_s=round(rate))
    assert until - since > 1, f"died {until - since:.2f} s after the load had begun: not in full flow"
    assert rate >= RATE, f"only {rate:.0f} messages/s"


# ---- gateway ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", IN_THE_PIPELINE)
def test_gateway_killed_at(shared: Stack, proof: Proof, name: str) -> None:
    old = running_gateway(shared)
    assert old is not None
    old.kill()
    before = stored(shared, UNIT)
    gateway = shared.start_gateway(env=armed(name, BATCHES))
    shared.start_vehicle(UNIT, SCENARIO)
    since = flowing(shared, UNIT, before)
    until = killed(gateway, name)
    gateway.restart(env={})
    shared.wait_for_gateway(gateway)
    at_rest(shared, UNIT)
    note_rate(shared, proof, UNIT, since, until)
    proof.audit(shared)


def test_gateway_killed_at_compaction(stack: Stack, proof: Proof) -> None:
    """All three places of the compactor, one after the other, while the load goes on."""
    gateway = running_gateway(stack)
    assert gateway is not None
    vehicle = stack.add_unit(UNIT)
    with LoadUnit(stack, vehicle) as load:
        long_ago = time.time_ns() // 1000 - 30 * MINUTE
        for number in range(6000):  # two closed windows of several blocks
            load.observe({"spo2": 90 + number % 10}, long_ago + number * 200_000, backfill=True)
        load.produce(1.2 * RATE)
        since = flowing(stack, UNIT, 6000)
        eventually(lambda: time.time() - since > 32, "the closed windows settle", 40, 1)
        for name in IN_THE_COMPACTOR:
            gateway.kill()
            gateway.restart(env=armed(name, 1))
            stack.wait_for_gateway(gateway)
            killed(gateway, name)
        until = time.time()
        gateway.restart(env={})
        stack.wait_for_gateway(gateway)
        eventually(lambda: in_database(stack, "SELECT count(*) FROM block")[0][0] > 3, "windows are folded", 40, 0.5)
        load.stop()
        load.settle()
    note_rate(stack, proof, UNIT, since, until)
    proof.note(kills=len(IN_THE_COMPACTOR))
    proof.audit(stack)


def test_gateway_killed_at_migration(empty_stack: Stack, proof: Proof) -> None:
    empty_stack.start_broker()
    gateway = empty_stack.start_gateway(env=armed("migrate-in-transaction", 1), wait=False)
    killed(gateway, "migrate-in-transaction")
    gateway.restart(env={})
    empty_stack.wait_for_gateway(gateway)
    empty_stack.add_unit(UNIT)
    empty_stack.start_vehicle(UNIT, SCENARIO)
    flowing(empty_stack, UNIT, 0)
    at_rest(empty_stack)
    proof.note(kills=1)
    proof.audit(empty_stack)


# ---- agent -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", IN_THE_AGENT)
def test_agent_killed_at(shared: Stack, proof: Proof, name: str) -> None:
    before = stored(shared, UNIT)
    shared.start_simulator(UNIT, SCENARIO)
    agent = shared.start_agent(UNIT, env=armed(name, IN_THE_AGENT[name]))
    since = flowing(shared, UNIT, before)
    until = killed(agent, name)
    agent.restart(env={})
    flowing(shared, UNIT, stored(shared, UNIT))
    at_rest(shared, UNIT)
    note_rate(shared, proof, UNIT, since, until)
    proof.audit(shared)


@pytest.mark.parametrize("name", ["before-shed-commit", "after-shed-commit"])
def test_agent_killed_while_shedding_at(shared: Stack, proof: Proof, tmp_path: Path, name: str) -> None:
    """The outbox holds one megabyte and the broker is gone: what is dropped is declared, or it is not dropped."""
    profile = tmp_path / "small.toml"
    profile.write_text(SMALL)
    broker = next(each for each in shared.processes if each.name == "broker")
    before = stored(shared, UNIT)
    shared.start_simulator(UNIT, SCENARIO)
    agent = shared.start_agent(UNIT, profile=str(profile), env=armed(name, SHEDDINGS))
    since = flowing(shared, UNIT, before)
    eventually(lambda: time.time() - since > 1.5, "some load to judge by", 5)
    cut = time.time()
    broker.kill()
    killed(agent, name)
    broker.restart()
    agent.restart(env={})
    at_rest(shared, UNIT)
    note_rate(shared, proof, UNIT, since, cut)
    audit = proof.audit(shared)
    assert audit.report["totals"]["shed"] > 0
    proof.note(shed=audit.report["totals"]["shed"])


SMALL = """
name = "small"
kind = "ambulance"
[[device]]
name = "monitor"
kind = "patient_monitor"
[[device]]
name = "gnss"
kind = "gnss"
[[device]]
name = "crew"
kind = "crew_panel"
[outbox]
max_megabytes = 1
"""


def test_agent_killed_at_migration(shared: Stack, proof: Proof) -> None:
    """An outbox of the first version, full of records, is brought up to date by an agent that is killed half-way."""
    vehicle = shared.vehicles[UNIT]
    gateway = running_gateway(shared)
    assert gateway is not None
    before = stored(shared, UNIT)
    shared.start_simulator(UNIT, SCENARIO)
    agent = shared.start_agent(UNIT)
    flowing(shared, UNIT, before)
    gateway.pause()
    eventually(lambda: outbox_depth(vehicle) > 3 * RATE, "the outbox fills", 30)
    agent.kill()
    gateway.resume()
    make_first_version(vehicle)
    kept = outbox_depth(vehicle)

    agent.restart(env=armed("in-migration", 1))
    killed(agent, "in-migration")
    assert query(vehicle.outbox, "PRAGMA user_version") == [(1,)]
    assert outbox_depth(vehicle) == kept
    agent.restart(env={})
    at_rest(shared, UNIT)
    assert query(vehicle.outbox, "PRAGMA user_version") != [(1,)]
    proof.note(kills=1, records_in_the_old_outbox=kept)
    proof.audit(shared)


def make_first_version(vehicle: Vehicle) -> None:
    """Takes back what version 2 of the outbox brought; the records stay."""
    with closing(sqlite3.connect(vehicle.outbox)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (2,)
        database.executescript(
            "DROP TABLE shed; ALTER TABLE lane DROP COLUMN watermark; ALTER TABLE lane DROP COLUMN records;"
            " PRAGMA user_version = 1;"
        )
