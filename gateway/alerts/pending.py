"""Half-elapsed durations, shown as pending alerts: something is beyond its limit, and not yet for long enough."""

from typing import Final
from uuid import UUID, uuid5

from gateway.alerts.alert import Alert, State
from gateway.contract.envelope import Instant
from gateway.rules.channel import Slot
from gateway.rules.hold import MAX_PAUSE, PAUSES, Hold
from gateway.rules.threshold import Thresholds

_NAMESPACE: Final = UUID("0a3c1d52-6f0f-4b57-8a44-91d2b0a7c3e5")


def pending(thresholds: Thresholds, now: Instant) -> list[Alert]:
    """Newest first, with the limits that count for the patient now.

    A clock whose data have stopped is none: it begins anew with the next value.
    """
    found = [
        _shown(slot, device, hold, hold.since)
        for slot, device, hold in thresholds.half_elapsed()
        if hold.since is not None and now - hold.last_at <= max(MAX_PAUSE, slot.condition.for_ // PAUSES)
    ]
    return sorted(found, key=lambda alert: (-alert.raised_at, alert.id))


def _shown(slot: Slot, device: str, hold: Hold, since: Instant) -> Alert:
    row, unit = slot.row, slot.subject.split("/")[1]
    return Alert(
        id=str(uuid5(_NAMESPACE, f"{slot.subject} {row.code} {since}")),
        subject=slot.subject,
        unit=unit,
        device=device,
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
