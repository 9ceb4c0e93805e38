"""What every numbered record carries, and the messages by which both ends account for numbers.

An *epoch* is one start of an agent process (64 random bits, 16 hex digits). Within it each *lane* counts ``seq``
from 0. A record gets (epoch, lane, seq) when the agent appends it and keeps them for ever. The lane of a record
is the channel it travels on.
"""

import re
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Final

import msgspec

from gateway.contract.topic import ID_PATTERN, Channel

MAX_SEQ: Final = 2**48
MAX_RANGES_PER_LANE: Final = 1024
RESERVED_EPOCH: Final = "0" * 16  # the gateway's own lane of each unit, for what it derives; refused from outside
RESERVED_DEVICE: Final = "gateway"  # the name derived values go by; refused from outside

EPOCH_PATTERN: Final = "[0-9a-f]{16}"
END: Final = r"$(?!\n)"  # "$" alone also matches before a last line feed
Epoch = Annotated[str, msgspec.Meta(pattern=f"^{EPOCH_PATTERN}{END}")]
Seq = Annotated[int, msgspec.Meta(ge=0, lt=MAX_SEQ)]
Instant = Annotated[int, msgspec.Meta(ge=-(2**61), le=2**61)]  # us since 1970-01-01T00:00Z; a sum of two fits 64 bits
Count = Annotated[int, msgspec.Meta(ge=0, le=2**61)]
DeviceId = Annotated[str, msgspec.Meta(pattern=f"^{ID_PATTERN}{END}")]
# The same in records, which come by the ten thousand a second: the decoder's own matching costs 3 us a record, so it
# only documents the pattern and `bad_id` judges each text once.
RecordEpoch = Annotated[str, msgspec.Meta(extra_json_schema={"pattern": f"^{EPOCH_PATTERN}$"})]
RecordDevice = Annotated[str, msgspec.Meta(extra_json_schema={"pattern": f"^{ID_PATTERN}$"})]


class Lane(StrEnum):
    """The three numbered channels, most urgent first."""

    EVENT = "event"
    OBS = "obs"
    WAVE = "wave"

    @property
    def channel(self) -> Channel:
        return Channel(self.value)


class SeqRange(msgspec.Struct, frozen=True, array_like=True, order=True):
    """Sequence numbers ``first`` to ``last``, both included; ``[first, last]`` on the wire."""

    first: Seq
    last: Seq

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise ValueError(f"range ends before it starts: [{self.first}, {self.last}]")


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The envelope: fields every numbered record starts with."""

    epoch: RecordEpoch
    seq: Seq
    device: RecordDevice
    observed_at: Instant  # the device's clock
    backfill: bool = False  # sent from the backlog, behind live data
    test: bool = False  # the device was in test, demo or calibration mode


@lru_cache(maxsize=65_536)
def bad_id(epoch: str, device: str) -> str | None:
    """What is wrong with the two texts of an envelope; None when both match their patterns."""
    if re.fullmatch(EPOCH_PATTERN, epoch) is None:
        return f"Expected `str` matching regex '^{EPOCH_PATTERN}$' - at `$.epoch`"
    if re.fullmatch(ID_PATTERN, device) is None:
        return f"Expected `str` matching regex '^{ID_PATTERN}$' - at `$.device`"
    return None


class LaneState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an agent holds of one (epoch, lane): produced = [0, next); held = [first, next) less gone and shed."""

    epoch: Epoch
    lane: Lane
    first: Seq  # oldest number still in the outbox (= next when empty)
    next: Seq  # the number the next record will get
    shed: list[SeqRange] = []  # dropped by the outbox because it was full: declared
    gone: list[SeqRange] = []  # asked for by an ack, not here any more and not shed: lost

    def __post_init__(self) -> None:
        if self.next < self.first:
            raise ValueError(f"first {self.first} is beyond next {self.next}")


class Presence(StrEnum):
    ONLINE = "online"
    OFFLINE = "offline"  # also the last will


class LinkMode(StrEnum):
    FULL = "full"  # every lead live
    WEAK = "weak"  # lead II and numerics live, the rest as backfill


class DeviceLink(StrEnum):
    CONNECTED = "connected"
    SILENT = "silent"  # connected, but nothing that makes sense has come for longer than its profile allows
    DISCONNECTED = "disconnected"  # also one that comes only to measure, and waits for that


class DeviceState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A device behind the agent, as it is now."""

    device: DeviceId
    kind: str = ""  # as ``lastmile devices`` names it
    link: DeviceLink | None = None  # None = not known: not tried yet, or its line is open and it has said nothing
    firmware: str = ""  # as the device says it; "" = it has not said so, or its protocol has no word for it


class Hello(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Sent on connect and every 10 s; with ``presence=offline`` it is the last will (lanes empty)."""

    presence: Presence
    epoch: Epoch  # of the running process
    sent_at: Instant  # agent's clock; echoed in the ack
    lanes: list[LaneState] = []
    profile: str = ""
    firmware: str = ""
    battery: float | None = None  # %
    outbox_records: Count = 0
    outbox_bytes: Count = 0
    link_mode: LinkMode = LinkMode.FULL
    clock_offset: Instant | None = None  # us to add to the agent's clock to get the gateway's; None = not measured yet
    clock_error: Count | None = None  # us, half width of the interval the offset lies in
    simulated: bool = False
    devices: list[DeviceState] = []  # all the agent has a link to

    @property
    def shed(self) -> int:
        """Records declared shed, in all lanes."""
        return sum(span.last - span.first + 1 for lane in self.lanes for span in lane.shed)


class LaneAck(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Everything below ``watermark`` is committed or accounted for, except ``missing``, which the gateway wants."""

    epoch: Epoch
    lane: Lane
    watermark: Seq
    missing: list[SeqRange] = []


class Ack(msgspec.Struct, frozen=True, kw_only=True):
    """Cumulative and complete for the epochs the unit's last hello named: committed means fsynced."""

    server_time: Instant
    lanes: list[LaneAck]
    hello_sent_at: Instant | None = None  # echo of the last hello's sent_at
    hello_received_at: Instant | None = None  # when the broker's log took that hello
