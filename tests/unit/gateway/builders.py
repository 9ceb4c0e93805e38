"""Short ways to make what the stages take."""

from gateway.admit import Admitted, RegisteredUnit
from gateway.contract.envelope import Epoch, Hello, Lane, LaneState, Presence
from gateway.contract.identity import Provenance
from gateway.contract.observation import Event, Observation
from gateway.contract.quantity import SECOND
from gateway.contract.topic import Channel, UnitAddress, UnitKind
from gateway.contract.waveform import WaveFrame
from gateway.contract.wire import encode
from gateway.ledger import LaneLedger
from gateway.ports import LogMessage
from gateway.unpack import Route

NOW = 1_790_000_000 * SECOND
EPOCH: Epoch = "ab" * 8
UNIT = UnitAddress("linyi", UnitKind.AMBULANCE, "amb-001")
REGISTERED = RegisteredUnit(UNIT, "A", Provenance.SIMULATED)


def observation(seq: int, at: int, *, device: str = "monitor", backfill: bool = False, **values: float) -> Observation:
    named = {name.replace("_", "-"): value for name, value in values.items()}
    return Observation(epoch=EPOCH, seq=seq, device=device, observed_at=at, backfill=backfill, values=dict(named))


def event(seq: int, at: int, name: str) -> Event:
    return Event(epoch=EPOCH, seq=seq, device="monitor", observed_at=at, name=name)


def hello(
    at: int, *, epoch: Epoch = EPOCH, presence: Presence = Presence.ONLINE, lanes: list[LaneState] | None = None
) -> Hello:
    return Hello(presence=presence, epoch=epoch, sent_at=at, lanes=lanes or [])


def message(
    sequence: int, body: Observation | Event | WaveFrame | Hello, at: int, address: UnitAddress = UNIT
) -> LogMessage:
    channel = {Observation: Channel.OBS, Event: Channel.EVENT, WaveFrame: Channel.WAVE, Hello: Channel.HELLO}[
        type(body)
    ]
    return LogMessage(sequence, at, address.subject(channel), encode(body))


def admitted(seq: int, *, lane: LaneLedger | None = None, at: int = NOW, backfill: bool = False) -> Admitted:
    body = observation(seq, at, backfill=backfill, spo2=97)
    lane = lane or LaneLedger(1, "amb-001", EPOCH, Lane.OBS)
    return Admitted(Route(UNIT, Channel.OBS, Lane.OBS), lane, body, at, at, 0, encode(body))
