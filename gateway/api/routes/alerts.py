"""Alerts: list, look, acknowledge, silence, judge. Nothing here switches off a sound at a bedside."""

from collections.abc import Callable
from typing import Annotated, Any
from uuid import uuid4

import msgspec
from fastapi import APIRouter, Path, Query
from sqlalchemy import Connection

from gateway.alerts.alert import Move
from gateway.alerts.ladder import LADDERS
from gateway.alerts.silence import Silence, SilenceRefused
from gateway.api.alert_ports import AlertFilter
from gateway.api.alert_schemas import (
    AlertDetail,
    Judgement,
    ListedAlert,
    NewJudgement,
    NewSilence,
    Priority,
    SilenceState,
    Which,
)
from gateway.api.auth import Acknowledger, AlertJudge, AlertViewer, Silencer, TheServices
from gateway.api.cursor import page_of, page_request
from gateway.api.permissions import SIGHT, Sight
from gateway.api.ports import Actor, AlertNotFound, IllegalTransition, Row
from gateway.api.problems import ProblemError, Reason, not_found
from gateway.api.schemas import Cursor, Limit, Page, UnitFilter
from gateway.api.services import Services

router = APIRouter(prefix="/alerts", tags=["alerts"])
silencing = APIRouter(prefix="/silences", tags=["alerts"])
AlertId = Annotated[str, Path(min_length=1, max_length=36, description="id of an alert")]
SilenceId = Annotated[str, Path(min_length=1, max_length=36, description="id of a silence")]
SubjectFilter = Annotated[
    str | None, Query(max_length=300, description="only about this", examples=["device/amb-001/monitor"])
]
PriorityFilter = Annotated[Priority | None, Query(description="only of this priority")]
WhichFilter = Annotated[Which, Query(description="open (firing, acknowledged, latched), all, or one state")]
_OCCURS = {Move.RAISE, Move.REOPEN, Move.HAPPEN}
_NOTICE = "Assists, does not diagnose. Acknowledging silences no device."
_MINUTE = 60_000_000


