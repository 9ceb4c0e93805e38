"""The open alerts, and what findings and people do to them. Pure: times are arguments."""

from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from gateway.alerts.alert import UNSEEN, Alert, IllegalMove, Mark, Move, State, UnknownAlert, alert_id, next_state
from gateway.alerts.policy import is_instant
from gateway.contract.envelope import Instant
from gateway.contract.quantity import MINUTE
from gateway.fleet import GATEWAY_DEVICE
from gateway.rules.hold import Edge
from gateway.rules.threshold import Finding

PERSON: Final = "person/"  # before the pseudonym in a group's key
REOPEN_WITHIN: Final = 5 * MINUTE  # of the end by the gateway's clock: one that flaps is one episode, not twenty


class PracticeOver(Finding, frozen=True):
    """An alert of a training ends with it, whatever its state: left open it would swallow a real one."""


class Transition(msgspec.Struct, frozen=True):
    """One move or mark made: the alert as it is now, and the line of its history."""

    alert: Alert
    move: Move | Mark
    at: Instant
    actor: str | None
    details: dict[str, Any]


def _unit_group(unit: str) -> str:
    return f"unit/{unit}" if unit else "gateway"


class AlertBook:
    """At most one open alert per (subject, rule)."""

    def __init__(
        self, open_alerts: list[Alert], recent: Iterable[Alert] = (), group_of: Callable[[str], str] = _unit_group
    ) -> None:
        """``recent``: those resolved not longer than ``REOPEN_WITHIN`` ago; ``group_of``: a unit, see `Alert`."""
        self._open = {(alert.subject, alert.rule): alert for alert in open_alerts}
        self._keys = {alert.id: (alert.subject, alert.rule) for alert in open_alerts}
        self._recent = {(alert.subject, alert.rule): alert for alert in recent}
        self._group_of = group_of
        self.version = 0  # counts changes

    @property
    def open(self) -> list[Alert]:
        """The oldest first: a gateway that was killed does things in the order of one that was not."""
        return sorted(self._open.values(), key=lambda alert: (alert.raised_at, alert.id))

    def find(self, id: str) -> Alert | None:
        """The open alert of that id."""
        key = self._keys.get(id)
        return None if key is None else self._open[key]

    def apply(self, finding: Finding, now: Instant) -> Transition | None:
        """Raises, latches or resolves; None when the finding changes nothing (already raised, nothing to clear)."""
        alert = self._open.get((finding.subject, finding.row.code))
        if finding.edge is Edge.RAISE:
            return self._again(alert, finding, now) if alert else self._begin(finding, now)
        if alert is None:
            return None
        if isinstance(finding, PracticeOver):
            return self._move(alert, Move.CLEAR, now, None, finding.details)
        return self._end(alert, finding, now)

    def acknowledge(self, id: str, actor: str, now: Instant) -> Transition:
        """A person takes the alert.

        Raises:
            UnknownAlert: no open alert has this id (the caller looks among the resolved ones).
            IllegalMove: somebody has taken it already; the error names who.
        """
        alert = self.find(id)
        if alert is None:
            raise UnknownAlert(id)
        if alert.state not in UNSEEN:
            raise IllegalMove(alert.state, Move.ACKNOWLEDGE, alert.acknowledged_by)
        return self._move(alert, Move.ACKNOWLEDGE, now, actor, {})

    def mark(self, alert: Alert, mark: Mark, now: Instant, details: dict[str, Any], **changes: Any) -> Transition:
        """Writes a line of history that leaves the state as it is; ``changes``: fields that do change."""
        return self._keep(msgspec.structs.replace(alert, updated_at=now, **changes), mark, now, None, details)

    def _begin(self, finding: Finding, now: Instant) -> Transition:
        earlier = self._recent.pop((finding.subject, finding.row.code), None)
        if earlier is not None and self._continues(earlier, finding, now):
            return self._reopen(earlier, finding, now)
        return self._raise(finding, now)

    def _continues(self, earlier: Alert, finding: Finding, now: Instant) -> bool:
        """Practice and earnest are never one episode, nor are two places or two people."""
        assert earlier.resolved_at is not None
        people = {key for key in (earlier.group_key, self._group_of(finding.unit)) if key.startswith(PERSON)}
        alike = (earlier.simulated, earlier.unit) == (finding.simulated, finding.unit) and len(people) <= 1
        return now - earlier.resolved_at <= REOPEN_WITHIN and alike

    def _raise(self, finding: Finding, now: Instant) -> Transition:
        row = finding.row
        move = Move.HAPPEN if is_instant(row) else Move.RAISE
        alert = Alert(
            id=alert_id(finding.subject, row.code, finding.at),
            subject=finding.subject,
            unit=finding.unit,
            device=finding.device,
            rule=row.code,
            kind=row.kind,
            priority=row.priority,
            state=next_state(State.PENDING, move),
            quantity=_quantity_of(finding),
            value=finding.value,
            limit=finding.limit,
            raised_at=finding.at,
            updated_at=now,
            simulated=finding.simulated,
            group_key=self._group_of(finding.unit),
        )
        return self._keep(alert, move, now, None, _told(finding))

    def _reopen(self, earlier: Alert, finding: Finding, now: Instant) -> Transition:
        """The same episode, from the first step of the ladder: whoever had seen it has not seen this."""
        move = Move.HAPPEN if is_instant(finding.row) else Move.REOPEN
        alert = msgspec.structs.replace(
            earlier,
            device=finding.device,
            state=next_state(earlier.state, move),
            value=finding.value,
            limit=finding.limit,
            raised_at=finding.at,
            updated_at=now,
            acknowledged_at=None,
            acknowledged_by=None,
            resolved_at=None,
            reopened=earlier.reopened + 1,
            ladder="",
            step=0,
            next_step_at=None,
            silenced_by=None,
            inhibited_by=None,
        )
        return self._keep(alert, move, now, None, {**_told(finding), "reopened": alert.reopened})

    def _again(self, alert: Alert, finding: Finding, now: Instant) -> Transition | None:
        """Raised already: a condition that lasts is the same episode, one that happens is worth a line each time."""
        if alert.state is not State.LATCHED:
            return self._join(alert, finding, now)
        move = Move.HAPPEN if is_instant(finding.row) else Move.RAISE
        return self._move(alert, move, now, None, _told(finding))

    def _join(self, alert: Alert, finding: Finding, now: Instant) -> Transition | None:
        """Another device measures it too: the alert is no single one's, and no lead-off of a single one mutes it."""
        measured = finding.row.condition is not None and finding.device is not None
        if not measured or alert.device in (None, finding.device):
            return None
        device = finding.device if alert.device == GATEWAY_DEVICE else None  # a derived value stood in for its own
        return self.mark(alert, Mark.JOIN, now, _told(finding), device=device)

    def _end(self, alert: Alert, finding: Finding, now: Instant) -> Transition | None:
        if alert.state is State.LATCHED:
            return None  # it is over when somebody has seen it
        unseen = finding.row.latching and alert.state is State.FIRING
        return self._move(alert, Move.LATCH if unseen else Move.CLEAR, now, None, finding.details)

    def _move(self, alert: Alert, move: Move, now: Instant, actor: str | None, details: dict[str, Any]) -> Transition:
        state = next_state(alert.state, move)
        changes: dict[str, Any] = {"state": state, "updated_at": now}
        if move is Move.ACKNOWLEDGE:
            changes |= {"acknowledged_at": now, "acknowledged_by": actor}
        if state is State.RESOLVED:
            changes |= {"resolved_at": now}
        if state not in UNSEEN:
            changes |= {"next_step_at": None}
        return self._keep(msgspec.structs.replace(alert, **changes), move, now, actor, details)

    def _keep(
        self, alert: Alert, move: Move | Mark, now: Instant, actor: str | None, details: dict[str, Any]
    ) -> Transition:
        key = (alert.subject, alert.rule)
        self.version += 1
        if alert.state is State.RESOLVED:
            del self._open[key], self._keys[alert.id]
            self._recent = {k: old for k, old in self._recent.items() if _is_recent(old, now)}
            self._recent[key] = alert
        else:
            self._open[key] = alert
            self._keys[alert.id] = key
        return Transition(alert, move, now, actor, details)


def _is_recent(alert: Alert, now: Instant) -> bool:
    return alert.resolved_at is not None and now - alert.resolved_at <= REOPEN_WITHIN


def _told(finding: Finding) -> dict[str, Any]:
    return {**finding.details, "value": finding.value, "limit": finding.limit}


def _quantity_of(finding: Finding) -> str | None:
    """What was measured, or the channel that is missing."""
    if finding.row.threshold is not None:
        return finding.row.threshold.quantity
    found: str | None = finding.details.get("quantity", finding.details.get("channel"))
    return found
