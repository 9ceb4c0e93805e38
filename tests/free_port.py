"""Ports for servers of the tests, which are killed and come back on the same one."""

import random
import socket

# Below those the kernel gives to outgoing connections: one of theirs must not be in the place of a server that is away.
CANDIDATES = range(20_000, 32_700)


def free_port(run: int = 1) -> int:
    """First of ``run`` consecutive loopback ports nobody listens on now."""
    while True:
        first = random.choice(CANDIDATES)
        if all(_is_free(port) for port in range(first, first + run)):
            return first


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True
