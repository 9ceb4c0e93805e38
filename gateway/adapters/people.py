"""People, and which device speaks for whom (port `gateway.api.ports.People`).

A person belongs to the sites of the units whose devices speak, or spoke, for them; somebody registered and not yet
bound to a device belongs to none and can be found by every site.
"""

from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, exists, insert, or_, select, update

from gateway.adapters import sessions, tables
from gateway.adapters.paging import newest_first
from gateway.api.ports import PageRequest, Sites
from gateway.care.sitting import EVERY_DEVICE, EndReason
from gateway.contract.envelope import Instant

_person, _association, _unit = tables.person, tables.association, tables.unit


def people(connection: Connection, scope: Sites, page: PageRequest) -> list[dict[str, Any]]:
    """People in scope, newest first, after the position (created_at, id)."""
    query = newest_first(_people(scope), _person.c.created_at, _person.c.id, page)
    return [dict(row) for row in connection.execute(query).mappings()]


def person(connection: Connection, person: str, scope: Sites) -> dict[str, Any] | None:
    """One person, none when unknown or out of scope."""
    row = connection.execute(_people(scope).where(_person.c.id == person)).mappings().first()
    return dict(row) if row else None


def add_person(connection: Connection, row: dict[str, Any]) -> None:
    """Registers somebody under a new pseudonym."""
    connection.execute(insert(_person).values(**row))


def _people(scope: Sites) -> Select[Any]:
    query = select(_person)
    if scope is None:
        return query
    bound = exists().where(_association.c.subject == _person.c.id)
    here = bound.where(_association.c.unit == _unit.c.id, _unit.c.site.in_(scope))
    return query.where(or_(here, ~bound))


def associations(
    connection: Connection, scope: Sites, page: PageRequest, *, unit: str | None, subject: str | None
) -> list[dict[str, Any]]:
    """Associations in scope, newest first, after the id in ``page.after``."""
    query = _associations(scope).order_by(_association.c.id.desc()).limit(page.limit)
    if unit is not None:
        query = query.where(_association.c.unit == unit)
    if subject is not None:
        query = query.where(_association.c.subject == subject)
    if page.after is not None:
        query = query.where(_association.c.id < page.after[0])
    return [dict(row) for row in connection.execute(query).mappings()]


def association(connection: Connection, association: int, scope: Sites) -> dict[str, Any] | None:
    """One association, none when unknown or out of scope."""
    row = connection.execute(_associations(scope).where(_association.c.id == association)).mappings().first()
    return dict(row) if row else None


def _associations(scope: Sites) -> Select[Any]:
    query = select(_association)
    if scope is None:
        return query
    return query.join(_unit, _unit.c.id == _association.c.unit).where(_unit.c.site.in_(scope))


def associate(connection: Connection, row: dict[str, Any]) -> dict[str, Any] | None:
    """Adds it and gives it with its id; none when the device already speaks for somebody in that interval."""
    if connection.execute(select(_association.c.id).where(_overlaps(row))).first():
        return None
    inserted = connection.execute(insert(_association).values(**row)).inserted_primary_key
    return {**row, "id": inserted[0] if inserted else None}


def _overlaps(row: dict[str, Any]) -> ColumnElement[bool]:
    same = and_(
        _association.c.voided_at.is_(None),
        _association.c.unit == row["unit"],
        _association.c.device == row["device"],
        or_(_association.c.end_at.is_(None), _association.c.end_at > row["start_at"]),
    )
    return same if row["end_at"] is None else and_(same, _association.c.start_at < row["end_at"])


def end_association(connection: Connection, association: int, end_at: Instant, now: Instant) -> bool:
    """Ends it; false when it had ended already."""
    mine = and_(_association.c.id == association, _association.c.end_at.is_(None))
    row = connection.execute(select(_association).where(mine)).first()
    if row is None:
        return False
    is_session = row.device == EVERY_DEVICE
    reason = str(EndReason.ENDED) if is_session else None
    connection.execute(update(_association).where(mine).values(end_at=end_at, end_reason=reason, idle_at=None))
    if is_session:
        sessions.end_by_person(connection, row.unit, end_at, now)
    return True


def correct_association(
    connection: Connection, association: int, subject: str | None, actor: str, now: Instant
) -> dict[str, Any]:
    """It was another person, or (``subject`` none) nobody knows who."""
    told = {"voided_at": now} if subject is None else {"subject": subject, "voided_at": None}
    mine = _association.c.id == association
    connection.execute(update(_association).where(mine).values(**told, confirmed_by=actor))
    return dict(connection.execute(select(_association).where(mine)).mappings().one())
