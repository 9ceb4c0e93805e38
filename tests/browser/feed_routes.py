"""The requests the feed server answers; what they change is the `FeedServer`'s."""

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fastapi import FastAPI, Request, Response, WebSocket
from fastapi.responses import FileResponse, JSONResponse

from tests.browser.alert_routes import alert_detail_routes, points, roster_routes, signal_routes
from tests.browser.alert_world import line
from tests.browser.lying_routes import lying_routes
from tests.browser.plan_routes import plan_routes
from tests.browser.ward_world import command
from tests.browser.world import now_us

if TYPE_CHECKING:
    from tests.browser.feed_server import FeedServer

STATIC: Final = Path(__file__).parents[2] / "gateway" / "api" / "static"
CSP: Final = "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'"
PASSWORDS: Final = {"demo": "demo", "dr.li": "li", "dr.wang": "wang", "guest": "guest", "ops.li": "ops"}
ROLES: Final = {"guest": "dispatcher", "ops.li": "ops"}


def problem(status: int, reason: str, detail: str) -> Response:
    """RFC 9457."""
    body = {"type": f"urn:lastmile:problem:{reason}", "title": reason, "status": status, "detail": detail}
    return JSONResponse({**body, "reason": reason}, status, media_type="application/problem+json")


def application(world: "FeedServer") -> FastAPI:
    """The stand-in's HTTP and WebSocket side."""

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
    _alert_routes(app, world)
    alert_detail_routes(app, world, lambda request: _who(world, request.cookies), problem)
    roster_routes(app, world, lambda request: _who(world, request.cookies), problem)
    signal_routes(app, world)
    lying_routes(app, world, lambda request: _who(world, request.cookies), problem)
    _live_route(app, world)
    _data_routes(app, world)
    return app


def _who(world: "FeedServer", cookies: dict[str, str]) -> str | None:
    return world.sessions.get(cookies.get("lastmile_session", ""))


def _session_routes(app: FastAPI, world: "FeedServer") -> None:
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
        name = _who(world, request.cookies)
        return problem(401, "not-signed-in", "sign in") if name is None else JSONResponse(state(name))

    @app.delete("/api/v1/session")
    def sign_out(request: Request) -> Response:
        world.sessions.pop(request.cookies.get("lastmile_session", ""), None)
        return Response(status_code=204)


def _alert_routes(app: FastAPI, world: "FeedServer") -> None:
    @app.post("/api/v1/alerts/{alert}/acknowledge")
    async def acknowledge(alert: str, request: Request) -> Response:
        name = _who(world, request.cookies)
        if name is None:
            return problem(401, "not-signed-in", "sign in")
        if world.refuse is not None:
            return problem(*world.refuse)
        found = world.alerts[alert]
        if found["state"] not in {"firing", "latched"}:
            by = found["acknowledged_by"]
            return problem(409, "illegal-transition", f"the alert is {found['state']}, taken by {by}")
        at, state = now_us(), "acknowledged" if found["state"] == "firing" else "resolved"
        taken = {"acknowledged_at": at, "acknowledged_by": name, "next_step_at": None}
        over = {"resolved_at": at} if state == "resolved" else {}
        world.acknowledged.append((alert, name))
        world.change_alert(found, line(at, "acknowledge", state, name), state=state, **taken, **over)
        return JSONResponse(found)


def _live_route(app: FastAPI, world: "FeedServer") -> None:
    @app.websocket("/api/v1/live")
    async def live(socket: WebSocket) -> None:
        if world.cut or _who(world, socket.cookies) is None:
            await socket.close(4401)
        else:
            await world.serve_screen(socket)


def _series(world: "FeedServer", unit: str, quantity: str, first: int, to: int, step: int) -> list[dict[str, Any]]:
    if step:
        return world.units[unit].trend(quantity, first, to, step)
    about = [one for one in world.alerts.values() if one["unit"] == unit and one["quantity"] == quantity]
    return points(world.units[unit], quantity, first, to, about[0] if about else None)


def _data_routes(app: FastAPI, world: "FeedServer") -> None:
    @app.get("/api/v1/units/{unit}/series")
    def series(unit: str, request: Request) -> dict[str, Any]:
        query = request.query_params
        first, to, step = int(query["from"]), int(query["to"]), int(query["step"])
        quantity, found = query["quantity"], _series(world, unit, query["quantity"], first, to, step)
        return {"quantity": quantity, "unit": "", "step": step, "points": found}

    @app.get("/api/v1/devices")
    def devices() -> dict[str, Any]:
        return {"items": world.devices, "next": None}

    @app.get("/api/v1/units/{unit}/sessions")
    def sessions(unit: str) -> dict[str, Any]:
        return {"items": world.sittings.get(unit, []), "next": None}

    @app.get("/api/v1/units/{unit}/events")
    def events(unit: str) -> dict[str, Any]:
        return {"items": world.happened.get(unit, []), "next": None}

    @app.get("/api/v1/units/{unit}/commands")
    def commands(unit: str) -> dict[str, Any]:
        return {"items": [], "next": None}

    @app.post("/api/v1/units/{unit}/commands")
    async def request(unit: str, request: Request) -> Response:
        if world.refuse is not None:
            return problem(*world.refuse)
        body = await request.json()
        world.commanded.append(body)
        taken = command(unit, "requested", by=_who(world, request.cookies) or "", arguments=body["arguments"])
        world.notify({"type": "command", "command": taken})
        return JSONResponse(taken, 202)

    plan_routes(app, world, problem)

    @app.get("/{path:path}")
    def page(path: str) -> Response:
        file = STATIC / path
        if path.startswith("api/"):
            return problem(404, "not-found", path)
        return FileResponse(file if path and file.is_file() else STATIC / "index.html")
