"""The Modbus link against honest servers: shared lines, dead neighbours, exceptions, writes."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress

import pytest

from edge_agents import ports
from edge_agents.clock import SystemClock
from edge_agents.config import ConfigError
from edge_agents.links import modbus_bus
from edge_agents.links import open_link as open_any
from edge_agents.links.modbus import ModbusLink, open_link
from edge_agents.links.modbus_bus import NoAnswer, Refused, TcpBus, Wires, line
from edge_agents.links.modbus_turns import Rank, Turns
from edge_agents.ports import WritableLink
from edge_agents.protocol import Modbus, Poll, Stream, modbus_frame
from tests.integration.modbus_liar import SerialLine, TcpServer, Units, truth

CLOCK = SystemClock()


@pytest.fixture(autouse=True)
def _fresh_lines() -> None:
    """The next test may be given the same pseudo-terminal."""
    modbus_bus._lines.clear()


ONE_POLL = Modbus(polls=(Poll(3, 0, 10, 0.05),))
SLOW = 0.2  # s: what a busy machine may add


@asynccontextmanager
async def wire(kind: str, units: Units) -> AsyncIterator[str]:
    """An address without its unit."""
    async with AsyncExitStack() as stack:
        if kind == "tcp":
            server = await stack.enter_async_context(TcpServer(units))
            yield f"modbus+tcp://127.0.0.1:{server.port}?"
        else:
            serial = await stack.enter_async_context(SerialLine(units))
            yield f"modbus+rtu://{serial.path}?baud=115200&"


async def take(link: ModbusLink, count: int, then: Callable[[], None] = lambda: None) -> list[bytes]:
    """The first items of a stream; ``then`` is called after each."""
    found = []
    async with aclosing(link.stream()) as stream:
        async for data, _ in stream:
            found.append(data)
            then()
            if len(found) == count:
                break
    return found


async def times(link: ModbusLink, until: float) -> list[float]:
    """When frames came, as the agent would get them: a stream that ends is opened again."""
    found = []
    while CLOCK.monotonic() < until:
        with suppress(OSError):
            async with aclosing(link.stream()) as stream:
                async for data, _ in stream:
                    if data:
                        found.append(CLOCK.monotonic())
                    if CLOCK.monotonic() >= until:
                        break
    return found


each_wire = pytest.mark.parametrize("kind", ["tcp", "rtu"])


@each_wire
async def test_says_that_it_is_connected_once_it_is_answered_and_then_a_frame_an_answer(kind: str) -> None:
    protocol = Modbus(polls=(Poll(3, 0, 10, 0.02), Poll(4, 7, 2, 0.02)))
    async with wire(kind, Units()) as address:
        items = await take(open_link(f"{address}unit=9", protocol, CLOCK), 5)
    first = modbus_frame(9, 3, 0, 10, truth(9, 3, 0, 10))
    second = modbus_frame(9, 4, 7, 2, truth(9, 4, 7, 2))
    assert items == [b"", first, second, first, second]


@each_wire
@pytest.mark.parametrize("mute", [False, True], ids=["refuses", "silent"])
async def test_a_unit_that_does_not_know_what_it_is_is_asked_once_and_read_on(kind: str, mute: bool) -> None:
    protocol = Modbus(polls=(Poll(3, 0, 10, 0.02),))
    async with wire(kind, units := Units(mute=mute)) as address:
        link = open_link(f"{address}unit=9&timeout=0.2", protocol, CLOCK)
        async with aclosing(link.stream()) as stream:
            await anext(stream)
            assert [await link.identify(), await link.identify()] == [{}, {}]
            assert units.asked == [9]
            assert [(await anext(stream))[0] for _ in range(3)] == [modbus_frame(9, 3, 0, 10, truth(9, 3, 0, 10))] * 3


@each_wire
async def test_every_poll_has_an_interval_of_its_own(kind: str) -> None:
    protocol = Modbus(polls=(Poll(3, 0, 1, 0.03), Poll(3, 50, 2, 10.0)))
    async with wire(kind, Units()) as address:
        items = await take(open_link(f"{address}unit=1", protocol, CLOCK), 6)
    assert [item[3] for item in items[1:]] == [0, 50, 0, 0, 0]


@each_wire
async def test_dead_neighbours_do_not_delay_a_unit_by_more_than_one_timeout(kind: str) -> None:
    """Three dead units that are asked for ever: on a line each waits its turn behind the ones that answer."""
    timeout = 0.4
    async with wire(kind, Units(dead={2, 3, 4})) as address:
        links = [open_link(f"{address}unit={unit}&timeout={timeout}", ONE_POLL, CLOCK) for unit in (1, 2, 3, 4)]
        until = CLOCK.monotonic() + 3.0
        living, *dead = await asyncio.gather(*(times(link, until) for link in links))
    gaps = [b - a for a, b in itertools.pairwise(living)]
    assert dead == [[], [], []]
    assert sum(link.timeouts for link in links[1:]) >= 5, "they have been asked"
    assert max(gaps) < (0.05 if kind == "tcp" else 0.05 + timeout) + SLOW


@each_wire
async def test_three_missing_answers_end_the_stream_and_a_unit_that_comes_back_is_used_again(kind: str) -> None:
    units = Units()
    async with wire(kind, units) as address:
        link = open_link(f"{address}unit=2&timeout=0.05", ONE_POLL, CLOCK)
        with pytest.raises(OSError, match="unit 2 did not answer in time"):
            await take(link, 10, lambda: units.dead.add(2))
        assert link.timeouts == 3
        units.dead.clear()
        assert (await take(link, 2))[1] == modbus_frame(2, 3, 0, 10, truth(2, 3, 0, 10))


@each_wire
async def test_an_exception_is_an_answer(kind: str) -> None:
    async with wire(kind, Units(refuse_with=2)) as address:
        items = await take(open_link(f"{address}unit=2", ONE_POLL, CLOCK), 4)
    assert items == [b"", *[modbus_frame(2, 0x83, 0, 10, b"\x02")] * 3]


@each_wire
async def test_a_gateway_that_does_not_reach_the_unit_is_no_unit(kind: str) -> None:
    async with wire(kind, Units(refuse_with=11)) as address:
        with pytest.raises(OSError, match="unit 2 refuses: gateway target did not respond"):
            await take(open_link(f"{address}unit=2", ONE_POLL, CLOCK), 1)


async def test_nobody_at_the_other_end() -> None:
    async with TcpServer(Units()) as server:
        address = f"modbus+tcp://127.0.0.1:{server.port}?unit=1"
    with pytest.raises(OSError, match="cannot be opened"):
        await take(open_link(address, ONE_POLL, CLOCK), 1)
    with pytest.raises(OSError, match="cannot be opened"):
        await take(open_link("modbus+rtu:///dev/null?unit=1", ONE_POLL, CLOCK), 1)


# ---- writes ----------------------------------------------------------------------------------------------------------
async def write(link: ModbusLink, frame: bytes) -> bytes:
    """Writes while the link streams, as the agent does."""
    connected = asyncio.Event()

    async def stream() -> None:
        async with aclosing(link.stream()) as items:
            async for _ in items:
                connected.set()

    task = asyncio.create_task(stream())
    try:
        await connected.wait()
        return await link.write(frame)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@each_wire
@pytest.mark.parametrize(
    ("frame", "back"),
    [
        (modbus_frame(3, 6, 8, 1, b"\x12\x34"), modbus_frame(3, 3, 8, 1, b"\x12\x34")),
        (modbus_frame(3, 16, 8, 2, b"\x12\x34\xff\xff"), modbus_frame(3, 3, 8, 2, b"\x12\x34\xff\xff")),
    ],
    ids=["function 6", "function 16"],
)
async def test_what_is_written_is_read_back(kind: str, frame: bytes, back: bytes) -> None:
    units = Units()
    async with wire(kind, units) as address:
        link = open_link(f"{address}unit=3", ONE_POLL, CLOCK)
        assert isinstance(link, WritableLink)
        assert await write(link, frame) == back
    assert len(units.written) == 1


@each_wire
@pytest.mark.parametrize(
    ("code", "kind_of_error", "why"),
    [(3, ports.Refused, "illegal data value"), (11, ports.NoAnswer, "gateway target did not respond")],
)
async def test_a_refused_write_says_why(kind: str, code: int, kind_of_error: type[OSError], why: str) -> None:
    units = Units()
    async with wire(kind, units) as address:
        link = open_link(f"{address}unit=3", Modbus(polls=(Poll(3, 0, 1, 60.0),)), CLOCK)

        async def refuse_from_now_on() -> bytes:
            units.refuse_with = code
            return await link.write(modbus_frame(3, 6, 8, 1, b"\x12\x34"))

        async with aclosing(link.stream()) as stream:
            await anext(stream)
            with pytest.raises(kind_of_error, match=f"unit 3 refuses: {why}"):
                await refuse_from_now_on()
    assert units.written == []


async def test_nothing_is_written_to_a_device_that_is_not_connected_or_is_another_one() -> None:
    async with TcpServer(Units()) as server:
        link = open_link(f"modbus+tcp://127.0.0.1:{server.port}?unit=3", ONE_POLL, CLOCK)
        with pytest.raises(OSError, match="not connected"):
            await link.write(modbus_frame(3, 6, 8, 1, b"\x12\x34"))
        for frame in (
            modbus_frame(4, 6, 8, 1, b"\x12\x34"),
            modbus_frame(3, 3, 8, 1, b"\x12\x34"),
            modbus_frame(3, 6, 8, 1, b"\x12"),
        ):
            with pytest.raises(OSError, match="unit 3 is not written to with"):
                await write(link, frame)


# ---- late answers ----------------------------------------------------------------------------------------------------
async def test_a_tcp_connection_on_which_an_answer_is_missing_is_not_used_again() -> None:
    units = Units(dead={1})
    async with TcpServer(units) as server:
        link = open_link(f"modbus+tcp://127.0.0.1:{server.port}?unit=1&timeout=0.05", ONE_POLL, CLOCK)
        with pytest.raises(NoAnswer):
            await take(link, 1)
        units.dead.clear()
        await take(link, 3)
        assert server.connections == 2


async def test_a_request_that_was_called_off_owes_its_answer_too() -> None:
    """An agent that ends one device's stream must not leave its answer to the next request of that unit."""
    units = Units(lag=0.0)
    async with SerialLine(units) as serial:
        units.dead.add(1)
        address = f"modbus+rtu://{serial.path}?baud=115200&unit=1&timeout=5"
        link = open_link(address, ONE_POLL, CLOCK)
        task = asyncio.create_task(take(link, 1))
        await asyncio.wait([task], timeout=0.1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert line(serial.path, Wires(115_200, "N", 1), CLOCK)._owed[1].keys() == {(3, 20)}
        units.dead.clear()
        assert (await take(link, 2))[1] == modbus_frame(1, 3, 0, 10, truth(1, 3, 0, 10))
        assert line(serial.path, Wires(115_200, "N", 1), CLOCK)._owed == {}


async def test_a_unit_that_gives_only_whole_blocks_is_read_on_after_a_missing_answer() -> None:
    """It refuses the shorter question, and that too says that nothing older is to come."""
    units = Units(dead={1})
    async with SerialLine(units) as serial:
        link = open_link(f"modbus+rtu://{serial.path}?baud=115200&unit=1&timeout=0.05", ONE_POLL, CLOCK)
        with pytest.raises(NoAnswer):
            await take(link, 1)
        units.dead.clear()
        units.smallest = 10
        assert await take(link, 3) == [b"", *[modbus_frame(1, 3, 0, 10, truth(1, 3, 0, 10))] * 2]
        assert units.refused == 1


async def test_a_poll_of_one_register_waits_until_a_late_answer_cannot_come_any_more() -> None:
    """There is no shorter answer to tell it from."""
    units = Units(dead={1})
    async with SerialLine(units) as serial:
        link = open_link(f"modbus+rtu://{serial.path}?unit=1&timeout=0.05", Modbus(polls=(Poll(3, 0, 1),)), CLOCK)
        with pytest.raises(NoAnswer, match="did not answer"):
            await take(link, 1)
        units.dead.clear()
        with pytest.raises(NoAnswer, match="owes an answer that no other length can be told from"):
            await take(link, 1)


# ---- addresses, turns ------------------------------------------------------------------------------------------------
def test_links_of_one_line_share_a_bus_and_tcp_units_do_not() -> None:
    first = open_link("modbus+rtu:///dev/ttyS9?baud=9600&unit=1", ONE_POLL, CLOCK)
    second = open_link("modbus+rtu:///dev/ttyS9?baud=9600&unit=2", ONE_POLL, CLOCK)
    other = open_link("modbus+rtu:///dev/ttyS8?baud=19200&parity=E&stop=2", ONE_POLL, CLOCK)
    assert first._bus is second._bus
    assert other._bus is not first._bus
    with pytest.raises(ValueError, match="expected 9600 baud"):
        open_link("modbus+rtu:///dev/ttyS9?baud=19200&unit=3", ONE_POLL, CLOCK)
    tcp = [open_link(f"modbus+tcp://host:502?unit={unit}", ONE_POLL, CLOCK) for unit in (1, 2)]
    assert isinstance(tcp[0]._bus, TcpBus)
    assert tcp[0]._bus is not tcp[1]._bus


@pytest.mark.parametrize(
    "address",
    [
        "modbus+tcp://host?unit=1",
        "modbus+tcp://:502",
        "modbus+tcp://host:502?unit=256",
        "modbus+tcp://host:502?unit=one",
        "modbus+rtu:///dev/ttyS7?unit=0",
        "modbus+rtu:///dev/ttyS7?unit=248",
        "modbus+tcp://host:502?timeout=0",
        "modbus+tcp://host:502?baud=9600",
        "modbus+rtu://",
        "modbus+rtu:///dev/ttyS7?baud=fast",
        "modbus+rtu:///dev/ttyS7?parity=X",
        "modbus+rtu:///dev/ttyS7?units=1",
    ],
)
def test_addresses_that_name_nothing_are_refused_with_the_reason(address: str) -> None:
    with pytest.raises(ConfigError, match=r"expected|invalid literal"):
        open_any(address, ONE_POLL, CLOCK)


def test_a_device_of_another_protocol_is_not_polled() -> None:
    with pytest.raises(ConfigError, match="tcp://host:port"):
        open_any("modbus+tcp://host:502?unit=1", Stream(), CLOCK)


async def test_the_most_urgent_is_next_and_equals_come_in_order() -> None:
    turns, order = Turns(), []

    async def speak(name: str, rank: Rank) -> None:
        async with turns.take(rank):
            order.append(name)

    async with asyncio.TaskGroup() as group, turns.take(Rank.LIVE):
        for name, rank in [("d", Rank.DOUBTFUL), ("a", Rank.LIVE), ("b", Rank.LIVE), ("w", Rank.WRITE)]:
            group.create_task(speak(name, rank))
        called_off = group.create_task(speak("x", Rank.WRITE))
        for _ in range(3):
            await asyncio.sleep(0)
        called_off.cancel()
    assert order == ["w", "a", "b", "d"]


def test_an_exception_without_a_name_still_has_its_number() -> None:
    assert "exception 99" in str(Refused(1, 99))
