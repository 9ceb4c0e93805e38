"""The stages of the pipeline and the state they share. Synchronous; times come in as arguments."""

from asyncio import Future
from typing import Any, Final

import msgspec

from gateway.acks import AckDesk
from gateway.admit import Admission, Admitted, Duplicate, Greeting, implausible
from gateway.alerts.alert import Alert, IllegalMove, UnknownAlert
from gateway.alerts.book import AlertBook, Transition
from gateway.changes import Batch, Changes, LaneChange, Position, Rejection
from gateway.contract.envelope import Instant, LinkMode, Presence
from gateway.contract.observation import Event, Observation
from gateway.contract.quantity import SECOND
from gateway.contract.waveform import WaveFrame
from gateway.derive.derivation import Derivation
from gateway.derive.silence import SilenceWatch, wave_channel
from gateway.fleet import GATEWAY_DEVICE, Fleet, Latest
from gateway.ledger import LaneLedger
from gateway.ports import LiveFeed, LogMessage, RecordFlag
from gateway.rules.catalogue import LIMITS, THRESHOLDS
from gateway.rules.engine import Rules
from gateway.rules.threshold import Finding
from gateway.sequence import Sequencer
from gateway.unpack import Refused, Unpacked

BROKER_PATIENCE: Final = 5 * SECOND
INTERNAL_ERROR: Final = "internal-error"  # our fault, not the sender's


class Intake(msgspec.Struct):
    """A batch sorted by what each message turned out to be."""

    records: list[Admitted] = []
    duplicates: list[Duplicate] = []
    greetings: list[Greeting] = []
    rejections: list[Rejection] = []
    lanes: dict[int, LaneLedger] = {}
    imposters: list[str] = []  # units greeted by an epoch that had been superseded


class PersonsMove:
    """An acknowledgement waiting for its place in the path; its future is done after the commit."""

    def __init__(self, alert_id: str, actor: str, future: "Future[Alert]") -> None:
        self.alert_id = alert_id
        self.actor = actor
        self.future = future
        self.outcome: Alert | IllegalMove | UnknownAlert | None = None

    def settle(self) -> None:
        """Tells the person who waits."""
        if self.future.done() or self.outcome is None:
            return
        if isinstance(self.outcome, Alert):
            self.future.set_result(self.outcome)
        else:
            self.future.set_exception(self.outcome)


