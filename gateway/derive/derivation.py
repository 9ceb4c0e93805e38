"""Runs every derivation over the records of a batch; what comes out are records like any other."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

import msgspec

from gateway.admit import ECG_VALIDITY, Admitted
from gateway.contract.envelope import RESERVED_EPOCH, Instant, Lane
from gateway.contract.identity import Provenance
from gateway.contract.observation import Event, Observation
from gateway.contract.quantity import SECOND
from gateway.contract.topic import Channel, UnitAddress, UnitKind
from gateway.contract.waveform import WaveFrame
from gateway.contract.wire import encode
from gateway.derive.backlog import Backlog
from gateway.derive.ecg.lead import LEAD_PREFERENCE
from gateway.derive.fetal_watch import QUANTITY as FETAL
from gateway.derive.fetal_watch import FetalWatch, Heard
from gateway.derive.pressure import EVENT as PRESSURE_CARE
from gateway.derive.pressure import PressureWatch, Told
from gateway.derive.scores.board import QUANTITIES, SCORES, BadEntry, NotFor, ScoreBoard, Scored
from gateway.derive.scores.observed import values_of
from gateway.derive.scores.pressure_dose import BadMap
from gateway.derive.scores.score import Person, Score
from gateway.derive.wording import Wordings
from gateway.fleet import GATEWAY_DEVICE, Fleet, UnitState
from gateway.ledger import Ledger
from gateway.ports import RecordFlag
from gateway.unpack import Route

if TYPE_CHECKING:
    from gateway.derive.ecg.analyser import EcgAnalyser, Found, Who

DERIVED_EPOCH: Final = RESERVED_EPOCH
SCORED: Final = frozenset({UnitKind.AMBULANCE, UnitKind.HOMECARE_BED})  # where one person is observed for a while
LAIN_IN: Final = UnitKind.HOMECARE_BED  # where somebody lies for so long that it matters how
_SKIP: Final = RecordFlag.HISTORICAL | RecordFlag.SERVICE

Failed = Callable[[str, Exception], None]  # takes a part's name and its error
Present = Callable[[str], Collection[str]]  # unit to the rhythms an earlier process told of and did not end


@cache
def load_analyser() -> "type[EcgAnalyser]":
    """The analyser. The first call imports much of SciPy, which takes a second or more."""
    from gateway.derive.ecg.analyser import EcgAnalyser  # noqa: PLC0415

    return EcgAnalyser


def _none(_unit: str) -> Collection[str]:
    return ()


def _raise(_part: str, error: Exception) -> None:
    raise error


class _Source(msgspec.Struct, frozen=True):
    """What a derived record says of where it comes from."""

    address: UnitAddress
    received_at: Instant
    flags: int
    simulated: bool


class Derivation:
    """One ECG analyser for each device that sends an ECG. ``off``: derivations the site has switched off."""

    def __init__(
        self, ledger: Ledger, fleet: Fleet, present: Present = _none, off: Collection[str] = (),
        pressure: PressureWatch | None = None, wordings: Wordings | None = None,
    ) -> None:  # fmt: skip
        self._ledger = ledger
        self._fleet = fleet
        self._present = present
        self._off = frozenset(off)
        self.scores = ScoreBoard(self._off & SCORES.keys())
        self.wordings = wordings or Wordings(self._off)
        self.fetal = FetalWatch(self._off)
        self.pressure = pressure or PressureWatch()
        self.pressure.off = self._off
        self._newest: dict[str, Admitted] = {}  # unit: the newest record that was scored; the scores are its kind
        self._people: dict[str, tuple[str, Person]] = {}
        self._told: set[tuple[str, str]] = set()  # (unit, score) of which something has been told
        self._checked = 0
        self._failing: dict[str, str] = {}  # part of `check`: the error that has been told of it
        self._analysers: dict[tuple[str, str], EcgAnalyser] = {}
        self._backlog = Backlog()
        self.ready = True  # False while the analyser is being loaded: frames wait for it, in order

    def fill(self, unit: str, frame: WaveFrame) -> None:
        """Takes in a frame already evaluated before a restart; what it says was said then."""
        if _has_ecg(frame):
            self._backlog.keep(unit, frame)

    def derive(self, record: Admitted) -> list[Admitted]:
        """What one record gives rise to, numbered and ready to be stored. It may have to wait, see `catch_up`."""
        frame = record.body
        if not isinstance(frame, WaveFrame) or frame.test or record.flags & _SKIP or not _has_ecg(frame):
            return []
        if record.received_at - record.event_at > ECG_VALIDITY:
            return []
        if self.ready and not self._backlog.waits(record.route.address.unit):
            return self.look(record)
        self._backlog.add(record)
        return []

    def catch_up(self) -> Iterator[Admitted]:
        """Once a batch: of the records that had to wait, those to `look` at now. Frames from before go before them."""
        for unit, waiting in self._backlog.take() if self.ready else ():
            if isinstance(waiting, Admitted):
                yield waiting
                continue
            with suppress(Exception):  # what spoilt the analyser was kept with its reason when it came
                self._analyser(unit, waiting.device).fill(waiting, waiting.observed_at)

    def look(self, record: Admitted) -> list[Admitted]:
        """What a record with an ECG gives rise to; each unit's in order."""
        unit, frame = record.route.address.unit, record.body
        assert isinstance(frame, WaveFrame)
        found = self._analyser(unit, frame.device).feed(frame, record.event_at, lambda: self._who(unit))
        return [self._number(record, one) for one in found]

    def score(self, record: Admitted) -> list[Admitted]:
        """The scores that change with a record, and what it means for whoever lies in a bed.

        Raises nothing for an entry that does not say what it should: whoever reads the event finds it as it came.
        """
        return self._tell(self._score(record), record.received_at) + self._lie(record) + self._listen(record)

    def _listen(self, record: Admitted) -> list[Admitted]:
        """The fetal heart, where there is one."""
        body = record.body
        if not isinstance(body, Observation) or record.flags & _SKIP or FETAL not in body.values:
            return []
        unit, practice = record.route.address.unit, bool(record.flags & RecordFlag.TEST)
        heard = self.fetal.take(unit, body.device, body.values[FETAL], record.event_at, practice=practice)
        return list(self._number_heard(heard, record.received_at))

    def _lie(self, record: Admitted) -> list[Admitted]:
        """An old map still counts for the dose; what is practised presses on nobody."""
        body, unit = record.body, record.route.address.unit
        if not isinstance(body, Event) or record.flags & RecordFlag.TEST or record.route.address.kind is not LAIN_IN:
            return []
        with suppress(BadMap):
            return list(self._number_told(self.pressure.take(unit, body, record.event_at), record.received_at))
        return []

    def check(self, now: Instant, failed: Failed = _raise) -> list[Admitted]:
        """What changes with time: inputs of scores become too old, a turn falls due. Once a second is enough.

        ``failed`` is told of a part that begins to fail, once; it is tried again, and the others go on.
        """
        if abs(now - self._checked) < SECOND:
            return []
        self._checked = now
        found: list[Admitted] = []
        for part, due in (("scores", self._scores_due), ("fetal", self._heard_due), ("pressure", self._told_due)):
            try:
                for record in due(now):
                    found.append(record)  # noqa: PERF402 - one by one: what has its number by then is kept
            except Exception as error:  # noqa: BLE001 - time comes again: what fails must not stop ingest for ever
                if self._failing.get(part) != repr(error):
                    self._failing[part] = repr(error)
                    failed(part, error)
            else:
                self._failing.pop(part, None)
        return found

    def _scores_due(self, now: Instant) -> Iterable[Admitted]:
        return self._tell([one for one in self.scores.check(now) if one.unit in self._newest], now)

    def _heard_due(self, now: Instant) -> Iterable[Admitted]:
        return self._number_heard(self.fetal.check(now), now)

    def _told_due(self, now: Instant) -> Iterable[Admitted]:
        return self._number_told(self.pressure.check(now), now)

    def not_for(self, unit: str, person: Person) -> dict[str, NotFor]:
        """The scores a unit's screens look for in vain. It hangs on the person alone: no record need say it again."""
        scored = self._fleet.states[unit].registered.address.kind in SCORED
        return self.scores.not_for(person) if scored else {}

    def _tell(self, scored: list[Scored], now: Instant) -> list[Admitted]:
        told = [one for one in scored if self._says_something(one)]
        return [self._number_scores(unit, at, results, now) for (unit, at), results in self._by_time(told).items()]

    def refill(self, entries: Iterable[tuple[str, str, dict[str, Any], Instant]]) -> None:
        """After a restart: what the scores knew of each unit, from its newest values and from what people entered.

        ``entries``: unit, event name, details, time; oldest first. What this makes was told before the restart.
        """
        for unit, state in self._fleet.states.items():
            if state.registered.address.kind in SCORED:
                self._refill_values(unit, state)
        for unit, name, details, at in entries:
            with suppress(BadEntry):
                self.scores.event(unit, name, details, at)

    def _refill_values(self, unit: str, state: UnitState) -> None:
        for (_, quantity), latest in sorted(state.latest.items(), key=lambda item: item[1].event_at):
            if latest.value is not None and quantity in QUANTITIES:
                self.scores.value(unit, quantity, latest.value, latest.event_at)

    def _says_something(self, scored: Scored) -> bool:
        """Of a unit that measures little, "at least 0" of a score nobody could complete is no news."""
        key, score = (scored.unit, scored.result.name), scored.result
        if key not in self._told and isinstance(score, Score) and not score.complete and not score.value:
            return False
        self._told.add(key)
        return True

    def _score(self, record: Admitted) -> list[Scored]:
        unit, body = record.route.address.unit, record.body
        if record.flags & _SKIP or isinstance(body, WaveFrame) or record.route.address.kind not in SCORED:
            return []
        self._newest[unit] = record
        if isinstance(body, Event):
            with suppress(BadEntry):
                return self.scores.event(unit, body.name, body.details, record.event_at)
            return []
        return [
            found
            for name, value in body.values.items()
            if value is not None and name in QUANTITIES
            for found in self.scores.value(unit, name, value, record.event_at)
        ]

    def _by_time(self, scored: list[Scored]) -> dict[tuple[str, Instant], list[Scored]]:
        """What became so at one time is one record; a refusal bears the time of the newest value."""
        found: dict[tuple[str, Instant], list[Scored]] = {}
        for one in scored:
            at = one.result.at if isinstance(one.result, Score) else self._newest[one.unit].event_at
            found.setdefault((one.unit, at), []).append(one)
        return found

    def _number_scores(self, unit: str, at: Instant, results: list[Scored], now: Instant) -> Admitted:
        values: dict[str, float | None] = {}
        invalid: dict[str, str] = {}
        for one in results:
            some, why = values_of(one.result)
            values |= some
            invalid |= why
        newest = self._newest[unit]
        source = msgspec.structs.replace(_source_of(newest), received_at=max(now, newest.received_at))
        return self._observation(source, values, at, invalid)

    def _number_told(self, told: Iterable[Told], now: Instant) -> Iterator[Admitted]:
        for one in told:
            if one.unit in self._fleet.units:
                source = self._own_source(one.unit, now)
                yield self._event(source, PRESSURE_CARE, msgspec.to_builtins(one.care), one.at)
                if one.values:
                    yield self._observation(source, one.values, one.at, {})

    def _number_heard(self, heard: Iterable[Heard], now: Instant) -> Iterator[Admitted]:
        for one in heard:
            if one.unit in self._fleet.units:
                source = self._own_source(one.unit, now, practice=one.practice)
                yield self._observation(source, one.values, one.at, one.invalid)

    def enter(self, unit: str, name: str, details: dict[str, Any], at: Instant, now: Instant) -> Admitted:
        """What a person enters about a unit, as an event of its own."""
        return self._event(self._own_source(unit, now), name, details, at)

    def _own_source(self, unit: str, now: Instant, *, practice: bool = False) -> _Source:
        """Of what no single record says: a person does, or it is the time of day."""
        entry, flags = self._fleet.units[unit], RecordFlag.TEST if practice else 0
        return _Source(entry.address, now, flags, practice or entry.provenance is not Provenance.LIVE)

    def set_people(self, people: Mapping[str, tuple[str, Person]]) -> None:
        """Takes in whom each unit's values speak of (their pseudonym, and what scores depend on).

        What was seen of somebody else counts no more; what was seen before anybody was known is theirs who then are.
        """
        for unit in self._people.keys() | people.keys():
            before, now = self._people.get(unit), people.get(unit)
            if before is not None and (now is None or now[0] != before[0]):
                self.scores.forget(unit)
                self.pressure.forget(unit)
                self.fetal.forget(unit)
            if now is not None:
                self.scores.person(unit, now[1])
                self.fetal.person(unit, now[1])
        self._people = dict(people)

    def _analyser(self, unit: str, device: str) -> "EcgAnalyser":
        key = (unit, device)
        found = self._analysers.get(key)
        if found is None:
            phase = crc32(f"{unit}/{device}".encode()) % SECOND
            found = self._analysers[key] = load_analyser()(device, phase, self._present(unit), self._off)
        return found

    def _who(self, unit: str) -> "Who":
        subject = self._fleet.subjects.get(unit)
        return (subject.sex, subject.age) if subject else (None, None)

    def _number(self, source: Admitted, found: "Found") -> Admitted:
        if found.rate is not None:
            return self._observation(_source_of(source), {"heart-rate": found.rate}, found.at, {})
        return self._event(_source_of(source), found.event, found.details, found.at)

    def _event(self, source: _Source, name: str, details: dict[str, Any], at: Instant) -> Admitted:
        lane = self._ledger.lane(source.address.unit, DERIVED_EPOCH, Lane.EVENT)
        body = Event(
            epoch=DERIVED_EPOCH, seq=lane.next, device=GATEWAY_DEVICE, observed_at=at, name=name, details=details
        )
        return self._admit(source, body, Lane.EVENT, Channel.EVENT)

    def _observation(
        self, source: _Source, values: dict[str, float | None], at: Instant, invalid: dict[str, str]
    ) -> Admitted:
        lane = self._ledger.lane(source.address.unit, DERIVED_EPOCH, Lane.OBS)
        body = Observation(
            epoch=DERIVED_EPOCH, seq=lane.next, device=GATEWAY_DEVICE, observed_at=at, values=values, invalid=invalid
        )
        return self._admit(source, body, Lane.OBS, Channel.OBS)

    def _admit(self, source: _Source, body: Observation | Event, lane: Lane, channel: Channel) -> Admitted:
        own = self._ledger.lane(source.address.unit, DERIVED_EPOCH, lane)
        self._ledger.receive(own, body.seq, source.received_at)
        return Admitted(
            Route(source.address, channel, lane), own, body, body.observed_at, source.received_at, source.flags,
            encode(body), source.simulated,
        )  # fmt: skip


def _source_of(record: Admitted) -> _Source:
    flags = record.flags & RecordFlag.TEST  # what is derived from practice is practice
    return _Source(record.route.address, record.received_at, flags, record.simulated)


def _has_ecg(frame: WaveFrame) -> bool:
    return any(lead in LEAD_PREFERENCE for lead in frame.leads)
