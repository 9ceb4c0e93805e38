"""Links to devices. The scheme of an address says which; a link's module is imported when an address names it."""

import importlib
from typing import Final

from edge_agents.config import ConfigError
from edge_agents.ports import ByteLink, Clock, ReadingLink
from edge_agents.protocol import Advert, Gatt, Modbus, Protocol, Stream

_MODULES: Final = {
    "tcp:": "serial_stream",
    "/": "serial_stream",
    "modbus+tcp:": "modbus",
    "modbus+rtu:": "modbus",
    "ble:": "ble_gatt",
    "advert:": "ble_advert",
    "wfdb:": "replay",
}
_EXPECTED: Final[dict[type[Protocol], str]] = {
    Stream: "tcp://host:port or /dev/ttyX?baud=N",
    Modbus: "modbus+tcp://host:port?unit=N or modbus+rtu:///dev/ttyX?baud=N&unit=N",
    Gatt: "ble://AA:BB:CC:DD:EE:FF",
    Advert: "advert://any or advert://AA:BB:CC:DD:EE:FF",
}
_CARRIES: Final[dict[str, type[Protocol]]] = {
    "serial_stream": Stream,
    "modbus": Modbus,
    "ble_gatt": Gatt,
    "ble_advert": Advert,
}


def yields_readings(address: str) -> bool:
    """Whether the address names a source that yields readings itself (a recording)."""
    return address.startswith("wfdb:")


def open_link(address: str, protocol: Protocol | None, clock: Clock) -> ByteLink | ReadingLink:
    """The link an address names, for a device of that protocol; nothing is connected yet.

    Raises:
        ConfigError: it names none, or one that does not speak the device's protocol.
    """
    name = next((module for prefix, module in _MODULES.items() if address.startswith(prefix)), None)
    expected = _EXPECTED[type(protocol)] if protocol is not None else "wfdb:/path/RECORD.hea"
    if name is None or not isinstance(protocol, _CARRIES.get(name, type(None))):
        raise ConfigError(f"address {address!r}: expected {expected}")
    module = importlib.import_module(f"edge_agents.links.{name}")
    try:
        link: ByteLink | ReadingLink = module.open_link(address, protocol, clock)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    return link
