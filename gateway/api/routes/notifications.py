"""Who was told of what, through what, and what became of it. Dead letters are those of ``state=dead``."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from sqlalchemy import Connection

from gateway.api.auth import AlertViewer, NotificationKeeper, TheServices
from gateway.api.cursor import page_of, page_request
from gateway.api.notification_schemas import DeliveryState, NotificationState
from gateway.api.ports import Row
from gateway.api.problems import ProblemError, Reason, not_found
from gateway.api.schemas import Cursor, Limit, Page

router = APIRouter(prefix="/notifications", tags=["notifications"])
NotificationId = Annotated[str, Path(min_length=1, max_length=36, description="id of a notification")]
AlertFilter = Annotated[str | None, Query(max_length=36, description="only of this alert", examples=["alert-1"])]
StateFilter = Annotated[DeliveryState | None, Query(description="with a delivery in this state; dead = dead letters")]


@router.get("", response_model=Page[NotificationState], summary="Notifications, newest first")
async def notifications(
    actor: AlertViewer,
    services: TheServices,
    alert: AlertFilter = None,
    state: StateFilter = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Row:
    """Of the units in your scope, and those about the gateway itself; each with its deliveries."""
    page = page_request(limit, cursor)
    rows = await services.read(
        lambda db: services.notifications.notifications(db, actor.scope, page, alert=alert, state=state)
    )
    return page_of(rows, page, lambda row: (row["at"], row["id"]))


@router.get("/{notification}", response_model=NotificationState, summary="One notification", responses={404: {}})
async def notification(notification: NotificationId, actor: AlertViewer, services: TheServices) -> Row:
    """With its deliveries as they are now."""
    row = await services.read(lambda db: services.notifications.notification(db, notification, actor.scope))
    if row is None:
        raise not_found("notification")
    return row


@router.post(
    "/{notification}/retry",
    response_model=NotificationState,
    summary="Send dead letters again",
    responses={404: {}, 409: {}},
)
async def retry(notification: NotificationId, actor: NotificationKeeper, services: TheServices) -> Row:
    """Makes what was given up due again, as if for the first time. Audited.

    What was put right in notify.toml counts after the gateway's next start. 409: there is no dead letter in it.
    """
    now, about = services.clock(), services.notifications

    def job(db: Connection) -> Row | None:
        if about.notification(db, notification, actor.scope) is None:
            raise not_found("notification")
        count = about.retry(db, notification, now)
        if not count:
            raise ProblemError(409, Reason.NO_DEAD_LETTER, "nothing of it was given up")
        services.audit.append(db, now, actor.name, "notification-retried", notification, {"deliveries": count})
        return about.notification(db, notification, actor.scope)

    row = await services.write(job)
    services.on_retry()
    if row is None:
        raise not_found("notification")
    return row
