"""Care plans of people (port `gateway.api.plan_ports.CarePlans`).

A row of ``care_plan`` is never changed but to end it, so that what an alert names can be looked up for ever.
"""

from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, Connection, RowMapping, and_, insert, select, update

from gateway.adapters import tables
from gateway.contract.envelope import Instant
from gateway.derive.plans import CarePlan, Content, PlanKind

_plan: Final = tables.care_plan
_content: Final = msgspec.json.Decoder(Content)


def in_force(connection: Connection, now: Instant, person: str | None = None) -> dict[str, dict[str, CarePlan]]:
    """Every plan that counts now, or one person's: person, then kind."""
    query = select(_plan).where(_counts(now))
    if person is not None:
        query = query.where(_plan.c.person == person)
    found: dict[str, dict[str, CarePlan]] = {}
    for row in connection.execute(query):
        plan = CarePlan(row.id, _content.decode(row.plan), row.set_by, row.set_at, row.expires_at)
        found.setdefault(row.person, {})[row.kind] = plan
    return found


def plans(connection: Connection, person: str, now: Instant, *, open_only: bool) -> list[dict[str, Any]]:
    """A person's plans, the newest first; those that count now, or all there ever were."""
    query = select(_plan).where(_plan.c.person == person)
    if open_only:
        query = query.where(_counts(now))
    rows = connection.execute(query.order_by(_plan.c.set_at.desc(), _plan.c.id)).mappings()
    return [_read(row) for row in rows]


def plan(connection: Connection, person: str, plan: str) -> dict[str, Any] | None:
    """One of them."""
    row = connection.execute(select(_plan).where(_plan.c.person == person, _plan.c.id == plan)).mappings().first()
    return _read(row) if row else None


def counting(connection: Connection, person: str, kind: PlanKind, now: Instant) -> str | None:
    """The id of a person's plan of a kind that counts now."""
    query = select(_plan.c.id).where(_plan.c.person == person, _plan.c.kind == kind, _counts(now))
    found: str | None = connection.execute(query).scalar()
    return found


def add_plan(connection: Connection, row: dict[str, Any]) -> None:
    """Adds it; the caller has seen to it that no other of its kind counts."""
    connection.execute(insert(_plan).values(row | {"plan": msgspec.json.encode(row["plan"]).decode()}))


def end_plan(connection: Connection, plan: str, now: Instant, by: str) -> bool:
    """Ends it; false when it had ended already."""
    ended = update(_plan).where(_plan.c.id == plan, _counts(now)).values(removed_at=now, removed_by=by)
    return connection.execute(ended).rowcount == 1


def _counts(now: Instant) -> ColumnElement[bool]:
    return and_(_plan.c.removed_at.is_(None), _plan.c.expires_at > now)


def _read(row: RowMapping) -> dict[str, Any]:
    return {**row, "plan": msgspec.json.decode(row["plan"])}
