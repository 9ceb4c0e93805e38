"""Half-elapsed durations, shown as pending alerts: something is beyond its limit, and not yet for long enough."""

from collections.abc import Mapping
from typing import Final
from uuid import UUID, uuid5

from gateway.alerts.alert import Alert, State
from gateway.contract.envelope import Instant
from gateway.rules.catalogue import CATALOGUE
from gateway.rules.hold import MAX_PAUSE, PAUSES, Hold
from gateway.rules.row import Row

_NAMESPACE: Final = UUID("0a3c1d52-6f0f-4b57-8a44-91d2b0a7c3e5")


def pending(holds: Mapping[tuple[str, str], Hold], now: Instant) -> list[Alert]:
    """Newest first. A clock whose data have stopped is none: it begins anew with the next value."""
    found = [
        _shown(subject, row, hold, hold.since)
        for (subject, code), hold in holds.items()
        if not hold.firing and hold.since is not None and (row := CATALOGUE.get(code)) is not None
        if now - hold.last_at <= _patience(row)
    ]
    return sorted(found, key=lambda alert: (-alert.raised_at, alert.id))


def _patience(row: Row) -> int:
    return max(MAX_PAUSE, row.condition.for_ // PAUSES if row.condition else 0)


def _shown(subject: str, row: Row, hold: Hold, since: Instant) -> Alert:
    unit = subject.split("/")[1]
    return Alert(
        id=str(uuid5(_NAMESPACE, f"{subject} {row.code} {since}")),
        subject=subject,
        unit=unit,
        device=None,
        rule=row.code,
        kind=row.kind,
        priority=row.priority,
        state=State.PENDING,
        quantity=row.threshold.quantity if row.threshold else None,
        value=None,
        limit=row.threshold.limit if row.threshold else None,
        raised_at=since,
        updated_at=hold.last_at,
        group_key=f"unit/{unit}",
    )
