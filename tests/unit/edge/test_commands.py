"""Commands on the agent: judged, written, read back, replied to; carried out at most once, whatever is repeated."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import pytest

from edge_agents.commands import MAX_RUNNING, Commands
from edge_agents.config import DeviceConfig
from edge_agents.device import CommandRefused, FrameError, Order, Reading
from edge_agents.feed import Feed
from edge_agents.link_gauge import LinkGauge
from edge_agents.links import modbus_bus
from edge_agents.reply_book import REMEMBERED, ReplyBook
from gateway.contract.envelope import Instant, LinkMode
from gateway.contract.observation import Command, Reply
from tests.unit.edge.helpers import AT, EPOCH, NEXT_EPOCH
from tests.unit.edge.test_feed_and_agent import HandClock, Intake, Quick

SECOND = 1_000_000
OWN_TIME = AT - 3600 * SECOND  # the agent's clock is an hour slow
MODES = {"static": b"\x01", "alternating": b"\x02"}


class Mattress:
    """A decoder whose device has one register; two frames an order: unlock, set."""

    def feed(self, data: bytes, received_at: Instant) -> list[Reading | FrameError]:
        return []

    def order(self, name: str, arguments: dict[str, Any], now: Instant) -> Order:
        assert now == OWN_TIME, "readings go by the agent's clock, and so does their age"
        if name == "burst":
            raise ZeroDivisionError("planted")
        if name == "bed-motion":
            return Order(writes=(b"jog",), expect=(b"jog",), result={"seconds": 1})
        if name != "set-mattress-mode":
            raise CommandRefused("unknown-command")
        if arguments.get("mode") == "cpr":
            raise CommandRefused("local-only")
        if arguments.get("mode") not in MODES:
            raise CommandRefused("bad-argument")
        code = MODES[arguments["mode"]]
        return Order(writes=(b"unlock", code), expect=(b"ok", code), result={"mode": arguments["mode"]})


class Register:
    """A link whose device reads back what was written, unless told otherwise."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.fault: Exception | None = None
        self.says: bytes | None = None
        self.entered, self.gate = asyncio.Event(), asyncio.Event()
        self.gate.set()

    async def stream(self) -> AsyncGenerator[tuple[bytes, Instant], None]:
        yield b"", 0

    async def write(self, frame: bytes) -> bytes:
        self.entered.set()
        await self.gate.wait()
        if self.fault is not None:
            raise self.fault
        self.written.append(frame)
        return self.says if self.says is not None and frame != b"unlock" else b"ok" if frame == b"unlock" else frame


class ReadOnly:
    """A link that cannot be written to."""

    async def stream(self) -> AsyncGenerator[tuple[bytes, Instant], None]:
        yield b"", 0


def feed_of(link: Any, decoder: Any, name: str, *, motion: bool = False) -> Feed:
    config = DeviceConfig(name=name, kind="mattress", motion=motion)
    return Feed(
        config, link, lambda: decoder, intake=Intake(), on_event=lambda *_: None, clock=HandClock(), rng=Quick()
    )


class Case:
    """An agent's commands with one mattress that may move, one that may not, and a device that takes none."""

    def __init__(self, folder: Path, epoch: str = EPOCH) -> None:
        self.now: Instant | None = AT
        self.link, self.gauge = Register(), LinkGauge()
        self.replies: list[Reply] = []
        self.replied = asyncio.Event()
        self.path = folder / "outbox.db.replies"
        self.commands = Commands(
            epoch,
            self.gauge,
            book=ReplyBook(self.path),
            targets={
                "mattress": feed_of(self.link, Mattress(), "mattress"),
                "bed": feed_of(self.link, Mattress(), "bed", motion=True),
                "sensor": feed_of(ReadOnly(), object(), "sensor"),
                "deaf": feed_of(ReadOnly(), Mattress(), "deaf"),
            },
            clock=lambda: OWN_TIME,
            gateway_clock=lambda: self.now,
            reply=self._take,
        )

    def _take(self, reply: Reply) -> None:
        self.replies.append(reply)
        self.replied.set()

    def send(self, number: int = 1, name: str = "set-mattress-mode", device: str = "mattress", **fields: Any) -> None:
        arguments = fields.pop("arguments", {"mode": "static"})
        expires_at = fields.pop("expires_at", AT + SECOND)
        self.commands.take(
            Command(id=f"c{number}", name=name, arguments=arguments, expires_at=expires_at, device=device)
        )

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                self.replied.clear()
                await self.replied.wait()

    async def ask(self, number: int = 1, name: str = "set-mattress-mode", **fields: Any) -> Reply:
        count = len(self.replies)
        self.send(number, name, **fields)
        await self.until(lambda: len(self.replies) > count)
        return self.replies[-1]

    async def settle(self) -> None:
        """Until nothing runs."""
        await asyncio.gather(*self.commands._running.values())


