"""What the API asks about notifications. As `gateway.api.ports`: an adapter implements it."""

from typing import Protocol

from sqlalchemy import Connection

from gateway.api.ports import PageRequest, Row, Sites
from gateway.contract.envelope import Instant


class Notifications(Protocol):
    """Who was told of what, each with its deliveries; newest first but for one alert's."""

    def of_alert(self, connection: Connection, alert: str) -> list[Row]:
        """Oldest first."""
        ...

    def notifications(
        self, connection: Connection, scope: Sites, page: PageRequest, *, alert: str | None, state: str | None
    ) -> list[Row]:
        """After the position (at, id). ``state``: with a delivery in this state."""
        ...

    def notification(self, connection: Connection, id: str, scope: Sites) -> Row | None: ...

    def retry(self, connection: Connection, id: str, now: Instant) -> int:
        """Makes its dead deliveries due again; how many there were."""
        ...
