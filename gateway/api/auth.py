"""Who makes a request: session cookie to `Actor`, and what the actor's role allows."""

import ipaddress
from collections.abc import Awaitable, Callable
from typing import Annotated, Final

from fastapi import Depends, Response
from fastapi.requests import HTTPConnection

from gateway.api.passwords import secret_hash
from gateway.api.permissions import ALLOWED, Action
from gateway.api.ports import Actor, Row
from gateway.api.problems import ProblemError, Reason, not_found
from gateway.api.schemas import UnitId
from gateway.api.services import Services

COOKIE: Final = "lastmile_session"
SESSION_SECONDS: Final = 12 * 3600


def services_of(connection: HTTPConnection) -> Services:
    """What `create_app` was given."""
    services: Services = connection.app.state.services
    return services


TheServices = Annotated[Services, Depends(services_of)]


async def signed_in(connection: HTTPConnection, services: TheServices) -> Actor:
    """The actor, who may still have to choose a password.

    Raises:
        ProblemError: 401, nobody is signed in.
    """
    secret = connection.cookies.get(COOKIE, "")
    if secret:
        actor = await services.read(lambda db: services.accounts.actor(db, secret_hash(secret), services.clock()))
        if actor:
            return actor
    raise ProblemError(401, Reason.NOT_SIGNED_IN, "sign in first: POST /api/v1/session")


async def current_actor(actor: Annotated[Actor, Depends(signed_in)]) -> Actor:
    """The actor of a request.

    Raises:
        ProblemError: 401 nobody is signed in, 403 the one-time secret has not been replaced.
    """
    if actor.must_change_password:
        raise ProblemError(403, Reason.PASSWORD_CHANGE_REQUIRED, "choose a password: POST /api/v1/session/password")
    return actor


CurrentActor = Annotated[Actor, Depends(current_actor)]


def allow(action: Action) -> Callable[[CurrentActor], Awaitable[Actor]]:
    """A dependency that gives the actor, or refuses with 403 when the role may not do ``action``."""

    async def allowed_actor(actor: CurrentActor) -> Actor:
        require(actor, action)
        return actor

    return allowed_actor


def require(actor: Actor, action: Action) -> None:
    """For an endpoint whose action depends on what is asked.

    Raises:
        ProblemError: 403, the role may not do ``action``.
    """
    if action not in ALLOWED[actor.role]:
        raise ProblemError(403, Reason.NOT_ALLOWED, f"the role {actor.role} may not {action}")


UnitViewer = Annotated[Actor, Depends(allow(Action.VIEW_UNITS))]
SignalViewer = Annotated[Actor, Depends(allow(Action.VIEW_SIGNALS))]
AlertViewer = Annotated[Actor, Depends(allow(Action.VIEW_ALERTS))]
Acknowledger = Annotated[Actor, Depends(allow(Action.ACKNOWLEDGE))]
Silencer = Annotated[Actor, Depends(allow(Action.SILENCE))]
AlertJudge = Annotated[Actor, Depends(allow(Action.JUDGE_ALERTS))]
RosterKeeper = Annotated[Actor, Depends(allow(Action.KEEP_ROSTER))]
PeopleViewer = Annotated[Actor, Depends(allow(Action.VIEW_PEOPLE))]
Associator = Annotated[Actor, Depends(allow(Action.ASSOCIATE))]
LimitKeeper = Annotated[Actor, Depends(allow(Action.SET_LIMITS))]
TurnRecorder = Annotated[Actor, Depends(allow(Action.RECORD_TURN))]
DeviceCommander = Annotated[Actor, Depends(allow(Action.COMMAND_DEVICES))]
ServiceMember = Annotated[Actor, Depends(allow(Action.SERVICE_DEVICES))]
Trainer = Annotated[Actor, Depends(allow(Action.TRAIN))]
NotificationKeeper = Annotated[Actor, Depends(allow(Action.RETRY_NOTIFICATIONS))]
RejectViewer = Annotated[Actor, Depends(allow(Action.VIEW_REJECTS))]
AccountManager = Annotated[Actor, Depends(allow(Action.MANAGE_ACCOUNTS))]


async def visible_unit(unit: UnitId, actor: UnitViewer, services: TheServices) -> Row:
    """The unit of the path.

    Raises:
        ProblemError: 404, unknown or at a site outside the actor's scope.
    """
    row = await services.read(lambda db: services.registry.unit(db, unit, actor.scope))
    if row is None:
        raise not_found("unit")
    return row


VisibleUnit = Annotated[Row, Depends(visible_unit)]


def is_loopback(hostname: str | None) -> bool:
    """Whether the name can only mean this machine."""
    if hostname == "localhost":
        return True
    try:
        return ipaddress.ip_address(hostname or "").is_loopback
    except ValueError:
        return False


def set_session_cookie(response: Response, connection: HTTPConnection, secret: str) -> None:
    """Hands the secret to the browser; without TLS only to one on this machine."""
    plain = connection.url.scheme == "http" and is_loopback(connection.url.hostname)
    response.set_cookie(
        COOKIE, secret, max_age=SESSION_SECONDS, path="/", secure=not plain, httponly=True, samesite="strict"
    )
