"""Devices: what stands where, service mode, swaps, calibration; training of a unit."""

from typing import Annotated, Any
from uuid import uuid4

import msgspec
from fastapi import APIRouter, Path
from sqlalchemy import Connection

from gateway.api.auth import ServiceMember, TheServices, Trainer, UnitViewer, VisibleUnit
from gateway.api.care_ports import SwapRefused
from gateway.api.care_schemas import (
    CaredDevice,
    DeviceChange,
    SerialState,
    ServiceStart,
    Swap,
    TrainingStart,
    WindowState,
)
from gateway.api.cursor import page_of, page_request
from gateway.api.permissions import SIGHT, Sight
from gateway.api.ports import Actor, Row
from gateway.api.problems import ProblemError, Reason, not_found
from gateway.api.schemas import Cursor, Limit, Page, UnitFilter
from gateway.api.services import Services
from gateway.care.window import Mode, ServiceWindow, WindowRefused
from gateway.contract.envelope import Instant
from gateway.contract.topic import ID_PATTERN

router = APIRouter(tags=["care"])
one = APIRouter(prefix="/units/{unit}/devices/{device}", tags=["care"])
training = APIRouter(prefix="/units/{unit}/training", tags=["care"])
DeviceName = Annotated[
    str, Path(pattern=f"^{ID_PATTERN}$", description="name of a device at its unit", examples=["monitor"])
]
_MINUTE = 60_000_000


# ---- looking --------------------------------------------------------------------------------------------------------
@router.get("/devices", response_model=Page[CaredDevice], summary="Devices of the fleet")
async def devices(
    actor: UnitViewer, services: TheServices, unit: UnitFilter = None, limit: Limit = 100, cursor: Cursor = None
) -> Row:
    """By unit and name: kind, box, calibration, newest value, battery, service mode."""
    page = page_request(limit, cursor)
    rows = await services.read(lambda db: services.care.devices(db, actor.scope, page, unit=unit))
    now = services.clock()
    answer = page_of(rows, page, lambda row: (0, f"{row['unit']}/{row['id']}"))
    return answer | {"items": [_aged(row, now) for row in answer["items"]]}


def _aged(row: Row, now: Instant) -> Row:
    return row | {"age": None if row["received_at"] is None else max(0, now - row["received_at"])}


@one.get("", response_model=CaredDevice, summary="One device", responses={404: {}})
async def device(row: VisibleUnit, device: DeviceName, actor: UnitViewer, services: TheServices) -> Row:
    """As it is now."""
    return await _device(row, device, actor, services)


async def _device(unit: Row, device: str, actor: Actor, services: Services) -> Row:
    found = await services.read(lambda db: services.care.device(db, unit["id"], device, actor.scope))
    if found is None:
        raise not_found("device")
    return _aged(found, services.clock())


@one.get("/serials", response_model=Page[SerialState], summary="Boxes of a device", responses={404: {}})
async def serials(row: VisibleUnit, device: DeviceName, services: TheServices) -> Row:
    """Which serial number stood there from when to when, the present one first."""
    return {"items": await services.read(lambda db: services.care.serials(db, row["id"], device))}


# ---- swapping, describing -------------------------------------------------------------------------------------------
@one.post(
    "/swap", status_code=201, response_model=SerialState, summary="Another box takes its place",
    responses={404: {}, 409: {}},
)  # fmt: skip
async def swap(body: Swap, row: VisibleUnit, device: DeviceName, actor: ServiceMember, services: TheServices) -> Row:
    """The device's name, readings and alerts stay; from ``at`` on another serial number stands behind them."""
    await _device(row, device, actor, services)
    now = services.clock()
    at = now if body.at is None else body.at
    if at > now:
        raise ProblemError(422, Reason.INVALID_REQUEST, "a swap is recorded when it has happened")
    due = body.calibration_due.isoformat() if body.calibration_due else None
    details = {"unit": row["id"], "device": device, "serial": body.serial, "at": at, "reason": body.reason}

    def job(db: Connection) -> Row:
        made = services.care.swap(db, row["id"], device, body.serial, at, actor.name)
        services.care.describe(db, row["id"], device, {"calibration_due": due})
        services.audit.append(db, now, actor.name, "device-swapped", f"{row['id']}/{device}", details)
        return made

    try:
        return await services.write(job)
    except SwapRefused as refused:
        raise ProblemError(409, Reason(refused.reason.value), refused.detail) from refused


