"""What people entered about their patients and still counts: read back after a start, for the scores."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Engine

from gateway.adapters.history import events
from gateway.contract.envelope import Instant
from gateway.derive.scores.board import EVENTS
from gateway.derive.scores.score import VALIDITY

Entry = tuple[str, str, dict[str, Any], Instant]  # unit, event, details, time


def entries(engine: Engine, units: Iterable[str], now: Instant) -> list[Entry]:
    """Entries of these units that are young enough to count, oldest first; none of a test or an exercise."""
    since = now - max(VALIDITY.values())
    with engine.connect() as connection:
        return [
            (unit, row["name"], row["details"], row["at"])
            for unit in units
            for row in events(connection, unit, since, now)
            if row["name"] in EVENTS and not row["test"]
        ]
