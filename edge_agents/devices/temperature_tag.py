"""A Bluetooth thermometer that broadcasts: the probe in a cold box, with or without humidity and battery.

=====================  =================================================================================================
BTHome v2              service data FCD2, not encrypted; several thermometers count as probes 1, 2, 3
Govee H5072, H5075     maker EC88: 00, (1000 x T [0.1 Cel] + RH [0.1 %]) in 24 bits big endian, the first bit a sign,
                       battery (bit 7: the probe is broken)
Govee H5051, H5074     maker EC88: 00, T and RH in 0.01 (16 bits little endian), battery
Govee H5101 to H5177   maker 0001, name GVH51..: 01 01, then as H5075
Xiaomi MiBeacon        service data FE95, not encrypted: objects 1004 T, 1006 RH, 100A battery, 100D both; 0.1
Inkbird IBS-TH         name sps or tps: T in 0.01 where the maker's number stands, RH, probe, CRC-16, battery
=====================  =================================================================================================

Sources: bthome.io/format; the layouts of Bluetooth-Devices/govee-ble, xiaomi-ble and inkbird-ble and of
custom-components/ble_monitor, checked against their captures. A name may come in another report than the values (the
scan response), so it is remembered; the link hands over the reports of one address only. What says the same again
within five seconds is the same measurement and no new reading. The device has no clock: the time of arrival counts.
"""

from binascii import crc32
from collections.abc import Callable
from typing import Final, NamedTuple

from edge_agents.device import FrameError, FrameReason, Numeric, Reading, Yields
from edge_agents.devices import _adverts, _bthome
from edge_agents.devices._adverts import Report, Structure
from edge_agents.protocol import Advert
from gateway.contract.envelope import Instant

KIND: Final = "temperature_tag"
PROTOCOL: Final = Advert()
MAX_PROBES: Final = 3
PROBES: Final = tuple(f"cargo-temperature-{n}" for n in range(1, MAX_PROBES + 1))
YIELDS: Final = Yields(
    quantities=(*PROBES, "humidity", "battery", "battery-voltage", "rssi"), conditions=("battery-low", "probe-fault")
)

REPEATED: Final = 5_000_000  # us
BATTERY_LOW: Final = 10.0  # %
BATTERY_GOOD: Final = 15.0
COLDEST, HOTTEST = -50.0, 100.0  # Cel; makers send nonsense outside when the probe is broken

_GOVEE: Final = 0xEC88
_GOVEE_NAMES: Final = ("GVH5101", "GVH5102", "GVH5104", "GVH5105", "GVH5108", "GV5108", "GVH5110", "GVH5174", "GVH5177")
_GOVEE_MARK: Final = b"\x4c\x00\x02\x15INTELLI_ROCKS"  # an iBeacon some firmware appends without a length of its own
_MIBEACON: Final = 0xFE95
_INKBIRD_NAMES: Final = ("sps", "tps")


class Measured(NamedTuple):
    """What one report says, as far as it does."""

    temperatures: tuple[float | None, ...] = ()  # of probe 1, 2 ...; None = the probe is broken
    humidity: float | None = None
    battery: float | None = None
    volts: float | None = None
    battery_low: bool | None = None  # where the device judges by itself


def encode(reading: Reading) -> bytes:
    """A report in BTHome v2; the address is made of the values' names, so it is always the same for one device.

    Raises:
        ValueError: not a measurement such a tag could send.
    """
    if not isinstance(reading, Numeric) or not reading.values.keys() <= set(YIELDS.quantities):
        raise ValueError(f"a temperature tag cannot say {reading!r}")
    values = reading.values
    objects = [(_bthome.BATTERY, "battery"), *((_bthome.TEMPERATURE, probe) for probe in PROBES)]
    objects += [(_bthome.HUMIDITY, "humidity"), (_bthome.VOLTAGE, "battery-voltage")]
    said = [(identity, value) for identity, name in objects if (value := values.get(name)) is not None]
    return report_of(_bthome.write(said), _adverts.address_of(KIND), values.get("rssi"))


