"""``lastmile check``: names every weak setting of a data directory, one line each, with what to do about it."""

import ipaddress
import re
import shutil
import sqlite3
import stat
import tomllib
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console
from sqlalchemy import Connection, func, select
from sqlalchemy.exc import SQLAlchemyError

from gateway.adapters import accounts, clock, tables
from gateway.adapters.migrate import INCREMENTAL, current_revision, head_revision
from gateway.adapters.notify.settings import Purpose, load_notify
from gateway.adapters.retention import used_bytes
from gateway.adapters.rules_file import load_ruleset
from gateway.adapters.sql import DATABASE_NAME, connect
from gateway.config import Settings, SettingsError, load_settings
from gateway.contract.envelope import Instant

FULL: Final = 2  # value of PRAGMA synchronous
BUILT_AFTER: Final = 1_767_225_600_000_000  # 2026-01-01: a clock before it is wrong
CLOCK_TOLERANCE: Final = 60_000_000  # us
LEAST_FREE: Final = 1 << 30  # bytes of disk below which nothing works for long
LOUD: Final = frozenset({Purpose.CALL, Purpose.SMS})
SECRET_FILES: Final = ("secrets.json", "nats.conf", "watch.token", "units/*.token", f"{DATABASE_NAME}*", "outbox/*.db")


class Level(StrEnum):
    OK = "ok"
    WEAK = "weak"  # works, but a fault or an attacker may take something
    BAD = "bad"  # does not work, or is open


class Finding(msgspec.Struct, frozen=True):
    """One line."""

    level: Level
    subject: str
    text: str


class Subject(msgspec.Struct, frozen=True):
    """What is checked."""

    data: Path
    settings: Settings
    connection: Connection
    now: Instant


Check = Callable[[Subject], Iterator[Finding]]


def run_check(data_dir: Path, strict: bool = False, console: Console | None = None) -> int:
    """Prints the findings; returns 1 when anything is bad, or, with ``strict``, weak."""
    output = console or Console()
    findings = list(check(data_dir, clock.now()))
    colours = {Level.OK: "green", Level.WEAK: "yellow", Level.BAD: "red"}
    for found in findings:
        colour = colours[found.level]
        output.print(f"[{colour}]{found.level:4}[/{colour}] {found.subject}: {found.text}", highlight=False)
    failing = {Level.BAD, Level.WEAK} if strict else {Level.BAD}
    return int(any(found.level in failing for found in findings))


def check(data_dir: Path, now: Instant) -> Iterator[Finding]:
    """Every finding of a data directory; nothing in it is changed."""
    try:
        settings = load_settings(data_dir)
        load_ruleset(data_dir)
    except SettingsError as error:
        yield Finding(Level.BAD, "settings", str(error))
        return
    path = data_dir / DATABASE_NAME
    if not path.exists():
        yield Finding(Level.BAD, "database", f"{path} does not exist: start the gateway once")
        return
    engine = connect(path)
    try:
        with engine.connect() as connection:
            subject = Subject(data_dir, settings, connection, now)
            for one in CHECKS:
                yield from one(subject)
    except (SQLAlchemyError, sqlite3.Error) as error:
        yield Finding(Level.BAD, "database", f"cannot be read: {error}")
    finally:
        engine.dispose()


def judge(subject: str, good: bool, text: str, otherwise: str, level: Level = Level.WEAK) -> Finding:
    """``ok`` with ``text`` when good, else ``level`` with what to do."""
    return Finding(Level.OK, subject, text) if good else Finding(level, subject, otherwise)


# ---- checks ---------------------------------------------------------------------------------------------------------


def _schema(s: Subject) -> Iterator[Finding]:
    found, head = current_revision(s.connection), head_revision()
    advice = f"revision {found}, this program has {head}: start the gateway to migrate, or install the newer program"
    yield judge("schema", found == head, f"revision {head}", advice, Level.BAD)


def _durability(s: Subject) -> Iterator[Finding]:
    journal, synchronous, vacuum = (
        s.connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
        for name in ("journal_mode", "synchronous", "auto_vacuum")
    )
    yield judge(
        "database", journal == "wal", "journal_mode WAL", f"journal_mode is {journal}: set it to WAL", Level.BAD
    )
    advice = f"synchronous is {synchronous}: below FULL a power cut takes acknowledged records"
    yield judge("database", synchronous >= FULL, "synchronous FULL: a commit is on the disk", advice, Level.BAD)
    advice = (
        "auto_vacuum is not INCREMENTAL: the file never shrinks; set it and run VACUUM once, with the gateway stopped"
    )
    yield judge("database", vacuum == INCREMENTAL, "the file can shrink", advice)


def _broker(s: Subject) -> Iterator[Finding]:
    path = s.data / "nats.conf"
    if not path.exists():
        yield Finding(Level.WEAK, "broker", f"{path} does not exist: is the broker run elsewhere?")
        return
    text = path.read_text()
    sync = _setting(text, "sync_interval")
    advice = (
        f"sync_interval {sync or '2m'}: a power cut may take that much of the log; agents with an outbox send it again,"
        " other devices lose it. Set broker.sync_interval to always if there are such devices"
    )
    yield judge("broker", sync == "always", "sync_interval always", advice)
    limit = _setting(text, "max_file_store")
    limited = limit is not None and limit != "0"
    yield judge(
        "broker", limited, f"JetStream limited to {limit} bytes", "JetStream may fill the disk: set broker.log_bytes"
    )
    encrypted = re.search(r"\btls\s*[:{]", text) is not None
    for listener in re.findall(r"\b(?:listen|http|https):\s*\"?([^\s\"}]+)", text):
        yield _listener("broker", listener, encrypted)