class Stages:
    """Owned by one pipeline; nothing else changes its state."""

    def __init__(  # noqa: PLR0913 - one argument a stage
        self,
        *,
        admission: Admission,
        sequencer: Sequencer,
        derivation: Derivation,
        rules: Rules,
        silence: SilenceWatch,
        book: AlertBook,
        fleet: Fleet,
        desk: AckDesk,
        live: LiveFeed,
    ) -> None:
        self.admission = admission
        self.sequencer = sequencer
        self.derivation = derivation
        self.rules = rules
        self.silence = silence
        self.book = book
        self.fleet = fleet
        self.desk = desk
        self.live = live
        self._last_check: Instant = 0
        self._trouble_since: Instant | None = None
        self._conflicts: list[tuple[str, str]] = []

    # ---- admit ------------------------------------------------------------------------------------------------------

    def admit(self, unpacked: list[Unpacked | Refused]) -> Intake:
        """Sorts a batch; every message ends in exactly one list."""
        intake = Intake()
        for message in unpacked:
            try:
                self._take(intake, message if isinstance(message, Refused) else self.admission.admit(message))
            except Exception as error:  # noqa: BLE001 - one message must not stop the others; it is kept with its reason
                intake.rejections.append(Rejection(Refused(message.log, INTERNAL_ERROR, repr(error), message.route)))
        for lane in intake.lanes.values():
            self.desk.touch(lane)
        return intake

    def _take(self, intake: Intake, outcome: Admitted | Duplicate | Greeting | Refused) -> None:
        match outcome:
            case Admitted():
                self._take_record(intake, outcome)
            case Duplicate():
                intake.duplicates.append(outcome)
                self.desk.touch(outcome.lane)
            case Greeting():
                self._take_greeting(intake, outcome)
            case Refused():
                self._take_refused(intake, outcome)

    def _take_record(self, intake: Intake, record: Admitted) -> None:
        body = record.body
        if isinstance(body, Observation) and (bad := implausible(body)):
            record = _without(record, bad)
            log = LogMessage(0, record.received_at, record.route.address.subject(record.route.channel), record.payload)
            detail = ", ".join(f"{name}={value}" for name, value in bad.items())
            refused = Refused(log, "out-of-range", detail, record.route, body.epoch, body.seq, whole=False)
            intake.rejections.append(Rejection(refused, record.lane))
        intake.records.append(record)
        intake.lanes[record.lane.id] = record.lane

    def _take_greeting(self, intake: Intake, greeting: Greeting) -> None:
        unit, hello = greeting.route.address.unit, greeting.body
        if hello.presence is Presence.OFFLINE and hello.epoch != self.fleet.states[unit].epoch:
            return  # the last will of a connection that has long been replaced
        intake.greetings.append(greeting)
        if not self.fleet.greet(unit, hello, greeting.received_at):
            intake.imposters.append(unit)
        lanes = self.admission.ledger.by_unit.get(unit, [])
        for lane in lanes:
            if lane.changed or lane.dirty:
                intake.lanes[lane.id] = lane
        self.desk.greet(greeting.route.address, hello, greeting.received_at, lanes)

    def _take_refused(self, intake: Intake, refused: Refused) -> None:
        lane = self.admission.account(refused) if refused.reason != "too-many-gaps" else None
        intake.rejections.append(Rejection(refused, lane))
        if lane is not None:
            intake.lanes[lane.id] = lane

    # ---- live, before the commit ------------------------------------------------------------------------------------

    def push_signals(self, intake: Intake) -> None:
        """Waveforms and values go to the screens at once."""
        watched = self.live.watched
        for record in intake.records:
            unit = record.route.address.unit
            if isinstance(record.body, WaveFrame):
                self.live.wave(unit, record.payload)
            elif isinstance(record.body, Observation):
                if watched:
                    self.live.notify("observations", unit, _observations(record, record.body, derived=False))
            else:
                self.live.notify("event", unit, _event(record, record.body))

    # ---- derive -----------------------------------------------------------------------------------------------------

    def derive(self, intake: Intake, now: Instant) -> list[Admitted]:
        """Adds derived records to the intake; returns the records the rules may see now, in each lane's order."""
        ordered: list[Admitted] = []
        for record in intake.records:
            ordered += self.sequencer.take(record)
        ordered += self.sequencer.expire(now)
        ordered = [record for record in ordered if record.route.address.unit in self.fleet.units]  # else just revoked
        derived = [found for record in ordered if (found := self._derive_one(intake, record)) is not None]
        for record in derived:
            intake.records.append(record)
            intake.lanes[record.lane.id] = record.lane
            assert isinstance(record.body, Observation)
            if self.live.watched:
                body = _observations(record, record.body, derived=True)
                self.live.notify("observations", record.route.address.unit, body)
        return ordered + derived

    def _derive_one(self, intake: Intake, record: Admitted) -> Admitted | None:
        try:
            return self.derivation.derive(record)
        except Exception as error:  # noqa: BLE001 - the record is stored all the same; what spoilt it is kept
            intake.rejections.append(_spoilt(record, error))
            return None

    def warm(self, unpacked: list[Unpacked | Refused]) -> None:
        """Fills the detectors from messages committed before a restart; nothing is recorded or raised."""
        for message in unpacked:
            if isinstance(message, Unpacked) and isinstance(message.body, WaveFrame):
                self.derivation.fill(message.route.address.unit, message.body)

    # ---- evaluate ---------------------------------------------------------------------------------------------------

    def evaluate(self, intake: Intake, evaluable: list[Admitted], batch: Batch) -> list[Finding]:
        """What the rules make of the batch and of the time that has passed."""
        now = batch.now
        findings: list[Finding] = []
        for record in evaluable:
            try:
                findings += self._evaluate_record(record)
            except Exception as error:  # noqa: BLE001 - as in _derive_one
                intake.rejections.append(_spoilt(record, error))
        for record in intake.records:
            self._hear(record)
        for greeting in intake.greetings:
            findings += self._evaluate_greeting(greeting)
        for unit in intake.imposters:
            findings.append(self._technical("duplicate-identity", unit, now, "an earlier epoch greets again"))
        for unit, detail in self._conflicts:
            findings.append(self._technical("duplicate-identity", unit, now, detail))
        self._conflicts = []
        findings += [self._technical(code, "", now, why) for code, why in batch.notes]
        findings.append(self._judge_broker(batch))
        if batch.caught_up and abs(now - self._last_check) >= SECOND:  # abs: also after the wall clock was set back
            self._last_check = now
            findings += self._check_silence(now)
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
        if record.flags & RecordFlag.TEST:
            return []
        if isinstance(body, Event):
            if record.flags & RecordFlag.HISTORICAL:
                return []
            return self.rules.report(unit, body.device, body.name, record.event_at, record.simulated)
        if not isinstance(body, Observation):
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
        for change in self.silence.check(now, weak):
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
        entry = self.fleet.units.get(unit)
        return entry is not None and entry.provenance != "live"

    # ---- apply ------------------------------------------------------------------------------------------------------

    def apply(self, findings: list[Finding], moves: list[PersonsMove], now: Instant) -> list[Transition]:
        """The transitions that findings and people's moves make."""
        transitions = [made for finding in findings if (made := self.book.apply(finding, now)) is not None]
        for move in moves:
            try:
                transition = self.book.acknowledge(move.alert_id, move.actor, now)
            except (IllegalMove, UnknownAlert) as refusal:
                move.outcome = refusal
            else:
                move.outcome = transition.alert
                transitions.append(transition)
        return transitions

    def changes(self, intake: Intake, transitions: list[Transition], position: Position | None) -> Changes:
        """All of it as one commit."""
        lanes = [LaneChange(lane, lane.next, lane.seen_at, lane.take_changes()) for lane in intake.lanes.values()]
        devices = []
        for record in intake.records:
            key = (record.route.address.unit, record.body.device)
            if key not in self.fleet.devices:
                self.fleet.devices.add(key)
                devices.append((*key, record.received_at))
        return Changes(
            position=position,
            records=intake.records,
            duplicates=intake.duplicates,
            rejections=intake.rejections,
            greetings=intake.greetings,
            devices=devices,
            lanes=lanes,
            latest=self.fleet.take_latest(),
            transitions=transitions,
            holds=self.rules.thresholds.take_dirty(),
        )

    # ---- after the commit -------------------------------------------------------------------------------------------

    def push_outcome(self, changes: Changes, conflicts: list[Any]) -> None:
        """Alerts and link changes go to the screens; conflicts are judged with the next batch."""
        for transition in changes.transitions:
            self.live.notify("alert", transition.alert.unit, {"alert": msgspec.to_builtins(transition.alert)})
        for unit in {greeting.route.address.unit for greeting in changes.greetings}:
            if unit in self.fleet.states:
                self.live.notify("unit", unit, {"unit": self.describe(unit)})
        self._conflicts += [(conflict.unit, conflict.detail) for conflict in conflicts]

    def describe(self, unit: str) -> dict[str, Any]:
        """The unit's state for a snapshot, with the limits its values are held against."""
        lanes = self.admission.ledger.by_unit.get(unit, ())
        return {**self.fleet.describe(unit, sum(lane.open_gaps for lane in lanes)), "limits": LIMITS}


