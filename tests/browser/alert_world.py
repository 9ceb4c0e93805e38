"""Alerts in full for the feed server: what made them, what happened to them, whom they told; and the roster."""

from typing import Any, Final

import msgspec

from gateway.alerts.ladder import LADDERS, SERVICE_HOURS
from gateway.alerts.policy import is_lethal
from gateway.contract.quantity import ECG_LEADS_12
from gateway.derive.ecg.st_criteria import StFinding, criteria
from gateway.derive.ecg.st_report import LeadSt, StReport
from gateway.rules.catalogue import CATALOGUE
from tests.browser.world import SECOND, Alert, alert, now_us

VERSION: Final = "29981d9c5cff"
Row = dict[str, Any]


def climbing(number: int, unit: str, at: int, *, rule: str, ladder: str = "ambulance-high", **more: Any) -> Alert:
    """An alert of a catalogue row that climbs a ladder: its first step was taken when it was raised."""
    row = CATALOGUE[rule]
    climb = LADDERS[ladder]
    return alert(
        number, unit, at, rule=rule, priority=str(row.priority), kind=str(row.kind), subject=f"unit/{unit}",
        **({"ladder": ladder, "step": 1, "next_step_at": at + climb.wait(1)} | more),
    )  # fmt: skip


def tachycardia(number: int, unit: str, *, seconds: int = 48, **more: Any) -> Alert:
    """A heart rate over its limit."""
    figures: Row = {"quantity": "heart-rate", "value": 152.0, "limit": 130.0}
    return climbing(number, unit, now_us() - seconds * SECOND, rule="heart-rate-severe-high", **(figures | more))


def threshold_why(at: int, **more: Any) -> Row:
    """As a threshold explains itself."""
    return {
        "quantity": "heart-rate", "since": at - 10 * SECOND, "for": 10 * SECOND, "rules_version": VERSION,
        "population": "adult", "assumed": True, "value": 152.0, "limit": 130.0, **more,
    }  # fmt: skip


def rhythm_why(code: str, at: int, **more: Any) -> Row:
    """As a rhythm explains itself."""
    return {
        "code": code, "state": "on", "device": "monitor", "lead": "II", "from": at - 4 * SECOND, "to": at,
        "rules_version": VERSION, "seconds": 4.0, "value": None, "limit": None, **more,
    }  # fmt: skip


_ST: Final = {"II": 0.21, "III": 0.26, "aVF": 0.23, "I": -0.05, "aVL": -0.11, "V2": -0.08, "V3": -0.07}


def st_finding() -> StFinding:
    """What the product's own criteria make of an inferior pattern, in somebody whose age is not known."""

    def lead(name: str) -> LeadSt:
        level = _ST.get(name, 0.02)
        return LeadSt(
            lead=name, j=level, j60=level, r=1.0, s=-0.3, p=0.1, t=0.3, t_wave="upright", t_terminal=0.3, tp=0.0,
            error=0.01,
        )  # fmt: skip

    report = StReport(
        fs=500, seconds=10, low_cut_hz=None, leads=tuple(lead(name) for name in ECG_LEADS_12), heart_rate=78,
        qrs_ms=92, beats=12, beats_used=12,
    )  # fmt: skip
    found = criteria(report, "male", None)
    assert found is not None
    return found


def st_why(at: int) -> Row:
    """As a 12-lead finding explains itself."""
    found = st_finding()
    kept: Row = msgspec.to_builtins(found)
    about = {"device": "monitor", "from": at - 10 * SECOND, "to": at, "rules_version": VERSION}
    return about | kept | {"statement": found.statement}


def line(at: int, event: str, after: str, actor: str | None = None, /, **details: Any) -> Row:
    """A line of a history; ``after``: the alert's state then."""
    return {"at": at, "event": event, "state": after, "actor": actor, "details": details}


def notice(of: Alert, *, step: int = 0, recipients: list[str] | None = None, **more: Any) -> Row:
    """What an alert tells somebody."""
    taken = LADDERS[of["ladder"]].steps[step]
    return {
        "id": f"notice-{of['id']}-{step}", "alert": of["id"], "unit": of["unit"], "site": "city", "rule": of["rule"],
        "priority": of["priority"], "reason": "raised" if step == 0 else "escalated", "step": step,
        "role": str(taken.duty), "means": str(taken.means), "recipients": recipients or [],
        "at": of["raised_at"] + taken.delay * SECOND, "simulated": True, **more,
    }  # fmt: skip


def delivery(recipient: str, channel: str, state: str, at: int, **more: Any) -> Row:
    """What became of one message."""
    return {
        "recipient": recipient, "channel": channel, "state": state, "attempts": 1, "due_at": at, "next_at": at,
        "sent_at": at if state == "sent" else None, "provider_id": None, "last_error": None, **more,
    }  # fmt: skip


def told(of: Alert) -> list[Row]:
    """Both steps of an ambulance's ladder, the second with a message that did not arrive."""
    second = of["raised_at"] + 60 * SECOND
    return [
        notice(of) | {"deliveries": [delivery("*", "screen", "sent", of["raised_at"])]},
        notice(of, step=1, recipients=["dr.li", "dr.wang"])
        | {
            "deliveries": [
                delivery("*", "screen", "sent", second),
                delivery("dr.li", "sms", "sent", second + SECOND),
                delivery("dr.li", "call", "dead", second, attempts=6, last_error="HTTP 503"),
                delivery("dr.wang", "sms", "pending", second),
            ]
        },
    ]


def detail(of: Alert, why: Row, **more: Any) -> Row:
    """Everything about an alert, as the API tells it."""
    raised = line(of["raised_at"], "raise", "firing", **why)
    ladder = LADDERS.get(of.get("ladder", ""))
    steps = {"climbs": msgspec.to_builtins(ladder) if ladder else None}
    return {"explanation": why, "history": [raised], "notifications": [], "feedback": [], "notice": "", **steps, **more}


def catalogue() -> list[Row]:
    """The rows of GET /alert-catalogue, and one that this page has no words for."""
    rows: list[Row] = [
        {"code": row.code, "zh": row.zh, "en": row.en, "source": row.source, "lethal": is_lethal(row.code),
         "latching": row.latching}
        for row in CATALOGUE.values()
    ]  # fmt: skip
    young = {"code": "rule-of-tomorrow", "zh": "明日规则", "en": "Tomorrow's rule", "source": "", "lethal": False}
    return [*rows, young | {"latching": False}]


def ladders() -> Row:
    """As GET /ladders tells them."""
    hours = [
        {"setting": str(setting), **msgspec.to_builtins(hours), "days": sorted(hours.days)}
        for setting, hours in SERVICE_HOURS.items()
    ]
    return {"ladders": [msgspec.to_builtins(LADDERS[name]) for name in sorted(LADDERS)], "hours": hours}


def shift(number: int, account: str, duty: str, *, start: int, end: int, **more: Any) -> Row:
    """Somebody answers for a duty, from and to in hours from now."""
    hour, now = 3600 * SECOND, now_us()
    return {
        "id": f"shift-{number}", "account": account, "duty": duty, "site": "city", "unit": "",
        "start_at": now + start * hour, "end_at": now + end * hour, "entered_by": "ops.li", **more,
    }  # fmt: skip
