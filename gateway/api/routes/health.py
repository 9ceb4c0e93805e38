"""For machines that watch the gateway: ``/healthz``, ``/readyz``, ``/metrics``; and ``/about``."""

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from gateway.api.auth import TheServices
from gateway.api.schemas import About, DemoCredentials, Health, Readiness

root = APIRouter(tags=["operation"])
router = APIRouter(tags=["operation"])


@root.get("/healthz", summary="Is the process alive")
async def healthz(services: TheServices) -> Health:
    """Answers as long as the event loop turns; the watcher looks at the rest."""
    return Health(status="ok", canary_at=services.canary_at(), notifier_at=services.notifier_at())


@root.get("/readyz", summary="Can it do its work", responses={503: {"model": Readiness}})
async def readyz(response: Response, services: TheServices) -> Readiness:
    """200 when it can; else 503 with the reasons."""
    reasons = services.readiness()
    response.status_code = 503 if reasons else 200
    return Readiness(ready=not reasons, reasons=reasons)


@root.get(
    "/metrics",
    summary="Prometheus metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def metrics(services: TheServices) -> Response:
    """No names of people in it. Needs no session: keep it behind the reverse proxy."""
    return Response(generate_latest(services.metrics), media_type=CONTENT_TYPE_LATEST)


@router.get("/about", summary="What this program is")
async def about(services: TheServices) -> About:
    """Needs no session."""
    demo = services.demo
    login = DemoCredentials(username=demo.username, password=demo.password) if demo else None
    return About(version=services.version, demo=demo is not None, demo_login=login)
