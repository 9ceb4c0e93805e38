"""Escalation as data: who is told of an alert that nobody acknowledges, when, and how; by setting and priority.

Sources: domain facts 2.4 (high after 30 s / 60 s, medium after 2 / 5 min to the next role) and 10.1 (the roles of each
setting), both this project's defaults. A low alert stands on screens and pages nobody.
"""

from enum import StrEnum
from typing import Final

import msgspec

from gateway.alerts.notice import Means
from gateway.alerts.roster import Duty
from gateway.config import HoursSettings, ServiceHoursSettings
from gateway.contract.envelope import Instant
from gateway.contract.quantity import HOUR, MINUTE, SECOND
from gateway.contract.topic import UnitKind
from gateway.rules.catalogue import Priority
from gateway.rules.row import DAY


class Setting(StrEnum):
    """The kind of place, which decides who is there to come."""

    AMBULANCE = "ambulance"
    WARD = "ward"
    KIOSK = "kiosk"
    HOME = "home"
    VEHICLE = "vehicle"
    HOUSE = "house"  # the gateway itself


SETTINGS: Final[dict[UnitKind, Setting]] = {
    UnitKind.AMBULANCE: Setting.AMBULANCE,
    UnitKind.HEALTH_KIOSK: Setting.KIOSK,
    UnitKind.HOMECARE_BED: Setting.HOME,
    UnitKind.BEACON_SITE: Setting.WARD,
    UnitKind.DELIVERY_VAN: Setting.VEHICLE,
    UnitKind.WATCH: Setting.HOUSE,
}


class Step(msgspec.Struct, frozen=True):
    """After ``delay`` s since the alert was raised, ``duty`` is told."""

    delay: int
    duty: Duty
    means: Means = Means.STRONG
    whole_site: bool = False  # not only whoever looks after the unit


class Ladder(msgspec.Struct, frozen=True):
    """Steps in order of time; then the last one is repeated every ``remind`` s until somebody acknowledges."""

    name: str
    steps: tuple[Step, ...]
    remind: int

    def wait(self, taken: int) -> int:
        """How long from the step before to the next one, or between reminders, us; ``taken``: steps so far, > 0."""
        if taken >= len(self.steps):
            return self.remind * SECOND
        return (self.steps[taken].delay - self.steps[taken - 1].delay) * SECOND


