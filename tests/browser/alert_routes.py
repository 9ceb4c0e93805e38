"""What the feed server answers about alerts in full, silences, and the roster; it keeps them as the gateway would."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from gateway.alerts.policy import is_lethal
from gateway.contract.waveform import NO_SAMPLE
from tests.browser.alert_world import catalogue, detail, ladders, line
from tests.browser.ecg_world import serial, told
from tests.browser.signals import ECG_FS, SCALE, heart
from tests.browser.world import SECOND, Alert, Unit, now_us

if TYPE_CHECKING:
    from tests.browser.feed_server import FeedServer

Who = Callable[[Request], str | None]
Problem = Callable[[int, str, str], Response]


def alert_detail_routes(app: FastAPI, world: "FeedServer", who: Who, problem: Problem) -> None:
    """One alert, those the feed does not hold, silences, judgements."""
    _reading(app, world, problem)
    _silencing(app, world, who, problem)

    @app.post("/api/v1/alerts/{alert}/feedback")
    async def judge(alert: str, request: Request) -> Response:
        if world.refuse is not None:
            return problem(*world.refuse)
        said = {"author": who(request), **await request.json(), "at": now_us()}
        kept = world.details.setdefault(alert, {}).setdefault("feedback", [])
        kept[:] = [row for row in kept if row["author"] != said["author"]] + [said]
        return JSONResponse(said)


def _reading(app: FastAPI, world: "FeedServer", problem: Problem) -> None:

    @app.get("/api/v1/alert-catalogue")
    def rows() -> dict[str, Any]:
        return {"version": "v", "items": catalogue()}

    @app.get("/api/v1/alerts")
    def listed(state: str) -> dict[str, Any]:
        if state == "pending":
            return {"items": world.pending, "next": None}
        return {"items": [row for row in world.alerts.values() if row["state"] == state], "next": None}

    @app.get("/api/v1/alerts/{alert}")
    def one(alert: str) -> Response:
        found = world.alerts.get(alert)
        if found is None:
            return problem(404, "not-found", "no such alert")
        return JSONResponse({**detail(found, {}), **world.details.get(alert, {}), **found})


def _silencing(app: FastAPI, world: "FeedServer", who: Who, problem: Problem) -> None:
    @app.get("/api/v1/silences")
    def silences() -> dict[str, Any]:
        return {"items": world.silences, "next": None}

    @app.post("/api/v1/alerts/{alert}/silence", status_code=201)
    async def silence(alert: str, request: Request) -> Response:
        name, body, found = who(request), await request.json(), world.alerts[alert]
        if world.refuse is not None:
            return problem(*world.refuse)
        if is_lethal(found["rule"]):
            return problem(409, "lethal-alert", f"{found['rule']} cannot be silenced: look at the patient")
        at = now_us()
        made = {
            "id": f"silence-{alert}", "unit": found["unit"], "subject": found["subject"], "rule": found["rule"],
            "reason": body["reason"], "author": name, "role": "doctor", "created_at": at,
            "expires_at": at + body["minutes"] * 60 * SECOND, "ended_at": None, "ended_by": None,
        }  # fmt: skip
        world.silences.append(made)
        world.change_alert(found, line(at, "silence", found["state"]), silenced_by=made["id"], next_step_at=None)
        return JSONResponse(made, 201)

    @app.delete("/api/v1/silences/{silence}")
    def unsilence(silence: str) -> Response:
        made = next(row for row in world.silences if row["id"] == silence)
        world.silences.remove(made)
        for found in world.alerts.values():
            if found["silenced_by"] == silence:
                world.change_alert(found, line(now_us(), "unsilence", found["state"]), silenced_by=None)
        return JSONResponse(made)


def roster_routes(app: FastAPI, world: "FeedServer", who: Who, problem: Problem) -> None:
    """Who is on duty, and the ladders that ask for them."""

    @app.get("/api/v1/ladders")
    def all_ladders() -> dict[str, Any]:
        return ladders()

    @app.get("/api/v1/sites")
    def sites() -> dict[str, Any]:
        found = sorted({unit.state["site"] for unit in world.units.values()})
        return {"items": [{"id": site, "name": site.title(), "units": 1} for site in found], "next": None}

    @app.get("/api/v1/shifts")
    def shifts(past: bool = False) -> dict[str, Any]:
        rows = [row for row in world.shifts if past or row["end_at"] > now_us()]
        return {"items": sorted(rows, key=lambda row: row["start_at"]), "next": None}

    @app.post("/api/v1/shifts", status_code=201)
    async def add(request: Request) -> Response:
        if world.refuse is not None:
            return problem(*world.refuse)
        body = await request.json()
        made = {**body, "unit": body["unit"] or "", "id": f"shift-new-{len(world.shifts)}", "entered_by": who(request)}
        world.shifts.append(made)
        return JSONResponse(made, 201)

    @app.delete("/api/v1/shifts/{shift}")
    def remove(shift: str) -> Response:
        if world.refuse is not None:
            return problem(*world.refuse)
        made = next(row for row in world.shifts if row["id"] == shift)
        world.shifts.remove(made)
        return JSONResponse(made)


def signal_routes(app: FastAPI, world: "FeedServer") -> None:
    """Stored waveforms: the unit's leads from the time they are asked for; two seconds in the middle may be silent."""

    @app.get("/api/v1/units/{unit}/waveform")
    def waveform(unit: str, request: Request) -> dict[str, Any]:
        first, to = int(request.query_params["from"]), int(request.query_params["to"])
        found = world.units[unit]
        return {"segments": [_segment(found, first, to)] if found.leads and unit not in world.silent_waves else []}

    @app.get("/api/v1/units/{unit}/ecg")
    def ecg(unit: str, at: int) -> dict[str, Any]:
        return world.serial.get(unit) or told(serial(at))


def _segment(unit: Unit, first: int, to: int) -> dict[str, Any]:
    n = (to - first) * ECG_FS // SECOND
    rows = []
    for index, lead in enumerate(unit.leads):
        if lead in unit.leads_off:
            rows.append([NO_SAMPLE] * n)
            continue
        values = heart(0, n, ECG_FS, unit.rate, index)
        rows.append([int(step) for step in np.round(values / SCALE)])
    return {"start_at": first, "fs": ECG_FS, "scale": SCALE, "leads": list(unit.leads), "n0": 0, "samples": rows}


def points(unit: Unit, quantity: str, first: int, to: int, breach: Alert | None) -> list[dict[str, Any]]:
    """Single values every five seconds: the usual one, and the alert's from ten seconds before it was raised."""
    usual = unit.values.get(quantity)
    if usual is None:
        return []
    out = []
    for at in range(first, min(to, now_us()), 5 * SECOND):
        high = breach is not None and at >= breach["raised_at"] - 10 * SECOND
        out.append({"at": at, "value": breach["value"] if breach is not None and high else usual, "device": "monitor"})
    return out
