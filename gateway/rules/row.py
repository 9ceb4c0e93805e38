"""What one row of the catalogue says of an alert."""

from enum import StrEnum
from typing import Any, Final

import msgspec

from gateway.contract.envelope import Instant
from gateway.contract.quantity import HOUR, MINUTE
from gateway.contract.topic import UnitKind
from gateway.derive.population import Population
from gateway.rules.condition import EVERY_PROBE, Condition, Threshold

DAY: Final = 24 * HOUR


class Kind(StrEnum):
    """Kind of alert condition (IEEE 11073 / IEC 60601-1-8)."""

    PHYSIOLOGICAL = "physiological"
    TECHNICAL = "technical"


class Priority(StrEnum):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Ladder(StrEnum):
    """Who is asked, one after the other; the steps belong to the setting of the unit."""

    CLINICAL = "clinical"
    TECHNICAL = "technical"
    CARGO = "cargo"


class Hours(msgspec.Struct, frozen=True):
    """A daily time in which something counts: minutes of the site's day, ``end`` excluded; it may pass midnight."""

    start: int
    end: int

    def open(self, at: Instant, utc_offset: int) -> bool:
        minute = (at + utc_offset) % DAY // MINUTE
        if self.start <= self.end:
            return self.start <= minute < self.end
        return minute >= self.start or minute < self.end


class Row(msgspec.Struct, frozen=True):
    """An alert that can be raised. ``condition`` is None where a detector or a device, not a value, decides.

    A ladder of severity is several rows: the higher one inhibits the lower (``inhibited_by``), see ADR 0022.
    """

    code: str
    kind: Kind
    priority: Priority
    source: str  # of the limits and the priority
    condition: Condition | None = None
    latching: bool = False  # it has to be seen by somebody, also when it is over
    zh: str = ""
    en: str = ""
    populations: frozenset[Population] | None = None  # whom it is made for; None = everybody
    limits: dict[Population, float] = {}  # of those whose limit is not the condition's own
    places: frozenset[UnitKind] | None = None  # None = everywhere
    probes: tuple[str, ...] = ()  # what "*" in the quantity's name stands for: one alert each
    ladder: Ladder = Ladder.TECHNICAL
    inhibited_by: tuple[str, ...] = ()  # alerts of the same unit that mute this one while they are open
    hours: Hours | None = None  # None = always
    needs_target: bool = False  # only where a clinician has recorded the oxygen target 88-92 %
    target_limit: float | None = None  # the limit there
    needs_plan: bool = False  # its limit follows from a person's care plan; without one it does not speak of them
    derivation: str = ""  # what it stands on beside the value: where that is switched off, so is the row
    lethal: bool = False  # a site can neither switch it off nor lower its priority
    enabled: bool = True

    @property
    def threshold(self) -> Threshold | None:
        """The one limit of the row, if that is what it has."""
        return self.condition if isinstance(self.condition, Threshold) else None

    @property
    def quantities(self) -> tuple[str, ...]:
        """Every quantity that feeds it."""
        named = self.condition.quantities if self.condition else ()
        return tuple(
            name.replace(EVERY_PROBE, probe)
            for name in named
            for probe in (self.probes if EVERY_PROBE in name else ("",))
        )

    def refuses(self, population: Population) -> str | None:
        """Why it does not speak of somebody; None when it does."""
        if self.populations is None or population in self.populations:
            return None
        made_for = ", ".join(sorted(self.populations))
        return f"made for {made_for}; not for {population}"

    def describe(self) -> dict[str, Any]:
        """As a program reads it."""
        described: dict[str, Any] = msgspec.to_builtins(self, order="sorted")
        return described
