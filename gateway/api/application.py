"""The application: one function puts the endpoints, the guard and the web app together."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI

from gateway.api import problems, socket
from gateway.api.guard import Guard
from gateway.api.openapi import describe
from gateway.api.pages import Pages
from gateway.api.routes import (
    accounts,
    alerts,
    care,
    commands,
    ecg,
    evidence,
    health,
    limits,
    notifications,
    people,
    plans,
    pressure_care,
    registry,
    roster,
    session,
    signals,
    subjects,
)
from gateway.api.services import Services

PREFIX = "/api/v1"


def create_app(services: Services) -> FastAPI:
    """The HTTP and WebSocket API on these services. Its lifespan runs the live feed's clock."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        ticking = asyncio.create_task(socket.run(services), name="live-clock")
        yield
        ticking.cancel()
        await asyncio.wait([ticking])

    app = FastAPI(
        title="Lastmile",
        version=services.version,
        summary="A hospital's gateway for devices and vehicles",
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,  # its page loads scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # ours is /metrics; addresses stay in the house
    )
    app.state.services = services
    app.state.doorman = session.Doorman()
    problems.install(app)
    app.add_middleware(Guard, loopback_only=services.demo is not None)
    app.include_router(_api())
    app.include_router(health.root)
    app.router.routes.append(Pages(services.static_dir))
    describe(app)
    return app


def _api() -> APIRouter:
    api = APIRouter(prefix=PREFIX)
    for router in (
        health.router,
        session.router,
        accounts.router,
        registry.router,
        registry.one,
        people.router,
        limits.router,
        plans.router,
        plans.of_person,
        signals.router,
        ecg.router,
        alerts.router,
        alerts.silencing,
        roster.router,
        notifications.router,
        commands.router,
        pressure_care.router,
        care.router,
        care.one,
        care.training,
        subjects.router,
        subjects.of_unit,
        subjects.of_person,
        evidence.router,
        socket.router,
    ):
        api.include_router(router)
    return api
