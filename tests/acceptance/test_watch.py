"""Silence is an alarm: the watcher tells by its own channel what has stopped, the gateway when the watcher has.

The person on call is a web server here that checks each signature by itself.
"""

import base64
import hashlib
import hmac
import json
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.acceptance.faults import alerts
from tests.acceptance.harness import Stack
from tests.acceptance.process import Process, eventually

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.timeout(400)]

SECRET = b"twenty-four bytes at least, or more"
TOLD_WITHIN = 30.0  # s
PATIENCE = 10  # s, in place of 15: the test is not about waiting


class OnCall:
    """What reached the person on call."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.forged = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/"

    server: ThreadingHTTPServer


@contextmanager
def on_call() -> Iterator[OnCall]:
    person = OnCall()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            size = int(self.headers["Content-Length"])
            body = self.rfile.read(size)
            if len(body) < size:  # whoever sent it was killed over it
                return
            signed = f"{self.headers['webhook-id']}.{self.headers['webhook-timestamp']}.".encode() + body
            expected = base64.b64encode(hmac.new(SECRET, signed, hashlib.sha256).digest()).decode()
            if self.headers["webhook-signature"] == f"v1,{expected}":
                person.texts.append(json.dumps(json.loads(body), ensure_ascii=False))
            else:
                person.forged += 1
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    person.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=person.server.serve_forever, daemon=True)
    thread.start()
    yield person
    person.server.shutdown()
    thread.join()
    person.server.server_close()
    assert person.forged == 0


def start_watch(stack: Stack, person: OnCall) -> Process:
    """Its grace ends well before TOLD_WITHIN: what stops at once is told no sooner than that."""
    key = stack.data / "watch.key"
    key.write_text("whsec_" + base64.b64encode(SECRET).decode())
    (stack.data / "watch.toml").write_text(
        f'language = "en"\npatience = {PATIENCE}\nstart_grace = 20\n'
        f'[channel.oncall]\nvia = "webhook"\nurl = "{person.url}"\nsecret_file = "watch.key"\n'
    )
    return stack.start("watch", "watch", "--data", str(stack.data))


def told(person: OnCall, words: str, since: int = 0) -> bool:
    return any(words in text for text in person.texts[since:])


def canary_at(stack: Stack) -> int:
    with stack.api("ops") as api:
        at = api.get(str(api.base_url.join("/healthz"))).json()["canary_at"]
    return int(at or 0)


def process(stack: Stack, name: str) -> Process:
    return next(each for each in stack.processes if each.name == name)


def test_whatever_stops_is_told_and_so_is_its_return(stack: Stack) -> None:
    gateway, broker = process(stack, "gateway"), process(stack, "broker")
    with on_call() as person:
        start_watch(stack, person)
        first = eventually(lambda: canary_at(stack), "a canary has gone the whole way", 40)
        eventually(lambda: canary_at(stack) > first, "and the next one", 20)
        assert person.texts == [], "nothing is wrong, so nobody is called"

        began = time.monotonic()
        gateway.kill()
        eventually(lambda: told(person, "the gateway does not answer"), "a dead gateway is told", TOLD_WITHIN)
        eventually(lambda: told(person, "the rules do not run"), "and that nothing is judged", TOLD_WITHIN)
        assert time.monotonic() - began < TOLD_WITHIN
        gateway.restart()
        eventually(lambda: told(person, "the gateway answers again"), "its return is told", 40)
        eventually(lambda: told(person, "the rules run"), "and that of the path", 40)

        before = len(person.texts)
        began = time.monotonic()
        broker.kill()
        eventually(lambda: told(person, "the broker takes no data", before), "a dead broker is told", TOLD_WITHIN)
        assert time.monotonic() - began < TOLD_WITHIN
        broker.restart()
        eventually(lambda: told(person, "the broker takes data again", before), "its return is told", 40)


def test_a_gateway_that_hangs_is_told(stack: Stack) -> None:
    gateway = process(stack, "gateway")
    with on_call() as person:
        start_watch(stack, person)
        eventually(lambda: canary_at(stack), "a canary has gone the whole way", 40)
        os.kill(gateway.pid, signal.SIGSTOP)
        try:
            eventually(lambda: told(person, "the gateway does not answer"), "it runs and does nothing", TOLD_WITHIN)
        finally:
            os.kill(gateway.pid, signal.SIGCONT)


@contextmanager
def without_deliveries(stack: Stack) -> Iterator[None]:
    """The notifier's own table is away: each of its rounds fails, and nothing else does."""

    def rename(old: str, new: str) -> None:
        with closing(sqlite3.connect(stack.data / "lastmile.db", timeout=10, isolation_level=None)) as database:
            database.execute(f"ALTER TABLE {old} RENAME TO {new}")

    rename("delivery", "delivery_away")
    try:
        yield
    finally:
        rename("delivery_away", "delivery")


def test_a_notifier_that_stops_is_told_and_so_is_its_return(stack: Stack) -> None:
    with on_call() as person:
        start_watch(stack, person)
        eventually(lambda: canary_at(stack), "a canary has gone the whole way", 40)
        with without_deliveries(stack):
            eventually(lambda: told(person, "the notifier has stopped"), "alerts would reach nobody", TOLD_WITHIN)
            before = canary_at(stack)
            eventually(lambda: canary_at(stack) > before, "the path goes on", 20)
        eventually(lambda: told(person, "the notifier works again"), "its return is told", 40)
        assert all("the notifier" in text for text in person.texts), person.texts


def test_a_watcher_that_stops_raises_an_alert_and_its_return_ends_it(stack: Stack) -> None:
    with on_call() as person:
        watch = start_watch(stack, person)
        eventually(lambda: canary_at(stack), "a canary has gone the whole way", 40)
        watch.kill()
        late = eventually(lambda: alerts(stack, "canary-late"), "nobody would tell if the gateway stopped", 45)[0]
        assert (late["kind"], late["priority"]) == ("technical", "high")
        watch.restart()
        eventually(lambda: not alerts(stack, "canary-late"), "the watcher is back", 40)
