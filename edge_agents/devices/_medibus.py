"""MEDIBUS, the frames in which Draeger's devices talk over a serial line.

::

    command   ESC (1B) | code | argument | check | CR
    response  SOH (01) | code of the command | data | check | CR

Check is the sum of all bytes before it, modulo 256, as two hexadecimal digits. Both sides send commands, and every
command is answered, an unknown one with an empty response and a damaged one with NAK (15) for its code. A command may
stand anywhere within a response, and samples of curves anywhere at all: they are the bytes from 80 on, passed over
here, as are DC1 and DC3. CAN ends whatever has been begun.

One command at a time: the next one waits for the response, for 10 s at most. A device that has heard nothing for 2 s,
and waits for nothing, says that it is idle; after 3 s without a byte it initialises anew, and knows nothing of before.

Source: Draeger, Instructions for Use, RS 232 MEDIBUS Protocol Definition, revision 4.03, order no. 90 28 258; times on
pages 5, 7, 24 and 36.
"""

from typing import Final, NamedTuple

from edge_agents.device import FrameError, FrameReason

SOH, ESC, CR, CAN = 0x01, 0x1B, 0x0D, 0x18
NAK: Final = 0x15
INITIALISE, IDENTIFY, IDLE = 0x51, 0x52, 0x30  # commands of both sides
_PASSED_OVER: Final = frozenset({0x11, 0x13, *range(0x80, 0x100)})
_LONGEST: Final = {SOH: 3845, ESC: 256}
_SHORTEST: Final = 4  # without CR


class Frame(NamedTuple):
    """A command or a response."""

    is_command: bool
    code: int
    data: bytes  # argument of a command
    raw: bytes


def command(code: int, argument: bytes = b"") -> bytes:
    """The bytes of a command."""
    return _sealed(bytes((ESC, code)) + argument)


def response(code: int, data: bytes = b"") -> bytes:
    """The bytes of a response to the command of this code."""
    return _sealed(bytes((SOH, code)) + data)


def _sealed(body: bytes) -> bytes:
    return b"%s%02X\r" % (body, sum(body) & 0xFF)


class FrameBuffer:
    """Frames out of a byte stream; holds at most one response and one command within it."""

    def __init__(self) -> None:
        self._begun: list[bytearray] = []

    def feed(self, data: bytes) -> list[Frame | FrameError]:
        """Complete frames and refused bytes, in order of their ends."""
        found: list[Frame | FrameError] = []
        noise = bytearray()
        for byte in data:
            if byte in _PASSED_OVER:
                continue
            if byte in (SOH, ESC):
                self._begin(byte, found)
            elif byte == CAN:
                self._begun.clear()
            elif not self._begun:
                noise.append(byte)
            elif byte == CR:
                found.append(_opened(bytes(self._begun.pop())))
            else:
                self._go_on(byte, found)
        return [*found, FrameError(FrameReason.NOISE, bytes(noise))] if noise else found

    def _begin(self, byte: int, found: list[Frame | FrameError]) -> None:
        """Only a command begins within another frame, and only within a response."""
        while self._begun and not (byte == ESC and self._begun[-1][0] == SOH):
            found.append(FrameError(FrameReason.LENGTH, bytes(self._begun.pop()), "begun and not ended"))
        self._begun.append(bytearray((byte,)))

    def _go_on(self, byte: int, found: list[Frame | FrameError]) -> None:
        frame = self._begun[-1]
        frame.append(byte)
        if len(frame) > _LONGEST[frame[0]]:
            found.append(FrameError(FrameReason.LENGTH, bytes(frame[:32]), f"over {_LONGEST[frame[0]]} bytes"))
            self._begun.clear()


def _opened(raw: bytes) -> Frame | FrameError:
    body, check = raw[:-2], raw[-2:]
    if len(raw) < _SHORTEST:
        return FrameError(FrameReason.LENGTH, raw)
    if check != b"%02X" % (sum(body) & 0xFF):
        return FrameError(FrameReason.CHECKSUM, raw)
    return Frame(body[0] == ESC, body[1], body[2:], raw + bytes((CR,)))
