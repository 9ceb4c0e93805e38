"""DIR/gateway.json: where the running gateway answers."""

import os
from pathlib import Path
from typing import Final

import msgspec

from gateway.adapters.free_port import free_port
from gateway.config import write_private

NAME: Final = "gateway.json"


class GatewayFile(msgspec.Struct, frozen=True):
    """Its content."""

    http: int
    host: str
    pid: int


def announce(data: Path, host: str, port: int) -> GatewayFile:
    """Writes where this process answers."""
    entry = GatewayFile(port, host, os.getpid())
    write_private(data / NAME, msgspec.json.encode(entry))
    return entry


def last_port(data: Path) -> int:
    """The port of the last run, so that an open page finds the gateway again; a free one when there was none."""
    try:
        return msgspec.json.decode((data / NAME).read_bytes(), type=GatewayFile).http
    except (FileNotFoundError, msgspec.MsgspecError):
        return free_port()
