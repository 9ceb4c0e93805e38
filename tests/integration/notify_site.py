"""A site with a notifier: real database, real channels, a clock in the hand, and nobody who sleeps."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from gateway.adapters.notify.channels import build_senders
from gateway.adapters.notify.settings import NotifySettings, load_notify
from gateway.adapters.notify.worker import Notifier
from gateway.adapters.sql import Database
from gateway.alerts.notice import Notice
from gateway.ports import MuteBoard
from tests.integration.notify_receivers import Receiver
from tests.unit.notify.notices import T0, commit, open_database

KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PEOPLE = """
[account."nurse.wang"]
phone = "13800000001"
app = "wang"
mail = "wang@hospital.example"
[account."dr.li"]
phone = "13800000002"
"""


@dataclass
class Screens:
    """A live feed that remembers."""

    told: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    watched = True

    def wave(self, unit: str, payload: bytes) -> None: ...

    def notify(self, kind: str, unit: str, body: dict[str, Any]) -> None:
        self.told.append((kind, unit, body))

    def mute_boards(self) -> list[MuteBoard]:
        return []


@dataclass
class Site:
    folder: Path
    database: Database
    settings: NotifySettings
    now: int = T0
    jitter: float = 1.0
    screens: Screens = field(default_factory=Screens)
    metrics: CollectorRegistry = field(default_factory=CollectorRegistry)
    notifier: Notifier = field(init=False)

    def __post_init__(self) -> None:
        self.notifier = self.another()

    def another(self) -> Notifier:
        """As a process that starts on the same database."""
        self.metrics = CollectorRegistry()
        return Notifier(
            writer=self.database,
            settings=self.settings,
            senders=build_senders(self.folder, self.settings),
            feed=self.screens,
            clock=lambda: self.now,
            metrics=self.metrics,
            random=lambda: self.jitter,
        )

    def raise_(self, *notices: Notice) -> None:
        commit(self.database, *notices)
        self.notifier.wake()

    async def work(self) -> None:
        """Until nothing is left to do at this moment."""
        notifier = self.notifier
        while True:
            notifier._awake.clear()
            pause = await notifier.turn()
            if any(notifier._in_flight.values()):
                await asyncio.wait_for(notifier._awake.wait(), 20)
            elif pause > 0:
                return

    def metric(self, name: str, **labels: str) -> float | None:
        return self.metrics.get_sample_value(name, labels)


def furnish(folder: Path, toml: str, files: Mapping[str, str]) -> Site:
    """A site of this ``notify.toml`` and these secret files."""
    for name, content in files.items():
        (folder / name).write_text(content)
    (folder / "notify.toml").write_text('language = "en"\nlink = "https://lastmile.example"\n' + toml + PEOPLE)
    return Site(folder, open_database(folder), load_notify(folder))


Furnish = Callable[[str, dict[str, str]], Site]


def hook(name: str, purpose: str, url: str) -> str:
    return f'[channel.{name}]\npurpose = "{purpose}"\nvia = "webhook"\nurl = "{url}"\nsecret_file = "key"\n'


def by_apprise(name: str, purpose: str) -> str:
    return f'[channel.{name}]\npurpose = "{purpose}"\nurl_file = "{name}.url"\n'


def board(site: Furnish, receiver: Receiver) -> Site:
    """One channel: another program."""
    return site(hook("board", "system", receiver.url), {"key": KEY})


def strong(site: Furnish, receiver: Receiver) -> Site:
    """Call, text message and app; a group beside them."""
    toml = hook("voice", "call", f"{receiver.url}/call") + by_apprise("sms", "sms") + by_apprise("app", "app")
    host = f"127.0.0.1:{receiver.port}"
    return site(toml, {
        "key": KEY,
        "sms.url": f"json://lastmile:token-of-sms@{host}/sms?:to={{address}}",
        "app.url": f"json://{host}/app/{{address}}",
    })  # fmt: skip
