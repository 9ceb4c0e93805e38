"""The catalogue as a site has it: its defaults with what ``alerts.toml`` says instead, under a version of its own.

The version is a hash of everything that decides when an alert is raised. Each alert stores the one that made it.
"""

import re
from collections.abc import Collection
from hashlib import sha256
from typing import Annotated, Any, Final

import msgspec

from gateway.contract.envelope import DeviceId
from gateway.contract.quantity import HOUR, MINUTE, QUANTITIES, SECOND
from gateway.contract.topic import UnitKind
from gateway.derive.population import Population
from gateway.rules.catalogue import CATALOGUE
from gateway.rules.condition import EVERY_PROBE, Combined, Condition, Direction, Threshold
from gateway.rules.places import PLACES, Place
from gateway.rules.row import Hours, Priority, Row

CHINA: Final = 8 * HOUR  # no summer time there; a site elsewhere says ``utc-offset``
VERSION_DIGITS: Final = 12
_RANK: Final = {Priority.LOW: 0, Priority.MEDIUM: 1, Priority.HIGH: 2}
_OFFSET: Final = re.compile(r"([+-])(\d\d):([0-5]\d)")
_HOURS: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")
_ALWAYS: Final = "always"
_NUMBERS: Final = ("limit", "hysteresis", "for_", "clear_for", "repeat")  # what only a condition on a value has
_NOT_SINGLE: Final = "only of medium and low alerts that one reading raises at once"
_Seconds = Annotated[float, msgspec.Meta(ge=0, le=86_400)]


class RulesError(ValueError):
    """The site's file cannot be used; the message says which key and what was expected."""


