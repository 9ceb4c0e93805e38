"""Writes one batch: everything of it and the position in the log, in one transaction."""

from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Insert, Table, func, update
from sqlalchemy.dialects.sqlite import insert

from gateway.adapters import audit_log, commands, notifications, sessions, silences, tables, windows
from gateway.adapters.history import stored_digest
from gateway.admit import Duplicate
from gateway.alerts.book import Transition
from gateway.changes import Changes, LaneChange, Rejection
from gateway.contract.digest import digest
from gateway.contract.envelope import Presence
from gateway.failpoint import failpoint
from gateway.fleet import Latest
from gateway.ledger import Absence, Fate
from gateway.pipeline import Conflict
from gateway.rules.hold import Hold, Holds

# The statements on the hot path: plain text and tuples, three times as fast as rows of dictionaries.
_INSERT_RECORD: Final = (
    "INSERT INTO record (lane_id, seq, device, observed_at, event_at, received_at, flags, payload)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_UPSERT_LANE: Final = (
    "INSERT INTO lane (id, unit, epoch, lane, next, seen_at) VALUES (?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (id) DO UPDATE SET next = excluded.next, seen_at = excluded.seen_at"
)
_UPSERT_LATEST: Final = (
    "INSERT INTO latest (unit, device, quantity, value, event_at, received_at, derived) VALUES (?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (unit, device, quantity) DO UPDATE SET value = excluded.value, event_at = excluded.event_at,"
    " received_at = excluded.received_at, derived = excluded.derived"
)


def _greet_statement() -> Insert:
    """A hello that has not measured its clock yet keeps what the one before measured."""
    base = insert(tables.unit_link)
    others: dict[str, Any] = {name: base.excluded[name] for name in ("presence", "epoch", "hello_at", "hello")}
    for name in ("clock_offset", "clock_error"):
        others[name] = func.coalesce(base.excluded[name], tables.unit_link.c[name])
    return base.on_conflict_do_update(index_elements=["unit"], set_=others)


_GREET: Final = _greet_statement()


def commit(connection: Connection, changes: Changes) -> list[Conflict]:
    """Runs inside the writer's transaction; returns the numbers that came twice with different content."""
    if changes.lanes:
        connection.exec_driver_sql(_UPSERT_LANE, [_lane_row(change) for change in changes.lanes])
        gaps = [_gap_row(change, absence) for change in changes.lanes for absence in change.absences]
        _upsert(connection, tables.gap, ["id"], gaps)
    if changes.records:
        rows = [
            (r.lane.id, r.body.seq, r.body.device, r.body.observed_at, r.event_at, r.received_at, r.flags, r.payload)
            for r in changes.records
        ]
        connection.exec_driver_sql(_INSERT_RECORD, rows)
    failpoint("in-commit")
    _upsert(connection, tables.device, ["unit", "device"], [_device_row(*device) for device in changes.devices])
    if changes.latest:
        connection.exec_driver_sql(_UPSERT_LATEST, [_latest_row(*row) for row in changes.latest])
    _write_greetings(connection, changes)
    if changes.rejections:
        connection.execute(tables.reject.insert(), [_reject_row(rejection) for rejection in changes.rejections])
    _write_alerts(connection, changes.transitions)
    silences.write(connection, changes.silences)
    notifications.write(connection, changes.notices)
    commands.write(connection, changes.commands)
    windows.write(connection, changes.windows)
    sessions.write(connection, changes.sessions)
    for act in changes.acts:
        audit_log.append(connection, act.at, act.actor, act.action, act.target, act.details)
    _upsert(connection, tables.rule_clock, ["subject", "rule"], [_hold_row(*hold) for hold in changes.holds])
    conflicts = [found for again in changes.duplicates if (found := _conflict(connection, again)) is not None]
    _write_position(connection, changes)
    return conflicts


def _upsert(connection: Connection, table: Table, keys: list[str], rows: list[dict[str, Any]]) -> None:
    if rows:
        connection.execute(_upsert_statement(table, tuple(keys)), rows)


_statements: dict[str, Insert] = {}


