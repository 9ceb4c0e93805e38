"""What stands at the other end of a channel: an HTTP server with a script, and a mail server. Real sockets."""

import asyncio
import base64
import hashlib
import hmac
import json
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Request:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


def verify(request: Request, secret: str) -> bool:
    """As the specification of Standard Webhooks tells receivers to do it; shares nothing with our signing."""
    key = base64.b64decode(secret.split("_", 1)[1])
    signed = ".".join((request.headers["webhook-id"], request.headers["webhook-timestamp"], request.body.decode()))
    wanted = base64.b64encode(hmac.digest(key, signed.encode(), hashlib.sha256)).decode()
    given = [entry.split(",", 1) for entry in request.headers["webhook-signature"].split(" ")]
    return any(version == "v1" and hmac.compare_digest(value, wanted) for version, value in given)


@dataclass
class Receiver:
    """Answers with what ``script`` says (a status, a JSON body, "hang", "close"), then with 200."""

    port: int = 0
    script: deque[int | dict[str, Any] | str] = field(default_factory=deque)
    requests: list[Request] = field(default_factory=list)
    release: threading.Event = field(default_factory=threading.Event)  # ends what hangs
    after: int | dict[str, Any] | str = 200

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


class _Handler(BaseHTTPRequestHandler):
    receiver: Receiver

    def do_POST(self) -> None:
        size = int(self.headers["content-length"])
        body = self.rfile.read(size)
        if len(body) < size:  # whoever sent it was killed over it
            self.close_connection = True
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.receiver.requests.append(Request(self.path, headers, body))
        step = self.receiver.script.popleft() if self.receiver.script else self.receiver.after
        if step == "hang":
            self.receiver.release.wait(30)
        if isinstance(step, str):
            self.close_connection = True
            return
        content = json.dumps(step).encode() if isinstance(step, dict) else b"{}"
        self.send_response(200 if isinstance(step, dict) else step)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *line: Any) -> None: ...


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver on a free port."""
    receiver = Receiver()
    handler = type("Handler", (_Handler,), {"receiver": receiver})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    receiver.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield receiver
    receiver.release.set()
    server.shutdown()
    server.server_close()
    thread.join()


@dataclass
class MailServer:
    """Enough of RFC 5321 to take a mail. ``refuse``: recipients it does not know."""

    port: int = 0
    mails: list[tuple[str, EmailMessage]] = field(default_factory=list)
    refuse: set[str] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ready\r\n")
        to = ""
        while line := (await reader.readline()).decode().strip():
            verb = line[:4].upper()
            if verb == "RCPT":
                to = line.partition("<")[2].partition(">")[0]
                writer.write(b"550 no such user\r\n" if to in self.refuse else b"250 ok\r\n")
            elif verb == "DATA":
                writer.write(b"354 go on\r\n")
                content = await reader.readuntil(b"\r\n.\r\n")
                self.mails.append((to, message_from_bytes(content[:-3], _class=EmailMessage, policy=policy.default)))
                writer.write(b"250 taken\r\n")
            elif verb == "QUIT":
                break
            else:
                writer.write(b"250 ok\r\n")
        writer.write(b"221 bye\r\n")
        writer.close()
