"""A feed lets a decoder that gathers speak, also when nothing comes."""

import asyncio
import random
from collections.abc import AsyncGenerator
from typing import Any

from edge_agents.config import DeviceConfig
from edge_agents.device import FrameError, Occurrence, Reading
from edge_agents.feed import Feed
from edge_agents.ports import Losses
from gateway.contract.envelope import Instant


class Clock:
    def now(self) -> Instant:
        return 42

    def monotonic(self) -> float:
        return 7.0


class Nothing:
    async def stream(self) -> AsyncGenerator[tuple[bytes, Instant], None]:
        await asyncio.get_running_loop().create_future()
        yield b"", 0


class Gatherer:
    def feed(self, data: bytes, received_at: Instant) -> list[Reading | FrameError]:
        return []

    def tick(self, now: Instant) -> list[Reading]:
        return [Occurrence(observed_at=now, name="gathered")]


class Mute:
    def feed(self, data: bytes, received_at: Instant) -> list[Reading | FrameError]:
        return []


class Intake:
    def __init__(self) -> None:
        self.accepted: list[tuple[str, Reading]] = []
        self.losses = Losses()

    async def room(self) -> None:
        await asyncio.sleep(0)

    async def kept(self) -> None:
        await asyncio.sleep(0)

    def accept(self, device: str, reading: Reading) -> None:
        self.accepted.append((device, reading))

    def refuse(self, device: str, reason: str, frame: bytes) -> None:
        raise AssertionError(reason)


def house_keeping(decoder: Any) -> list[tuple[str, Reading]]:
    """What comes of two seconds without a connection."""
    intake = Intake()
    feed = Feed(
        DeviceConfig(name="scanner"), Nothing(), lambda: decoder, intake=intake, on_event=lambda *_: None,
        clock=Clock(), rng=random.Random(),
    )  # fmt: skip
    feed.check_silence(8.0)
    feed.check_silence(9.0)
    return intake.accepted


def test_a_gathering_decoder_speaks_once_a_second_by_the_agents_clock() -> None:
    assert house_keeping(Gatherer()) == [("scanner", Occurrence(observed_at=42, name="gathered"))] * 2


def test_other_decoders_are_left_alone() -> None:
    assert house_keeping(Mute()) == []
