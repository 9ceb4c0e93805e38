"""Remote commands to a unit or a device behind it: ask, look."""

from enum import StrEnum
from typing import Annotated, Any
from uuid import uuid4

import msgspec
from fastapi import APIRouter, Path, Query, Response

from gateway.api.auth import TheServices, UnitViewer, VisibleUnit, require
from gateway.api.cursor import page_of, page_request
from gateway.api.permissions import SIGHT, Action, Sight
from gateway.api.ports import Actor, Row
from gateway.api.problems import ProblemError, Reason, not_found
from gateway.api.schemas import CommandRequest, CommandState, Cursor, Limit, Page
from gateway.commands.command import CommandConflict, RemoteCommand
from gateway.contract.envelope import Instant
from gateway.contract.observation import SUSTAINED, SUSTAINED_SECONDS

router = APIRouter(prefix="/units/{unit}/commands", tags=["commands"])
CommandId = Annotated[str, Path(min_length=1, max_length=36, description="id of a command")]

_SECOND = 1_000_000
DEFAULT_SECONDS = 30


class Which(StrEnum):
    """Which commands are listed."""

    OPEN = "open"  # requested or sent
    ALL = "all"


@router.post(
    "",
    status_code=202,
    response_model=CommandState,
    summary="Ask a unit or a device to do something",
    responses={404: {}, 409: {}},
)
async def request(
    body: CommandRequest, row: VisibleUnit, actor: UnitViewer, services: TheServices, response: Response
) -> dict[str, Any]:
    """Taken, committed and audited when it answers; carried out later, or not: follow its state.

    Doctors and nurses command devices, ops and admins the unit's agent. One command of a name to a device at a time.
    """
    require(actor, Action.COMMAND_DEVICES if body.device else Action.COMMAND_UNITS)
    wanted = _command(body, row, actor, services.clock())
    try:
        taken = await services.commands.request(wanted)
    except CommandConflict as conflict:
        raise ProblemError(409, Reason(conflict.reason.value), conflict.detail) from conflict
    response.headers["Location"] = f"/api/v1/units/{taken.unit}/commands/{taken.id}"
    answer: dict[str, Any] = msgspec.to_builtins(taken)
    return answer


def _command(body: CommandRequest, unit: Row, actor: Actor, now: Instant) -> RemoteCommand:
    longest = SUSTAINED_SECONDS if body.name in SUSTAINED else None
    seconds = body.expires_in or longest or DEFAULT_SECONDS
    if longest is not None and seconds > longest:
        raise ProblemError(422, Reason.INVALID_REQUEST, f"{body.name} is sustained: it expires in {longest} s")
    return RemoteCommand(
        id=str(uuid4()),
        site=unit["site"],
        unit=unit["id"],
        device=body.device,
        name=body.name,
        arguments=body.arguments,
        reason=body.reason,
        requested_by=actor.name,
        role=actor.role,
        requested_at=now,
        expires_at=now + seconds * _SECOND,
    )


@router.get("", response_model=Page[CommandState], summary="Commands to a unit, newest first", responses={404: {}})
async def commands(
    row: VisibleUnit,
    actor: UnitViewer,
    services: TheServices,
    state: Annotated[Which, Query(description="open, or all")] = Which.ALL,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Row:
    """With their outcome. What the person typed as the reason is for those who treat, and for whoever typed it."""
    page = page_request(limit, cursor)
    rows = await services.read(
        lambda db: services.command_reads.commands(db, row["id"], page, open_only=state is Which.OPEN)
    )
    answer = page_of(rows, page, lambda command: (command["requested_at"], command["id"]))
    return answer | {"items": [_see(command, actor) for command in answer["items"]]}


@router.get("/{command}", response_model=CommandState, summary="One command", responses={404: {}})
async def command(command: CommandId, row: VisibleUnit, actor: UnitViewer, services: TheServices) -> Row:
    """As it is now."""
    found = await services.read(lambda db: services.command_reads.command(db, row["id"], command))
    if found is None:
        raise not_found("command")
    return _see(found, actor)


def _see(command: Row, actor: Actor) -> Row:
    """A reason may name somebody, so it is seen as far as people are."""
    if SIGHT[actor.role] is Sight.FULL or command["requested_by"] == actor.name:
        return command
    return {**command, "reason": ""}
