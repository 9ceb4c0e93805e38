"""What time, silences, inhibitors and the roster do to open alerts: muting, ladders, and that nobody is on duty.

Runs after findings and people's moves of a batch, so what it does commits with them. Timers stand in the alerts
themselves: a gateway that was killed goes on where it stopped, and takes at once the steps it has missed.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from gateway.alerts.alert import UNSEEN, Alert, Mark
from gateway.alerts.book import AlertBook, Transition
from gateway.alerts.ladder import LADDERS, SERVICE_HOURS, Ladder, ServiceHours, Setting, Step, ladder_for, ladder_of
from gateway.alerts.notice import Means, Notice, Reason, notice_id
from gateway.alerts.place import HOUSE, Place
from gateway.alerts.policy import inhibitor_of, is_for_ops
from gateway.alerts.roster import CONTACTS, Duty, Roster
from gateway.alerts.silence import SilenceDesk
from gateway.contract.envelope import Instant
from gateway.rules.catalogue import CATALOGUE
from gateway.rules.hold import Edge
from gateway.rules.threshold import Finding

NOBODY: Final = "nobody-on-duty"


class Lifecycle:
    """Owned by one pipeline, beside the book whose alerts it moves."""

    def __init__(
        self,
        book: AlertBook,
        silences: SilenceDesk,
        place_of: Callable[[str], Place | None],
        roster: Roster | None = None,
        hours: dict[Setting, ServiceHours] = SERVICE_HOURS,
    ) -> None:
        """``place_of``: of a unit; None when it is not registered any more."""
        self.book = book
        self.silences = silences
        self.hours = hours
        self._place_of = place_of
        self._roster = roster or Roster()
        self._notices: list[Notice] = []
        self._seen = (-1, -1)  # versions of book and silences when it last looked
        self._due: Instant = 0  # when time alone changes something next

    # ---- from outside -----------------------------------------------------------------------------------------------

    def set_roster(self, roster: Roster) -> None:
        """Shifts or accounts have changed; what that means is found out with the next batch."""
        if roster != self._roster:
            self._roster = roster
            self._due = 0

    def take_notices(self) -> list[Notice]:
        """What the next commit must write."""
        notices, self._notices = self._notices, []
        return notices

    def advance(self, now: Instant) -> list[Transition]:
        """Everything that is due. Cheap when nothing is."""
        self.silences.advance(now)
        if self._seen == (self.book.version, self.silences.version) and now < self._due:
            return []
        made: list[Transition] = []
        made += self._mute_and_climb(self.book.open, now)
        for found in self._judge_duty(now):
            moved = self.book.apply(found, now)
            made += [moved] if moved else []
        made += self._mute_and_climb([alert for alert in self.book.open if alert.rule == NOBODY], now)
        self._seen = (self.book.version, self.silences.version)
        self._due = self._next_due(now)
        return made

    def _mute_and_climb(self, alerts: list[Alert], now: Instant) -> list[Transition]:
        """First who is muted, then who is told: nobody is told of what is muted at the same instant."""
        made: list[Transition] = []
        for alert, neighbours in _by_unit(alerts):
            made += self._judge_mutes(alert, neighbours, now)
        released = {one.alert.id for one in made if one.move in (Mark.UNSILENCE, Mark.RELEASE)}
        ids = {alert.id for alert in alerts}
        for alert in self.book.open:
            if alert.id in ids:
                made += self._climb(alert, now, unmuted=alert.id in released)
        return made

    # ---- muting -----------------------------------------------------------------------------------------------------

    def _judge_mutes(self, alert: Alert, neighbours: list[Alert], now: Instant) -> list[Transition]:
        """Who mutes the alert now, and what changes by it."""
        made = []
        silence = self.silences.covering(alert, now)
        if (silence.id if silence else None) != alert.silenced_by:
            made.append(self._mute(alert, "silenced_by", silence.id if silence else None, now))
            alert = made[-1].alert
        inhibitor = inhibitor_of(alert, neighbours)
        if (inhibitor.id if inhibitor else None) != alert.inhibited_by:
            made.append(self._mute(alert, "inhibited_by", inhibitor.id if inhibitor else None, now))
        return made

    def _mute(self, alert: Alert, field: str, by: str | None, now: Instant) -> Transition:
        on, off = (Mark.SILENCE, Mark.UNSILENCE) if field == "silenced_by" else (Mark.INHIBIT, Mark.RELEASE)
        after = msgspec.structs.replace(alert, **{field: by})
        waits = after.muted or not after.ladder or alert.state not in UNSEEN
        changes = {field: by, "next_step_at": None if waits else now}
        details = {"by": by} if by else {"by": getattr(alert, field)}
        return self.book.mark(alert, on if by else off, now, details, **changes)

    # ---- ladders ----------------------------------------------------------------------------------------------------

    def _climb(self, alert: Alert, now: Instant, *, unmuted: bool) -> list[Transition]:
        """Takes the steps that are due; also those missed while nobody ran the gateway."""
        if alert.state not in UNSEEN or alert.muted:
            return []
        place = self._place_of(alert.unit) if alert.unit else HOUSE
        ladder = LADDERS.get(alert.ladder) or self._ladder(alert, place, now)
        if ladder is None:
            return []
        due = alert.next_step_at if alert.ladder else now
        made: list[Transition] = []
        while due is not None and now >= due:
            reason = _reason(alert, len(ladder.steps), unmuted)
            step = _next_step(alert, ladder)
            if self._opening(alert, step, place, now) is not None:
                break
            taken = min(alert.step + 1, len(ladder.steps))
            due = (now if taken == len(ladder.steps) else due) + ladder.wait(taken)  # reminders are never made up for
            made.append(self._tell(alert, ladder, step, reason, place or HOUSE, taken, due, now))
            alert = made[-1].alert
        return made

    def _opening(self, alert: Alert, step: Step, place: Place | None, now: Instant) -> Instant | None:
        """Until when a call that can wait does: nobody is phoned about a missing measurement outside service hours."""
        hours = self.hours.get(place.setting) if place is not None else None
        waits = hours is not None and ladder_of(alert.rule) is not None and step.means is Means.CALL
        return hours.next_opening(now) if hours is not None and waits and not hours.open_at(now) else None

    def _ladder(self, alert: Alert, place: Place | None, now: Instant) -> Ladder | None:
        own = ladder_of(alert.rule)
        if own is not None:
            return own
        setting = Setting.HOUSE if place is None or is_for_ops(alert.rule) else place.setting
        hours = self.hours.get(setting)
        return ladder_for(setting, alert.priority, closed=hours is not None and not hours.open_at(now))

    def _tell(
        self, alert: Alert, ladder: Ladder, step: Step, reason: Reason, place: Place, taken: int, due: Instant,
        now: Instant,
    ) -> Transition:  # fmt: skip
        recipients = self._on_duty(step, place.site, alert.unit, now)
        notice = Notice(
            id=notice_id(alert.id, alert.notices), alert=alert.id, unit=alert.unit, site=place.site, rule=alert.rule,
            priority=alert.priority, reason=reason, step=taken - 1, role=step.duty, means=step.means,
            recipients=recipients, at=now, simulated=alert.simulated,
        )  # fmt: skip
        self._notices.append(notice)
        details: dict[str, Any] = {
            "notice": notice.id, "ladder": ladder.name, "step": notice.step, "role": str(step.duty),
            "means": str(step.means), "reason": str(reason), "recipients": list(recipients),
        }  # fmt: skip
        return self.book.mark(
            alert, Mark.NOTIFY, now, details,
            ladder=ladder.name, step=taken, next_step_at=due, notices=alert.notices + 1,
        )  # fmt: skip

    # ---- duty -------------------------------------------------------------------------------------------------------

    def _on_duty(self, step: Step, site: str, unit: str, now: Instant) -> tuple[str, ...]:
        if step.duty in CONTACTS:
            return ()
        return self._roster.on_duty(step.duty, site, unit, now, whole_site=step.whole_site)

    def _judge_duty(self, now: Instant) -> list[Finding]:
        """A step that asks a role nobody has is an alert of its own, until somebody is on duty or has taken the alert.

        Practice needs no roster, and a task waits for whoever comes next.
        """
        row = CATALOGUE[NOBODY]
        wanted: dict[str, tuple[Alert, Duty]] = {}
        for alert in self.book.open:
            step = self._present_step(alert)
            if step is None or step.duty in CONTACTS or step.means is Means.TASK:
                continue
            place = (self._place_of(alert.unit) if alert.unit else None) or HOUSE
            if not self._on_duty(step, place.site, alert.unit, now):
                wanted.setdefault(_subject(place.site, step.duty), (alert, step.duty))
        standing = {alert.subject: alert for alert in self.book.open if alert.rule == NOBODY}
        findings = [
            Finding(row, Edge.RAISE, subject, alert.unit, None, now, details={"role": str(duty), "alert": alert.id})
            for subject, (alert, duty) in sorted(wanted.items())
            if subject not in standing
        ]
        return findings + [
            Finding(row, Edge.CLEAR, subject, alert.unit, None, now)
            for subject, alert in sorted(standing.items())
            if subject not in wanted
        ]

    @staticmethod
    def _present_step(alert: Alert) -> Step | None:
        """The step on which an alert waits for somebody."""
        climbs = alert.state in UNSEEN and not alert.muted and not alert.simulated
        ladder = LADDERS.get(alert.ladder)
        if ladder is None or not climbs or alert.step == 0 or alert.rule == NOBODY:
            return None
        return ladder.steps[alert.step - 1]

    def _next_due(self, now: Instant) -> Instant:
        times = [at for alert in self.book.open if (at := self._due_of(alert, now)) is not None]
        times += [silence.expires_at for silence in self.silences.on]
        change = self._roster.next_change(now)
        return min([*times, change] if change is not None else times, default=2**62)

    def _due_of(self, alert: Alert, now: Instant) -> Instant | None:
        """When time alone takes an alert's next step."""
        own, at = ladder_of(alert.rule), alert.next_step_at
        if own is None or alert.state not in UNSEEN or alert.muted or (at is not None and at > now):
            return at
        return self._opening(alert, _next_step(alert, own), self._place_of(alert.unit), now) or at


def _next_step(alert: Alert, ladder: Ladder) -> Step:
    return ladder.steps[min(alert.step, len(ladder.steps) - 1)]


def _by_unit(alerts: list[Alert]) -> Iterator[tuple[Alert, list[Alert]]]:
    """Each alert with those of its unit: no other can mute it."""
    neighbours: dict[str, list[Alert]] = {}
    for alert in alerts:
        neighbours.setdefault(alert.unit, []).append(alert)
    return ((alert, neighbours[alert.unit]) for alert in alerts)


def _subject(site: str, duty: Duty) -> str:
    return f"roster/{site or 'gateway'}/{duty}"


def _reason(alert: Alert, steps: int, unmuted: bool) -> Reason:
    if unmuted:
        return Reason.UNMUTED
    if alert.step == 0:
        return Reason.REOPENED if alert.reopened else Reason.RAISED
    return Reason.REMINDER if alert.step >= steps else Reason.ESCALATED