@one.patch("", response_model=CaredDevice, summary="Change what is known of a device", responses={404: {}})
async def describe(
    body: DeviceChange, row: VisibleUnit, device: DeviceName, actor: ServiceMember, services: TheServices
) -> Row:
    """Its kind, or when its calibration is due: a week before and on the day an alert says so."""
    await _device(row, device, actor, services)
    changes = body.model_dump(mode="json", exclude_unset=True)
    now = services.clock()

    def job(db: Connection) -> None:
        services.care.describe(db, row["id"], device, changes)
        services.audit.append(db, now, actor.name, "device-described", f"{row['id']}/{device}", changes)

    await services.write(job)
    return await _device(row, device, actor, services)


# ---- service mode and training --------------------------------------------------------------------------------------
@router.get("/service", response_model=Page[WindowState], summary="Service mode and training, newest first")
async def windows(
    actor: UnitViewer, services: TheServices, unit: UnitFilter = None, limit: Limit = 100, cursor: Cursor = None
) -> Row:
    """What is on and what was, at the units in your scope."""
    page = page_request(limit, cursor)
    rows = await services.read(lambda db: services.care.windows(db, actor.scope, page, unit=unit))
    answer = page_of(rows, page, lambda row: (row["started_at"], row["id"]))
    return answer | {"items": [_see(row, actor) for row in answer["items"]]}


def _see(window: Row, actor: Actor) -> Row:
    """A reason may name somebody, so it is seen as far as people are."""
    if SIGHT[actor.role] is Sight.FULL or window["started_by"] == actor.name:
        return window
    return {**window, "reason": ""}


@one.post(
    "/service", status_code=201, response_model=WindowState, summary="Put a device into service mode",
    responses={404: {}, 409: {}},
)  # fmt: skip
async def start_service(
    body: ServiceStart, row: VisibleUnit, device: DeviceName, actor: ServiceMember, services: TheServices
) -> Row:
    """Until it is ended or runs out, its values are stored and flagged, raise no alert, and it is not missed."""
    if body.mode is Mode.TRAINING:
        raise ProblemError(422, Reason.INVALID_REQUEST, "training is of a whole unit: POST /units/{unit}/training")
    await _device(row, device, actor, services)
    return await _start(body.mode, device, body.reason, body.minutes, row, actor, services)


@one.delete("/service", response_model=WindowState, summary="End service mode", responses={404: {}, 409: {}})
async def end_service(row: VisibleUnit, device: DeviceName, actor: ServiceMember, services: TheServices) -> Row:
    """The device counts again; what is wrong with it now is told at once."""
    return await _end(device, row, actor, services)


@training.post(
    "", status_code=201, response_model=WindowState, summary="Put a unit into training",
    responses={404: {}, 409: {}},
)  # fmt: skip
async def start_training(body: TrainingStart, row: VisibleUnit, actor: Trainer, services: TheServices) -> Row:
    """Until it is ended or runs out, all its data and alerts are marked as test and go to no other system.

    Refused while a patient's alert is open there.
    """
    return await _start(Mode.TRAINING, "", body.reason, body.minutes, row, actor, services)


@training.delete("", response_model=WindowState, summary="End training", responses={404: {}, 409: {}})
async def end_training(row: VisibleUnit, actor: Trainer, services: TheServices) -> Row:
    """Its alerts end with it; what is really wrong is told anew."""
    return await _end("", row, actor, services)


async def _start(
    mode: Mode, device: str, reason: str, minutes: int, unit: Row, actor: Actor, services: Services
) -> Row:
    now = services.clock()
    wanted = ServiceWindow(
        id=str(uuid4()), unit=unit["id"], device=device, mode=mode, reason=reason, started_by=actor.name,
        role=actor.role, started_at=now, expires_at=now + minutes * _MINUTE,
    )  # fmt: skip
    try:
        return _body(await services.windows.start(wanted))
    except WindowRefused as refused:
        raise ProblemError(409, Reason(refused.reason.value), refused.detail) from refused


async def _end(device: str, unit: Row, actor: Actor, services: Services) -> Row:
    try:
        return _see(_body(await services.windows.end(unit["id"], device, actor.name)), actor)
    except WindowRefused as refused:
        raise ProblemError(409, Reason(refused.reason.value), refused.detail) from refused


def _body(window: ServiceWindow) -> Row:
    body: dict[str, Any] = msgspec.to_builtins(window)
    return body
