"""A Modbus server whose units lag and lie, on TCP and on a serial line; and what they would say were they honest.

What stands in a register is a function of unit, function and address, so every value that is accepted can be checked
without knowing when it was asked for.
"""

import asyncio
import os
import random
import struct
import tty
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

from edge_agents.links.modbus_answer import IDENTIFY, checksum

LINE_LIES = (
    "exception",
    "silence",
    "other unit",
    "other function",
    "other length",
    "noise before",
    "bad checksum",
    "half an answer",
)
TCP_LIES = (
    "exception",
    "silence",
    "other unit",
    "other function",
    "other length",
    "transaction 0",
    "next transaction",
    "stale answer before",
    "answer twice",
    "half an answer",
    "no modbus",
)


def word(unit: int, function: int, address: int) -> int:
    """The truth."""
    return (unit * 7919 + function * 613 + address * 104_729 + 17) & 0xFFFF


def truth(unit: int, function: int, address: int, size: int) -> bytes:
    return b"".join(word(unit, function, address + at).to_bytes(2, "big") for at in range(size))


@dataclass
class Question:
    unit: int
    function: int
    address: int
    size: int
    transaction: int = 0

    def answer(self, unit: int | None = None, function: int | None = None, size: int | None = None) -> bytes:
        """The answer's PDU, or that to another question."""
        unit, function, size = unit or self.unit, function or self.function, size or self.size
        data = truth(unit, function, self.address, size)
        return bytes((function, len(data))) + data

    def false(self) -> bytes:
        """An answer of the right form with nothing true in it."""
        data = truth(self.unit + 1, self.function, self.address + 1, self.size)
        return bytes((self.function, len(data))) + data


@dataclass
class Units:
    """How the units behave, whatever the line."""

    seed: int = 7
    lag: float = 0.0  # s at most
    lies: float = 0.0  # share of answers
    kinds: tuple[str, ...] = ()
    dead: set[int] = field(default_factory=set)
    refuse_with: int = 0  # exception code; 0 = answers
    told: Counter[str] = field(default_factory=Counter)
    smallest: int = 1  # registers; what asks for fewer is refused
    refused: int = 0  # how often that was
    written: list[bytes] = field(default_factory=list)
    held: dict[int, bytes] = field(default_factory=dict)  # by address: what was written there
    mute: bool = False  # to a function it does not know; else it refuses it
    asked: list[int] = field(default_factory=list)  # what they are

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)

    def delay(self) -> float:
        return self.rng.uniform(0, self.lag) if self.lag else 0.0

    def lie(self) -> str:
        kind = self.rng.choice(self.kinds) if self.rng.random() < self.lies else "truth"
        self.told[kind] += 1
        return kind

    def honest(self, question: Question, rest: bytes) -> bytes:
        """The PDU of an honest answer to a read or a write."""
        if question.function in (3, 4) and question.size < self.smallest:
            self.refused += 1
            return bytes((question.function | 0x80, 2))
        if self.refuse_with:
            return bytes((question.function | 0x80, self.refuse_with))
        if question.function == 16:
            self.written.append(rest)
            self.held[question.address] = rest[1:]
            return struct.pack(">BHH", 16, question.address, question.size)
        if question.function == 6:
            self.written.append(rest)
            value = question.size.to_bytes(2, "big")
            self.held[question.address] = value
            return struct.pack(">BH", 6, question.address) + value
        if question.address in self.held:
            return bytes((question.function, len(self.held[question.address]))) + self.held[question.address]
        return question.answer()

    def about_itself(self, unit: int) -> bytes:
        """To the question what it is: a refusal, for it does not know it; or silence, if it is of that kind."""
        self.asked.append(unit)
        return b"" if self.mute or unit in self.dead else bytes((IDENTIFY | 0x80, 1))

    def of_any_line(self, kind: str, question: Question) -> bytes | None:
        """The PDU of a lie that both lines know, b"" for silence; None for another one."""
        match kind:
            case "exception":
                return bytes((question.function | 0x80, self.rng.choice((1, 2, 4, 6))))
            case "silence":
                return b""
            case "other function":
                return question.answer(function=7 - question.function)
            case "other length":
                return question.answer(size=question.size + self.rng.choice((-1, 1)))
        return None


def mbap(transaction: int, unit: int, pdu: bytes) -> bytes:
    return struct.pack(">HHHB", transaction, 0, len(pdu) + 1, unit) + pdu