def report_of(service_data: bytes, address: str, rssi: float | None) -> bytes:
    """BTHome service data in an advertisement."""
    uuid = _bthome.UUID.to_bytes(2, "little")
    data = _adverts.ad(_adverts.FLAGS, b"\x06") + _adverts.ad(_adverts.SERVICE_DATA, uuid + service_data)
    return _adverts.write_report(Report(address, data, None if rssi is None else round(rssi)))


class Decoder:
    """Reports of one tag to readings."""

    def __init__(self) -> None:
        self._name = ""
        self._last: tuple[int, Instant] | None = None  # digest of the data last read, and when
        self._battery_low = False
        self._broken: frozenset[str] = frozenset()

    def feed(self, data: bytes, received_at: Instant) -> list[Reading | FrameError]:
        """See edge_agents.device.Decoder."""
        if not data:
            return []
        try:
            report = _adverts.read_report(data)
            parts = _adverts.structures(report.data)
            self._name = next((_text(p) for p in parts if p.type in {_adverts.NAME, _adverts.SHORT_NAME}), self._name)
            measured = measure(parts, self._name)
        except FrameError as error:
            return [error]
        if measured is None or self._is_repeated(report.data, received_at):
            return []
        return [self._reading(measured, report.rssi, received_at)]

    def _is_repeated(self, data: bytes, at: Instant) -> bool:
        digest = crc32(data)
        if self._last is not None and self._last[0] == digest and 0 <= at - self._last[1] < REPEATED:
            return True
        self._last = digest, at
        return False

    def _reading(self, measured: Measured, rssi: int | None, at: Instant) -> Numeric:
        values: dict[str, float | None] = dict(zip(PROBES, measured.temperatures, strict=False))
        invalid = {probe: "probe-fault" for probe, value in values.items() if value is None}
        if values:
            self._broken = frozenset(f"probe-fault/{probe.rpartition('-')[2]}" for probe in invalid)
        others = {"humidity": measured.humidity, "battery": measured.battery, "battery-voltage": measured.volts}
        values |= {name: value for name, value in others.items() if value is not None}
        values |= {} if rssi is None else {"rssi": rssi}
        self._judge_battery(measured)
        conditions = self._broken | ({"battery-low"} if self._battery_low else set())
        return Numeric(observed_at=at, values=values, invalid=invalid, conditions=frozenset(conditions))

    def _judge_battery(self, measured: Measured) -> None:
        if measured.battery_low is not None:
            self._battery_low = measured.battery_low
        elif measured.battery is not None:
            self._battery_low = measured.battery <= (BATTERY_GOOD if self._battery_low else BATTERY_LOW)


def measure(parts: list[Structure], name: str) -> Measured | None:
    """What the AD structures say; None when they hold no measurement (a name, a beacon frame, a button).

    Raises:
        FrameError: encrypted, or of a known format and damaged.
    """
    for part in parts:
        owner, data = _adverts.tagged(part)
        found: Measured | None = None
        if part.type == _adverts.SERVICE_DATA and owner in _SERVICES:
            found = _SERVICES[owner](data)
        elif part.type == _adverts.MAKER_DATA and owner != _adverts.APPLE:
            found = _maker(owner, data, name)
        if found is not None:
            return found
    return None


def _maker(owner: int, data: bytes, name: str) -> Measured | None:
    if owner == _GOVEE:
        return _govee(data.partition(_GOVEE_MARK)[0])
    if name.startswith(_GOVEE_NAMES) and data[:2] == b"\x01\x01":
        return _govee_packed(data[2:6])
    if name in _INKBIRD_NAMES:
        return _inkbird(owner, data)
    return None


def _text(part: Structure) -> str:
    return part.data.decode("utf-8", "replace")


def _plausible(celsius: float) -> float | None:
    return round(celsius, 2) if COLDEST <= celsius <= HOTTEST else None


def _read_bthome(data: bytes) -> Measured | None:
    values: dict[int, list[float]] = {}
    for identity, value in _bthome.read(data):
        values.setdefault(identity, []).append(value)
    first = {identity: found[0] for identity, found in values.items()}
    temperatures = tuple(values.get(_bthome.TEMPERATURE, ()))[:MAX_PROBES]
    low = first.get(_bthome.BATTERY_LOW)
    measured = Measured(
        temperatures, first.get(_bthome.HUMIDITY), first.get(_bthome.BATTERY), first.get(_bthome.VOLTAGE),
        None if low is None else bool(low),
    )  # fmt: skip
    return measured if measured != Measured() else None


