"""A device's feed, and what the agent makes of readings."""

import asyncio
import random
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from edge_agents.agent import Agent
from edge_agents.config import AgentOptions, DeviceConfig, load_profile
from edge_agents.device import Decoder, FrameError, FrameReason, Numeric, Occurrence, Reading, Waveform
from edge_agents.feed import Feed
from edge_agents.outbox import Entry
from edge_agents.outbox_ledger import Stream
from edge_agents.outbox_writer import OutboxWriter
from edge_agents.ports import Losses
from gateway.contract.envelope import Instant, Lane, LinkMode
from gateway.contract.observation import Event
from gateway.contract.quantity import ECG_LEADS_12
from gateway.contract.wire import Numbered
from tests.unit.edge.helpers import ack, open_box


class HandClock:
    """Stands until it is moved."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def now(self) -> Instant:
        return int(self.seconds * 1e6)

    def monotonic(self) -> float:
        return self.seconds


class Script:
    """A link that plays chunks, then ends; None = refuse to connect."""

    def __init__(self, *sessions: Sequence[bytes | Exception] | None) -> None:
        self._sessions = list(sessions)
        self.between: Callable[[], None] = lambda: None
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
            if isinstance(chunk, Exception):
                raise chunk
            yield chunk, 0
        self.between()


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
        self.losses = Losses()

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

    def __init__(self) -> None:
        super().__init__()
        self.limits: list[float] = []  # what was asked for

    def uniform(self, a: float, b: float) -> float:
        self.limits.append(b)
        return 0.0


async def run_feed(
    link: Script,
    silent_after: float = 0.0,
    *,
    decoder: Decoder | None = None,
    rng: random.Random | None = None,
    pause: float = 0.0,
) -> tuple[Feed, Intake, list[tuple[str, Any]], HandClock]:
    """``pause``: seconds that pass at the end of each session."""
    intake, clock = Intake(), HandClock()

    def wait() -> None:
        clock.seconds += pause

    link.between = wait
    events: list[tuple[str, Any]] = []
    device = DeviceConfig(name="crew", kind="crew_panel", silent_after=silent_after)
    feed = Feed(
        device, link, lambda: decoder or Letters(), intake=intake, clock=clock, rng=rng or Quick(),
        on_event=lambda name, details: events.append((name, details)),
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


class Broken(Letters):
    """Breaks at an exclamation mark, and whenever it is asked what time it is."""

    def feed(self, data: bytes, received_at: Instant) -> list[Reading | FrameError]:
        if b"!" in data:
            raise ZeroDivisionError("planted")
        return super().feed(data, received_at)

    def tick(self, now: Instant) -> list[Reading]:
        raise IndexError("planted")


async def test_a_fault_in_a_device_file_is_a_counted_refusal_and_the_feed_goes_on() -> None:
    feed, intake, events, clock = await run_feed(Script([b"a", b"!", b"b"]), decoder=Broken())
    assert intake.accepted == ["a", "b"]
    assert intake.refused == [("crew", "internal-error", b"!")]
    assert [d["state"] for name, d in events if name == "device-link"] == ["connected", "disconnected"]
    feed.check_silence(clock.seconds)
    assert intake.refused[1:] == [("crew", "internal-error", b"IndexError('planted')")]


async def test_a_fault_in_a_link_is_a_disconnect_with_its_text_and_backoff() -> None:
    rng = Quick()
    _, intake, events, _ = await run_feed(Script([b"a", KeyError("planted")], [KeyError("planted")], [b"b"]), rng=rng)
    assert intake.accepted == ["a", "b"]
    assert events[1][1]["reason"] == "KeyError('planted')"
    assert rng.limits == [1.0, 2.0, 0.5], "our own faults are not tried again quickly"


async def test_only_a_connection_that_gave_nothing_makes_the_next_wait_longer() -> None:
    rng = Quick()
    await run_feed(Script(None, [], [b"a"], [b"a"], [b"a", ConnectionResetError()], None), rng=rng)
    assert rng.limits == [1.0, 2.0, 0.5, 0.5, 0.5, 1.0]


async def test_a_device_that_only_sends_what_is_refused_is_silent() -> None:
    feed, _, events, clock = await run_feed(Script([b"a"], [b"!?"]), silent_after=5.0, pause=3.0)
    events.clear()
    feed.check_silence(clock.seconds)
    assert events == [("device-silent", {"device": "crew", "state": "silent", "after_s": 5.0})]


async def test_a_receiver_without_a_fix_and_a_decoder_that_gathers_are_not_silent() -> None:
    class Blind(Letters):
        def feed(self, data: bytes, received_at: Instant) -> list[Reading | FrameError]:
            return [FrameError(FrameReason.NO_FIX, data)]

    class Gathers(Letters):
        def feed(self, data: bytes, received_at: Instant) -> list[Reading | FrameError]:
            return []

        def tick(self, now: Instant) -> list[Reading]:
            return []

    for decoder in (Blind(), Gathers()):
        feed, _, events, clock = await run_feed(Script([b"a"], [b"a"]), silent_after=5.0, pause=3.0, decoder=decoder)
        feed.check_silence(clock.seconds)
        assert [d["state"] for name, d in events if name == "device-silent"] == ["speaking"]


async def test_no_news_is_no_silence_but_a_piece_of_what_is_refused_is() -> None:
    class Lines(Letters):
        """Full stops are good frames without news, commas are pieces of a frame."""

        def feed(self, data: bytes, received_at: Instant) -> list[Reading | FrameError]:
            return super().feed(data.strip(b".,"), received_at)

    for chunks, silent in (([b"a", b"."], False), ([b",", b"!", b","], True)):
        script = Script(*([chunk] for chunk in chunks))
        feed, _, events, clock = await run_feed(script, silent_after=5.0, pause=3.0, decoder=Lines())
        events.clear()
        feed.check_silence(clock.seconds)
        assert [d["state"] for _, d in events] == (["silent"] if silent else [])


async def test_the_first_word_after_a_start_ends_a_silence_that_an_earlier_process_reported() -> None:
    _, _, events, _ = await run_feed(Script([b"a", b"b"]), silent_after=5.0)
    assert events.count(("device-silent", {"device": "crew", "state": "speaking"})) == 1


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


def make_agent(mode: LinkMode, outbox: Path = Path("unused")) -> tuple[Agent, Appended]:
    options = AgentOptions(
        unit="amb-1", site="s", profile=load_profile("ambulance"), broker_host="h", broker_port=1, token="t",
        outbox=outbox, links={},
    )  # fmt: skip
    agent = Agent(options, clock=HandClock(), firmware="f", rng=random.Random(1))
    appended = Appended()
    agent.writer = appended  # type: ignore[assignment]
    agent.uplink = SimpleNamespace(mode=mode)  # type: ignore[assignment]
    return agent, appended


def test_conditions_bear_the_agents_time_and_are_kept_beside_the_outbox(tmp_path: Path) -> None:
    states = []
    for conditions in ({"battery-low"}, set[str]()):  # of two processes
        agent, appended = make_agent(LinkMode.FULL, tmp_path / "outbox.db")
        agent.accept("cuff", Numeric(observed_at=1, values={}, conditions=frozenset(conditions)))
        ((_, record, _),) = appended.records
        assert isinstance(record, Event)
        states.append((record.observed_at, record.details["state"]))
    assert states == [(100_000_000, "on"), (100_000_000, "off")]
    assert (tmp_path / "outbox.db.conditions").exists()


async def test_an_agent_does_not_end_while_its_last_record_waits_for_its_commit(tmp_path: Path) -> None:
    agent, _ = make_agent(LinkMode.FULL)
    progress = asyncio.Event()
    agent.uplink = SimpleNamespace(mode=LinkMode.FULL, progress=progress)  # type: ignore[assignment]
    stored: list[Entry] = []
    box = open_box(tmp_path, epoch=agent.epoch)
    writer = agent.writer = OutboxWriter(box, window=0.3, on_stored=stored.extend, on_shed=lambda _: None)
    last = Numeric(observed_at=1, values={"spo2": 97.0})
    for number in range(2):  # the first is committed at once, the second waits for its window
        agent.accept("monitor", last)
        if number == 0:
            await writer.kept()
            await writer.call(lambda box: box.acknowledge([ack(Lane.OBS, 1, epoch=agent.epoch)]))
    ending = asyncio.create_task(agent._until_done([]))
    await asyncio.wait({ending, asyncio.create_task(writer.kept())}, return_when=asyncio.FIRST_COMPLETED)
    assert len(stored) == 2
    assert not ending.done(), "it ended with a record that nobody has"
    await writer.call(lambda box: box.acknowledge([ack(Lane.OBS, 2, epoch=agent.epoch)]))
    progress.set()
    await asyncio.wait_for(ending, 5)
    await writer.close()


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
