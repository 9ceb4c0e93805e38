"""What the API asks about the limits of one patient. As `gateway.api.ports`: an adapter implements it."""

from typing import Protocol

from sqlalchemy import Connection

from gateway.api.ports import Row
from gateway.contract.envelope import Instant
from gateway.rules.patient import Patient


class Limits(Protocol):
    """Limits of one patient, and the clinical facts that decide which limits count."""

    def limits(self, connection: Connection, person: str, now: Instant, *, open_only: bool) -> list[Row]: ...

    def limit(self, connection: Connection, person: str, limit: str, /) -> Row | None: ...

    def patient(self, connection: Connection, person: str, now: Instant) -> Patient | None: ...

    def add_limit(self, connection: Connection, row: Row) -> bool:
        """Adds it; false when the person has one for the same alert that has not ended."""
        ...

    def remove_limit(self, connection: Connection, limit: str, now: Instant, by: str) -> bool:
        """Ends it; false when it had ended already."""
        ...

    def record(self, connection: Connection, person: str, facts: Row) -> None: ...
