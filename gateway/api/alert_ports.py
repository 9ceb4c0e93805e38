"""What the API asks about alerts, silences and the roster.

As `gateway.api.ports`: adapters implement these; the API imports none of them.
"""

from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import Connection

from gateway.alerts.silence import Silence
from gateway.api.ports import PageRequest, Row, Sites
from gateway.contract.envelope import Instant


@dataclass(frozen=True, slots=True)
class AlertFilter:
    """Which alerts are listed; None = any. ``state`` "open" = firing, acknowledged or latched."""

    state: str | None = None
    unit: str | None = None
    priority: str | None = None
    subject: str | None = None


class AlertReads(Protocol):
    """Alerts as rows, and what is kept beside them."""

    def alerts(self, connection: Connection, scope: Sites, page: PageRequest, which: AlertFilter) -> list[Row]:
        """Newest first, after the position (raised_at, id) in ``page.after``."""
        ...

    def alert(self, connection: Connection, alert_id: str, scope: Sites) -> Row | None: ...

    def history(self, connection: Connection, alert_id: str) -> list[Row]:
        """at, event, state, actor, details; oldest first."""
        ...

    def feedback(self, connection: Connection, alert_id: str) -> list[Row]: ...

    def judge(self, connection: Connection, row: Row) -> None:
        """Keeps a person's judgement of an alert in place of their earlier one."""
        ...


class Silences(Protocol):
    """The one place that silences alerts of this gateway; no sound at a bedside."""

    async def silence(self, wanted: Silence) -> Silence:
        """The silence, committed and audited.

        Raises:
            SilenceRefused: it names a lethal rule, or lasts too long.
        """
        ...

    async def unsilence(self, silence_id: str, actor: str) -> Silence:
        """The silence, ended; what it covered tells people again.

        Raises:
            SilenceRefused: it is over.
        """
        ...


class SilenceReads(Protocol):
    """Silences as rows, newest first."""

    def silences(self, connection: Connection, scope: Sites, page: PageRequest, *, on_only: bool) -> list[Row]: ...

    def silence(self, connection: Connection, id: str, scope: Sites) -> Row | None: ...


class Rosters(Protocol):
    """Shifts as rows, by beginning."""

    def shifts(self, connection: Connection, scope: Sites, page: PageRequest, *, since: Instant) -> list[Row]: ...

    def shift(self, connection: Connection, id: str, scope: Sites) -> Row | None: ...

    def add(self, connection: Connection, row: Row) -> None: ...

    def remove(self, connection: Connection, id: str) -> bool: ...