class TcpServer:
    """All units behind one port, each connection for itself."""

    def __init__(self, units: Units) -> None:
        self.units = units
        self.port = 0
        self.connections = 0
        self._open: dict[asyncio.StreamWriter, asyncio.Task[None] | None] = {}

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        tasks = [task for task in self._open.values() if task]
        for writer in list(self._open):
            writer.transport.abort()
        await asyncio.gather(*tasks)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._open[writer] = asyncio.current_task()
        loop = asyncio.get_running_loop()
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                transaction, _, size, unit = struct.unpack(">HHHB", await reader.readexactly(7))
                pdu = await reader.readexactly(size - 1)
                if pdu[0] == IDENTIFY:
                    if refusal := self.units.about_itself(unit):
                        self._write(writer, mbap(transaction, unit, refusal))
                    continue
                function, address, count = struct.unpack_from(">BHH", pdu)
                question = Question(unit, function, address, count, transaction)
                for after, data in self._said(question, pdu[5:]):
                    loop.call_later(after, self._write, writer, data)
        del self._open[writer]
        writer.close()

    def _write(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        if not writer.is_closing():
            writer.write(data)

    def _said(self, question: Question, rest: bytes) -> Iterator[tuple[float, bytes]]:
        """What is written, and after how many seconds."""
        units, transaction, unit = self.units, question.transaction, question.unit
        if unit in units.dead:
            return
        delay, kind = units.delay(), units.lie()
        common = units.of_any_line(kind, question)
        right = mbap(transaction, unit, units.honest(question, rest))
        match kind:
            case _ if common is not None:
                yield delay, mbap(transaction, unit, common) if common else b""
            case "other unit":
                yield delay, mbap(transaction, unit + 1, question.answer(unit=unit + 1))
            case "transaction 0":
                yield delay, mbap(0, unit, question.false())
            case "next transaction":
                yield delay, mbap(transaction + 1, unit, question.false())
            case "stale answer before":
                yield delay, mbap(transaction - 1 & 0xFFFF, unit, question.false())
                yield delay + 0.002, right
            case "answer twice":
                yield delay, right
                yield delay + 0.004, right
            case "half an answer":
                yield delay, right[:11]
                yield delay + 0.03, right[11:]
            case "no modbus":
                yield delay, b"HTTP/1.1 400 Bad Request\r\n"
            case _:
                yield delay, right


class SerialLine:
    """Units on one serial line; each answers its questions in order, later than it should."""

    def __init__(self, units: Units) -> None:
        self.units = units
        self.path = ""
        self._received = bytearray()
        self._busy: dict[int, float] = {}  # by unit: the loop's time until which it is

    async def __aenter__(self) -> Self:
        self._end, self._agents = os.openpty()
        tty.setraw(self._agents)
        os.set_blocking(self._end, False)
        self.path = os.ttyname(self._agents)
        asyncio.get_running_loop().add_reader(self._end, self._read)
        return self

    async def __aexit__(self, *_: object) -> None:
        asyncio.get_running_loop().remove_reader(self._end)
        os.close(self._end)
        os.close(self._agents)
        self._end = -1

    def _read(self) -> None:
        self._received += os.read(self._end, 1024)
        while len(self._received) >= 7:
            size = 9 + self._received[6] if self._received[1] == 16 else 7 if self._received[1] == IDENTIFY else 8
            if len(self._received) < size:
                return
            frame = bytes(self._received[:size])
            del self._received[:size]
            assert checksum(frame[:-2]) == frame[-2:], "the agent sends good frames"
            if frame[1] == IDENTIFY:
                if refusal := self.units.about_itself(frame[0]):
                    self._write(_rtu(frame[0], refusal))
                continue
            unit, function, address, count = struct.unpack_from(">BBHH", frame)
            self._answer(Question(unit, function, address, count), frame[6:-2])

    def _answer(self, question: Question, rest: bytes) -> None:
        if question.unit in self.units.dead:
            return
        loop = asyncio.get_running_loop()
        data = self._said(question, rest)
        now, busy = loop.time(), self._busy.get(question.unit, 0.0)
        if data[:1] == bytes((question.unit + 1,)):
            # Under another unit's address it answers at once or not at all: late, no master could tell that from the
            # other unit's own answer.
            if busy <= now:
                self._write(data)
            return
        at = max(now + self.units.delay(), busy + 0.0005)
        self._busy[question.unit] = at
        loop.call_at(at, self._write, data)

    def _write(self, data: bytes) -> None:
        if self._end >= 0 and data:
            with suppress(BlockingIOError):
                os.write(self._end, data)

    def _said(self, question: Question, rest: bytes) -> bytes:
        units, unit = self.units, question.unit
        kind = units.lie()
        common = units.of_any_line(kind, question)
        right = _rtu(unit, units.honest(question, rest))
        if common is not None:
            return _rtu(unit, common) if common else b""
        lies: dict[str, Callable[[], bytes]] = {
            "other unit": lambda: _rtu(unit + 1, question.answer(unit=unit + 1)),
            "noise before": lambda: b"\x00\xff\xf8" + right,
            "bad checksum": lambda: _rtu(unit, question.false())[:-1] + b"\xaa",
            "half an answer": lambda: right[: len(right) // 2],
        }
        return lies[kind]() if kind in lies else right


def _rtu(unit: int, pdu: bytes) -> bytes:
    return bytes((unit,)) + pdu + checksum(bytes((unit,)) + pdu)
