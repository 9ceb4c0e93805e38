"""Who may say it, is it new, can the numbers be true, and when did it happen."""

from enum import StrEnum
from typing import Final

import msgspec

from gateway.contract.envelope import RESERVED_DEVICE, RESERVED_EPOCH, Hello, Instant
from gateway.contract.identity import ClockQuality, Provenance
from gateway.contract.observation import Event, Observation, Reply
from gateway.contract.quantity import HOUR, QUANTITIES, SECOND
from gateway.contract.topic import UnitAddress
from gateway.contract.waveform import WaveFrame
from gateway.ledger import LaneLedger, Ledger, Receipt
from gateway.ports import LogMessage, RecordFlag
from gateway.unpack import Refused, Route, Unpacked

LATE_AFTER: Final = 60 * SECOND
OLDEST_BACKLOG: Final = 60 * 24 * HOUR  # no outbox reaches back further: an older time is a wrong clock
SMALL_OFFSET: Final = 2 * SECOND  # a clock this near needs no correction
FUTURE_TOLERANCE: Final = 5 * SECOND
ECG_VALIDITY: Final = 30 * SECOND
_PLAUSIBLE: Final = {name: (row.low, row.high) for name, row in QUANTITIES.items()}


class AdmitReason(StrEnum):
    """Why a message that could be read is not taken, or a value of it is not used."""

    UNKNOWN_UNIT = "unknown-unit"
    FOREIGN_TOPIC = "foreign-topic"  # the unit is registered under another site or kind
    OUT_OF_RANGE = "out-of-range"  # one value is not plausible; the record is stored
    BAD_CONDITION = "bad-condition"  # a condition that does not say what or whether; the record is stored
    RESERVED_NAME = "reserved-name"  # an epoch or device name that is the gateway's own
    TOO_MANY_GAPS = "too-many-gaps"  # not admitted, so not acked, so not lost


class RegisteredUnit(msgspec.Struct, frozen=True):
    """What the registry knows of a unit."""

    address: UnitAddress
    name: str
    provenance: Provenance


class Clock(msgspec.Struct, frozen=True):
    """A unit's clock against ours, as its last hello measured it (us); None = not measured."""

    offset: int | None = None
    error: int | None = None

    @property
    def quality(self) -> ClockQuality:
        if self.offset is None:
            return ClockQuality.UNTRUSTED
        return ClockQuality.GOOD if abs(self.offset) <= SMALL_OFFSET else ClockQuality.CORRECTED


class Admitted(msgspec.Struct, frozen=True, gc=False):
    """A record on its way through the pipeline."""

    route: Route
    lane: LaneLedger
    body: Observation | Event | WaveFrame
    event_at: Instant
    received_at: Instant
    flags: int
    payload: bytes
    simulated: bool = False


class Duplicate(msgspec.Struct, frozen=True, gc=False):
    """A number that has come before; the writer compares contents."""

    lane: LaneLedger
    body: Observation | Event | WaveFrame
    received_at: Instant
    payload: bytes


class Greeting(msgspec.Struct, frozen=True, gc=False):
    """A hello of a registered unit."""

    route: Route
    body: Hello
    received_at: Instant
    payload: bytes


class Answered(msgspec.Struct, frozen=True, gc=False):
    """A registered unit's reply to a command; whether anybody asked is for the command desk to say."""

    route: Route
    body: Reply
    log: LogMessage