class ServiceHours(msgspec.Struct, frozen=True):
    """When somebody sits there; minutes after midnight, local time. ``days``: 0 = Monday."""

    opens: int = 0
    closes: int = 24 * 60
    days: frozenset[int] = frozenset(range(7))
    utc_offset: int = 8 * 60  # minutes; China has one zone and no summer time

    def open_at(self, now: Instant) -> bool:
        minutes = now // MINUTE + self.utc_offset
        days, minute = divmod(minutes, 24 * 60)
        return (days + 3) % 7 in self.days and self.opens <= minute < self.closes  # 1970-01-01 was a Thursday

    def next_opening(self, now: Instant) -> Instant | None:
        """When somebody next comes to sit there; None when nobody ever does."""
        today = (now // MINUTE + self.utc_offset) // (24 * 60)
        mornings = (((today + n) * 24 * 60 + self.opens - self.utc_offset) * MINUTE for n in range(8))
        return next((at for at in mornings if at > now and self.open_at(at)), None)


def hours_of(settings: ServiceHoursSettings) -> dict[Setting, ServiceHours]:
    """Of the settings that close at all; every other is always open. They are stated to the patient."""
    return {Setting.KIOSK: _hours(settings.kiosk), Setting.HOME: _hours(settings.home)}


def _hours(given: HoursSettings) -> ServiceHours:
    return ServiceHours(
        _minutes(given.opens), _minutes(given.closes), frozenset(given.days), round(given.utc_offset * 60)
    )


def _minutes(clock: str) -> int:
    hours, minutes = clock.split(":")
    return int(hours) * 60 + int(minutes)


SERVICE_HOURS: Final = hours_of(ServiceHoursSettings())

_REMIND: Final = {Priority.HIGH: 5 * MINUTE // SECOND, Priority.MEDIUM: HOUR // SECOND}
_CLOSED: Final = (  # nobody is there: the patient is called by a machine, and the morning finds a task
    Step(0, Duty.PATIENT, Means.CALL),
    Step(0, Duty.CENTRE_NURSE, Means.TASK),
    Step(120, Duty.FAMILY, Means.CALL),
    Step(300, Duty.SECOND_CONTACT, Means.CALL),
)
_HIGH: Final[dict[Setting, tuple[Step, ...]]] = {
    Setting.AMBULANCE: (Step(0, Duty.CREW, Means.APP), Step(60, Duty.ED_LEAD)),
    Setting.WARD: (Step(0, Duty.NURSE), Step(30, Duty.NURSE, whole_site=True), Step(120, Duty.DOCTOR)),
    Setting.KIOSK: (Step(0, Duty.ATTENDANT), Step(120, Duty.STATION_DOCTOR)),
    Setting.HOME: (
        Step(0, Duty.CENTRE_NURSE), Step(120, Duty.FAMILY, Means.CALL), Step(300, Duty.SECOND_CONTACT, Means.CALL),
    ),
    Setting.VEHICLE: (Step(0, Duty.CREW, Means.APP), Step(60, Duty.FLEET_DESK)),
    Setting.HOUSE: (Step(0, Duty.OPS), Step(60, Duty.OPS, whole_site=True)),
}  # fmt: skip
_MEDIUM: Final[dict[Setting, tuple[Step, ...]]] = {
    Setting.AMBULANCE: (Step(0, Duty.CREW, Means.APP), Step(300, Duty.ED_LEAD, Means.APP)),
    Setting.WARD: (
        Step(0, Duty.NURSE, Means.APP), Step(120, Duty.NURSE, Means.APP, whole_site=True),
        Step(300, Duty.DOCTOR, Means.APP),
    ),
    Setting.KIOSK: (Step(0, Duty.ATTENDANT, Means.APP), Step(300, Duty.STATION_DOCTOR, Means.APP)),
    Setting.HOME: (Step(0, Duty.CENTRE_NURSE, Means.APP), Step(300, Duty.FAMILY, Means.CALL)),
    Setting.VEHICLE: (Step(0, Duty.CREW, Means.APP), Step(300, Duty.FLEET_DESK, Means.APP)),
    Setting.HOUSE: (Step(0, Duty.OPS, Means.APP),),
}  # fmt: skip


# A rung of missed uploads is told to whom it names and to nobody else: the next rung is the next tier, days later. It
# can wait for the morning: no relative is phoned at night because a measurement is missing.
_UPLOADS: Final = {
    "uploads-remind-person": Step(0, Duty.PATIENT, Means.APP),
    "uploads-nurse-calls": Step(0, Duty.CENTRE_NURSE, Means.TASK),
    "uploads-second-contact": Step(0, Duty.SECOND_CONTACT, Means.CALL),
    "uploads-visit": Step(0, Duty.CENTRE_NURSE, Means.TASK),
}


def _all() -> dict[str, Ladder]:
    found = {code: Ladder(code, (step,), DAY // SECOND) for code, step in _UPLOADS.items()}
    for priority, table in ((Priority.HIGH, _HIGH), (Priority.MEDIUM, _MEDIUM)):
        for setting, steps in table.items():
            name = f"{setting}-{priority}"
            found[name] = Ladder(name, steps, _REMIND[priority])
            if setting in SERVICE_HOURS:
                found[f"{name}-closed"] = Ladder(f"{name}-closed", _CLOSED, _REMIND[priority])
    return found


LADDERS: Final[dict[str, Ladder]] = _all()


def ladder_of(rule: str) -> Ladder | None:
    """The ladder a rule has of its own, wherever it is raised."""
    return LADDERS[rule] if rule in _UPLOADS else None


def ladder_for(setting: Setting, priority: Priority, *, closed: bool) -> Ladder | None:
    """The ladder an alert climbs; None when it pages nobody."""
    name = f"{setting}-{priority}"
    return LADDERS.get(f"{name}-closed") or LADDERS.get(name) if closed else LADDERS.get(name)
