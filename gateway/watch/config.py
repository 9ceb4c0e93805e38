"""The watcher's own settings, ``DIR/watch.toml``: nothing of the gateway's is read, or both would be wrong together."""

import tomllib
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec

from gateway.adapters.notify.settings import Via
from gateway.adapters.notify.signing import SigningKey
from gateway.config import SettingsError

NAME: Final = "watch.toml"
SHORTEST_PATIENCE: Final = 10.0  # s: a canary comes every 5 s, and is seen up to two rounds later
LONGEST_PATIENCE: Final = 25.0  # s: with a round every 2 s whatever stops is told within 30 s


class Channel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One way to the person who is on call: an apprise URL in a file, or a signed webhook."""

    via: Via = Via.APPRISE
    url: str = ""  # of a webhook
    url_file: str = ""  # holds an apprise URL without {address}
    secret_file: str = ""  # holds a webhook's key, whsec_...


class WatchSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of it; every key optional."""

    language: Literal["zh", "en"] = "zh"
    gateway: str = ""  # http://HOST:PORT of the gateway; "" = the one of this data directory
    broker: str = ""  # HOST:PORT of the MQTT listener; "" = the one of this data directory
    patience: Annotated[float, msgspec.Meta(ge=SHORTEST_PATIENCE, le=LONGEST_PATIENCE)] = 15.0  # s
    start_grace: Annotated[float, msgspec.Meta(ge=0, le=600)] = 60.0  # s after its own start
    channel: dict[str, Channel] = {}


class Secrets(msgspec.Struct, frozen=True):
    """What the files say, by channel. Not for printing."""

    urls: dict[str, str] = {}
    keys: dict[str, SigningKey] = {}

    def __repr__(self) -> str:
        return f"Secrets(urls={list(self.urls)}, keys={list(self.keys)})"


def load_watch(data: Path) -> tuple[WatchSettings, Secrets]:
    """The settings of a data directory; without a file it tells its own log only.

    Raises:
        SettingsError: names the file, the key and what was expected; never a secret.
    """
    path = data / NAME
    if not path.exists():
        return WatchSettings(), Secrets()
    try:
        settings = msgspec.convert(tomllib.loads(path.read_text("utf-8")), WatchSettings)
        _check_broker(settings.broker)
        return settings, _read_secrets(data, settings)
    except (OSError, ValueError) as error:  # not TOML and not UTF-8 are ones, too
        raise SettingsError(f"{path}: {error}") from None


def _check_broker(text: str) -> None:
    host, _, port = text.rpartition(":")
    if text and not (host and port.isdecimal() and 0 < int(port) < 65_536):
        raise ValueError("broker: expected HOST:PORT")


def _read_secrets(data: Path, settings: WatchSettings) -> Secrets:
    urls, keys = {}, {}
    for name, channel in settings.channel.items():
        place = f"channel.{name}"
        if channel.via is Via.WEBHOOK:
            if not channel.url.startswith(("https://", "http://")):
                raise ValueError(f"{place}.url: expected http:// or https:// and a host")
            keys[name] = SigningKey.parse(_first_line(data, f"{place}.secret_file", channel.secret_file))
        else:
            urls[name] = _first_line(data, f"{place}.url_file", channel.url_file)
    return Secrets(urls, keys)


def _first_line(data: Path, key: str, name: str) -> str:
    try:
        lines = (data / name).read_text("utf-8").split() if name else []
    except (OSError, UnicodeDecodeError):
        lines = []
    if not lines:
        raise ValueError(f"{key}: expected a file with one line")
    return lines[0]
