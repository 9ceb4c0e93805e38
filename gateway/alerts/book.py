"""The open alerts, and what findings and people do to them. Pure: times are arguments."""

from typing import Any

import msgspec

from gateway.alerts.alert import Alert, Move, State, UnknownAlert, alert_id, next_state
from gateway.contract.envelope import Instant
from gateway.rules.hold import Edge
from gateway.rules.threshold import Finding


class Transition(msgspec.Struct, frozen=True):
    """One move made: the alert as it is now, and the line of its history."""

    alert: Alert
    move: Move
    at: Instant
    actor: str | None
    details: dict[str, Any]


class AlertBook:
    """At most one open alert per (subject, rule)."""

    def __init__(self, open_alerts: list[Alert]) -> None:
        self._open = {(alert.subject, alert.rule): alert for alert in open_alerts}
        self._keys = {alert.id: (alert.subject, alert.rule) for alert in open_alerts}

    @property
    def open(self) -> list[Alert]:
        return list(self._open.values())

    def apply(self, finding: Finding, now: Instant) -> Transition | None:
        """Raises or resolves; None when the finding changes nothing (already raised, nothing to clear)."""
        alert = self._open.get((finding.subject, finding.row.code))
        if finding.edge is Edge.RAISE:
            return self._again(alert, finding, now) if alert else self._raise(finding, now)
        if alert is None or (alert.state is State.LATCHED and not alert.simulated):
            return None  # a real one that has happened is over when somebody has seen it
        return self._move(alert, Move.CLEAR, now, None, finding.details)

    def acknowledge(self, id: str, actor: str, now: Instant) -> Transition:
        """A person takes the alert.

        Raises:
            UnknownAlert: no open alert has this id (the caller looks among the resolved ones).
            IllegalMove: it is not firing.
        """
        key = self._keys.get(id)
        if key is None:
            raise UnknownAlert(id)
        return self._move(self._open[key], Move.ACKNOWLEDGE, now, actor, {})

    def _again(self, alert: Alert, finding: Finding, now: Instant) -> Transition | None:
        """Raised already: a condition that lasts is the same episode, one that happens is worth a line each time."""
        return self._move(alert, Move.RAISE, now, None, finding.details) if alert.state is State.LATCHED else None

    def _raise(self, finding: Finding, now: Instant) -> Transition:
        row = finding.row
        alert = Alert(
            id=alert_id(finding.subject, row.code, finding.at),
            subject=finding.subject,
            unit=finding.unit,
            device=finding.device,
            rule=row.code,
            kind=row.kind,
            priority=row.priority,
            state=State.LATCHED if row.latching else State.FIRING,
            quantity=row.threshold.quantity if row.threshold else finding.details.get("channel"),
            value=finding.value,
            limit=finding.limit,
            raised_at=finding.at,
            updated_at=now,
            simulated=finding.simulated,
        )
        self._open[alert.subject, alert.rule] = alert
        self._keys[alert.id] = (alert.subject, alert.rule)
        return Transition(alert, Move.RAISE, now, None, {**finding.details, "value": finding.value})

    def _move(self, alert: Alert, move: Move, now: Instant, actor: str | None, details: dict[str, Any]) -> Transition:
        state = next_state(alert.state, move)
        changes: dict[str, Any] = {"state": state, "updated_at": now}
        if move is Move.ACKNOWLEDGE:
            changes |= {"acknowledged_at": now, "acknowledged_by": actor}
        if state is State.RESOLVED:
            changes["resolved_at"] = now
        alert = msgspec.structs.replace(alert, **changes)
        if state is State.RESOLVED:
            del self._open[alert.subject, alert.rule]
            del self._keys[alert.id]
        else:
            self._open[alert.subject, alert.rule] = alert
        return Transition(alert, move, now, actor, details)
