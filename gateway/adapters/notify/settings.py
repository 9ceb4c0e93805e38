"""Who is told by which channel: ``DIR/notify.toml``, and the secrets in files beside it.

Without the file there is one channel, the screens. What is secret (an apprise URL with its token, a signing key)
stands in a file of its own, is read once, and is never part of a message, a log line or an error.
"""

import tomllib
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from gateway.adapters.notify.signing import SigningKey
from gateway.config import SettingsError
from gateway.rules.catalogue import Priority

T = TypeVar("T")

NAME: Final = "notify.toml"
PLACE: Final = "{address}"  # where the recipient stands in a personal channel's URL
SCREEN: Final = "screen"  # the channel that is always there


class Purpose(StrEnum):
    """What a channel is for."""

    CALL = "call"  # a voice call
    SMS = "sms"
    APP = "app"  # a message on somebody's phone that can break through a muted one
    MAIL = "mail"
    GROUP = "group"  # a chat group's robot: digests within its rate limit
    SYSTEM = "system"  # another program, told of every notice


PERSONAL: Final = {Purpose.CALL: "phone", Purpose.SMS: "phone", Purpose.APP: "app", Purpose.MAIL: "mail"}


class Via(StrEnum):
    """How a channel is reached."""

    APPRISE = "apprise"  # an apprise URL; {address} in it is replaced by whom it is for
    WEBHOOK = "webhook"  # HTTP POST, signed as Standard Webhooks say; a voice-call service is reached by one too


class Channel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One way out. ``sites`` and ``priorities`` restrict groups and systems; empty = all."""

    purpose: Purpose
    via: Via = Via.APPRISE
    url: str = ""  # of a webhook
    url_file: str = ""  # holds an apprise URL
    secret_file: str = ""  # holds a webhook's key, whsec_...
    per_minute: Annotated[int, msgspec.Meta(ge=2, le=20)] = 20  # messages to a group; the robots' own limit is 20
    sites: list[str] = []
    priorities: list[Priority] = []


class Address(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where an account, or a role nobody has an account for, is reached."""

    phone: str = ""
    app: str = ""  # id the app channel knows the person by
    mail: str = ""

    def for_(self, purpose: Purpose) -> str:
        """The address a channel of ``purpose`` needs; "" = there is none."""
        address: str = getattr(self, PERSONAL[purpose])
        return address


_TIME: Final = r"^([01]\d|2[0-3]):[0-5]\d$"


class Quiet(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What waits until the hours are over. High priority never waits, and screens do not either."""

    start: Annotated[str, msgspec.Meta(pattern=_TIME)]
    end: Annotated[str, msgspec.Meta(pattern=_TIME)]
    purposes: list[Purpose]
    priorities: tuple[Priority, ...] = (Priority.LOW, Priority.MEDIUM)


class NotifySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of it."""

    language: Literal["zh", "en"] = "zh"
    link: str = ""  # address of the page as phones reach it; "" = messages carry none
    timezone: str = "Asia/Shanghai"  # of quiet hours
    channel: dict[str, Channel] = {}
    account: dict[str, Address] = {}
    role: dict[str, Address] = {}
    quiet: list[Quiet] = []


class Secrets(msgspec.Struct, frozen=True):
    """What the files say, by channel. Not for printing."""

    urls: dict[str, str] = {}
    keys: dict[str, SigningKey] = {}

    def __repr__(self) -> str:
        return f"Secrets(urls={list(self.urls)}, keys={list(self.keys)})"


def load_notify(data: Path) -> NotifySettings:
    """The settings of a data directory, checked; screens only when it has no file.

    Raises:
        SettingsError: names the file, the key and what was expected.
    """
    path = data / NAME
    if not path.exists():
        return NotifySettings()
    try:
        settings = _convert(tomllib.loads(path.read_text(encoding="utf-8")))
        _check(settings)
    except (ValueError, UnicodeDecodeError) as error:  # not TOML is one, too
        raise SettingsError(f"{path}: {error}") from error
    load_secrets(data, settings)
    return settings


def load_secrets(data: Path, settings: NotifySettings) -> Secrets:
    """What the channels' secret files hold; relative names are looked for beside ``notify.toml``.

    Raises:
        SettingsError: a file cannot be read or holds something else; it is named, its content is not.
    """
    urls, keys = {}, {}
    for name, channel in settings.channel.items():
        try:
            if channel.via is Via.APPRISE:
                urls[name] = _first_line(data, f"channel.{name}.url_file", channel.url_file)
                place = "with" if channel.purpose in PERSONAL else "without"
                fits = (PLACE in urls[name]) == (place == "with")
                _expect(fits, f"channel.{name}.url_file", f"an apprise URL {place} {PLACE} for the recipient")
            else:
                keys[name] = SigningKey.parse(_first_line(data, f"channel.{name}.secret_file", channel.secret_file))
        except ValueError as error:
            text = str(error) if str(error).startswith("channel.") else f"channel.{name}.secret_file: {error}"
            raise SettingsError(f"{data / NAME}: {text}") from None  # the cause may quote the secret
    return Secrets(urls, keys)


def _first_line(data: Path, key: str, name: str) -> str:
    file = data / name
    try:
        lines = file.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError):
        lines = []
    if not lines:
        raise ValueError(f"{key}: expected a file with one line, found none at {file}")
    return lines[0]


