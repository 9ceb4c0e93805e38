"""The stage between data and alerts: what the rules make of a batch, and of the time that has passed."""

from typing import Final

from gateway import refusals
from gateway.admit import AdmitReason, Admitted, Greeting
from gateway.changes import Batch
from gateway.contract import condition
from gateway.contract.envelope import Instant, LinkMode, Presence
from gateway.contract.observation import Event, Observation
from gateway.contract.quantity import SECOND
from gateway.contract.waveform import WaveFrame
from gateway.derive.silence import SilenceWatch, wave_channel
from gateway.fleet import GATEWAY_DEVICE, Fleet, Latest
from gateway.intake import Intake
from gateway.ports import RecordFlag
from gateway.refusals import INTERNAL_ERROR
from gateway.rules.catalogue import THRESHOLDS
from gateway.rules.engine import Rules
from gateway.rules.switches import PARTS, SILENT, BadCondition
from gateway.rules.threshold import Finding
from gateway.standing import Standing

# Events that tell of something that may still last
LASTING: Final = frozenset({condition.EVENT, SILENT, *PARTS})
BROKER_PATIENCE: Final = 5 * SECOND


class Evaluation:
    """The rules, the watch for silence and what stands about units; part of the stages."""

    def __init__(self, rules: Rules, silence: SilenceWatch, standing: Standing, fleet: Fleet) -> None:
        self.rules = rules
        self.silence = silence
        self.standing = standing
        self.fleet = fleet
        self._last_check: Instant = 0
        self._trouble_since: Instant | None = None

    def evaluate(
        self, intake: Intake, evaluable: list[Admitted], batch: Batch, conflicts: list[tuple[str, str]]
    ) -> list[Finding]:
        """What the rules make of the batch and of the time that has passed."""
        now = batch.now
        findings: list[Finding] = []
        for record in evaluable:
            try:
                findings += self._evaluate_record(record)
            except BadCondition as bad:
                intake.rejections.append(refusals.in_part(record, AdmitReason.BAD_CONDITION, str(bad)))
            except Exception as error:  # noqa: BLE001 - as in _derive_one
                intake.rejections.append(refusals.in_part(record, INTERNAL_ERROR, repr(error)))
        for record in intake.records:
            self._hear(record)
        for greeting in intake.greetings:
            findings += self._evaluate_greeting(greeting)
        for unit in intake.imposters:
            findings.append(self._technical("duplicate-identity", unit, now, "an earlier epoch greets again"))
        for unit, detail in conflicts:
            findings.append(self._technical("duplicate-identity", unit, now, detail))
        findings += [self._technical(code, "", now, why) for code, why in batch.notes]
        findings.append(self._judge_broker(batch))
        if batch.caught_up and abs(now - self._last_check) >= SECOND:  # abs: also after the wall clock was set back
            self._last_check = now
            findings += self._check_silence(now) + self.standing.check(self.fleet, now)
        return findings

    def _judge_broker(self, batch: Batch) -> Finding:
        """A broker that is started again within seconds is no alert."""
        if batch.trouble is None:
            self._trouble_since = None
        elif self._trouble_since is None:
            self._trouble_since = batch.now
        since = self._trouble_since
        lost = since is not None and batch.now - since >= BROKER_PATIENCE
        return self._technical("broker-lost", "", batch.now, batch.trouble or "", raised=lost)

    def _evaluate_record(self, record: Admitted) -> list[Finding]:
        body, unit = record.body, record.route.address.unit
        if isinstance(body, Event):
            return self._evaluate_event(record, body)
        if not isinstance(body, Observation) or not self.standing.counts(record):
            return []
        findings: list[Finding] = []
        device, derived = body.device, body.device == GATEWAY_DEVICE
        at, received_at = record.event_at, record.received_at
        self.fleet.observe_all(unit, device, body.values, event_at=at, received_at=received_at, derived=derived)
        for name, value in body.values.items():
            if value is not None and name in THRESHOLDS:
                findings += self.rules.value(
                    unit, device, name, value, at, received_at - at, derived=derived, simulated=record.simulated
                )
        return findings

    def _evaluate_event(self, record: Admitted, event: Event) -> list[Finding]:
        """A condition that was reported late may still last; any other event this late is history.

        What counts is what stands about the device now, not then: whatever began in a window that is over still lasts.
        """
        if event.test or (record.flags & RecordFlag.HISTORICAL and event.name not in LASTING):
            return []
        unit = record.route.address.unit
        return self.rules.report(
            unit, event.device, event.name, event.details, record.event_at,
            simulated=self._simulated(unit), mutes=lambda device: self.standing.mutes(unit, device),
        )  # fmt: skip

    def _hear(self, record: Admitted) -> None:
        unit, body, at = record.route.address.unit, record.body, record.received_at
        if body.device == GATEWAY_DEVICE:
            return
        self.silence.hear_unit(unit, at)
        if record.flags & RecordFlag.BACKFILL:
            return
        if isinstance(body, Observation):
            self.silence.hear_all(unit, body.device, body.values, at)
        elif isinstance(body, WaveFrame):
            channel = wave_channel(body.leads[0])
            self.silence.hear(unit, body.device, channel, at)
            self.fleet.observe_wave(unit, body.device, channel, Latest(None, record.event_at, at, False))

    def _evaluate_greeting(self, greeting: Greeting) -> list[Finding]:
        unit, hello = greeting.route.address.unit, greeting.body
        if hello.presence is Presence.OFFLINE:
            return []
        self.silence.hear_unit(unit, greeting.received_at)
        state = self.fleet.states[unit]
        before, state.shed = state.shed, hello.shed
        more = before is not None and hello.shed > before
        why = f"{hello.shed} records declared shed"
        return [self._technical("shedding", unit, greeting.received_at, why, raised=more)]

    def _check_silence(self, now: Instant) -> list[Finding]:
        findings = []
        weak = {unit for unit, state in self.fleet.states.items() if state.link_mode is LinkMode.WEAK}
        for change in self.silence.check(now, weak, self.standing.service.resting):
            simulated = self._simulated(change.unit)
            findings.append(
                self.rules.silence(
                    change.unit, change.device, change.channel, change.silent, now, change.since, simulated
                )
            )
        return findings

    def _technical(self, code: str, unit: str, now: Instant, why: str, raised: bool = True) -> Finding:
        return self.rules.technical(code, unit, raised, now, bool(unit) and self._simulated(unit), why)

    def _simulated(self, unit: str) -> bool:
        return self.standing.simulated(self.fleet, unit)
