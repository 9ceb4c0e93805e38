"""Records for outbox tests."""

import random
from collections.abc import Iterable
from pathlib import Path

from edge_agents.outbox import Entry, Outbox
from edge_agents.outbox_ledger import Stream
from gateway.contract import wire
from gateway.contract.envelope import Lane, LaneAck, SeqRange
from gateway.contract.observation import Event, Observation
from gateway.contract.waveform import WaveFrame

EPOCH = "00000000000000aa"
NEXT_EPOCH = "00000000000000bb"
AT = 1_790_000_000_000_000


def payload(lane: Lane, seq: int, epoch: str = EPOCH, size: int = 2400) -> bytes:
    """A record as the agent encodes it; waveform samples that hardly compress."""
    match lane:
        case Lane.OBS:
            return wire.encode(
                Observation(epoch=epoch, seq=seq, device="monitor", observed_at=AT + seq, values={"heart-rate": 72.5})
            )
        case Lane.EVENT:
            return wire.encode(Event(epoch=epoch, seq=seq, device="crew", observed_at=AT + seq, name="boarded"))
        case Lane.WAVE:
            samples = noise(seq, size)
            frame = WaveFrame(
                epoch=epoch, seq=seq, device="monitor", observed_at=AT + seq, n0=100 * seq, fs=500.0, leads=["II"],
                scale=0.005, samples=samples,
            )  # fmt: skip
            return wire.encode(frame)


def noise(seed: int, size: int) -> bytes:
    """Bytes that do not compress."""
    return random.Random(seed).randbytes(size)


def entries(lane: Lane, numbers: Iterable[int], epoch: str = EPOCH, size: int = 2400) -> list[Entry]:
    return [Entry(Stream(epoch, lane), n, payload(lane, n, epoch, size)) for n in numbers]


def held(outbox: Outbox, lane: Lane, epoch: str = EPOCH) -> list[int]:
    return [row.seq for row in outbox.read(Stream(epoch, lane), 0, 2**40, 10**6, 2**40)]


def shed(outbox: Outbox, lane: Lane, epoch: str = EPOCH) -> list[tuple[int, int]]:
    account = outbox.accounts.get(Stream(epoch, lane))
    return list(account.shed) if account else []


def ack(lane: Lane, watermark: int, *missing: tuple[int, int], epoch: str = EPOCH) -> LaneAck:
    return LaneAck(epoch=epoch, lane=lane, watermark=watermark, missing=[SeqRange(a, b) for a, b in missing])


def open_box(path: Path, epoch: str = EPOCH, max_bytes: int = 64 << 20) -> Outbox:
    return Outbox(path / "outbox.db", epoch=epoch, max_bytes=max_bytes)