def _spoilt(record: Admitted, error: Exception) -> Rejection:
    """A stored record that a derivation or a rule could not take."""
    log = LogMessage(0, record.received_at, record.route.address.subject(record.route.channel), record.payload)
    body = record.body
    refused = Refused(log, INTERNAL_ERROR, repr(error), record.route, body.epoch, body.seq, whole=False)
    return Rejection(refused, record.lane)


def _without(record: Admitted, bad: dict[str, float]) -> Admitted:
    """The record with the implausible values left out of what rules and screens see; the payload stays as it came."""
    assert isinstance(record.body, Observation)
    values = {name: value for name, value in record.body.values.items() if name not in bad}
    invalid = record.body.invalid | dict.fromkeys(bad, "out-of-range")
    body = msgspec.structs.replace(record.body, values=values, invalid=invalid)
    return msgspec.structs.replace(record, body=body, flags=record.flags | RecordFlag.VALUE_REFUSED)


def _observations(record: Admitted, body: Observation, *, derived: bool) -> dict[str, Any]:
    return {
        "device": body.device,
        "at": record.event_at,
        "received_at": record.received_at,
        "late": bool(record.flags & RecordFlag.LATE),
        "derived": derived,
        "values": body.values,
    }


def _event(record: Admitted, body: Event) -> dict[str, Any]:
    return {"device": body.device, "at": record.event_at, "name": body.name, "details": body.details}
