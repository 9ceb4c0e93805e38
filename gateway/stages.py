"""The stages of the pipeline and the state they share. Synchronous; times come in as arguments."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from gateway import bulletin, refusals
from gateway.acks import AckDesk
from gateway.admit import Admission, AdmitReason, Admitted, Answered, Duplicate, Greeting, implausible
from gateway.alerts.alert import IllegalMove, UnknownAlert
from gateway.alerts.boards import BoardWatch
from gateway.alerts.book import AlertBook, Transition
from gateway.alerts.lifecycle import Lifecycle
from gateway.alerts.place import place_in
from gateway.alerts.silence import SilenceRefused
from gateway.care.window import WindowRefused
from gateway.changes import Act, Batch, Changes, LaneChange, Position, Rejection
from gateway.commands.command import CommandConflict
from gateway.commands.desk import CommandDesk
from gateway.contract.envelope import Instant, Presence
from gateway.contract.observation import Event, Observation
from gateway.contract.waveform import WaveFrame
from gateway.derive.derivation import LAIN_IN, Derivation
from gateway.derive.pressure import CONFIRMED, TURNED, CareRefused, Refusal, confirmable
from gateway.derive.silence import SilenceWatch
from gateway.derive.wording import Wording, may_reword, measured_of
from gateway.evaluation import Evaluation
from gateway.fleet import Fleet
from gateway.intake import Intake
from gateway.moves import (
    Acknowledgement,
    CommandRequest,
    Confirmation,
    PersonsMove,
    SilenceEnd,
    SilenceStart,
    TurnEntry,
    WindowEnd,
    WindowStart,
)
from gateway.ports import LiveFeed
from gateway.refusals import INTERNAL_ERROR
from gateway.rules.engine import Rules
from gateway.rules.patient import NOBODY
from gateway.rules.threshold import Finding
from gateway.sequence import Sequencer
from gateway.standing import Standing
from gateway.unpack import Refused, Unpacked


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
        lifecycle: Lifecycle,
        commands: CommandDesk,
        standing: Standing,
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
        self.lifecycle = lifecycle
        self.commands = commands
        self.standing = standing
        self.fleet = fleet
        self.desk = desk
        self.live = live
        self.evaluation = Evaluation(rules, silence, standing, fleet)
        derivation.pressure.failed = commands.failed
        self.boards = BoardWatch(book, place_in(fleet), rules.thresholds.ruleset)
        self.canary_at: Instant = 0  # of the newest committed canary; 0 = none yet
        self._conflicts: list[tuple[str, str]] = []
        self._acts: list[Act] = []

    # ---- admit ------------------------------------------------------------------------------------------------------

    def admit(self, unpacked: list[Unpacked | Refused]) -> Intake:
        """Sorts a batch; every message ends in exactly one list."""
        intake = Intake()
        for message in unpacked:
            try:
                self._take(intake, message if isinstance(message, Refused) else self.admission.admit(message))
            except Exception as error:  # noqa: BLE001 - one message must not stop the others; it is kept with its reason
                self._take_failed(intake, message, error)
        for lane in intake.lanes.values():
            self.desk.touch(lane)
        return intake

    def _take(self, intake: Intake, outcome: Admitted | Duplicate | Greeting | Answered | Refused) -> None:
        match outcome:
            case Admitted():
                self._take_record(intake, outcome)
            case Duplicate():
                intake.duplicates.append(outcome)
                self.desk.touch(outcome.lane)
            case Greeting():
                self._take_greeting(intake, outcome)
            case Answered():
                self._take_answer(intake, outcome)
            case Refused():
                self._take_refused(intake, outcome)

    def _take_record(self, intake: Intake, record: Admitted) -> None:
        body = record.body
        if isinstance(body, Observation) and (bad := implausible(body)):
            record = refusals.without(record, bad)
            detail = ", ".join(f"{name}={value}" for name, value in bad.items())
            intake.rejections.append(refusals.in_part(record, AdmitReason.OUT_OF_RANGE, detail))
        record = self.standing.mark(record)
        intake.records.append(record)
        intake.lanes[record.lane.id] = record.lane

    def _take_greeting(self, intake: Intake, greeting: Greeting) -> None:
        unit, hello = greeting.route.address.unit, greeting.body
        if hello.presence is Presence.OFFLINE and hello.epoch != self.fleet.states[unit].epoch:
            return  # the last will of a connection that has long been replaced
        intake.greetings.append(greeting)
        if not self._is_online(unit):
            self.commands.hurry(unit)
        if not self.fleet.greet(unit, hello, greeting.received_at):
            intake.imposters.append(unit)
        lanes = self.admission.ledger.by_unit.get(unit, [])
        for lane in lanes:
            if lane.changed or lane.dirty:
                intake.lanes[lane.id] = lane
        self.desk.greet(greeting.route.address, hello, greeting.received_at, lanes)

    def _take_answer(self, intake: Intake, answer: Answered) -> None:
        route, reply, log = answer.route, answer.body, answer.log
        reason = self.commands.answer(route.address.unit, reply, log.logged_at)
        if reason is not None:
            intake.rejections.append(Rejection(Refused(log, reason, reply.id, route)))

    def _take_refused(self, intake: Intake, refused: Refused) -> None:
        lane = self.admission.account(refused) if refused.reason != "too-many-gaps" else None
        intake.rejections.append(Rejection(refused, lane))
        if lane is not None:
            intake.lanes[lane.id] = lane

    def _take_failed(self, intake: Intake, message: Unpacked | Refused, error: Exception) -> None:
        """Our own fault: kept, and its number counts as received, or its agent would send it for ever."""
        refused = Refused(message.log, INTERNAL_ERROR, repr(error), message.route, *refusals.number_of(message))
        lane = self.admission.account_for(refused)
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
                    self.live.notify("observations", unit, bulletin.observations(record, record.body, derived=False))
            else:
                self.live.notify("event", unit, bulletin.event(record, record.body))

    # ---- enter ------------------------------------------------------------------------------------------------------

    def enter(self, moves: Sequence[PersonsMove[Any]], now: Instant) -> list[Admitted]:
        """What people did that becomes an event of a unit: it is kept, shown and derived from like any other."""
        entered: list[Admitted] = []
        for move in moves:
            try:
                if isinstance(move, TurnEntry):
                    entered.append(self._enter_turn(move, now))
                elif isinstance(move, Confirmation):
                    entered.append(self._enter_confirmation(move, now))
            except (CareRefused, CommandConflict) as refusal:
                move.refusal = refusal
        return entered

    def _enter_turn(self, move: TurnEntry, now: Instant) -> Admitted:
        entry = self.fleet.units.get(move.unit)
        if entry is None or entry.address.kind is not LAIN_IN:
            raise CareRefused(Refusal.NOT_A_BED, "nobody lies there")
        self.derivation.pressure.turnable(move.unit, move.at)
        record = self._enter(move.unit, TURNED, {"by": move.actor}, move.at, now)
        assert isinstance(record.body, Event)
        move.outcome = record.body
        self._acts.append(Act(now, move.actor, TURNED, move.unit, {"at": move.at}))
        return record

    def _enter_confirmation(self, move: Confirmation, now: Instant) -> Admitted:
        wanted, by = move.wanted, move.wanted.requested_by
        confirmable(self.derivation.pressure.care(wanted.unit), move.proposed_at, by, now)
        move.outcome = self.commands.request(wanted)
        details = {"proposal": move.proposed_at, "by": by, "command": wanted.id}
        self._acts.append(Act(now, by, CONFIRMED, wanted.unit, details))
        return self._enter(wanted.unit, CONFIRMED, details, now, now)

    def _enter(self, unit: str, name: str, details: dict[str, Any], at: Instant, now: Instant) -> Admitted:
        return self.standing.mark(self.derivation.enter(unit, name, details, at, now))

    # ---- derive -----------------------------------------------------------------------------------------------------

    def derive(self, intake: Intake, entered: list[Admitted], now: Instant, *, caught_up: bool) -> list[Admitted]:
        """Adds derived records to the intake; returns the records the rules may see now, in each lane's order."""
        ordered: list[Admitted] = []
        for record in intake.records:
            ordered += self.sequencer.take(record)
        ordered += self.sequencer.expire(now)
        ordered = [record for record in ordered if record.route.address.unit in self.fleet.units]  # else just revoked
        derived = list(entered)
        derived += [found for record in ordered for found in self._derive_one(intake, record, self.derivation.derive)]
        for record in self.derivation.catch_up():
            if record.route.address.unit in self.fleet.units:
                derived += self._derive_one(intake, record, self.derivation.look)
        for record in (*ordered, *derived):
            if self.standing.counts(record):
                derived += self._derive_one(intake, record, self.derivation.score)
        derived += self._derive_from_time(intake, now) if caught_up else []
        for record in derived:
            self._take_derived(intake, record)
        return ordered + derived

    def _derive_from_time(self, intake: Intake, now: Instant) -> list[Admitted]:
        """What no record gives rise to. A part that fails is named when it begins to, and stops nothing else."""

        def failed(part: str, error: Exception) -> None:
            intake.rejections.append(refusals.of_time(part, error, now))

        return [self.standing.mark(record) for record in self.derivation.check(now, failed)]

    def _derive_one(
        self, intake: Intake, record: Admitted, derive: Callable[[Admitted], list[Admitted]]
    ) -> list[Admitted]:
        try:
            return derive(record)
        except Exception as error:  # noqa: BLE001 - the record is stored all the same; what spoilt it is kept
            intake.rejections.append(refusals.in_part(record, INTERNAL_ERROR, repr(error)))
            return []

    def _take_derived(self, intake: Intake, record: Admitted) -> None:
        """A record of our own is stored with the batch and shown like any other."""
        intake.records.append(record)
        intake.lanes[record.lane.id] = record.lane
        unit, body = record.route.address.unit, record.body
        if isinstance(body, Event):
            self.live.notify("event", unit, bulletin.event(record, body))
        elif isinstance(body, Observation) and self.live.watched:
            self.live.notify("observations", unit, bulletin.observations(record, body, derived=True))

    def warm(self, unpacked: list[Unpacked | Refused]) -> None:
        """Fills the detectors from messages committed before a restart; nothing is recorded or raised."""
        for message in unpacked:
            if isinstance(message, Unpacked) and isinstance(message.body, WaveFrame):
                self.derivation.fill(message.route.address.unit, message.body)

    # ---- evaluate and apply -----------------------------------------------------------------------------------------

    def evaluate(self, intake: Intake, evaluable: list[Admitted], batch: Batch) -> list[Finding]:
        """What the rules make of the batch and of the time that has passed."""
        conflicts, self._conflicts = self._conflicts, []
        return self.evaluation.evaluate(intake, evaluable, batch, conflicts)

    def apply(self, findings: list[Finding], moves: Sequence[PersonsMove[Any]], batch: Batch) -> list[Transition]:
        """The transitions that findings and people's moves make; commands move on."""
        now = batch.now
        transitions = [made for finding in findings if (made := self.book.apply(finding, now)) is not None]
        for move in moves:
            try:
                if isinstance(move, Acknowledgement):
                    transitions.append(self.book.acknowledge(move.alert_id, move.actor, now))
                    move.outcome = transitions[-1].alert
                elif isinstance(move, CommandRequest):
                    move.outcome = self.commands.request(move.wanted)
                elif isinstance(move, WindowStart | WindowEnd):
                    move.outcome = self.standing.carry_out(move, self.fleet, self.book.open, now)
                elif isinstance(move, SilenceStart):
                    move.outcome = self.lifecycle.silences.start(move.wanted)
                elif isinstance(move, SilenceEnd):
                    move.outcome = self.lifecycle.silences.end(move.id, move.actor, now)
            except (IllegalMove, UnknownAlert, CommandConflict, WindowRefused, SilenceRefused) as refusal:
                move.refusal = refusal
        settled = self.standing.settle(self.fleet, self.book, self.rules, self.silence, now)
        transitions += [made for finding in settled if (made := self.book.apply(finding, now)) is not None]
        transitions += self.boards.check(self.live.mute_boards, now)
        transitions += self.lifecycle.advance(now)
        self.commands.advance(now, self._is_online, read_to_end=batch.read_to_end)
        return transitions

    def _is_online(self, unit: str) -> bool:
        state = self.fleet.states.get(unit)
        return state is not None and state.presence is Presence.ONLINE

    def changes(
        self, intake: Intake, transitions: list[Transition], position: Position | None, now: Instant
    ) -> Changes:
        """All of it as one commit."""
        acts, self._acts = self._acts, []
        lanes = [LaneChange(lane, lane.next, lane.seen_at, lane.take_changes()) for lane in intake.lanes.values()]
        devices = []
        for record in intake.records:
            key = (record.route.address.unit, record.body.device)
            if key not in self.fleet.devices:
                self.fleet.devices.add(key)
                devices.append((*key, record.received_at))
        devices += [new for greeting in intake.greetings for new in self.fleet.meet(greeting)]
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
            holds=self.rules.take_dirty(),
            commands=self.commands.take_changes(),
            windows=self.standing.service.take_changes(),
            sessions=self.standing.sessions.take_work(now),
            silences=self.lifecycle.silences.take_changes(),
            notices=self.lifecycle.take_notices(),
            acts=acts,
        )

    # ---- after the commit -------------------------------------------------------------------------------------------

    def push_outcome(self, changes: Changes, conflicts: list[Any]) -> None:
        """Alerts, link changes and commands go to the screens; conflicts are judged with the next batch."""
        for alert in {transition.alert.id: transition.alert for transition in changes.transitions}.values():
            self.live.notify("alert", alert.unit, {"alert": msgspec.to_builtins(alert)})
        told = {greeting.route.address.unit for greeting in changes.greetings} | self._reworded(changes.records)
        for unit in told | {change.window.unit for change in changes.windows}:
            if unit in self.fleet.states:
                self.live.notify("unit", unit, {"unit": self.describe(unit)})
        for command in {change.command.id: change.command for change in changes.commands}.values():
            self.live.notify("command", command.unit, {"command": bulletin.command(command)})
        self.canary_at = self.evaluation.canary_at
        self._conflicts += [(conflict.unit, conflict.detail) for conflict in conflicts]

    def describe(self, unit: str) -> dict[str, Any]:
        """The unit's state for a snapshot, with the limits its values are held against."""
        lanes = self.admission.ledger.by_unit.get(unit, ())
        state = self.fleet.describe(unit, sum(lane.open_gaps for lane in lanes))
        patient = self.rules.thresholds.patients.get(unit, NOBODY)
        whose = {"name": str(patient.placed.population), "assumed": patient.placed.assumed}
        limits = self.rules.thresholds.limits(unit)
        words = msgspec.to_builtins(self._wordings(unit))
        not_for = msgspec.to_builtins(self.derivation.not_for(unit, patient.person))
        about = {"limits": limits, "population": whose, "wordings": words, "not_for": not_for}
        return self.standing.describe(unit, state) | about

    def _wordings(self, unit: str) -> list[Wording]:
        patient = self.rules.thresholds.patients.get(unit, NOBODY)
        measured = measured_of(self.fleet.states[unit].latest)
        return self.derivation.wordings.of(measured, patient.person, patient.plans)

    def _reworded(self, records: Iterable[Admitted]) -> set[str]:
        """Units whose readings are called otherwise than before."""
        patients = self.rules.thresholds.patients
        heard = {
            record.route.address.unit
            for record in records
            if isinstance(record.body, Observation)
            and may_reword(record.body.values, patients.get(record.route.address.unit, NOBODY).plans)
        }
        here = heard & self.fleet.states.keys()
        return {unit for unit in here if self.derivation.wordings.news(unit, self._wordings(unit))}
