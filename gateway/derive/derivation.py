"""Runs every derivation over the records of a batch; what comes out are records like any other."""

from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

import msgspec

from gateway.admit import ECG_VALIDITY, Admitted
from gateway.contract.envelope import RESERVED_EPOCH, Instant, Lane
from gateway.contract.observation import Event, Observation
from gateway.contract.quantity import SECOND
from gateway.contract.topic import Channel, UnitKind
from gateway.contract.waveform import WaveFrame
from gateway.contract.wire import encode
from gateway.derive.ecg.lead import LEAD_PREFERENCE
from gateway.derive.scores.board import QUANTITIES, SCORES, BadEntry, ScoreBoard, Scored
from gateway.derive.scores.observed import values_of
from gateway.derive.scores.score import Person, Score
from gateway.fleet import GATEWAY_DEVICE, Fleet, UnitState
from gateway.ledger import Ledger
from gateway.ports import RecordFlag
from gateway.unpack import Route

if TYPE_CHECKING:
    from gateway.derive.ecg.analyser import EcgAnalyser, Found, Who

DERIVED_EPOCH: Final = RESERVED_EPOCH
SCORED: Final = frozenset({UnitKind.AMBULANCE, UnitKind.HOMECARE_BED})  # where one person is observed for a while
_SKIP: Final = RecordFlag.HISTORICAL | RecordFlag.SERVICE

Present = Callable[[str], Collection[str]]  # unit to the rhythms an earlier process told of and did not end


@cache
def load_analyser() -> "type[EcgAnalyser]":
    """The analyser. The first call imports much of SciPy, which takes a second or more."""
    from gateway.derive.ecg.analyser import EcgAnalyser  # noqa: PLC0415

    return EcgAnalyser


def _none(_unit: str) -> Collection[str]:
    return ()


class Derivation:
    """One ECG analyser for each device that sends an ECG. ``off``: derivations the site has switched off."""

    def __init__(self, ledger: Ledger, fleet: Fleet, present: Present = _none, off: Collection[str] = ()) -> None:
        self._ledger = ledger
        self._fleet = fleet
        self._present = present
        self._off = frozenset(off)
        self.scores = ScoreBoard(self._off & SCORES.keys())
        self._newest: dict[str, Admitted] = {}  # unit: the newest record that was scored; the scores are its kind
        self._people: dict[str, tuple[str, Person]] = {}
        self._told: set[tuple[str, str]] = set()  # (unit, score) of which something has been told
        self._checked = 0
        self._analysers: dict[tuple[str, str], EcgAnalyser] = {}
        self._waiting: list[Callable[[], list[Admitted]]] = []
        self.ready = True  # False while the analyser is being loaded: frames wait for it, in order

    def fill(self, unit: str, frame: WaveFrame) -> None:
        """Takes in a frame already evaluated before a restart; what it says was said then."""

        def look() -> list[Admitted]:
            self._analyser(unit, frame.device).fill(frame, frame.observed_at)
            return []

        if _has_ecg(frame):
            self._when_ready(look)

    def derive(self, record: Admitted) -> list[Admitted]:
        """What one record gives rise to, numbered and ready to be stored; and what had to wait for the analyser."""
        frame = record.body
        if not isinstance(frame, WaveFrame) or frame.test or record.flags & _SKIP or not _has_ecg(frame):
            return []
        if record.received_at - record.event_at > ECG_VALIDITY:
            return []
        unit = record.route.address.unit

        def look() -> list[Admitted]:
            found = self._analyser(unit, frame.device).feed(frame, record.event_at, lambda: self._who(unit))
            return [self._number(record, one) for one in found]

        return self._when_ready(look)

    def score(self, record: Admitted) -> list[Admitted]:
        """The scores that change with a record.

        Raises nothing for an entry that does not say what it should: whoever reads the event finds it as it came.
        """
        return self._tell(self._score(record), record.received_at)

    def check(self, now: Instant) -> list[Admitted]:
        """The scores that change with time: inputs become too old. Once a second is enough."""
        if abs(now - self._checked) < SECOND:
            return []
        self._checked = now
        return self._tell([one for one in self.scores.check(now) if one.unit in self._newest], now)

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
        source = msgspec.structs.replace(self._newest[unit], received_at=max(now, self._newest[unit].received_at))
        return self._observation(source, values, at, invalid)

    def set_people(self, people: Mapping[str, tuple[str, Person]]) -> None:
        """Takes in whom each unit's values speak of (their pseudonym, and what scores depend on).

        What was seen of somebody else counts no more; what was seen before anybody was known is theirs who then are.
        """
        for unit in self._people.keys() | people.keys():
            before, now = self._people.get(unit), people.get(unit)
            if before is not None and (now is None or now[0] != before[0]):
                self.scores.forget(unit)
            if now is not None:
                self.scores.person(unit, now[1])
        self._people = dict(people)

    def _when_ready(self, look: Callable[[], list[Admitted]]) -> list[Admitted]:
        if not self.ready:
            self._waiting.append(look)
            return []
        if not self._waiting:
            return look()
        waiting, self._waiting = [*self._waiting, look], []
        return [record for one in waiting for record in one()]

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
            return self._observation(source, {"heart-rate": found.rate}, found.at, {})
        lane = self._ledger.lane(source.route.address.unit, DERIVED_EPOCH, Lane.EVENT)
        body = Event(
            epoch=DERIVED_EPOCH, seq=lane.next, device=GATEWAY_DEVICE, observed_at=found.at, name=found.event,
            details=found.details,
        )  # fmt: skip
        return self._admit(source, body, Lane.EVENT, Channel.EVENT)

    def _observation(
        self, source: Admitted, values: dict[str, float | None], at: Instant, invalid: dict[str, str]
    ) -> Admitted:
        lane = self._ledger.lane(source.route.address.unit, DERIVED_EPOCH, Lane.OBS)
        body = Observation(
            epoch=DERIVED_EPOCH, seq=lane.next, device=GATEWAY_DEVICE, observed_at=at, values=values, invalid=invalid
        )
        return self._admit(source, body, Lane.OBS, Channel.OBS)

    def _admit(self, source: Admitted, body: Observation | Event, lane: Lane, channel: Channel) -> Admitted:
        address = source.route.address
        own = self._ledger.lane(address.unit, DERIVED_EPOCH, lane)
        self._ledger.receive(own, body.seq, source.received_at)
        flags = source.flags & RecordFlag.TEST  # what is derived from practice is practice
        return Admitted(
            Route(address, channel, lane), own, body, body.observed_at, source.received_at, flags, encode(body),
            source.simulated,
        )  # fmt: skip


def _has_ecg(frame: WaveFrame) -> bool:
    return any(lead in LEAD_PREFERENCE for lead in frame.leads)
