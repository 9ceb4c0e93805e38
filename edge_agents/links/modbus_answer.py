"""Which bytes are the answer to a Modbus request. Pure.

pymodbus 3.16 takes for an answer what another function, another length or transaction 0 says, and on a serial line
whatever comes first. So the link shows it nothing but the one frame that can be the answer, and counts the rest.
Sources: Modbus application protocol V1.1b3; Modbus messaging on TCP/IP V1.0b; Modbus over serial line V1.02.
"""

import struct
from typing import Final, NamedTuple

from pymodbus.framer import FramerRTU

EXCEPTION: Final = 0x80  # added to the function
BIT_READS: Final = (1, 2)
WORD_READS: Final = (3, 4)
READS: Final = BIT_READS + WORD_READS
_SINGLE_WRITES: Final = (5, 6)
_MANY_WRITES: Final = (15, 16)
WRITES: Final = _SINGLE_WRITES + _MANY_WRITES
IDENTIFY: Final = 43  # with MEI type 14: Read Device Identification, basic
_IDENTITY: Final = {0: "maker", 1: "model", 2: "firmware"}  # its objects VendorName, ProductCode, MajorMinorRevision
_IDENTITY_HEAD: Final = 7  # function, MEI type, code, conformity, more follows, next object, number of objects
_TYPICAL_IDENTITY: Final = 80  # bytes of the answer's PDU: how long to wait for it on a slow line
_MBAP: Final = struct.Struct(">HHHB")  # transaction, protocol, bytes to come, unit
_LONGEST: Final = 254  # of what the header counts: unit and PDU

EXCEPTIONS: Final = {
    1: "illegal function",
    2: "illegal data address",
    3: "illegal data value",
    4: "device failure",
    5: "acknowledge",
    6: "device busy",
    8: "memory parity error",
    10: "gateway path unavailable",
    11: "gateway target did not respond",
}
NOT_THERE: Final = (10, 11)  # a gateway's word for a device that does not answer


Form = tuple[int, int]  # function and bytes of data: what an answer on a serial line can be known by


class Request(NamedTuple):
    """What is asked of a unit; ``data`` only for writes, as edge_agents.protocol.modbus_frame has it."""

    unit: int
    function: int
    address: int
    size: int  # registers or bits
    data: bytes = b""

    @property
    def data_bytes(self) -> int:
        """Bytes of data in the answer to a read."""
        return (self.size + 7) // 8 if self.function in BIT_READS else 2 * self.size

    @property
    def is_read(self) -> bool:
        """Whether it asks for something."""
        return self.function in READS

    @property
    def form(self) -> Form:
        """Of the answer to a read."""
        return self.function, self.data_bytes

    @property
    def answer_bytes(self) -> int:
        """Length of the good answer's PDU."""
        if self.function == IDENTIFY:
            return _TYPICAL_IDENTITY
        return 2 + self.data_bytes if self.function in READS else 5

    def size_of_answer(self, pdu: bytes) -> int | None:
        """How long the PDU is that begins these bytes; None when it answers another function, or more must come."""
        if pdu[:1] == bytes((self.function | EXCEPTION,)):
            return 2
        if pdu[:1] != bytes((self.function,)):
            return None
        return identity_bytes(pdu) if self.function == IDENTIFY else self.answer_bytes

    def is_answer(self, pdu: bytes) -> bool:
        """Whether a PDU of this unit can answer this request, well or with an exception."""
        if not pdu or pdu[0] == self.function | EXCEPTION:
            return len(pdu) == 2
        if self.function == IDENTIFY:
            return pdu[:3] == b"\x2b\x0e\x01" and identity_bytes(pdu) == len(pdu)
        if self.function in READS:
            return pdu[:2] == bytes((self.function, self.data_bytes)) and len(pdu) == self.answer_bytes
        echo = self.data if self.function in _SINGLE_WRITES else self.size.to_bytes(2, "big")
        return pdu == struct.pack(">BH", self.function, self.address) + echo


class Found(NamedTuple):
    """The answer's whole frame, b"" as long as it has not come; and what was passed over on the way to it."""

    frame: bytes
    passed_over: str = ""


def on_tcp(request: Request, transaction: int, received: bytes) -> Found:
    """The answer in what a connection has brought since the request was sent, from its first byte on."""
    at, strange = 0, ""
    while len(received) - at >= _MBAP.size:
        number, protocol, size, unit = _MBAP.unpack_from(received, at)
        if protocol or not 2 <= size <= _LONGEST:
            return Found(b"", "bytes that are not Modbus")
        end = at + 6 + size
        if end > len(received):
            break
        pdu = received[at + _MBAP.size : end]
        if number != transaction:
            strange = f"an answer to transaction {number}, not {transaction}"
        elif unit != request.unit:
            strange = f"an answer of unit {unit}, not {request.unit}"
        elif not request.is_answer(pdu):
            strange = f"no answer to function {request.function}: {pdu[:8].hex()}"
        else:
            return Found(received[at:end], strange)
        at = end
    return Found(b"", strange)


def on_line(request: Request, received: bytes) -> Found:
    """The answer in what a serial line has brought since the request was sent.

    A frame is known by unit, function, length and checksum alone: see `edge_agents.links.modbus_bus.LineBus` for what
    a late frame of the same form is told by.
    """
    for at in range(len(received) - 4):
        size = request.size_of_answer(received[at + 1 :]) if received[at] == request.unit else None
        if size is None or at + size + 3 > len(received):
            continue
        frame = received[at : at + size + 3]
        if checksum(frame[:-2]) == frame[-2:] and request.is_answer(frame[1:-2]):
            return Found(frame, f"{at} bytes that are no answer" if at else "")
    return Found(b"", f"{len(received)} bytes that are no answer" if received else "")


def is_heard(unit: int, form: Form, received: bytes) -> bool:
    """Whether an answer of this form is among what a serial line has brought."""
    head, size = bytes((unit, *form)), form[1] + 5
    at = received.find(head)
    while 0 <= at <= len(received) - size:
        if checksum(received[at : at + size - 2]) == received[at + size - 2 : at + size]:
            return True
        at = received.find(head, at + 1)
    return False


def identity_bytes(pdu: bytes) -> int | None:
    """How long an answer to Read Device Identification is; None while what says so has not come."""
    at = _IDENTITY_HEAD
    for _ in range(pdu[at - 1] if len(pdu) >= at else 0):
        if len(pdu) < at + 2:
            return None
        at += 2 + pdu[at + 1]
    return at if len(pdu) >= _IDENTITY_HEAD else None


def identity(objects: bytes) -> dict[str, str]:
    """What a device says it is, in the words of edge_agents.device.INFORMATION_EVENT: number, length, text ..."""
    found = {}
    while len(objects) >= 2:
        number, size = objects[:2]
        text = objects[2 : 2 + size].decode("utf-8", "replace").strip("\x00 ")
        if number in _IDENTITY and text:
            found[_IDENTITY[number]] = text[:64]
        objects = objects[2 + size :]
    return found


def checksum(frame: bytes) -> bytes:
    """CRC-16 of a frame on a serial line, as sent."""
    return FramerRTU.compute_CRC(frame).to_bytes(2, "big")