def _convert(raw: dict[str, Any]) -> NotifySettings:
    """Table by table, so that an error names the table: msgspec does not tell the key of a map."""
    for section, kind in (("channel", Channel), ("account", Address), ("role", Address)):
        tables = raw.get(section, {})
        _expect(isinstance(tables, dict), section, f"tables [{section}.NAME]")
        raw[section] = {name: _convert_one(f"{section}.{name}", table, kind) for name, table in tables.items()}
    return _convert_one("", raw, NotifySettings)


def _convert_one(where: str, table: Any, kind: type[T]) -> T:
    try:
        return msgspec.convert(table, kind)
    except msgspec.ValidationError as error:
        what, _, place = str(error).partition(" - at `$")
        key = (where + place.rstrip("`")).lstrip(".")
        raise ValueError(f"{key}: {what[:1].lower()}{what[1:]}" if key else what) from error


def _check(settings: NotifySettings) -> None:
    """What types cannot say; raises ValueError naming the key."""
    try:
        ZoneInfo(settings.timezone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"timezone: expected an IANA name such as Asia/Shanghai, got {settings.timezone!r}") from error
    _expect(not settings.link or _is_web(settings.link), "link", "http:// or https:// and a host")
    for name, channel in settings.channel.items():
        _check_channel(f"channel.{name}", name, channel)
    for number, quiet in enumerate(settings.quiet):
        _expect(quiet.start != quiet.end, f"quiet[{number}].end", "another time than start")
        _expect(Priority.HIGH not in quiet.priorities, f"quiet[{number}].priorities", "low or medium: high never waits")


def _check_channel(at: str, name: str, channel: Channel) -> None:
    _expect(name != SCREEN, at, f"another name: {SCREEN} is there already")
    if channel.via is Via.APPRISE:
        _expect(bool(channel.url_file), f"{at}.url_file", "a file that holds the apprise URL")
        _expect(not channel.url, f"{at}.url", "nothing: an apprise URL holds secrets, so it stands in url_file")
        _expect(not channel.secret_file, f"{at}.secret_file", "nothing: apprise has its keys in the URL")
    else:
        _expect(_is_web(channel.url), f"{at}.url", "http:// or https:// and a host")
        _expect(bool(channel.secret_file), f"{at}.secret_file", "a file that holds the signing key, whsec_...")
        _expect(not channel.url_file, f"{at}.url_file", "nothing: a webhook has url and secret_file")
    narrow = channel.sites or channel.priorities
    _expect(not narrow or channel.purpose not in PERSONAL, f"{at}.sites", "nothing: a person's channel takes all")


def _is_web(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in {"http", "https"} and bool(parts.hostname)


def _expect(holds: bool, key: str, expected: str) -> None:
    if not holds:
        raise ValueError(f"{key}: expected {expected}")
