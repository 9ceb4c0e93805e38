"""What the gateway stored, read as any program would: through the HTTP API, signed in."""

import json
import urllib.parse
import urllib.request
from collections.abc import Iterator
from http.cookiejar import CookieJar
from itertools import pairwise
from typing import Any, Final

import numpy as np

from gateway.contract.envelope import Instant
from gateway.contract.quantity import SECOND
from gateway.scenario.st_level import WINDOW, st_level
from gateway.scenario.truth import EVERYWHERE, ReadingSight, Seen, StSight, Truth

TIMEOUT: Final = 10.0  # s
PAGE: Final = 200
OCCURS: Final = frozenset({"raise", "reopen", "happen"})  # in an alert's history
ENDED: Final = "resolved"
RHYTHM: Final = "II"  # the lead in which beats are found
LONGEST_SERIES: Final = 3 * 3600 * SECOND  # us of single values the API gives at once


class Store:
    """A signed-in client of the gateway at ``url``."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        login = self.get("about")["demo_login"]
        request = urllib.request.Request(  # noqa: S310 - our own loopback URL
            f"{url}api/v1/session",
            data=json.dumps(login).encode(),
            headers={"Content-Type": "application/json", "Origin": url.rstrip("/")},
        )
        self._opener.open(request, timeout=TIMEOUT).close()

    def get(self, path: str, **query: object) -> Any:
        """The JSON at a path below /api/v1."""
        address = f"{self._url}api/v1/{path}?{urllib.parse.urlencode(query)}"
        with self._opener.open(address, timeout=TIMEOUT) as answer:
            return json.load(answer)

    def unit(self, unit: str) -> dict[str, Any]:
        """The unit's state."""
        found: dict[str, Any] = self.get(f"units/{unit}")
        return found

    def events(self, unit: str, start: Instant, end: Instant) -> list[dict[str, Any]]:
        """What happened from ``start`` to ``end``."""
        found: list[dict[str, Any]] = self.get(f"units/{unit}/events", **{"from": start, "to": end})["items"]
        return found

    def alerts(self) -> list[dict[str, Any]]:
        """Every alert, ended or not, newest first."""
        found: list[dict[str, Any]] = []
        cursor: dict[str, str] = {}
        while True:
            page = self.get("alerts", state="all", limit=PAGE, **cursor)
            found += page["items"]
            if page["next"] is None:
                return found
            cursor = {"cursor": page["next"]}

    def seen(self, truths: list[Truth], start: Instant, end: Instant) -> Iterator[Seen]:
        """Everything of this span that the labels might speak of; times in seconds from ``start``."""
        units = sorted({truth.unit for truth in truths})
        for unit in units:
            for event in self.events(unit, start, end):
                yield Seen(
                    unit=unit,
                    device=event["device"],
                    name=event["name"],
                    at=(event["at"] - start) / SECOND,
                    received=(event["received_at"] - start) / SECOND,
                    details=event["details"],
                )
        for alert in self.alerts():
            if alert["unit"] in {*units, EVERYWHERE}:
                yield from moves_of(self.get(f"alerts/{alert['id']}"), start)
        for unit, quantity, device in sorted({key for truth in truths if (key := _series(truth)) is not None}):
            for point in self._points(unit, quantity, device, start, end):
                at, received = ((point[name] - start) / SECOND for name in ("at", "received_at"))
                value = point["value"]
                yield Seen(unit=unit, device=point["device"], name=quantity, at=at, received=received, value=value)
        for truth in truths:
            if truth.st is not None:
                yield from self._st_levels(truth, truth.st, start, end)

    def _st_levels(self, truth: Truth, sight: StSight, start: Instant, end: Instant) -> Iterator[Seen]:
        """The level in one window after the other of the truth's time; each is known at the window's end."""
        step = round(WINDOW * SECOND)
        first = start + round(truth.at * SECOND)
        last = end if truth.until is None else start + round(truth.until * SECOND)
        for window in range(first, last - step + 1, step):
            level = self._st_level(truth.unit, sight, window, window + step)
            if level is not None:
                at = (window + step - start) / SECOND - 1e-6
                yield Seen(unit=truth.unit, device=sight.device, name=sight.name, at=at, received=at, value=level)

    def _st_level(self, unit: str, sight: StSight, start: Instant, end: Instant) -> float | None:
        """None when the window has a hole, or lacks the lead."""
        leads = dict.fromkeys((RHYTHM, sight.lead))
        query = {"device": sight.device, "from": start, "to": end, "leads": ",".join(leads)}
        segments = self.get(f"units/{unit}/waveform", **query)["segments"]
        if len(segments) != 1 or set(segments[0]["leads"]) != set(leads):
            return None
        one = segments[0]
        samples = dict(zip(one["leads"], np.array(one["samples"], np.int16), strict=True))
        return st_level(samples[RHYTHM], samples[sight.lead], one["fs"], one["scale"])

    def _points(self, unit: str, quantity: str, device: str, start: Instant, end: Instant) -> Iterator[dict[str, Any]]:
        only = {"device": device} if device else {}
        for first in range(start, end, LONGEST_SERIES):
            span = {"from": first, "to": min(end, first + LONGEST_SERIES)}
            yield from self.get(f"units/{unit}/series", quantity=quantity, **span, **only)["points"]


def moves_of(alert: dict[str, Any], start: Instant) -> Iterator[Seen]:
    """Every time that an alert was raised, and that it ended. ``muted``: a graver one muted it as it came."""
    lines = alert["history"]
    inhibited = {line["at"] for line in lines if line["event"] == "inhibit"}
    occurrences = [line for line in lines if line["event"] in OCCURS]
    for line in occurrences:
        # the alert has the event time of its newest occurrence only
        at = alert["raised_at"] if line is occurrences[-1] else line["at"]
        muted = {"muted": True} if line["at"] in inhibited else {}
        device = line.get("details", {}).get("device")  # of an alert that several devices make, the first one
        by = alert if alert["device"] or not isinstance(device, str) else alert | {"device": device}
        yield _move(by, "raised", at - start, line["at"] - start, muted)
    for before, line in pairwise(lines):
        if line["state"] == ENDED and before["state"] != ENDED:
            yield _move(alert, "resolved", line["at"] - start, line["at"] - start, {})


def _move(alert: dict[str, Any], state: str, at: int, received: int, more: dict[str, Any]) -> Seen:
    return Seen(
        unit=alert["unit"], device=alert["device"] or "", name=alert["rule"], at=at / SECOND,
        received=received / SECOND, details={"priority": alert["priority"], "state": state, **more}, is_alert=True,
    )  # fmt: skip


def _series(truth: Truth) -> tuple[str, str, str] | None:
    match truth.sight:
        case ReadingSight(quantity=quantity, device=device):
            return truth.unit, quantity, device
    return None
