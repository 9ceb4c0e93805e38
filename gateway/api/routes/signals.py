"""Latest values, series with zoom levels, waveform windows."""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Header, Query, Response

from gateway.api.auth import SignalViewer, TheServices, VisibleUnit
from gateway.api.ports import Row, Segment
from gateway.api.problems import ProblemError, Reason
from gateway.api.schemas import MAX_INSTANT, Happening, LatestValue, Page, Series, Waveform
from gateway.contract.quantity import QUANTITIES
from gateway.contract.topic import ID_PATTERN

router = APIRouter(prefix="/units/{unit}", tags=["signals"])

_SECOND = 1_000_000
MAX_POINTS = 10_000
MAX_RAW_SERIES = 3 * 3600 * _SECOND  # us of a series without steps
MAX_EVENTS = 7 * 24 * 3600 * _SECOND
MAX_WAVEFORM_JSON = 120 * _SECOND
MAX_WAVEFORM_RAW = 600 * _SECOND
OCTETS = "application/octet-stream"

From = Annotated[int, Query(alias="from", ge=0, le=MAX_INSTANT, description="us", examples=[1_767_225_600_000_000])]
EventNames = Annotated[
    list[str] | None,
    Query(alias="name", max_length=32, description="only events of these names", examples=[["boarded"]]),
]
To = Annotated[int, Query(ge=0, le=MAX_INSTANT, description="us, excluded", examples=[1_767_225_610_000_000])]


@router.get("/latest", response_model=Page[LatestValue], summary="Newest value of everything", responses={404: {}})
async def latest(row: VisibleUnit, _: SignalViewer, services: TheServices) -> Row:
    """One row per device and quantity."""
    values = await services.read(lambda db: services.history.latest(db, row["id"]))
    return {"items": [{**value, "unit": ucum(value["quantity"])} for value in values]}


def ucum(quantity: str) -> str:
    known = QUANTITIES.get(quantity)
    return known.unit if known else ""


@router.get("/series", response_model=Series, summary="A quantity over time", responses={404: {}})
async def series(
    row: VisibleUnit,
    _: SignalViewer,
    services: TheServices,
    quantity: Annotated[str, Query(max_length=64, description="a quantity's name", examples=["heart-rate"])],
    from_at: From,
    to: To,
    step: Annotated[int, Query(ge=0, le=MAX_INSTANT, description="us; 0 = every value", examples=[60_000_000])] = 0,
    device: Annotated[str | None, Query(pattern=f"^{ID_PATTERN}$", description="only this device")] = None,
) -> Response:
    """With a step: how many values, lowest, highest and mean of each step that has any.

    At most 10,000 steps, or three hours of single values.
    """
    if quantity not in QUANTITIES:
        raise ProblemError(422, Reason.UNKNOWN_QUANTITY, f"{quantity} is not a quantity")
    if to - from_at > (step * MAX_POINTS or MAX_RAW_SERIES):
        raise ProblemError(422, Reason.RANGE_TOO_LONG, "ask for less time or a coarser step")
    points = await services.read(lambda db: services.history.series(db, row["id"], quantity, from_at, to, step, device))
    return _json({"quantity": quantity, "unit": ucum(quantity), "step": step, "points": points})


@router.get(
    "/waveform",
    response_model=Waveform,
    summary="A window of a sampled signal",
    responses={
        200: {"content": {OCTETS: {"schema": {"type": "string", "format": "binary"}}}},
        204: {"description": "no samples in the window (octets only)"},
        404: {},
    },
)
async def waveform(
    row: VisibleUnit,
    _: SignalViewer,
    services: TheServices,
    device: Annotated[str, Query(pattern=f"^{ID_PATTERN}$", examples=["monitor"])],
    from_at: From,
    to: To,
    leads: Annotated[str | None, Query(max_length=200, description="only these leads", examples=["II,V1"])] = None,
    accept: Annotated[str, Header(description="JSON or application/octet-stream")] = "application/json",
) -> Response:
    """JSON: every segment, at most two minutes.

    ``Accept: application/octet-stream``: the first segment as int16 little-endian, lead after lead, at most ten
    minutes; ``Waveform-*`` headers say what it is and, in ``Waveform-Next-At``, where to ask for the next one.
    """
    raw = OCTETS in accept
    if to - from_at > (MAX_WAVEFORM_RAW if raw else MAX_WAVEFORM_JSON):
        raise ProblemError(422, Reason.RANGE_TOO_LONG, "ask for less time")
    names = leads.split(",") if leads else None
    segments = await services.read(lambda db: services.history.waveform(db, row["id"], device, from_at, to, names))
    return _octets(list(segments)) if raw else _json({"segments": [_segment(segment) for segment in segments]})


@router.get("/events", response_model=Page[Happening], summary="What happened", responses={404: {}})
async def events(
    row: VisibleUnit, _: SignalViewer, services: TheServices, from_at: From, to: To, names: EventNames = None
) -> Row:
    """Boarded, lead off, button pressed ...; oldest first, at most seven days."""
    if to - from_at > MAX_EVENTS:
        raise ProblemError(422, Reason.RANGE_TOO_LONG, "ask for less time")
    found = await services.read(lambda db: services.history.events(db, row["id"], from_at, to))
    return {"items": [event for event in found if not names or event["name"] in names]}


def _segment(segment: Segment) -> dict[str, Any]:
    return {
        "start_at": segment.start_at,
        "fs": segment.fs,
        "scale": segment.scale,
        "leads": list(segment.leads),
        "n0": segment.n0,
        "samples": segment.samples.tolist(),
    }


def _octets(segments: list[Segment]) -> Response:
    if not segments:
        return Response(status_code=204)
    first = segments[0]
    headers = {
        "Waveform-Start-At": str(first.start_at),
        "Waveform-Fs": str(first.fs),
        "Waveform-Scale": str(first.scale),
        "Waveform-Leads": ",".join(first.leads),
        "Waveform-N0": str(first.n0),
        "Waveform-Samples": str(first.samples.shape[1]),
    }
    if len(segments) > 1:
        headers["Waveform-Next-At"] = str(segments[1].start_at)
    return Response(first.samples.astype("<i2").tobytes(), media_type=OCTETS, headers=headers)


def _json(body: dict[str, Any]) -> Response:
    """Long answers skip the response model: they are built from rows of known form."""
    return Response(msgspec.json.encode(body), media_type="application/json")
