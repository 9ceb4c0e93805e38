"""Settings of one data directory: ``DIR/lastmile.toml``, every key optional."""

import os
import re
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec


class HttpSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where people and screens connect. Beyond loopback put a TLS proxy in front."""

    host: str = "127.0.0.1"
    port: int = 0


class BrokerSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where devices connect. ``sync_interval`` decides what a power cut takes from the log, which is a cache."""

    host: str = "127.0.0.1"
    mqtt_host: str = "127.0.0.1"
    mqtt: int = 0
    nats: int = 0
    sync_interval: str = "2m"
    log_hours: float = 72
    log_bytes: int = 8 << 30


class RetentionSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long the database keeps what, in days (0 = for ever), and how large it may grow: waveforms go first."""

    waveform_days: float = 30
    numeric_days: float = 3 * 365
    event_days: float = 0
    reject_days: float = 90
    bytes: int = 50 << 30


class SessionSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """After how long without use a health kiosk's session ends when nobody has said that it is over."""

    idle_minutes: Annotated[float, msgspec.Meta(gt=0, le=120)] = 5


class DeriveSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is not to be derived, names as in docs/intended-use.md; whose categories of blood pressure count."""

    off: tuple[str, ...] = ()
    blood_pressure: Literal["china", "aha", "esc"] = "china"


class HoursSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From when to when somebody sits there, local time; ``days``: 0 = Monday; ``utc_offset``: hours."""

    opens: Annotated[str, msgspec.Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
    closes: Annotated[str, msgspec.Meta(pattern=r"^(([01]\d|2[0-3]):[0-5]\d|24:00)$")]
    days: tuple[Annotated[int, msgspec.Meta(ge=0, le=6)], ...] = (0, 1, 2, 3, 4, 5, 6)
    utc_offset: Annotated[float, msgspec.Meta(ge=-12, le=14)] = 8


class ServiceHoursSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Outside them nobody is asked to come: a machine calls the patient, and a task waits. Project defaults."""

    kiosk: HoursSettings = HoursSettings("08:00", "18:00")
    home: HoursSettings = HoursSettings("08:00", "20:00")


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of it."""

    http: HttpSettings = HttpSettings()
    broker: BrokerSettings = BrokerSettings()
    retention: RetentionSettings = RetentionSettings()
    sessions: SessionSettings = SessionSettings()
    derive: DeriveSettings = DeriveSettings()
    service_hours: ServiceHoursSettings = ServiceHoursSettings()


class SettingsError(ValueError):
    """The settings file cannot be used; the message says where and why."""


def load_settings(data: Path) -> Settings:
    """The settings of a data directory; defaults when it has no file.

    Raises:
        SettingsError: not TOML, a key nobody knows, or a value that is not what was expected.
    """
    path = data / "lastmile.toml"
    if not path.exists():
        return Settings()
    try:
        return msgspec.toml.decode(path.read_bytes(), type=Settings)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: {_readable(str(error))}") from error


_PLACE: Final = re.compile(
    r"(?P<what>.*?)(?: - at `\$\.?(?P<key>[^`]*)`)?$", re.DOTALL
)  # how msgspec ends its messages
_UNKNOWN: Final = re.compile(r"Object contains unknown field `([^`]+)`")


def _readable(message: str) -> str:
    """``key: what was expected``, of what msgspec says."""
    found = _PLACE.fullmatch(message)
    assert found is not None
    what, table = found["what"], found["key"] or ""
    if unknown := _UNKNOWN.fullmatch(what):
        key = f"{table}.{unknown[1]}" if table else unknown[1]
        return f"{key}: no such key, expected one of {', '.join(_keys(table))}"
    return f"{table}: {what[:1].lower()}{what[1:]}" if table else what


def _keys(table: str) -> list[str]:
    """The keys of a table of the settings."""
    kind: Any = Settings
    for name in table.split(".") if table else ():
        kind = next(field.type for field in msgspec.structs.fields(kind) if field.name == name)
    return [field.encode_name for field in msgspec.structs.fields(kind)]


def write_private(path: Path, content: bytes) -> None:
    """Writes a file only its owner can read; readers see the old or the new content, never half of it."""
    part = path.with_suffix(f".part{os.getpid()}")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
    part.replace(path)