def _setting(text: str, name: str) -> str | None:
    found = re.search(rf"\b{name}:\s*\"?([^\s\",}}]+)", text)
    return found.group(1) if found else None


def _listener(subject: str, listener: str, encrypted: bool) -> Finding:
    advice = (
        f"listens on {listener} beyond this machine, and broker and agents speak without TLS: listen on 127.0.0.1"
        " (broker.host, broker.mqtt_host) and let others in through a VPN or a TLS tunnel"
    )
    return judge(subject, encrypted or _is_loopback(listener), f"listens on {listener}", advice, Level.BAD)


def _is_loopback(listener: str) -> bool:
    """Whether host:port, or a port alone (all addresses), is reachable from this machine only."""
    host = listener.rpartition(":")[0].strip("[]")
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _http(s: Subject) -> Iterator[Finding]:
    http = s.settings.http
    advice = f"listens on {http.host} beyond this machine: put a TLS proxy in front and listen on 127.0.0.1"
    yield judge("web", _is_loopback(f"{http.host}:{http.port}"), f"listens on {http.host}", advice)


def _files(s: Subject) -> Iterator[Finding]:
    if not _open_to_others(s.data):
        yield Finding(Level.OK, "files", f"{s.data} is closed to other users")
        return
    found = [file for pattern in SECRET_FILES for file in sorted(s.data.glob(pattern)) if _open_to_others(file)]
    for file in found:
        yield Finding(Level.BAD, "files", f"other users can read {file}: chmod 700 {s.data}")
    if not found:
        yield Finding(Level.OK, "files", "secrets and records are closed to other users")


def _open_to_others(path: Path) -> bool:
    return bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))


def _disk(s: Subject) -> Iterator[Finding]:
    free = shutil.disk_usage(s.data).free
    needed = max(s.settings.retention.bytes - used_bytes(s.connection, s.data / DATABASE_NAME), 0)
    if free < LEAST_FREE:
        yield Finding(Level.BAD, "disk", f"{_size(free)} free: make room now")
        return
    advice = f"{_size(free)} free, but the database may grow by {_size(needed)}: lower retention.bytes or add a disk"
    yield judge("disk", free >= needed, f"{_size(free)} free, {_size(needed)} may be needed", advice)


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB"


def _retention(s: Subject) -> Iterator[Finding]:
    keep = s.settings.retention
    advice = "no disk budget: set retention.bytes, or the disk fills and nothing is acknowledged any more"
    yield judge("retention", keep.bytes > 0, f"disk budget {_size(keep.bytes)}", advice)
    advice = "waveforms are kept for ever: set retention.waveform_days"
    yield judge("retention", keep.waveform_days > 0, f"waveforms kept {keep.waveform_days:g} days", advice)


def _accounts(s: Subject) -> Iterator[Finding]:
    enabled = [account for account in accounts.every(s.connection) if account.disabled_at is None]
    if not enabled:
        yield Finding(Level.WEAK, "accounts", "there are none: start the gateway, it prints a one-time secret")
    for account in enabled:
        if account.must_change_password:
            advice = "the one-time secret was never used: sign in with it and choose a password"
            yield Finding(Level.WEAK, "accounts", f"{account.name}: {advice}")
        elif account.name == accounts.DEMO_USER:
            yield Finding(Level.WEAK, "accounts", f"{account.name}: the demo's login works: disable it")
    if enabled and not any(a.must_change_password or a.name == accounts.DEMO_USER for a in enabled):
        yield Finding(Level.OK, "accounts", f"{len(enabled)}, each with a password of its own")


def _clock(s: Subject) -> Iterator[Finding]:
    newest = s.connection.execute(select(func.max(tables.lane.c.seen_at))).scalar() or 0
    good = s.now >= max(BUILT_AFTER, newest - CLOCK_TOLERANCE)
    advice = "the clock is behind the newest record or before 2026: set it, and run chrony or systemd-timesyncd"
    yield judge("clock", good, "not behind the newest record", advice, Level.BAD)


def _reach(s: Subject) -> Iterator[Finding]:
    """Whether an alert, or the end of all alerts, reaches somebody who does not look at a screen."""
    calls = [name for name, channel in load_notify(s.data).channel.items() if channel.purpose in LOUD]
    advice = "no channel calls or texts anybody: see notify.toml in docs/operations.md"
    yield judge("notify", bool(calls), f"strong reminders go out by {', '.join(calls)}", advice)
    advice = "nobody is told when this gateway stops: give watch.toml a channel (docs/operations.md)"
    yield judge("watch", bool(_watch_channels(s.data)), "the watcher has a channel of its own", advice)


def _watch_channels(data: Path) -> object:
    try:
        return tomllib.loads((data / "watch.toml").read_text("utf-8")).get("channel")
    except (OSError, ValueError):
        return None  # the watcher itself says what is wrong with it


CHECKS: Final[tuple[Check, ...]] = (
    _schema, _durability, _broker, _http, _files, _disk, _retention, _accounts, _reach, _clock,
)  # fmt: skip
