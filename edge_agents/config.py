"""What an agent is told: a profile (which devices a unit of this kind has) and the options of one start."""

from importlib import resources
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec

from edge_agents import toml_file
from gateway.contract.envelope import DeviceId
from gateway.contract.topic import UnitKind

MEBIBYTE: Final = 1024 * 1024


class ConfigError(ValueError):
    """The profile or an option cannot be used; the text says which and why.

    ``device`` and ``part`` (kind, options, address), if given, say which row of the profile it is about.
    """

    def __init__(self, text: str, device: str = "", part: str = "") -> None:
        super().__init__(text)
        self.device = device
        self.part = part


class DeviceConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One device of a profile."""

    name: DeviceId
    kind: str = ""  # module in edge_agents/devices; empty for links that yield readings themselves
    line: Literal["", "serial"] = ""  # how its family wires a Modbus device; what is really there, the address says
    silent_after: Annotated[float, msgspec.Meta(ge=0)] = (
        0.0  # seconds without data until the device is reported; 0 = never
    )
    address: str = ""  # used when the command line gives none
    options: dict[str, str] = {}  # what the device file lets a site set, e.g. datum = "gcj-02"
    secrets: dict[str, str] = {}  # the same, but the value is the content of this file
    motion: bool = False  # whether a remote command may move it; its own interlocks hold all the same


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


class AgentFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What ``lastmile agent --config FILE`` reads; the command line wins over it. Paths are relative to FILE."""

    unit: str = ""
    site: str = ""
    profile: str = ""
    broker: str = ""
    token_file: str = ""
    outbox: str = ""
    link: dict[DeviceId, str] = {}  # device name -> address
    simulated: bool = False


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
            return toml_file.read(Path(name_or_path), Profile)
        text = (resources.files("edge_agents") / "profiles" / f"{name_or_path}.toml").read_text(encoding="utf-8")
        return toml_file.parse(text, Profile, f"{name_or_path}.toml")
    except OSError as error:
        known = ", ".join(profiles())
        raise ConfigError(f"profile {name_or_path}: expected one of {known}, or a .toml file") from error
    except toml_file.TomlError as error:
        raise ConfigError(str(error)) from error


def profiles() -> list[str]:
    """Names of the profiles that come along."""
    folder = resources.files("edge_agents") / "profiles"
    return sorted(path.name.removesuffix(".toml") for path in folder.iterdir() if path.name.endswith(".toml"))


def load_file(path: Path) -> AgentFile:
    """A site's agent file, its paths made absolute.

    Raises:
        ConfigError: with file, line and what was expected.
    """
    try:
        found = toml_file.read(path, AgentFile)
    except toml_file.TomlError as error:
        raise ConfigError(str(error)) from error
    paths = {name: str(path.parent / text) for name in ("token_file", "outbox") if (text := getattr(found, name))}
    if found.profile.endswith(".toml"):
        paths["profile"] = str(path.parent / found.profile)
    return msgspec.structs.replace(found, **paths)


def split_links(arguments: list[str]) -> dict[str, str]:
    """Address by device name, of ``NAME=ADDRESS`` arguments.

    Raises:
        ConfigError: not of that form.
    """
    links = {}
    for argument in arguments:
        name, equals, address = argument.partition("=")
        if not equals or not address:
            raise ConfigError(f"--link {argument}: expected NAME=ADDRESS")
        links[name] = address
    return links


def join_links(profile: Profile, given: dict[str, str]) -> dict[str, str]:
    """Addresses by device name: those given, over the profile's defaults.

    Raises:
        ConfigError: no such device in the profile.
    """
    names = [device.name for device in profile.device]
    if unknown := [name for name in given if name not in names]:
        raise ConfigError(f"link {unknown[0]}: expected one of profile {profile.name}'s devices, {', '.join(names)}")
    return {device.name: device.address for device in profile.device if device.address} | given


def parse_broker(text: str) -> tuple[str, int]:
    """Host and port of ``HOST:PORT``.

    Raises:
        ConfigError: not of that form.
    """
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal():
        raise ConfigError(f"broker {text!r}: expected HOST:PORT")
    return host, int(port)