class Override(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """What a site may say of one alert; durations in seconds."""

    limit: float | None = None
    limits: dict[str, float] = {}  # by population, or, of a row with several limits, by quantity
    hysteresis: Annotated[float, msgspec.Meta(ge=0)] | None = None
    for_: _Seconds | None = msgspec.field(name="for", default=None)
    clear_for: _Seconds | None = None
    repeat: _Seconds | None = None  # how long a single reading waits for a second one
    priority: Priority | None = None
    hours: str | None = None
    enabled: bool = True


class PlaceOverride(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """What a site may say of one kind of place."""

    silence: Annotated[float, msgspec.Meta(gt=0, le=7 * 86_400)] | None = None  # s
    hours: str | None = None
    exits: tuple[DeviceId, ...] = ()


class Ruleset(msgspec.Struct, frozen=True):
    """What counts here."""

    rows: dict[str, Row]
    places: dict[UnitKind, Place]
    utc_offset: int
    overrides: dict[str, Any]  # as the file says
    version: str
    by_quantity: dict[str, tuple[Row, ...]]


def default_ruleset(off: Collection[str] = ()) -> Ruleset:
    """The catalogue as it comes. ``off``: derivations that are switched off; what stands on them is off as well."""
    return _ruleset(dict(CATALOGUE), dict(PLACES), CHINA, {}, off)


def read_ruleset(text: bytes, off: Collection[str] = ()) -> Ruleset:
    """The catalogue with a site's overrides.

    Raises:
        RulesError: not TOML, an unknown key or alert, a value that cannot be, a lethal alert weakened.
    """
    try:
        said = msgspec.toml.decode(text, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise RulesError(f"not TOML: {error}") from error
    rows, places, offset = dict(CATALOGUE), dict(PLACES), CHINA
    for key, value in said.items():
        if key == "utc-offset":
            offset = _offset(value)
        elif key == "alert":
            for code, entry in _table("alert", value).items():
                rows[code] = _row(code, entry)
        elif key == "place":
            for kind, entry in _table("place", value).items():
                known = UnitKind(_known("place", kind, UnitKind))
                places[known] = _place(known, entry)
        else:
            raise RulesError(f"{key}: unknown key; expected utc-offset, alert or place")
    _check_ladders(rows)
    return _ruleset(rows, places, offset, said, off)


def _ruleset(
    rows: dict[str, Row], places: dict[UnitKind, Place], offset: int, said: dict[str, Any], off: Collection[str]
) -> Ruleset:
    rows = {code: msgspec.structs.replace(row, enabled=row.enabled and row.derivation not in off)
            for code, row in rows.items()}  # fmt: skip
    said = said | ({"derive": {"off": sorted(off)}} if off else {})
    plain = msgspec.json.decode(msgspec.json.encode(rows), type=dict[str, Row])  # 130 and 130.0 are one limit
    content = msgspec.json.encode((plain, places, offset), order="deterministic")
    by_quantity: dict[str, tuple[Row, ...]] = {}
    for row in rows.values():
        for quantity in row.quantities if row.enabled else ():
            by_quantity[quantity] = (*by_quantity.get(quantity, ()), row)
    version = sha256(content).hexdigest()[:VERSION_DIGITS]
    return Ruleset(rows, places, offset, said, version, by_quantity)


# ---- reading --------------------------------------------------------------------------------------------------------


def _table(where: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise RulesError(f"{where}: expected a table, found {value!r:.40}")
    return value


def _known(where: str, name: str, names: Any) -> str:
    if name not in {str(one) for one in names}:
        raise RulesError(f"{where}.{name}: unknown; expected one of {', '.join(sorted(map(str, names)))}")
    return name


def _convert(where: str, entry: Any, type: Any) -> Any:
    try:
        return msgspec.convert(_table(where, entry), type)
    except msgspec.ValidationError as error:
        what, _, path = str(error).partition(" - at `$.")
        raise RulesError(f"{where}{'.' + path.rstrip('`') if path else ''}: {what}") from error


def _row(code: str, entry: Any) -> Row:
    where = f"alert.{code}"
    if code not in CATALOGUE:
        raise RulesError(f"{where}: unknown alert; GET /api/v1/alert-catalogue lists them")
    row, said = CATALOGUE[code], _convert(where, entry, Override)
    if row.lethal and not said.enabled:
        raise RulesError(f"{where}.enabled: a lethal alert cannot be switched off")
    if row.lethal and said.priority is not None and _RANK[said.priority] < _RANK[row.priority]:
        raise RulesError(f"{where}.priority: a lethal alert stays {row.priority}")
    if row.lethal and said.hours is not None:
        raise RulesError(f"{where}.hours: a lethal alert counts always")
    return msgspec.structs.replace(
        row,
        condition=_condition(where, row, said),
        limits=row.limits | _population_limits(where, row, said),
        priority=said.priority or row.priority,
        hours=_hours(f"{where}.hours", said.hours),
        enabled=said.enabled,
    )


def _condition(where: str, row: Row, said: Override) -> Condition | None:
    condition = row.condition
    if row.needs_plan and (said.limit is not None or said.limits):
        raise RulesError(f"{where}.limit: it follows from each person's care plan")
    if condition is None:
        given = [name for name in _NUMBERS if getattr(said, name) is not None]
        if given:
            raise RulesError(f"{where}.{given[0].strip('_')}: a device or detector decides here, there is no limit")
        return None
    changes = _durations(where, row, said)
    if isinstance(condition, Combined):
        if said.limit is not None or said.hysteresis is not None:
            raise RulesError(f"{where}.limit: it has several limits; expected [{where}.limits] by quantity")
        parts = _parts(where, condition, said)
        return msgspec.structs.replace(condition, parts=parts, **changes)
    for name in ("limit", "hysteresis"):
        if getattr(said, name) is not None:
            changes[name] = getattr(said, name)
    if said.limit is not None and isinstance(condition, Threshold):
        _require_plausible(f"{where}.limit", condition.quantity, said.limit)
    return msgspec.structs.replace(condition, **changes)


def _durations(where: str, row: Row, said: Override) -> dict[str, Any]:
    durations = {name: getattr(said, name) for name in ("for_", "clear_for")}
    changes: dict[str, Any] = {name: round(s * SECOND) for name, s in durations.items() if s is not None}
    if said.repeat is None:
        return changes
    limit = row.threshold
    single = limit is not None and limit.readings == 1 and not (limit.for_ or limit.each)
    if not single or said.for_ is not None or (said.priority or row.priority) is Priority.HIGH:
        raise RulesError(f"{where}.repeat: {_NOT_SINGLE}")
    return changes | {"for_": round(said.repeat * SECOND), "stands": True, "repeat": True}


def _parts(where: str, condition: Combined, said: Override) -> Any:
    quantities = {part.threshold.quantity for part in condition.parts}
    for quantity, limit in said.limits.items():
        _known(f"{where}.limits", quantity, quantities)
        _require_plausible(f"{where}.limits.{quantity}", quantity, limit)
    return tuple(
        msgspec.structs.replace(
            part,
            threshold=msgspec.structs.replace(
                part.threshold, limit=said.limits.get(part.threshold.quantity, part.threshold.limit)
            ),
        )
        for part in condition.parts
    )


def _population_limits(where: str, row: Row, said: Override) -> dict[Population, float]:
    if row.threshold is None:
        if said.limits and not isinstance(row.condition, Combined):
            raise RulesError(f"{where}.limits: it has no limit per population")
        return {}
    own = {Population(_known(f"{where}.limits", name, Population)): limit for name, limit in said.limits.items()}
    for population, limit in own.items():
        if row.refuses(population) is not None:
            raise RulesError(f"{where}.limits.{population}: {row.refuses(population)}")
        _require_plausible(f"{where}.limits.{population}", row.threshold.quantity, limit)
    return own


def _require_plausible(where: str, quantity: str, limit: float) -> None:
    known = QUANTITIES[quantity.replace(EVERY_PROBE, "1")]
    if not known.low <= limit <= known.high:
        raise RulesError(f"{where}: expected {known.low:g} to {known.high:g} {known.unit}, found {limit:g}")


def _place(kind: UnitKind, entry: Any) -> Place:
    where = f"place.{kind}"
    place, said = PLACES[kind], _convert(where, entry, PlaceOverride)
    silence = place.silence if said.silence is None else round(said.silence * SECOND)
    hours = place.hours if said.hours is None else _hours(f"{where}.hours", said.hours)
    return msgspec.structs.replace(place, silence=silence, hours=hours, exits=said.exits or place.exits)


def _hours(where: str, text: str | None) -> Hours | None:
    if text is None or text == _ALWAYS:
        return None
    found = _HOURS.fullmatch(text)
    if found is None:
        raise RulesError(f'{where}: expected "HH:MM-HH:MM" or "{_ALWAYS}", found {text!r:.40}')
    from_hour, from_minute, to_hour, to_minute = map(int, found.groups())
    return Hours(from_hour * 60 + from_minute, to_hour * 60 + to_minute)


def _offset(value: Any) -> int:
    found = _OFFSET.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise RulesError(f'utc-offset: expected "+HH:MM", found {value!r:.40}')
    sign, hours, minutes = found.groups()
    return (1 if sign == "+" else -1) * (int(hours) * HOUR + int(minutes) * MINUTE)


def _check_ladders(rows: dict[str, Row]) -> None:
    """Of two limits on one side of a quantity the graver one lies further out, for everybody."""
    for row in rows.values():
        for higher in (rows[code] for code in row.inhibited_by):
            mild, grave = row.threshold, higher.threshold
            if mild is None or grave is None or (mild.quantity, mild.direction) != (grave.quantity, grave.direction):
                continue
            for population in Population:
                if row.refuses(population) or higher.refuses(population):
                    continue
                near = row.limits.get(population, mild.limit)
                far = higher.limits.get(population, grave.limit)
                if near > far if mild.direction is Direction.ABOVE else near < far:
                    raise RulesError(
                        f"alert.{row.code}.limit: {near:g} lies beyond {higher.code}'s {far:g} for {population}"
                    )
