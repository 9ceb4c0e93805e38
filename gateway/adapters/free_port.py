"""A port for a server that chooses its own and keeps it over restarts."""

import random
import socket
from typing import Final

# Below those the kernel gives to outgoing connections: a client that calls again and again while the server is away
# would now and then be given that very port, be connected to itself, and keep the server from coming back.
CANDIDATES: Final = range(20_000, 32_768)


def free_port() -> int:
    """A loopback port nobody listens on now."""
    while True:
        port = random.choice(CANDIDATES)  # noqa: S311 - no secret
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return port
