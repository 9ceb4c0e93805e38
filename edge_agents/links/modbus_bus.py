"""One TCP connection or one serial line on which Modbus units are asked, one request at a time.

Only the answer to the request that was just sent is ever taken for one:

- On TCP the transaction id says which it is. A connection on which an answer is missing is never used again.
- On a serial line nothing in a frame does. So a unit that did not answer in time *owes* an answer, and is asked for
  nothing that matters until that is settled: the owed answer was overheard, or an answer of another length came to a
  later request. Units answer in order, and no request twice. See `LineBus`.
"""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple
from weakref import WeakValueDictionary

from pymodbus import ModbusException
from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient
from pymodbus.client.base import ModbusBaseClient
from pymodbus.pdu import ModbusPDU
from pymodbus.pdu.mei_message import ReadDeviceInformationResponse

from edge_agents import ports
from edge_agents.links import modbus_answer
from edge_agents.links.modbus_answer import BIT_READS, EXCEPTIONS, IDENTIFY, WORD_READS, Form, Found, Request
from edge_agents.links.modbus_turns import Rank, Turns
from edge_agents.ports import Clock
from edge_agents.scaled_clock import machine_seconds

CONNECT_SECONDS: Final = 3.0
_NEVER: Final = 1000.0  # s: how long to wait is decided here, not in pymodbus
FORGET_AFTER: Final = 20  # timeouts (and 2 s at least) after which an answer that is owed will not come any more
_FORGET_SECONDS: Final = 2.0

logging.getLogger("pymodbus").setLevel(logging.CRITICAL)  # what goes wrong on a bus is reported by the link, once


class NoAnswer(ports.NoAnswer):
    """The unit did not answer in time."""


class Refused(ports.Refused):
    """The unit answered with an exception."""

    def __init__(self, unit: int, code: int) -> None:
        super().__init__(f"unit {unit} refuses: {EXCEPTIONS.get(code, f'exception {code}')}")
        self.code = code


class Bus(ABC):
    """What TCP and serial lines have in common."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._turns = Turns()
        self._users = 0
        self._client: ModbusBaseClient | None = None
        self._request: Request | None = None
        self._transaction = 0
        self._passed_over = ""

    @asynccontextmanager
    async def session(self) -> AsyncGenerator[None, None]:
        """Keeps the bus open for the length of the block; it is opened by the first request."""
        self._users += 1
        try:
            yield
        finally:
            self._users -= 1
            if not self._users:
                self._drop()

    @abstractmethod
    async def ask(self, request: Request, patience: float, rank: Rank) -> bytes:
        """The data of the answer: registers big endian, or bits; of an identification its objects; for a write b"".

        Raises:
            NoAnswer: none came within ``patience`` seconds of the unit's turn.
            Refused: the unit's exception.
            OSError: the bus cannot be opened or broke.
        """

    @abstractmethod
    def _make_client(self) -> ModbusBaseClient:
        """A client that has not connected yet."""

    @abstractmethod
    def _find(self, request: Request, received: bytes) -> Found:
        """The answer in what has come since the request was sent."""

    async def _connected(self) -> ModbusBaseClient:
        if self._client is None or not self._client.connected:
            self._drop()
            client = self._make_client()
            try:
                async with asyncio.timeout(machine_seconds(CONNECT_SECONDS)):
                    opened = await client.connect()
            except TimeoutError:
                opened = False
            if not opened:
                client.close()
                raise OSError(f"{self._name} cannot be opened")
            self._client = client
        return self._client

    def _drop(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def _filter(self, sending: bool, data: bytes) -> bytes:
        """The ``trace_packet`` hook: of all that arrives pymodbus sees only the frame that is the answer."""
        if sending:
            self._transaction = int.from_bytes(data[:2], "big")
            return data
        if self._request is None:
            return b""
        found = self._find(self._request, data)
        self._passed_over = found.passed_over or self._passed_over
        return found.frame

    async def _exchange(self, request: Request, patience: float) -> bytes:
        client = await self._connected()
        self._request, self._passed_over = request, ""
        try:
            async with asyncio.timeout(machine_seconds(patience)):
                answer = await _send(client, request)
        except TimeoutError:
            heard = f", only {self._passed_over}" if self._passed_over else ""
            raise NoAnswer(f"{self._name}: unit {request.unit} did not answer in time{heard}") from None
        except ModbusException as error:
            self._drop()
            raise OSError(f"{self._name}: {error}") from error
        finally:
            self._request = None
        if answer.isError():
            raise Refused(request.unit, answer.exception_code)
        return _data_of(request, answer)


class TcpBus(Bus):
    """A connection of one unit's own: nobody waits for a neighbour."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(f"{host}:{port}")
        self._host, self._port = host, port

    async def ask(self, request: Request, patience: float, rank: Rank) -> bytes:
        """See `Bus.ask`."""
        async with self._turns.take(rank):
            try:
                return await self._exchange(request, patience)
            except Refused:
                raise
            except BaseException:  # also a cancelled one: its answer may still come, but not on the next connection
                self._drop()
                raise

    def _make_client(self) -> ModbusBaseClient:
        return AsyncModbusTcpClient(
            self._host,
            port=self._port,
            timeout=machine_seconds(_NEVER),
            retries=0,
            reconnect_delay=0,
            trace_packet=self._filter,
        )

    def _find(self, request: Request, received: bytes) -> Found:
        return modbus_answer.on_tcp(request, self._transaction, received)


