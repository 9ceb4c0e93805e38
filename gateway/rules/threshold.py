"""Values against the limits of those they speak of.

Every value is judged at its event time, on the clock of the device that measured it. A *channel* is one quantity of
one unit: the rows that wait for it, with the limits of the patient, and per device the time up to which it has been
judged (its watermark): what is older changes nothing, so that a late value never clears a newer alert. Nearly every
value lies where no row waits for anything; that path does no more than note the time.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from gateway.admit import LATE_AFTER
from gateway.contract.envelope import Instant
from gateway.contract.topic import UnitKind
from gateway.rules.channel import BLIND_PREFIX, Channel, Slot, slots_of, stands
from gateway.rules.clocks import Clocks, Key
from gateway.rules.condition import Combined, Direction, Memory, Threshold, Verdict
from gateway.rules.hold import Edge, Hold, Holds, hold
from gateway.rules.patient import NOBODY, Patient, row_for, silent_on
from gateway.rules.row import Kind, Priority, Row
from gateway.rules.ruleset import Ruleset, default_ruleset


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


class Reading(msgspec.Struct, frozen=True, gc=False):
    """One value on its way through the rules. ``age``: received - event time, us."""

    unit: str
    device: str
    quantity: str
    value: float
    at: Instant
    age: int
    simulated: bool


class Thresholds:
    """The channels of every unit, and the clocks of the rows that wait for them."""

    def __init__(
        self, ruleset: Ruleset | None = None, kind_of: Callable[[str], UnitKind | None] = lambda _: None
    ) -> None:
        self.ruleset = ruleset or default_ruleset()
        self.clocks = Clocks()
        self.patients: dict[str, Patient] = {}
        self._kind_of = kind_of
        self.channels: dict[tuple[str, str], Channel] = {}
        self._standing: set[Key] = set()  # half-elapsed clocks that go on though no value comes
        self._limits: dict[str, dict[str, dict[str, float]]] = {}

    # ---- channels ---------------------------------------------------------------------------------------------------

    def channel(self, unit: str, quantity: str) -> Channel:
        """The rows that wait for a quantity of a unit, for the patient of now."""
        key = (unit, quantity)
        found = self.channels.get(key)
        if found is None:
            found = self.channels[key] = self._open(unit, quantity)
        return found

    def _open(self, unit: str, quantity: str, marks: dict[str, Instant] | None = None, own_at: Instant = 0) -> Channel:
        slots: list[Slot] = []
        for row in self.rows(unit, quantity):
            slots += slots_of(row, unit, quantity)
        bands = [slot.condition.quiet(quantity) for slot in slots]
        low, high = max((b[0] for b in bands), default=-math.inf), min((b[1] for b in bands), default=math.inf)
        busy = {
            (slot.subject, code)
            for slot in slots
            for code in (slot.row.code, slot.blind_code)
            if not self.clocks.is_idle((slot.subject, code))
        }
        return Channel(tuple(slots), low, high, busy, {} if marks is None else marks, own_at)

    def rows(self, unit: str, quantity: str) -> list[Row]:
        """The rows on a quantity that speak of the unit and its patient, with the limits that count for them."""
        patient = self.patients.get(unit, NOBODY)
        found = []
        for row in self.ruleset.by_quantity.get(quantity, ()):
            here = self.is_here(row, unit)
            fitted = row_for(row, patient) if here and row.kind is Kind.PHYSIOLOGICAL else row if here else None
            if fitted is not None:
                found.append(fitted)
        return found

    def refuses(self, row: Row, unit: str) -> str | None:
        """Why a row does not speak of the unit's patient; None when it does."""
        return silent_on(row, self.patients.get(unit, NOBODY))

    def is_here(self, row: Row, unit: str) -> bool:
        """Whether a row counts at the unit's kind of place."""
        return row.places is None or self._kind_of(unit) in row.places

    def exits(self, unit: str) -> tuple[str, ...]:
        """The devices of the unit that stand at a way out."""
        kind = self._kind_of(unit)
        return () if kind is None else self.ruleset.places[kind].exits

    def limits(self, unit: str) -> dict[str, dict[str, float]]:
        """Between what limits each quantity raises nothing: the nearest on either side."""
        known = self._limits.get(unit)
        if known is None:
            known = self._limits[unit] = {}
            for quantity in self.ruleset.by_quantity:
                low, high = _nearest([row.threshold for row in self.rows(unit, quantity) if row.threshold])
                if sides := ({"low": low} if low is not None else {}) | ({"high": high} if high is not None else {}):
                    known[quantity] = sides
        return known

    def set_patients(self, patients: dict[str, Patient]) -> list[str]:
        """Takes in whom each unit's values speak of; returns the units for which limits may have changed."""
        units = patients.keys() | self.patients.keys()
        changed = sorted(unit for unit in units if patients.get(unit) != self.patients.get(unit))
        self.patients = patients
        for unit in changed:
            self._limits.pop(unit, None)
            for key, channel in self.channels.items():
                if key[0] == unit:
                    self.channels[key] = self._open(*key, channel.marks, channel.own_at)
        return changed

    # ---- values -----------------------------------------------------------------------------------------------------

    def judge(self, channel: Channel, reading: Reading, *, blind: bool = False) -> list[Finding]:
        """The edges of one value that may mean something. ``blind``: it came too late to page or to clear."""
        findings = []
        for slot in channel.slots:
            row = slot.row
            if blind and row.priority is not Priority.HIGH:
                continue
            if row.hours is not None and not row.hours.open(reading.at, self.ruleset.utc_offset):
                continue
            key = (slot.subject, slot.blind_code if blind else row.code)
            if slot.decides and not blind and self.clocks.has_others(key, reading.device):
                self.clocks.hand_over(key, reading.device, reading.at, slot.patience)
                if key in channel.busy and self.clocks.is_idle(key):
                    self._note_busy(slot, key, idle=True)
            if stands(slot.condition):
                findings += self._lapse(slot, key, reading)
            findings += self._step(slot, key, reading, blind)
        return findings

    def lapse(self, now: Instant, simulated: Callable[[str], bool]) -> list[Finding]:
        """What has become true or is over because a value has stood for long enough. Call it about once a second."""
        findings: list[Finding] = []
        for key in sorted(self._standing):
            unit = key[0].split("/")[1]
            slot = self._slot(*key, unit)
            if slot is None:
                self._standing.discard(key)
                continue
            for device in sorted(self.clocks.at(key)):
                told = Reading(unit, device, slot.condition.quantities[0], 0.0, now, 0, simulated(unit))
                findings += self._lapse(slot, key, told)
        return findings

    def _slot(self, subject: str, code: str, unit: str) -> Slot | None:
        row = self.ruleset.rows.get(code)
        quantities = row.quantities if row else ()
        slots = (slot for quantity in quantities for slot in self.channel(unit, quantity).slots)
        return next((slot for slot in slots if (slot.subject, slot.row.code) == (subject, code)), None)

    def _lapse(self, slot: Slot, key: Key, next_: Reading) -> list[Finding]:
        """The edge that fell due before a device's next reading, or before now, at the time at which it did."""
        before = self.clocks.of(key, next_.device)
        if before.since is None:
            return []
        due = before.since + (slot.condition.clear_for if before.firing else slot.condition.for_)
        if next_.at < due:
            return []
        edge = Edge.CLEAR if before.firing else Edge.RAISE
        self._keep(slot, key, next_.device, Hold(not before.firing, None, due, before.memory))
        if edge is Edge.CLEAR and self.clocks.fires(key, beside=next_.device):
            return []
        value = before.memory[0][1] if before.memory else next_.value
        reading = msgspec.structs.replace(next_, at=due, value=value)
        return [self._explain(slot, edge, before, reading)]

    def orphans(self, now: Instant) -> list[Finding]:
        """Alerts whose row does not speak of the patient or the place any more: they end, and say why."""
        ended = []
        for key, _ in self.clocks:
            subject, code = key
            row, unit = self.ruleset.rows.get(code), subject.split("/")[1]
            if row is None or row.condition is None or not self.clocks.fires(key) or self._waits(row, unit, subject):
                continue
            self.clocks.reset(key)
            details = {"why": "its limit does not count here any more", "rules_version": self.ruleset.version}
            ended.append(Finding(row, Edge.CLEAR, subject, unit, None, now, details=details))
        return ended

    def withdraw(self, unit: str, quantity: str, at: Instant, why: str) -> list[Finding]:
        """There is no value of a quantity any more, says who gave it: what stood on the last one ends."""
        ended = []
        for slot in self.channel(unit, quantity).slots:
            key = (slot.subject, slot.row.code)
            if self.clocks.is_idle(key):
                continue
            if self.clocks.fires(key):
                details = {"why": why, "rules_version": self.ruleset.version}
                ended.append(Finding(slot.row, Edge.CLEAR, slot.subject, unit, None, at, details=details))
            self.clocks.reset(key)
            self._note_busy(slot, key, idle=True)
            self._standing.discard(key)
        return ended

    def half_elapsed(self) -> Iterator[tuple[Slot, str, Hold]]:
        """What is beyond a limit that counts now, and not yet for long enough: the longest of an alert's devices."""
        for (subject, code), devices in self.clocks:
            begun = [(state.since, device) for device, state in devices.items() if state.since is not None]
            if not begun or any(state.firing for state in devices.values()):
                continue
            slot = self._slot(subject, code, subject.split("/")[1])
            if slot is not None:
                device = min(begun)[1]
                yield slot, device, devices[device]

    def _waits(self, row: Row, unit: str, subject: str) -> bool:
        return any(
            slot.row.code == row.code and slot.subject == subject
            for quantity in row.quantities
            for slot in self.channel(unit, quantity).slots
        )

    def _step(self, slot: Slot, key: Key, reading: Reading, blind: bool) -> list[Finding]:
        """The edges a value makes: at its own device and, in an AND, at those that take it from there."""
        device, at, condition = reading.device, reading.at, slot.condition
        before = self.clocks.of(key, device)
        if blind and at < before.last_at:
            return []
        if stands(condition):
            before = msgspec.structs.replace(before, last_at=max(at, before.last_at))  # silence is no pause
        if not isinstance(condition, Combined):
            verdict = condition.judge(before.memory, reading.quantity, reading.value, at)
            return self._settle(slot, key, before, verdict, reading)
        others = self._memories(key, device)
        verdict = condition.judge(before.memory, reading.quantity, reading.value, at, others.values())
        findings = self._settle(slot, key, before, verdict, reading)
        if not slot.decides:
            for other, points in sorted(others.items()):
                if condition.measures(points, at):
                    verdict = condition.look(points, at, self._memories(key, other).values())
                    told = msgspec.structs.replace(reading, device=other)
                    findings += self._settle(slot, key, self.clocks.of(key, other), verdict, told)
        return findings

    def _memories(self, key: Key, device: str) -> dict[str, Memory]:
        """What the other devices gave."""
        return {other: state.memory for other, state in self.clocks.at(key).items() if other != device}

    def _settle(self, slot: Slot, key: Key, before: Hold, verdict: Verdict, reading: Reading) -> list[Finding]:
        """Takes a device's clock on. What raises is told of each device; what clears, once none holds any more."""
        condition, device = slot.condition, reading.device
        at = max(reading.at, before.last_at)  # parts of an AND that come from two devices are not read at one instant
        after, edge = hold(
            before, breached=verdict.breached, cleared=verdict.cleared, at=at,
            for_=0 if verdict.confirmed else condition.for_, clear_for=condition.clear_for, memory=verdict.memory,
        )  # fmt: skip
        if after.untold and verdict.breached:
            after, edge = msgspec.structs.replace(after, untold=False), Edge.RAISE
        if not (after.idle and before.idle):
            self._keep(slot, key, device, after)
        if condition.each and verdict.breached:
            edge = Edge.RAISE
        elif edge is Edge.CLEAR and self.clocks.fires(key, beside=device):
            edge = None
        return [] if edge is None else [self._explain(slot, edge, before, msgspec.structs.replace(reading, at=at))]

    def _keep(self, slot: Slot, key: Key, device: str, after: Hold) -> None:
        flips = self.clocks.of(key, device).idle is not after.idle
        self.clocks.keep(key, device, after)
        if flips:
            self._note_busy(slot, key, self.clocks.is_idle(key))
        if stands(slot.condition) and key[1] == slot.row.code:
            runs = any(state.since is not None for state in self.clocks.at(key).values())
            (self._standing.add if runs else self._standing.discard)(key)

    def _note_busy(self, slot: Slot, key: Key, idle: bool) -> None:
        """A row with several quantities is busy on all their channels."""
        unit = slot.subject.split("/")[1]
        for quantity in slot.condition.quantities:
            busy = self.channel(unit, quantity).busy
            if idle:
                busy.discard(key)
            else:
                busy.add(key)

    def _explain(self, slot: Slot, edge: Edge, before: Hold, reading: Reading) -> Finding:
        """The finding with what made it: quantity, limits, window, whose limits they are."""
        condition, at = slot.condition, reading.at
        details: dict[str, Any] = {"since": before.since or at, "for": condition.for_}
        details["rules_version"] = self.ruleset.version
        if isinstance(condition, Combined):
            limits = [part.threshold for part in condition.parts]
            main = _main(condition, reading.quantity)
            limit, reading = limits[main].limit, self._main_reading(limits[main].quantity, main, before, reading)
            details["parts"] = [{"quantity": one.quantity, "limit": one.limit} for one in limits]
        else:
            limit = condition.limit
        details |= {"quantity": reading.quantity, "device": reading.device}
        if slot.row.kind is Kind.PHYSIOLOGICAL:
            details |= self.whose(slot.row.code, reading.unit)
        if reading.age > LATE_AFTER:
            details |= {"measured_at": at, "late": True}
        return Finding(
            slot.row, edge, slot.subject, reading.unit, reading.device, at, reading.value, limit, details,
            reading.simulated,
        )  # fmt: skip

    @staticmethod
    def _main_reading(quantity: str, part: int, before: Hold, reading: Reading) -> Reading:
        """What the alert is about, where another part completed it: the cargo's temperature, not the set point."""
        if quantity == reading.quantity or not before.memory:
            return reading
        return msgspec.structs.replace(reading, quantity=quantity, value=before.memory[part][1])

    def whose(self, code: str, unit: str) -> dict[str, Any]:
        """Whose limits count, as the alert tells it."""
        patient = self.patients.get(unit, NOBODY)
        told: dict[str, Any] = {"population": str(patient.placed.population)}
        if patient.placed.assumed:
            told["assumed"] = True
        if patient.id:
            told["person"] = patient.id
        own = patient.limits.get(code)
        return told if own is None else told | {"person_limit": own.id, "limit_by": own.set_by}

    # ---- state ------------------------------------------------------------------------------------------------------

    def restore(self, subject: str, code: str, devices: Mapping[str, Hold]) -> None:
        """Clocks as they were when the gateway stopped."""
        self.clocks.restore((subject, code), devices)
        row = self.ruleset.rows.get(code)
        runs = any(state.since is not None for state in devices.values())
        if runs and row is not None and row.condition is not None and stands(row.condition):
            self._standing.add((subject, code))

    def heard(self, unit: str, device: str, quantity: str, at: Instant) -> None:
        """The newest value of a device that had been judged when the gateway stopped: its clocks go on from there."""
        channel = self.channel(unit, quantity)
        channel.marks[device] = max(at, channel.marks.get(device, at))
        for key in channel.busy:
            if not key[1].startswith(BLIND_PREFIX):
                self.clocks.touch(key, device, at)

    def forget(self, subject: str) -> None:
        """Everything half elapsed or raised for a subject begins anew."""
        gone = {key for key, _ in self.clocks if key[0] == subject or key[0].startswith(subject + "/")}
        for key in gone:
            self.clocks.reset(key)
        self._standing -= gone
        for channel in self.channels.values():
            channel.busy -= gone

    def take_dirty(self) -> list[tuple[str, str, Holds]]:
        """What the next commit must write."""
        return self.clocks.take_dirty()


def _main(condition: Combined, quantity: str) -> int:
    """The part it is about: of an AND the first, of an OR the one that was read."""
    return 0 if condition.every else [part.threshold.quantity for part in condition.parts].index(quantity)


def _nearest(limits: list[Threshold]) -> tuple[float | None, float | None]:
    low = max((one.limit for one in limits if one.direction is Direction.BELOW), default=None)
    return low, min((one.limit for one in limits if one.direction is Direction.ABOVE), default=None)
