"""One row per alert. Limits are defaults of configuration, not advice; sources stand in each row."""

from enum import StrEnum
from typing import Final

import msgspec

from gateway.contract.condition import CONDITIONS
from gateway.contract.quantity import SECOND


class Kind(StrEnum):
    """Kind of alert condition (IEEE 11073 / IEC 60601-1-8)."""

    PHYSIOLOGICAL = "physiological"
    TECHNICAL = "technical"


class Priority(StrEnum):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Direction(StrEnum):
    ABOVE = "above"
    BELOW = "below"


class Threshold(msgspec.Struct, frozen=True):
    """Breached beyond ``limit``; cleared only ``hysteresis`` back inside it. Durations in us of event time."""

    quantity: str
    direction: Direction
    limit: float
    hysteresis: float
    for_: int
    clear_for: int

    def breached(self, value: float) -> bool:
        return value > self.limit if self.direction is Direction.ABOVE else value < self.limit

    def cleared(self, value: float) -> bool:
        if self.direction is Direction.ABOVE:
            return value <= self.limit - self.hysteresis
        return value >= self.limit + self.hysteresis


class Row(msgspec.Struct, frozen=True):
    """An alert that can be raised. ``threshold`` is None where a detector, not a limit, decides."""

    code: str
    kind: Kind
    priority: Priority
    source: str
    threshold: Threshold | None = None
    latching: bool = False  # it happens at an instant and does not end by itself: acknowledging ends it


_ROWS: Final = (
    Row(
        "heart-rate-high", Kind.PHYSIOLOGICAL, Priority.MEDIUM, "project default for adults, domain facts 2.4",
        Threshold("heart-rate", Direction.ABOVE, 130, 5, 10 * SECOND, 10 * SECOND),
    ),
    Row(
        "heart-rate-low", Kind.PHYSIOLOGICAL, Priority.MEDIUM, "project default for adults, domain facts 2.4",
        Threshold("heart-rate", Direction.BELOW, 45, 5, 10 * SECOND, 10 * SECOND),
    ),
    Row("signal-missing", Kind.TECHNICAL, Priority.LOW, "three expected intervals, at least 10 s"),
    Row("link-lost", Kind.TECHNICAL, Priority.MEDIUM, "ambulance: 60 s, domain facts 10.1"),
    Row("lead-off", Kind.TECHNICAL, Priority.LOW, "the device's own report"),
    Row("shedding", Kind.TECHNICAL, Priority.MEDIUM, "an outbox is full and drops declared ranges"),
    Row("duplicate-identity", Kind.TECHNICAL, Priority.HIGH, "two devices answer to one unit's name", latching=True),
    Row("broker-log-lost", Kind.TECHNICAL, Priority.HIGH, "the log was wiped or ran ahead of us", latching=True),
    Row("broker-lost", Kind.TECHNICAL, Priority.HIGH, "the gateway cannot reach the broker: nothing new arrives"),
    *(Row(row.code, Kind.TECHNICAL, Priority(row.priority), row.meaning) for row in CONDITIONS.values()),
)  # fmt: skip

CATALOGUE: Final[dict[str, Row]] = {row.code: row for row in _ROWS}
_SIDE: Final = {Direction.ABOVE: "high", Direction.BELOW: "low"}
THRESHOLDS: Final[dict[str, tuple[Row, ...]]] = {
    quantity: tuple(row for row in _ROWS if row.threshold and row.threshold.quantity == quantity)
    for quantity in {row.threshold.quantity for row in _ROWS if row.threshold}
}
LIMITS: Final[dict[str, dict[str, float]]] = {
    quantity: {_SIDE[row.threshold.direction]: row.threshold.limit for row in rows if row.threshold}
    for quantity, rows in THRESHOLDS.items()
}
