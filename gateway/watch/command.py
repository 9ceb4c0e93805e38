"""``lastmile watch``: are gateway, broker, path and notifier at work? It tells by a channel of its own."""

import asyncio
import json
import logging
import signal
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec
import structlog
import typer

from gateway.adapters.broker import read_ports
from gateway.adapters.clock import machine_seconds
from gateway.adapters.clock import now as clock_now
from gateway.adapters.gateway_file import NAME as GATEWAY_FILE
from gateway.adapters.gateway_file import GatewayFile
from gateway.adapters.notify.sending import Message, NotSent, Sender
from gateway.adapters.notify.settings import Via
from gateway.adapters.notify.webhook import WebhookChannel
from gateway.adapters.sql import DATABASE_NAME
from gateway.config import SettingsError, write_private
from gateway.contract.identity import Provenance
from gateway.contract.quantity import SECOND
from gateway.contract.topic import UnitAddress, UnitKind
from gateway.operate import Data, configure_log, register
from gateway.watch.canary import Canary
from gateway.watch.config import Secrets, WatchSettings, load_watch
from gateway.watch.judge import Judge, Part, Verdict
from gateway.watch.words import sentence

UNIT: Final = "watch"
SITE: Final = "system"
TOKEN_FILE: Final = "watch.token"  # noqa: S105 - a file's name
ROUND: Final = 2.0  # s
HTTP_TIMEOUT: Final = 4.0  # s
PAUSES: Final = (0.0, 5.0, 15.0, 45.0, 60.0)  # s before each try to tell
log = structlog.get_logger("watch")


class Health(msgspec.Struct):
    """What it reads of ``/healthz``."""

    status: str
    notifier_at: int | None = None


def watch(data: Data = Path("var/lastmile")) -> None:
    """Watch the gateway from outside: a canary every 5 s through the whole path; what stops is told within 30 s."""
    configure_log()
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        settings, secrets = load_watch(data)
    except SettingsError as error:
        raise typer.BadParameter(str(error)) from error
    if not settings.channel:
        log.warning("no channel of its own: what stops is told to this log only", file=str(data / "watch.toml"))
    asyncio.run(Watch(data.resolve(), settings, make_senders(settings, secrets)).run())


def make_senders(settings: WatchSettings, secrets: Secrets) -> dict[str, Sender]:
    """One for each channel of ``watch.toml``."""
    senders: dict[str, Sender] = {}
    for name, channel in settings.channel.items():
        if channel.via is Via.WEBHOOK:
            senders[name] = WebhookChannel(channel.url, secrets.keys[name])
        else:
            from gateway.adapters.notify.apprise_channel import AppriseChannel  # noqa: PLC0415 - a quarter of a second

            senders[name] = AppriseChannel(secrets.urls[name])
    return senders


