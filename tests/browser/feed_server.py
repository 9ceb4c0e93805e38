"""A stand-in for the gateway's API that can be pushed into states which are hard to reach with the real one.

It serves the built web app and speaks the page's side of ``/api/v1`` with scripted, deterministic content: N units,
synthetic leads, alerts, cut or silent links, refused acknowledgements. The real gateway has its own tests.
Run it for development with ``python -m tests.browser.feed_server --port 8080 --units 3``.
"""

import argparse
import asyncio
import contextlib
import secrets
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import uvicorn
from fastapi import FastAPI, Request, Response, WebSocket, WebSocketDisconnect
from fastapi.responses import FileResponse, JSONResponse

from tests.browser.signals import ECG_FS, ECG_SAMPLES, PLETH_FS, PLETH_SAMPLES, FrameSource
from tests.browser.world import SECOND, Alert, Unit, example_units

STATIC: Final = Path(__file__).parents[2] / "gateway" / "api" / "static"
FRAME: Final = 0.2  # s
RECENT_FRAMES: Final = 50  # 10 s
HISTORY_BEATS: Final = 60
CSP: Final = "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'"
PASSWORDS: Final = {"demo": "demo", "dr.li": "li", "dr.wang": "wang", "guest": "guest"}
ROLES: Final = {"guest": "dispatcher"}


def now_us() -> int:
    """The stand-in's clock."""
    return time.time_ns() // 1000


@dataclass(eq=False)
class Screen:
    """One open WebSocket: what waits for it and what it asked for."""

    socket: WebSocket
    out: asyncio.Queue[str | bytes] = field(default_factory=lambda: asyncio.Queue(4096))
    waves: frozenset[str] = frozenset()
    subscribed: bool = False


