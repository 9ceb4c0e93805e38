"""What did not arrive, and what was refused."""

import base64
from typing import Annotated

from fastapi import APIRouter, Path, Query

from gateway.api.auth import RejectViewer, TheServices, UnitViewer
from gateway.api.cursor import page_of, page_request
from gateway.api.ports import Row
from gateway.api.problems import not_found
from gateway.api.schemas import MAX_INSTANT, Cursor, Gap, Limit, Page, Reject, RejectWithPayload, UnitFilter

router = APIRouter(tags=["evidence"])
RejectId = Annotated[int, Path(ge=1, le=MAX_INSTANT, description="id of a reject")]


@router.get("/gaps", response_model=Page[Gap], summary="Numbers that are missing, newest first")
async def gaps(
    actor: UnitViewer,
    services: TheServices,
    unit: UnitFilter = None,
    open: Annotated[bool, Query(description="only those still open")] = False,  # noqa: A002 - the query's word
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Row:
    """The gap ledger: open, healed, lost and shed ranges of the units in your scope."""
    page = page_request(limit, cursor)
    rows = await services.read(lambda db: services.evidence.gaps(db, actor.scope, page, unit=unit, open_only=open))
    return page_of(rows, page, lambda row: (row["id"], ""))


@router.get("/rejects", response_model=Page[Reject], summary="Refused input, newest first")
async def rejects(
    actor: RejectViewer,
    services: TheServices,
    unit: UnitFilter = None,
    reason: Annotated[str | None, Query(max_length=32, examples=["bad-schema"])] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Row:
    """Without payloads. Input that names no registered unit is shown to those who may see every site."""
    page = page_request(limit, cursor)
    rows = await services.read(lambda db: services.evidence.rejects(db, actor.scope, page, unit=unit, reason=reason))
    return page_of(rows, page, lambda row: (row["id"], ""))


@router.get(
    "/rejects/{reject}", response_model=RejectWithPayload, summary="Refused input as it came", responses={404: {}}
)
async def reject(reject: RejectId, actor: RejectViewer, services: TheServices) -> Row:
    """With its payload, which may hold anything: that somebody looked is audited."""
    row = await services.read(lambda db: services.evidence.reject(db, reject, actor.scope))
    if row is None:
        raise not_found("reject")
    now = services.clock()
    await services.write(lambda db: services.audit.append(db, now, actor.name, "reject-viewed", str(reject), {}))
    return row | {"payload": base64.b64encode(row["payload"]).decode()}
