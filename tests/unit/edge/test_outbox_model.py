"""Outbox, backlog and the gateway's gap ledger under loss, duplication, reordering and crashes of either side.

The real Outbox (on a temporary file), the real Backlog and the real gateway ledger; the network and the gateway's
storage are the model. Always: every number ever given out is stored, or in the outbox, or declared shed, or gone.
And when the network behaves again, everything that can arrive does.
"""

import copy
import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from edge_agents.backlog import Backlog
from edge_agents.outbox import Entry, Outbox
from edge_agents.outbox_ledger import Stream
from edge_agents.outbox_schema import SQL
from edge_agents.ranges import RangeSet
from gateway.contract.envelope import MAX_RANGES_PER_LANE, Ack, Hello, Lane, LaneState, Presence
from gateway.ledger import Fate, IdSource, Ledger, Receipt
from tests.unit.edge.helpers import noise

LIMIT = 400_000
Record = tuple[Stream, int, bytes]


class Gateway:
    """Commits batches of a log; what it has not committed is replayed after a crash."""

    def __init__(self) -> None:
        self.log: list[Record | Hello] = []
        self.position = 0
        self.ledger = Ledger(IdSource(), IdSource())
        self.stored: dict[tuple[Stream, int], bytes] = {}
        self.refused = 0
        self.last_hello: Hello | None = None
        self.commit()

    def commit(self) -> None:
        self._committed = copy.deepcopy((self.position, self.ledger, self.stored, self.last_hello))

    def crash(self) -> None:
        self.position, self.ledger, self.stored, self.last_hello = copy.deepcopy(self._committed)

    def read(self, most: int) -> None:
        for message in self.log[self.position : self.position + most]:
            self.position += 1
            if isinstance(message, Hello):
                self.ledger.hear("unit", message.lanes, self.position)
                self.last_hello = message
            else:
                self._receive(message)

    def _receive(self, message: Record) -> None:
        stream, seq, content = message
        lane = self.ledger.lane("unit", stream.epoch, stream.lane)
        match self.ledger.receive(lane, seq, self.position):
            case Receipt.NEW:
                assert (stream, seq) not in self.stored
                self.stored[stream, seq] = content
            case Receipt.DUPLICATE:
                assert self.stored[stream, seq] == content, "a number never changes its content"

    def ack(self) -> Ack:
        lanes = [lane.ack() for lane in self.ledger.by_unit.get("unit", [])]
        return Ack(server_time=0, lanes=lanes, hello_sent_at=self.last_hello.sent_at if self.last_hello else None)

    def fate(self, stream: Stream, fate: Fate) -> RangeSet:
        lane = self.ledger.lanes.get(("unit", stream.epoch, stream.lane))
        return RangeSet((a.first, a.last) for a in lane.absences if a.fate is fate) if lane else RangeSet()


