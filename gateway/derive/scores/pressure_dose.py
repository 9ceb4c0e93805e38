"""Pressure-time dose of each zone of the body, from the maps of a pressure mat.

A zone's pressure is its highest cell. Above the threshold its dose grows by pressure x time; relief that lasts sets it
back to zero. A time without maps, or in which a zone's cells gave nothing, is unknown: it adds nothing, and is counted.

Source: threshold 32 mmHg = 4.27 kPa, capillary closing pressure (Landis 1930); limit 300 mmHg h = 2400 kPa min, the
hyperbola of Reswick and Rogers 1976, which is known to be too lenient for short, high pressure. Zones, relief and when
a mat is empty are this project's. From memory (domain facts 10.1), for a site to confirm: they rank zones, they
foretell no injury.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from gateway.contract.envelope import Instant
from gateway.contract.quantity import MINUTE

NAME: Final = "pressure-dose"
ROWS: Final = 8  # from the head
COLUMNS: Final = 16  # from the person's right
OVER: Final = 100.0  # kPa: what a cell that measures more than it can is taken for
THRESHOLD: Final = 4.27  # kPa
EMPTY: Final = 1.0  # kPa: a blanket may press so, nobody who lies there; a good mattress keeps them below the threshold
LIMIT: Final = 2400.0  # kPa min
RELIEF: Final = 5 * MINUTE  # below the threshold for so long: the zone has recovered
LONGEST_STEP: Final = MINUTE  # a map stands for no longer than a reading of the mat is valid

_LENGTHS: Final = {"head": (0,), "shoulders": (1, 2), "pelvis": (3, 4), "legs": (5, 6), "heels": (7,)}
_WIDTHS: Final = {"right": range(5), "middle": range(5, 11), "left": range(11, 16)}
ZONES: Final[dict[str, tuple[int, ...]]] = {
    f"{length}-{width}": tuple(row * COLUMNS + column for row in rows for column in columns)
    for length, rows in _LENGTHS.items()
    for width, columns in _WIDTHS.items()
}


class BadMap(ValueError):
    """A map of another mat."""


class Dose(msgspec.Struct, frozen=True, omit_defaults=True):
    """One zone. ``value``, kPa min, since ``since``; ``pressure``: kPa now, None when its cells give nothing."""

    value: float = 0.0
    since: Instant | None = None
    pressure: float | None = None
    relieved_at: Instant | None = None  # when the pressure last fell below the threshold
    unknown: int = 0  # us within the dose of which nothing is known


class DoseMap:
    """One mat. Feed it maps in order of time; an older one is passed over."""

    def __init__(self, doses: Mapping[str, Dose] | None = None, at: Instant | None = None) -> None:
        """``doses``, as of ``at``: where a process before this one left off; a zone that is not named has none."""
        self.doses: dict[str, Dose] = dict.fromkeys(ZONES, Dose()) | dict(doses or {})
        self.at = at  # of the newest map

    def feed(self, kpa: Sequence[float | None], at: Instant, over: Sequence[int] = ()) -> None:
        """Takes a map, row by row. ``over``: cells that measure more than they can.

        Raises:
            BadMap: not 8 x 16 cells.
        """
        if len(kpa) != ROWS * COLUMNS:
            raise BadMap(f"{len(kpa)} cells")
        if self.at is not None and at <= self.at:
            return
        step = 0 if self.at is None else at - self.at
        beyond = frozenset(over)
        for zone, cells in ZONES.items():
            measured = [OVER if cell in beyond else kpa[cell] for cell in cells]
            highest = max((value for value in measured if value is not None), default=None)
            self.doses[zone] = advance(self.doses[zone], highest, at, step)
        self.at = at

    def reset(self, at: Instant) -> None:
        """Somebody has turned the person, or helped them out of bed.

        When it is recorded late, what has pressed since then counts for a new dose, but nobody knows any more how hard.
        """
        late = 0 if self.at is None else max(0, self.at - at)
        doses = self.doses.items()
        self.doses = {
            zone: Dose(0.0, at, one.pressure, None, late) if late and _loads(one) else Dose() for zone, one in doses
        }
        self.at = max(at, self.at or at)

    @property
    def worst(self) -> tuple[str, Dose]:
        """The zone with the largest dose; of equal ones the first of `ZONES`."""
        return max(self.doses.items(), key=lambda entry: entry[1].value)

    @property
    def loaded(self) -> bool:
        """Whether somebody bears down on the mat now."""
        return any(_loads(dose) for dose in self.doses.values())

    @property
    def empty(self) -> bool:
        """Whether the mat says that nobody lies on it; one that gives nothing says nothing."""
        pressures = [dose.pressure for dose in self.doses.values() if dose.pressure is not None]
        return bool(pressures) and max(pressures) < EMPTY


def _loads(dose: Dose) -> bool:
    return dose.pressure is not None and dose.pressure >= THRESHOLD


def advance(dose: Dose, pressure: float | None, at: Instant, step: int) -> Dose:
    """A zone's dose after ``step`` us under the pressure it had, now ``pressure``."""
    stood = min(step, LONGEST_STEP)
    unknown = dose.unknown + (step - stood if dose.pressure is not None else step)
    value = dose.value + (dose.pressure or 0.0) * stood / MINUTE if _loads(dose) else dose.value
    if pressure is None:
        return Dose(value, dose.since, None, None, unknown)
    if pressure >= THRESHOLD:
        since = at if dose.since is None else dose.since
        return Dose(value, since, pressure, None, unknown if dose.since is not None else 0)
    relieved_at = at if dose.relieved_at is None else dose.relieved_at
    if at - relieved_at >= RELIEF:
        return Dose(pressure=pressure, relieved_at=relieved_at)
    return Dose(value, dose.since, pressure, relieved_at, unknown)
