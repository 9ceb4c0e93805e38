"""Settings of one data directory: ``DIR/lastmile.toml``, every key optional."""

import os
from pathlib import Path
from typing import Annotated

import msgspec


class HttpSettings(msgspec.Struct, frozen=True):
    """Where people and screens connect. Beyond loopback put a TLS proxy in front."""

    host: str = "127.0.0.1"
    port: int = 0


class BrokerSettings(msgspec.Struct, frozen=True):
    """Where devices connect. ``sync_interval`` decides what a power cut takes from the log, which is a cache."""

    host: str = "127.0.0.1"
    mqtt_host: str = "127.0.0.1"
    mqtt: int = 0
    nats: int = 0
    sync_interval: str = "2m"
    log_hours: float = 72
    log_bytes: int = 8 << 30


class RetentionSettings(msgspec.Struct, frozen=True):
    """How long the database keeps what, in days (0 = for ever), and how large it may grow: waveforms go first."""

    waveform_days: float = 30
    numeric_days: float = 3 * 365
    event_days: float = 0
    reject_days: float = 90
    bytes: int = 50 << 30


class SessionSettings(msgspec.Struct, frozen=True):
    """After how long without use a health kiosk's session ends when nobody has said that it is over."""

    idle_minutes: Annotated[float, msgspec.Meta(gt=0, le=120)] = 5


class Settings(msgspec.Struct, frozen=True):
    """All of it."""

    http: HttpSettings = HttpSettings()
    broker: BrokerSettings = BrokerSettings()
    retention: RetentionSettings = RetentionSettings()
    sessions: SessionSettings = SessionSettings()


class SettingsError(ValueError):
    """The settings file cannot be used; the message says where and why."""


def load_settings(data: Path) -> Settings:
    """The settings of a data directory; defaults when it has no file.

    Raises:
        SettingsError: not TOML, or a key has the wrong type.
    """
    path = data / "lastmile.toml"
    if not path.exists():
        return Settings()
    try:
        return msgspec.toml.decode(path.read_bytes(), type=Settings)
    except msgspec.MsgspecError as error:
        raise SettingsError(f"{path}: {error}") from error


def write_private(path: Path, content: bytes) -> None:
    """Writes a file only its owner can read; readers see the old or the new content, never half of it."""
    part = path.with_suffix(f".part{os.getpid()}")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
    part.replace(path)