@pytest.fixture
async def case(tmp_path: Path) -> Case:
    return Case(tmp_path)


async def test_an_order_is_written_in_sequence_and_its_result_replied(case: Case) -> None:
    reply = await case.ask()
    assert case.link.written == [b"unlock", b"\x01"]
    assert reply == Reply(id="c1", epoch=EPOCH, accepted=True, result={"mode": "static"})


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"arguments": {"mode": "waterbed"}}, "bad-argument"),
        ({"arguments": {"mode": "cpr"}}, "local-only"),
        ({"name": "explode"}, "unknown-command"),
        ({"device": "sensor"}, "unknown-command"),
        ({"device": "nobody"}, "unknown-device"),
        ({"device": "deaf"}, "device-offline"),
        ({"expires_at": AT}, "expired"),
        ({"expires_at": AT - 1}, "expired"),
        ({"device": "", "name": "link-mode", "arguments": {"mode": "purple"}}, "bad-argument"),
        ({"device": "", "name": "link-mode", "arguments": {"mode": ["full"]}}, "bad-argument"),
        ({"device": "", "name": "set-mattress-mode"}, "unknown-command"),
        ({"name": "bed-motion"}, "motion-off"),
        ({"name": "bed-motion", "device": "bed", "expires_at": AT + SECOND + 1}, "expiry-too-long"),
        ({"name": "burst"}, "internal-error"),
    ],
)
async def test_what_is_refused_writes_nothing(case: Case, fields: dict[str, Any], reason: str) -> None:
    reply = await case.ask(**fields)
    assert (reply.accepted, reply.reason) == (False, reason)
    assert case.link.written == []
    assert case.gauge.override is None


async def test_a_read_back_that_differs_is_refused_with_what_was_read(case: Case) -> None:
    case.link.says = b"\x07"
    reply = await case.ask()
    assert (reply.accepted, reply.reason, reply.result) == (False, "read-back-differs", {"read": "07"})


async def test_it_stops_at_the_first_difference(case: Case) -> None:
    case.link.says = b"\x07"
    case.send(1, "set-mattress-mode")
    await case.until(lambda: case.replies)
    assert case.link.written == [b"unlock", b"\x01"]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (ConnectionResetError("gone"), "device-offline"),
        (TimeoutError("silent"), "no-answer"),
        (modbus_bus.NoAnswer("unit 3 did not answer in time"), "no-answer"),
        (modbus_bus.Refused(3, 4), "device-refused"),
        (RuntimeError("planted"), "internal-error"),
    ],
)
async def test_trouble_with_the_link_is_replied(case: Case, fault: Exception, reason: str) -> None:
    case.link.fault = fault
    assert (await case.ask()).reason == reason
    case.link.fault = None
    assert (await case.ask(2)).accepted, "the next command goes on"


async def test_repeated_before_and_after_its_reply_it_is_written_once(case: Case) -> None:
    case.link.gate.clear()
    for _ in range(5):
        case.send()
    case.link.gate.set()
    await case.until(lambda: case.replies)
    for _ in range(3):
        await case.ask()
    assert case.link.written == [b"unlock", b"\x01"]
    assert len(case.replies) == 4
    assert {reply.accepted for reply in case.replies} == {True}


async def test_a_new_process_gives_the_old_reply_and_writes_nothing(case: Case, tmp_path: Path) -> None:
    first = await case.ask()
    later = Case(tmp_path, NEXT_EPOCH)
    assert await later.ask() == first
    assert later.link.written == []


async def test_what_a_killed_process_had_begun_is_not_begun_again(case: Case, tmp_path: Path) -> None:
    case.link.gate.clear()
    case.send()
    async with asyncio.timeout(10):
        await case.link.entered.wait()
    later = Case(tmp_path, NEXT_EPOCH)
    reply = await later.ask()
    assert (reply.accepted, reply.reason) == (False, "interrupted")
    assert later.link.written == []
    case.link.gate.set()
    await case.settle()


