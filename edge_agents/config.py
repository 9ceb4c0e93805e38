"""What an agent is told: a profile (which devices a unit of this kind has) and the options of one start."""

import tomllib
from importlib import resources
from pathlib import Path
from typing import Annotated, Final

import msgspec

from gateway.contract.envelope import DeviceId
from gateway.contract.topic import UnitKind

MEBIBYTE: Final = 1024 * 1024


class ConfigError(ValueError):
    """The profile or an option cannot be used; the text says which and why."""


class DeviceConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One device of a profile."""

    name: DeviceId
    kind: str = ""  # module in edge_agents/devices; empty for links that yield readings themselves
    link: str = "serial_stream"
    silent_after: Annotated[float, msgspec.Meta(ge=0)] = (
        0.0  # seconds without data until the device is reported; 0 = never
    )
    address: str = ""  # used when the command line gives none


class OutboxConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much the outbox may hold and how often it commits."""

    max_megabytes: Annotated[float, msgspec.Meta(ge=1)] = 512.0  # MiB
    commit_window: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.02  # seconds


class Profile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One kind of unit."""

    name: str
    kind: UnitKind
    device: list[DeviceConfig]
    outbox: OutboxConfig = OutboxConfig()
    keepalive: Annotated[int, msgspec.Meta(ge=1)] = 15  # seconds


class AgentOptions(msgspec.Struct, frozen=True, kw_only=True):
    """One start of an agent."""

    unit: str
    site: str
    profile: Profile
    broker_host: str
    broker_port: int
    token: str
    outbox: Path
    links: dict[str, str]  # device name -> address
    simulated: bool = False


def load_profile(name_or_path: str) -> Profile:
    """The profile of that name in edge_agents/profiles, or in that file.

    Raises:
        ConfigError: no such profile, or it is not a valid one.
    """
    try:
        if name_or_path.endswith(".toml"):
            text = Path(name_or_path).read_text(encoding="utf-8")
        else:
            text = (resources.files("edge_agents") / "profiles" / f"{name_or_path}.toml").read_text(encoding="utf-8")
        return msgspec.convert(tomllib.loads(text), Profile)
    except (OSError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ConfigError(f"profile {name_or_path}: {error}") from error


def parse_links(profile: Profile, arguments: list[str]) -> dict[str, str]:
    """Addresses by device name, from ``NAME=ADDRESS`` arguments over the profile's defaults.

    Raises:
        ConfigError: not of that form, or no such device in the profile.
    """
    links = {device.name: device.address for device in profile.device if device.address}
    names = [device.name for device in profile.device]
    for argument in arguments:
        name, equals, address = argument.partition("=")
        if not equals or not address:
            raise ConfigError(f"--link {argument}: expected NAME=ADDRESS")
        if name not in names:
            raise ConfigError(f"--link {argument}: profile {profile.name} has no device {name!r}, only {names}")
        links[name] = address
    return links


def parse_broker(text: str) -> tuple[str, int]:
    """Host and port of ``HOST:PORT``.

    Raises:
        ConfigError: not of that form.
    """
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal():
        raise ConfigError(f"broker {text!r}: expected HOST:PORT")
    return host, int(port)
