"""Link layer of laboratory instruments: ENQ, numbered frames with a checksum, ACK or NAK, EOT.

A frame is ``STX, number 1..7 0 1.., text, ETB or ETX, two hex digits, CR LF``. The checksum is the sum of all bytes
from the number to ETB or ETX, modulo 256. A record ends with CR; a record longer than a frame goes on in the next one.
Every frame is answered before the next is sent; one that comes again was not heard to be acknowledged.

Source: ASTM E1381-02, CLSI LIS01-A2.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from edge_agents.device import FrameError, FrameReason
from edge_agents.devices._privacy import withheld

STX, ETX, EOT, ENQ, ACK, LF, NAK, ETB = 0x02, 0x03, 0x04, 0x05, 0x06, 0x0A, 0x15, 0x17
MAX_TEXT: Final = 240  # of a frame that is sent; some instruments send longer ones
_MAX_FRAME: Final = 4096
_MAX_MESSAGE: Final = 65_536
_TAIL: Final = 4  # checksum, CR, LF
_STARTS: Final = bytes([ENQ, STX, EOT])
_ENDS: Final = bytes([ETB, ETX])


def frames(records: Iterable[str]) -> Iterator[bytes]:
    """A message as frames, a record a frame or several."""
    number = 0
    for record in records:
        text = record.encode("latin-1") + b"\r"
        pieces = [text[start : start + MAX_TEXT] for start in range(0, len(text), MAX_TEXT)]
        for place, piece in enumerate(pieces, 1):
            number = (number + 1) % 8
            body = b"%d%s%c" % (number, piece, ETX if place == len(pieces) else ETB)
            yield b"%c%s%02X\r\n" % (STX, body, sum(body) % 256)


class Receiver:
    """Bytes to messages; remembers what is to be answered. Nothing of a refused frame is kept: it may name a person."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._answers = bytearray()
        self._text = bytearray()  # of the frames accepted in this transmission
        self._number: int | None = None  # of the last one; None = no transmission is on
        self._accepted = False  # whether there was one

    def answers(self) -> bytes:
        """What the instrument waits for, once."""
        answers = bytes(self._answers)
        self._answers.clear()
        return answers

    def feed(self, data: bytes) -> Iterator[list[str] | FrameError]:
        """Records of each whole message, and errors, in order."""
        self._buffer += data
        while (size := self._size()) is not None:
            piece = bytes(self._buffer[:size])
            del self._buffer[:size]
            yield from self._take(piece)

    def _size(self) -> int | None:
        """Of the next piece: noise, a control character, a frame, or what is left of one; None = more bytes needed."""
        buffer = self._buffer
        if not buffer:
            return None
        if buffer[0] != STX:
            return 1 if buffer[0] in _STARTS else _first(buffer, _STARTS, 0) or len(buffer)
        other = _first(buffer, _STARTS, 1)
        end = _first(buffer, _ENDS, 1)
        size = end + 1 + _TAIL
        if end and not 0 < other < size:  # no other frame begins within this one
            return size if len(buffer) >= size else None
        return other or (len(buffer) if len(buffer) > _MAX_FRAME else None)

    def _take(self, piece: bytes) -> Iterator[list[str] | FrameError]:
        match piece[0]:
            case 0x05:  # ENQ: a new transmission, also where the instrument gave up an earlier one
                self._text.clear()
                self._number, self._accepted = 0, False
                self._answers.append(ACK)
            case 0x04:  # EOT
                if self._number is not None and self._text:
                    yield _refused(FrameReason.SYNTAX, bytes(self._text), "a message without end")
                self._text.clear()
                self._number = None
            case 0x02:
                yield from self._frame(piece)
            case _:
                if piece.strip(b"\r\n\x06\x15"):
                    yield _refused(FrameReason.NOISE, piece)

    def _frame(self, piece: bytes) -> Iterator[list[str] | FrameError]:
        body, check = piece[1:-_TAIL], piece[-_TAIL:-2]
        if self._number is None:  # not answered: the instrument gives up and sends all of it again
            yield _refused(FrameReason.SYNTAX, piece, "a frame outside a transmission")
        elif len(body) < 2 or piece[-2:] != b"\r\n" or body[-1] not in _ENDS:
            yield self._again(FrameReason.LENGTH, piece, "frame")
        elif b"%02X" % (sum(body) % 256) != check.upper():
            yield self._again(FrameReason.CHECKSUM, piece, "checksum")
        elif self._accepted and body[:1] == b"%d" % self._number:
            self._answers.append(ACK)  # it came again: our answer was lost
        elif body[:1] != b"%d" % ((self._number + 1) % 8):
            yield self._again(FrameReason.SYNTAX, piece, "frame number")
        else:
            yield from self._accept(body)

    def _again(self, reason: FrameReason, piece: bytes, detail: str) -> FrameError:
        self._answers.append(NAK)
        return _refused(reason, piece, detail)

    def _accept(self, body: bytes) -> Iterator[list[str] | FrameError]:
        self._number, self._accepted = int(body[:1]), True
        self._answers.append(ACK)
        self._text += body[1:-1]
        if body[-1] == ETX and not self._text.endswith(b"\r"):
            self._text += b"\r"
        if len(self._text) > _MAX_MESSAGE:
            yield _refused(FrameReason.LENGTH, bytes(self._text), "message")
            self._text.clear()
            return
        *records, _ = self._text.decode("latin-1").split("\r")
        if records and records[-1][:1] == "L":
            self._text.clear()
            yield [record for record in records if record]


def _first(buffer: bytearray, wanted: bytes, start: int) -> int:
    """Where the first of these bytes is, 0 when there is none."""
    return min((place for byte in wanted if (place := buffer.find(byte, start)) >= 0), default=0)


def _refused(reason: FrameReason, frame: bytes, detail: str = "") -> FrameError:
    return FrameError(reason, withheld(frame), detail)
