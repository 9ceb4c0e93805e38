"""Which numbers of each (unit, epoch, lane) have come: the gap ledger. Pure: no clock, no database.

A lane has received every number below ``next`` except those inside its *absences*. An absence is open (we want it),
lost (the agent has it no more) or shed (the agent declared it dropped). A number inside any absence is accepted
when it comes after all: an absence heals from both ends and splits in the middle.
"""

from bisect import bisect_right
from enum import Enum, StrEnum
from itertools import takewhile

import msgspec

from gateway.contract.envelope import MAX_RANGES_PER_LANE, Instant, Lane, LaneAck, LaneState, SeqRange


class Receipt(Enum):
    """What a number is to its lane."""

    NEW = 1
    DUPLICATE = 2
    REFUSED = 3  # would need one range more than the lane may track: not admitted, so not acked, so not lost


class Fate(StrEnum):
    OPEN = "open"
    LOST = "lost"
    SHED = "shed"


class Absence(msgspec.Struct):
    """Numbers ``first`` to ``last`` have not come. ``origin_*``: the range when this row was opened."""

    id: int
    first: int
    last: int
    seen_at: Instant
    origin_first: int
    origin_last: int
    fate: Fate = Fate.OPEN
    fated_at: Instant | None = None  # lost_at or shed_at
    healed_at: Instant | None = None


class LaneLedger:
    """One lane of one epoch of one unit. ``dirty`` collects the absences changed since the last ``take_changes``."""

    def __init__(self, id: int, unit: str, epoch: str, lane: Lane, next: int = 0, seen_at: Instant = 0) -> None:
        self.id = id
        self.unit = unit
        self.epoch = epoch
        self.lane = lane
        self.next = next
        self.seen_at = seen_at
        self.announced = next  # what the hello before the last one said
        self.absences: list[Absence] = []  # sorted, disjoint, all below next
        self.dirty: dict[int, Absence] = {}
        self.changed = False

    # ---- numbers --------------------------------------------------------------------------------------------------

    def receive(self, seq: int, now: Instant, new_id: "IdSource") -> Receipt:
        """Accounts for one number."""
        if seq == self.next:
            self.next = seq + 1
        elif seq > self.next:
            if self._full:
                return Receipt.REFUSED
            self._open(self.next, seq - 1, now, new_id)
            self.next = seq + 1
        else:
            at = self._find(seq)
            if at is None:
                return Receipt.DUPLICATE
            if not self._fill(at, seq, now, new_id):
                return Receipt.REFUSED
        self.seen_at = now
        self.changed = True
        return Receipt.NEW

    def contains(self, seq: int) -> bool:
        """Whether this number has been received."""
        return seq < self.next and self._find(seq) is None

    def _open(self, first: int, last: int, now: Instant, new_id: "IdSource") -> None:
        absence = Absence(new_id(), first, last, now, first, last)
        self.absences.append(absence)
        self.dirty[absence.id] = absence

    def _find(self, seq: int) -> int | None:
        at = bisect_right(self.absences, seq, key=lambda absence: absence.first) - 1
        return at if at >= 0 and self.absences[at].last >= seq else None

    def _fill(self, at: int, seq: int, now: Instant, new_id: "IdSource") -> bool:
        absence = self.absences[at]
        if absence.first == absence.last:
            absence.healed_at = now
            absence.first, absence.last = absence.origin_first, absence.origin_last
            del self.absences[at]
        elif seq == absence.first:
            absence.first += 1
        elif seq == absence.last:
            absence.last -= 1
        elif self._full:
            return False
        else:
            self._split(at, seq, new_id)
        self.dirty[absence.id] = absence
        return True

    def _split(self, at: int, seq: int, new_id: "IdSource") -> None:
        """``seq`` came out of the middle: the row keeps the front, a new row takes the back."""
        front = self.absences[at]
        back = msgspec.structs.replace(front, id=new_id(), first=seq + 1, origin_first=seq + 1)
        front.last, front.origin_last = seq - 1, seq
        self.absences.insert(at + 1, back)
        self.dirty[back.id] = back

    # ---- what the agent says ----------------------------------------------------------------------------------------

    def hear(self, state: LaneState, now: Instant, new_id: "IdSource") -> None:
        """Takes in one lane of a hello: shed and gone ranges, and numbers announced one hello ago that never came."""
        for shed in state.shed:
            self._settle(shed, Fate.SHED, now, new_id)
        for gone in state.gone:
            self._settle(gone, Fate.LOST, now, new_id)
        # A hello overtakes nothing: what the hello before announced has had a whole interval to arrive.
        if self.announced > self.next and not self._full:
            self._open(self.next, self.announced - 1, now, new_id)
            self.next = self.announced
            self.changed = True
        self.announced = max(self.announced, state.next)

    def _settle(self, span: SeqRange, fate: Fate, now: Instant, new_id: "IdSource") -> None:
        """Marks what of ``span`` has not come as lost or shed; numbers not reached yet are opened first."""
        if span.last >= self.next:
            self._open(self.next, span.last, now, new_id)
            self.next = span.last + 1
            self.changed = True
        at = max(0, bisect_right(self.absences, span.first, key=lambda absence: absence.first) - 1)
        for absence in list(takewhile(lambda a: a.first <= span.last, self.absences[at:])):
            if absence.last < span.first:
                continue
            if absence.fate is Fate.OPEN or (absence.fate is Fate.LOST and fate is Fate.SHED):
                self._cut(absence, span, new_id)
                absence.fate, absence.fated_at = fate, now
                self.dirty[absence.id] = absence

    def _cut(self, absence: Absence, span: SeqRange, new_id: "IdSource") -> None:
        """Shrinks ``absence`` to its part inside ``span``; what sticks out on either side becomes rows of its own."""
        at = self.absences.index(absence)
        if absence.last > span.last:
            back = msgspec.structs.replace(absence, id=new_id(), first=span.last + 1, origin_first=span.last + 1)
            absence.last = absence.origin_last = span.last
            self.absences.insert(at + 1, back)
            self.dirty[back.id] = back
        if absence.first < span.first:
            front = msgspec.structs.replace(absence, id=new_id(), last=span.first - 1, origin_last=span.first - 1)
            absence.first = absence.origin_first = span.first
            self.absences.insert(at, front)
            self.dirty[front.id] = front

    # ---- what the gateway answers -----------------------------------------------------------------------------------

    @property
    def watermark(self) -> int:
        """Every number below is stored or accounted for."""
        return next((a.first for a in self.absences if a.fate is Fate.OPEN), self.next)

    @property
    def _full(self) -> bool:
        """Whether no further open range may be tracked; what is shed or lost is over and does not count."""
        return len(self.absences) >= MAX_RANGES_PER_LANE and self.open_gaps >= MAX_RANGES_PER_LANE

    @property
    def open_gaps(self) -> int:
        """How many ranges are still wanted."""
        return sum(absence.fate is Fate.OPEN for absence in self.absences)

    def ack(self, limit: int = 64) -> LaneAck:
        """The lane's line in an ack: watermark, and the first ``limit`` ranges still wanted."""
        wanted = [SeqRange(a.first, a.last) for a in self.absences if a.fate is Fate.OPEN][:limit]
        return LaneAck(epoch=self.epoch, lane=self.lane, watermark=self.watermark, missing=wanted)

    def take_changes(self) -> list[Absence]:
        """The absences changed since the last call (healed ones included), to be written; resets ``changed``."""
        changes = list(self.dirty.values())
        self.dirty = {}
        self.changed = False
        return changes


