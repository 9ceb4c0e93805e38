"""A lean reader of one JetStream pull consumer: bytes of the NATS client protocol to log messages.

nats-py spends about 10 us a message on objects a batch reader does not need; this spends about 2
(benchmarks/durable_ingest.py). It knows only what a reader needs: CONNECT, SUB, PUB of pull requests, MSG, HMSG, PING.

    socket -> data_received -> _messages (bounded: no pull request is open while it is full) -> drain()
"""

import asyncio
import json
import re
import secrets
from functools import lru_cache
from typing import Any, Final, cast

from gateway.ports import LogMessage

PULL_BATCH: Final = 20_000
PULL_BYTES: Final = 64 << 20
REFILL_AT: Final = PULL_BATCH // 2
EXPIRES_NS: Final = 30_000_000_000
HEARTBEAT_NS: Final = 2_000_000_000
_STATUS_END: Final = (b"404", b"408", b"409")  # the pull request is over
# MSG subject sid $JS.ACK.stream.consumer.delivered.sequence.delivery.timestamp.pending size
_DELIVERY: Final = re.compile(rb"MSG ([^ ]+) \d+ \$JS\.ACK\.[^.]+\.[^.]+\.\d+\.(\d+)\.\d+\.(\d+)\.(\d+) (\d+)\r\n")


class NatsReader(asyncio.Protocol):
    """One connection, one subscription. ``drain`` hands over what has come; ``arrived`` is set when there is some."""

    def __init__(self, user: str, password: str, next_subject: str) -> None:
        self._user, self._password = user, password
        self._next_subject = next_subject
        # Of this reader alone: one that was killed may have left a pull request open, whose answers would come here.
        self._inbox = f"_INBOX.{secrets.token_hex(12)}".encode()
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._messages: list[LogMessage] = []
        self._wanted = 0  # messages the open pull request may still deliver
        self.arrived = asyncio.Event()
        self.heard_at = 0.0
        self.pending = -1  # messages in the log behind the last one received; -1 = not known
        self.lost: str | None = None  # why the connection ended

    # ---- connection -------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.heard_at = asyncio.get_running_loop().time()
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one by shape, not by class
        hello = {"user": self._user, "pass": self._password, "verbose": False, "pedantic": False, "headers": True,
                 "lang": "lastmile", "version": "1", "protocol": 1, "no_responders": False}  # fmt: skip
        self._transport.write(b"CONNECT %b\r\nSUB %b 1\r\n" % (json.dumps(hello).encode(), self._inbox))
        self._pull()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = self.lost or (str(exc) if exc else "connection closed by the broker")
        self.arrived.set()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def drain(self) -> list[LogMessage]:
        """Everything that has arrived, in order."""
        messages, self._messages = self._messages, []
        self.arrived.clear()
        if self._wanted < REFILL_AT and self.lost is None:
            self._pull()
        return messages

    def _pull(self) -> None:
        assert self._transport is not None
        request = json.dumps(
            {"batch": PULL_BATCH, "max_bytes": PULL_BYTES, "expires": EXPIRES_NS, "idle_heartbeat": HEARTBEAT_NS}
        ).encode()
        self._wanted += PULL_BATCH
        self._transport.write(
            b"PUB %b %b %d\r\n%b\r\n" % (self._next_subject.encode(), self._inbox, len(request), request)
        )

    # ---- protocol ---------------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        self.heard_at = asyncio.get_running_loop().time()
        buffer = self._buffer + data if self._buffer else data
        at, end = 0, len(buffer)
        while (at := self._deliveries(buffer, at)) < end:
            line_end = buffer.find(b"\r\n", at)
            if line_end < 0:
                break
            if buffer[at] == 77 or buffer[at] == 72:  # MSG, HMSG
                after = self._message(buffer, at, line_end)
                if after < 0:
                    break
                at = after
            else:
                self._control(buffer[at:line_end])
                at = line_end + 2
        self._buffer = buffer[at:]
        if self._messages:
            self.arrived.set()

    def _deliveries(self, buffer: bytes, at: int) -> int:
        """Reads the messages without headers that stand at ``at``, one behind the other; the offset after them."""
        end, match, take = len(buffer), _DELIVERY.match, self._messages.append
        while (found := match(buffer, at)) is not None:
            subject, sequence, timestamp, pending, size = found.groups()
            start = found.end()
            after = start + int(size) + 2
            if after > end:
                break
            take(LogMessage(int(sequence), int(timestamp) // 1000, published(subject), buffer[start : after - 2]))
            self._wanted -= 1
            self.pending = int(pending)
            at = after
        return at

    def _message(self, buffer: bytes, at: int, line_end: int) -> int:
        """Reads one message; the offset after it, or -1 when it has not arrived whole."""
        words = buffer[at:line_end].split(b" ")
        start = line_end + 2
        total = int(words[-1])
        after = start + total + 2
        if after > len(buffer):
            return -1
        headers = int(words[-2]) if words[0] == b"HMSG" else 0
        if words[3].startswith(b"$JS.ACK."):
            _, sequence, _, timestamp, pending = words[3].rsplit(b".", 4)
            payload = buffer[start + headers : start + total]
            self._messages.append(LogMessage(int(sequence), int(timestamp) // 1000, published(words[1]), payload))
            self._wanted -= 1
            self.pending = int(pending)
        else:
            self._status(buffer[start : start + total])
        return after

    def _status(self, headers: bytes) -> None:
        """An idle heartbeat, or the end of a pull request."""
        code = headers[9:12]
        if code in _STATUS_END:
            if code == b"409" and b"Consumer Deleted" in headers:
                self.lost = "the consumer was deleted"
                self.close()
                return
            self._wanted = 0
            if len(self._messages) < PULL_BATCH:  # else ``drain`` asks for more when there is room
                self._pull()
        if code in (b"100", b"404", b"408") and not self._messages:
            self.pending = 0

    def _control(self, line: bytes) -> None:
        if line == b"PING":
            assert self._transport is not None
            self._transport.write(b"PONG\r\n")
        elif line.startswith(b"-ERR"):
            self.lost = line.decode(errors="replace")
            self.close()


@lru_cache(maxsize=65_536)
def published(stored: bytes) -> str:
    """The subject as it was published: stored subjects carry the partition as their second token."""
    root, token, rest = stored.decode(errors="replace").split(".", 2)
    return f"{root}.{rest}" if token.isdigit() else f"{root}.{token}.{rest}"


async def open_reader(
    host: str, port: int, user: str, password: str, stream: str, consumer: dict[str, Any]
) -> NatsReader:
    """A reader pulling from an existing consumer."""
    subject = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer['name']}"
    loop = asyncio.get_running_loop()
    _, reader = await loop.create_connection(lambda: NatsReader(user, password, subject), host, port)
    return reader
