"""The agent as a process: killed at every arrow of the outbox path under load, and weighed."""

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from edge_agents.device import Occurrence, Waveform
from edge_agents.devices import crew_panel, patient_monitor
from edge_agents.failpoint import NAMES, VARIABLE
from edge_agents.outbox_ledger import Stream
from edge_agents.ranges import RangeSet
from gateway.contract.envelope import Lane, LinkMode, Presence
from gateway.contract.observation import Command
from gateway.contract.quantity import ECG_LEADS_12
from tests.unit.edge.helpers import AT, noise
from tests.unit.edge.stand_in import Broker, StandIn

pytestmark = [pytest.mark.server("mosquitto"), pytest.mark.faults]

RUN = """
import sys
from edge_agents.cli import run_agent
from edge_agents.config import AgentFile, split_links
folder, port, profile, *links = sys.argv[1:]
sys.exit(run_agent(AgentFile(
    unit="amb-001", site="site-1", profile=profile, broker=f"127.0.0.1:{port}", link=split_links(links),
    token_file=folder + "/token", outbox=folder + "/outbox.db", simulated=True)))
"""
SMALL_PROFILE = """
name = "small"
kind = "ambulance"
[[device]]
name = "monitor"
kind = "patient_monitor"
[[device]]
name = "crew"
kind = "crew_panel"
[outbox]
max_megabytes = 1
commit_window = 0.005
"""
PRESSES = 3000


