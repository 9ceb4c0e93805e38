"""Devices as people know them: kind, serial numbers over time, calibration (port `gateway.api.ports.Care`).

A device's name at its unit is the place, a serial number the box that stands there: history stays with the name when
the box is swapped, and whoever wants to know which box measured something asks by time.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, RowMapping, Select, and_, func, insert, select, union, update
from sqlalchemy.dialects import sqlite

from gateway.adapters import tables
from gateway.adapters.windows import provenance, windows
from gateway.api.care_ports import SwapConflict, SwapRefused
from gateway.api.ports import PageRequest, Sites
from gateway.care.calibration import NOTICE_DAYS, Due
from gateway.care.window import State
from gateway.contract.envelope import DeviceState, Hello, Instant, Presence
from gateway.contract.quantity import SECOND

_unit, _link, _device, _care = tables.unit, tables.unit_link, tables.device, tables.device_care
_serial, _window, _latest = tables.device_serial, tables.service_window, tables.latest
_known: Final = union(  # heard of, or entered by somebody before it was
    select(_device.c.unit, _device.c.device), select(_care.c.unit, _care.c.device)
).subquery("known")
_PLACE: Final = _known.c.unit + "/" + _known.c.device
__all__ = ["describe", "device", "devices", "dues", "midnight", "serials", "swap", "windows"]
_hello: Final = msgspec.json.Decoder(Hello)


# ---- looking --------------------------------------------------------------------------------------------------------


def devices(connection: Connection, scope: Sites, page: PageRequest, *, unit: str | None) -> list[dict[str, Any]]:
    """Devices heard of or entered, by unit and name, after the position (0, "unit/device")."""
    query = _devices(scope).order_by(_PLACE).limit(page.limit)
    if unit is not None:
        query = query.where(_unit.c.id == unit)
    if page.after is not None:
        query = query.where(page.after[1] < _PLACE)
    return [_to_device(row) for row in connection.execute(query).mappings()]


def device(connection: Connection, unit: str, device: str, scope: Sites) -> dict[str, Any] | None:
    """One device, none when nobody has heard of it or it is out of scope."""
    query = _devices(scope).where(_unit.c.id == unit, _known.c.device == device)
    row = connection.execute(query).mappings().first()
    return _to_device(row) if row else None


def _devices(scope: Sites) -> Select[Any]:
    of_it = and_(_latest.c.unit == _known.c.unit, _latest.c.device == _known.c.device)
    received = select(func.max(_latest.c.received_at)).where(of_it).scalar_subquery()
    newest = select(func.max(_latest.c.event_at)).where(of_it).scalar_subquery()
    battery = select(_latest.c.value).where(of_it, _latest.c.quantity == "battery").scalar_subquery()
    query = (
        select(
            _known.c.unit, _known.c.device.label("id"), _unit.c.site, provenance().label("provenance"),
            _device.c.first_seen_at,
            _care.c.kind, _care.c.calibration_due, _serial.c.serial, _serial.c.from_at.label("serial_since"),
            _window.c.mode, _window.c.started_at, _window.c.expires_at, _window.c.started_by,
            _link.c.hello, _link.c.presence,
            received.label("received_at"), newest.label("measured_at"), battery.label("battery"),
        )
        .select_from(_known)
        .join(_unit, _unit.c.id == _known.c.unit)
        .outerjoin(_device, _same(_device))
        .outerjoin(_care, _same(_care))
        .outerjoin(_serial, and_(_same(_serial), _serial.c.to_at.is_(None)))
        .outerjoin(_window, and_(_same(_window), _window.c.state == State.ON))
        .outerjoin(_link, _link.c.unit == _known.c.unit)
        .where(_unit.c.revoked_at.is_(None))
    )  # fmt: skip
    return query if scope is None else query.where(_unit.c.site.in_(scope))


def _same(table: Any) -> Any:
    return and_(table.c.unit == _known.c.unit, table.c.device == _known.c.device)


def _to_device(row: RowMapping) -> dict[str, Any]:
    service = {name: row[name] for name in ("mode", "started_at", "expires_at", "started_by")} if row["mode"] else None
    said = _as_its_agent_says(row)
    online = row["presence"] == Presence.ONLINE
    return {
        **row,
        "service": service,
        "kind": row["kind"] or said.kind or None,
        "link": said.link if online else None,
        "firmware": said.firmware or None,
    }


def _as_its_agent_says(row: RowMapping) -> DeviceState:
    """The device in its unit's last hello; nothing is known of one that is not there."""
    told = _hello.decode(row["hello"]).devices if row["hello"] else []
    return next((state for state in told if state.device == row["id"]), DeviceState(device=row["id"]))


def serials(connection: Connection, unit: str, device: str) -> list[dict[str, Any]]:
    """Which boxes stood there, the present one first."""
    query = select(_serial).where(_serial.c.unit == unit, _serial.c.device == device)
    return [dict(row) for row in connection.execute(query.order_by(_serial.c.from_at.desc())).mappings()]


def dues(connection: Connection, now: Instant) -> list[Due]:
    """Calibrations that are due, or will be within the time of notice."""
    until = datetime.fromtimestamp(now / SECOND, UTC).date() + timedelta(days=NOTICE_DAYS + 1)
    query = select(_care.c.unit, _care.c.device, _care.c.calibration_due)
    rows = connection.execute(query.where(_care.c.calibration_due <= until.isoformat()))
    return [Due(row.unit, row.device, midnight(row.calibration_due)) for row in rows]


def midnight(day: str) -> Instant:
    """The beginning of a day (UTC), us."""
    start = datetime.combine(date.fromisoformat(day), datetime.min.time(), UTC)
    return int(start.timestamp()) * SECOND


# ---- changing -------------------------------------------------------------------------------------------------------


def describe(connection: Connection, unit: str, device: str, changes: dict[str, Any]) -> None:
    """Sets kind or calibration date of a device, heard of or not."""
    statement = sqlite.insert(_care).values(unit=unit, device=device, **changes)
    if changes:
        connection.execute(statement.on_conflict_do_update(index_elements=["unit", "device"], set_=changes))
    else:
        connection.execute(statement.on_conflict_do_nothing())


def swap(connection: Connection, unit: str, device: str, serial: str, at: Instant, by: str) -> dict[str, Any]:
    """Another box stands there from ``at`` on; gives the new row of the history.

    Raises:
        SwapRefused: it is the same box, it stands elsewhere, or the one before came later.
    """
    elsewhere = select(_serial.c.unit, _serial.c.device).where(_serial.c.serial == serial, _serial.c.to_at.is_(None))
    for place in connection.execute(elsewhere):
        if tuple(place) == (unit, device):
            raise SwapRefused(SwapConflict.SAME_SERIAL, f"{serial} stands there already")
        raise SwapRefused(SwapConflict.SERIAL_IN_USE, f"{serial} stands at another device now")
    mine = and_(_serial.c.unit == unit, _serial.c.device == device)
    last = connection.execute(select(func.max(_serial.c.from_at)).where(mine)).scalar()
    if last is not None and at <= last:
        raise SwapRefused(SwapConflict.BEFORE_PRESENT, "the one before has been there only from later on")
    connection.execute(update(_serial).where(mine, _serial.c.to_at.is_(None)).values(to_at=at))
    row = {"unit": unit, "device": device, "serial": serial, "from_at": at, "to_at": None, "recorded_by": by}
    connection.execute(insert(_serial).values(row))
    describe(connection, unit, device, {})
    return row
