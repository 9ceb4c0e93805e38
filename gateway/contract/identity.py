"""Who speaks and for whom: provenance of a unit, association of a device with a person."""

from enum import StrEnum

import msgspec

from gateway.contract.envelope import DeviceId, Instant


class Provenance(StrEnum):
    """Simulated and test data never page outside and are marked on every screen."""

    LIVE = "live"
    TEST = "test"
    SIMULATED = "simulated"


class ClockQuality(StrEnum):
    """How far ``observed_at`` can be trusted."""

    GOOD = "good"  # offset measured, small
    CORRECTED = "corrected"  # offset measured, large: event time = observed + offset
    UNTRUSTED = "untrusted"  # event time = received time


class AssociationSource(StrEnum):
    MANUAL = "manual"
    CARD = "card"
    QR = "qr"
    PROPOSED = "proposed"


class Association(msgspec.Struct, frozen=True, kw_only=True):
    """The fact that a device speaks for a person during an interval. ``subject`` is a pseudonymous id."""

    unit: str
    device: DeviceId
    subject: str
    start_at: Instant
    end_at: Instant | None = None
    source: AssociationSource
    confirmed_by: str | None = None
