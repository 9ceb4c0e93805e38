"""Polled devices: a Modbus TCP server each, or one serial line (two joined pseudo-terminals) with several units on it.

The device's profile says which: ``line = "serial"`` puts it on the unit's one serial line. What a device measures
goes into its registers and stays there until it is asked, so the ledger says nothing of it: a value that nobody polled
was never sent, and the agent's reading is a sample of the image and not one of the simulator's readings.

A device answers from its first measurement on; one whose simulator has ``AT_REST``, frames of what it answers without
any, from the start.
"""

import asyncio
import logging
import os
import struct
import tty
from contextlib import suppress
from typing import Any, Final

from pymodbus.constants import ExcCodes
from pymodbus.pdu.device import ModbusDeviceIdentification
from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from edge_agents.device import Reading
from edge_agents.protocol import MODBUS_HEAD, modbus_frame
from firmware_sims import profile
from firmware_sims.hosts.host import Cast, Stage
from gateway.contract.envelope import Instant

BAUD: Final = 9600
TCP_UNIT: Final = 1
REGISTERS: Final = 256  # of every device, from 0
SERIAL: Final = "serial"
_WRITES: Final = (6, 16)
_BITS: Final = (1, 2)  # functions that read coils and discrete inputs
_CHUNK: Final = 1024

IDENTITY: Final = ModbusDeviceIdentification(  # type: ignore[no-untyped-call]  # of all: pymodbus keeps one a process
    info_name={"VendorName": "Lastmile simulators", "ProductCode": "simulated", "MajorMinorRevision": "1.0"}
)

logging.getLogger("pymodbus").setLevel(logging.CRITICAL)  # a unit that is not there is no error here


class Host:
    """One polled device."""

    def __init__(self, role: Cast, stage: Stage) -> None:
        """A device on the serial line takes its place there at once: the line is opened with all its units."""
        self.name = role.name
        self.address = ""
        self._role = role
        self._pace = stage.pace
        self._listen_host = stage.listen_host
        self._image: dict[int, int] = {}
        self._fresh: dict[int, int] = {}  # written after the next reading was made
        self._made_before: Instant | None = None  # the time of that reading, once it is known
        self._frames = 0
        self._line: Line | None = None
        self._server: ModbusTcpServer | None = None
        self._control = getattr(role.sim, "control", None)
        self._put(getattr(role.sim, "AT_REST", b""))
        if _line_of(role) == SERIAL:
            self._line = stage.air.setdefault("modbus line", Line())
            self._line.units.append(self)

    async def listen(self, port: int) -> None:
        """Opens the port, or the line if it is not open yet. Raises OSError when it is taken."""
        if self._line is not None:
            unit, path = await self._line.open(self)
            self.address = f"modbus+rtu://{path}?baud={BAUD}&unit={unit}"
            return
        self._server = ModbusTcpServer(
            self.registers(TCP_UNIT), identity=IDENTITY, address=(self._listen_host, port), trace_packet=self._speak
        )
        if not await self._server.listen():
            raise OSError(f"{self._listen_host}:{port} is taken")
        host, bound = self._server.transport.sockets[0].getsockname()[:2]  # type: ignore[attr-defined]
        self.address = f"modbus+tcp://{host}:{bound}?unit={TCP_UNIT}"

    async def hand(self, reading: Reading) -> None:
        """Puts what the device has measured into its registers.

        The simulator is one reading ahead: what has been written since stays until the one after it.
        """
        self._put(self._role.sim.encode(reading, self._frames))
        self._frames += 1
        if self._fresh and self._made_before in {None, reading.observed_at}:
            self._made_before = reading.observed_at
            self._image |= self._fresh
        else:
            self._fresh = {}

    async def close(self) -> None:
        """Closes the port, or leaves the line; the last one closes it."""
        if self._server is not None:
            await self._server.shutdown()  # type: ignore[no-untyped-call]
        if self._line is not None:
            await self._line.leave(self)

    # ---- the wire

    def registers(self, unit: int) -> SimDevice:
        """This device as pymodbus serves it. Discrete inputs are the bits of its registers: none of ours has both."""
        block = SimData(0, values=[0] * REGISTERS, datatype=DataType.REGISTERS)
        return SimDevice(unit, simdata=[block], use_bit_addressing=True, action=self._access)

    def _put(self, frames: bytes) -> None:
        while frames:
            _, function, address, size = MODBUS_HEAD.unpack_from(frames)
            data = frames[MODBUS_HEAD.size :]
            if function in _BITS:
                used = (size + 7) // 8
                self._set_bits(address, size, int.from_bytes(data[:used], "little"))
            else:
                used = 2 * size
                self._image.update(enumerate(struct.unpack(f">{size}H", data[:used]), address))
            frames = data[used:]

    def _set_bits(self, first: int, size: int, states: int) -> None:
        for at in range(size):
            place, bit = divmod(first + at, 16)
            self._image[place] = self._image.get(place, 0) & ~(1 << bit) | (states >> at & 1) << bit

    @property
    def answering(self) -> bool:
        """Whether it has measured anything yet and the scenario lets it answer just now."""
        told = self._role.world.told(self._pace.passed())
        return bool(self._image) and told.get("answering", True) is not False

    def _speak(self, sending: bool, packet: bytes) -> bytes:
        return packet if self.answering or not sending else b""

    async def _access(
        self, function: int, start: int, address: int, _count: int, held: list[int], values: list[Any] | None
    ) -> ExcCodes | None:
        """Called by pymodbus before it reads or writes registers."""
        if values is not None and (refusal := self._write(function, address, values)) is not None:
            return refusal
        for at, word in self._image.items():
            held[at - start] = word
        return None

    def _write(self, function: int, address: int, values: list[Any]) -> ExcCodes | None:
        if self._control is None or function not in _WRITES:
            return ExcCodes.ILLEGAL_FUNCTION
        frame = modbus_frame(TCP_UNIT, function, address, len(values), struct.pack(f">{len(values)}H", *values))
        answers = self._control(self._role.world, self._pace.passed(), frame)
        if answers:
            return ExcCodes(answers[0][-1])
        self._fresh |= dict(enumerate(values, address))
        self._made_before = None
        self._image |= self._fresh
        return None


