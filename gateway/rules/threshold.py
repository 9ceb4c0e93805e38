"""Values against the limits of those they speak of.

Every value is judged at its event time. A *channel* is one quantity of one unit: the rows that wait for it, with the
limits of the patient, and per device the time up to which it has been judged (its watermark): what is older changes
nothing, so that a late value never clears a newer alert. Nearly every value lies where no row waits for anything; that
path does no more than note the time.
"""

import math
from collections.abc import Callable
from typing import Any, Final

import msgspec

from gateway.admit import LATE_AFTER
from gateway.contract.envelope import Instant
from gateway.contract.topic import UnitKind
from gateway.fleet import GATEWAY_DEVICE
from gateway.rules.condition import EVERY_PROBE, Combined, Condition, Direction, Threshold
from gateway.rules.hold import Edge, Hold, hold
from gateway.rules.patient import NOBODY, Patient, row_for
from gateway.rules.row import Kind, Priority, Row
from gateway.rules.ruleset import Ruleset, default_ruleset

_IDLE: Final = Hold()
BLIND_PREFIX: Final = "blind/"  # before a row's code: its clock on values that came too late to page


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


class Slot(msgspec.Struct, frozen=True):
    """One row that waits for a channel."""

    row: Row
    condition: Condition
    subject: str
    blind_code: str  # of its clock on late values


class Channel(msgspec.Struct):
    """One quantity of one unit."""

    slots: tuple[Slot, ...]
    low: float  # from here ...
    high: float  # ... to here no slot minds while none is ``busy``
    busy: set[tuple[str, str]]  # (subject, rule) of slots for which something has begun
    marks: dict[str, Instant]  # device: event time up to which it has been judged
    own_at: Instant  # when a device last gave its own value


