"""Broker and gateway as `lastmile serve` runs them, in a folder of their own; and Debian's Mosquitto as the peer."""

import contextlib
import http.cookiejar
import json
import os
import secrets
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from sqlalchemy.dialects.sqlite import insert

from benchmarks.kit import machine
from gateway.adapters import clock, tables
from gateway.adapters.auth_callout import hash_token
from gateway.adapters.free_port import free_port
from gateway.adapters.migrate import migrate
from gateway.adapters.sql import DATABASE_NAME, Database, connect

SITE: Final = "bench"
KIND: Final = "ambulance"
LASTMILE: Final = Path(sys.executable).parent / "lastmile"
MOSQUITTO_CONF: Final = Path(__file__).parent / "mosquitto.conf"


def wait_until(ready: Callable[[], bool], what: str, seconds: float = 30.0, every: float = 0.02) -> None:
    """Waits for something outside this process.

    Raises:
        TimeoutError: it did not happen in time.
    """
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds} s")
        time.sleep(every)


def answers(port: int) -> bool:
    """Whether somebody listens there."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=0.5):
        return True
    return False


def stop(process: subprocess.Popen[bytes], seconds: float = 8.0) -> None:
    """SIGTERM, and SIGKILL to all of it when that is not enough."""
    members = machine.family(process.pid)
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        for pid in members:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()


@dataclass
class Lastmile:
    """`lastmile serve --demo` over ``folder``; used as a context manager."""

    folder: Path
    tokens: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def data(self) -> Path:
        return self.folder / "data"

    # ---- life -------------------------------------------------------------------------------------------------------

    def register(self, units: list[str]) -> None:
        """Registers units, live ones, in one transaction: a thousand `lastmile unit add` would take minutes."""
        self.data.mkdir(parents=True, exist_ok=True)
        self.tokens |= {unit: secrets.token_urlsafe(32) for unit in units}
        rows = [
            {"id": unit, "site": SITE, "kind": KIND, "name": unit, "provenance": "live",
             "token_hash": hash_token(self.tokens[unit]), "registered_at": clock.now(), "revoked_at": None}
            for unit in units
        ]  # fmt: skip
        database = Database(connect(self.data / DATABASE_NAME))
        migrate(database.engine)
        site = insert(tables.site).values(id=SITE, name=SITE).on_conflict_do_nothing()
        database.submit(lambda db: (db.execute(site), db.execute(tables.unit.insert(), rows))).result()
        database.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def start(self, env: Mapping[str, str] | None = None) -> None:
        """Starts it and waits until it is ready."""
        self.data.mkdir(parents=True, exist_ok=True)
        with (self.folder / "serve.log").open("ab") as log:
            self.process = subprocess.Popen(
                [LASTMILE, "serve", "--demo", "--data", self.data],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=os.environ | dict(env or {}),
            )  # fmt: skip
        try:
            wait_until(self.ready, "the gateway is ready", 60)
        except (TimeoutError, RuntimeError):
            self.__exit__()
            raise

    def __exit__(self, *_: object) -> None:
        if self.process is not None:
            stop(self.process)
            self.process = None

    def ready(self) -> bool:
        """Whether /readyz says so."""
        assert self.process is not None
        if self.process.poll() is not None:
            raise RuntimeError(f"lastmile serve ended: {(self.folder / 'serve.log').read_text()[-2000:]}")
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=1) as answer:
                return bool(answer.status == 200)
        except (OSError, FileNotFoundError, KeyError, json.JSONDecodeError):
            return False

    # ---- where things are -------------------------------------------------------------------------------------------

    def _file(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.data / name).read_bytes())
        return found

    @property
    def mqtt(self) -> int:
        return int(self._file("broker.json")["mqtt"])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._file('gateway.json')['http']}"

    @property
    def gateway_pid(self) -> int:
        return int(self._file("gateway.json")["pid"])

    @property
    def broker_pid(self) -> int:
        return int(self._file("broker.json")["pid"])

    def pids(self) -> dict[str, list[int]]:
        """Every process of it, by the part it plays."""
        assert self.process is not None
        gateway, server = self.gateway_pid, self.broker_pid
        rest = [pid for pid in machine.family(self.process.pid) if pid not in (gateway, server)]
        return {"gateway": [gateway], "nats-server": [server], "supervisors": rest}

    def topic(self, unit: str) -> str:
        """The base of a unit's topics."""
        return f"lm/v1/{SITE}/{KIND}/{unit}"

    # ---- what came of it --------------------------------------------------------------------------------------------

    def query(self, sql: str, *values: object) -> list[Any]:
        """Rows of the database, read on a connection of our own."""
        with contextlib.closing(sqlite3.connect(f"file:{self.data / DATABASE_NAME}?mode=ro", uri=True)) as db:
            return db.execute(sql, values).fetchall()

    def metric(self, name: str) -> float:
        """One value of /metrics without labels."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        return next(float(line.split()[1]) for line in lines if line.startswith(name + " "))

    def session(self) -> str:
        """Signs in as the demo's user; the cookie to send."""
        jar = http.cookiejar.CookieJar()
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
        with opener.open(f"{self.url}/api/v1/about", timeout=5) as answer:
            login = json.load(answer)["demo_login"]
        request = urllib.request.Request(
            f"{self.url}/api/v1/session", json.dumps(login).encode(),
            {"content-type": "application/json", "origin": self.url},
        )  # fmt: skip
        opener.open(request, timeout=10).close()
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in jar)


class Mosquitto:
    """Debian's broker with the committed configuration."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        text = MOSQUITTO_CONF.read_text().replace("PORT", str(self.port))
        folder.mkdir(parents=True, exist_ok=True)
        configuration = folder / "mosquitto.conf"
        configuration.write_text(text)
        self.process = subprocess.Popen(
            ["/usr/sbin/mosquitto", "-c", configuration], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_until(lambda: answers(self.port), "mosquitto listens")

    def subscribe(self, count: int) -> subprocess.Popen[bytes]:
        """The peer: ends by itself when it has had ``count`` messages."""
        return subprocess.Popen(self.command(count), stdout=subprocess.DEVNULL)

    def command(self, count: int) -> list[str]:
        return ["mosquitto_sub", "-p", str(self.port), "-q", "1", "-t", "#", "-C", str(count)]

    def close(self) -> None:
        stop(self.process)
