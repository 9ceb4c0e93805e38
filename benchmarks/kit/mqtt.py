"""MQTT 3.1.1 as far as a load generator needs it: packets as bytes, a socket that counts PUBACKs, one epoll loop."""

import select
import socket
import time
from collections.abc import Callable
from typing import Final

import numpy as np

PUBACK: Final = 0x0240  # first two bytes of the packet, little-endian
RECEIVE: Final = 256 * 1024


class MqttError(ConnectionError):
    """The broker refused or closed a connection."""


def _string(text: str) -> bytes:
    data = text.encode()
    return len(data).to_bytes(2, "big") + data


def _length(size: int) -> bytes:
    out = bytearray()
    while True:
        size, low = divmod(size, 128)
        out.append(low | (0x80 if size else 0))
        if not size:
            return bytes(out)


def packet(first: int, body: bytes) -> bytes:
    """A control packet."""
    return bytes((first,)) + _length(len(body)) + body


def publish(topic: str, payload: bytes, packet_id: int = 1) -> bytes:
    """A QoS 1 PUBLISH."""
    return packet(0x32, _string(topic) + packet_id.to_bytes(2, "big") + payload)


def packet_id_at(topic: str, payload_size: int) -> int:
    """Offset of the packet id in such a packet; the payload follows it."""
    head = 2 + len(topic.encode())
    return 1 + len(_length(head + 2 + payload_size)) + head


class Connection:
    """One client. ``sent`` and ``acked`` count its QoS 1 publishes; ``on_message`` gets (topic, payload)."""

    def __init__(self, port: int, client: str, password: str | None, subscribe: str | None = None) -> None:
        self.client = client
        self.sent = 0
        self.acked = 0
        self.on_message: Callable[[str, bytes], None] | None = None
        self._rest = b""
        self._waiting = bytearray()  # what the socket would not take
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        flags = 0x02 | (0xC0 if password is not None else 0)
        credentials = _string(client) + _string(password) if password is not None else b""
        self.socket.sendall(packet(0x10, _string("MQTT") + bytes((4, flags, 0, 0)) + _string(client) + credentials))
        answer = self.socket.recv(4)
        if len(answer) < 4 or answer[0] != 0x20 or answer[3] != 0:
            raise MqttError(f"{client}: CONNACK {answer.hex()}")
        if subscribe is not None:
            self.socket.sendall(packet(0x82, b"\0\1" + _string(subscribe) + b"\0"))
        self.socket.setblocking(False)

    @property
    def outstanding(self) -> int:
        """Publishes the broker has not acknowledged."""
        return self.sent - self.acked

    @property
    def blocked(self) -> bool:
        """Whether the socket is full."""
        return bool(self._waiting)

    def send(self, parts: list[bytes | bytearray | memoryview], messages: int) -> None:
        """Queues whole packets holding ``messages`` QoS 1 publishes."""
        self.sent += messages
        if self._waiting:
            for part in parts:
                self._waiting += part
            return
        try:
            done = self.socket.sendmsg(parts)
        except BlockingIOError:
            done = 0
        for part in parts:
            if done < len(part):
                self._waiting += memoryview(part)[done:]
            done = max(0, done - len(part))

    def flush(self) -> None:
        """Tries to send what waits."""
        if self._waiting:
            try:
                done = self.socket.send(self._waiting)
            except BlockingIOError:
                return
            del self._waiting[:done]

    def read(self) -> None:
        """Takes what has arrived.

        Raises:
            MqttError: the broker closed the connection.
        """
        try:
            data = self.socket.recv(RECEIVE)
        except BlockingIOError:
            return
        except ConnectionResetError:
            data = b""
        if not data:
            raise MqttError(f"{self.client}: closed by the broker")
        data = self._rest + data if self._rest else data
        at = 0
        while len(data) - at >= 4:
            run = self._acks(data, at)
            if run:
                self.acked += run
                at += 4 * run
                continue
            after = self._other(data, at)
            if after < 0:
                break
            at = after
        self._rest = data[at:]

    @staticmethod
    def _acks(data: bytes, at: int) -> int:
        """How many PUBACKs stand at ``at``, one behind the other."""
        words = np.frombuffer(data, "<u2", (len(data) - at) // 4 * 2, at)[::2] == PUBACK
        return len(words) if words.all() else int(words.argmin())

    def _other(self, data: bytes, at: int) -> int:
        """Reads a packet that is no PUBACK; the offset after it, or -1 when it has not arrived whole."""
        size, shift, start = 0, 0, at + 1
        while True:
            if start >= len(data):
                return -1
            byte = data[start]
            size |= (byte & 0x7F) << shift
            shift, start = shift + 7, start + 1
            if byte < 0x80:
                break
        if start + size > len(data):
            return -1
        if data[at] & 0xF0 == 0x30 and self.on_message is not None:
            name = int.from_bytes(data[start : start + 2], "big")
            topic = data[start + 2 : start + 2 + name].decode()
            self.on_message(topic, data[start + 2 + name : start + size])
        return start + size

    def close(self) -> None:
        self.socket.close()


class Loop:
    """Reads and flushes many connections; ``step`` waits at most ``seconds``."""

    def __init__(self, connections: list[Connection]) -> None:
        self.connections = connections
        self._by_fd = {connection.socket.fileno(): connection for connection in connections}
        self._poll = select.epoll()
        for fd in self._by_fd:
            self._poll.register(fd, select.EPOLLIN)

    def step(self, seconds: float) -> None:
        """Takes what has arrived on any connection."""
        for fd, _ in self._poll.poll(max(0.0, seconds), 256):
            self._by_fd[fd].read()
        for connection in self.connections:
            if connection.blocked:
                connection.flush()

    def settle(self, seconds: float) -> None:
        """Waits until every publish has its PUBACK.

        Raises:
            TimeoutError: some never came.
        """
        deadline = time.monotonic() + seconds
        while any(connection.outstanding or connection.blocked for connection in self.connections):
            if time.monotonic() > deadline:
                left = sum(connection.outstanding for connection in self.connections)
                raise TimeoutError(f"{left} publishes without PUBACK after {seconds} s")
            self.step(0.05)

    def close(self) -> None:
        """Closes all connections."""
        self._poll.close()
        for connection in self.connections:
            connection.close()
