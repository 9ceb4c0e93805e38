"""Whose readings: sessions of a unit, what was measured of a person, corrections."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from sqlalchemy import Connection

from gateway.api.auth import Associator, SignalViewer, TheServices, VisibleUnit
from gateway.api.care_schemas import Correction, SessionRow, SubjectSeries, SubjectValue
from gateway.api.cursor import page_of, page_request
from gateway.api.ports import Row
from gateway.api.problems import ProblemError, Reason, not_found
from gateway.api.routes.people import AssociationId, PersonId
from gateway.api.routes.signals import From, To, ucum
from gateway.api.schemas import MAX_INSTANT, AssociationState, Cursor, Happening, Page
from gateway.api.wordings import wordings_in
from gateway.contract.quantity import QUANTITIES

router = APIRouter(tags=["subjects"])
of_unit = APIRouter(prefix="/units/{unit}", tags=["subjects"])
of_person = APIRouter(prefix="/people/{person}", tags=["subjects"])

_HOUR = 3600 * 1_000_000
MAX_BOUND = 72 * _HOUR  # us of bound time one question may read
MAX_RANGE = 366 * 24 * _HOUR


async def visible_person(person: PersonId, actor: SignalViewer, services: TheServices) -> Row:
    """The person of the path.

    Raises:
        ProblemError: 404, unknown or at no site in the actor's scope.
    """
    row = await services.read(lambda db: services.people.person(db, person, actor.scope))
    if row is None:
        raise not_found("person")
    return row


VisiblePerson = Annotated[Row, Depends(visible_person)]


@of_unit.get("/sessions", response_model=Page[SessionRow], summary="Sessions of a unit", responses={404: {}})
async def sessions(
    row: VisibleUnit,
    _: SignalViewer,
    services: TheServices,
    from_at: Annotated[int, Query(alias="from", ge=0, le=MAX_INSTANT, description="us")] = 0,
    to: Annotated[int, Query(ge=0, le=MAX_INSTANT, description="us, excluded")] = MAX_INSTANT,
    limit: Annotated[int, Query(ge=1, le=100, description="rows of one page")] = 20,
    cursor: Cursor = None,
) -> Row:
    """Newest first, each with what was measured in it and what that is called."""
    page, now = page_request(limit, cursor), services.clock()

    def job(db: Connection) -> list[Row]:
        found = services.subjects.sessions(db, row["id"], page, now, start=from_at, end=to)
        wordings = wordings_in(db, services)
        for one in found:
            whose = one["measured"] if one["voided_at"] is None else ()
            one["wordings"] = wordings(one["subject"], whose)
            one["measured"] = [{**value, "unit": ucum(value["quantity"])} for value in one["measured"]]
        return found

    rows = await services.read(job)
    return page_of(rows, page, lambda one: (one["start_at"], str(one["id"])))


@of_person.get(
    "/latest", response_model=Page[SubjectValue], summary="A person's newest values",
    responses={404: {}},
)  # fmt: skip
async def latest(row: VisiblePerson, actor: SignalViewer, services: TheServices) -> Row:
    """The newest of each quantity, wherever it was measured within your scope."""
    values = await services.read(lambda db: services.subjects.latest(db, row["id"], actor.scope))
    return {"items": [{**value, "unit": ucum(value["quantity"])} for value in values]}


@of_person.get(
    "/series", response_model=SubjectSeries, summary="A person's quantity over time",
    responses={404: {}},
)  # fmt: skip
async def series(
    row: VisiblePerson,
    actor: SignalViewer,
    services: TheServices,
    quantity: Annotated[str, Query(max_length=64, description="a quantity's name", examples=["bp-systolic"])],
    from_at: From,
    to: To,
) -> Row:
    """Every value, oldest first: at most a year, and 72 hours in which devices spoke for the person."""
    if quantity not in QUANTITIES:
        raise ProblemError(422, Reason.UNKNOWN_QUANTITY, f"{quantity} is not a quantity")
    await _check_range(row, actor, services, from_at, to)
    points = await services.read(lambda db: services.subjects.series(db, row["id"], actor.scope, quantity, from_at, to))
    return {"quantity": quantity, "unit": ucum(quantity), "points": points}


@of_person.get(
    "/events", response_model=Page[Happening], summary="What happened to a person",
    responses={404: {}},
)  # fmt: skip
async def events(row: VisiblePerson, actor: SignalViewer, services: TheServices, from_at: From, to: To) -> Row:
    """Events of devices while they spoke for the person, oldest first; the same bounds as a series."""
    await _check_range(row, actor, services, from_at, to)
    return {"items": await services.read(lambda db: services.subjects.events(db, row["id"], actor.scope, from_at, to))}


async def _check_range(row: Row, actor: SignalViewer, services: TheServices, start: int, end: int) -> None:
    if end - start > MAX_RANGE:
        raise ProblemError(422, Reason.RANGE_TOO_LONG, "ask for less time")
    now = services.clock()
    bound = await services.read(lambda db: services.subjects.bound_time(db, row["id"], actor.scope, start, end, now))
    if bound > MAX_BOUND:
        raise ProblemError(422, Reason.RANGE_TOO_LONG, "devices spoke for the person for longer: ask for less time")


@router.post(
    "/associations/{association}/correct", response_model=AssociationState, summary="Say whose readings they were",
    responses={404: {}, 409: {}},
)  # fmt: skip
async def correct(association: AssociationId, body: Correction, actor: Associator, services: TheServices) -> Row:
    """Also long afterwards: what was measured then is found under the other person from now on, or is unbound."""
    row = await services.read(lambda db: services.people.association(db, association, actor.scope))
    if row is None:
        raise not_found("association")
    subject = body.subject
    if subject is not None and await services.read(lambda db: services.people.person(db, subject, actor.scope) is None):
        raise not_found("person")
    if subject == row["subject"] and row["confirmed_by"] and row["voided_at"] is None:
        raise ProblemError(409, Reason.ALREADY_ASSOCIATED, "it is that person's already")
    now = services.clock()
    details = {"before": row["subject"], "after": subject, "reason": body.reason}

    def job(db: Connection) -> Row:
        changed = services.people.correct_association(db, association, subject, actor.name, now)
        services.audit.append(db, now, actor.name, "association-corrected", str(association), details)
        return changed

    changed = await services.write(job)
    services.on_association(row["unit"])
    return changed