class OutboxMachine(RuleBasedStateMachine):
    """One agent, one gateway, a bad network."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="outbox-model-"))
        self.gateway = Gateway()
        self.produced: dict[Stream, list[bytes]] = {}
        self.vanished: dict[Stream, RangeSet] = {}
        self.to_gateway: list[Record | Hello] = []
        self.to_agent: list[Ack] = []
        self.starts = 0
        self.clock = 0

    @initialize()
    def start(self) -> None:
        self.starts += 1
        self.box = Outbox(self.folder / "outbox.db", epoch=f"{self.starts:016x}", max_bytes=LIMIT)
        self.backlog = Backlog()
        self.connect()

    def teardown(self) -> None:
        try:
            if self.starts:
                self.settle()
        finally:
            if self.starts:
                self.box.close()
            shutil.rmtree(self.folder)

    # ---- the agent

    @rule(lane=st.sampled_from(Lane), count=st.integers(1, 25))
    def append(self, lane: Lane, count: int) -> None:
        stream = Stream(self.box.epoch, lane)
        known = self.produced.setdefault(stream, [])
        size = 6000 if lane is Lane.WAVE else 150
        first = len(known)
        known += [noise(1000 * self.starts + n + len(lane), size) for n in range(first, first + count)]
        self.box.append_batch([Entry(stream, n, known[n]) for n in range(first, first + count)])
        for n in range(first, first + count):
            self.backlog.defer(stream, n)

    @rule(most=st.integers(1, 40))
    def publish(self, most: int) -> None:
        taken = self.backlog.take(most)
        if taken is None:
            return
        stream, first, last = taken
        rows = self.box.read(stream, first, last, most, 1 << 30)
        absent = RangeSet([(first, last)])
        for row in rows:
            absent.remove(row.seq)
            self.to_gateway.append((stream, row.seq, row.payload))
            self.backlog.published(stream, row.seq)
        account = self.box.accounts.get(stream)
        self.backlog.absent(stream, absent, account.shed if account else RangeSet())

    @rule()
    def hello(self) -> None:
        self.clock += 1
        states = [self._with_gone(state) for state in self.box.lane_states()]
        hello = Hello(presence=Presence.ONLINE, epoch=self.box.epoch, sent_at=self.clock, lanes=states)
        self.to_gateway.append(hello)
        self.backlog.hello(hello.sent_at)

    def _with_gone(self, state: LaneState) -> LaneState:
        gone = self.backlog.gone.get(Stream(state.epoch, state.lane), RangeSet())
        return LaneState(
            epoch=state.epoch, lane=state.lane, first=state.first, next=state.next, shed=state.shed,
            gone=gone.to_wire(MAX_RANGES_PER_LANE),
        )  # fmt: skip

    @precondition(lambda self: self.to_agent)
    @rule()
    def take_ack(self) -> None:
        ack = self.to_agent.pop(0)
        self.backlog.acknowledge(ack.lanes, ack.hello_sent_at)
        self.box.acknowledge(ack.lanes)

    @rule()
    def agent_dies(self) -> None:
        self.box.close()
        self.start()

    @rule(choice=st.randoms(use_true_random=False))
    def a_record_rots(self, choice: object) -> None:
        """One record vanishes from the outbox behind its back."""
        for stream, account in self.box.accounts.items():
            seq = self.box.oldest(stream, 0)
            if seq < account.next:
                key = account.key(seq)
                self.box._db.execute(SQL[stream.lane].delete, (key, key))
                self.vanished.setdefault(stream, RangeSet()).add(seq)
                return

    # ---- the network

    @rule()
    def connect(self) -> None:
        """A new connection: what was on the old one may or may not have arrived."""
        self.to_gateway = []
        self.to_agent = []
        self.backlog.connected(self.box.lane_states())
        self.hello()

    @rule(most=st.integers(1, 60))
    def deliver(self, most: int) -> None:
        self.gateway.log += self.to_gateway[:most]
        del self.to_gateway[:most]

    @precondition(lambda self: self.to_gateway)
    @rule(at=st.integers(0, 50), count=st.integers(1, 10))
    def lose(self, at: int, count: int) -> None:
        del self.to_gateway[at : at + count]

    @precondition(lambda self: self.to_gateway)
    @rule(at=st.integers(0, 50), count=st.integers(1, 10))
    def duplicate(self, at: int, count: int) -> None:
        self.to_gateway += self.to_gateway[at : at + count]

    @precondition(lambda self: len(self.to_gateway) > 1)
    @rule(random=st.randoms(use_true_random=False))
    def reorder(self, random: object) -> None:
        random.shuffle(self.to_gateway)  # type: ignore[attr-defined]

    @precondition(lambda self: self.to_agent)
    @rule()
    def lose_ack(self) -> None:
        del self.to_agent[0]

    # ---- the gateway

    @rule(most=st.integers(1, 80))
    def gateway_reads(self, most: int) -> None:
        self.gateway.read(most)

    @rule()
    def gateway_commits(self) -> None:
        self.gateway.commit()
        self.to_agent.append(self.gateway.ack())

    @rule()
    def gateway_dies(self) -> None:
        self.gateway.crash()

    @rule(send=st.integers(1, 60), arrive=st.integers(1, 60))
    def ordinary_traffic(self, send: int, arrive: int) -> None:
        """The common case in one step: some is sent, some of it arrives, is committed and acked."""
        self.publish(send)
        self.deliver(arrive)
        self.gateway.read(10**6)
        self.gateway_commits()
        self.take_ack()

    # ---- what must hold

    @invariant()
    def nothing_is_unaccounted(self) -> None:
        for stream, contents in self.produced.items():
            missing = RangeSet([(0, len(contents) - 1)])
            for epoch_stream, seq in self.gateway._committed[2]:
                if epoch_stream == stream:
                    missing.remove(seq)
            if missing and (account := self.box.accounts.get(stream)) is not None:
                missing.subtract(account.shed)
                for (key,) in self.box._db.execute(  # every row held
                    SQL[stream.lane].read.replace("id, payload", "id"), (account.key(0), account.key(2**47), 10**6)
                ):
                    missing.remove(key - account.key(0))
            missing.subtract(self.gateway.fate(stream, Fate.SHED))
            missing.subtract(self.vanished.get(stream, RangeSet()))
            assert not missing, (stream, missing)

    def settle(self) -> None:
        """The network behaves: in a few rounds everything has arrived or is accounted for, and the outbox is empty."""
        self.connect()
        for _ in range(6):
            while self.backlog:
                self.publish(10_000)
            self.hello()
            self.deliver(10**6)
            self.gateway.read(10**6)
            self.gateway_commits()
            while self.to_agent:
                self.take_ack()
        # rows that rotted are still counted by the outbox, but none is left to send
        assert all(self.box.oldest(s, 0) == a.next for s, a in self.box.accounts.items())
        for stream, contents in self.produced.items():
            stored = RangeSet((seq, seq) for s, seq in self.gateway.stored if s == stream)
            shed, lost = self.gateway.fate(stream, Fate.SHED), self.gateway.fate(stream, Fate.LOST)
            assert stored.count + shed.count + lost.count == len(contents), (stream, stored, shed, lost)
            lost.subtract(self.vanished.get(stream, RangeSet()))
            assert not lost, "lost is only what rotted"
            for seq, content in enumerate(contents):
                assert self.gateway.stored.get((stream, seq), content) == content


TestOutboxModel = OutboxMachine.TestCase
TestOutboxModel.settings = settings(max_examples=30, stateful_step_count=40, deadline=None)
