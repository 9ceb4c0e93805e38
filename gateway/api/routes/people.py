"""People, and which device speaks for whom."""

from typing import Annotated, Any
from uuid import uuid4

from fastapi import APIRouter, Path, Query
from sqlalchemy import Connection

from gateway.api.auth import Associator, PeopleViewer, TheServices
from gateway.api.cursor import page_of, page_request
from gateway.api.permissions import SIGHT, see_person
from gateway.api.ports import Actor, Row
from gateway.api.problems import ProblemError, Reason, not_found
from gateway.api.schemas import (
    MAX_INSTANT,
    AssociationEnd,
    AssociationState,
    Cursor,
    Limit,
    NewAssociation,
    NewPerson,
    Page,
    Person,
    UnitFilter,
)
from gateway.api.services import Services

router = APIRouter(tags=["people"])
PersonId = Annotated[str, Path(min_length=1, max_length=36, description="pseudonym of a person")]
AssociationId = Annotated[int, Path(ge=1, le=MAX_INSTANT, description="id of an association")]


@router.get("/people", response_model=Page[Person], summary="People, newest first")
async def people(actor: PeopleViewer, services: TheServices, limit: Limit = 100, cursor: Cursor = None) -> Row:
    """People a device at one of your sites speaks or spoke for, and those bound to no device yet.

    Doctors and nurses see names; dispatchers a masked one; others the pseudonym.
    """
    page = page_request(limit, cursor)
    rows = await services.read(lambda db: services.people.people(db, actor.scope, page))
    answer = page_of(rows, page, lambda row: (row["created_at"], row["id"]))
    return answer | {"items": [see_person(row, SIGHT[actor.role]) for row in answer["items"]]}


@router.get("/people/{person}", response_model=Person, summary="One person", responses={404: {}})
async def person(person: PersonId, actor: PeopleViewer, services: TheServices) -> Row:
    """As far as your role sees people."""
    row = await services.read(lambda db: services.people.person(db, person, actor.scope))
    if row is None:
        raise not_found("person")
    return see_person(row, SIGHT[actor.role])


@router.post("/people", status_code=201, response_model=Person, summary="Register a person")
async def register(body: NewPerson, actor: Associator, services: TheServices) -> Row:
    """Under a new pseudonym; what is not known may stay empty."""
    now = services.clock()
    row: dict[str, Any] = {"id": str(uuid4()), **body.model_dump(), "created_at": now}

    def job(db: Connection) -> None:
        services.people.add_person(db, row)
        services.audit.append(db, now, actor.name, "person-registered", row["id"], {})

    await services.write(job)
    return row


@router.get("/associations", response_model=Page[AssociationState], summary="Associations, newest first")
async def associations(
    actor: PeopleViewer,
    services: TheServices,
    unit: UnitFilter = None,
    subject: Annotated[str | None, Query(max_length=36, description="only this person")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Row:
    """Of the units in your scope."""
    page = page_request(limit, cursor)
    rows = await services.read(
        lambda db: services.people.associations(db, actor.scope, page, unit=unit, subject=subject)
    )
    return page_of(rows, page, lambda row: (row["id"], ""))


@router.post(
    "/associations",
    status_code=201,
    response_model=AssociationState,
    summary="Say whom a device speaks for",
    responses={404: {}, 409: {}},
)
async def associate(body: NewAssociation, actor: Associator, services: TheServices) -> Row:
    """From ``start_at`` until it is ended. A device speaks for one person at a time: end the old one first.

    With both times given, what was measured then becomes the person's: a late binding.
    """
    now = services.clock()
    await services.read(lambda db: _require_both(db, body, actor, services))
    wanted = {
        **body.model_dump(mode="json"),
        "start_at": now if body.start_at is None else body.start_at,
        "confirmed_by": actor.name,
    }
    if body.end_at is not None and body.end_at <= wanted["start_at"]:
        raise ProblemError(422, Reason.INVALID_REQUEST, "it cannot end before it starts")

    def job(db: Connection) -> Row | None:
        row = services.people.associate(db, wanted)
        if row is not None:
            services.audit.append(db, now, actor.name, "associated", str(row["id"]), wanted)
        return row

    row = await services.write(job)
    if row is None:
        raise ProblemError(409, Reason.ALREADY_ASSOCIATED, "the device speaks for somebody already: end that first")
    services.on_association(body.unit)
    return row


def _require_both(db: Connection, body: NewAssociation, actor: Actor, services: Services) -> None:
    if services.registry.unit(db, body.unit, actor.scope) is None:
        raise not_found("unit")
    if services.people.person(db, body.subject, actor.scope) is None:
        raise not_found("person")


@router.patch(
    "/associations/{association}",
    response_model=AssociationState,
    summary="End an association",
    responses={404: {}, 409: {}},
)
async def end(association: AssociationId, body: AssociationEnd, actor: Associator, services: TheServices) -> Row:
    """The device speaks for nobody from ``end_at`` on."""
    row = await services.read(lambda db: services.people.association(db, association, actor.scope))
    if row is None:
        raise not_found("association")
    now = services.clock()
    end_at = now if body.end_at is None else body.end_at
    if end_at < row["start_at"]:
        raise ProblemError(422, Reason.INVALID_REQUEST, "it cannot end before it starts")

    def job(db: Connection) -> bool:
        ended = services.people.end_association(db, association, end_at, now)
        if ended:
            services.audit.append(db, now, actor.name, "association-ended", str(association), {"end_at": end_at})
        return ended

    if not await services.write(job):
        raise ProblemError(409, Reason.ALREADY_ENDED, "it had ended already")
    services.on_association(row["unit"])
    return row | {"end_at": end_at}
