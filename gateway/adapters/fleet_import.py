"""Takes a fleet file into the database: what it would change, whether it may, and changing it, in one transaction."""

from typing import Any, Final
from uuid import uuid4

import msgspec
from sqlalchemy import Connection, and_, insert, select, update
from sqlalchemy.dialects import sqlite

from gateway.adapters import audit_log, tables
from gateway.adapters.fleet_file import ADDRESSES, DEVICES, PEOPLE, Entry, Problem, devices_now
from gateway.contract.envelope import Instant
from gateway.contract.topic import UnitKind

_person, _address, _serial, _care = tables.person, tables.home_address, tables.device_serial, tables.device_care
_CARE: Final = ("kind", "calibration_due")


class Change(msgspec.Struct, frozen=True):
    """One row of the database that becomes another, or is new (``before`` empty)."""

    what: str  # device | person | address
    key: tuple[str, ...]
    before: dict[str, Any]
    after: dict[str, Any]

    def __str__(self) -> str:
        fields = ", ".join(
            f"{name}: {self.before[name]} -> {value or 'none'}" if self.before.get(name) else f"{name}: {value}"
            for name, value in self.after.items()
        )
        return f"{'changed' if self.before else 'new'} {self.what} {'/'.join(self.key)}  {fields}".rstrip()


class Plan(msgspec.Struct, frozen=True):
    """What an import would change; nothing of it happens while there is a problem."""

    changes: list[Change]
    problems: list[Problem]


def plan(connection: Connection, entries: dict[str, list[Entry]], kinds: frozenset[str]) -> Plan:
    """Holds the rows against what is known. ``kinds``: of device, that there are; empty = any."""
    problems: list[Problem] = []
    units = {row.id: row for row in connection.execute(select(tables.unit).where(tables.unit.c.revoked_at.is_(None)))}
    changes = _plan_devices(connection, entries[DEVICES.name], units, kinds, problems)
    changes += _plan_people(connection, entries[PEOPLE.name], problems)
    changes += _plan_addresses(connection, entries[ADDRESSES.name], units, problems)
    return Plan(changes, problems)


def _plan_devices(
    connection: Connection, entries: list[Entry], units: dict[str, Any], kinds: frozenset[str], problems: list[Problem]
) -> list[Change]:
    known = devices_now(connection)
    places = {key: one["serial"] for key, one in known.items() if one.get("serial")}
    rows = {}
    changes = []
    for entry in entries:
        values = dict(entry.values)
        key = values.pop("unit", None), values.pop("device", None)
        if None in key:
            continue  # it has been named already
        if key[0] not in units:
            problems.append(entry.problem("unit", "a registered unit"))
        if kinds and values.get("kind") not in kinds | {None}:
            problems.append(entry.problem("kind", f"one of {', '.join(sorted(kinds))}"))
        if "serial" in values:
            places[key], rows[key] = values["serial"], entry
        changes += _difference("device", key, known.get(key), _with_new_box(known.get(key), values))
    _find_shared_boxes(places, rows, problems)
    return changes


def _with_new_box(before: dict[str, Any] | None, values: dict[str, Any]) -> dict[str, Any]:
    """A calibration is of the box: with another one the date goes, unless the row gives one."""
    old = (before or {}).get("serial")
    is_swap = bool(old) and values.get("serial", old) != old
    return values | {"calibration_due": values.get("calibration_due")} if is_swap else values


def _find_shared_boxes(
    places: dict[tuple[str, str], str], rows: dict[tuple[str, str], Entry], problems: list[Problem]
) -> None:
    """A box stands at one place; within a file two may change places."""
    holders: dict[str, list[tuple[str, str]]] = {}
    for key, serial in places.items():
        holders.setdefault(serial, []).append(key)
    for keys in holders.values():
        named = sorted(key for key in keys if key in rows)
        if len(keys) > 1 and named:
            other = "/".join(next(key for key in sorted(keys) if key != named[-1]))
            problems.append(rows[named[-1]].problem("serial", f"a serial number no other has ({other} has it)"))