def _upsert_statement(table: Table, keys: tuple[str, ...]) -> Insert:
    statement = _statements.get(table.name)
    if statement is None:
        base = insert(table)
        others = {column.name: base.excluded[column.name] for column in table.columns if column.name not in keys}
        statement = _statements[table.name] = base.on_conflict_do_update(index_elements=keys, set_=others)
    return statement


def _lane_row(change: LaneChange) -> tuple[Any, ...]:
    lane = change.lane
    return lane.id, lane.unit, lane.epoch, lane.lane.value, change.next, change.seen_at


def _gap_row(change: LaneChange, absence: Absence) -> dict[str, Any]:
    return {
        "id": absence.id,
        "lane_id": change.lane.id,
        "first": absence.first,
        "last": absence.last,
        "seen_at": absence.seen_at,
        "healed_at": absence.healed_at,
        "lost_at": absence.fated_at if absence.fate is Fate.LOST and absence.healed_at is None else None,
        "shed_at": absence.fated_at if absence.fate is Fate.SHED and absence.healed_at is None else None,
    }


def _device_row(unit: str, device: str, first_seen_at: int) -> dict[str, Any]:
    return {"unit": unit, "device": device, "first_seen_at": first_seen_at}


def _latest_row(unit: str, device: str, quantity: str, latest: Latest) -> tuple[Any, ...]:
    return unit, device, quantity, latest.value, latest.event_at, latest.received_at, latest.derived


def _hold_row(subject: str, rule: str, hold: Hold | Holds) -> dict[str, Any]:
    return {"subject": subject, "rule": rule, "state": msgspec.json.encode(hold).decode()}


def _write_greetings(connection: Connection, changes: Changes) -> None:
    for greeting in changes.greetings:
        unit, hello = greeting.route.address.unit, greeting.body
        if hello.presence is Presence.OFFLINE:  # a last will says that the link is down, and nothing else
            link = tables.unit_link
            connection.execute(update(link).where(link.c.unit == unit).values(presence=str(hello.presence)))
            continue
        row = {
            "unit": unit,
            "presence": str(hello.presence),
            "epoch": hello.epoch,
            "hello_at": greeting.received_at,
            "hello": greeting.payload,
            "clock_offset": hello.clock_offset,
            "clock_error": hello.clock_error,
        }
        connection.execute(_GREET, row)


def _reject_row(rejection: Rejection) -> dict[str, Any]:
    refused = rejection.refused
    return {
        "received_at": refused.log.logged_at,
        "subject": refused.log.subject,
        "unit": refused.unit,
        "reason": str(refused.reason),
        "detail": refused.detail[:2000],
        "lane_id": rejection.lane.id if rejection.lane else None,
        "seq": refused.seq if rejection.lane else None,
        "whole": refused.whole,
        "payload": refused.log.payload,
    }


def _write_alerts(connection: Connection, transitions: list[Transition]) -> None:
    if not transitions:
        return
    last = {transition.alert.id: transition.alert for transition in transitions}
    _upsert(connection, tables.alert, ["id"], [msgspec.to_builtins(alert) for alert in last.values()])
    events = [
        {
            "alert": transition.alert.id,
            "at": transition.at,
            "event": str(transition.move),
            "state": str(transition.alert.state),
            "actor": transition.actor,
            "details": msgspec.json.encode(transition.details).decode(),
        }
        for transition in transitions
    ]
    connection.execute(tables.alert_event.insert(), events)


def _conflict(connection: Connection, again: Duplicate) -> Conflict | None:
    """Compares a number that came again with what is stored; a different content is kept."""
    stored = stored_digest(connection, again.lane.id, again.body.seq)
    if stored is None or stored == digest(again.body):
        return None
    row = {"lane_id": again.lane.id, "seq": again.body.seq, "received_at": again.received_at, "payload": again.payload}
    connection.execute(tables.conflict.insert(), [row])
    return Conflict(again.lane.unit, f"{again.lane.lane} {again.body.seq} came twice with different content")


def _write_position(connection: Connection, changes: Changes) -> None:
    position = changes.position
    if position is None:
        return
    row = {"partition": 0, **msgspec.structs.asdict(position)}
    _upsert(connection, tables.position, ["partition"], [row])
