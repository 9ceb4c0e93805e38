"""Limits of one patient, and what a clinician has recorded that decides which limits count (port `api.ports.Limits`).

A row of ``person_limit`` is never changed but to end it, so that what an alert names can be looked up for ever.
"""

from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import Connection, insert, or_, select, update

from gateway.adapters import plans, tables
from gateway.contract.envelope import Instant
from gateway.contract.quantity import SECOND
from gateway.derive.plans import Plans
from gateway.derive.population import Pregnancy
from gateway.derive.scores.score import Person, ScaleTwo
from gateway.rules.patient import OXYGEN_TARGET, Patient, PersonLimit
from gateway.rules.plan_rows import limits_of

_limit, _person, _association = tables.person_limit, tables.person, tables.association


def patients(connection: Connection, now: Instant) -> dict[str, Patient]:
    """Whom each unit's values speak of now, with the limits that count for them now."""
    query = (
        select(_association.c.unit, _association.c.start_at, _person)
        .join_from(_association, _person, _person.c.id == _association.c.subject)
        .where(_association.c.start_at <= now, _association.c.voided_at.is_(None))
        .where(or_(_association.c.end_at.is_(None), _association.c.end_at > now))
        .order_by(_association.c.start_at, _association.c.id)
    )  # fmt: skip
    own, planned = _every_limit(connection, now), plans.in_force(connection, now)
    found: dict[str, Patient] = {}
    for row in connection.execute(query):
        before = found.get(row.unit)  # another device of the unit was bound earlier
        since = before.since if before is not None and before.id == row.id else row.start_at
        found[row.unit] = _patient(row, now, own.get(row.id, {}), planned.get(row.id, {}), since)
    return found


def _patient(row: Any, now: Instant, own: dict[str, PersonLimit], planned: Plans, since: Instant = 0) -> Patient:
    who = _whom(row, now)
    return Patient(row.id, who.placed, row.spo2_target, own | limits_of(planned, who), who, planned, since)


def _whom(row: Any, now: Instant) -> Person:
    """A row of ``person``, as far as scores depend on it."""
    sex = row.sex if row.sex in ("female", "male") else None
    recorded = row.recorded_by and row.recorded_at and row.spo2_target == OXYGEN_TARGET
    return Person(
        age_in_days(row.birth_date, now),
        sex,
        Pregnancy(row.pregnancy or Pregnancy.NONE),
        ScaleTwo(row.recorded_by, row.recorded_at) if recorded else None,
    )


def patient(connection: Connection, person: str, now: Instant) -> Patient | None:
    """One person, bound to a unit or not; none when unknown."""
    row = connection.execute(select(_person).where(_person.c.id == person)).first()
    if row is None:
        return None
    own, planned = _every_limit(connection, now, person), plans.in_force(connection, now, person)
    return _patient(row, now, own.get(row.id, {}), planned.get(row.id, {}))


def age_in_days(birth_date: str | None, now: Instant) -> int | None:
    """Whole days lived on the day of ``now`` (UTC); None when the date is not known or not a date."""
    try:
        born = date.fromisoformat(birth_date or "")
    except ValueError:
        return None
    return (datetime.fromtimestamp(now / SECOND, UTC).date() - born).days


def _every_limit(connection: Connection, now: Instant, person: str | None = None) -> dict[str, dict[str, PersonLimit]]:
    query = select(_limit).where(_limit.c.removed_at.is_(None), _limit.c.expires_at > now)
    if person is not None:
        query = query.where(_limit.c.person == person)
    found: dict[str, dict[str, PersonLimit]] = {}
    for row in connection.execute(query):
        entry = PersonLimit(row.id, row.rule, row.limit, row.set_by, row.expires_at)
        found.setdefault(row.person, {})[row.rule] = entry
    return found


def limits(connection: Connection, person: str, now: Instant, *, open_only: bool) -> list[dict[str, Any]]:
    """A person's limits, the newest first; those that count now, or all there ever were."""
    query = select(_limit).where(_limit.c.person == person)
    if open_only:
        query = query.where(_limit.c.removed_at.is_(None), _limit.c.expires_at > now)
    rows = connection.execute(query.order_by(_limit.c.set_at.desc(), _limit.c.id)).mappings()
    return [dict(row) for row in rows]


def limit(connection: Connection, person: str, limit: str) -> dict[str, Any] | None:
    """One of them."""
    row = connection.execute(select(_limit).where(_limit.c.person == person, _limit.c.id == limit)).mappings().first()
    return dict(row) if row else None


def add_limit(connection: Connection, row: dict[str, Any]) -> bool:
    """Adds it; false when the person has one for the same alert that has not ended."""
    mine = select(_limit.c.id).where(
        _limit.c.person == row["person"], _limit.c.rule == row["rule"],
        _limit.c.removed_at.is_(None), _limit.c.expires_at > row["set_at"],
    )  # fmt: skip
    if connection.execute(mine).first():
        return False
    connection.execute(insert(_limit).values(**row))
    return True


def remove_limit(connection: Connection, limit: str, now: Instant, by: str) -> bool:
    """Ends it; false when it had ended already."""
    mine = (_limit.c.id == limit, _limit.c.removed_at.is_(None), _limit.c.expires_at > now)
    return connection.execute(update(_limit).where(*mine).values(removed_at=now, removed_by=by)).rowcount == 1


def record(connection: Connection, person: str, facts: dict[str, Any]) -> None:
    """What a clinician says of pregnancy and oxygen target."""
    connection.execute(update(_person).where(_person.c.id == person).values(**facts))
