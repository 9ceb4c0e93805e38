"""The stage between data and alerts: what the rules make of a batch, and of the time that has passed."""

from typing import Final

from gateway import refusals
from gateway.admit import AdmitReason, Admitted, Greeting
from gateway.changes import Batch
from gateway.contract import condition
from gateway.contract.envelope import Instant, LinkMode, Presence
from gateway.contract.observation import Event, Observation
from gateway.contract.quantity import CANARY, SECOND
from gateway.contract.topic import UnitKind
from gateway.contract.waveform import WaveFrame
from gateway.derive.fetal_watch import OVER
from gateway.derive.silence import FOREVER, SilenceWatch, wave_channel
from gateway.fleet import GATEWAY_DEVICE, Fleet, Latest
from gateway.intake import Intake
from gateway.ports import RecordFlag
from gateway.refusals import INTERNAL_ERROR
from gateway.rules.catalogue import THRESHOLDS
from gateway.rules.engine import Rules
from gateway.rules.hold import Edge
from gateway.rules.patient import NOBODY
from gateway.rules.places import Place
from gateway.rules.switches import PARTS, SILENT, BadCondition, event_validity
from gateway.rules.tags import BadTag
from gateway.rules.threshold import Finding
from gateway.standing import Standing

# Events that tell of something that may still last
LASTING: Final = frozenset({condition.EVENT, SILENT, *PARTS})
BROKER_PATIENCE: Final = 5 * SECOND
CANARY_LATE: Final = 25 * SECOND


class Evaluation:
    """The rules, the watch for silence and what stands about units; part of the stages."""

    def __init__(self, rules: Rules, silence: SilenceWatch, standing: Standing, fleet: Fleet) -> None:
        self.rules = rules
        self.silence = silence
        self.standing = standing
        self.fleet = fleet
        self.canary_at: Instant = 0  # when the newest canary that came through set out; 0 = there has been none
        self._canary_seen: Instant = 0  # when it came, on our own clock
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
            except (BadCondition, BadTag) as bad:
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
            findings += (
                self._check_silence(now)
                + self.standing.check(self.fleet, now)
                + self.rules.check(now, self._simulated, self.standing.mutes)
            )
            findings += self._check_canary(now) + self._check_uploads(now)
        return [one for one in findings if one.row.enabled or one.edge is Edge.CLEAR]

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
        self.standing.uploads.hear(self.fleet, record, body, self.rules.thresholds.patients.get(unit, NOBODY))
        if CANARY in body.values and record.route.address.kind is UnitKind.WATCH:
            self.canary_at, self._canary_seen = max(at, self.canary_at), received_at
        for name, value in body.values.items():
            if value is not None and name in THRESHOLDS:
                findings += self.rules.value(
                    unit, device, name, value, at, received_at - at, derived=derived, simulated=record.simulated
                )
        for name, why in body.invalid.items() if derived else ():
            if why == OVER:
                findings += self.rules.thresholds.withdraw(unit, name, at, why)
        return findings

    def _evaluate_event(self, record: Admitted, event: Event) -> list[Finding]:
        """A condition that was reported late may still last; any other event this late is history.

        What counts is what stands about the device now, not then: whatever began in a window that is over still lasts.
        """
        judged_there = event.name in LASTING or event_validity(event.name) is not None
        if event.test or (record.flags & RecordFlag.HISTORICAL and not judged_there):
            return []
        unit = record.route.address.unit
        return self.rules.report(
            unit, event.device, event.name, event.details, record.event_at,
            simulated=self._simulated(unit), mutes=lambda device: self.standing.mutes(unit, device),
            age=record.received_at - record.event_at,
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

    def _check_canary(self, now: Instant) -> list[Finding]:
        """Where a watcher has ever run, its silence means that nobody would tell if this gateway stopped."""
        if not self._canary_seen:
            watched = any(entry.address.kind is UnitKind.WATCH for entry in self.fleet.units.values())
            self._canary_seen = now if watched else 0
            return []
        late = now - self._canary_seen
        return [self._technical("canary-late", "", now, f"no canary for {late // SECOND} s", raised=late > CANARY_LATE)]

    def _check_uploads(self, now: Instant) -> list[Finding]:
        """What people at home agreed to send and did not."""
        ours = self.rules.thresholds
        return self.standing.uploads.check(self.fleet, ours.patients, ours.ruleset, now, self._simulated)

    def _check_silence(self, now: Instant) -> list[Finding]:
        findings = []
        weak = {unit for unit, state in self.fleet.states.items() if state.link_mode is LinkMode.WEAK}
        for change in self.silence.check(now, weak, self.standing.service.resting, self._allowed_silence(now)):
            simulated = self._simulated(change.unit)
            task = self._place(change.unit).task if change.device is None and change.silent else ""
            findings.append(
                self.rules.silence(
                    change.unit, change.device, change.channel, change.silent, now, change.since, simulated, task
                )
            )
        return findings

    def _allowed_silence(self, now: Instant) -> dict[str, int]:
        """How long each unit may say nothing; a place that is closed now may do so for ever."""
        rules = self.rules.thresholds.ruleset
        allowed = {}
        for unit, entry in self.fleet.units.items():
            place = rules.places[entry.address.kind]
            open_now = place.hours is None or place.hours.open(now, rules.utc_offset)
            allowed[unit] = place.silence if open_now else FOREVER
        return allowed

    def _place(self, unit: str) -> Place:
        return self.rules.thresholds.ruleset.places[self.fleet.units[unit].address.kind]

    def _technical(self, code: str, unit: str, now: Instant, why: str, raised: bool = True) -> Finding:
        return self.rules.technical(code, unit, raised, now, bool(unit) and self._simulated(unit), why)

    def _simulated(self, unit: str) -> bool:
        return self.standing.simulated(self.fleet, unit)
