"""Reads of twenty units that lag by up to 50 ms against a timeout of 20 ms and lie: not one wrong value is accepted.

10 000 reads with LASTMILE_FAULTS=full, a tenth of it otherwise, on TCP and on a serial line.
"""

import asyncio
from collections import Counter
from contextlib import aclosing

import pytest
from pymodbus import ModbusException
from pymodbus.client import AsyncModbusTcpClient

from edge_agents.clock import SystemClock
from edge_agents.links.modbus import ModbusLink, open_link
from edge_agents.protocol import MODBUS_HEAD, Modbus, Poll
from tests.integration.modbus_liar import LINE_LIES, TCP_LIES, SerialLine, TcpServer, Units, truth

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.timeout(1800)]

UNITS = 20
READS = 10_000
LAG = 0.05
TIMEOUT = 0.02
# Two pairs of polls have answers of the same form: only who asked what, when, tells them apart.
POLLS = Modbus(polls=(Poll(3, 0, 10, 0.0), Poll(3, 100, 10, 0.0), Poll(4, 0, 10, 0.0), Poll(3, 200, 4, 0.0)))


async def read(link: ModbusLink, reads: int, seen: Counter[str]) -> None:
    """Reads until so many have been answered or given up, as the agent does but without its pauses."""
    while link.timeouts + seen["mine"] < reads:
        try:
            async with aclosing(link.stream()) as stream:
                async for frame, _ in stream:
                    if frame:
                        seen["mine"] += 1
                        judge(frame, seen)
                    if link.timeouts + seen["mine"] >= reads:
                        break
        except OSError:
            seen["streams ended"] += 1


def judge(frame: bytes, seen: Counter[str]) -> None:
    unit, function, address, size = MODBUS_HEAD.unpack_from(frame)
    data = frame[MODBUS_HEAD.size :]
    if function & 0x80:
        seen["exceptions"] += 1
    elif data == truth(unit, function, address, size):
        seen["right"] += 1
    else:
        seen["wrong"] += 1


async def read_all(addresses: list[str], reads: int) -> Counter[str]:
    links = [open_link(address, POLLS, SystemClock()) for address in addresses]
    counts = [Counter[str]() for _ in links]
    async with asyncio.TaskGroup() as group:
        for link, count in zip(links, counts, strict=True):
            group.create_task(read(link, reads // len(links), count))
    seen = sum(counts, Counter[str]())
    seen["timeouts"] = sum(link.timeouts for link in links)
    return seen


def assert_never_fooled(seen: Counter[str], units: Units, kinds: tuple[str, ...], reads: int) -> None:
    assert seen["wrong"] == 0
    assert seen["mine"] + seen["timeouts"] >= reads // UNITS * UNITS
    assert seen["right"] > reads / 100, "it does read"
    assert seen["timeouts"] > reads / 100, "and it does time out"
    assert seen["exceptions"] > 0
    assert set(kinds) <= units.told.keys(), "every lie has been told"


async def test_tcp(fault_share: float, capsys: pytest.CaptureFixture[str]) -> None:
    reads = round(READS * fault_share)
    units = Units(lag=LAG, lies=0.35, kinds=TCP_LIES)
    async with TcpServer(units) as server:
        addresses = [
            f"modbus+tcp://127.0.0.1:{server.port}?unit={unit}&timeout={TIMEOUT}" for unit in range(1, UNITS + 1)
        ]
        seen = await read_all(addresses, reads)
    assert_never_fooled(seen, units, TCP_LIES, reads)
    report(capsys, "TCP", seen)


@pytest.mark.parametrize(("count", "share"), [(UNITS, 1.0), (1, 0.4)], ids=["twenty units", "one, asked again at once"])
async def test_serial_line(fault_share: float, capsys: pytest.CaptureFixture[str], count: int, share: float) -> None:
    reads = round(READS * fault_share * share)
    units = Units(lag=LAG, lies=0.3, kinds=LINE_LIES)
    async with SerialLine(units) as line:
        address = f"modbus+rtu://{line.path}?baud=115200&timeout={TIMEOUT}"
        seen = await read_all([f"{address}&unit={unit}" for unit in range(1, count + 1)], reads)
    assert_never_fooled(seen, units, LINE_LIES, reads)
    report(capsys, f"serial line, {count} units", seen)


async def test_the_lies_would_fool_a_client_that_believes_them() -> None:
    """The same server and pymodbus's client alone: what the test above would count were there no guard."""
    wrong = 0
    async with TcpServer(Units(lag=LAG, lies=0.35, kinds=TCP_LIES)) as server:
        client = AsyncModbusTcpClient("127.0.0.1", port=server.port, timeout=TIMEOUT, retries=0, reconnect_delay=0)
        await client.connect()
        for number in range(200):
            if not client.connected:
                await client.connect()
            poll = POLLS.polls[number % 2]
            try:
                answer = await client.read_holding_registers(poll.address, count=poll.count, device_id=1)
            except ModbusException:
                continue
            data = b"".join(word.to_bytes(2, "big") for word in answer.registers)
            wrong += not answer.isError() and data != truth(1, 3, poll.address, poll.count)
        client.close()
    assert wrong > 0


def report(capsys: pytest.CaptureFixture[str], line: str, seen: Counter[str]) -> None:
    with capsys.disabled():
        print(f"\n{line}: {dict(sorted(seen.items()))}")  # noqa: T201  the figures of the proof