def _govee(data: bytes) -> Measured | None:
    if len(data) == 6:
        return _govee_packed(data[1:5])
    if len(data) in {7, 9}:
        celsius = int.from_bytes(data[1:3], "little", signed=True) / 100
        humidity = int.from_bytes(data[3:5], "little") / 100
        return _judged(celsius, humidity, data[5] & 0x7F, broken=bool(data[5] & 0x80))
    raise FrameError(FrameReason.LENGTH, data, "Govee")


def _govee_packed(data: bytes) -> Measured:
    if len(data) != 4:
        raise FrameError(FrameReason.LENGTH, data, "Govee")
    packed = int.from_bytes(data[:3], "big")
    size, sign = packed & 0x7FFFFF, -1 if packed & 0x800000 else 1
    return _judged(sign * (size // 1000) / 10, size % 1000 / 10, data[3] & 0x7F, broken=bool(data[3] & 0x80))


def _judged(celsius: float, humidity: float, battery: int, *, broken: bool) -> Measured:
    """Humidity is worth nothing when its probe is broken."""
    known = None if broken else _plausible(celsius)
    return Measured((known,), None if known is None else humidity, float(battery))


_OBJECT_INCLUDED, _MAC_INCLUDED, _CAPABILITY_INCLUDED, _MI_ENCRYPTED = 0x40, 0x10, 0x20, 0x08


def _mibeacon(data: bytes) -> Measured | None:
    if len(data) < 5:
        raise FrameError(FrameReason.LENGTH, data, "MiBeacon")
    control = int.from_bytes(data[:2], "little")
    if control & _MI_ENCRYPTED:
        raise FrameError(FrameReason.ENCRYPTED, data, "MiBeacon")
    if not control & _OBJECT_INCLUDED:
        return None
    place = 5 + (6 if control & _MAC_INCLUDED else 0)
    if control & _CAPABILITY_INCLUDED:
        place += 3 if data[place : place + 1] and data[place] & 0x20 else 1
    head, place = data[place : place + 3], place + 3
    body = data[place:]
    if len(head) < 3 or len(body) < head[2]:
        raise FrameError(FrameReason.LENGTH, data, "MiBeacon")
    return _mi_object(int.from_bytes(head[:2], "little"), body[: head[2]])


def _mi_object(kind: int, body: bytes) -> Measured | None:
    celsius = int.from_bytes(body[:2], "little", signed=True) / 10
    match kind, len(body):
        case 0x1004, 2:
            return Measured((_plausible(celsius),))
        case 0x1006, 2:
            return Measured(humidity=int.from_bytes(body, "little") / 10)
        case 0x100A, 1:
            return Measured(battery=float(body[0]))
        case 0x100D, 4:
            return Measured((_plausible(celsius),), int.from_bytes(body[2:], "little") / 10)
        case ((0x1004 | 0x1006 | 0x100A | 0x100D), _):
            raise FrameError(FrameReason.LENGTH, body, f"MiBeacon object {kind:#06x}")
        case _:
            return None


def _inkbird(owner: int, data: bytes) -> Measured:
    """The first two bytes of the maker's data are no maker's number but the temperature."""
    if len(data) != 7:
        raise FrameError(FrameReason.LENGTH, data, "Inkbird")
    whole = owner.to_bytes(2, "little") + data
    if _crc16_modbus(whole[:5]) != int.from_bytes(whole[5:7], "little"):
        raise FrameError(FrameReason.CHECKSUM, whole)
    celsius = int.from_bytes(whole[:2], "little", signed=True) / 100
    humidity = int.from_bytes(whole[2:4], "little") / 100
    # a model without a hygrometer says 0 %
    return Measured((_plausible(celsius),), humidity or None, float(whole[7]))


def _crc16_modbus(data: bytes) -> int:
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return crc


_SERVICES: Final[dict[int, Callable[[bytes], Measured | None]]] = {_bthome.UUID: _read_bthome, _MIBEACON: _mibeacon}
