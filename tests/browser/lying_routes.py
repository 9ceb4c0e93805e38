"""What the feed server answers about how somebody lies; it keeps it as the gateway would."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from tests.browser.ward_world import command, lying
from tests.browser.world import now_us

if TYPE_CHECKING:
    from tests.browser.feed_server import FeedServer


def lying_routes(
    app: FastAPI,
    world: "FeedServer",
    who: Callable[[Request], str | None],
    problem: Callable[[int, str, str], Response],
) -> None:
    """How somebody lies, turns, and a yes to what is proposed."""

    @app.get("/api/v1/units/{unit}/pressure-care")
    def state(unit: str) -> dict[str, Any]:
        return world.lying.get(unit, lying(None))

    @app.post("/api/v1/units/{unit}/pressure-care/turns")
    def turn(unit: str, request: Request) -> Response:
        if world.refuse is not None:
            return problem(*world.refuse)
        world.turned.append((unit, who(request) or ""))
        world.lying[unit] = lying(now_us())
        return JSONResponse(world.lying[unit], 201)

    @app.post("/api/v1/units/{unit}/pressure-care/proposals/{proposed_at}/confirm")
    async def confirm(unit: str, proposed_at: int, request: Request) -> Response:
        if world.refuse is not None:
            return problem(*world.refuse)
        by, reason = who(request) or "", (await request.json())["reason"]
        world.confirmed.append((unit, proposed_at, reason))
        world.tell_lying(unit, world.lying[unit] | {"at": now_us(), "confirmed_by": by})
        taken = command(unit, "requested", by=by, arguments={"mode": "alternate"})
        world.notify({"type": "command", "command": taken})
        return JSONResponse(taken, 202)
