"""Notices as the alert book makes them, and the rows they stand on."""

from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import insert, select

from gateway.adapters import notifications, tables
from gateway.adapters.migrate import migrate
from gateway.adapters.sql import DATABASE_NAME, Database, connect
from gateway.alerts.notice import Means, Notice, Reason, notice_id
from gateway.rules.catalogue import Priority

SECOND = 1_000_000
MINUTE = 60 * SECOND
T0 = 1_767_225_600_000_000  # 2026-01-01T00:00Z, 08:00 in Shanghai


def notice(number: int = 1, **changes: Any) -> Notice:
    """A strong reminder to one nurse about alert ``alert-<number>``."""
    alert = changes.pop("alert", f"alert-{number}")
    plain = Notice(
        id=notice_id(alert, number),
        alert=alert,
        unit="bed-007",
        site="north",
        rule="heart-rate-high",
        priority=Priority.HIGH,
        reason=Reason.RAISED,
        step=0,
        role="nurse",
        means=Means.STRONG,
        recipients=("nurse.wang",),
        at=T0,
    )
    return msgspec.structs.replace(plain, **changes)


def open_database(folder: Path) -> Database:
    """A new database with the schema that migrations make."""
    engine = connect(folder / DATABASE_NAME)
    migrate(engine)
    return Database(engine)


def alert_row(of: Notice) -> dict[str, Any]:
    return {
        "id": of.alert, "subject": f"unit/{of.unit}", "unit": of.unit, "device": "monitor", "rule": of.rule,
        "kind": "physiological", "priority": of.priority, "state": "firing", "raised_at": of.at, "updated_at": of.at,
        "simulated": of.simulated,
    }  # fmt: skip


def commit(database: Database, *notices: Notice) -> None:
    """What the commit of a batch does: alerts, then notices, in one transaction."""

    def job(connection: Any) -> None:
        alerts = [alert_row(of) for of in {of.alert: of for of in notices}.values()]
        connection.execute(insert(tables.alert).prefix_with("OR IGNORE"), alerts)
        notifications.write(connection, notices)

    database.submit(job).result()


def deliveries(database: Database) -> dict[tuple[str, str], dict[str, Any]]:
    """Every delivery by (recipient, channel); for tests in which a pair comes once."""
    rows = all_deliveries(database)
    found = {(row["recipient"], row["channel"]): row for row in rows}
    assert len(found) == len(rows)
    return found


def all_deliveries(database: Database) -> list[dict[str, Any]]:
    query = select(tables.delivery).order_by(tables.delivery.c.due_at, tables.delivery.c.notification)
    return database.submit(lambda c: [dict(row) for row in c.execute(query).mappings()]).result()
