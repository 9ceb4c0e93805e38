"""Notifications as rows: written with the batch that makes them, read and tried again by people.

What sends them is in gateway/adapters/notify. Implements `gateway.api.ports.Notifications`.
"""

import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, Select, delete, exists, or_, select, update
from sqlalchemy.dialects.sqlite import insert

from gateway.adapters import tables
from gateway.adapters.notify.plan import NO_CHANNEL
from gateway.adapters.notify.rows import DeliveryState, to_row
from gateway.adapters.paging import newest_first
from gateway.alerts.notice import Notice
from gateway.api.ports import PageRequest, Sites
from gateway.contract.envelope import Instant

_notification, _delivery, _unit = tables.notification, tables.delivery, tables.unit
_OF_DELIVERY: Final = [column for column in _delivery.columns if column.name != "rank"]


def write(connection: Connection, notices: Sequence[Notice]) -> None:
    """Runs inside the commit's transaction, after the alerts. The same notice made again changes nothing."""
    if notices:
        rows = [to_row(notice) for notice in notices]
        connection.execute(insert(_notification).on_conflict_do_nothing(), rows)


def of_alert(connection: Connection, alert: str) -> list[dict[str, Any]]:
    """An alert's notifications with their deliveries, oldest first."""
    query = select(_notification).where(_notification.c.alert == alert).order_by(_notification.c.at, _notification.c.id)
    return _with_deliveries(connection, query)


def notifications(
    connection: Connection, scope: Sites, page: PageRequest, *, alert: str | None, state: str | None
) -> list[dict[str, Any]]:
    """With their deliveries, newest first, after the position (at, id). ``state``: with a delivery in this state."""
    query = newest_first(_in_scope(scope), _notification.c.at, _notification.c.id, page)
    if alert is not None:
        query = query.where(_notification.c.alert == alert)
    if state is not None:
        mine = _delivery.c.notification == _notification.c.id
        query = query.where(exists().where(mine, _delivery.c.state == state))
    return _with_deliveries(connection, query)


def notification(connection: Connection, id: str, scope: Sites) -> dict[str, Any] | None:
    """One with its deliveries, none when unknown or out of scope."""
    return next(iter(_with_deliveries(connection, _in_scope(scope).where(_notification.c.id == id))), None)


def retry(connection: Connection, id: str, now: Instant) -> int:
    """Makes the notification's dead deliveries due again, as if for the first time; how many there were.

    It is planned again, too: whom no channel reached may have an address by now.
    """
    dead = (_delivery.c.notification == id) & (_delivery.c.state == DeliveryState.DEAD)
    unreached = connection.execute(delete(_delivery).where(dead, _delivery.c.channel == NO_CHANNEL)).rowcount
    fresh = {"state": DeliveryState.PENDING, "attempts": 0, "due_at": now, "next_at": now}
    again = connection.execute(update(_delivery).where(dead).values(fresh)).rowcount
    if unreached:
        connection.execute(update(_notification).where(_notification.c.id == id).values(planned_at=None))
    return unreached + again


def _in_scope(scope: Sites) -> Select[Any]:
    """What is about no unit is about the gateway itself and concerns everybody."""
    query = select(_notification)
    if scope is None:
        return query
    mine = select(_unit.c.id).where(_unit.c.site.in_(scope))
    return query.where(or_(_notification.c.unit == "", _notification.c.unit.in_(mine)))


def _with_deliveries(connection: Connection, query: Select[Any]) -> list[dict[str, Any]]:
    rows = [dict(row) for row in connection.execute(query).mappings()]
    ids = [row["id"] for row in rows]
    deliveries = select(*_OF_DELIVERY).where(_delivery.c.notification.in_(ids))
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in connection.execute(deliveries.order_by(_delivery.c.recipient, _delivery.c.channel)).mappings():
        found[row["notification"]].append(dict(row))
    return [row | {"recipients": json.loads(row["recipients"]), "deliveries": found[row["id"]]} for row in rows]
