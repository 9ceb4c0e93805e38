"""Missed uploads of somebody who measures at home: who is asked to do something, and when.

Source: this project's defaults (no standard was found), for a site to confirm. Silence of a whole day is not one alert
but a ladder: the person first, then the centre's nurse, then a visit. Nothing is missed before the first is due.
"""

from typing import Final

import msgspec

from gateway.contract.envelope import Instant
from gateway.contract.quantity import MINUTE

NAME: Final = "missed-uploads"


class Plan(msgspec.Struct, frozen=True, tag="uploads", tag_field="kind"):
    """What was agreed with somebody at home. ``quantity``: what is awaited; None = any measurement of theirs."""

    every_minutes: int
    grace_minutes: int = 0
    quantity: str | None = None

    @property
    def every(self) -> int:
        return self.every_minutes * MINUTE

    @property
    def grace(self) -> int:
        return self.grace_minutes * MINUTE


class Tier(msgspec.Struct, frozen=True):
    """Reached when so many uploads in a row are missing."""

    missed: int
    act: str


class Missed(msgspec.Struct, frozen=True):
    """``count`` of uploads missing in a row; ``since``: when the first of them was due (grace included)."""

    count: int
    act: str | None
    since: Instant | None
    next_at: Instant  # when the next one will be missing


TIERS: Final = (Tier(1, "remind-person"), Tier(2, "nurse-calls"), Tier(4, "second-contact"), Tier(7, "visit"))


def judge(last: Instant, now: Instant, *, every: int, grace: int, tiers: tuple[Tier, ...] = TIERS) -> Missed:
    """What is missing at ``now``. ``last``: newest upload, or when the plan began; ``every`` and ``grace`` in us.

    Raises:
        ValueError: a plan without an interval.
    """
    if every <= 0 or grace < 0:
        raise ValueError(f"every {every} us, grace {grace} us")
    count = max(0, (now - last - grace) // every)
    act = next((tier.act for tier in reversed(tiers) if count >= tier.missed), None)
    since = last + every + grace if count else None
    return Missed(count, act, since, last + (count + 1) * every + grace)
