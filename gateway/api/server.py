"""The HTTP server inside the gateway's own event loop."""

import contextlib
import socket
from collections.abc import Iterator

import uvicorn
from fastapi import FastAPI

BACKLOG = 512
SEND_BUFFER = 128 * 1024  # bytes a connection may hold: a slow screen must not watch the past from a deep buffer
PING_SECONDS = 10.0
STOP_SECONDS = 3


class Server(uvicorn.Server):
    """Runs on a socket that is bound before it starts, and leaves signals to the gateway.

    Stop it with ``should_exit = True``; `serve` then returns within about `STOP_SECONDS`.
    """

    def __init__(self, config: uvicorn.Config, listener: socket.socket) -> None:
        super().__init__(config)
        self._listener = listener

    @property
    def port(self) -> int:
        """The port it listens on, also when 0 was asked for."""
        port: int = self._listener.getsockname()[1]
        return port

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serves until ``should_exit``."""
        with contextlib.closing(self._listener):
            await super().serve([self._listener, *(sockets or [])])

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves them alone."""
        yield


def build_server(app: FastAPI, host: str, port: int) -> Server:
    """A server for ``app``; its socket is bound (port 0: any free one) and takes connections once `serve` runs.

    Raises:
        OSError: the address cannot be bound.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)  # connections inherit it
    config = uvicorn.Config(
        app,
        loop="none",
        log_config=None,
        access_log=False,
        ws="websockets-sansio",
        ws_max_size=64 * 1024,
        ws_ping_interval=PING_SECONDS,
        ws_ping_timeout=PING_SECONDS,
        ws_per_message_deflate=False,
        server_header=False,
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    return Server(config, listener)
