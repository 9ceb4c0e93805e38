"""12-lead ECGs beside each other: of a unit at any time, such as when an alert was raised."""

from typing import Annotated, Any, Final

import numpy as np
from fastapi import APIRouter, Query

from gateway.api.auth import SignalViewer, TheServices, VisibleUnit
from gateway.api.ecg_schemas import SerialEcg
from gateway.api.ports import Row
from gateway.api.schemas import MAX_INSTANT
from gateway.api.serial_ecg import Earlier, Ecg, Serial, SerialEcgs
from gateway.contract.topic import ID_PATTERN
from gateway.derive.ecg.median_beat import MedianBeat
from gateway.derive.ecg.st_gate import cautions
from gateway.derive.ecg.st_serial import CHANGED_MV

router = APIRouter(prefix="/units/{unit}", tags=["signals"])

_STEP_MV: Final = 0.001
_NOTICE: Final = "Assists, does not diagnose. A physician reads the ECG."


@router.get("/ecg", response_model=SerialEcg, summary="A 12-lead ECG beside earlier ones", responses={404: {}})
async def ecg(
    row: VisibleUnit,
    actor: SignalViewer,
    services: TheServices,
    device: Annotated[str, Query(pattern=f"^{ID_PATTERN}$", description="who recorded it", examples=["monitor"])],
    at: Annotated[
        int,
        Query(ge=0, le=MAX_INSTANT, description="us; its 10 s end here", examples=[1_767_225_610_000_000]),
    ],
) -> Row:
    """Measured from stored signal: ST at the J point, rate, QRS and median beat of the 10 s, and what changed.

    Beside it the previous ones and the first of the same ride, and the newest from before the ride, wherever a unit
    in your scope spoke for the person. For an event st-criteria or an alert ecg-read, `device` and `at` are what its
    details call `device` and `to`.
    """
    found = await services.read(
        lambda db: SerialEcgs(db, services.history, services.subjects).of(row["id"], device, at, actor.scope)
    )
    return shown(found)


def shown(found: Serial) -> Row:
    """As `SerialEcg` names it."""
    return {
        "person": found.subject,
        "ride_from": found.ride_from,
        "now": _ecg(found.now),
        "earlier": [_earlier(one, found) for one in found.earlier],
        "absent": [{"which": which, "why": why} for which, why in found.absent.items()],
        "changed_mv": CHANGED_MV,
        "notice": _NOTICE,
    }


def _earlier(one: Earlier, found: Serial) -> Row:
    unknown = () if found.subject else ("person-unknown",)
    return {
        "which": one.which,
        "ecg": _ecg(one.ecg),
        "changes": one.comparison.leads,
        "reserve": [*one.comparison.reserve, *unknown],
        "missing": one.comparison.missing,
    }


def _ecg(ecg: Ecg) -> Row:
    report = ecg.report
    leads = [{**_fields(lead), "calculated": lead.lead in report.derived} for lead in report.leads]
    measured = ecg.beat is not None
    return {
        **_fields(report), **_fields(ecg), "leads": leads,
        "heart_rate": report.heart_rate if measured else None, "qrs_ms": report.qrs_ms if measured else None,
        "cautions": sorted({caution.code for caution in cautions(report)}) if measured else [],
        "beat": None if ecg.beat is None else _beat(ecg.beat),
    }  # fmt: skip


def _fields(struct: Any) -> Row:
    return {name: getattr(struct, name) for name in struct.__struct_fields__}


def _beat(beat: MedianBeat) -> Row:
    steps = np.rint(beat.mv / _STEP_MV).astype(int)
    return {"fs": beat.fs, "onset": beat.onset, "j": beat.j, "scale": _STEP_MV, "samples": steps.tolist()}
