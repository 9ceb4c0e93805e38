"""The roster: who is on duty, and the ladders that ask for them."""

from typing import Annotated
from uuid import uuid4

import msgspec
from fastapi import APIRouter, Path, Query
from sqlalchemy import Connection

from gateway.alerts.ladder import LADDERS
from gateway.alerts.roster import CONTACTS, LONGEST_SHIFT
from gateway.api.alert_schemas import Ladders, NewShift, ShiftState
from gateway.api.auth import AlertViewer, RosterKeeper, TheServices
from gateway.api.cursor import page_of, page_request
from gateway.api.ports import Row
from gateway.api.problems import ProblemError, Reason, not_found
from gateway.api.schemas import Cursor, Limit, Page
from gateway.api.services import Services

router = APIRouter(tags=["roster"])
ShiftId = Annotated[str, Path(min_length=1, max_length=36, description="id of a shift")]


@router.get("/ladders", response_model=Ladders, summary="Escalation ladders")
async def ladders(_: AlertViewer, services: TheServices) -> Row:
    """Who is told, when and how, by setting and priority; and the service hours."""
    hours = [
        {"setting": setting, **msgspec.structs.asdict(hours), "days": sorted(hours.days)}
        for setting, hours in services.service_hours().items()
    ]
    return {"ladders": [LADDERS[name] for name in sorted(LADDERS)], "hours": hours}


@router.get("/shifts", response_model=Page[ShiftState], summary="Shifts, by beginning")
async def shifts(
    actor: AlertViewer,
    services: TheServices,
    past: Annotated[bool, Query(description="also those that are over")] = False,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Row:
    """Of the sites in your scope. At a site that has never had one, every account of a fitting role is asked."""
    page = page_request(limit, cursor)
    since = 0 if past else services.clock()
    rows = await services.read(lambda db: services.rosters.shifts(db, actor.scope, page, since=since))
    return page_of(rows, page, lambda row: (row["start_at"], row["id"]))


@router.post(
    "/shifts", status_code=201, response_model=ShiftState, summary="Enter a shift", responses={404: {}, 422: {}}
)
async def add_shift(body: NewShift, actor: RosterKeeper, services: TheServices) -> Row:
    """From then to then this person is asked for that duty. It counts within two seconds; audited."""
    if not 0 < body.end_at - body.start_at <= LONGEST_SHIFT:
        raise ProblemError(422, Reason.INVALID_REQUEST, "a shift ends after it starts, within 36 hours")
    if body.duty in CONTACTS:
        raise ProblemError(422, Reason.INVALID_REQUEST, f"{body.duty} is reached where the patient is: no shift")
    if actor.scope is not None and body.site not in actor.scope:
        raise not_found("site")
    row = body.model_dump() | {"id": str(uuid4()), "unit": body.unit or "", "entered_by": actor.name}
    now = services.clock()

    def job(db: Connection) -> None:
        _check_who_and_where(services, db, row)
        services.rosters.add(db, row)
        services.audit.append(db, now, actor.name, "shift-entered", row["id"], _about(row))

    await services.write(job)
    services.on_roster()
    return row


def _check_who_and_where(services: Services, db: Connection, row: Row) -> None:
    account = services.accounts.find(db, row["account"])
    if account is None or account.disabled_at is not None:
        raise not_found("account")
    if row["site"] not in [site["id"] for site in services.registry.sites(db, None)]:
        raise not_found("site")
    if row["unit"]:
        unit = services.registry.unit(db, row["unit"], None)
        if unit is None or unit["site"] != row["site"]:
            raise not_found("unit")


@router.delete("/shifts/{shift}", response_model=ShiftState, summary="Take out a shift", responses={404: {}})
async def remove_shift(shift: ShiftId, actor: RosterKeeper, services: TheServices) -> Row:
    """Nobody is asked by it any more; the audit log keeps it."""
    now = services.clock()

    def job(db: Connection) -> Row:
        row = services.rosters.shift(db, shift, actor.scope)
        if row is None or not services.rosters.remove(db, shift):
            raise not_found("shift")
        services.audit.append(db, now, actor.name, "shift-removed", shift, _about(row))
        return row

    removed = await services.write(job)
    services.on_roster()
    return removed


def _about(row: Row) -> Row:
    return {name: row[name] for name in ("account", "duty", "site", "unit", "start_at", "end_at")}
