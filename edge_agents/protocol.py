"""What a link must know of a device; each device file declares one as ``PROTOCOL``.

The link that speaks the protocol hands the device's decoder one frame a call:

========  ==============================================================================================================
Stream    bytes as they come, cut anywhere
Gatt      the characteristic's 16-bit UUID (little endian), then its value
Modbus    device id, function, start address and number of registers (big endian), then data as in the response PDU
Advert    an LE advertising report as in HCI: event type, address type, address (little endian), length, data, RSSI
========  ==============================================================================================================

Frames written to a device have the same form. Sources: Bluetooth Core 5.4 Vol 4 Part E 7.7.65.2, Modbus application
protocol V1.1b3.
"""

import struct
from typing import Final

import msgspec

GATT_HEAD: Final = struct.Struct("<H")
MODBUS_HEAD: Final = struct.Struct(">BBHH")


class Stream(msgspec.Struct, frozen=True):
    """A serial line or a TCP connection."""

    baud: int = 115_200
    clock: bool = True  # its frames bear its own time; False = the time of arrival counts


class Gatt(msgspec.Struct, frozen=True):
    """A peripheral with a GATT server."""

    service: int  # 16-bit UUID it advertises
    subscribe: tuple[int, ...]  # characteristics, in the order in which they are subscribed to
    read: tuple[int, ...] = ()  # characteristics read once after connecting; a missing one is no error
    pair: bool = False
    # s without a word on an open connection until it is made anew. One that measures only when somebody does may be
    # quiet for long; nobody would notice that it hangs, so even it is asked again.
    restart_after: float = 300.0


class Poll(msgspec.Struct, frozen=True):
    """Registers read together every so many seconds."""

    function: int  # 1 coils, 2 discrete inputs, 3 holding registers, 4 input registers
    address: int  # as on the wire, from 0
    count: int
    every: float = 1.0


class Modbus(msgspec.Struct, frozen=True):
    """A server on a Modbus line or TCP port."""

    polls: tuple[Poll, ...]


class Advert(msgspec.Struct, frozen=True):
    """A scanner: every advertisement it hears, or only those of one address (the link's address says which)."""


Protocol = Stream | Gatt | Modbus | Advert


def is_whole(protocol: Protocol) -> bool:
    """Whether a decoder gets whole frames (not a stream cut anywhere)."""
    return not isinstance(protocol, Stream)


def gatt_frame(characteristic: int, value: bytes) -> bytes:
    """A value of a characteristic as a frame."""
    return GATT_HEAD.pack(characteristic) + value


def modbus_frame(device_id: int, function: int, address: int, count: int, data: bytes) -> bytes:
    """Registers (big endian) or bits of a poll's answer as a frame."""
    return MODBUS_HEAD.pack(device_id, function, address, count) + data