# ---- looking --------------------------------------------------------------------------------------------------------
@router.get("", response_model=Page[ListedAlert], summary="Alerts, newest first")
async def alerts(
    actor: AlertViewer,
    services: TheServices,
    state: WhichFilter = Which.OPEN,
    unit: UnitFilter = None,
    priority: PriorityFilter = None,
    subject: SubjectFilter = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Row:
    """Of the units in your scope, and those about the gateway itself.

    Pending ones have passed a limit, and not yet for as long as their rule wants: they come in one page, unstored.
    """
    which = AlertFilter(None if state is Which.ALL else state, unit, priority, subject)
    if state is Which.PENDING:
        return {"items": [row for row in _pending(services, actor) if _fits(row, which)][:limit]}
    page = page_request(limit, cursor)
    rows = await services.read(lambda db: services.alert_reads.alerts(db, actor.scope, page, which))
    return page_of(rows, page, lambda row: (row["raised_at"], row["id"]))


def _pending(services: Services, actor: Actor) -> list[Row]:
    return [row for row in services.pending() if actor.scope is None or row["site"] in actor.scope]


def _fits(row: Row, which: AlertFilter) -> bool:
    wanted = {"unit": which.unit, "priority": which.priority, "subject": which.subject}
    return all(value is None or row[name] == value for name, value in wanted.items())


@router.get("/{alert}", response_model=AlertDetail, summary="One alert", responses={404: {}})
async def alert(alert: AlertId, actor: AlertViewer, services: TheServices) -> Row:
    """As it is now: what explains it, everything that happened to it, whom it told, what people think of it."""
    row = await _alert(alert, actor, services)
    history = await services.read(lambda db: services.alert_reads.history(db, alert))
    judged = await services.read(lambda db: services.alert_reads.feedback(db, alert))
    told = await services.read(lambda db: services.notifications.of_alert(db, alert))
    occurred = [line["details"] for line in history if line["event"] in _OCCURS]
    return row | {
        "explanation": occurred[-1] if occurred else {},
        "history": history,
        "climbs": LADDERS.get(row["ladder"]),
        "notifications": told,
        "feedback": [_see(one, actor, one["author"]) for one in judged],
        "notice": _NOTICE,
    }


async def _alert(alert: str, actor: Actor, services: Services) -> Row:
    row = await services.read(lambda db: services.alert_reads.alert(db, alert, actor.scope))
    if row is None:
        raise not_found("alert")
    return row


def _see(row: Row, actor: Actor, author: str) -> Row:
    """A reason may name somebody, so it is seen as far as people are."""
    return row if SIGHT[actor.role] is Sight.FULL or author == actor.name else {**row, "reason": ""}


# ---- taking ---------------------------------------------------------------------------------------------------------
@router.post("/{alert}/acknowledge", response_model=ListedAlert, summary="Take an alert", responses={404: {}, 409: {}})
async def acknowledge(alert: AlertId, actor: Acknowledger, services: TheServices) -> Row:
    """Says that you look after it, and ends its escalation. Nothing at the bedside is silenced.

    Of two people at once one becomes the owner; the other is told who. Committed and audited when it answers.
    """
    row = await _alert(alert, actor, services)
    try:
        changed = await services.alerts.acknowledge(alert, actor.name)
    except IllegalTransition as error:
        owner = f", taken by {error.owner}" if error.owner else ""
        raise ProblemError(409, Reason.ILLEGAL_TRANSITION, f"the alert is {error.state}{owner}") from error
    except AlertNotFound as error:
        raise not_found("alert") from error
    now = services.clock()
    details = {"rule": row["rule"], "unit": row["unit"]}
    await services.write(lambda db: services.audit.append(db, now, actor.name, "acknowledge", alert, details))
    return changed


@router.post("/{alert}/feedback", response_model=Judgement, summary="Say whether it helped", responses={404: {}})
async def judge(alert: AlertId, body: NewJudgement, actor: AlertJudge, services: TheServices) -> Row:
    """Useful or not, and why: what decides which rule is worked on. Said again it replaces what you said before."""
    row = await _alert(alert, actor, services)
    now = services.clock()
    judged = {"alert": alert, "author": actor.name, "useful": body.useful, "reason": body.reason, "at": now}
    details = {"rule": row["rule"], "useful": body.useful}

    def job(db: Connection) -> None:
        services.alert_reads.judge(db, judged)
        services.audit.append(db, now, actor.name, "alert-judged", alert, details)

    await services.write(job)
    return judged


# ---- silencing ------------------------------------------------------------------------------------------------------
@router.post(
    "/{alert}/silence", status_code=201, response_model=SilenceState, summary="Silence an alert",
    responses={404: {}, 409: {}},
)  # fmt: skip
async def silence(alert: AlertId, body: NewSilence, actor: Silencer, services: TheServices) -> Row:
    """It stays visible and tells nobody for a while, and so do its next occurrences. Audited; 24 hours at most.

    Lethal alerts cannot be silenced. No sound at a bedside is switched off.
    """
    row = await _alert(alert, actor, services)
    if not row["unit"]:
        raise ProblemError(409, Reason.NOT_SILENCEABLE, "an alert about the gateway itself cannot be silenced")
    now, every = services.clock(), body.every_rule
    wanted = Silence(
        id=str(uuid4()), unit=row["unit"], subject="" if every else row["subject"], rule="" if every else row["rule"],
        reason=body.reason, author=actor.name, role=actor.role, created_at=now,
        expires_at=now + body.minutes * _MINUTE,
    )  # fmt: skip
    return await _settled(lambda: services.silences.silence(wanted))


@silencing.get("", response_model=Page[SilenceState], summary="Silences, newest first")
async def silences(
    actor: AlertViewer,
    services: TheServices,
    on: Annotated[bool, Query(description="only those that are on")] = True,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Row:
    """Who silenced what, why, and until when, at the units in your scope."""
    page = page_request(limit, cursor)
    rows = await services.read(lambda db: services.silence_reads.silences(db, actor.scope, page, on_only=on))
    answer = page_of(rows, page, lambda row: (row["created_at"], row["id"]))
    return answer | {"items": [_see(row, actor, row["author"]) for row in answer["items"]]}


@silencing.delete("/{silence}", response_model=SilenceState, summary="End a silence", responses={404: {}, 409: {}})
async def end_silence(silence: SilenceId, actor: Silencer, services: TheServices) -> Row:
    """What it covered and what still stands tells people at once."""
    if await services.read(lambda db: services.silence_reads.silence(db, silence, actor.scope)) is None:
        raise not_found("silence")
    return await _settled(lambda: services.silences.unsilence(silence, actor.name))


async def _settled(act: Callable[[], Any]) -> Row:
    try:
        body: Row = msgspec.to_builtins(await act())
    except SilenceRefused as refused:
        raise ProblemError(409, Reason(refused.reason.value), refused.detail) from refused
    return body
