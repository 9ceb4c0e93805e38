"""Alerts: list, look, acknowledge."""

from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Path, Query

from gateway.api.auth import Acknowledger, AlertViewer, TheServices
from gateway.api.cursor import page_of, page_request
from gateway.api.ports import AlertNotFound, IllegalTransition, Row
from gateway.api.problems import ProblemError, Reason, not_found
from gateway.api.schemas import AlertState, Cursor, Limit, Page, UnitFilter

router = APIRouter(prefix="/alerts", tags=["alerts"])
AlertId = Annotated[str, Path(min_length=1, max_length=36, description="id of an alert")]


class Which(StrEnum):
    """Which alerts are listed."""

    OPEN = "open"  # firing, acknowledged or latched
    ALL = "all"


@router.get("", response_model=Page[AlertState], summary="Alerts, newest first")
async def alerts(
    actor: AlertViewer,
    services: TheServices,
    state: Annotated[Which, Query(description="open, or all")] = Which.OPEN,
    unit: UnitFilter = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Row:
    """Of the units in your scope, and those about the gateway itself."""
    page = page_request(limit, cursor)
    rows = await services.read(
        lambda db: services.alert_reads.alerts(db, actor.scope, page, open_only=state is Which.OPEN, unit=unit)
    )
    return page_of(rows, page, lambda row: (row["raised_at"], row["id"]))


@router.get("/{alert}", response_model=AlertState, summary="One alert", responses={404: {}})
async def alert(alert: AlertId, actor: AlertViewer, services: TheServices) -> Row:
    """As it is now."""
    row = await services.read(lambda db: services.alert_reads.alert(db, alert, actor.scope))
    if row is None:
        raise not_found("alert")
    return row


@router.post("/{alert}/acknowledge", response_model=AlertState, summary="Take an alert", responses={404: {}, 409: {}})
async def acknowledge(alert: AlertId, actor: Acknowledger, services: TheServices) -> Row:
    """Says that you look after it; nothing at the bedside is silenced. Committed and audited when it answers."""
    row = await services.read(lambda db: services.alert_reads.alert(db, alert, actor.scope))
    if row is None:
        raise not_found("alert")
    try:
        changed = await services.alerts.acknowledge(alert, actor.name)
    except IllegalTransition as error:
        raise ProblemError(409, Reason.ILLEGAL_TRANSITION, f"the alert is {error.state}") from error
    except AlertNotFound as error:
        raise not_found("alert") from error
    now = services.clock()
    details = {"rule": row["rule"], "unit": row["unit"]}
    await services.write(lambda db: services.audit.append(db, now, actor.name, "acknowledge", alert, details))
    return changed
