"""What the API asks about care plans. As `gateway.api.ports`: an adapter implements it."""

from typing import Protocol

from sqlalchemy import Connection

from gateway.api.ports import Row
from gateway.contract.envelope import Instant
from gateway.derive.plans import PlanKind


class CarePlans(Protocol):
    """What clinicians plan for one person; at most one plan of a kind counts at a time."""

    def plans(self, connection: Connection, person: str, now: Instant, *, open_only: bool) -> list[Row]: ...

    def plan(self, connection: Connection, person: str, plan: str, /) -> Row | None: ...

    def counting(self, connection: Connection, person: str, kind: PlanKind, now: Instant) -> str | None:
        """The id of the plan of a kind that counts now."""
        ...

    def add_plan(self, connection: Connection, row: Row) -> None: ...

    def end_plan(self, connection: Connection, plan: str, now: Instant, by: str) -> bool:
        """Ends it; false when it had ended already."""
        ...
