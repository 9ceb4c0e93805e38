"""The catalogue of alerts, the limits of one patient, and what a clinician records that decides which limits count."""

from typing import Annotated, Any, Final
from uuid import uuid4

from fastapi import APIRouter, Path, Query
from sqlalchemy import Connection

from gateway.api.auth import AlertViewer, LimitKeeper, TheServices
from gateway.api.limit_schemas import (
    AlertCatalogue,
    ClinicalFacts,
    ClinicalState,
    NewPersonLimit,
    PersonLimits,
    PersonLimitState,
)
from gateway.api.ports import Actor, Row
from gateway.api.problems import ProblemError, Reason, not_found
from gateway.api.schemas import UnitFilter
from gateway.api.services import Services
from gateway.contract.quantity import HOUR
from gateway.rules.patient import LimitRefused, Patient, check_limit, row_for, silent_on

router = APIRouter(tags=["limits"])
PersonId = Annotated[str, Path(min_length=1, max_length=36, description="pseudonym of a person")]
LimitId = Annotated[str, Path(min_length=1, max_length=36, description="id of a limit")]
LONGEST: Final = 90 * 24 * HOUR
_CONFLICTS: Final = {LimitRefused.BEYOND_GRAVER, LimitRefused.CROSSES, LimitRefused.OTHER_POPULATION}


@router.get("/alert-catalogue", response_model=AlertCatalogue, summary="Every alert", responses={404: {}})
async def catalogue(actor: AlertViewer, services: TheServices, unit: UnitFilter = None) -> Row:
    """With the limits of this site; with ``unit``, those that count for its patient now, or why a row does not."""
    ruleset = services.ruleset
    if unit is None:
        rows = [row.describe() for row in ruleset.rows.values()]
        return {"version": ruleset.version, "items": rows}
    if await services.read(lambda db: services.registry.unit(db, unit, actor.scope)) is None:
        raise not_found("unit")
    patient = services.patient_of(unit)
    fitted = ((row, row_for(row, patient) or row) for row in ruleset.rows.values())
    rows = [shown.describe() | {"refused": silent_on(row, patient)} for row, shown in fitted]
    return {"version": ruleset.version, "items": rows}


@router.get("/people/{person}/limits", response_model=PersonLimits, summary="A person's limits", responses={404: {}})
async def limits(
    person: PersonId,
    actor: LimitKeeper,
    services: TheServices,
    every: Annotated[bool, Query(alias="all", description="also those that have ended")] = False,
) -> Row:
    """Limits that replace those of the catalogue for this person, newest first."""
    now = services.clock()
    await services.read(lambda db: person_of(db, person, actor, services))
    rows = await services.read(lambda db: services.limits.limits(db, person, now, open_only=not every))
    return {"items": rows}


@router.post(
    "/people/{person}/limits",
    status_code=201,
    response_model=PersonLimitState,
    summary="Set a limit for one person",
    responses={404: {}, 409: {}},
)
async def set_limit(person: PersonId, body: NewPersonLimit, actor: LimitKeeper, services: TheServices) -> Row:
    """Counts from now until it expires or is ended, on every device that speaks for the person."""
    now = services.clock()
    patient = await services.read(lambda db: person_of(db, person, actor, services))
    if not now < body.expires_at <= now + LONGEST:
        raise ProblemError(422, Reason.INVALID_REQUEST, "it has to expire, within 90 days")
    refused = check_limit(services.ruleset.rows, patient, body.rule, body.limit)
    if refused is not None:
        status = 409 if refused.reason in _CONFLICTS else 422
        raise ProblemError(status, Reason(refused.reason), refused.detail)
    row: dict[str, Any] = {
        "id": str(uuid4()), "person": person, **body.model_dump(), "set_by": actor.name, "set_at": now,
        "removed_at": None, "removed_by": None,
    }  # fmt: skip

    def job(db: Connection) -> bool:
        added = services.limits.add_limit(db, row)
        if added:
            details = {name: row[name] for name in ("id", "rule", "limit", "reason", "expires_at")}
            services.audit.append(db, now, actor.name, "limit-set", person, details)
        return added

    if not await services.write(job):
        raise ProblemError(409, Reason.LIMIT_EXISTS, f"{body.rule} has a limit for this person: end that first")
    services.on_association("")
    return row


@router.delete(
    "/people/{person}/limits/{limit}",
    response_model=PersonLimitState,
    summary="End a person's limit",
    responses={404: {}, 409: {}},
)
async def end_limit(person: PersonId, limit: LimitId, actor: LimitKeeper, services: TheServices) -> Row:
    """The catalogue's limit counts again."""
    await services.read(lambda db: person_of(db, person, actor, services))
    row = await services.read(lambda db: services.limits.limit(db, person, limit))
    if row is None:
        raise not_found("limit")
    now = services.clock()

    def job(db: Connection) -> bool:
        ended = services.limits.remove_limit(db, limit, now, actor.name)
        if ended:
            services.audit.append(db, now, actor.name, "limit-ended", person, {"id": limit, "rule": row["rule"]})
        return ended

    if not await services.write(job):
        raise ProblemError(409, Reason.ALREADY_ENDED, "it had ended already")
    services.on_association("")
    return row | {"removed_at": now, "removed_by": actor.name}


@router.get("/people/{person}/clinical", response_model=ClinicalState, summary="Clinical facts", responses={404: {}})
async def clinical(person: PersonId, actor: LimitKeeper, services: TheServices) -> Row:
    """Pregnancy and oxygen target as recorded, and the population that limits and scores take the person for."""
    patient = await services.read(lambda db: person_of(db, person, actor, services))
    row = await services.read(lambda db: services.people.person(db, person, actor.scope))
    return _facts(row or {}, patient)


@router.put(
    "/people/{person}/clinical", response_model=ClinicalState, summary="Record clinical facts", responses={404: {}}
)
async def record(person: PersonId, body: ClinicalFacts, actor: LimitKeeper, services: TheServices) -> Row:
    """A clinician's word; it replaces what was recorded before, and is audited."""
    now = services.clock()
    await services.read(lambda db: person_of(db, person, actor, services))
    facts: dict[str, Any] = {**body.model_dump(mode="json"), "recorded_by": actor.name, "recorded_at": now}

    def job(db: Connection) -> Patient | None:
        services.limits.record(db, person, facts)
        services.audit.append(db, now, actor.name, "clinical-facts", person, body.model_dump(mode="json"))
        return services.limits.patient(db, person, now)

    patient = await services.write(job)
    services.on_association("")
    return _facts(facts, patient or Patient(person))


def _facts(row: Row, patient: Patient) -> Row:
    placed = patient.placed
    stated = {"pregnancy": row.get("pregnancy") or "none", "population": placed.population, "assumed": placed.assumed}
    return stated | {name: row.get(name) for name in ("spo2_target", "recorded_by", "recorded_at")}


def person_of(db: Connection, person: str, actor: Actor, services: Services) -> Patient:
    """A person in the actor's scope, as far as limits depend on them.

    Raises:
        ProblemError: 404, unknown or at no site in the actor's scope.
    """
    if services.people.person(db, person, actor.scope) is None:
        raise not_found("person")
    return services.limits.patient(db, person, services.clock()) or Patient(person)
