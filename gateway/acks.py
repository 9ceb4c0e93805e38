"""Who is owed an ack. Sent after the commit: at once after a hello, else at most once a second and unit."""

from collections.abc import Callable
from typing import Final

import msgspec

from gateway.contract.envelope import Ack, Hello, Instant
from gateway.contract.quantity import SECOND
from gateway.contract.topic import Channel, UnitAddress
from gateway.contract.wire import encode
from gateway.ledger import LaneLedger

INTERVAL: Final = SECOND
LOOK: Final = SECOND // 20  # between two looks for acks that have come due: a look costs as much as units wait


class _Desk(msgspec.Struct):
    lanes: dict[int, LaneLedger] = {}
    address: UnitAddress | None = None
    hello_sent_at: Instant | None = None
    hello_received_at: Instant | None = None
    sent_at: Instant = 0
    urgent: bool = False


class AckDesk:
    """Acks are cumulative: each lists every lane the unit's last hello named, and those heard since."""

    def __init__(self, addresses: Callable[[str], UnitAddress | None], clock: Callable[[], Instant]) -> None:
        self._addresses = addresses
        self._clock = clock
        self._desks: dict[str, _Desk] = {}
        self._owed: dict[str, _Desk] = {}
        self._urgent = False
        self._looked_at: Instant = 0

    def touch(self, lane: LaneLedger) -> None:
        """A record of this lane was received (again)."""
        desk = self._desks.get(lane.unit)
        if desk is None:
            desk = self._desks[lane.unit] = _Desk()
        desk.lanes[lane.id] = lane
        self._owed[lane.unit] = desk

    def greet(self, address: UnitAddress, hello: Hello, received_at: Instant, lanes: list[LaneLedger]) -> None:
        """A hello came: answered at once, with every lane it names."""
        desk = self._desks.setdefault(address.unit, _Desk())
        desk.address, desk.hello_sent_at, desk.hello_received_at = address, hello.sent_at, received_at
        named = {(state.epoch, state.lane) for state in hello.lanes}
        desk.lanes = {lane.id: lane for lane in lanes if (lane.epoch, lane.lane) in named}
        desk.urgent = self._urgent = True
        self._owed[address.unit] = desk

    def due(self) -> list[tuple[str, bytes]]:
        """(NATS subject, payload) of the acks to publish now."""
        if not self._owed:
            return []
        now = self._clock()
        if not self._urgent and 0 <= now - self._looked_at < LOOK:
            return []
        self._urgent, self._looked_at = False, now
        ready = [(unit, desk) for unit, desk in self._owed.items() if desk.urgent or now - desk.sent_at >= INTERVAL]
        acks = []
        for unit, desk in ready:
            del self._owed[unit]
            desk.urgent, desk.sent_at = False, now
            address = desk.address or self._addresses(unit)
            if address is not None:
                acks.append((address.subject(Channel.ACK), self._ack(desk, now)))
        return acks

    def _ack(self, desk: _Desk, now: Instant) -> bytes:
        ack = Ack(
            server_time=now,
            lanes=[lane.ack() for lane in desk.lanes.values()],
            hello_sent_at=desk.hello_sent_at,
            hello_received_at=desk.hello_received_at,
        )
        return encode(ack)
