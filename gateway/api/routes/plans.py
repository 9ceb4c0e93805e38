"""Care plans of a person: a training range, a personal best, how often they measure at home; and what readings mean."""

from typing import Annotated, Any, Final
from uuid import uuid4

import msgspec
from fastapi import APIRouter, Path, Query
from sqlalchemy import Connection

from gateway.api.auth import LimitKeeper, SignalViewer, TheServices
from gateway.api.plan_schemas import CarePlans, CarePlanState, NewCarePlan, Wordings
from gateway.api.ports import Actor, Row
from gateway.api.problems import ProblemError, Reason, not_found
from gateway.api.routes.limits import person_of
from gateway.api.routes.people import PersonId
from gateway.api.routes.subjects import VisiblePerson
from gateway.api.services import Services
from gateway.api.wordings import wordings_of
from gateway.contract.envelope import Instant
from gateway.contract.quantity import HOUR
from gateway.derive.plans import CarePlan, Content, PlanKind, refusal
from gateway.derive.wording import Wording
from gateway.rules.patient import Patient
from gateway.rules.plan_rows import limits_of

router = APIRouter(tags=["plans"])
of_person = APIRouter(prefix="/people/{person}", tags=["plans"])
PlanId = Annotated[str, Path(min_length=1, max_length=36, description="id of a care plan")]
LONGEST: Final = 366 * 24 * HOUR


@router.get("/people/{person}/plans", response_model=CarePlans, summary="A person's care plans", responses={404: {}})
async def plans(
    person: PersonId,
    actor: LimitKeeper,
    services: TheServices,
    every: Annotated[bool, Query(alias="all", description="also those that have ended")] = False,
) -> Row:
    """What clinicians plan for this person, newest first, with the limits that follow."""
    now = services.clock()
    patient = await services.read(lambda db: person_of(db, person, actor, services))
    rows = await services.read(lambda db: services.plans.plans(db, person, now, open_only=not every))
    return {"items": [_state(row, patient, now) for row in rows]}


@router.post(
    "/people/{person}/plans",
    status_code=201,
    response_model=CarePlanState,
    summary="Set a care plan for one person",
    responses={404: {}, 409: {}},
)
async def set_plan(person: PersonId, body: NewCarePlan, actor: LimitKeeper, services: TheServices) -> Row:
    """Counts from now until it expires, is ended, or is replaced by another of its kind."""
    now = services.clock()
    patient = await services.read(lambda db: person_of(db, person, actor, services))
    if not now < body.expires_at <= now + LONGEST:
        raise ProblemError(422, Reason.INVALID_REQUEST, "it has to expire, within 366 days")
    plan, kind = body.plan.model_dump(), PlanKind(body.plan.kind)
    refused = refusal(msgspec.convert(plan, Content), patient.person)
    if refused is not None:
        raise ProblemError(409, Reason.PLAN_REFUSED, refused.reason)
    row: dict[str, Any] = {
        "id": str(uuid4()), "person": person, "kind": kind, "plan": plan, "reason": body.reason,
        "set_by": actor.name, "set_at": now, "expires_at": body.expires_at, "removed_at": None, "removed_by": None,
    }  # fmt: skip

    def job(db: Connection) -> bool:
        if services.plans.counting(db, person, kind, now) != body.replaces:
            return False
        if body.replaces is not None:
            _end(db, person, body.replaces, now, actor, services)
        services.plans.add_plan(db, row)
        details = {name: row[name] for name in ("id", "plan", "reason", "expires_at")} | {"replaces": body.replaces}
        services.audit.append(db, now, actor.name, "plan-set", person, details)
        return True

    if not await services.write(job):
        raise ProblemError(
            409, Reason.PLAN_EXISTS, f"another {kind} plan counts than the one to be replaced: look anew"
        )
    services.on_association("")
    return _state(row, patient, now)


@router.delete(
    "/people/{person}/plans/{plan}",
    response_model=CarePlanState,
    summary="End a care plan",
    responses={404: {}, 409: {}},
)
async def end_plan(person: PersonId, plan: PlanId, actor: LimitKeeper, services: TheServices) -> Row:
    """Nothing follows from it any more; alerts that stand on it end."""
    patient = await services.read(lambda db: person_of(db, person, actor, services))
    row = await services.read(lambda db: services.plans.plan(db, person, plan))
    if row is None:
        raise not_found("plan")
    now = services.clock()
    if not await services.write(lambda db: _end(db, person, plan, now, actor, services)):
        raise ProblemError(409, Reason.ALREADY_ENDED, "it had ended already")
    services.on_association("")
    return _state(row | {"removed_at": now, "removed_by": actor.name}, patient, now)


def _end(db: Connection, person: str, plan: str, now: Instant, actor: Actor, services: Services) -> bool:
    ended = services.plans.end_plan(db, plan, now, actor.name)
    if ended:
        services.audit.append(db, now, actor.name, "plan-ended", person, {"id": plan})
    return ended


def _state(row: Row, patient: Patient, now: Instant) -> Row:
    """A plan with what follows from it; from one that has ended nothing does."""
    told = row | {"limits": {}, "population": patient.placed.population}
    if row["removed_at"] is not None or row["expires_at"] <= now:
        return told | {"refused": "ended", "refused_because": "it has ended"}
    content = msgspec.convert(row["plan"], Content)
    plan = CarePlan(row["id"], content, row["set_by"], row["set_at"], row["expires_at"])
    limits = {code: limit.limit for code, limit in limits_of({row["kind"]: plan}, patient.person).items()}
    refused = refusal(content, patient.person)
    why = (refused.code, refused.reason) if refused else (None, None)
    return told | {"limits": limits, "refused": why[0], "refused_because": why[1]}


@of_person.get(
    "/wordings", response_model=Wordings, summary="What a person's newest readings are called", responses={404: {}}
)
async def wordings(row: VisiblePerson, actor: SignalViewer, services: TheServices) -> Row:
    """Category of blood pressure, class of glucose, zone of peak flow, place in the training range; no diagnosis."""

    def job(db: Connection) -> list[Wording]:
        newest = services.subjects.latest(db, row["id"], actor.scope)
        return wordings_of(db, row["id"], newest, services)

    return {"items": await services.read(job)}
