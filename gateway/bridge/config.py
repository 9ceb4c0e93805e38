"""The bridge's TOML file: the foreign broker, and the map from its topics and payloads to ours."""

import tomllib
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec

from gateway.bridge.codec import Codec
from gateway.bridge.flat_json import FlatJson
from gateway.bridge.topic_map import Route, TopicPattern
from gateway.contract.quantity import QUANTITIES
from gateway.contract.topic import UnitKind, is_id

CODECS: Final = (FlatJson.__struct_config__.tag,)
Positive = Annotated[float, msgspec.Meta(gt=0)]


class ConfigError(ValueError):
    """The file cannot be used; the text names it, the key or line, and what was expected."""


class ForeignBroker(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the foreign messages are. Files are looked for beside the configuration."""

    host: str
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 1883
    protocol: Literal["5", "3.1.1"] = "5"
    share: str = ""  # name of a shared subscription (MQTT 5); "" = a plain one
    receive_maximum: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 1000  # messages not yet acknowledged (MQTT 5)
    session_hours: Positive = 72.0  # how long the broker keeps our queue while we are away (MQTT 5)
    keepalive: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 30  # s
    username: str = ""
    password_file: str = ""  # its first line
    tls: bool = False
    ca_file: str = ""  # "" = the system's authorities
    cert_file: str = ""
    key_file: str = ""


class Memory(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the bridge keeps in its own file."""

    remember_hours: Positive = 24.0  # messages recognised when the foreign broker delivers them again
    keep_hours: Positive = 72.0  # records the gateway has not acknowledged; as long as the log keeps them
    max_megabytes: Positive = 512.0  # of those records; beyond it the oldest are left to the log alone


class Mapping(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One pattern of topics and the codec of what is published there."""

    topic: str
    kind: UnitKind
    codec: FlatJson  # a union as soon as there is a second one; ``name`` tells which
    site: str = ""
    unit: str = ""
    device: str = ""
    units: dict[str, str] = {}


class BridgeConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file."""

    name: str  # client id at the foreign broker; refusals that name no unit go by it
    broker: ForeignBroker
    map: Annotated[list[Mapping], msgspec.Meta(min_length=1)]
    memory: Memory = Memory()


class Translation(msgspec.Struct, frozen=True):
    """A mapping ready for use."""

    route: Route
    codec: Codec


def load_config(path: Path, name: str | None = None) -> BridgeConfig:
    """The file's content, checked; ``name`` takes the place of the file's.

    Raises:
        ConfigError: not readable, not TOML, or a key is missing, unknown or has a wrong value.
    """
    try:
        config = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), BridgeConfig)
        config = msgspec.structs.replace(config, name=name or config.name)
        _check(config)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, ValueError) as error:
        expected = f", expected one of {', '.join(map(str, CODECS))}" if str(error).endswith(".codec.name`") else ""
        raise ConfigError(f"{path}: {error}{expected}") from error
    broker = config.broker
    files = {key: _beside(path, getattr(broker, key)) for key in ("password_file", "ca_file", "cert_file", "key_file")}
    for key, file in files.items():
        if file and not Path(file).is_file():
            raise ConfigError(f"{path}: broker.{key}: expected a file, found none at {file}")
    return msgspec.structs.replace(config, broker=msgspec.structs.replace(broker, **files))


def translations(config: BridgeConfig) -> list[Translation]:
    """The map, ready for use: the first pattern that fits counts."""
    return [
        Translation(
            Route(
                pattern=TopicPattern(row.topic), kind=row.kind, site=row.site, unit=row.unit, device=row.device,
                units=row.units,
            ),
            row.codec,
        )
        for row in config.map
    ]  # fmt: skip


def _beside(path: Path, name: str) -> str:
    return str(path.parent / name) if name else ""


def _check(config: BridgeConfig) -> None:
    """What types cannot say; raises ValueError naming the key."""
    broker = config.broker
    _expect(is_id(config.name), "name", "1 to 48 of a-z, 0-9 and -", config.name)
    if broker.share:
        _expect(broker.protocol == "5", "broker.share", 'protocol = "5" (3.1.1 has none)', broker.share)
        _expect(not set("/+#") & set(broker.share), "broker.share", "a name without / + #", broker.share)
    if broker.password_file:
        _expect(broker.username, "broker.username", "a name to go with password_file", "")
    _expect(bool(broker.cert_file) == bool(broker.key_file), "broker.key_file", "cert_file and key_file together", "")
    if broker.ca_file or broker.cert_file:
        _expect(broker.tls, "broker.tls", "true, to go with certificates", broker.tls)
    for number, row in enumerate(config.map):
        _check_mapping(f"map[{number}]", row)


def _check_mapping(at: str, row: Mapping) -> None:
    try:
        names = TopicPattern(row.topic).names
    except ValueError as error:
        raise ValueError(f"{at}.topic: expected {error}") from error
    for name, fixed in (("site", row.site), ("unit", row.unit), ("device", row.device)):
        where = f"{at}.{name}"
        elsewhere = name == "device" and bool(row.codec.device_key)
        if name in names or elsewhere:
            _expect(not fixed, where, "nothing, because topic or device_key says it", fixed)
        else:
            _expect(is_id(fixed), where, f"an id (a-z, 0-9, -), or {{{name}}} in topic", fixed)
    _expect(not ("device" in names and row.codec.device_key), f"{at}.codec.device_key", "nothing beside {device}", "")
    for foreign, unit in row.units.items():
        _expect(is_id(unit), f"{at}.units.{foreign}", "an id (a-z, 0-9, -)", unit)
    targets = row.codec.targets
    _expect(targets, f"{at}.codec.quantities", "at least one key", targets)
    for target in targets:
        _expect(target in QUANTITIES, f"{at}.codec.quantities", "names of the table of quantities", target)
    _expect(len(set(targets)) == len(targets), f"{at}.codec.quantities", "each quantity once", targets)


def _expect(holds: object, key: str, expected: str, got: object) -> None:
    if not holds:
        raise ValueError(f"{key}: expected {expected}, got {got!r}")