class Thresholds:
    """The holds of every (subject, rule). ``dirty``: those to be written with the next commit."""

    def __init__(
        self, ruleset: Ruleset | None = None, kind_of: Callable[[str], UnitKind | None] = lambda _: None
    ) -> None:
        self.ruleset = ruleset or default_ruleset()
        self.holds: dict[tuple[str, str], Hold] = {}
        self.dirty: set[tuple[str, str]] = set()
        self.patients: dict[str, Patient] = {}
        self._kind_of = kind_of
        self.channels: dict[tuple[str, str], Channel] = {}
        self._standing: set[tuple[str, str]] = set()  # half-elapsed clocks that go on though no value comes
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
            slots += _slots(row, unit, quantity)
        bands = [slot.condition.quiet(quantity) for slot in slots]
        low, high = max((b[0] for b in bands), default=-math.inf), min((b[1] for b in bands), default=math.inf)
        busy = {
            (slot.subject, code)
            for slot in slots
            for code in (slot.row.code, slot.blind_code)
            if not self.holds.get((slot.subject, code), _IDLE).idle
        }
        return Channel(tuple(slots), low, high, busy, {} if marks is None else marks, own_at)

    def rows(self, unit: str, quantity: str) -> list[Row]:
        """The rows on a quantity that speak of the unit and its patient, with the limits that count for them."""
        patient, kind = self.patients.get(unit, NOBODY), self._kind_of(unit)
        found = []
        for row in self.ruleset.by_quantity.get(quantity, ()):
            here = row.places is None or kind in row.places
            fitted = row_for(row, patient) if here and row.kind is Kind.PHYSIOLOGICAL else row if here else None
            if fitted is not None:
                found.append(fitted)
        return found

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
            code = slot.blind_code if blind else row.code
            if _stands(slot.condition):
                findings += self._lapse(slot, code, reading)
            edge, before = self._step(slot, code, reading.quantity, reading.value, reading.at, blind)
            if edge is not None:
                findings.append(self._explain(slot, edge, before, reading))
        return findings

    def lapse(self, now: Instant, simulated: Callable[[str], bool]) -> list[Finding]:
        """What has become true or is over because a value has stood for long enough. Call it about once a second."""
        findings: list[Finding] = []
        for subject, code in sorted(self._standing):
            unit = subject.split("/")[1]
            slot = self._slot(subject, code, unit)
            if slot is None:
                self._standing.discard((subject, code))
            else:
                told = Reading(unit, GATEWAY_DEVICE, slot.condition.quantities[0], 0.0, now, 0, simulated(unit))
                findings += self._lapse(slot, code, told)
        return findings

    def _slot(self, subject: str, code: str, unit: str) -> Slot | None:
        quantities = self.ruleset.rows[code].quantities
        slots = (slot for quantity in quantities for slot in self.channel(unit, quantity).slots)
        return next((slot for slot in slots if (slot.subject, slot.row.code) == (subject, code)), None)

    def _lapse(self, slot: Slot, code: str, next_: Reading) -> list[Finding]:
        """The edge that fell due before the next reading, or before now, at the time at which it did."""
        key = (slot.subject, code)
        before = self.holds.get(key, _IDLE)
        if before.since is None:
            return []
        due = before.since + (slot.condition.clear_for if before.firing else slot.condition.for_)
        if next_.at < due:
            return []
        edge = Edge.CLEAR if before.firing else Edge.RAISE
        self._keep(slot, key, before, Hold(not before.firing, None, due, before.memory))
        value = before.memory[0][1] if before.memory else next_.value
        reading = msgspec.structs.replace(next_, at=due, value=value)
        return [self._explain(slot, edge, before, reading)]

    def orphans(self, now: Instant) -> list[Finding]:
        """Alerts whose row does not speak of the patient or the place any more: they end, and say why."""
        ended = []
        for key, state in list(self.holds.items()):
            subject, code = key
            row, unit = self.ruleset.rows.get(code), subject.split("/")[1]
            if not state.firing or row is None or self._waits(row, unit, subject):
                continue
            self.holds[key] = _IDLE
            self.dirty.add(key)
            details = {"why": "its limit does not count here any more", "rules_version": self.ruleset.version}
            ended.append(Finding(row, Edge.CLEAR, subject, unit, None, now, details=details))
        return ended

    def _waits(self, row: Row, unit: str, subject: str) -> bool:
        return any(
            slot.row.code == row.code and slot.subject == subject
            for quantity in row.quantities
            for slot in self.channel(unit, quantity).slots
        )

    def _step(
        self, slot: Slot, code: str, quantity: str, value: float, at: Instant, blind: bool
    ) -> tuple[Edge | None, Hold]:
        """The edge a value makes, and the hold before it."""
        key, condition = (slot.subject, code), slot.condition
        before = self.holds.get(key, _IDLE)
        if blind and at < before.last_at:
            return None, before
        if _stands(condition):
            before = msgspec.structs.replace(before, last_at=max(at, before.last_at))  # silence is no pause
        at = max(at, before.last_at)  # two devices that measure the same are not read at the same instant
        verdict = condition.judge(before.memory, quantity, value, at)
        after, edge = hold(
            before, breached=verdict.breached, cleared=verdict.cleared, at=at,
            for_=condition.for_, clear_for=condition.clear_for, memory=verdict.memory,
        )  # fmt: skip
        if condition.each and verdict.breached and edge is None:
            edge = Edge.RAISE
        if not (after.idle and before.idle):
            self._keep(slot, key, before, after)
        return edge, before

    def _keep(self, slot: Slot, key: tuple[str, str], before: Hold, after: Hold) -> None:
        self.holds[key] = after
        if after.since != before.since or after.firing is not before.firing or after.memory != before.memory:
            self.dirty.add(key)
        if after.idle is not before.idle:
            self._note_busy(slot, key, after.idle)
        if _stands(slot.condition) and key[1] == slot.row.code:
            (self._standing.discard if after.since is None else self._standing.add)(key)

    def _note_busy(self, slot: Slot, key: tuple[str, str], idle: bool) -> None:
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
        details["quantity"] = reading.quantity
        if slot.row.kind is Kind.PHYSIOLOGICAL:
            details |= self._whose(slot.row.code, reading.unit)
        if reading.age > LATE_AFTER:
            details |= {"measured_at": at, "late": True}
        return Finding(
            slot.row, edge, slot.subject, reading.unit, reading.device, at, reading.value, limit, details,
            reading.simulated,
        )  # fmt: skip

    def _main_reading(self, quantity: str, part: int, before: Hold, reading: Reading) -> Reading:
        """What the alert is about, where another part completed it: the cargo's temperature, not the set point."""
        if quantity == reading.quantity or not before.memory:
            return reading
        marks = self.channel(reading.unit, quantity).marks
        device = max(marks, key=marks.__getitem__, default=reading.device)
        return msgspec.structs.replace(reading, device=device, quantity=quantity, value=before.memory[part][1])

    def _whose(self, code: str, unit: str) -> dict[str, Any]:
        patient = self.patients.get(unit, NOBODY)
        told: dict[str, Any] = {"population": str(patient.placed.population)}
        if patient.placed.assumed:
            told["assumed"] = True
        if patient.id:
            told["person"] = patient.id
        own = patient.limits.get(code)
        return told if own is None else told | {"person_limit": own.id, "limit_by": own.set_by}

    # ---- state ------------------------------------------------------------------------------------------------------

    def restore(self, subject: str, code: str, state: Hold) -> None:
        """A clock as it was when the gateway stopped."""
        self.holds[subject, code] = state
        row = self.ruleset.rows.get(code)
        if row is not None and row.condition is not None and _stands(row.condition) and state.since is not None:
            self._standing.add((subject, code))

    def heard(self, unit: str, device: str, quantity: str, at: Instant) -> None:
        """The newest value of a device that had been judged when the gateway stopped: its clocks go on from there."""
        channel = self.channel(unit, quantity)
        channel.marks[device] = max(at, channel.marks.get(device, at))
        for key in channel.busy:
            state = self.holds[key]
            if not key[1].startswith(BLIND_PREFIX) and at > state.last_at:
                self.holds[key] = msgspec.structs.replace(state, last_at=at)

    def forget(self, subject: str) -> None:
        """Everything half elapsed or raised for a subject begins anew."""
        gone = {key for key in self.holds if key[0] == subject or key[0].startswith(subject + "/")}
        for key in gone:
            self.holds[key] = _IDLE
            self.dirty.add(key)
        self._standing -= gone
        for channel in self.channels.values():
            channel.busy -= gone

    def take_dirty(self) -> list[tuple[str, str, Hold]]:
        """The holds changed since the last call."""
        changed = [(subject, rule, self.holds[subject, rule]) for subject, rule in sorted(self.dirty)]
        self.dirty.clear()
        return changed


def _slots(row: Row, unit: str, quantity: str) -> list[Slot]:
    """The row once, or once for each of its probes that the quantity has to do with."""
    if row.condition is None:
        return []
    subject, blind = f"unit/{unit}", BLIND_PREFIX + row.code
    if not row.probes:
        return [Slot(row, row.condition, subject, blind)]
    named = next(name for name in row.condition.quantities if EVERY_PROBE in name)
    each = ((probe, row.condition.of(probe)) for probe in row.probes)
    return [
        Slot(row, condition, f"{subject}/{named.replace(EVERY_PROBE, probe)}", blind)
        for probe, condition in each
        if quantity in condition.quantities
    ]


def _stands(condition: Condition) -> bool:
    return isinstance(condition, Threshold) and condition.stands


def _main(condition: Combined, quantity: str) -> int:
    """The part it is about: of an AND the first, of an OR the one that was read."""
    return 0 if condition.every else [part.threshold.quantity for part in condition.parts].index(quantity)


def _nearest(limits: list[Threshold]) -> tuple[float | None, float | None]:
    low = max((one.limit for one in limits if one.direction is Direction.BELOW), default=None)
    return low, min((one.limit for one in limits if one.direction is Direction.ABOVE), default=None)
