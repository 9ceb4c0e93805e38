"""The fault proxy with real sockets: what passes, what does not, and what either side gets to know."""

import asyncio
import hashlib
import json
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import pytest

from firmware_sims.faults import CHUNK, QUEUED_CHUNKS, FaultProxy, Request, ask

QUIET = 0.15  # s in which nothing may come
SOON = 10.0  # s in which everything must come
HOST = "127.0.0.1"

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Upstream:
    """A server whose ends of the connections the test holds."""

    def __init__(self) -> None:
        self.port = 0
        self._arrived: asyncio.Queue[Streams] = asyncio.Queue()
        self._writers: list[asyncio.StreamWriter] = []

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        await self._arrived.put((reader, writer))

    async def connection(self) -> Streams:
        async with asyncio.timeout(SOON):
            return await self._arrived.get()

    @property
    def nobody_came(self) -> bool:
        return not self._writers

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Upstream"]:
        server = await asyncio.start_server(self._serve, HOST, 0)
        self.port = server.sockets[0].getsockname()[1]
        yield self
        server.close()
        for writer in self._writers:
            writer.transport.abort()


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    async with Upstream().running() as server:
        yield server


@pytest.fixture
async def proxy(upstream: Upstream) -> AsyncIterator[FaultProxy]:
    async with FaultProxy((HOST, upstream.port), seed=1) as running:
        await running.listen(HOST, 0)
        yield running


@asynccontextmanager
async def client(proxy: FaultProxy) -> AsyncIterator[Streams]:
    reader, writer = await asyncio.open_connection(HOST, proxy.port)
    yield reader, writer
    writer.transport.abort()


async def read(reader: asyncio.StreamReader, size: int) -> bytes:
    async with asyncio.timeout(SOON):
        return await reader.readexactly(size)


