"""A device's feed, and what the agent makes of readings."""

import asyncio
import random
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from edge_agents.agent import Agent
from edge_agents.config import AgentOptions, DeviceConfig, load_profile
from edge_agents.device import FrameError, FrameReason, Numeric, Occurrence, Reading, Waveform
from edge_agents.feed import Feed
from edge_agents.outbox_ledger import Stream
from gateway.contract.envelope import Instant, Lane, LinkMode
from gateway.contract.quantity import ECG_LEADS_12
from gateway.contract.wire import Numbered


class HandClock:
    """Stands until it is moved."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def now(self) -> Instant:
        return int(self.seconds * 1e6)

    def monotonic(self) -> float:
        return self.seconds


class Script:
    """A link that plays chunks, then breaks; None = refuse to connect."""

    def __init__(self, *sessions: list[bytes] | None) -> None:
        self._sessions = list(sessions)
        self.over = asyncio.Event()

    async def stream(self) -> AsyncGenerator[tuple[bytes, Instant], None]:
        if not self._sessions:
            self.over.set()
            await asyncio.get_running_loop().create_future()
        session = self._sessions.pop(0)
        if session is None:
            raise ConnectionRefusedError("refused")
        yield b"", 0
        for chunk in session:
            yield chunk, 0


class Letters:
    """A decoder: every letter is a press, every other byte is refused."""

    def feed(self, data: bytes, received_at: Instant) -> list[Reading | FrameError]:
        return [
            Occurrence(observed_at=received_at, name=chr(byte))
            if chr(byte).isalpha()
            else FrameError(FrameReason.SYNTAX, bytes([byte]))
            for byte in data
        ]


class Intake:
    def __init__(self) -> None:
        self.accepted: list[str] = []
        self.refused: list[tuple[str, str, bytes]] = []

    async def room(self) -> None:
        await asyncio.sleep(0)

    async def kept(self) -> None:
        await asyncio.sleep(0)

    def accept(self, device: str, reading: Reading) -> None:
        assert isinstance(reading, Occurrence)
        self.accepted.append(reading.name)

    def refuse(self, device: str, reason: str, frame: bytes) -> None:
        self.refused.append((device, reason, frame))


class Quick(random.Random):
    """No backoff."""

    def uniform(self, a: float, b: float) -> float:
        return 0.0


async def run_feed(link: Script, silent_after: float = 0.0) -> tuple[Feed, Intake, list[tuple[str, Any]], HandClock]:
    intake, clock = Intake(), HandClock()
    events: list[tuple[str, Any]] = []
    device = DeviceConfig(name="crew", kind="crew_panel", silent_after=silent_after)
    feed = Feed(
        device, link, Letters(), intake=intake, on_event=lambda name, details: events.append((name, details)),
        clock=clock, rng=Quick(),
    )  # fmt: skip
    task = asyncio.create_task(feed.run())
    async with asyncio.timeout(10):
        await link.over.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return feed, intake, events, clock


async def test_a_link_that_drops_is_opened_again_and_each_change_is_an_event() -> None:
    _, intake, events, _ = await run_feed(Script([b"ab"], None, None, [b"c"]))
    assert intake.accepted == ["a", "b", "c"]
    states = [(d["state"], d.get("reason", "")) for name, d in events if name == "device-link"]
    assert states == [
        ("connected", ""), ("disconnected", "closed by the device"), ("connected", ""),
        ("disconnected", "closed by the device"),
    ]  # fmt: skip


async def test_a_device_that_was_never_reached_is_reported_once() -> None:
    _, _, events, _ = await run_feed(Script(None, None, None))
    assert events == [("device-link", {"device": "crew", "state": "disconnected", "reason": "refused"})]


async def test_refused_bytes_go_to_the_intake_with_their_reason() -> None:
    _, intake, _, _ = await run_feed(Script([b"a!b"]))
    assert intake.accepted == ["a", "b"]
    assert intake.refused == [("crew", "bad-syntax", b"!")]


async def test_silence_is_reported_once_and_so_is_its_end() -> None:
    feed, _, events, clock = await run_feed(Script([b"a"]), silent_after=5.0)
    events.clear()
    for seconds in (4.0, 2.0, 60.0):
        clock.seconds += seconds
        feed.check_silence(clock.seconds)
    assert events == [("device-silent", {"device": "crew", "state": "silent", "after_s": 5.0})]
    feed._heard()
    assert events[-1] == ("device-silent", {"device": "crew", "state": "speaking"})


async def test_buttons_may_be_silent_for_ever() -> None:
    feed, _, events, clock = await run_feed(Script([b"a"]))
    events.clear()
    clock.seconds += 1e6
    feed.check_silence(clock.seconds)
    assert events == []


class Appended:
    """Stands where the writer would, and keeps what is appended."""

    def __init__(self) -> None:
        self.records: list[tuple[Stream, Numbered, bool]] = []

    def append(self, stream: Stream, build: Callable[[int], Numbered], *, now: float, live: bool) -> int:
        self.records.append((stream, build(len(self.records)), live))
        return len(self.records) - 1


def make_agent(mode: LinkMode) -> tuple[Agent, Appended]:
    options = AgentOptions(
        unit="amb-1", site="s", profile=load_profile("ambulance"), broker_host="h", broker_port=1, token="t",
        outbox=Path("unused"), links={},
    )  # fmt: skip
    agent = Agent(options, clock=HandClock(), firmware="f", rng=random.Random(1))
    appended = Appended()
    agent.writer = appended  # type: ignore[assignment]
    agent.uplink = SimpleNamespace(mode=mode)  # type: ignore[assignment]
    return agent, appended


def ecg() -> Waveform:
    return Waveform(observed_at=1, n0=0, fs=500.0, leads=ECG_LEADS_12, scale=0.005, samples=bytes(2400))


def test_over_a_full_link_a_frame_is_one_live_record() -> None:
    agent, appended = make_agent(LinkMode.FULL)
    agent.accept("monitor", ecg())
    assert [(s.epoch, s.lane, live) for s, _, live in appended.records] == [(agent.epoch, Lane.WAVE, True)]


def test_over_a_weak_link_what_is_put_off_has_numbers_of_its_own() -> None:
    agent, appended = make_agent(LinkMode.WEAK)
    agent.accept("monitor", ecg())
    agent.accept("monitor", Numeric(observed_at=1, values={"spo2": 97.0}))
    assert [(s.epoch, s.lane, live) for s, _, live in appended.records] == [
        (agent.epoch, Lane.WAVE, True), (agent.deferred_epoch, Lane.WAVE, False), (agent.epoch, Lane.OBS, True),
    ]  # fmt: skip
    assert all(stream.epoch == record.epoch for stream, record, _ in appended.records)


def test_a_reading_the_contract_has_no_word_for_is_refused_not_sent() -> None:
    agent, appended = make_agent(LinkMode.FULL)
    agent.accept("monitor", Numeric(observed_at=1, values={"mood": 1.0}))
    ((stream, record, _),) = appended.records
    assert stream.lane is Lane.EVENT
    assert record.device == "agent"
    assert agent.refusals.totals() == {("monitor", "unknown-name"): 1}
