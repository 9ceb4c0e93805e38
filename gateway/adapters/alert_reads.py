"""Alerts as the API lists them, newest first, with their history and what people think of them.

Implements `gateway.api.alert_ports.AlertReads`.
"""

import json
from typing import Any, Final

from sqlalchemy import Connection, Select, func, or_, select
from sqlalchemy.dialects.sqlite import insert

from gateway.adapters import tables
from gateway.adapters.paging import newest_first
from gateway.api.alert_ports import AlertFilter
from gateway.api.ports import PageRequest, Sites

_alert, _unit, _event, _feedback = tables.alert, tables.unit, tables.alert_event, tables.alert_feedback
_OPEN: Final = ("firing", "acknowledged", "latched")  # a pending one has not come true yet


def alerts(connection: Connection, scope: Sites, page: PageRequest, which: AlertFilter) -> list[dict[str, Any]]:
    """At most ``page.limit`` alerts after the position (raised_at, id)."""
    query = newest_first(_in_scope(scope), _alert.c.raised_at, _alert.c.id, page)
    if which.state == "open":
        query = query.where(_alert.c.state.in_(_OPEN))
    elif which.state is not None:
        query = query.where(_alert.c.state == which.state)
    for column, value in (("unit", which.unit), ("priority", which.priority), ("subject", which.subject)):
        if value is not None:
            query = query.where(_alert.c[column] == value)
    return [dict(row) for row in connection.execute(query).mappings()]


def alert(connection: Connection, alert_id: str, scope: Sites) -> dict[str, Any] | None:
    """One alert, none when unknown or out of scope."""
    row = connection.execute(_in_scope(scope).where(_alert.c.id == alert_id)).mappings().first()
    return dict(row) if row else None


def history(connection: Connection, alert_id: str) -> list[dict[str, Any]]:
    """Every line of the alert's history, oldest first."""
    query = select(_event).where(_event.c.alert == alert_id).order_by(_event.c.id)
    rows = connection.execute(query).mappings()
    return [{**row, "details": json.loads(row["details"])} for row in rows]


def feedback(connection: Connection, alert_id: str) -> list[dict[str, Any]]:
    """What people think of it, the latest judgement first."""
    query = select(_feedback).where(_feedback.c.alert == alert_id).order_by(_feedback.c.at.desc(), _feedback.c.author)
    return [dict(row) for row in connection.execute(query).mappings()]


def judge(connection: Connection, row: dict[str, Any]) -> None:
    """Keeps a judgement; whoever has judged before changes their mind."""
    base = insert(_feedback).values(row)
    others = {name: base.excluded[name] for name in ("useful", "reason", "at")}
    connection.execute(base.on_conflict_do_update(index_elements=["alert", "author"], set_=others))


def judgements(connection: Connection) -> dict[tuple[str, bool], int]:
    """How many find alerts of a rule useful, and how many not: what tells which rule to work on."""
    query = (
        select(_alert.c.rule, _feedback.c.useful, func.count())
        .join_from(_feedback, _alert, _alert.c.id == _feedback.c.alert)
        .group_by(_alert.c.rule, _feedback.c.useful)
    )
    return {(rule, bool(useful)): count for rule, useful, count in connection.execute(query)}


def _in_scope(scope: Sites) -> Select[Any]:
    """An alert without a unit is about the gateway itself and concerns everybody."""
    query = select(_alert)
    if scope is None:
        return query
    mine = select(_unit.c.id).where(_unit.c.site.in_(scope))
    return query.where(or_(_alert.c.unit == "", _alert.c.unit.in_(mine)))
