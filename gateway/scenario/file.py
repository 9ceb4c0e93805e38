"""Reads a scenario's file and parts it: what happens goes to the simulators, the truth stays here."""

import importlib
import re
import tomllib
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Annotated, Any, Final, TypeVar

import msgspec

from firmware_sims import scenario as simulated
from firmware_sims.sim import devices_of
from gateway.contract.condition import CONDITIONS
from gateway.contract.envelope import Instant
from gateway.contract.quantity import ECG_LEADS_12, QUANTITIES, SECOND
from gateway.contract.topic import ID_PATTERN
from gateway.rules.catalogue import CATALOGUE
from gateway.rules.ruleset import read_ruleset
from gateway.scenario.place import line_of
from gateway.scenario.truth import AGENT, AlertSight, ConditionSight, ReadingSight, StSight, Table, Truth, fault

T = TypeVar("T")

ONLY_UNIT: Final = "unit-001"  # what the one unit of a file without [[unit]] is called
_PLACE: Final = re.compile(r"(.*) - at `(\$.*)`$", re.DOTALL)
_TOML_LINE: Final = re.compile(r"at line (\d+)")


class BrokenFile(ValueError):
    """The file cannot be used; the text says file, line and what was expected."""


class UnitPlan(msgspec.Struct, frozen=True):
    """One unit of a scenario."""

    name: str
    profile: str
    devices: list[str]
    tables: dict[str, Any]  # for its simulator: everything but the truth


class Plan(msgspec.Struct, frozen=True):
    """A scenario, ready to be run and judged."""

    name: str
    title: str
    duration: float  # s
    start: Instant | None  # what time it is when it begins; None = now
    units: list[UnitPlan]
    truths: list[Truth]  # each names its unit
    alerts: str = ""  # what the site's alerts.toml says


class _Head(Table, frozen=True, kw_only=True):
    """What only the run and the verdict need."""

    title: str
    duration: Annotated[float, msgspec.Meta(gt=0)]
    start: datetime | None = None
    alerts: str = ""
    truth: Annotated[list[Truth], msgspec.Meta(min_length=1)]


class _UnitName(msgspec.Struct, frozen=True):
    name: Annotated[str, msgspec.Meta(pattern=f"^{ID_PATTERN}$")]


def load(name: str) -> Plan:
    """The scenario of a file, or of the package when ``name`` is the bare name of one.

    Raises:
        BrokenFile: no such file, not TOML, an unknown key, values that make no sense, or a label nothing could show.
    """
    path = simulated.find(name)
    try:
        text = path.read_text("utf-8")
        tables = tomllib.loads(text)
    except OSError as error:
        raise BrokenFile(f"{path}: {error.strerror}; expected a scenario's file or one of {_names()}") from error
    except tomllib.TOMLDecodeError as error:
        found = _TOML_LINE.search(str(error))
        raise BrokenFile(f"{path}:{found[1] if found else 1}: {error}") from error
    except UnicodeDecodeError as error:
        raise BrokenFile(f"{path}:1: expected text in UTF-8: {error}") from error
    try:
        return _plan(path.stem, tables)
    except ValueError as error:  # msgspec.ValidationError is one
        found = _PLACE.match(str(error))
        what, place = (found[1], found[2]) if found else (str(error), "$")
        raise BrokenFile(f"{path}:{line_of(text, place)}: {what}") from error


def _names() -> str:
    return ", ".join(simulated.names())


def _plan(name: str, tables: dict[str, Any]) -> Plan:
    head = msgspec.convert({key: value for key, value in tables.items() if key in _Head.__struct_fields__}, _Head)
    rest = {key: value for key, value in tables.items() if key not in _Head.__struct_fields__}
    units = list(_units(rest))
    truths = [_placed(f"$.truth[{i}]", lambda t=truth: _checked(t, units, head)) for i, truth in enumerate(head.truth)]  # type: ignore[misc]
    labels = [(truth.unit, truth.label) for truth in truths]
    for number, label in enumerate(labels):
        if label in labels[:number]:
            raise ValueError(f"a second {label[1]!r} - at `$.truth[{number}].label`")
    start = None if head.start is None else _instant(head.start)
    _placed("$.alerts", lambda: read_ruleset(head.alerts.encode()))
    return Plan(name, head.title, head.duration, start, units, truths, head.alerts)