async def rest(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(SOON):
        return await reader.read(-1)


async def silent(reader: asyncio.StreamReader) -> bool:
    """Whether neither bytes nor an end come for a while."""
    try:
        async with asyncio.timeout(QUIET):
            await reader.read(1)
    except TimeoutError:
        return True
    return False


async def passes(seconds: float) -> None:
    """Lets the sockets work for a while."""
    with suppress(TimeoutError):
        await asyncio.wait_for(asyncio.Event().wait(), seconds)


def change(proxy: FaultProxy, **ways: dict[str, Any]) -> None:
    proxy.apply(Request(set=ways))


async def test_without_faults_every_byte_passes_both_ways_and_ends_are_kept(
    proxy: FaultProxy, upstream: Upstream
) -> None:
    big = bytes(range(256)) * 8000
    async with client(proxy) as (reader, writer), asyncio.TaskGroup() as group:
        far_reader, far_writer = await upstream.connection()
        for side in (writer, far_writer):
            side.write(big)
            side.write_eof()
        arrived, returned = group.create_task(rest(far_reader)), group.create_task(rest(reader))
    assert hashlib.sha256(arrived.result()).digest() == hashlib.sha256(big).digest()
    assert returned.result() == big
    assert proxy.state()["up"]["bytes"] == len(big)


async def test_delay_holds_one_direction_back(proxy: FaultProxy, upstream: Upstream) -> None:
    change(proxy, up={"delay_ms": 1000})
    async with client(proxy) as (reader, writer):
        far_reader, far_writer = await upstream.connection()
        writer.write(b"up")
        far_writer.write(b"down")
        assert await read(reader, 4) == b"down"
        assert await silent(far_reader)
        assert await read(far_reader, 2) == b"up"


async def test_jitter_does_not_change_the_order(proxy: FaultProxy, upstream: Upstream) -> None:
    change(proxy, up={"delay_ms": 1, "jitter_ms": 20})
    lines = b"".join(b"%d\n" % n for n in range(200))
    async with client(proxy) as (_, writer):
        far_reader, _ = await upstream.connection()
        for line in lines.splitlines(keepends=True):
            writer.write(line)
            await writer.drain()
        assert await read(far_reader, len(lines)) == lines


async def test_one_direction_silent_the_other_alive_and_nothing_lost_after(
    proxy: FaultProxy, upstream: Upstream
) -> None:
    async with client(proxy) as (reader, writer):
        far_reader, far_writer = await upstream.connection()
        change(proxy, down={"stall": True})
        writer.write(b"question")
        assert await read(far_reader, 8) == b"question"
        far_writer.write(b"answer")
        far_writer.write_eof()
        assert await silent(reader)
        change(proxy, down={"stall": False})
        assert await rest(reader) == b"answer"


async def test_nobody_reaches_the_upstream_through_a_dead_radio(proxy: FaultProxy, upstream: Upstream) -> None:
    change(proxy, up={"stall": True}, down={"stall": True})
    async with client(proxy) as (reader, writer):
        writer.write(b"hello")
        assert await silent(reader)
        assert upstream.nobody_came
        change(proxy, up={"stall": False}, down={"stall": False})
        far_reader, _ = await upstream.connection()
        assert await read(far_reader, 5) == b"hello"


async def test_half_open_tells_neither_side_and_lets_new_connections_work(
    proxy: FaultProxy, upstream: Upstream
) -> None:
    async with client(proxy) as (_, writer):
        far_reader, _ = await upstream.connection()
        proxy.apply(Request(half_open=True))
        writer.write(b"lost")
        writer.transport.abort()  # the client gives up; the server never hears of it
        assert await silent(far_reader)
        assert proxy.state()["connections"]["frozen"] == 1
        async with client(proxy) as (_, second):
            second.write(b"new")
            fresh, _ = await upstream.connection()
            assert await read(fresh, 3) == b"new"
        assert await silent(far_reader)


@pytest.mark.parametrize("frozen", [False, True])
async def test_a_cut_resets_both_sides(proxy: FaultProxy, upstream: Upstream, frozen: bool) -> None:
    async with client(proxy) as (reader, _):
        far_reader, _ = await upstream.connection()
        proxy.apply(Request(half_open=frozen))
        proxy.apply(Request(cut=True))
        for side in (reader, far_reader):
            with pytest.raises(ConnectionResetError):
                await rest(side)
    assert proxy.state()["connections"]["accepted"] == 1


async def test_a_cut_in_good_order_ends_both_sides(proxy: FaultProxy, upstream: Upstream) -> None:
    async with client(proxy) as (reader, _):
        far_reader, _ = await upstream.connection()
        proxy.apply(Request(cut="fin"))
        assert await rest(reader) == b""
        assert await rest(far_reader) == b""


async def test_a_reset_of_one_side_reaches_the_other(proxy: FaultProxy, upstream: Upstream) -> None:
    async with client(proxy) as (_, writer):
        far_reader, _ = await upstream.connection()
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        writer.transport.abort()
        with pytest.raises(ConnectionResetError):
            await rest(far_reader)


async def test_refused_clients_are_reset_and_later_ones_let_in(proxy: FaultProxy, upstream: Upstream) -> None:
    proxy.apply(Request(refuse=True))
    async with client(proxy) as (reader, _):
        with pytest.raises(ConnectionResetError):
            await rest(reader)
    proxy.apply(Request(refuse=False))
    async with client(proxy):
        await upstream.connection()


async def test_a_missing_upstream_looks_like_a_missing_server() -> None:
    with socket.socket() as unused:
        unused.bind((HOST, 0))
        async with FaultProxy(unused.getsockname()) as proxy:
            await proxy.listen(HOST, 0)
            async with client(proxy) as (reader, _):
                with pytest.raises(ConnectionResetError):
                    await rest(reader)


async def test_damage_changes_the_asked_share_of_bytes_in_one_direction(proxy: FaultProxy, upstream: Upstream) -> None:
    change(proxy, up={"corrupt": 0.01})
    sent = bytes(100_000)
    async with client(proxy) as (reader, writer):
        far_reader, far_writer = await upstream.connection()
        writer.write(sent)
        far_writer.write(sent)
        damaged = await read(far_reader, len(sent))
        assert await read(reader, len(sent)) == sent
    changed = len(sent) - damaged.count(0)
    assert 800 < changed < 1200
    assert proxy.state()["up"]["corrupted"] == changed


async def test_rate_limit_lets_through_so_much_a_second_and_no_more(proxy: FaultProxy, upstream: Upstream) -> None:
    change(proxy, up={"rate": 20_000})
    async with client(proxy) as (_, writer):
        far_reader, _ = await upstream.connection()
        writer.write(bytes(200_000))
        await passes(0.5)
        assert 0 < proxy.state()["up"]["bytes"] < 60_000, "10 000 on an idle machine"
        change(proxy, up={"rate": 0})
        assert await read(far_reader, 200_000) == bytes(200_000)


async def test_all_connections_share_the_rate(proxy: FaultProxy, upstream: Upstream) -> None:
    change(proxy, up={"rate": 20_000})
    async with AsyncExitStack() as stack:
        for _ in range(20):
            _, writer = await stack.enter_async_context(client(proxy))
            await upstream.connection()
            writer.write(bytes(100_000))
        await passes(0.5)
        assert 0 < proxy.state()["up"]["bytes"] < 60_000, "10 000 on an idle machine; 200 000 if each had its own"


async def test_back_pressure_reaches_the_sender(proxy: FaultProxy, upstream: Upstream) -> None:
    kernel = 16 << 20  # most that the socket buffers of both ends may hold
    async with client(proxy) as (_, writer):
        await upstream.connection()
        change(proxy, up={"stall": True})
        writer.write(bytes(QUEUED_CHUNKS * CHUNK + kernel))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(writer.drain(), 0.5)


async def test_many_connections_at_once(proxy: FaultProxy, upstream: Upstream) -> None:
    change(proxy, up={"delay_ms": 5, "jitter_ms": 5}, down={"delay_ms": 5})

    async def echo() -> None:
        reader, writer = await upstream.connection()
        writer.write(await read(reader, 4))

    async def ping(number: int) -> bytes:
        async with client(proxy) as (reader, writer):
            writer.write(number.to_bytes(4, "big"))
            return await read(reader, 4)

    async with asyncio.TaskGroup() as group:
        pings = [group.create_task(ping(number)) for number in range(150)]
        for _ in pings:
            group.create_task(echo())
    assert [int.from_bytes(task.result(), "big") for task in pings] == list(range(150))


async def test_the_control_port_takes_requests_from_other_processes(proxy: FaultProxy, upstream: Upstream) -> None:
    address = (HOST, proxy.control_port)
    state = await asyncio.to_thread(ask, address, {"set": {"up": {"delay_ms": 20, "stall": True}}})
    assert (state["up"]["delay_ms"], state["up"]["stall"], state["down"]["stall"]) == (20, True, False)
    state = await asyncio.to_thread(ask, address, {"set": {"up": {"stall": False}}})
    assert (state["up"]["delay_ms"], state["up"]["stall"]) == (20, False)
    state = await asyncio.to_thread(ask, address, {"clear": True})
    assert state["up"]["delay_ms"] == 0
    async with client(proxy) as (reader, _):
        await upstream.connection()
        state = await asyncio.to_thread(ask, address, {"cut": True})
        with pytest.raises(ConnectionResetError):
            await rest(reader)
    assert (await asyncio.to_thread(ask, address, {"stats": True}))["connections"]["open"] == 0


@pytest.mark.parametrize(
    "request_",
    [
        {"sett": {}},
        {"set": {"sideways": {}}},
        {"set": {"up": {"speed": 1}}},
        {"set": {"up": {"corrupt": 2}}},
        {"set": {"up": {"delay_ms": -1}}},
        {"set": {"up": {"delay_ms": "long"}}},
        {"cut": "maybe"},
    ],
    ids=repr,
)
async def test_a_wrong_request_is_refused_and_changes_nothing(proxy: FaultProxy, request_: dict[str, Any]) -> None:
    before = proxy.state()
    with pytest.raises(ValueError, match=r"."):
        await asyncio.to_thread(ask, (HOST, proxy.control_port), request_)
    assert proxy.state() == before


async def test_as_a_command(upstream: Upstream) -> None:
    command = [sys.executable, "-m", "firmware_sims.cli", "fault-proxy", "--upstream", f"{HOST}:{upstream.port}"]
    process = await asyncio.create_subprocess_exec(
        *command, "--set", '{"down": {"delay_ms": 1}}', stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    announced = json.loads(await process.stdout.readline())
    state = await asyncio.to_thread(ask, (HOST, announced["control"]), {"stats": True})
    assert state["down"]["delay_ms"] == 1
    reader, writer = await asyncio.open_connection(HOST, announced["listening"])
    far_reader, far_writer = await upstream.connection()
    writer.write(b"ping")
    assert await read(far_reader, 4) == b"ping"
    far_writer.write(b"pong")
    assert await read(reader, 4) == b"pong"
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(SOON):
        assert await process.wait() == 0
    with pytest.raises(ConnectionResetError):
        await rest(reader)
    writer.close()