class Watch:
    """One watcher; ``run`` ends with SIGTERM or SIGINT."""

    def __init__(self, data: Path, settings: WatchSettings, senders: dict[str, Sender]) -> None:
        self._data = data
        self._settings = settings
        self._senders = senders
        self._judge = Judge(_seconds(), settings.patience, settings.start_grace)
        self._canary: Canary | None = None
        self._told: set[asyncio.Task[None]] = set()
        self._troubles: dict[str, str] = {}  # by step of a round: what the log has been told of it

    async def run(self) -> None:
        """A round every two seconds, the first at once."""
        stop = asyncio.Event()
        for name in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(name, stop.set)
        while not stop.is_set():
            await self.round()
            try:
                async with asyncio.timeout(machine_seconds(ROUND * SECOND)):
                    await stop.wait()
            except TimeoutError:
                continue
        self.close()

    def close(self) -> None:
        """Says good-bye to the broker."""
        if self._canary is not None:
            self._canary.stop()

    async def round(self) -> None:
        """Looks, tells what is to be told, and writes it down."""
        await asyncio.to_thread(self._look)
        for verdict in self._judge.check(_seconds()):
            self._tell(verdict)
        self._attempt("state", self._write_state)

    def _attempt(self, step: str, work: Callable[[], None], *parts: Part) -> bool:
        """Whether it could be done; if not, why is the reason of what cannot be seen then. No fault ends a watcher."""
        try:
            work()
        except Exception as error:  # noqa: BLE001 - who would tell that the watcher has ended?
            why = str(error).partition("\n")[0] or type(error).__name__
            for part in parts:
                self._judge.failed(part, why)
            if self._troubles.get(step) != why:
                _log(logging.WARNING, "a step of the round failed", step=step, why=why)
            self._troubles[step] = why
            return False
        self._troubles.pop(step, None)
        return True

    # ---- looking

    def _look(self) -> None:
        if self._attempt("gateway", self._look_at_gateway, Part.GATEWAY, Part.NOTIFIER):
            self._attempt("canary", self._open_canary, Part.BROKER, Part.PATH)
        self._attempt("canary's way", self._follow_canary, Part.BROKER, Part.PATH)

    def _look_at_gateway(self) -> None:
        health = self._ask()
        self._judge.saw(Part.GATEWAY, _seconds())
        self._judge_notifier(health)

    def _ask(self) -> Health:
        url = self._settings.gateway or self._announced()
        request = urllib.request.Request(f"{url.rstrip('/')}/healthz")  # noqa: S310 - the operator's own URL
        with urllib.request.urlopen(request, timeout=HTTP_TIMEOUT) as answer:  # noqa: S310
            return msgspec.json.decode(answer.read(), type=Health)

    def _announced(self) -> str:
        entry = msgspec.json.decode((self._data / GATEWAY_FILE).read_bytes(), type=GatewayFile)
        return f"http://{entry.host}:{entry.http}"

    def _judge_notifier(self, health: Health) -> None:
        if health.notifier_at is None:
            self._judge.failed(Part.NOTIFIER, "it has not begun")
            return
        self._judge.saw(Part.NOTIFIER, health.notifier_at / SECOND)
        self._judge.failed(Part.NOTIFIER, "it has stopped making its rounds")

    def _open_canary(self) -> None:
        """Once, when the gateway has answered: only then is there a registry to enrol the canary in."""
        if self._canary is not None:
            return
        address = UnitAddress(SITE, UnitKind.WATCH, UNIT)
        host, _, port = self._settings.broker.rpartition(":")
        where = (host, int(port)) if port else ("127.0.0.1", read_ports(self._data).mqtt)
        canary = Canary(address, self._token(address), clock_now, _seconds)
        canary.start(*where)
        self._canary = canary

    def _token(self, address: UnitAddress) -> str:
        path = self._data / TOKEN_FILE
        if path.exists() and (token := path.read_text("utf-8").strip()):
            return token
        if not (self._data / DATABASE_NAME).exists():  # the gateway runs elsewhere: there is no registry here
            raise SettingsError(f"{path}: expected the token of unit {UNIT}, registered where the gateway runs")
        token = register(self._data, address, "Watch", Provenance.LIVE)
        write_private(path, token.encode())
        return token

    def _follow_canary(self) -> None:
        canary = self._canary
        if canary is None:
            return
        canary.step()
        for part, at in ((Part.BROKER, canary.taken_at), (Part.PATH, canary.committed_at)):
            if at is not None:
                self._judge.saw(part, at)
        self._judge.failed(Part.BROKER, canary.trouble)
        self._judge.failed(Part.PATH, canary.trouble or canary.misread or "the canary is not committed")

    # ---- telling

    def _tell(self, verdict: Verdict) -> None:
        text = sentence(verdict, self._settings.language)
        _log(logging.ERROR if verdict.down else logging.WARNING, text, part=verdict.part, why=verdict.why)
        for name, sender in self._senders.items():
            task = asyncio.create_task(self._send(name, sender, text))
            self._told.add(task)
            task.add_done_callback(self._told.discard)

    async def _send(self, name: str, sender: Sender, text: str) -> None:
        """Tries for two minutes; what still stands is told again anyway."""
        key = f"watch-{clock_now()}-{name}"
        message = Message(key=key, notices=(), title="Lastmile", text=text)
        for pause in PAUSES:
            await asyncio.sleep(pause)
            try:
                await asyncio.to_thread(sender.send, message, clock_now())
            except NotSent as error:
                _log(logging.WARNING, "a channel failed", channel=name, why=str(error))
            except Exception as error:  # noqa: BLE001 - a fault of the channel's code; its text may hold an address
                _log(logging.WARNING, "a channel failed", channel=name, why=type(error).__name__)
            else:
                return

    def _write_state(self) -> None:
        """DIR/watch.json, for `lastmile check` and whoever looks."""
        state = {"at": clock_now(), "down": [str(part) for part in self._judge.down], "channels": sorted(self._senders)}
        write_private(self._data / "watch.json", json.dumps(state).encode())


def _log(level: int, text: str, **more: str) -> None:
    """The log may lie on the disk that is full: then nothing is written, and the channels are told all the same."""
    with suppress(OSError, ValueError):
        log.log(level, text, **more)


def _seconds() -> float:
    """The gateway's own clock, which in a scenario may run faster than the machine's."""
    return clock_now() / SECOND
