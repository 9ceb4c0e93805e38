"""Care plans as the page asks for them; what follows from a plan is the gateway's own arithmetic."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from gateway.derive.plans import CarePlan, Content, PlanKind
from gateway.derive.scores.score import Person
from gateway.rules.plan_rows import limits_of
from tests.browser.world import now_us

if TYPE_CHECKING:
    from tests.browser.feed_server import FeedServer

Plan = dict[str, Any]
SIXTY = Person(age_days=22_000)


def plan(number: int, content: dict[str, Any], **more: Any) -> Plan:
    """A plan that counts, as the API tells it."""
    read: Content = msgspec.convert(content, Content)
    kind, at = PlanKind(content["kind"]), now_us()
    limits = limits_of({kind: CarePlan("", read, "", at, at)}, SIXTY)
    return {
        "id": f"plan-{number}", "person": "p-1", "plan": msgspec.to_builtins(read),
        "reason": "six weeks after infarction", "set_by": "dr.li", "set_at": at,
        "expires_at": at + 90 * 86_400_000_000, "removed_at": None, "removed_by": None,
        "limits": {code: limit.limit for code, limit in limits.items()}, "population": "adult",
        "refused": None, "refused_because": None, **more,
    }  # fmt: skip


def plan_routes(app: FastAPI, world: "FeedServer", problem: Callable[[int, str, str], Response]) -> None:
    """``problem``: how a refusal is told."""

    @app.get("/api/v1/people/{person}/plans")
    def plans(person: str) -> dict[str, Any]:
        return {"items": [one for one in world.plans if one["person"] == person]}

    @app.post("/api/v1/people/{person}/plans")
    async def set_plan(person: str, request: Request) -> Response:
        body = await request.json()
        if world.refuse is not None:
            return problem(*world.refuse)
        made = plan(len(world.plans) + 1, body["plan"], reason=body["reason"], expires_at=body["expires_at"])
        world.planned.append(body)
        world.plans = [one for one in world.plans if one["id"] != body["replaces"]] + [made | {"person": person}]
        return JSONResponse(made, 201)

    @app.delete("/api/v1/people/{person}/plans/{plan_id}")
    def end_plan(person: str, plan_id: str) -> dict[str, Any]:
        [ended] = [one for one in world.plans if (one["person"], one["id"]) == (person, plan_id)]
        world.plans = [one for one in world.plans if one is not ended]
        return ended
