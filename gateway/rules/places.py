"""What a kind of place decides: how long it may be silent, and when that counts."""

from typing import Final

import msgspec

from gateway.contract.quantity import HOUR, MINUTE, SECOND
from gateway.contract.topic import UnitKind
from gateway.rules.row import Hours


class Place(msgspec.Struct, frozen=True):
    """One kind. Source: domain facts 10.1."""

    silence: int  # how long a unit may say nothing, us
    hours: Hours | None = None  # when that counts; None = always
    exits: tuple[str, ...] = ()  # scanners at a way out: a tag that they are the last to lose has left
    task: str = ""  # what somebody is asked to do then, beside the alert


PLACES: Final[dict[UnitKind, Place]] = {
    UnitKind.AMBULANCE: Place(60 * SECOND),
    UnitKind.DELIVERY_VAN: Place(15 * MINUTE),
    UnitKind.HOMECARE_BED: Place(10 * MINUTE, task="call-home"),
    UnitKind.HEALTH_KIOSK: Place(60 * SECOND, Hours(8 * 60, 18 * 60)),
    UnitKind.BEACON_SITE: Place(24 * HOUR),
    UnitKind.WATCH: Place(60 * SECOND),
}