class FeedServer:
    """The scripted gateway. Methods without ``_`` may be called from the test's thread."""

    def __init__(self, units: int = 3, *, demo: bool = True, lag: int = 12_000) -> None:
        self.started = now_us() - HISTORY_BEATS * SECOND // 5  # as if it had run for a while
        self.units: dict[str, Unit] = {u.id: u for u in example_units(units, now_us())}
        self.alerts: dict[str, Alert] = {}
        self.source = FrameSource(self.started)
        self.demo = demo
        self.lag = lag
        self.cut = False  # nothing answers, sockets are closed
        self.silent = False  # sockets stay open and say nothing (half-open link)
        self.silent_units: set[str] = set()  # send nothing, though their link is up
        self.silent_waves: set[str] = set()
        self.refuse: tuple[int, str, str] | None = None  # status, reason, detail of the next acknowledgements
        self.subscriptions: list[dict[str, Any]] = []
        self.acknowledged: list[tuple[str, str]] = []
        self.sessions: dict[str, str] = {}
        self.port = 0
        self._id = self.started
        self._history: list[dict[str, Any]] = []
        self._screens: set[Screen] = set()
        self.beats = HISTORY_BEATS
        self._loop: asyncio.AbstractEventLoop | None = None
        self.app = _app(self)

    # ---- what tests do -----------------------------------------------------------------------------------------------
    def do(self, act: Callable[[], None]) -> None:
        """Runs ``act`` on the server's thread and waits for it."""
        loop = self._loop
        assert loop is not None
        done = threading.Event()
        loop.call_soon_threadsafe(lambda: (act(), done.set()))
        assert done.wait(5), "the feed server hangs"

    def raise_alert(self, alert: Alert) -> None:
        """Puts an alert into the book and tells every screen."""
        self.alerts[alert["id"]] = alert
        self.do(lambda: self.notify({"type": "alert", "alert": alert}))

    def change_unit(self, unit: str, **changes: Any) -> None:
        """Changes a unit's state and tells every screen."""
        self.units[unit].state.update(changes)
        self.do(lambda: self.notify({"type": "unit", "unit": self.units[unit].shown()}))

    def say(self, message: dict[str, Any]) -> None:
        """Sends a message with the next id."""
        self.do(lambda: self.notify(message))

    def cut_link(self) -> None:
        """Closes every socket and answers nothing until `restore`."""
        self.cut = True
        self.do(self.close_screens)

    def restore(self) -> None:
        """Answers again."""
        self.cut = self.silent = False

    # ---- feed --------------------------------------------------------------------------------------------------------
    def notify(self, message: dict[str, Any]) -> None:
        """Numbers a message, remembers it and queues it for every screen."""
        self._id += 1
        message = {**message, "id": self._id}
        self._history.append(message)
        self._send(message)

    def _send(self, message: dict[str, Any]) -> None:
        if self.silent:
            return
        text = JSONResponse(message).body
        for screen in self._screens:
            if screen.subscribed:
                screen.out.put_nowait(bytes(text).decode())

    def snapshot(self) -> dict[str, Any]:
        """Everything, now."""
        return {
            "type": "snapshot",
            "id": self._id,
            "now": now_us(),
            "units": [unit.shown() for unit in self.units.values()],
            "alerts": list(self.alerts.values()),
        }

    def subscribe(self, screen: Screen, message: dict[str, Any]) -> None:
        """Answers a subscription: what was missed, or a snapshot; then the last ten seconds of new waveforms."""
        self.subscriptions.append(message)
        if self.silent:
            return
        since = message.get("since")
        first = self._history[0]["id"] if self._history else self._id + 1
        if since is not None and first - 1 <= since <= self._id:
            missed = [m for m in self._history if m["id"] > since]
        else:
            missed = [self.snapshot()]
        for item in missed:
            screen.out.put_nowait(bytes(JSONResponse(item).body).decode())
        screen.subscribed = True
        new = frozenset(message["waves"]) - screen.waves
        screen.waves = frozenset(message["waves"])
        for unit in new & self.units.keys():
            for beat in range(max(0, self.beats - RECENT_FRAMES), self.beats):
                for frame in self._frames(unit, beat):
                    screen.out.put_nowait(frame)

    def _frames(self, unit: str, beat: int) -> list[bytes]:
        if unit in self.silent_waves:
            return []
        return self.source.frames(self.units[unit], beat)

    def close_screens(self) -> None:
        """Ends every open socket; only on the server's thread (see `do`)."""
        for screen in list(self._screens):
            screen.out.put_nowait("")  # an empty text ends the sender

    def _beat(self) -> None:
        """Every 200 ms: waveforms; every second: numbers and a tick."""
        watched = frozenset[str]().union(*(screen.waves for screen in self._screens))
        for unit in watched & (self.units.keys() - self.silent_units):
            for frame in self._frames(unit, self.beats):
                self._send_frame(unit, frame)
        if self.beats % 5 == 0:
            for unit_state in self.units.values():
                if unit_state.id not in self.silent_units and unit_state.state["link"] == "online":
                    for message in unit_state.observe(now_us()):
                        self.notify(message)
            self._send({"type": "tick", "now": now_us(), "lag_us": self.lag})
        self.beats += 1

    def _send_frame(self, unit: str, frame: bytes) -> None:
        for screen in self._screens:
            if unit in screen.waves and not self.silent:
                screen.out.put_nowait(frame)

    # ---- life --------------------------------------------------------------------------------------------------------
    async def pump(self) -> None:
        """Beats at the pace of the clock until cancelled."""
        self._loop = asyncio.get_running_loop()
        due = self._loop.time()
        while True:
            self._beat()
            due += FRAME
            wait = asyncio.Event()
            self._loop.call_at(due, wait.set)
            await wait.wait()

    async def serve_screen(self, socket: WebSocket) -> None:
        """One screen until it goes or the link is cut."""
        await socket.accept()
        screen = Screen(socket)
        self._screens.add(screen)
        sender = asyncio.create_task(_drain(screen))
        try:
            while True:
                self.subscribe(screen, await socket.receive_json())
        except (WebSocketDisconnect, RuntimeError):
            pass  # the screen went away, or its link was cut
        finally:
            self._screens.discard(screen)
            sender.cancel()


async def _drain(screen: Screen) -> None:
    while True:
        item = await screen.out.get()
        if item == "":
            await screen.socket.close()
            return
        if isinstance(item, str):
            await screen.socket.send_text(item)
        else:
            await screen.socket.send_bytes(item)


def problem(status: int, reason: str, detail: str) -> Response:
    """RFC 9457."""
    body = {"type": f"urn:lastmile:problem:{reason}", "title": reason, "status": status, "detail": detail}
    return JSONResponse({**body, "reason": reason}, status, media_type="application/problem+json")


def _app(world: FeedServer) -> FastAPI:
    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> Any:
        pump = asyncio.create_task(world.pump())
        yield
        pump.cancel()

    app = FastAPI(lifespan=lifespan, openapi_url=None)

    @app.middleware("http")
    async def gate(request: Request, follow: Callable[[Request], Awaitable[Response]]) -> Response:
        if world.cut:
            return problem(503, "cut", "the link is cut")
        response = await follow(request)
        response.headers["Content-Security-Policy"] = CSP
        return response

    _session_routes(app, world)
    _data_routes(app, world)
    return app


