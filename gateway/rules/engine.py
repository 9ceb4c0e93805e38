"""All rules over a batch: limits on values, the devices' own reports, silence, and trouble with the path itself."""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from gateway.contract.envelope import Instant
from gateway.contract.quantity import HOUR, QUANTITIES, SECOND
from gateway.rules import tags
from gateway.rules.catalogue import CATALOGUE
from gateway.rules.hold import Edge, Hold, Holds
from gateway.rules.patient import Patient
from gateway.rules.row import Priority, Row
from gateway.rules.switches import RHYTHMS, SILENT_ROW, Report, Switches, event_validity, read_report
from gateway.rules.tags import Tags
from gateway.rules.threshold import Finding, Reading, Thresholds

DEVICE_PRECEDENCE: Final = 5 * SECOND  # a derived value counts only when the device's own is older than this
BLIND: Final = "missed-while-blind"
BLIND_OWNER: Final = "doctor"
BLIND_DEADLINE: Final = 4 * HOUR  # after it came: project default, a shift's half
_VALIDITY: Final = {name: row.clinical_validity for name, row in QUANTITIES.items()}
_NOTHING: Final[list[Finding]] = []


class Rules:
    """Findings from values and reports. State: the thresholds' clocks and channels, and the switches."""

    def __init__(self, thresholds: Thresholds, switches: Switches | None = None) -> None:
        self.thresholds = thresholds
        self._channels = thresholds.channels
        self.switches = switches or Switches()
        self._tags = Tags(thresholds.clocks, self._is_deaf)
        self._review = True  # limits may have changed: alerts of rows that do not count any more have to end

    @property
    def version(self) -> str:
        """Of everything that decides when an alert is raised."""
        return self.thresholds.ruleset.version

    def restore(self, subject: str, code: str, at: Instant, device: str | None = None) -> None:
        """An alert that was open when the gateway stopped, should nothing else be known of its switch or its clocks.

        ``device``: at which its condition lasts; None when it lasts at none.
        """
        if self.switches.owns(subject, code):
            if not self.switches.knows(subject, code):
                self.switches.restore(subject, code, Hold(firing=True, last_at=at))
        elif device is not None and (row := self.thresholds.ruleset.rows.get(code)) and row.condition is not None:
            clocks = self.thresholds.clocks.at((subject, code))
            if not any(state.firing for state in clocks.values()):
                self.thresholds.restore(subject, code, {**clocks, device: Hold(firing=True, last_at=at)})

    def take_dirty(self) -> list[tuple[str, str, Hold | Holds]]:
        """What the next commit must write so that a restart goes on from here."""
        return [*self.thresholds.take_dirty(), *self.switches.take_dirty()]

    def set_patients(self, patients: dict[str, Patient]) -> list[str]:
        """Whom each unit's values speak of from now on; returns the units for which limits may have changed."""
        changed = self.thresholds.set_patients(patients)
        self._review = self._review or bool(changed)
        return changed

    def check(
        self,
        now: Instant,
        simulated: Callable[[str], bool] = lambda _: False,
        mutes: Callable[[str, str], bool] = lambda _, __: False,
    ) -> list[Finding]:
        """What time alone, or changed limits, have begun or ended; call it about once a second.

        ``mutes``: whether a device of a unit is in service mode now.
        """
        lapsed = self.thresholds.lapse(now, simulated)
        for found in self.switches.outlast(now, simulated, self._is_here):
            waits = mutes(found.unit, found.device or "") or self._off(found.row.code, now)
            if found.edge is Edge.CLEAR or not waits:
                lapsed.append(self._stamped(found))
        if not self._review:
            return lapsed
        self._review = False
        return lapsed + self.thresholds.orphans(now) + self._orphaned_rhythms(now)

    def _is_here(self, unit: str, code: str) -> bool:
        return self.thresholds.is_here(self._row(code), unit)

    def _orphaned_rhythms(self, now: Instant) -> list[Finding]:
        """Rhythms told of somebody of whom, as is known now, their row does not speak: they end, and say why."""
        return [
            Finding(row, Edge.CLEAR, f"unit/{unit}", unit, None, now,
                    details={"why": why, "rules_version": self.version})
            for unit in sorted(self.thresholds.patients)
            for row in map(self._row, self.switches.rhythms(unit))
            if (why := self.thresholds.refuses(row, unit)) is not None
        ]  # fmt: skip

    # ---- values -----------------------------------------------------------------------------------------------------

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
        channel = self._channels.get((unit, quantity)) or self.thresholds.channel(unit, quantity)
        blind = age > _VALIDITY[quantity] or at < channel.marks.get(device, at)
        if not blind:
            if not derived:
                channel.own_at = max(at, channel.own_at)
            elif at - channel.own_at < DEVICE_PRECEDENCE:
                return _NOTHING
            channel.marks[device] = at
        if channel.low <= value <= channel.high and not channel.busy:
            return _NOTHING
        findings = self.thresholds.judge(
            channel, Reading(unit, device, quantity, value, at, age, simulated), blind=blind
        )
        return [self._missed(one, age) for one in findings if one.edge is Edge.RAISE] if blind else findings

    def _missed(self, finding: Finding, age: int) -> Finding:
        """It would have paged: a soundless task for somebody, by a time, instead."""
        received_at = finding.at + age
        details = {
            "rule": finding.row.code, "measured_at": finding.at, "received_at": received_at, "late": True,
            "sound": False, "owner": BLIND_OWNER, "deadline": received_at + BLIND_DEADLINE,
        }  # fmt: skip
        return msgspec.structs.replace(
            finding,
            row=self._row(BLIND),
            subject=f"{finding.subject}/{finding.row.code}",
            details=finding.details | details,
        )

    # ---- reports ----------------------------------------------------------------------------------------------------

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
        age: int = 0,
    ) -> list[Finding]:
        """An event of a device or detector that switches an alert on or off; an older one than the last does nothing.

        ``mutes``: whether a device is in service mode now. What begins then is remembered, not raised; what ends, ends.

        Raises:
            BadCondition: a condition that does not say what or whether.
        BadTag: a tag without an id.
        """
        if name in tags.EVENTS:
            return self._tag(unit, device, name, details, at, simulated=simulated, mutes=mutes, age=age)
        report = read_report(name, details)
        if report is None or not self._row(report.code).enabled:
            return []
        report, refused = self._of_whom(unit, report)
        validity = event_validity(name)
        if validity is not None and age > validity:
            if not report.on or refused or self._row(report.code).priority is not Priority.HIGH:
                return []
            subject = report.subject(unit, device)
            blind = Finding(self._row(report.code), Edge.RAISE, subject, unit, device, at, details=dict(report.details),
                            simulated=simulated)  # fmt: skip
            return [self._stamped(self._missed(blind, age))]
        finding = self.switches.move(unit, device, report, at, simulated)
        if finding is None or (
            finding.edge is Edge.RAISE and (refused or mutes(finding.device or device) or self._off(report.code, at))
        ):
            return []
        return [self._stamped(finding)]

    def _of_whom(self, unit: str, report: Report) -> tuple[Report, bool]:
        """A rhythm with whose limits it was judged by, and whether its row refuses to speak of them.

        A device's own alarm is told in any case: its limits are those set at the device.
        """
        if not (report.detected and report.code in RHYTHMS):
            return report, False
        told = report.details | self.thresholds.whose(report.code, unit)
        refused = self.thresholds.refuses(self._row(report.code), unit) is not None
        return msgspec.structs.replace(report, details=told), refused

    def _tag(
        self, unit: str, device: str, name: str, details: dict[str, Any], at: Instant, *, simulated: bool,
        mutes: Callable[[str], bool], age: int,
    ) -> list[Finding]:  # fmt: skip
        """A scanner hears a tag, or hears it no more; only a site that has named its exits is told of one that left."""
        passage = self._tags.move(unit, device, name, details, at, self.thresholds.exits(unit))
        row = self._row(tags.TAG_LEFT)
        waits = age > tags.VALIDITY or mutes(device) or self._off(row.code, at) or not row.enabled
        if passage is None or (passage.edge is Edge.RAISE and waits):
            return []
        told = {"id": details["id"]}
        return [self._stamped(Finding(row, passage.edge, passage.subject, unit, passage.scanner, at, details=told,
                                      simulated=simulated))]  # fmt: skip

    def _is_deaf(self, unit: str, scanner: str) -> bool:
        return any(self.switches.is_on(unit, scanner, code) for code in ("scanner-silent", SILENT_ROW))

    def _off(self, code: str, at: Instant) -> bool:
        """Whether the site does not want to be told of it at this hour."""
        hours = self._row(code).hours
        return hours is not None and not hours.open(at, self.thresholds.ruleset.utc_offset)

    def standing(self, unit: str, device: str | None, at: Instant, simulated: bool) -> list[Finding]:
        """What is switched on now at a device (None: at every device of the unit), raised anew."""
        return [self._stamped(finding) for finding in self.switches.standing(unit, device, at, simulated)]

    def technical(self, code: str, unit: str, raised: bool, at: Instant, simulated: bool, detail: str) -> Finding:
        """Trouble with a unit as a whole (shedding, duplicate identity) or, with ``unit=""``, with the gateway."""
        edge = Edge.RAISE if raised else Edge.CLEAR
        subject = f"unit/{unit}" if unit else "gateway"
        finding = Finding(CATALOGUE[code], edge, subject, unit, None, at, details={"why": detail}, simulated=simulated)
        return self._stamped(finding)

    def silence(
        self,
        unit: str,
        device: str | None,
        channel: str | None,
        silent: bool,
        now: Instant,
        since: Instant,
        simulated: bool,
        task: str = "",
    ) -> Finding:
        """A unit or one channel of a device fell silent, or speaks again."""
        edge = Edge.RAISE if silent else Edge.CLEAR
        if device is None:
            code, subject = "link-lost", f"unit/{unit}"
        else:
            code, subject = "signal-missing", f"channel/{unit}/{device}/{channel}"
        details: dict[str, Any] = {"channel": channel, "since": since} | ({"task": task} if task else {})
        return self._stamped(
            Finding(CATALOGUE[code], edge, subject, unit, device, now, details=details, simulated=simulated)
        )

    def _row(self, code: str) -> Row:
        return self.thresholds.ruleset.rows[code]

    def _stamped(self, finding: Finding) -> Finding:
        """As the site has the row, with the version that made it."""
        if finding.edge is Edge.CLEAR:
            return finding
        details = finding.details | {"rules_version": self.version}
        row = self._row(finding.row.code)
        if details.get("source") == "device":  # its priority is the device's own
            row = msgspec.structs.replace(row, priority=finding.row.priority)
        return msgspec.structs.replace(finding, row=row, details=details)
