"""All rules over a batch: limits on values, the devices' own reports, silence, and trouble with the path itself."""

from collections.abc import Callable
from typing import Any, Final

from gateway.contract.envelope import Instant
from gateway.contract.quantity import QUANTITIES, SECOND
from gateway.rules.catalogue import CATALOGUE, THRESHOLDS
from gateway.rules.hold import Edge, Hold
from gateway.rules.switches import CODES, Switches, read_report
from gateway.rules.threshold import Finding, Thresholds

DEVICE_PRECEDENCE: Final = 5 * SECOND  # a derived value counts only when the device's own is older than this


class Rules:
    """Findings from values and reports. State: the thresholds' holds, and when a device last gave its own value."""

    def __init__(self, thresholds: Thresholds, switches: Switches | None = None) -> None:
        self.thresholds = thresholds
        self.switches = switches or Switches()
        self._own_value_at: dict[tuple[str, str], Instant] = {}

    def restore(self, subject: str, code: str, at: Instant) -> None:
        """An alert that was open when the gateway stopped, should nothing else be known of its switch."""
        if code in CODES and not self.switches.knows(subject, code):
            self.switches.restore(subject, code, Hold(firing=True, last_at=at))

    def take_dirty(self) -> list[tuple[str, str, Hold]]:
        """What the next commit must write so that a restart goes on from here."""
        return self.thresholds.take_dirty() + self.switches.take_dirty()

    def value(
        self,
        unit: str,
        device: str,
        quantity: str,
        value: float,
        at: Instant,
        age: int,
        *,
        derived: bool,
        simulated: bool,
    ) -> list[Finding]:
        """One plausible value. ``age``: received - event time, us; past the clinical validity it does not page."""
        if quantity not in THRESHOLDS or age > QUANTITIES[quantity].clinical_validity:
            return []
        key = (unit, quantity)
        if not derived:
            self._own_value_at[key] = at
        elif at - self._own_value_at.get(key, -DEVICE_PRECEDENCE) < DEVICE_PRECEDENCE:
            return []
        return self.thresholds.evaluate(unit, device, quantity, value, at, simulated)

    def report(
        self,
        unit: str,
        device: str,
        name: str,
        details: dict[str, Any],
        at: Instant,
        *,
        simulated: bool,
        mutes: Callable[[str], bool],
    ) -> list[Finding]:
        """An event of a device that switches an alert on or off; one that is older than the last changes nothing.

        ``mutes``: whether a device is in service mode now. What begins then is remembered, not raised; what ends, ends.

        Raises:
            BadCondition: a condition that does not say what or whether.
        """
        report = read_report(name, details)
        finding = self.switches.move(unit, device, report, at, simulated) if report else None
        if finding is None or (finding.edge is Edge.RAISE and mutes(finding.device or device)):
            return []
        return [finding]

    def technical(self, code: str, unit: str, raised: bool, at: Instant, simulated: bool, detail: str) -> Finding:
        """Trouble with a unit as a whole (shedding, duplicate identity) or, with ``unit=""``, with the gateway."""
        edge = Edge.RAISE if raised else Edge.CLEAR
        subject = f"unit/{unit}" if unit else "gateway"
        return Finding(CATALOGUE[code], edge, subject, unit, None, at, details={"why": detail}, simulated=simulated)

    def silence(
        self,
        unit: str,
        device: str | None,
        channel: str | None,
        silent: bool,
        now: Instant,
        since: Instant,
        simulated: bool,
    ) -> Finding:
        """A unit or one channel of a device fell silent, or speaks again."""
        edge = Edge.RAISE if silent else Edge.CLEAR
        if device is None:
            row, subject = CATALOGUE["link-lost"], f"unit/{unit}"
        else:
            row, subject = CATALOGUE["signal-missing"], f"channel/{unit}/{device}/{channel}"
        return Finding(
            row, edge, subject, unit, device, now, details={"channel": channel, "since": since}, simulated=simulated
        )
