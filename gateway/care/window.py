"""A time window in which a device's values, or all of a unit's, do not count.

    on ---> ended      by a person
       ---> expired    by itself

*Service mode* is about one device (calibration, cleaning, transport, repair): its values are stored and flagged, raise
nothing and clear nothing. *Training* is about a whole unit: everything works as ever, and none of it leaves the house.
Both begin by a person's act, with a reason and an end that is bounded from the start.
"""

from enum import StrEnum
from typing import Final

import msgspec

from gateway.contract.envelope import Instant
from gateway.contract.quantity import HOUR, MINUTE


class Mode(StrEnum):
    CALIBRATION = "calibration"
    CLEANING = "cleaning"
    TRANSPORT = "transport"
    REPAIR = "repair"
    TRAINING = "training"  # of a unit, never of one device


# How long each may last: whoever forgets to end it must not leave a patient unwatched until somebody notices.
LONGEST: Final[dict[Mode, int]] = {
    Mode.CALIBRATION: 4 * HOUR,
    Mode.CLEANING: 2 * HOUR,
    Mode.TRANSPORT: 24 * HOUR,
    Mode.REPAIR: 72 * HOUR,
    Mode.TRAINING: 8 * HOUR,
}
SHORTEST: Final = MINUTE


class State(StrEnum):
    ON = "on"
    ENDED = "ended"
    EXPIRED = "expired"


class ServiceWindow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of table ``service_window``."""

    id: str
    unit: str
    device: str  # "" = the whole unit, in training
    mode: Mode
    reason: str  # as the person typed it
    started_by: str
    role: str
    started_at: Instant
    expires_at: Instant
    state: State = State.ON
    ended_at: Instant | None = None
    ended_by: str | None = None

    def covers(self, at: Instant) -> bool:
        """Whether something that happened then happened inside it."""
        return self.started_at <= at < (self.expires_at if self.ended_at is None else self.ended_at)

    def covers_after(self, at: Instant) -> bool:
        """Whether anything of it lies behind that instant."""
        return self.ended_at is None or self.ended_at > at


class WindowChange(msgspec.Struct, frozen=True):
    """A window as it is after a move, and who made it."""

    window: ServiceWindow
    at: Instant
    actor: str


class Refusal(StrEnum):
    """Why a window does not open, or cannot be ended."""

    ALREADY_ON = "already-on"
    TOO_LONG = "too-long"
    UNKNOWN_UNIT = "unknown-unit"
    PATIENT_ALERTS = "patient-alerts"  # a unit whose patient has open alerts is not for training
    UNKNOWN_WINDOW = "unknown-window"
    NOT_ON = "not-on"


class WindowRefused(Exception):
    """What a person asked for cannot be done now."""

    def __init__(self, reason: Refusal, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