class Admission:
    """Judges messages in the order of the log. State: the ledger, the units, their clocks."""

    def __init__(self, ledger: Ledger, units: dict[str, RegisteredUnit], clocks: dict[str, Clock]) -> None:
        self.ledger = ledger
        self.units = units
        self.clocks = clocks

    def admit(self, message: Unpacked) -> Admitted | Duplicate | Greeting | Answered | Refused:
        """What becomes of one message. Values out of range are still inside: see :func:`implausible`."""
        route = message.route
        unit = self.units.get(route.address.unit)
        if unit is None:
            return _refuse(message, AdmitReason.UNKNOWN_UNIT, route.address.unit)
        if unit.address != route.address:
            return _refuse(message, AdmitReason.FOREIGN_TOPIC, f"registered as {unit.address}")
        body, received_at = message.body, message.log.logged_at
        if isinstance(body, Hello):
            self._hear(route, body, received_at)
            return Greeting(route, body, received_at, message.log.payload)
        if isinstance(body, Reply):
            return Answered(route, body, message.log)
        return self._number(message, body, unit)

    def account(self, refused: Refused) -> LaneLedger | None:
        """Counts the number of a refused record as received; None when it had none or it came before."""
        lane = self._lane_of(refused)
        if lane is None or refused.seq is None:
            return None
        new = self.ledger.receive(lane, refused.seq, refused.log.logged_at) is Receipt.NEW
        return lane if new else None

    def account_for(self, failed: Refused) -> LaneLedger | None:
        """As `account`, for a record that failed on its way through admission: it may have been counted already."""
        lane = self._lane_of(failed)
        if lane is None or failed.seq is None:
            return None
        self.ledger.receive(lane, failed.seq, failed.log.logged_at)
        return lane if lane.contains(failed.seq) else None  # else it was not admitted, so not acked, so not lost

    def _lane_of(self, refused: Refused) -> LaneLedger | None:
        route = refused.route
        if route is None or route.lane is None or refused.epoch is None:
            return None
        if route.address.unit not in self.units or refused.epoch == RESERVED_EPOCH:
            return None
        return self.ledger.lane(route.address.unit, refused.epoch, route.lane)

    def _hear(self, route: Route, hello: Hello, received_at: Instant) -> None:
        unit = route.address.unit
        self.ledger.hear(unit, [lane for lane in hello.lanes if lane.epoch != RESERVED_EPOCH], received_at)
        if hello.clock_offset is not None:
            self.clocks[unit] = Clock(hello.clock_offset, hello.clock_error)

    def _number(
        self, message: Unpacked, body: Observation | Event | WaveFrame, unit: RegisteredUnit
    ) -> Admitted | Duplicate | Refused:
        route, log = message.route, message.log
        assert route.lane is not None
        if body.epoch == RESERVED_EPOCH or body.device == RESERVED_DEVICE:
            return _refuse(message, AdmitReason.RESERVED_NAME, f"epoch {body.epoch}, device {body.device}")
        lane = self.ledger.lane(route.address.unit, body.epoch, route.lane)
        receipt = self.ledger.receive(lane, body.seq, log.logged_at)
        if receipt is Receipt.DUPLICATE:
            return Duplicate(lane, body, log.logged_at, log.payload)
        if receipt is Receipt.REFUSED:
            return _refuse(message, AdmitReason.TOO_MANY_GAPS, f"seq {body.seq}, next {lane.next}")
        event_at, flags = judge_time(body, log.logged_at, self.clocks.get(route.address.unit))
        simulated = unit.provenance is not Provenance.LIVE
        return Admitted(route, lane, body, event_at, log.logged_at, flags, log.payload, simulated)


def judge_time(body: Observation | Event | WaveFrame, received_at: Instant, clock: Clock | None) -> tuple[Instant, int]:
    """When the record happened on the gateway's clock, and its time flags.

    An untrusted clock (never measured and far off, or in the future) yields received time; the record still counts.
    """
    flags = 0
    event_at = body.observed_at
    if clock is not None and clock.offset is not None and abs(clock.offset) > SMALL_OFFSET:
        event_at += clock.offset
        flags |= RecordFlag.CLOCK_CORRECTED
    unmeasured = clock is None or clock.offset is None
    age = received_at - event_at
    impossible = age < -FUTURE_TOLERANCE or age > OLDEST_BACKLOG
    if impossible or (unmeasured and not body.backfill and age > LATE_AFTER):
        event_at, age = received_at, 0
        flags = RecordFlag.CLOCK_UNTRUSTED
    if body.test:
        flags |= RecordFlag.TEST
    if body.backfill:
        flags |= RecordFlag.BACKFILL
    if body.backfill or age > LATE_AFTER:
        flags |= RecordFlag.LATE
        if age > _validity(body):
            flags |= RecordFlag.HISTORICAL
    return event_at, flags


def _validity(body: Observation | Event | WaveFrame) -> int:
    """The longest clinical validity in the record, us."""
    if isinstance(body, Observation):
        return max((QUANTITIES[name].clinical_validity for name in body.values), default=0)
    return ECG_VALIDITY if isinstance(body, WaveFrame) else LATE_AFTER


def implausible(body: Observation) -> dict[str, float]:
    """The values outside their quantity's plausible range."""
    bad: dict[str, float] = {}
    for name, value in body.values.items():
        low, high = _PLAUSIBLE[name]
        if value is not None and not low <= value <= high:
            bad[name] = value
    return bad


def _refuse(message: Unpacked, reason: AdmitReason, detail: str) -> Refused:
    return Refused(message.log, reason, detail, message.route)
