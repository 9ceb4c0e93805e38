"""The life of alerts without a path: findings, people and time in, transitions and notices out."""

from collections.abc import Iterator

import msgspec

from gateway.alerts.alert import Alert, Mark, State
from gateway.alerts.book import REOPEN_WITHIN, AlertBook, Transition
from gateway.alerts.ladder import SERVICE_HOURS, ServiceHours, Setting
from gateway.alerts.lifecycle import Lifecycle
from gateway.alerts.notice import Notice
from gateway.alerts.place import Place
from gateway.alerts.roster import Duty, Roster, Shift, Staff
from gateway.alerts.silence import Silence, SilenceDesk
from gateway.contract.quantity import HOUR, MINUTE, SECOND
from gateway.rules.catalogue import CATALOGUE
from gateway.rules.hold import Edge
from gateway.rules.threshold import Finding

NOON = 1_767_240_000 * SECOND  # 2026-01-01 12:00 in China, a Thursday
NIGHT = NOON + 11 * HOUR
PLACES = {
    "amb-1": Place("city", Setting.AMBULANCE),
    "ward-1": Place("city", Setting.WARD),
    "kiosk-1": Place("city", Setting.KIOSK),
    "home-1": Place("city", Setting.HOME),
    "van-1": Place("city", Setting.VEHICLE),
}
STAFF = (
    Staff("dr.li", "doctor", ("city",)),
    Staff("nurse.wang", "nurse", ("city",)),
    Staff("nurse.zhao", "nurse", ("*",)),
    Staff("ops.chen", "ops", ("*",)),
    Staff("desk.sun", "dispatcher", ("city",)),
    Staff("nurse.far", "nurse", ("elsewhere",)),
)
EVERYBODY = Roster(staff=STAFF)


def shift(account: str, duty: Duty, start: int = NOON, hours: int = 8, unit: str = "") -> Shift:
    return Shift(
        id=f"{account}-{start}-{unit}", account=account, duty=duty, site="city", unit=unit, start_at=start,
        end_at=start + hours * HOUR,
    )  # fmt: skip


def kept(*shifts: Shift) -> Roster:
    """A roster of a site that keeps one."""
    return Roster(shifts, STAFF, frozenset({"city"}))


class Clinic:
    """``stored`` is the disk; ``restart`` forgets everything else."""

    def __init__(self, roster: Roster = EVERYBODY, now: int = NOON) -> None:
        self.now = now
        self.roster = roster
        self.stored: dict[str, Alert] = {}
        self.stored_silences: dict[str, Silence] = {}
        self.log: list[Transition] = []
        self.notices: list[Notice] = []
        self.hours: dict[Setting, ServiceHours] = SERVICE_HOURS
        self.restart()

    def restart(self) -> None:
        alerts = self.stored.values()
        recent = [a for a in alerts if a.resolved_at is not None and a.resolved_at > self.now - REOPEN_WITHIN]
        silences = SilenceDesk(s for s in self.stored_silences.values() if s.ended_at is None)
        self.book = AlertBook([a for a in alerts if a.state is not State.RESOLVED], recent)
        self.lifecycle = Lifecycle(self.book, silences, PLACES.get, self.roster, self.hours)

    # ---- what happens -----------------------------------------------------------------------------------------------

    def step(self, *findings: Finding, seconds: float = 0) -> list[Transition]:
        """One batch, committed."""
        self.now += round(seconds * SECOND)
        made = [moved for found in findings if (moved := self.book.apply(found, self.now)) is not None]
        return self.commit(made + self.lifecycle.advance(self.now))

    def commit(self, made: list[Transition]) -> list[Transition]:
        self.log += made
        self.stored |= {one.alert.id: one.alert for one in made}
        self.stored_silences |= {one.id: one for one in self.lifecycle.silences.take_changes()}
        self.notices += self.lifecycle.take_notices()
        return made

    def finding(
        self, edge: Edge, rule: str, unit: str = "ward-1", *, subject: str = "", device: str = "monitor",
        simulated: bool = False,
    ) -> Finding:  # fmt: skip
        about = subject or f"unit/{unit}"
        return Finding(CATALOGUE[rule], edge, about, unit, device, self.now, 141.0, 130.0, {}, simulated)

    def begin(self, rule: str, unit: str = "ward-1", seconds: float = 0, **other: object) -> Alert:
        """Raises an alert; gives it as it is after the batch."""
        self.now += round(seconds * SECOND)
        finding = self.finding(Edge.RAISE, rule, unit, **other)  # type: ignore[arg-type]
        self.step(finding)
        return self.standing(rule, finding.subject)

    def end(self, rule: str, unit: str = "ward-1", seconds: float = 0, **other: object) -> None:
        self.now += round(seconds * SECOND)
        self.step(self.finding(Edge.CLEAR, rule, unit, **other))  # type: ignore[arg-type]

    def acknowledge(self, alert: Alert, actor: str = "nurse.wang", seconds: float = 0) -> Alert:
        self.now += round(seconds * SECOND)
        taken = self.book.acknowledge(alert.id, actor, self.now)
        self.commit([taken, *self.lifecycle.advance(self.now)])
        return taken.alert

    def silence(self, unit: str = "ward-1", subject: str = "", rule: str = "", minutes: int = 30) -> Silence:
        wanted = Silence(
            id=f"s-{self.now}-{rule}", unit=unit, subject=subject, rule=rule, reason="known", author="dr.li",
            role="doctor", created_at=self.now, expires_at=self.now + minutes * MINUTE,
        )  # fmt: skip
        taken = self.lifecycle.silences.start(wanted)
        self.step()
        return taken

    # ---- what is there ----------------------------------------------------------------------------------------------

    def standing(self, rule: str, subject: str = "") -> Alert:
        [found] = [a for a in self.book.open if a.rule == rule and subject in ("", a.subject)]
        return found

    def rules(self) -> list[str]:
        return sorted(alert.rule for alert in self.book.open)

    def told(self, rule: str) -> list[tuple[int, str, str, tuple[str, ...]]]:
        """(s since noon, reason, role, recipients) of every notice of a rule."""
        return [
            ((one.at - NOON) // SECOND, str(one.reason), one.role, one.recipients)
            for one in self.notices
            if one.rule == rule
        ]

    def history(self, alert: Alert) -> list[str]:
        return [str(one.move) for one in self.log if one.alert.id == alert.id]

    def episodes(self) -> Iterator[list[Transition]]:
        """The log of each alert, cut where it was opened again."""
        for id in {one.alert.id for one in self.log}:
            lines: list[Transition] = []
            for one in (one for one in self.log if one.alert.id == id):
                if lines and one.alert.reopened > lines[-1].alert.reopened:
                    yield lines
                    lines = []
                lines.append(one)
            yield lines


def steps_of(lines: list[Transition]) -> list[int]:
    return [one.alert.step for one in lines if one.move is Mark.NOTIFY]


def without_times(alert: Alert) -> Alert:
    return msgspec.structs.replace(alert, updated_at=0)
