"""A doctor's screen without a browser: signs in, watches the live feed, remembers what it was sent."""

import json
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import httpx
import msgspec
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from tests.acceptance.process import eventually


class Screen:
    """One WebSocket with the session of an API client. ``texts`` and ``frames`` grow in the background."""

    def __init__(self, api: httpx.Client) -> None:
        self.texts: list[dict[str, Any]] = []
        self.frames: list[tuple[str, dict[str, Any]]] = []  # (unit, decoded waveform frame)
        self.closed: ConnectionClosed | None = None
        cookies = "; ".join(f"{name}={value}" for name, value in api.cookies.items())
        url = str(api.base_url.copy_with(scheme="ws")).rstrip("/") + "/live"
        self._socket: ClientConnection = connect(
            url,
            origin=Origin(api.headers["Origin"]),
            additional_headers={"Cookie": cookies},
            max_size=None,
            proxy=None,
            legacy=True,  # the version that can be closed by hand
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()
        self._reader.join(5)

    def subscribe(self, units: list[str], waves: list[str] | None = None, since: int | None = None) -> None:
        """Says what to show; may be said again."""
        self._socket.send(json.dumps({"type": "subscribe", "units": units, "waves": waves or [], "since": since}))

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Text messages of one type so far."""
        return [message for message in self.texts if message["type"] == kind]

    def wait_for(
        self, kind: str, which: Callable[[dict[str, Any]], bool] = bool, timeout: float = 10.0
    ) -> dict[str, Any]:
        """The first message of a type that fits, now or later."""
        return eventually(
            lambda: next((message for message in self.of(kind) if which(message)), None), f"message {kind!r}", timeout
        )

    def _read(self) -> None:
        try:
            for message in self._socket:
                if isinstance(message, str):
                    self.texts.append(json.loads(message))
                else:
                    end = 1 + message[0]
                    self.frames.append((message[1:end].decode(), msgspec.msgpack.decode(message[end:])))
        except ConnectionClosed as closed:
            self.closed = closed
