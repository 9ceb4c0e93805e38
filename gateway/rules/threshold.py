"""Values against the catalogue's limits."""

from typing import Any, Final

import msgspec

from gateway.contract.envelope import Instant
from gateway.rules.catalogue import THRESHOLDS, Row
from gateway.rules.hold import Edge, Hold, hold

_IDLE: Final = Hold()


class Finding(msgspec.Struct, frozen=True):
    """A rule's condition began (RAISE) or ended (CLEAR) for a subject. ``details`` explain it."""

    row: Row
    edge: Edge
    subject: str
    unit: str
    device: str | None
    at: Instant
    value: float | None = None
    limit: float | None = None
    details: dict[str, Any] = {}
    simulated: bool = False


class Thresholds:
    """The holds of every (subject, rule). ``dirty``: those to be written with the next commit."""

    def __init__(self) -> None:
        self.holds: dict[tuple[str, str], Hold] = {}
        self.dirty: set[tuple[str, str]] = set()

    def evaluate(
        self, unit: str, device: str, quantity: str, value: float, at: Instant, simulated: bool
    ) -> list[Finding]:
        """The edges one value makes for the unit it speaks of."""
        rows = THRESHOLDS.get(quantity)
        if rows is None:
            return []
        subject = f"unit/{unit}"
        findings = []
        for row in rows:
            finding = self._evaluate_row(row, subject, unit, device, value, at, simulated)
            if finding is not None:
                findings.append(finding)
        return findings

    def _evaluate_row(
        self, row: Row, subject: str, unit: str, device: str, value: float, at: Instant, simulated: bool
    ) -> Finding | None:
        threshold = row.threshold
        assert threshold is not None
        key = (subject, row.code)
        before = self.holds.get(key, _IDLE)
        if before.since is None and not before.firing and at >= before.last_at and not threshold.breached(value):
            self.holds[key] = Hold(last_at=at)  # nearly every value, nearly always
            return None
        after, edge = hold(
            before,
            breached=threshold.breached(value),
            cleared=threshold.cleared(value),
            at=at,
            for_=threshold.for_,
            clear_for=threshold.clear_for,
        )
        self.holds[key] = after
        if after.since != before.since or after.firing is not before.firing:
            self.dirty.add(key)
        if edge is None:
            return None
        details = {"quantity": threshold.quantity, "since": before.since or at}
        return Finding(row, edge, subject, unit, device, at, value, threshold.limit, details, simulated)

    def forget(self, subject: str) -> None:
        """Everything half elapsed or raised for a subject begins anew."""
        for key in [key for key in self.holds if key[0] == subject]:
            self.holds[key] = _IDLE
            self.dirty.add(key)

    def take_dirty(self) -> list[tuple[str, str, Hold]]:
        """The holds changed since the last call."""
        changed = [(subject, rule, self.holds[subject, rule]) for subject, rule in sorted(self.dirty)]
        self.dirty.clear()
        return changed