class Wires(NamedTuple):
    """How a serial line is set."""

    baud: int
    parity: str
    stop: int

    def seconds(self, characters: float) -> float:
        """How long so many characters take."""
        return characters * (9 + (self.parity != "N") + self.stop) / self.baud


SILENCE: Final = 3.5  # characters between frames (Modbus over serial line V1.02, 2.5.1.1)
MIN_SILENCE: Final = 0.00175  # s, above 19 200 baud
_FRAMING: Final = 3  # bytes around a PDU: unit, checksum


class LineBus(Bus):
    """A serial line that several units share.

    After a timeout the line is left alone for the time of a whole answer, and the unit owes that answer. If it is not
    overheard until the unit's next turn, the unit is first asked for fewer registers of the same poll, so few that no
    owed answer is as long: when those come, everything it owed has come before (and was passed over) or never will.
    What cannot be told is a unit that answers late *and* under another unit's address: it would be that unit's answer.
    """

    def __init__(self, path: str, wires: Wires, clock: Clock) -> None:
        super().__init__(path)
        self.wires = wires
        self._clock = clock
        self._path = path
        self._owed: dict[int, dict[Form, float]] = {}  # by unit, in order of request; when the answer was missed

    async def ask(self, request: Request, patience: float, rank: Rank) -> bytes:
        """See `Bus.ask`."""
        async with self._turns.take(rank):
            if self._owed.get(request.unit):
                await self._settle(request, patience)
            return await self._once(request, patience)

    async def _once(self, request: Request, patience: float) -> bytes:
        question = 8 + len(request.data)
        answer = request.answer_bytes + _FRAMING
        try:
            data = await self._exchange(request, patience + self.wires.seconds(question + answer))
        except Refused:
            raise
        except BaseException as error:  # also a cancelled one
            self._note_owed(request)
            if isinstance(error, NoAnswer):
                await asyncio.sleep(machine_seconds(self.wires.seconds(answer + SILENCE)))
            raise
        if request.is_read:
            self._owed.pop(request.unit, None)  # it answers in order: what it owed has come before
        await asyncio.sleep(machine_seconds(max(self.wires.seconds(SILENCE), MIN_SILENCE)))
        return data

    async def _settle(self, request: Request, patience: float) -> None:
        """Returns when nothing that the unit owes can be taken for the answer to the request."""
        if not request.is_read:
            return  # nothing that is owed looks like the answer to a write
        owed = self._owed[request.unit]
        for size in range(1, request.size):
            smaller = request._replace(size=size)
            if smaller.form not in owed and smaller.form != request.form:
                await self._ask_less(smaller, request, patience)
                return
        forget = machine_seconds(max(FORGET_AFTER * patience, _FORGET_SECONDS))
        if self._clock.monotonic() - max(owed.values()) < forget:
            raise NoAnswer(f"{self._name}: unit {request.unit} owes an answer that no other length can be told from")
        del self._owed[request.unit]

    async def _ask_less(self, smaller: Request, request: Request, patience: float) -> None:
        try:
            await self._once(smaller, patience)
        except Refused as refusal:
            # Of this request or of an owed one: in any case the oldest owed answer has come, or never will.
            owed = self._owed.get(request.unit, {})
            self._owed[request.unit] = dict(list(owed.items())[1:])
            self._note_owed(smaller)
            if request.form in self._owed[request.unit]:
                raise NoAnswer(f"{self._name}: unit {request.unit} owes an answer") from refusal

    def _note_owed(self, request: Request) -> None:
        if request.is_read:  # a write that is believed too early is found out by reading it back
            self._owed.setdefault(request.unit, {})[request.form] = self._clock.monotonic()

    def _filter(self, sending: bool, data: bytes) -> bytes:
        if not sending:
            for unit, owed in self._owed.items():
                overheard = [form for form in owed if modbus_answer.is_heard(unit, form, data)]
                if overheard:
                    self._owed[unit] = _after(overheard[-1], owed)
        return super()._filter(sending, data)

    def _make_client(self) -> ModbusBaseClient:
        return AsyncModbusSerialClient(
            self._path,
            baudrate=self.wires.baud,
            parity=self.wires.parity,
            stopbits=self.wires.stop,
            timeout=machine_seconds(_NEVER),
            retries=0,
            reconnect_delay=0,
            trace_packet=self._filter,
        )

    def _find(self, request: Request, received: bytes) -> Found:
        return modbus_answer.on_line(request, received)


