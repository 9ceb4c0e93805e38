"""What still has to be sent of the outbox on this connection, and what is on its way. Pure bookkeeping.

After a connect everything unacked is sent once, in order of urgency and age. After that a record is sent again only
when an ack names it as missing *and* that ack answers a hello that was sent after the record: on one connection the
broker's log has the record before that hello, so a gateway that has seen the hello and not the record needs it again.
A gateway that is merely behind never causes a resend.
"""

from collections.abc import Iterable
from typing import Final

from edge_agents.outbox_ledger import Stream
from edge_agents.outbox_schema import TABLES
from edge_agents.ranges import RangeSet, from_wire
from gateway.contract.envelope import Instant, LaneAck, LaneState, Seq

_MAX_GENERATIONS: Final = 64
_URGENCY: Final = {lane: number for number, lane in enumerate(TABLES)}


class Backlog:
    """Per stream: numbers to send, numbers on their way, numbers an ack wants, numbers that are gone."""

    def __init__(self) -> None:
        self._to_send: dict[Stream, RangeSet] = {}  # kept in order of urgency, then age
        self._held: dict[Stream, RangeSet] = {}  # taken or queued, not yet published
        self._generations: list[tuple[Instant, dict[Stream, RangeSet]]] = [(-1, {})]  # (hello before, published after)
        self._wanted: dict[Stream, RangeSet] = {}
        self._watermarks: dict[Stream, Seq] = {}
        self.gone: dict[Stream, RangeSet] = {}
        self.acked = False  # an ack has been seen on this connection

    def __bool__(self) -> bool:
        return any(self._to_send.values())

    @property
    def waiting(self) -> int:
        """How many numbers have still to be sent (those shed or gone meanwhile included)."""
        return sum(ranges.count for ranges in self._to_send.values())

    def connected(self, states: Iterable[LaneState]) -> None:
        """A new connection: everything the outbox holds is to be sent once. Epochs come oldest first."""
        self._held.clear()
        self._generations = [(-1, {})]
        self.acked = False
        self._to_send = {
            Stream(s.epoch, s.lane): RangeSet([(s.first, s.next - 1)])
            for s in sorted(states, key=lambda s: _URGENCY[s.lane])
        }

    def queue(self, stream: Stream, seq: Seq) -> None:
        """A live record waits to be sent from memory."""
        self._held.setdefault(stream, RangeSet()).add(seq)
        if (ranges := self._to_send.get(stream)) is not None:
            ranges.remove(seq)

    def defer(self, stream: Stream, seq: Seq) -> None:
        """A record that is not sent live after all waits its turn in the backlog."""
        self._held.setdefault(stream, RangeSet()).remove(seq)
        self._want(stream, RangeSet([(seq, seq)]))

    def take(self, most: int) -> tuple[Stream, Seq, Seq] | None:
        """The next (stream, first, last) to read from the outbox, at most ``most`` numbers."""
        for stream, ranges in self._to_send.items():
            if ranges:
                first, last = next(iter(ranges))
                last = min(last, first + most - 1)
                ranges.remove(first, last)
                self._held.setdefault(stream, RangeSet()).add(first, last)
                return stream, first, last
        return None

    def leap(self, stream: Stream, first: Seq, oldest: Seq) -> None:
        """Nothing from ``first`` up to ``oldest`` is in the outbox: count it as taken, not to ask number by number."""
        if (ranges := self._to_send.get(stream)) is not None and oldest > first:
            ranges.remove(first, oldest - 1)

    def put_back(self, stream: Stream, first: Seq, last: Seq) -> None:
        """Numbers that were taken but not read wait again."""
        self._held[stream].remove(first, last)
        self._want(stream, RangeSet([(first, last)]))

    def absent(self, stream: Stream, numbers: RangeSet, shed: RangeSet) -> bool:
        """Numbers taken that the outbox does not hold; True when an ack wants some of them (*gone*, or *shed*)."""
        self._held[stream].subtract(numbers)
        wanted = RangeSet(pair for a, b in numbers for pair in self._wanted.get(stream, RangeSet()).within(a, b))
        lost = wanted.copy()
        lost.subtract(shed)
        self.gone.setdefault(stream, RangeSet()).update(lost)
        return bool(wanted)

    def published(self, stream: Stream, seq: Seq) -> None:
        """A record went onto the connection."""
        held = self._held.get(stream)
        if held is not None:
            held.remove(seq)
        self._generations[-1][1].setdefault(stream, RangeSet()).add(seq)

    def hello(self, sent_at: Instant) -> None:
        """A hello went onto the connection, behind everything published so far."""
        self._generations.append((sent_at, {}))
        if len(self._generations) > _MAX_GENERATIONS:  # a gateway away for long: judge the two oldest together, later
            (_, older), (second_at, newer) = self._generations[1:3]
            for stream, numbers in older.items():
                newer.setdefault(stream, RangeSet()).update(numbers)
            self._generations[1:3] = [(second_at, newer)]

    def is_acked(self, stream: Stream, seq: Seq) -> bool:
        """Whether an ack has passed the number and does not want it."""
        return seq < self._watermarks.get(stream, 0) and seq not in self._wanted.get(stream, ())

    def acknowledge(self, acks: Iterable[LaneAck], hello_sent_at: Instant | None) -> bool:
        """Take in an ack; True when it wants a number that is gone, so that the gateway must be told (again)."""
        self.acked = True
        self._forget_before(hello_sent_at)
        judged = hello_sent_at is not None and self._generations[0][0] == hello_sent_at
        tell = False
        for ack in acks:
            stream = Stream(ack.epoch, ack.lane)
            wanted = from_wire(ack.missing)
            self._wanted[stream] = wanted
            self._watermarks[stream] = ack.watermark
            done = RangeSet([(0, ack.watermark - 1)])
            done.subtract(wanted)
            if (ranges := self._to_send.get(stream)) is not None:
                ranges.subtract(done)
            gone = self.gone.get(stream, RangeSet())
            still_gone = RangeSet(pair for a, b in wanted for pair in gone.within(a, b))
            self.gone[stream] = still_gone
            if judged:
                tell = tell or bool(still_gone)
                resend = wanted.copy()
                resend.subtract(still_gone)
                self._subtract_on_its_way(stream, resend)
                self._want(stream, resend)
        return tell

    def _forget_before(self, hello_sent_at: Instant | None) -> None:
        """Drop what was published before the hello that an ack answers: from now on missing means missing."""
        for number, (sent_at, _) in enumerate(self._generations):
            if sent_at == hello_sent_at:
                del self._generations[:number]
                return

    def _subtract_on_its_way(self, stream: Stream, numbers: RangeSet) -> None:
        numbers.subtract(self._held.get(stream, RangeSet()))
        for _, published in self._generations:
            numbers.subtract(published.get(stream, RangeSet()))

    def _want(self, stream: Stream, numbers: RangeSet) -> None:
        if stream not in self._to_send:
            self._to_send[stream] = RangeSet()
            self._to_send = dict(sorted(self._to_send.items(), key=lambda item: _URGENCY[item[0].lane]))
        self._to_send[stream].update(numbers)
