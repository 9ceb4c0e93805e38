"""The live feed through a real server and a real WebSocket client."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from gateway.api import socket as live_socket
from gateway.api.auth import COOKIE
from gateway.api.live import frame_bytes
from gateway.api.server import Server, build_server
from tests.unit.api.conftest import PASSWORD, Hospital


@asynccontextmanager
async def serving(hospital: Hospital) -> AsyncIterator[Server]:
    server = build_server(hospital.app, "127.0.0.1", 0)
    async with asyncio.TaskGroup() as group:
        group.create_task(server.serve())
        try:
            yield server
        finally:
            server.should_exit = True


@pytest.fixture
async def server(hospital: Hospital) -> AsyncIterator[Server]:
    async with serving(hospital) as running:
        yield running


async def sign_in(server: Server, name: str) -> dict[str, str]:
    """Headers of a browser that is signed in."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}") as client:
        answer = await client.post("/api/v1/session", json={"username": name, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        return {"Cookie": f"{COOKIE}={client.cookies[COOKIE]}"}


def watch(server: Server, headers: dict[str, str], **options: Any) -> connect:
    origin = options.pop("origin", f"http://127.0.0.1:{server.port}")
    url = f"ws://127.0.0.1:{server.port}/api/v1/live"
    return connect(url, additional_headers=headers, origin=origin, **options)


async def subscribe(screen: ClientConnection, **what: Any) -> None:
    await screen.send(json.dumps({"type": "subscribe", "units": ["*"], "waves": [], "since": None} | what))


async def next_of(screen: ClientConnection, kind: str) -> dict[str, Any]:
    """The next text message of that type."""
    while True:
        message = await screen.recv()
        if isinstance(message, str) and (body := json.loads(message))["type"] == kind:
            return dict(body)


async def next_frame(screen: ClientConnection) -> bytes:
    """The next binary message."""
    while isinstance(message := await screen.recv(), str):
        pass
    return message


async def test_snapshot_then_what_happens_then_waveforms(hospital: Hospital, server: Server) -> None:
    hospital.history.frames["amb-001"] = [b"old"]
    async with watch(server, await sign_in(server, "doctor")) as screen:
        await subscribe(screen, waves=["amb-001"])
        snapshot = await next_of(screen, "snapshot")
        assert [unit["id"] for unit in snapshot["units"]] == ["amb-001", "amb-002"]
        assert len(snapshot["alerts"]) == 2
        assert await next_frame(screen) == b"\x07amb-001old"
        hospital.hub.notify("observations", "amb-001", {"device": "monitor", "values": {"heart-rate": 71}})
        news = await next_of(screen, "observations")
        assert (news["unit"], news["values"], news["id"]) == ("amb-001", {"heart-rate": 71}, snapshot["id"] + 1)
        hospital.hub.wave("amb-001", b"new")
        assert await next_frame(screen) == frame_bytes("amb-001", b"new")


async def test_resume_sends_only_what_was_missed(hospital: Hospital, server: Server) -> None:
    headers = await sign_in(server, "doctor")
    async with watch(server, headers) as screen:
        await subscribe(screen)
        seen = (await next_of(screen, "snapshot"))["id"]
    hospital.hub.notify("alert", "amb-001", {"alert": {"id": "a"}})
    async with watch(server, headers) as screen:
        await subscribe(screen, since=seen)
        while (message := json.loads(await screen.recv()))["type"] == "tick":
            pass
        assert message == {"type": "alert", "id": seen + 1, "alert": {"id": "a"}}


async def test_ticks_tell_the_time_and_the_lag(hospital: Hospital, server: Server) -> None:
    async with watch(server, await sign_in(server, "ops")) as screen:
        tick = {"type": "tick", "now": hospital.clock.now, "lag_us": 0, "canary_at": None}
        assert await next_of(screen, "tick") == tick


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1"])
async def test_a_page_of_another_site_gets_no_socket(server: Server, origin: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with watch(server, await sign_in(server, "doctor"), origin=origin):
            pass
    assert refused.value.response.status_code == 403
    assert json.loads(refused.value.response.body)["reason"] == "cross-site"


@pytest.mark.parametrize("cookie", [{}, {"Cookie": f"{COOKIE}=guess"}])
async def test_no_session_no_socket(server: Server, cookie: Any) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with watch(server, cookie):
            pass
    assert refused.value.response.status_code == 401
    assert json.loads(refused.value.response.body)["reason"] == "not-signed-in"


async def closed_with(screen: ClientConnection) -> int | None:
    try:
        while True:
            await screen.recv()
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None


async def test_signing_out_closes_the_screens_of_that_session(hospital: Hospital, server: Server) -> None:
    headers = await sign_in(server, "doctor")
    async with watch(server, headers) as mine, watch(server, await sign_in(server, "doctor")) as other:
        await subscribe(mine)
        await next_of(mine, "snapshot")
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", headers=headers) as client:
            assert (await client.delete("/api/v1/session")).status_code == 204
        assert await closed_with(mine) == 4401
        await subscribe(other)
        await next_of(other, "snapshot")


async def test_an_expired_session_loses_its_screens(hospital: Hospital, server: Server) -> None:
    async with watch(server, await sign_in(server, "doctor")) as screen:
        await subscribe(screen)
        await next_of(screen, "snapshot")
        hospital.clock.now += 12 * 3600 * 1_000_000
        await live_socket.close_ended(hospital.services)
        assert await closed_with(screen) == 4401


@pytest.mark.parametrize(
    "message",
    ["{", '{"type":"subscribe"}', '{"type":"dance"}', b"\x00", '{"type":"subscribe","units":["A B"],"waves":[]}'],
)
async def test_a_message_that_is_no_subscription_ends_it(server: Server, message: Any) -> None:
    async with watch(server, await sign_in(server, "doctor")) as screen:
        await screen.send(message)
        assert await closed_with(screen) == 4400


async def test_stopping_the_server_closes_the_screens(hospital: Hospital) -> None:
    async with serving(hospital) as server:
        screen = await watch(server, await sign_in(server, "doctor"))
        await subscribe(screen)
        await next_of(screen, "snapshot")
    assert await closed_with(screen) in {1001, 1012}


@asynccontextmanager
async def reading_nothing(server: Server, headers: dict[str, str]) -> AsyncIterator[None]:
    """A screen that subscribes to the waveforms and then reads nothing: a plain socket with a small buffer."""
    loop = asyncio.get_running_loop()
    subscription = b'{"type":"subscribe","units":["*"],"waves":["amb-001"],"since":null}'
    with socket.socket() as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.setblocking(False)
        await loop.sock_connect(raw, ("127.0.0.1", server.port))
        handshake = (
            f"GET /api/v1/live HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nCookie: {headers['Cookie']}\r\nSec-WebSocket-Key: {'A' * 22}==\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n"
        )
        await loop.sock_sendall(raw, handshake.encode())
        assert (await loop.sock_recv(raw, 12)).endswith(b"101")
        await loop.sock_sendall(raw, bytes((0x81, 0x80 | len(subscription))) + bytes(4) + subscription)
        yield


async def test_a_screen_that_reads_nothing_harms_nobody(hospital: Hospital, server: Server) -> None:
    headers = await sign_in(server, "doctor")
    async with reading_nothing(server, headers), watch(server, headers) as quick:
        await subscribe(quick, waves=["amb-001"])
        await next_of(quick, "snapshot")
        frame = bytes(12_000)
        lost, sent = 0.0, 0
        while lost < 100 and sent < 2000:
            hospital.hub.wave("amb-001", frame)
            sent += 1
            while isinstance(await quick.recv(), str):
                pass
            lost = hospital.services.metrics.get_sample_value("lastmile_live_dropped_frames_total") or 0
        assert sent > 300, "the quick screen saw every frame while the slow one lost them"
        assert lost >= 100
        (slow,) = (screen for screen in hospital.hub._screens if len(screen.frames) > 100)
        assert slow.close_code is None
        for _ in range(1100):
            hospital.hub.notify("alert", "amb-001", {"alert": {"id": "one"}})
            await next_of(quick, "alert")
        assert slow.close_code == 4408
        hospital.hub.notify("alert", "amb-001", {"alert": {"id": "last"}})
        assert (await next_of(quick, "alert"))["alert"]["id"] == "last"


async def test_forty_screens_get_every_alert(hospital: Hospital, server: Server) -> None:
    headers = await sign_in(server, "doctor")
    async with AsyncExitStack() as stack:
        screens = [await stack.enter_async_context(watch(server, headers)) for _ in range(40)]
        for screen in screens:
            await subscribe(screen)
            await next_of(screen, "snapshot")
        for number in range(50):
            hospital.hub.notify("alert", "amb-001", {"alert": {"id": str(number)}})
        for screen in screens:
            got = [(await next_of(screen, "alert"))["alert"]["id"] for _ in range(50)]
            assert got == [str(number) for number in range(50)]


async def test_a_screen_says_that_it_is_a_board_and_makes_no_sound(hospital: Hospital, server: Server) -> None:
    async with watch(server, await sign_in(server, "doctor")) as screen:
        await screen.send(json.dumps({"type": "sound", "board": True, "silent_ms": 7000}))
        await subscribe(screen)
        await next_of(screen, "snapshot")
        [mute] = hospital.hub.mute_boards()
        assert (mute.account, mute.since) == ("doctor", hospital.clock.now - 7_000_000)
        await screen.send(json.dumps({"type": "sound", "board": True, "silent_ms": None}))
        await subscribe(screen)
        await next_of(screen, "snapshot")
        assert hospital.hub.mute_boards() == []


@pytest.mark.parametrize("silent_ms", [-1, 10**15, "7"])
async def test_a_screen_that_says_nonsense_of_its_sound_is_cut_off(server: Server, silent_ms: Any) -> None:
    async with watch(server, await sign_in(server, "doctor")) as screen:
        await screen.send(json.dumps({"type": "sound", "board": True, "silent_ms": silent_ms}))
        with pytest.raises(ConnectionClosed) as closed:
            await next_of(screen, "snapshot")
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == live_socket.CLOSE_BAD_MESSAGE
