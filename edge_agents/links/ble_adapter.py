"""Bluetooth adapters as bleak takes them: the system's own, or one reached over HCI (``?hci=tcp-client:host:port``).

Links speak bleak only. What differs between adapters are the keyword arguments of bleak's scanner and client.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qs

from bleak.exc import BleakDBusError, BleakError

ANY: Final = "any"
_ADDRESS: Final = re.compile(r"([0-9A-F]{2}:){5}[0-9A-F]{2}")


class Peer(NamedTuple):
    """What an address names."""

    address: str  # AA:BB:CC:DD:EE:FF, or ANY
    hci: str  # transport to a controller as Bumble names it; "" = the system's adapter


class Adapter(NamedTuple):
    """An adapter in use."""

    scanner: dict[str, Any]  # keyword arguments for bleak.BleakScanner
    client: dict[str, Any]  # and for bleak.BleakClient
    lost: asyncio.Event  # set when the adapter went away: scanners on it hear nothing any more


def parse(address: str, *, any_peer: bool = False) -> Peer:
    """Peer and adapter of ``SCHEME://AA:BB:CC:DD:EE:FF[?hci=TRANSPORT]``; ``any`` for a peer only where allowed.

    Raises:
        ValueError: not of that form.
    """
    place, _, query = address.partition("://")[2].partition("?")
    peer = ANY if any_peer and place.lower() == ANY else place.upper()
    if peer != ANY and not _ADDRESS.fullmatch(peer):
        raise ValueError(f"{address!r}: {place!r} is no Bluetooth address (AA:BB:CC:DD:EE:FF)")
    options = parse_qs(query)
    if strange := sorted(options.keys() - {"hci"}):
        raise ValueError(f"{address!r}: unknown {strange[0]!r}, only hci=TRANSPORT is known")
    return Peer(peer, options.get("hci", [""])[0])


@asynccontextmanager
async def adapter(hci: str) -> AsyncIterator[Adapter]:
    """The adapter, held open for as long as the context lasts.

    Raises:
        OSError: the controller cannot be reached, or does not answer.
    """
    if not hci:
        yield Adapter({}, {}, asyncio.Event())
        return
    # Bumble is large, and most agents do not need it
    from edge_agents.links.bumble_backend import BumbleClient, BumbleScanner  # noqa: PLC0415
    from edge_agents.links.bumble_radio import radio  # noqa: PLC0415

    async with radio(hci) as held:
        yield Adapter({"backend": BumbleScanner, "hci": hci}, {"backend": BumbleClient, "hci": hci}, held.lost)


@contextmanager
def readable_errors() -> Iterator[None]:
    """What goes wrong in bleak as an OSError with a sentence."""
    try:
        yield
    except BleakDBusError as error:
        raise OSError(f"Bluetooth: {error}") from error
    except FileNotFoundError as error:
        raise OSError("Bluetooth: this system has no Bluetooth service (BlueZ on D-Bus)") from error
    except BleakError as error:
        raise OSError(f"Bluetooth: {error.args[-1] if error.args else type(error).__name__}") from error
