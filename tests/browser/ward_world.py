"""Beds, kiosks, vans and beacon sites for the feed server, and what the page asks about them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.browser.world import MINUTE, SECOND, Unit, now_us

Command = dict[str, Any]


@dataclass(eq=False)
class Station(Unit):
    """A unit whose devices say the same numbers every second."""

    devices: dict[str, dict[str, float | None]] = field(default_factory=dict)

    def observe(self, at: int) -> list[dict[str, Any]]:
        return [self._say(device, at, dict(values), derived=False) for device, values in self.devices.items()]


def station(kind: str, number: int, devices: dict[str, dict[str, float | None]], *, site: str = "home") -> Station:
    """A unit of a family, with these numbers."""
    at, short = now_us(), {"homecare-bed": "bed", "health-kiosk": "kiosk", "delivery-van": "van"}.get(kind, "site")
    state = {
        "id": f"{short}-{number:03d}", "site": site, "kind": kind, "name": f"{short.upper()}-{number:03d}",
        "provenance": "simulated", "link": "online", "link_mode": "full", "hello_at": at, "firmware": "lastmile 0.1.0",
        "battery": None, "clock": {"quality": "good", "offset": 1200, "error": 800}, "outbox_records": 0,
        "gaps_open": 0, "subject": None, "latest": {}, "limits": {},
    }  # fmt: skip
    made = Station(id=str(state["id"]), state=state, leads=(), devices=devices)
    made.observe(at)
    return made


def bed(number: int, *, name: str | None = "王建国") -> Station:
    """A home bed with its mattress, concentrator and the sensor under it."""
    made = station(
        "homecare-bed",
        number,
        {
            "sensor": {"heart-rate": 60 + number % 20, "resp-rate": 14, "movement": 3},
            "bed": {"bed-load": 62.4, "head-angle": 30},
            "mattress": {"mattress-pressure": 4.1, "mattress-set-pressure": 4.0},
            "oxygen": {"oxygen-flow": 2.0, "oxygen-purity": 93.1},
        },
    )
    if name is not None:
        made.state["subject"] = {"id": f"p-{number}", "name": name, "sex": "male", "age": 80}
    return made


def happened(unit: str, name: str, details: dict[str, Any], *, ago: int = 0, device: str = "bed") -> dict[str, Any]:
    """An event as the feed sends it."""
    at = now_us() - ago
    return {"type": "event", "unit": unit, "device": device, "at": at, "name": name, "details": details}


def bed_state(unit: str, *, occupied: bool, **more: bool) -> dict[str, Any]:
    """How the bed stands."""
    details = {"occupied": occupied, "rail_left_up": True, "rail_right_up": True, "brake_set": True, "cpr": False}
    return happened(unit, "bed-state", details | more)


def command(unit: str, state: str, *, by: str = "demo", **more: Any) -> Command:
    """A command to the mattress."""
    at = now_us()
    return {
        "id": f"c-{unit}", "unit": unit, "device": "mattress", "name": "set-mattress-mode",
        "arguments": {"mode": "static"}, "requested_by": by, "role": "doctor", "requested_at": at,
        "expires_at": at + 30 * SECOND, "state": state, "sent_at": None, "ended_at": None, "refusal": None,
        "result": None, **more,
    }  # fmt: skip


HOUR = 60 * MINUTE
LIMIT = 2400.0  # kPa min


def lying(
    since: int | None,
    *,
    share: float = 0.0,
    proposed: str = "",
    unknown: int = 0,
    silent: int = 0,
    stopped: str | None = None,
) -> dict[str, Any]:
    """Somebody who lies as they do ``since`` then, with a share of the dose that is too much.

    ``unknown``: us within the dose; ``silent``: us since the mat's newest map.
    """
    at = now_us()
    zone = "pelvis-middle" if share else ""
    proposal = {
        "proposed_at": at, "lapses_at": at + 30 * MINUTE, "command": "set-mattress-mode",
        "arguments": {"mode": "alternate"}, "reason": proposed, "zone": zone, "dose": share * LIMIT,
    }  # fmt: skip
    return {
        "at": None if since is None and stopped is None else at, "since": since, "stopped": stopped,
        "turn_every": 2 * HOUR, "zone": zone,
        "dose": share * LIMIT, "limit": LIMIT, "unknown": unknown, "mat_at": at - silent,
        "mattress": "mattress", "mode": "static", "proposal": proposal if proposed else None, "confirmed_by": "",
    }  # fmt: skip


def sitting(
    number: int, *, ago: int, ended: bool, values: dict[str, float], words: Sequence[dict[str, Any]] = ()
) -> dict[str, Any]:
    """A session of a kiosk; ``words``: what its readings are called."""
    start = now_us() - ago * MINUTE
    measured = [
        {"device": "cuff", "quantity": name, "unit": "", "n": 1, "value": value, "at": start + MINUTE}
        for name, value in values.items()
    ]
    return {
        "id": number, "unit": "kiosk-001", "subject": f"p-{number}", "source": "card", "confirmed_by": None,
        "start_at": start, "end_at": start + 3 * MINUTE if ended else None, "end_reason": None, "voided_at": None,
        "test": False, "measured": measured, "wordings": list(words),
    }  # fmt: skip


def cared(unit: str, device: str, kind: str, **more: Any) -> dict[str, Any]:
    """A device as the API lists it."""
    return {
        "unit": unit, "id": device, "site": "home", "provenance": "simulated", "kind": kind, "serial": None,
        "serial_since": None, "calibration_due": None, "first_seen_at": now_us(), "received_at": now_us(),
        "measured_at": now_us(), "age": SECOND, "battery": None, "link": "connected", "firmware": None, "service": None,
        **more,
    }  # fmt: skip