def _instant(start: datetime) -> Instant:
    if start.tzinfo is None:
        raise ValueError("expected a time with its offset, such as 2026-03-01T02:30:00+08:00 - at `$.start`")
    return int(start.timestamp() * SECOND)


def _units(rest: dict[str, Any]) -> Iterator[UnitPlan]:
    """The units of the file; one that names none is a unit itself."""
    several = rest.pop("unit", None)
    if several is None:
        yield _placed("$", lambda: _unit(ONLY_UNIT, rest))
        return
    if rest:
        raise ValueError(
            f"beside [[unit]] expected nothing but title, duration, start, alerts, truth - at `$.{next(iter(rest))}`"
        )
    for number, tables in enumerate(several):
        place = f"$.unit[{number}]"
        name = _placed(place, lambda tables=tables: msgspec.convert(tables, _UnitName).name)  # type: ignore[misc]
        own = {key: value for key, value in tables.items() if key != "name"}
        yield _placed(place, lambda name=name, own=own: _unit(name, own))  # type: ignore[misc]


def _unit(name: str, tables: dict[str, Any]) -> UnitPlan:
    tables = {**tables, "title": name}  # the file's own title may say what is the case
    scenario = simulated.parse(tables)
    try:
        cast = devices_of(scenario)
    except FileNotFoundError as error:
        raise ValueError(f"there is no profile {scenario.profile!r} - at `$.profile`") from error
    devices = [device for device, _ in cast]
    for number, wanted in enumerate(scenario.devices):
        if wanted not in devices:
            raise ValueError(f"the profile has no device {wanted!r} - at `$.devices[{number}]`")
    also = tuple(prefix for kind in {kind for _, kind in cast} for prefix in _also(kind))
    for number, step in enumerate(scenario.step):
        if step.device not in devices and not step.device.startswith(also):
            raise ValueError(f"no device {step.device!r}, expected one of {devices} - at `$.step[{number}].device`")
    return UnitPlan(name, scenario.profile, devices, tables)


def _also(kind: str) -> tuple[str, ...]:
    """How things begin that steps may name beside the profile's devices: the tags a scanner hears."""
    try:
        module = importlib.import_module(f"firmware_sims.devices.{kind}")
    except ModuleNotFoundError as error:
        raise ValueError(f"nothing simulates a {kind}; expected `devices` without it - at `$.profile`") from error
    prefixes: tuple[str, ...] = getattr(module, "ALSO", ())
    return prefixes


def _checked(truth: Truth, units: list[UnitPlan], head: _Head) -> Truth:
    if (wrong := fault(truth, head.duration)) is not None:
        raise ValueError(wrong)
    unit = next((unit for unit in units if unit.name == truth.unit or (not truth.unit and len(units) == 1)), None)
    if unit is None:
        raise ValueError(f"expected one of {[unit.name for unit in units]} - at `$.unit`")
    match truth.sight:
        case ReadingSight(quantity=quantity) if quantity not in QUANTITIES:
            raise ValueError(f"{quantity!r} is no quantity, see gateway/contract/quantity.py - at `$.reading.quantity`")
        case StSight(lead=lead) if lead not in ECG_LEADS_12:
            raise ValueError(f"{lead!r} is no lead, expected one of {list(ECG_LEADS_12)} - at `$.st.lead`")
        case ConditionSight(code=code) if code not in CONDITIONS:
            raise ValueError(f"{code!r} is no condition, see gateway/contract/condition.py - at `$.condition.code`")
        case AlertSight(rule=rule) if rule not in CATALOGUE:
            raise ValueError(f"{rule!r} is no alert, see gateway/rules/catalogue.py - at `$.alert.rule`")
    if truth.sight is not None and truth.sight.device not in {"", AGENT, *unit.devices}:
        raise ValueError(f"no device {truth.sight.device!r}, expected one of {unit.devices} or {AGENT}")
    return msgspec.structs.replace(truth, unit=unit.name)


def _placed(place: str, act: Callable[[], T]) -> T:
    """What ``act`` returns; what it complains of lies below ``place``."""
    try:
        return act()
    except ValueError as error:
        found = _PLACE.match(str(error))
        what, below = (found[1], found[2].removeprefix("$")) if found else (str(error), "")
        raise ValueError(f"{what} - at `{place}{below}`") from error
