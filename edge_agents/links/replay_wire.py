"""What the child that reads a recording tells the agent: (length, kind) and that many bytes of MessagePack."""

import struct
from enum import IntEnum
from typing import Final

import msgspec

HEAD: Final = struct.Struct("<IB")


class Kind(IntEnum):
    """What the bytes hold."""

    HEADER = 0
    NUMERIC = 1
    WAVEFORM = 2
    OCCURRENCE = 3


class Header(msgspec.Struct, frozen=True):
    """Comes first."""

    duration: int  # us of one pass


def frame(kind: Kind, message: msgspec.Struct) -> bytes:
    """The bytes to send."""
    body = msgspec.msgpack.encode(message)
    return HEAD.pack(len(body), kind) + body