def _plan_people(connection: Connection, entries: list[Entry], problems: list[Problem]) -> list[Change]:
    known = {row["id"]: dict(row) for row in connection.execute(select(_person)).mappings()}
    by_identifier = {row["identifier"]: id for id, row in known.items() if row["identifier"]}
    changes: list[Change] = []
    for entry in entries:
        values = dict(entry.values)
        identifier = values.get("identifier")
        id = values.pop("id", None) or by_identifier.get(identifier)
        if id is None and identifier is None:
            problems.append(entry.problem("id", "an id or an identifier"))
            continue
        id = id or str(uuid4())
        if identifier is not None and by_identifier.setdefault(identifier, id) != id:
            problems.append(entry.problem("identifier", "an identifier nobody else has"))
        changes += _difference("person", (id,), known.get(id), values)
    return changes


def _plan_addresses(
    connection: Connection, entries: list[Entry], units: dict[str, Any], problems: list[Problem]
) -> list[Change]:
    known = {row["unit"]: dict(row) for row in connection.execute(select(_address)).mappings()}
    changes: list[Change] = []
    for entry in entries:
        values = dict(entry.values)
        unit = values.pop("unit", None)
        if unit is None:
            continue
        if unit not in units or units[unit].kind != UnitKind.HOMECARE_BED:
            problems.append(entry.problem("unit", "a registered home bed"))
        if ("latitude" in values) != ("longitude" in values):
            missing = "longitude" if "latitude" in values else "latitude"
            problems.append(entry.problem(missing, "both latitude and longitude, or neither"))
        changes += _difference("address", (unit,), known.get(unit), values)
    return changes


def _difference(what: str, key: Any, before: dict[str, Any] | None, values: dict[str, Any]) -> list[Change]:
    """The change a row asks for; none when everything it says is known."""
    changed = {name: value for name, value in values.items() if before is None or before.get(name) != value}
    if before is not None and not changed:
        return []
    return [Change(what, key, {name: before.get(name) for name in changed} if before else {}, changed)]


# ---- changing -------------------------------------------------------------------------------------------------------


def carry_out(connection: Connection, planned: Plan, now: Instant, actor: str, source: str) -> None:
    """Makes all of the changes, and one line of the audit log; runs in the caller's transaction."""
    if not planned.changes:
        return
    swaps = [change for change in planned.changes if change.what == "device" and "serial" in change.after]
    for change in swaps:  # first every box leaves, then every box comes: two may change places
        here = and_(_serial.c.unit == change.key[0], _serial.c.device == change.key[1], _serial.c.to_at.is_(None))
        connection.execute(update(_serial).where(here).values(to_at=now))
    for change in swaps:
        row = {"unit": change.key[0], "device": change.key[1], "serial": change.after["serial"], "from_at": now}
        connection.execute(insert(_serial).values(**row, recorded_by=actor))
    for change in planned.changes:
        _WRITERS[change.what](connection, change, now)
    changed = sorted({f"{change.what} {'/'.join(change.key)}" for change in planned.changes})
    audit_log.append(connection, now, actor, "fleet-imported", source, {"changed": changed})


def _write_device(connection: Connection, change: Change, _now: Instant) -> None:
    care = {name: value for name, value in change.after.items() if name in _CARE}
    statement = sqlite.insert(_care).values(unit=change.key[0], device=change.key[1], **care)
    keys = ["unit", "device"]
    upsert = statement.on_conflict_do_update(index_elements=keys, set_=care) if care else None
    connection.execute(statement.on_conflict_do_nothing() if upsert is None else upsert)


def _write_person(connection: Connection, change: Change, now: Instant) -> None:
    if change.before or not _is_new_person(connection, change.key[0]):
        connection.execute(update(_person).where(_person.c.id == change.key[0]).values(change.after))
        return
    row = {"id": change.key[0], "name": "", "created_at": now} | change.after
    connection.execute(insert(_person).values(row))


def _is_new_person(connection: Connection, id: str) -> bool:
    return connection.execute(select(_person.c.id).where(_person.c.id == id)).first() is None


def _write_address(connection: Connection, change: Change, _now: Instant) -> None:
    statement = sqlite.insert(_address).values({"unit": change.key[0], "contact": "", "phone": ""} | change.after)
    connection.execute(statement.on_conflict_do_update(index_elements=["unit"], set_=change.after))


_WRITERS: Final = {"device": _write_device, "person": _write_person, "address": _write_address}