_lines: WeakValueDictionary[str, LineBus] = WeakValueDictionary()


def line(path: str, wires: Wires, clock: Clock) -> LineBus:
    """The bus of a serial line: the same for all links on it.

    Raises:
        ValueError: another link sets the same line differently.
    """
    bus = _lines.get(path) or LineBus(path, wires, clock)
    if bus.wires != wires:
        raise ValueError(f"{path}: expected {bus.wires.baud} baud, parity {bus.wires.parity}, as its other units have")
    _lines[path] = bus
    return bus


def _after(form: Form, owed: dict[Form, float]) -> dict[Form, float]:
    """What a unit still owes once it has given one of the answers: the later ones."""
    forms = list(owed)
    return {later: owed[later] for later in forms[forms.index(form) + 1 :]}


async def _send(client: ModbusBaseClient, request: Request) -> ModbusPDU:
    """Sends a request; what answers it."""
    unit, function, address, size, data = request
    words = [int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)]
    reads: dict[int, Any] = {
        1: client.read_coils,
        2: client.read_discrete_inputs,
        3: client.read_holding_registers,
        4: client.read_input_registers,
    }
    if function in reads:
        answer: ModbusPDU = await reads[function](address, count=size, device_id=unit)
        return answer
    if function == IDENTIFY:
        return await client.read_device_information(read_code=1, object_id=0, device_id=unit)
    if function == 5:
        return await client.write_coil(address, words[0] == 0xFF00, device_id=unit)
    if function == 6:
        return await client.write_register(address, words[0], device_id=unit)
    if function == 15:
        bits = [bool(data[at // 8] >> at % 8 & 1) for at in range(size)]
        return await client.write_coils(address, bits, device_id=unit)
    return await client.write_registers(address, words, device_id=unit)


def _data_of(request: Request, answer: ModbusPDU) -> bytes:
    if request.function in WORD_READS:
        return b"".join(word.to_bytes(2, "big") for word in answer.registers)
    if request.function in BIT_READS:
        packed = sum(bit << at for at, bit in enumerate(answer.bits[: request.size]))
        return packed.to_bytes(request.data_bytes, "little")
    if isinstance(answer, ReadDeviceInformationResponse):
        objects = answer.information.items()
        return b"".join(bytes((number, len(text))) + text for number, text in objects if isinstance(text, bytes))
    return b""
