"""What the API asks about the care of devices, service mode, training, and whose readings are whose.

As `gateway.api.ports`: adapters implement these; the API imports none of them.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

from sqlalchemy import Connection

from gateway.api.ports import PageRequest, Row, Sites
from gateway.care.window import ServiceWindow
from gateway.contract.envelope import Instant


class Windows(Protocol):
    """The one place that opens and ends service mode and training."""

    async def start(self, wanted: ServiceWindow) -> ServiceWindow:
        """The window, committed and audited.

        Raises:
            WindowRefused: not now.
        """
        ...

    async def end(self, unit: str, device: str, actor: str) -> ServiceWindow:
        """What was on at the device (or, with device "", the unit's training), ended, committed and audited.

        Raises:
            WindowRefused: nothing is on.
        """
        ...


class SwapConflict(StrEnum):
    """Why one box does not take another's place."""

    SAME_SERIAL = "same-serial"
    SERIAL_IN_USE = "serial-in-use"
    BEFORE_PRESENT = "before-present"


class SwapRefused(Exception):
    """The history of a device's boxes does not allow it."""

    def __init__(self, reason: SwapConflict, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class Care(Protocol):
    """Devices as people know them, and what service mode and training there was."""

    def windows(self, connection: Connection, scope: Sites, page: PageRequest, *, unit: str | None) -> list[Row]:
        """Service mode and training, newest first, after the position (started_at, id) in ``page.after``."""
        ...

    def devices(self, connection: Connection, scope: Sites, page: PageRequest, *, unit: str | None) -> list[Row]:
        """By unit and name, after the position (0, "unit/device") in ``page.after``."""
        ...

    def device(self, connection: Connection, unit: str, device: str, scope: Sites) -> Row | None: ...

    def serials(self, connection: Connection, unit: str, device: str) -> list[Row]:
        """Which boxes stood there, the present one first."""
        ...

    def describe(self, connection: Connection, unit: str, device: str, changes: Row) -> None:
        """Sets ``kind`` or ``calibration_due``."""
        ...

    def swap(self, connection: Connection, unit: str, device: str, serial: str, at: Instant, by: str) -> Row:
        """Another box stands there from ``at`` on.

        Raises:
            SwapRefused: the history does not allow it.
        """
        ...


class Subjects(Protocol):
    """What was measured of a person, found by unit, device and event time."""

    def latest(self, connection: Connection, subject: str, scope: Sites, /) -> Sequence[Row]: ...

    def series(
        self, connection: Connection, subject: str, scope: Sites, quantity: str, start: Instant, end: Instant, /
    ) -> Sequence[Row]: ...

    def events(
        self, connection: Connection, subject: str, scope: Sites, start: Instant, end: Instant, /
    ) -> Sequence[Row]: ...

    def bound_time(
        self, connection: Connection, subject: str, scope: Sites, start: Instant, end: Instant, now: Instant, /
    ) -> int:
        """How much of the time devices spoke for the person, us."""
        ...

    def sessions(
        self, connection: Connection, unit: str, page: PageRequest, now: Instant, *, start: Instant, end: Instant
    ) -> list[Row]:
        """Newest first, after the position (start_at, id), with what was measured in each."""
        ...

    def bound(self, connection: Connection, unit: str, device: str, at: Instant, /) -> Row:
        """Whom the device spoke for then (``subject``, none: nobody knows), and since when (``start_at``)."""
        ...

    def spans(self, connection: Connection, subject: str, scope: Sites, before: Instant, /) -> Sequence[Row]:
        """unit, device (none: every one), start_at, end_at of what spoke for the person before then; newest first."""
        ...

    def chest_leads(
        self, connection: Connection, unit: str, device: str | None, start: Instant, end: Instant, /
    ) -> Sequence[Row]:
        """device, start_at, end_at of stored signal that may hold chest leads; newest first."""
        ...