async def test_commands_to_one_device_take_turns_and_another_does_not_wait(case: Case) -> None:
    case.link.gate.clear()
    case.send(1)
    case.send(2, arguments={"mode": "alternating"})
    assert (await case.ask(3, "link-mode", device="", arguments={"mode": "weak"})).accepted
    assert case.gauge.override is LinkMode.WEAK
    case.link.gate.set()
    await case.until(lambda: len(case.replies) == 3)
    assert case.link.written == [b"unlock", b"\x01", b"unlock", b"\x02"]


async def test_what_waited_too_long_for_its_turn_has_expired(case: Case) -> None:
    case.link.gate.clear()
    case.send(1)
    case.send(2, arguments={"mode": "alternating"})
    await asyncio.sleep(0)
    case.now = AT + SECOND
    case.link.gate.set()
    await case.until(lambda: len(case.replies) == 2)
    assert [(reply.id, reply.reason) for reply in case.replies] == [("c1", ""), ("c2", "expired")]
    assert case.link.written == [b"unlock", b"\x01"]


async def test_before_the_clock_is_measured_nothing_is_done_and_nothing_said(case: Case) -> None:
    case.now = None
    case.send()
    await case.settle()
    assert (case.replies, case.link.written) == ([], [])
    case.now = AT
    assert (await case.ask()).accepted, "the repetition is carried out"


async def test_motion_writes_once_and_only_where_it_was_allowed(case: Case) -> None:
    for number in range(3):
        assert (await case.ask(number, "bed-motion", device="bed")).accepted
    assert case.link.written == [b"jog"] * 3, "one write a message: whoever stops asking stops the bed"
    for number in range(3):
        await case.ask(number, "bed-motion", device="bed")
    assert len(case.link.written) == 3


async def test_many_at_once_are_bounded(case: Case) -> None:
    case.link.gate.clear()
    for number in range(MAX_RUNNING + 5):
        case.send(number)
    case.link.gate.set()
    await case.settle()
    assert len(case.replies) == MAX_RUNNING
    assert (await case.ask(MAX_RUNNING + 1)).accepted, "the gateway sends it again"


async def test_without_room_on_the_disk_nothing_is_begun(tmp_path: Path) -> None:
    case = Case(tmp_path / "missing")
    reply = await case.ask()
    assert reply.reason == "not-recorded"
    assert case.link.written == []


class TestReplyBook:
    @staticmethod
    def reply(number: int) -> Reply:
        return Reply(id=f"c{number}", epoch=EPOCH, accepted=True, result={"n": number})

    async def test_it_keeps_the_newest(self, tmp_path: Path) -> None:
        book = ReplyBook(tmp_path / "replies")
        for number in range(REMEMBERED + 2):
            await book.note(self.reply(number))
        again = ReplyBook(tmp_path / "replies")
        assert [again.get(f"c{number}") is not None for number in (0, 1, 2, REMEMBERED + 1)] == [
            False, False, True, True,
        ]  # fmt: skip
        assert again.get("c5") == self.reply(5)

    async def test_a_newer_reply_replaces_the_older_one(self, tmp_path: Path) -> None:
        book = ReplyBook(tmp_path / "replies")
        await book.note(Reply(id="c1", epoch=EPOCH, accepted=False, reason="interrupted"))
        await book.note(self.reply(1))
        assert ReplyBook(tmp_path / "replies").get("c1") == self.reply(1)

    @pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'[{"id":"x"}]', b"\xff\xfe"])
    async def test_a_file_that_cannot_be_read_is_an_empty_book(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "replies").write_bytes(content)
        book = ReplyBook(tmp_path / "replies")
        assert book.get("x") is None
        await book.note(self.reply(1))
        assert ReplyBook(tmp_path / "replies").get("c1") == self.reply(1)

    async def test_writers_at_the_same_time_leave_all_replies(self, tmp_path: Path) -> None:
        book = ReplyBook(tmp_path / "replies")
        await asyncio.gather(*(book.note(self.reply(number)) for number in range(20)))
        again = ReplyBook(tmp_path / "replies")
        assert all(again.get(f"c{number}") == self.reply(number) for number in range(20))
