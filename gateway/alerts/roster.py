"""Who is on duty for a role, at a site and unit, now. Pure: times are arguments."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

import msgspec

from gateway.contract.envelope import Instant
from gateway.contract.quantity import HOUR

LONGEST_SHIFT: Final = 36 * HOUR  # a longer one is a mistyped date


class Duty(StrEnum):
    """Whom a step of a ladder asks."""

    # people of a roster
    NURSE = "nurse"
    DOCTOR = "doctor"
    ED_LEAD = "ed-lead"  # who leads the emergency department
    ATTENDANT = "attendant"  # of a kiosk
    STATION_DOCTOR = "station-doctor"
    CENTRE_NURSE = "centre-nurse"  # of the home care centre
    FLEET_DESK = "fleet-desk"  # who answers for vehicles and goods
    OPS = "ops"
    # people who are reached where the patient is; they have neither account nor shift
    CREW = "crew"
    PATIENT = "patient"
    FAMILY = "family"
    SECOND_CONTACT = "second-contact"


# Who stands in for a duty at a site that keeps no roster at all: every account of that role.
STAND_INS: Final[dict[Duty, frozenset[str]]] = {
    Duty.NURSE: frozenset({"nurse"}),
    Duty.DOCTOR: frozenset({"doctor"}),
    Duty.ED_LEAD: frozenset({"doctor"}),
    Duty.ATTENDANT: frozenset({"nurse"}),
    Duty.STATION_DOCTOR: frozenset({"doctor"}),
    Duty.CENTRE_NURSE: frozenset({"nurse"}),
    Duty.FLEET_DESK: frozenset({"dispatcher"}),
    Duty.OPS: frozenset({"ops", "admin"}),
}
CONTACTS: Final = frozenset(Duty) - frozenset(STAND_INS)


class Shift(msgspec.Struct, frozen=True, kw_only=True):
    """A row of table ``shift``: somebody answers for a duty from then to then."""

    id: str
    account: str
    duty: Duty
    site: str  # "" = every site
    unit: str  # "" = the whole site; else the bed or vehicle this person looks after
    start_at: Instant
    end_at: Instant

    def covers(self, now: Instant) -> bool:
        return self.start_at <= now < self.end_at


class Staff(msgspec.Struct, frozen=True):
    """An account that is not disabled; sites ("*",) = every site."""

    account: str
    role: str
    sites: tuple[str, ...]

    def works_at(self, site: str) -> bool:
        return "*" in self.sites or site in self.sites


class Roster:
    """Shifts of now and of later, and the accounts there are. Replaced as a whole when either changes."""

    def __init__(
        self, shifts: Sequence[Shift] = (), staff: Sequence[Staff] = (), kept: frozenset[str] = frozenset()
    ) -> None:
        """``kept``: sites that have ever had a shift: there, nobody on duty means nobody."""
        self.shifts, self.staff, self.kept = tuple(shifts), tuple(staff), kept

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Roster) and self._all == other._all

    def __hash__(self) -> int:
        return hash(self._all)

    @property
    def _all(self) -> tuple[object, ...]:
        return self.shifts, self.staff, self.kept

    def on_duty(self, duty: Duty, site: str, unit: str, now: Instant, *, whole_site: bool) -> tuple[str, ...]:
        """Names of accounts: who looks after the unit, else whoever has no unit of their own.

        With ``whole_site`` everybody of the duty; where no roster is kept, every account that can stand in.
        """
        present = {staff.account for staff in self.staff if staff.works_at(site)}
        if not self._keeps(site):
            roles = STAND_INS.get(duty, frozenset())
            return tuple(sorted({staff.account for staff in self.staff if staff.role in roles} & present))
        here = [s for s in self.shifts if s.duty is duty and s.site in ("", site) and s.covers(now)]
        own = {shift.account for shift in here if shift.unit == unit and unit} & present
        everybody = {shift.account for shift in here} & present
        floating = {shift.account for shift in here if not shift.unit} & present
        return tuple(sorted(everybody if whole_site else own or floating))

    def next_change(self, now: Instant) -> Instant | None:
        """When a shift begins or ends next."""
        times = [at for shift in self.shifts for at in (shift.start_at, shift.end_at) if at > now]
        return min(times, default=None)

    def _keeps(self, site: str) -> bool:
        return site in self.kept or "" in self.kept
