"""What every request passes before it is looked at: host, origin, size; and the headers every answer gets."""

from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.api.auth import is_loopback
from gateway.api.problems import Reason, problem

MAX_BODY: Final = 64 * 1024
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_SCHEMES: Final = {"https": "https", "wss": "https", "http": "http", "ws": "http"}

SECURITY_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data: blob:; worker-src 'self' blob:; object-src 'none'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def hostname_of(host: str) -> str | None:
    """The name in a Host header; none when it is not one."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def is_cross_site(scope: Scope, headers: Headers) -> bool:
    """Whether a browser says that another site's page sent this.

    Browsers send Origin with every unsafe request and every WebSocket; a client that sends none is no browser, has
    nobody's cookies, and is let through.
    """
    origin = headers.get("origin")
    if origin is None:
        return headers.get("sec-fetch-site", "none") not in {"same-origin", "none"}
    scheme, _, netloc = origin.partition("://")
    downgraded = _SCHEMES.get(scope["scheme"]) == "https" and scheme != "https"
    return downgraded or netloc.lower() != headers.get("host", "").lower()


class Guard:
    """ASGI middleware.

    Args:
        app: what comes behind.
        loopback_only: a demo: answers only to names of this machine, so that no other name can be pointed at it.
    """

    def __init__(self, app: ASGIApp, *, loopback_only: bool) -> None:
        self._app = app
        self._loopback_only = loopback_only

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)

        async def send_with_headers(message: Message) -> None:
            if message["type"] in {"http.response.start", "websocket.http.response.start"}:
                _add_headers(scope, message)
            await send(message)

        refusal = self._refusal(scope, headers)
        if refusal is not None:
            await problem(*refusal)(scope, receive, send_with_headers)
        else:
            await self._app(scope, _limited(receive), send_with_headers)

    def _refusal(self, scope: Scope, headers: Headers) -> tuple[int, Reason, str] | None:
        if self._loopback_only and not is_loopback(hostname_of(headers.get("host", ""))):
            return 421, Reason.BAD_HOST, "the demo answers to localhost only"
        unsafe = scope["type"] == "websocket" or scope["method"] not in _SAFE
        if unsafe and is_cross_site(scope, headers):
            return 403, Reason.CROSS_SITE, "a page of another site sent this request"
        length = headers.get("content-length", "0")
        if len(length) > 12 or not (length.isascii() and length.isdigit()) or int(length) > MAX_BODY:
            return 413, Reason.TOO_LARGE, f"a body may have {MAX_BODY} bytes"
        return None


def _limited(receive: Receive) -> Receive:
    """Counts a body that did not say how long it is."""
    total = 0

    async def limited() -> Message:
        nonlocal total
        message = await receive()
        if message["type"] == "http.request":
            total += len(message.get("body", b""))
            if total > MAX_BODY:
                raise HTTPException(413, f"a body may have {MAX_BODY} bytes")
        return message

    return limited


def _add_headers(scope: Scope, message: Message) -> None:
    headers = MutableHeaders(scope=message)
    for name, value in SECURITY_HEADERS.items():
        headers.setdefault(name, value)
    if scope["path"].startswith("/api/"):
        headers.setdefault("Cache-Control", "no-store")
