"""The scripted content of the feed server: units with their numbers, and alerts."""

import math
import time
from dataclasses import dataclass, field
from typing import Any, Final

from gateway.contract.quantity import ECG_LEADS_12

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND

Alert = dict[str, Any]


def now_us() -> int:
    """The stand-in's clock."""
    return time.time_ns() // 1000


_PEOPLE: Final = (("王建国", "male", 63), ("李秀英", "female", 71), ("Anna Schmidt-Hollenstein", "female", 34))


@dataclass(eq=False)
class Unit:
    """One ambulance: its state as the feed shows it, and what its devices say."""

    id: str
    state: dict[str, Any]
    rate: float = 72
    fs: float = 500
    leads: tuple[str, ...] = ECG_LEADS_12
    leads_off: frozenset[str] = frozenset()
    pleth: bool = True
    square: bool = False
    values: dict[str, float | None] = field(default_factory=dict)
    pressure_at: int = 0
    scores: dict[str, float | None] = field(default_factory=dict)  # what the gateway computes from them

    def shown(self) -> dict[str, Any]:
        """UnitState."""
        by_device = {device: dict(values) for device, values in self.state.get("by_device", {}).items()}
        return {**self.state, "latest": dict(self.state["latest"]), "by_device": by_device}

    def observe(self, at: int) -> list[dict[str, Any]]:
        """This second's observation messages; also remembered as latest values."""
        messages = [self._say("monitor", at, self.values, derived=False)]
        if self.leads:
            messages.append(self._say("monitor", at, {"heart-rate": round(self.rate)}, derived=True))
        if self.scores:
            messages.append(self._say("gateway", at - 7 * SECOND, self.scores, derived=True))
        place = {"latitude": 31.2304, "longitude": 121.4737, "speed": 42.0, "course": 47.0}
        messages.append(self._say("gnss", at, dict(place), derived=False))
        return messages

    def measure_pressure(self, at: int, systolic: float, diastolic: float) -> None:
        """A blood pressure taken at ``at``."""
        values: dict[str, float | None] = {"bp-systolic": systolic, "bp-diastolic": diastolic}
        values["bp-mean"] = round(diastolic + (systolic - diastolic) / 3)
        self._say("monitor", at, values, derived=False)

    def _say(self, device: str, at: int, values: dict[str, float | None], *, derived: bool) -> dict[str, Any]:
        for quantity, value in values.items():
            said = {"value": value, "at": at, "received_at": at, "device": device, "derived": derived}
            self.state["latest"][quantity] = said
            if not derived:
                self.state.setdefault("by_device", {}).setdefault(device, {})[quantity] = said
        about = {"unit": self.id, "device": device, "at": at, "received_at": at, "late": False, "derived": derived}
        return {"type": "observations", **about, "values": values}

    def trend(self, quantity: str, first: int, to: int, step: int) -> list[dict[str, Any]]:
        """Points of a series around the present value, with a hole in the middle."""
        value = self.values.get(quantity)
        if value is None:
            return []
        hole = (first + 12 * MINUTE, first + 15 * MINUTE)
        ats = [at for at in range(first, to, step) if not hole[0] < at < hole[1]]
        means = [value + 3 * math.sin(at / (4 * MINUTE)) for at in ats]
        return [{"at": at, "n": 30, "min": m - 1, "max": m + 1, "mean": m} for at, m in zip(ats, means, strict=True)]


def example_units(count: int, at: int) -> list[Unit]:
    """``count`` ambulances that differ in rate, person and age of their pressure."""
    return [_unit(i, at) for i in range(count)]


def _unit(i: int, at: int) -> Unit:
    name, sex, age = _PEOPLE[i % len(_PEOPLE)]
    subject = {"id": f"p-{i}", "name": name, "sex": sex, "age": age} if i % 4 != 3 else None
    state = {
        "id": f"amb-{i + 1:03d}",
        "site": "city",
        "kind": "ambulance",
        "name": f"AMB-{i + 1:03d}",
        "provenance": "simulated",
        "link": "online",
        "link_mode": "full",
        "hello_at": at,
        "firmware": "lastmile 0.1.0",
        "battery": None,
        "clock": {"quality": "good", "offset": 1200, "error": 800},
        "outbox_records": 0,
        "gaps_open": 0,
        "subject": subject,
        "latest": {},
        "limits": {"heart-rate": {"low": 40, "high": 130}},
    }
    rate = 62 + 7 * (i % 9)
    values: dict[str, float | None] = {"heart-rate": rate, "spo2": 99 - i % 6, "resp-rate": 12 + i % 9}
    values |= {"temperature": 36.4 + 0.1 * (i % 8), "pulse-rate": rate}
    score = 1 + i % 6
    scores: dict[str, float | None] = {"news2": score if i % 3 else None, "news2-at-least": score}
    unit = Unit(id=f"amb-{i + 1:03d}", state=state, rate=rate, values=values, scores=scores)
    unit.measure_pressure(at - (i % 4) * MINUTE, 118 + 3 * (i % 10), 74 + i % 10)
    unit.observe(at)
    return unit


def alert(number: int, unit: str, at: int, *, rule: str, priority: str, **more: Any) -> Alert:
    """An alert that fires since ``at``."""
    technical = rule not in {"heart-rate-high", "heart-rate-low"}
    body = {
        "id": f"alert-{number}",
        "subject": f"device/{unit}/monitor",
        "unit": unit,
        "device": "monitor",
        "rule": rule,
        "kind": "technical" if technical else "physiological",
        "priority": priority,
        "state": "firing",
        "quantity": None,
        "value": None,
        "limit": None,
        "raised_at": at,
        "updated_at": at,
        "acknowledged_at": None,
        "acknowledged_by": None,
        "resolved_at": None,
        "simulated": True,
        "group_key": f"unit/{unit}",
        "reopened": 0,
        "ladder": "",
        "step": 0,
        "next_step_at": None,
        "silenced_by": None,
        "inhibited_by": None,
    }
    return {**body, **more}
