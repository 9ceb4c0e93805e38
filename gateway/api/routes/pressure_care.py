"""How somebody lies: doses, the turn clock, what is proposed for the mattress; turns and confirmations."""

from typing import Annotated, Any, Final
from uuid import uuid4

import msgspec
from fastapi import APIRouter, Path, Response

from gateway.api.auth import DeviceCommander, SignalViewer, TheServices, TurnRecorder, VisibleUnit
from gateway.api.ports import Row
from gateway.api.problems import ProblemError, Reason
from gateway.api.routes.commands import DEFAULT_SECONDS
from gateway.api.schemas import MAX_INSTANT, CommandState
from gateway.api.services import Services
from gateway.api.turn_schemas import PressureCareState, ProposalConfirmation, TurnRecord
from gateway.commands.command import CommandConflict, RemoteCommand
from gateway.contract.quantity import HOUR, SECOND
from gateway.derive.pressure import Care, CareRefused, confirmable

router = APIRouter(prefix="/units/{unit}/pressure-care", tags=["pressure care"])
OLDEST_TURN: Final = 24 * HOUR  # one that was longer ago says nothing about how they lie now
ProposedAt = Annotated[int, Path(ge=0, le=MAX_INSTANT, description="`proposed_at` of the proposal")]


@router.get("", response_model=PressureCareState, summary="How somebody lies", responses={404: {}})
async def state(row: VisibleUnit, _: SignalViewer, services: TheServices) -> Row:
    """Told once a minute, and at once when people or the bed changed something. A lapsed proposal is left out."""
    return await _state(row["id"], services)


async def _state(unit: str, services: Services) -> Row:
    care, now = await _newest(unit, services), services.clock()
    clock = care.clock()
    told: Row = msgspec.to_builtins(care)
    if care.proposal is not None and now >= care.proposal.lapses_at:
        told |= {"proposal": None, "confirmed_by": ""}
    return told | {
        "at": care.at or None,
        "due_at": clock.due_at if clock else None,
        "state": clock.state(now) if clock else None,
    }


async def _newest(unit: str, services: Services) -> Care:
    found = await services.read(lambda db: services.turn_reads.newest(db, unit, services.clock()))
    return found or Care(0)


@router.post(
    "/turns", status_code=201, response_model=PressureCareState, summary="Record a turn",
    responses={404: {}, 409: {}},
)  # fmt: skip
async def turn(body: TurnRecord, row: VisibleUnit, actor: TurnRecorder, services: TheServices) -> Row:
    """The clock and the doses begin anew from then on."""
    now = services.clock()
    at = now if body.at is None else body.at
    if not now - OLDEST_TURN <= at <= now:
        raise ProblemError(422, Reason.INVALID_REQUEST, "a turn is recorded when it has been done, within a day")
    try:
        await services.turns.turned(row["id"], at, actor.name)
    except CareRefused as refused:
        raise _problem(refused) from refused
    return await _state(row["id"], services)


@router.post(
    "/proposals/{proposed_at}/confirm", status_code=202, response_model=CommandState,
    summary="Confirm what is proposed for the mattress", responses={404: {}, 409: {}},
)  # fmt: skip
async def confirm(
    proposed_at: ProposedAt, body: ProposalConfirmation, row: VisibleUnit, actor: DeviceCommander,
    services: TheServices, response: Response,
) -> dict[str, Any]:  # fmt: skip
    """It becomes a command of whoever confirms it: judged by the mattress, read back, with one outcome. Follow it.

    409 when it has lapsed, when the mattress has done it, and when somebody else has confirmed it.
    """
    care, now = await _newest(row["id"], services), services.clock()
    try:
        proposal = confirmable(care, proposed_at, actor.name, now).proposal
        wanted = RemoteCommand(
            id=str(uuid4()), site=row["site"], unit=row["id"], device=care.mattress, name=proposal.command,
            arguments=proposal.arguments, reason=body.reason, requested_by=actor.name, role=actor.role,
            requested_at=now, expires_at=now + DEFAULT_SECONDS * SECOND,
        )  # fmt: skip
        taken = await services.turns.confirm(proposed_at, wanted)
    except (CareRefused, CommandConflict) as refused:
        raise _problem(refused) from refused
    response.headers["Location"] = f"/api/v1/units/{taken.unit}/commands/{taken.id}"
    answer: dict[str, Any] = msgspec.to_builtins(taken)
    return answer


def _problem(refused: CareRefused | CommandConflict) -> ProblemError:
    return ProblemError(409, Reason(refused.reason.value), refused.detail)