class Line:
    """The serial line of a unit: the agent's end and the devices' end, joined."""

    def __init__(self) -> None:
        self.units: list[Host | None] = []  # unit id less 1; None has left
        self._path = ""
        self._ends: list[int] = []  # both sides of the agent's pseudo-terminal, then of the devices'
        self._server: ModbusSerialServer | None = None

    async def open(self, host: Host) -> tuple[int, str]:
        """The unit id of a device and the path of the agent's end."""
        if self._server is None:
            self._ends = [*os.openpty(), *os.openpty()]
            agents, agents_tty, devices, devices_tty = self._ends
            for end in (agents_tty, devices_tty):
                tty.setraw(end)
            for one, other in ((agents, devices), (devices, agents)):
                os.set_blocking(one, False)
                asyncio.get_running_loop().add_reader(one, _pass_on, one, other)
            self._path = os.ttyname(agents_tty)
            self._server = ModbusSerialServer(
                [unit.registers(number) for number, unit in enumerate(self.units, 1) if unit],
                identity=IDENTITY,
                port=os.ttyname(devices_tty),
                baudrate=BAUD,
                trace_packet=self._speak,
            )
            if not await self._server.listen():
                raise OSError(f"{self._path} cannot be opened")
        return self.units.index(host) + 1, self._path

    async def leave(self, host: Host) -> None:
        """The last one closes the line."""
        self.units[self.units.index(host)] = None
        if self._server is None or any(self.units):
            return
        await self._server.shutdown()  # type: ignore[no-untyped-call]
        self._server = None
        for end in self._ends[::2]:
            asyncio.get_running_loop().remove_reader(end)
        for end in self._ends:
            os.close(end)

    def _speak(self, sending: bool, packet: bytes) -> bytes:
        """A unit that is not there, or does not answer, says nothing."""
        if not sending:
            return packet
        unit = self.units[packet[0] - 1] if 0 < packet[0] <= len(self.units) else None
        return packet if unit and unit.answering else b""


def _pass_on(source: int, to: int) -> None:
    with suppress(BlockingIOError):  # nobody reads at the other end: bytes are lost, as on a line
        os.write(to, os.read(source, _CHUNK))


def _line_of(role: Cast) -> str:
    """What the profile says of the device's line."""
    rows = profile.rows(role.world.scenario.profile)
    return next((str(row.get("line", "")) for row in rows if row["name"] == role.name), "")