def _session_routes(app: FastAPI, world: FeedServer) -> None:
    def who(cookies: dict[str, str]) -> str | None:
        return world.sessions.get(cookies.get("lastmile_session", ""))

    def state(name: str) -> dict[str, Any]:
        return {"username": name, "role": ROLES.get(name, "doctor"), "sites": ["city"], "demo": world.demo}

    @app.get("/api/v1/about")
    def about() -> dict[str, Any]:
        login = {"username": "demo", "password": "demo"} if world.demo else None
        return {"version": "0.1.0", "demo": world.demo, "demo_login": login}

    @app.post("/api/v1/session")
    async def sign_in(request: Request) -> Response:
        body = await request.json()
        if PASSWORDS.get(body["username"]) != body["password"]:
            return problem(401, "bad-credentials", "user name and password do not fit")
        token = secrets.token_hex(8)
        world.sessions[token] = body["username"]
        response = JSONResponse(state(body["username"]))
        response.set_cookie("lastmile_session", token, httponly=True, samesite="strict")
        return response

    @app.get("/api/v1/session")
    def session(request: Request) -> Response:
        name = who(request.cookies)
        return problem(401, "not-signed-in", "sign in") if name is None else JSONResponse(state(name))

    @app.delete("/api/v1/session")
    def sign_out(request: Request) -> Response:
        world.sessions.pop(request.cookies.get("lastmile_session", ""), None)
        return Response(status_code=204)

    @app.post("/api/v1/alerts/{alert}/acknowledge")
    async def acknowledge(alert: str, request: Request) -> Response:
        name = who(request.cookies)
        if name is None:
            return problem(401, "not-signed-in", "sign in")
        if world.refuse is not None:
            return problem(*world.refuse)
        found = world.alerts[alert]
        if found["state"] not in {"firing", "latched"}:
            return problem(409, "illegal-transition", f"the alert is {found['state']}")
        at = now_us()
        found.update(state="acknowledged", acknowledged_at=at, acknowledged_by=name, updated_at=at)
        world.acknowledged.append((alert, name))
        world.notify({"type": "alert", "alert": found})
        return JSONResponse(found)

    @app.websocket("/api/v1/live")
    async def live(socket: WebSocket) -> None:
        if world.cut or who(socket.cookies) is None:
            await socket.close(4401)
        else:
            await world.serve_screen(socket)


def _data_routes(app: FastAPI, world: FeedServer) -> None:
    @app.get("/api/v1/units/{unit}/series")
    def series(unit: str, request: Request) -> dict[str, Any]:
        query = request.query_params
        first, to, step = int(query["from"]), int(query["to"]), int(query["step"])
        points = world.units[unit].trend(query["quantity"], first, to, step)
        return {"quantity": query["quantity"], "unit": "", "step": step, "points": points}

    @app.get("/{path:path}")
    def page(path: str) -> Response:
        file = STATIC / path
        if path.startswith("api/"):
            return problem(404, "not-found", path)
        return FileResponse(file if path and file.is_file() else STATIC / "index.html")


@contextlib.contextmanager
def running(world: FeedServer, port: int = 0) -> Iterator[str]:
    """Serves ``world`` on a thread; gives its address."""
    config = uvicorn.Config(world.app, host="127.0.0.1", port=port, log_level="warning", ws="websockets-sansio")
    ready = threading.Event()

    class Told(uvicorn.Server):
        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            ready.set()

    server = Told(config)
    thread = threading.Thread(target=server.run, name="feed-server", daemon=True)
    thread.start()
    try:
        assert ready.wait(10), "the feed server did not start"
        world.port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{world.port}"
    finally:
        world.do(world.close_screens)
        server.should_exit = True
        thread.join(10)


def main() -> None:
    """Serves until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--units", type=int, default=3)
    options = parser.parse_args()
    with running(FeedServer(options.units), options.port) as url, contextlib.suppress(KeyboardInterrupt):
        print(url)
        threading.Event().wait()


if __name__ == "__main__":
    main()

__all__ = ["ECG_FS", "ECG_SAMPLES", "PLETH_FS", "PLETH_SAMPLES", "SECOND", "FeedServer", "running"]