class Device:
    """A TCP server that gives each connection what the ones before have not taken."""

    def __init__(self, frames: list[bytes], burst: int) -> None:
        self._frames = iter(frames)
        self._burst = burst
        self.exhausted = False
        self.port = 0

    async def serve(self) -> None:
        self._server = await asyncio.start_server(self._talk, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        gone = asyncio.ensure_future(reader.read())
        try:
            while not gone.done() and (burst := b"".join(self._next())):
                writer.write(burst)
                await writer.drain()
                await asyncio.wait((gone,), timeout=0.01)
            self.exhausted = not gone.done()
            await gone
        except ConnectionError:
            pass
        finally:
            gone.cancel()
            writer.close()

    def _next(self) -> list[bytes]:
        return [frame for _, frame in zip(range(self._burst), self._frames, strict=False)]


class AgentProcess:
    """One start of the agent."""

    def __init__(self, folder: Path, port: int, profile: str, *links: str) -> None:
        (folder / "token").write_text("secret\n")
        self._arguments = ["-c", RUN, str(folder), str(port), profile, *links]

    async def start(self, failpoint: str = "") -> asyncio.subprocess.Process:
        path = os.pathsep.join(sys.path)
        return await asyncio.create_subprocess_exec(
            sys.executable, *self._arguments, env={**os.environ, VARIABLE: failpoint, "PYTHONPATH": path}
        )


async def start_again(agent: AgentProcess, gateway: StandIn) -> asyncio.subprocess.Process:
    """A second start, once the gateway has heard of it."""
    known = {hello.epoch for hello in gateway.hellos}
    process = await agent.start()
    await gateway.until(lambda: any(hello.epoch not in known for hello in gateway.hellos))
    return process


async def stop(process: asyncio.subprocess.Process) -> int:
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(20):
        return await process.wait()


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    broker = Broker(tmp_path)
    await broker.start()
    yield broker
    await broker.kill()


@pytest.fixture
async def gateway(broker: Broker) -> AsyncIterator[StandIn]:
    gateway = StandIn(broker.port)
    await gateway.connect()
    yield gateway
    await gateway.close()


def presses(count: int) -> list[bytes]:
    return [
        crew_panel.encode(Occurrence(observed_at=AT + n, name="boarded", details={"n": str(n)})) for n in range(count)
    ]


def waveforms(count: int) -> list[bytes]:
    return [
        patient_monitor.encode(
            Waveform(
                observed_at=AT + 200_000 * n, n0=100 * n, fs=500.0, leads=ECG_LEADS_12, scale=0.005,
                samples=noise(n, 2400),
            ),
            n,
        )
        for n in range(count)
    ]  # fmt: skip


# the pass at which to die: far enough in that the path is under load
COUNTS = {
    "after-decode": 700,
    "before-append-commit": 8,
    "after-append-commit": 8,
    "before-publish": 700,
    "after-publish": 700,
    "after-puback": 700,
    "ack-received": 2,
    "before-ack-delete": 2,
    "after-ack-delete": 2,
}


@pytest.mark.parametrize("name", COUNTS)
async def test_killed_at_an_arrow_nothing_is_lost_and_nothing_changes_its_number(
    name: str, tmp_path: Path, broker: Broker, gateway: StandIn
) -> None:
    device = Device(presses(PRESSES), burst=40)
    await device.serve()
    profile = tmp_path / "small.toml"
    profile.write_text(SMALL_PROFILE)
    agent = AgentProcess(tmp_path, broker.port, str(profile), f"crew=tcp://127.0.0.1:{device.port}")
    first = await agent.start(f"{name}:{COUNTS[name]}")
    async with asyncio.timeout(40):
        assert await first.wait() == -signal.SIGKILL
    second = await start_again(agent, gateway)
    last = str(PRESSES - 1)
    await gateway.until(lambda: any(event.details["n"] == last for event in gateway.events("crew")[-50:]), 60)
    await gateway.until(lambda: is_accounted(gateway))
    assert await stop(second) == 0
    assert_contiguous(gateway)
    pressed = Counter(event.details["n"] for event in gateway.events("crew"))
    assert set(pressed.values()) == {1}, "no press was recorded twice"
    assert PRESSES - len(pressed) <= 2000, "only what the dead process had read and not committed is missing"
    await device.close()


@pytest.mark.parametrize("name", ["before-shed-commit", "after-shed-commit"])
async def test_killed_while_shedding_every_number_is_stored_or_declared(
    name: str, tmp_path: Path, broker: Broker, gateway: StandIn
) -> None:
    gateway.acking = False
    device = Device(waveforms(900), burst=20)
    await device.serve()
    profile = tmp_path / "small.toml"
    profile.write_text(SMALL_PROFILE)
    agent = AgentProcess(tmp_path, broker.port, str(profile), f"monitor=tcp://127.0.0.1:{device.port}")
    first = await agent.start(f"{name}:5")
    async with asyncio.timeout(40):
        assert await first.wait() == -signal.SIGKILL
    second = await start_again(agent, gateway)
    await gateway.until(lambda: device.exhausted, 60)
    seen = len(gateway.hellos)
    await gateway.until(lambda: len(gateway.hellos) > seen)
    gateway.acking = True
    gateway.ack()
    await gateway.until(lambda: is_accounted(gateway), 30)
    assert await stop(second) == 0
    assert any(gateway.declared.values()), "something was shed"
    assert_contiguous(gateway)
    await device.close()


@pytest.mark.parametrize("name", ["command-begun", "command-done"])
async def test_killed_in_a_command_it_is_not_carried_out_again(
    name: str, tmp_path: Path, broker: Broker, gateway: StandIn
) -> None:
    profile = tmp_path / "small.toml"
    profile.write_text(SMALL_PROFILE)
    agent = AgentProcess(tmp_path, broker.port, str(profile), "crew=tcp://127.0.0.1:1")
    first = await agent.start(name)
    await gateway.until(lambda: gateway.hellos)
    weak = Command(id="c1", name="link-mode", arguments={"mode": "weak"}, expires_at=2**60)
    gateway.command(weak)
    async with asyncio.timeout(40):
        assert await first.wait() == -signal.SIGKILL
    assert gateway.replies == []
    second = await start_again(agent, gateway)
    for count in (1, 2):
        gateway.command(weak)
        await gateway.until(lambda count=count: len(gateway.replies) == count)  # type: ignore[misc]
    assert {(reply.accepted, reply.reason) for reply in gateway.replies} == {(False, "interrupted")}
    assert gateway.hellos[-1].link_mode is LinkMode.FULL
    assert await stop(second) == 0


def is_accounted(gateway: StandIn) -> bool:
    """Whether every number the newest hello names has arrived or is declared shed."""
    return all(
        RangeSet([(0, state.next - 1)]) == gateway.accounted(Stream(state.epoch, state.lane)).within(0, state.next - 1)
        for state in next(hello for hello in reversed(gateway.hellos) if hello.presence is Presence.ONLINE).lanes
    )


def assert_contiguous(gateway: StandIn) -> None:
    """Per stream: stored and declared shed make up everything from 0 on; nothing was declared gone."""
    assert not [s for hello in gateway.hellos for s in hello.lanes if s.gone]
    for stream in gateway.stored:
        numbers = gateway.accounted(stream)
        assert list(numbers) == [(0, numbers.count - 1)], stream


def test_every_failpoint_has_a_test() -> None:
    here = set(COUNTS) | {"before-shed-commit", "after-shed-commit"}
    here |= {"command-begun", "command-done"}
    assert here | {"in-migration"} == set(NAMES), "in-migration: see test_outbox.py"


@pytest.mark.data
async def test_an_agent_with_twelve_leads_and_vitals_stays_below_eighty_megabytes(
    tmp_path: Path, broker: Broker, gateway: StandIn, recordings: Path
) -> None:
    device = Device(presses(200), burst=1)
    await device.serve()
    link = f"monitor=wfdb:{recordings}/ecg-12lead/E07501.hea?speed=4&loop=1"
    agent = AgentProcess(
        tmp_path, broker.port, "ambulance", link, f"crew=tcp://127.0.0.1:{device.port}", "gnss=tcp://127.0.0.1:1"
    )
    process = await agent.start()
    await gateway.until(lambda: gateway.count(Lane.WAVE) >= 150, 60)
    resident = psutil.Process(process.pid).memory_info().rss / 1e6
    libraries = Path(f"/proc/{process.pid}/maps").read_text()
    assert await stop(process) == 0
    await device.close()
    assert resident < 80, f"{resident:.0f} MB"
    assert "numpy" not in libraries, "numpy stays in the child that reads the recording"
