"""The watcher outlives whatever it meets, says what that was, and goes on when it is mended."""

import asyncio
import contextlib
import shutil
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Iterator, MutableMapping
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
import structlog
from structlog.testing import capture_logs

from gateway.adapters.broker import BrokerPorts
from gateway.adapters.clock import now
from gateway.adapters.enrolment import open_database
from gateway.adapters.gateway_file import announce
from gateway.adapters.notify.sending import Message
from gateway.watch import command
from gateway.watch.command import Watch
from gateway.watch.config import WatchSettings
from gateway.watch.judge import Judge, Part
from tests.free_port import free_port

PATIENCE = 10.0


Lines = list[MutableMapping[str, Any]]  # of the log


class OnCall:
    """The channel: keeps what it is told; the first ``faults`` times its code fails."""

    def __init__(self, faults: int = 0) -> None:
        self.texts: list[str] = []
        self._faults = faults

    def send(self, message: Message, now: int) -> str | None:
        if self._faults:
            self._faults -= 1
            raise ZeroDivisionError("planted")
        self.texts.append(message.text)
        return None


class Gateway:
    """What answers at ``/healthz``; ``raw`` goes out in place of an HTTP answer."""

    def __init__(self) -> None:
        self.body: bytes | None = None
        self.raw = b""
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if gateway.raw:
                    self.wfile.write(gateway.raw)
                    return
                self.send_response(200)
                self.end_headers()
                healthy = msgspec.json.encode({"status": "ok", "canary_at": None, "notifier_at": now()})
                self.wfile.write(gateway.body or healthy)

            def log_message(self, *_: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    @contextlib.contextmanager
    def serving(self) -> Iterator["Gateway"]:
        thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.server.shutdown()
            thread.join()
            self.server.server_close()


class Site(NamedTuple):
    """A data directory in good order: database, broker.json, gateway.json; nothing listens at the broker's port."""

    data: Path
    gateway: Gateway
    watch: Watch
    person: OnCall

    async def round(self) -> Lines:
        """What the log says of one round; nothing was ever seen at work, and patience is over."""
        self.watch._judge = Judge(now() / 1e6 - 60, PATIENCE, 0)
        with capture_logs() as lines:
            await self.watch.round()
            await asyncio.gather(*self.watch._told)
        return lines

    @property
    def open(self) -> bool:
        """Whether the canary is on its way to the broker."""
        return self.watch._canary is not None


def write_ports(data: Path) -> None:
    ports = BrokerPorts("127.0.0.1", "127.0.0.1", free_port(), 0, 0)
    (data / "broker.json").write_bytes(msgspec.json.encode(ports))


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    open_database(tmp_path).close()
    write_ports(tmp_path)
    with Gateway().serving() as gateway:
        announce(tmp_path, "127.0.0.1", gateway.server.server_address[1])
        person = OnCall()
        watch = Watch(tmp_path, WatchSettings(language="en", patience=PATIENCE, start_grace=0), {"oncall": person})
        yield Site(tmp_path, gateway, watch, person)
        await asyncio.to_thread(watch.close)


def why(lines: Lines, part: Part) -> str:
    """The reason of the verdict on a part."""
    return next(str(line["why"]) for line in lines if line.get("part") == part)


def warned(lines: Lines, step: str) -> list[str]:
    return [str(line["why"]) for line in lines if line.get("step") == step]


Act = Callable[[Site], None]


def half(name: str) -> Act:
    def act(site: Site) -> None:
        path = site.data / name
        path.write_bytes(path.read_bytes()[:-5])

    return act


def instead_of(name: str) -> Act:
    """A directory in place of a file: what reads or replaces it fails, for root too."""

    def act(site: Site) -> None:
        (site.data / name).unlink(missing_ok=True)
        (site.data / name).mkdir()

    return act


def newer_schema(site: Site) -> None:
    with contextlib.closing(sqlite3.connect(site.data / "lastmile.db")) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")


def older_schema(site: Site) -> None:
    with contextlib.closing(sqlite3.connect(site.data / "lastmile.db")) as database, database:
        database.execute("DELETE FROM alembic_version")  # its tables are there: they cannot be made


def no_database(site: Site) -> None:
    for path in site.data.glob("lastmile.db*"):
        path.unlink()


def mend(site: Site) -> None:
    """All as in the beginning."""
    for name in ("broker.json", "watch.token", "watch.json", "lastmile.db"):
        path = site.data / name
        if path.is_dir():
            shutil.rmtree(path)
    for path in site.data.glob("lastmile.db*"):
        path.unlink()
    open_database(site.data).close()
    write_ports(site.data)
    announce(site.data, "127.0.0.1", site.gateway.server.server_address[1])
    site.gateway.body, site.gateway.raw = None, b""


OPENING: dict[str, tuple[Act, str]] = {
    "no broker.json": (lambda site: (site.data / "broker.json").unlink(), "broker.json"),
    "half of broker.json": (half("broker.json"), "truncated"),
    "a schema from the future": (newer_schema, "revision 9999"),
    "a schema that is not ours": (older_schema, "already exists"),
    "no database": (no_database, "watch.token: expected the token"),
    "an unreadable token": (instead_of("watch.token"), "directory"),
}


@pytest.mark.parametrize("name", OPENING)
async def test_what_keeps_the_canary_from_setting_out_is_named_until_it_is_mended(site: Site, name: str) -> None:
    break_it, said = OPENING[name]
    break_it(site)
    first, second = await site.round(), await site.round()
    assert said in why(first, Part.BROKER)
    assert said in why(first, Part.PATH)
    assert len(warned(first, "canary")) == 1
    assert warned(second, "canary") == [], "said once, not every two seconds"
    assert any("the broker takes no data" in text for text in site.person.texts)
    assert not site.open
    mend(site)
    await site.round()
    assert site.open


async def test_a_locked_database_is_waited_for_named_and_tried_again(site: Site) -> None:
    with contextlib.closing(sqlite3.connect(site.data / "lastmile.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert "locked" in why(await site.round(), Part.BROKER)
        other.execute("ROLLBACK")
    await site.round()
    assert site.open


ANSWERS: dict[str, tuple[Act, str]] = {
    "half of gateway.json": (half("gateway.json"), "truncated"),
    "an answer that is no JSON": (lambda site: setattr(site.gateway, "body", b"hello"), "malformed"),
    "an answer that is no HTTP": (lambda site: setattr(site.gateway, "raw", b"\xff\xfe hello\r\n\r\n"), "hello"),
}


@pytest.mark.parametrize("name", ANSWERS)
async def test_a_gateway_that_makes_no_sense_is_named(site: Site, name: str) -> None:
    break_it, said = ANSWERS[name]
    break_it(site)
    lines = await site.round()
    assert said in why(lines, Part.GATEWAY)
    assert said in why(lines, Part.NOTIFIER), "it is not known either"
    mend(site)
    assert Part.GATEWAY not in {line.get("part") for line in await site.round()}


async def test_a_notifier_that_stops_is_told_once_its_last_round_is_older_than_patience(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no sooner; that the gateway still answers adds nothing to it."""
    beat = now()
    site.gateway.body = msgspec.json.encode({"status": "ok", "canary_at": None, "notifier_at": beat})
    site.watch._judge = Judge(beat / 1e6 - 60, PATIENCE, 0)
    told_at: list[int] = []
    for passed in range(0, 30, 2):
        monkeypatch.setattr(command, "clock_now", partial(int, beat + passed * 1_000_000))
        with capture_logs() as lines:
            await site.watch.round()
        told_at += [passed for line in lines if line.get("part") == Part.NOTIFIER]
    await asyncio.gather(*site.watch._told)
    assert told_at == [12]


async def test_a_state_that_cannot_be_written_stops_nothing(site: Site) -> None:
    instead_of("watch.json")(site)
    lines = await site.round()
    assert warned(lines, "state")
    assert site.person.texts, "whoever is on call is told all the same"
    mend(site)
    await site.round()
    assert msgspec.json.decode((site.data / "watch.json").read_bytes())["channels"] == ["oncall"]


async def test_a_log_on_a_full_disk_keeps_nobody_from_being_called(site: Site) -> None:
    (site.data / "broker.json").unlink()
    full = open("/dev/full", "w")  # noqa: ASYNC230, PTH123, SIM115 - closed below, which fails as well
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(full))
    try:
        site.watch._judge = Judge(now() / 1e6 - 60, PATIENCE, 0)
        await site.watch.round()
        await asyncio.gather(*site.watch._told)
    finally:
        structlog.reset_defaults()
        with contextlib.suppress(OSError):
            full.close()
    assert any("the broker takes no data" in text for text in site.person.texts)


async def test_a_fault_in_a_channels_code_is_tried_again_like_a_refusal(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "PAUSES", (0.0, 0.0))
    site.person._faults = 2
    (site.data / "broker.json").unlink()
    lines = await site.round()
    assert [line["why"] for line in lines if line.get("channel") == "oncall"] == ["ZeroDivisionError"] * 2
    assert len(site.person.texts) == 2, "the broker, and the path behind it"


async def test_a_token_that_was_half_written_is_made_anew(site: Site) -> None:
    (site.data / "watch.token").write_text("\n")
    await site.round()
    assert site.open
    assert len((site.data / "watch.token").read_text()) > 40