class IdSource:
    """Row ids handed out by the one writer: the next after the highest used."""

    def __init__(self, used: int = 0) -> None:
        self.used = used

    def __call__(self) -> int:
        self.used += 1
        return self.used


class Ledger:
    """All lanes of all units."""

    def __init__(self, lane_ids: IdSource, gap_ids: IdSource) -> None:
        self.lanes: dict[tuple[str, str, Lane], LaneLedger] = {}
        self.lane_ids = lane_ids
        self.gap_ids = gap_ids
        self.by_unit: dict[str, list[LaneLedger]] = {}

    def add(self, lane: LaneLedger) -> LaneLedger:
        """Takes in a lane (loaded or new)."""
        self.lanes[lane.unit, lane.epoch, lane.lane] = lane
        self.by_unit.setdefault(lane.unit, []).append(lane)
        return lane

    def lane(self, unit: str, epoch: str, lane: Lane) -> LaneLedger:
        """The ledger of one lane; opened when first heard of."""
        found = self.lanes.get((unit, epoch, lane))
        if found is None:
            found = self.add(LaneLedger(self.lane_ids(), unit, epoch, lane))
            found.changed = True
        return found

    def receive(self, lane: LaneLedger, seq: int, now: Instant) -> Receipt:
        return lane.receive(seq, now, self.gap_ids)

    def hear(self, unit: str, states: list[LaneState], now: Instant) -> None:
        """Takes in the lanes of one hello."""
        for state in states:
            self.lane(unit, state.epoch, state.lane).hear(state, now, self.gap_ids)
