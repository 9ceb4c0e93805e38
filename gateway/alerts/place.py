"""Where a unit stands: what decides whom its alerts are told to, and whose alerts they are."""

from collections.abc import Callable
from typing import Final

import msgspec

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
            return f"person/{subject.id}"
        return f"unit/{unit}" if unit else "gateway"

    return group_of
