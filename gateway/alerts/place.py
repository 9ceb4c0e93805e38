"""Where a unit stands: what decides whom its alerts are told to, and whose alerts they are."""

from collections.abc import Callable
from typing import Final

import msgspec

from gateway.alerts.alert import Alert
from gateway.alerts.book import PERSON
from gateway.alerts.ladder import SETTINGS, Setting
from gateway.fleet import Fleet


class Place(msgspec.Struct, frozen=True):
    """A site, and the kind of place there."""

    site: str
    setting: Setting


HOUSE: Final = Place("", Setting.HOUSE)


def place_in(fleet: Fleet) -> Callable[[str], Place | None]:
    """Finds a unit's place; None when it is not registered any more."""

    def place_of(unit: str) -> Place | None:
        entry = fleet.units.get(unit)
        return Place(entry.address.site, SETTINGS[entry.address.kind]) if entry else None

    return place_of


def group_in(fleet: Fleet) -> Callable[[str], str]:
    """Finds whose alerts a unit's are: of the person its devices speak for, else of the unit itself."""

    def group_of(unit: str) -> str:
        subject = fleet.subjects.get(unit)
        if subject is not None:
            return f"{PERSON}{subject.id}"
        return f"unit/{unit}" if unit else "gateway"

    return group_of


def person_of(alert: Alert) -> str:
    """The pseudonym of the person it was raised for; "" when it says none."""
    return alert.group_key.removeprefix(PERSON) if alert.group_key.startswith(PERSON) else ""
