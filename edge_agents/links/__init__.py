"""Links to devices. The scheme of an address says which; a link's module is imported when an address names it."""

import importlib
from typing import Final, NamedTuple

from edge_agents.config import ConfigError
from edge_agents.ports import ByteLink, Clock, ReadingLink

_MODULES: Final = {"tcp:": "serial_stream", "/": "serial_stream", "wfdb:": "replay"}
_YIELD_READINGS: Final = frozenset({"replay"})


class OpenLink(NamedTuple):
    """A link, and which of the two kinds it is."""

    link: ByteLink | ReadingLink
    yields_readings: bool


def open_link(address: str, clock: Clock) -> OpenLink:
    """The link an address names; nothing is connected yet.

    Raises:
        ConfigError: it names none.
    """
    name = next((module for prefix, module in _MODULES.items() if address.startswith(prefix)), None)
    if name is None:
        raise ConfigError(f"{address!r}: expected tcp://host:port, a device path or wfdb:/path/RECORD.hea")
    module = importlib.import_module(f"edge_agents.links.{name}")
    try:
        return OpenLink(module.open_link(address, clock), name in _YIELD_READINGS)
    except ValueError as error:
        raise ConfigError(str(error)) from error
