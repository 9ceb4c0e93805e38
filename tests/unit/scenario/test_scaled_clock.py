"""One clock for all processes of a scenario run: the two readers of the variable agree, and a loop's timers follow."""

import asyncio
import importlib
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agents import scaled_clock
from edge_agents.clock import clocks
from gateway.adapters import clock as gateway_clock
from gateway.adapters import jetstream
from gateway.ports import LogMessage

ORIGIN, START = 1_767_225_600_000_000, 1_700_000_000_000_000
TEXT = f"{ORIGIN}:{START}:20.0"


@given(
    origin=st.integers(0, 2**52), start=st.integers(0, 2**52), later=st.integers(-(10**12), 10**12),
    rate=st.floats(0.1, 200),
)  # fmt: skip
def test_agents_and_gateway_map_time_alike(origin: int, start: int, later: int, rate: float) -> None:
    text = f"{origin}:{start}:{rate!r}"
    environment = {scaled_clock.VARIABLE: text}
    agent = scaled_clock.from_environment(environment)
    gateway = gateway_clock.from_environment(environment)
    assert agent is not None
    assert scaled_clock.VARIABLE == gateway_clock.VARIABLE
    assert agent.instant(origin + later) == gateway.instant(origin + later)
    assert gateway.wall(gateway.instant(origin + later)) == pytest.approx(origin + later, abs=10)


def test_a_second_of_the_machine_is_twenty_of_the_scenario() -> None:
    scale = scaled_clock.parse(TEXT)
    assert scale.instant(ORIGIN) == START
    assert scale.instant(ORIGIN + 1_000_000) == START + 20_000_000


def test_without_the_variable_time_is_real() -> None:
    assert scaled_clock.from_environment({}) is None
    assert gateway_clock.from_environment({}) is gateway_clock.REAL
    assert not gateway_clock.SCALED
    assert gateway_clock.of_log(ORIGIN) == gateway_clock.in_log(ORIGIN) == ORIGIN
    assert gateway_clock.machine_seconds(1_500_000) == 1.5
    assert jetstream.TICK_SECONDS == 0.5
    one, line = clocks(None)
    assert one is line


@pytest.mark.parametrize("text", ["x", "1:2", "1:2:3:4", "1:2:x", "1:2:0", "1:2:-1", "1:2:inf", "1:2:nan", "1.5:2:3"])
def test_a_mistake_is_named_on_both_sides(text: str) -> None:
    for read in (scaled_clock.from_environment, gateway_clock.from_environment):
        with pytest.raises(ValueError, match="LASTMILE_CLOCK"):
            read({scaled_clock.VARIABLE: text})


def test_the_line_to_the_broker_is_timed_by_the_machine() -> None:
    clock, line = clocks(scaled_clock.parse(TEXT))
    before = line.monotonic()
    fast = clock.monotonic() / 20
    assert before <= fast <= line.monotonic(), "one counts scenario seconds, the other the machine's"
    assert abs(clock.now() - line.now()) < 20_000_000, "instants are the scenario's on both"


def test_timers_of_a_scaled_loop_run_on_scenario_time() -> None:
    async def wait() -> tuple[float, float]:
        loop = asyncio.get_running_loop()
        late: asyncio.Future[float] = loop.create_future()
        began = loop.time()
        loop.call_later(10, lambda: late.set_result(loop.time()))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await asyncio.Event().wait()
        return loop.time() - began, await late - began

    began = time.monotonic()
    timeout, timer = scaled_clock.run(wait(), scaled_clock.parse(f"{ORIGIN}:{START}:1000"))
    machine = time.monotonic() - began
    assert timeout >= 5
    assert timer >= 10, "seconds of the scenario"
    assert machine < 5, "which the machine has not waited"


def test_such_a_loop_does_not_keep_the_machine_waiting() -> None:
    async def wait() -> None:
        rung = asyncio.Event()
        asyncio.get_running_loop().call_later(600, rung.set)
        async with asyncio.timeout(scaled_clock.machine_seconds(5)):
            await rung.wait()

    scaled_clock.run(wait(), scaled_clock.parse(f"{ORIGIN}:{START}:1000"))


def test_a_machine_gets_its_own_seconds() -> None:
    async def seconds() -> float:
        return scaled_clock.machine_seconds(3)

    assert scaled_clock.run(seconds(), None) == 3
    assert scaled_clock.run(seconds(), scaled_clock.parse(TEXT)) == 60


@pytest.fixture
def scaled_gateway(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The gateway's clock as a process started with the variable has it."""
    monkeypatch.setenv(gateway_clock.VARIABLE, TEXT)
    importlib.reload(gateway_clock)
    yield
    monkeypatch.undo()
    importlib.reload(gateway_clock)


@pytest.mark.usefixtures("scaled_gateway")
def test_the_inbox_stamps_with_the_scenarios_time() -> None:
    message = LogMessage(7, ORIGIN + 2_000_000, "lm.v1.site.ambulance.amb-001.obs", b"{}")
    (stamped,) = jetstream._on_our_clock([message])
    assert (stamped.sequence, stamped.logged_at, stamped.payload) == (7, START + 40_000_000, b"{}")
    assert gateway_clock.in_log(stamped.logged_at) == message.logged_at
    assert gateway_clock.machine_seconds(40_000_000) == 2.0, "a latency is what it was for this machine"
