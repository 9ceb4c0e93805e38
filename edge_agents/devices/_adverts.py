"""Bluetooth advertisements: reports as frames, AD structures, and the four beacon frames that are understood.

==============  ========================================================================================================
report          event type, address type, address (6, little endian), length, data, RSSI (signed, 127 = not known)
AD structure    length of what follows, type, data; a length of 0 ends the data
iBeacon         FF: 4C 00, 02 15, UUID (16), major, minor (big endian), power at 1 m
AltBeacon       FF: company, BE AC, id (20), power at 1 m, a byte of the maker's (some leave it out)
Eddystone-UID   16: AA FE, 00, power at 0 m, namespace (10), instance (6), two reserved bytes (some leave them out)
Eddystone-TLM   16: AA FE, 20, version, battery (mV, 0 = none), temperature (8.8, 8000 = none), frames, time in 0.1 s
==============  ========================================================================================================

Sources: Bluetooth Core 5.4 Vol 4 Part E 7.7.65.2 (report) and Vol 3 Part C 11 (AD); AltBeacon 1.0; Eddystone protocol
specification (UID, TLM); Apple, Proximity Beacon Specification R1. Eddystone-URL and -EID, and what a phone says, are
recognised as something else and mean nothing here.
"""

import hashlib
import struct
from typing import Final, NamedTuple
from uuid import UUID

from edge_agents.device import FrameError, FrameReason

FLAGS: Final = 0x01
SHORT_NAME: Final = 0x08
NAME: Final = 0x09
SERVICE_DATA: Final = 0x16
MAKER_DATA: Final = 0xFF

APPLE: Final = 0x004C
RADIUS: Final = 0x0118  # Radius Networks, who wrote AltBeacon
EDDYSTONE: Final = 0xFEAA
EDDYSTONE_LOSS: Final = 41  # dB over the first metre
RANDOM: Final = 1  # address type
SCAN_RESPONSE: Final = 4  # event type

_HEAD: Final = struct.Struct("<BB6sB")
_NO_RSSI: Final = 127
_NONCONNECTABLE: Final = 3
_COMPANY: Final = struct.Struct("<H")
_IBEACON: Final = struct.Struct(">H16sHHb")
_ALTBEACON: Final = struct.Struct(">H20sb")
_UID: Final = struct.Struct(">Bb10s6s")
_TLM: Final = struct.Struct(">BBHhII")
_IBEACON_CODE: Final = 0x0215
_ALTBEACON_CODE: Final = 0xBEAC
_TLM_NO_TEMPERATURE: Final = -0x8000


class Report(NamedTuple):
    """What a scanner heard once."""

    address: str  # AA:BB:CC:DD:EE:FF
    data: bytes  # AD structures
    rssi: int | None
    event_type: int = _NONCONNECTABLE
    address_type: int = RANDOM


class Structure(NamedTuple):
    """One AD structure."""

    type: int
    data: bytes


class Sighting(NamedTuple):
    """A beacon that said who it is."""

    id: str
    kind: str  # ibeacon, altbeacon, eddystone-uid
    power_1m: int  # dBm a receiver at 1 m should see


class Telemetry(NamedTuple):
    """How a beacon is; the frame does not say whose it is (see the address)."""

    battery_mv: int | None
    temperature: float | None  # Cel
    adv_count: int
    uptime_s: float


def read_report(frame: bytes) -> Report:
    """The report in a frame.

    Raises:
        FrameError: it is no such report; with the reason.
    """
    if len(frame) <= _HEAD.size:
        raise FrameError(FrameReason.LENGTH, frame, f"{len(frame)} bytes")
    event_type, address_type, address, length = _HEAD.unpack_from(frame)
    if len(frame) != _HEAD.size + length + 1:
        raise FrameError(FrameReason.LENGTH, frame, f"says {length} bytes of data")
    (rssi,) = struct.unpack_from("b", frame, len(frame) - 1)
    if event_type > SCAN_RESPONSE or address_type > 3 or 20 < rssi < _NO_RSSI:
        raise FrameError(FrameReason.OUT_OF_RANGE, frame, f"event {event_type}, address {address_type}, RSSI {rssi}")
    name = address[::-1].hex(":").upper()
    return Report(name, frame[_HEAD.size : -1], None if rssi == _NO_RSSI else rssi, event_type, address_type)


def write_report(report: Report) -> bytes:
    """The frame of a report."""
    address = bytes.fromhex(report.address.replace(":", ""))[::-1]
    head = _HEAD.pack(report.event_type, report.address_type, address, len(report.data))
    return head + report.data + struct.pack("b", _NO_RSSI if report.rssi is None else report.rssi)


def structures(data: bytes) -> list[Structure]:
    """The AD structures of advertising data; what follows an empty one is padding.

    Raises:
        FrameError: a structure runs over the end.
    """
    found = []
    place = 0
    while place < len(data) and data[place]:
        end = place + 1 + data[place]
        if end > len(data):
            raise FrameError(FrameReason.LENGTH, data, "an AD structure runs over the end")
        found.append(Structure(data[place + 1], data[place + 2 : end]))
        place = end
    return found


def ad(kind: int, data: bytes) -> bytes:
    """One AD structure as bytes."""
    return bytes((len(data) + 1, kind)) + data


def tagged(structure: Structure) -> tuple[int, bytes]:
    """The company or service a structure is of, and what it says; (-1, data) when it is too short for one."""
    if len(structure.data) < _COMPANY.size:
        return -1, structure.data
    return int(_COMPANY.unpack_from(structure.data)[0]), structure.data[_COMPANY.size :]


