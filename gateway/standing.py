"""What stands about devices and units beside their data: service mode, training, sessions, due calibrations.

Part of the stages, with state of its own; synchronous, times come in as arguments.
"""

from typing import Any

import msgspec

from gateway.admit import Admitted
from gateway.alerts.alert import Alert
from gateway.alerts.book import AlertBook, PracticeOver
from gateway.care.calibration import CalibrationWatch
from gateway.care.desk import ServiceDesk
from gateway.care.missed import UploadWatch
from gateway.care.sessions import SessionWatch
from gateway.care.window import Mode, Refusal, ServiceWindow, WindowChange, WindowRefused
from gateway.care.window import State as WindowState
from gateway.contract.envelope import Instant
from gateway.contract.identity import Provenance
from gateway.derive.silence import SilenceWatch, SilentKey
from gateway.fleet import Fleet
from gateway.moves import WindowEnd, WindowStart
from gateway.ports import RecordFlag
from gateway.rules.catalogue import CATALOGUE, Kind
from gateway.rules.engine import Rules
from gateway.rules.hold import Edge
from gateway.rules.threshold import Finding


class Standing(msgspec.Struct):
    """The desks and what their moves touch."""

    service: ServiceDesk
    sessions: SessionWatch
    calibrations: CalibrationWatch
    uploads: UploadWatch = msgspec.field(default_factory=UploadWatch)

    # ---- records ----------------------------------------------------------------------------------------------------

    def mark(self, record: Admitted) -> Admitted:
        """The record with what stands about its device and unit at the time it speaks of."""
        if record.route.address.unit in self.service.units:
            record = self._flagged(record)
        self.sessions.take(record)
        return record

    def _flagged(self, record: Admitted) -> Admitted:
        unit, flags = record.route.address.unit, record.flags
        if self.service.during(unit, record.body.device, record.event_at) is not None:
            flags |= RecordFlag.SERVICE
        training = self.service.during(unit, "", record.event_at) is not None
        if training:
            flags |= RecordFlag.TEST
        if flags == record.flags:
            return record
        return msgspec.structs.replace(record, flags=flags, simulated=record.simulated or training)

    def counts(self, record: Admitted) -> bool:
        """Whether a value may raise or clear anything: not from a device in test or service mode.

        Nor from a training that is over, whose alerts would stand for the patient of now.
        """
        if record.body.test or record.flags & RecordFlag.SERVICE:
            return False
        return not record.flags & RecordFlag.TEST or self.in_training(record.route.address.unit)

    def mutes(self, unit: str, device: str) -> bool:
        """Whether what a device says of itself waits: it is in service mode now. What lasts is told when that ends."""
        return self.service.on(unit, device) is not None

    def in_training(self, unit: str) -> bool:
        return self.service.on(unit, "") is not None

    def simulated(self, fleet: Fleet, unit: str) -> bool:
        """Whether what the unit gives rise to stays in the house."""
        entry = fleet.units.get(unit)
        return (entry is not None and entry.provenance is not Provenance.LIVE) or self.in_training(unit)

    def describe(self, unit: str, state: dict[str, Any]) -> dict[str, Any]:
        """A unit's state as screens are told of it, with what stands about it and its devices."""
        training = self.service.training(unit)
        live = state["provenance"] == Provenance.LIVE
        provenance = str(Provenance.TEST) if training and live else state["provenance"]
        return state | {"provenance": provenance, "training": training, "service": self.service.devices(unit)}

    # ---- time -------------------------------------------------------------------------------------------------------

    def check(self, fleet: Fleet, now: Instant) -> list[Finding]:
        """What the time of day brings; call it about once a second."""
        self.sessions.check(now)
        return self.calibrations.check(now, lambda unit: self.simulated(fleet, unit) if unit in fleet.units else None)

    # ---- people's moves ---------------------------------------------------------------------------------------------

    def carry_out(
        self, move: WindowStart | WindowEnd, fleet: Fleet, alerts: list[Alert], now: Instant
    ) -> ServiceWindow:
        """Opens or ends a window.

        Raises:
            WindowRefused: it cannot be done now.
        """
        if isinstance(move, WindowEnd):
            return self.service.end(move.unit, move.device, move.actor, now)
        wanted = move.wanted
        if wanted.unit not in fleet.units:
            raise WindowRefused(Refusal.UNKNOWN_UNIT, f"unit {wanted.unit} is revoked")
        if wanted.mode is Mode.TRAINING and any(_is_about_a_patient(alert, wanted.unit) for alert in alerts):
            raise WindowRefused(Refusal.PATIENT_ALERTS, "the unit has open alerts of a patient")
        return self.service.start(wanted)

    def settle(self, fleet: Fleet, book: AlertBook, rules: Rules, silence: SilenceWatch, now: Instant) -> list[Finding]:
        """What the windows that opened and closed with this batch mean for the alerts."""
        self.service.advance(now)
        findings: list[Finding] = []
        for change in self.service.changed:
            window = change.window
            if window.mode is not Mode.TRAINING:
                findings += self._settle_device(change, fleet, rules, silence, now)
                continue
            if window.ended_at is not None:
                fleet.forget_values(window.unit, window.started_at, window.ended_at)
            if fleet.units.get(window.unit) is not None and not self._always_simulated(fleet, window.unit):
                findings += self._settle_training(change, book, rules, silence, now)
        return findings

    def _settle_device(
        self, change: WindowChange, fleet: Fleet, rules: Rules, silence: SilenceWatch, now: Instant
    ) -> list[Finding]:
        """A device that goes into service is not missing; what is wrong with it when it comes out is told then."""
        window, simulated = change.window, self.simulated(fleet, change.window.unit)
        if window.state is not WindowState.ON:
            return rules.standing(window.unit, window.device, now, simulated)
        excused = silence.excuse(window.unit, window.device, now)
        return [rules.silence(s.unit, s.device, s.channel, s.silent, now, s.since, simulated) for s in excused]

    def _settle_training(
        self, change: WindowChange, book: AlertBook, rules: Rules, silence: SilenceWatch, now: Instant
    ) -> list[Finding]:
        """Practice leaves nothing behind: its alerts end with it, and what is really wrong is told anew, as real."""
        unit = change.window.unit
        rules.thresholds.forget(f"unit/{unit}")
        if change.window.state is WindowState.ON:
            return []
        practised = [alert for alert in book.open if alert.unit == unit and alert.simulated]
        silence.judge_anew(key for alert in practised if (key := silence_of(alert)) is not None)
        self.calibrations.judge_anew(alert.subject for alert in practised)
        self.uploads.judge_anew((alert.unit, alert.rule) for alert in practised)
        ended: list[Finding] = [_end_of(alert, now) for alert in practised]
        return ended + rules.standing(unit, None, now, simulated=False)

    @staticmethod
    def _always_simulated(fleet: Fleet, unit: str) -> bool:
        return fleet.units[unit].provenance is not Provenance.LIVE


def silence_of(alert: Alert) -> SilentKey | None:
    """What it says is silent, as the watch names it; None when it is about no silence."""
    if alert.rule == "link-lost":
        return alert.unit, None, None
    return (alert.unit, alert.device, alert.quantity) if alert.rule == "signal-missing" and alert.device else None


def _end_of(alert: Alert, now: Instant) -> Finding:
    row, why = CATALOGUE[alert.rule], {"why": "training is over"}
    return PracticeOver(row, Edge.CLEAR, alert.subject, alert.unit, alert.device, now, details=why, simulated=True)


def _is_about_a_patient(alert: Alert, unit: str) -> bool:
    return alert.unit == unit and alert.kind is Kind.PHYSIOLOGICAL and not alert.simulated
