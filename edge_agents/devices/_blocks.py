"""Binary blocks with two checks: shared by the devices of this project that send many numbers at once.

A block, little-endian throughout, has the form of the patient monitor's frames (patient_monitor.py)::

    sync 2 | type u8 | flags u8 | sequence u16 | payload length u16 | header check u16 | payload | check u16

Header check: CRC-16/CCITT-FALSE of the 8 bytes before it, so that a damaged length cannot swallow good blocks. Check:
the same CRC of the payload, started with the header check. Flags bit 0: test or demonstration.
"""

import struct
from binascii import crc_hqx
from collections.abc import Callable
from typing import Final, NamedTuple

from edge_agents.device import FrameError, FrameReason, Reading
from gateway.contract.envelope import Instant

MAX_PAYLOAD: Final = 8192
TIME_LIMIT: Final = 2**62
_FLAG_TEST: Final = 0x01
_HEADER: Final = struct.Struct("<2sBBHHH")
_CHECK: Final = struct.Struct("<H")


class Block(NamedTuple):
    """One block whose checks were right."""

    kind: int
    test: bool
    payload: bytes
    frame: bytes  # all of it, for refusals


def write(sync: bytes, kind: int, payload: bytes, *, test: bool = False, sequence: int = 0) -> bytes:
    """The bytes of a block; raises ValueError when the payload is too long."""
    if len(payload) > MAX_PAYLOAD:
        raise ValueError(f"a payload of {len(payload)} bytes")
    head = _HEADER.pack(sync, kind, _FLAG_TEST * test, sequence % 65536, len(payload), 0)[:-2]
    header_check = crc_hqx(head, 0xFFFF)
    return b"".join((head, _CHECK.pack(header_check), payload, _CHECK.pack(crc_hqx(payload, header_check))))


class BlockDecoder:
    """Bytes to readings: each device gives its sync bytes and what it makes of a block.

    Holds at most one block; after damage it looks for the next sync bytes.
    """

    def __init__(self, sync: bytes, decode: Callable[[Block], list[Reading]]) -> None:
        self._sync = sync
        self._decode = decode
        self._buffer = bytearray()

    def feed(self, data: bytes, received_at: Instant) -> list[Reading | FrameError]:
        """See edge_agents.device.Decoder."""
        del received_at  # devices that send blocks have clocks
        self._buffer += data
        found: list[Reading | FrameError] = []
        while (item := self._next()) is not None:
            try:
                if isinstance(item, FrameError):
                    raise item
                found += self._decode(item)
            except FrameError as error:
                found.append(error)
        return found

    def _next(self) -> Block | FrameError | None:
        """The next item of the buffer, None when more bytes are needed."""
        if noise := self._next_sync(0):
            return self._refuse(FrameReason.NOISE, noise)
        if len(self._buffer) < _HEADER.size:
            return None
        _, _, _, _, length, header_check = _HEADER.unpack_from(self._buffer)
        if crc_hqx(self._buffer[: _HEADER.size - 2], 0xFFFF) != header_check:
            return self._refuse(FrameReason.CHECKSUM, self._next_sync(1))
        if length > MAX_PAYLOAD:
            return self._refuse(FrameReason.LENGTH, self._next_sync(1))
        return self._block(_HEADER.size + length, header_check)

    def _block(self, end: int, header_check: int) -> Block | FrameError | None:
        """The block at the start of the buffer; its payload ends at ``end``."""
        if len(self._buffer) < end + _CHECK.size:
            return None
        if crc_hqx(self._buffer[_HEADER.size : end], header_check) != _CHECK.unpack_from(self._buffer, end)[0]:
            return self._refuse(FrameReason.CHECKSUM, self._next_sync(1))
        frame = bytes(self._buffer[: end + _CHECK.size])
        del self._buffer[: len(frame)]
        _, kind, flags, _, _, _ = _HEADER.unpack_from(frame)
        return Block(kind, bool(flags & _FLAG_TEST), frame[_HEADER.size : end], frame)

    def _refuse(self, reason: FrameReason, size: int) -> FrameError:
        frame = bytes(self._buffer[:size])
        del self._buffer[:size]
        return FrameError(reason, frame)

    def _next_sync(self, start: int) -> int:
        """Where the next block may begin: at sync bytes, or at a last byte that may be the first of them."""
        found = self._buffer.find(self._sync, start)
        if found >= 0:
            return found
        return len(self._buffer) - (len(self._buffer) > start and self._buffer[-1] == self._sync[0])