def beacon(parts: list[Structure]) -> Sighting | Telemetry | None:
    """The first beacon frame among AD structures; None when there is none that means something here.

    Raises:
        FrameError: one begins as a beacon frame and cannot be one.
    """
    for part in parts:
        owner, data = tagged(part)
        found: Sighting | Telemetry | None = None
        if part.type == MAKER_DATA and data[:2] == b"\xbe\xac":
            found = _altbeacon(data)
        elif part.type == MAKER_DATA and owner == APPLE and data[:1] == b"\x02":
            found = _ibeacon(data)
        elif part.type == SERVICE_DATA and owner == EDDYSTONE:
            found = _eddystone(data)
        if found is not None:
            return found
    return None


def _ibeacon(data: bytes) -> Sighting:
    if len(data) != _IBEACON.size:
        raise FrameError(FrameReason.LENGTH, data, "iBeacon")
    code, uuid, major, minor, power = _IBEACON.unpack(data)
    if code != _IBEACON_CODE:
        raise FrameError(FrameReason.SYNTAX, data, "iBeacon")
    return Sighting(f"{UUID(bytes=uuid)}:{major}:{minor}", "ibeacon", power)


def _altbeacon(data: bytes) -> Sighting:
    if len(data) not in {_ALTBEACON.size, _ALTBEACON.size + 1}:
        raise FrameError(FrameReason.LENGTH, data, "AltBeacon")
    _, identity, power = _ALTBEACON.unpack_from(data)
    return Sighting(identity.hex(), "altbeacon", power)


def _eddystone(data: bytes) -> Sighting | Telemetry | None:
    match data[:1]:
        case b"\x00":
            return _uid(data)
        case b"\x20":
            return _tlm(data)
        case b"\x10" | b"\x30":  # URL, EID
            return None
        case b"":
            raise FrameError(FrameReason.LENGTH, data, "Eddystone")
        case _:
            raise FrameError(FrameReason.UNKNOWN_TYPE, data, f"Eddystone {data[0]:#04x}")


def _uid(data: bytes) -> Sighting:
    if len(data) not in {_UID.size, _UID.size + 2}:
        raise FrameError(FrameReason.LENGTH, data, "Eddystone-UID")
    _, power, namespace, instance = _UID.unpack_from(data)
    return Sighting(f"{namespace.hex()}:{instance.hex()}", "eddystone-uid", power - EDDYSTONE_LOSS)


def _tlm(data: bytes) -> Telemetry:
    if data[1:2] == b"\x01":
        raise FrameError(FrameReason.ENCRYPTED, data, "Eddystone-eTLM")
    if len(data) != _TLM.size:
        raise FrameError(FrameReason.LENGTH, data, "Eddystone-TLM")
    _, version, battery, temperature, count, tenths = _TLM.unpack(data)
    if version:
        raise FrameError(FrameReason.UNKNOWN_TYPE, data, f"Eddystone-TLM version {version}")
    celsius = None if temperature == _TLM_NO_TEMPERATURE else temperature / 256
    return Telemetry(battery or None, celsius, count, tenths / 10)


def write_sighting(sighting: Sighting) -> bytes:
    """The advertising data of a beacon that says who it is.

    Raises:
        ValueError: the id is not one of that kind, or the power is none.
    """
    try:
        match sighting.kind:
            case "ibeacon":
                uuid, major, minor = sighting.id.split(":")
                body = _IBEACON.pack(_IBEACON_CODE, UUID(uuid).bytes, int(major), int(minor), sighting.power_1m)
                return ad(FLAGS, b"\x06") + ad(MAKER_DATA, _COMPANY.pack(APPLE) + body)
            case "altbeacon":
                body = _ALTBEACON.pack(_ALTBEACON_CODE, _bytes(sighting.id, 20), sighting.power_1m)
                return ad(FLAGS, b"\x06") + ad(MAKER_DATA, _COMPANY.pack(RADIUS) + body + b"\0")
            case "eddystone-uid":
                namespace, instance = sighting.id.split(":")
                power_0m = sighting.power_1m + EDDYSTONE_LOSS
                return _service(_UID.pack(0, power_0m, _bytes(namespace, 10), _bytes(instance, 6)) + b"\0\0")
    except struct.error as error:
        raise ValueError(f"{sighting}: {error}") from error
    raise ValueError(f"no such kind of beacon: {sighting.kind}")


def write_telemetry(telemetry: Telemetry) -> bytes:
    """The advertising data of a TLM frame."""
    celsius = _TLM_NO_TEMPERATURE if telemetry.temperature is None else round(telemetry.temperature * 256)
    tenths = round(telemetry.uptime_s * 10)
    return _service(_TLM.pack(0x20, 0, telemetry.battery_mv or 0, celsius, telemetry.adv_count, tenths))


def _service(frame: bytes) -> bytes:
    uuid = _COMPANY.pack(EDDYSTONE)
    return ad(FLAGS, b"\x06") + ad(0x03, uuid) + ad(SERVICE_DATA, uuid + frame)


def _bytes(text: str, size: int) -> bytes:
    value = bytes.fromhex(text)
    if len(value) != size:
        raise ValueError(f"{text!r} is not {size} bytes")
    return value


def address_of(identity: str) -> str:
    """A random static address for whom no address is known, always the same for one id."""
    digest = bytearray(hashlib.sha256(identity.encode()).digest()[:6])
    digest[0] |= 0xC0  # the two most significant bits of a random static address are 1 (Core Vol 6 Part B 1.3.2.1)
    return digest.hex(":").upper()
