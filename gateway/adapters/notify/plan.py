"""Which deliveries a notice makes: recipient by channel. Pure.

The ladder says whom to tell and how strongly; the site's ``notify.toml`` says through which channels that is. Whoever
no channel reaches becomes a delivery that is dead from the beginning: nobody is left out in silence.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

import msgspec

from gateway.adapters.notify.settings import PERSONAL, SCREEN, Address, Channel, NotifySettings, Purpose, Quiet
from gateway.alerts.notice import Means, Notice
from gateway.contract.envelope import Instant
from gateway.rules.catalogue import Priority

_NAMESPACE: Final = UUID("f0a4f9bb-0d35-4b2f-9a8e-5a8b3f1d7c42")
EVERYBODY: Final = "*"  # the recipient of screens, groups and systems
NO_CHANNEL: Final = ""

# A strong reminder is call, text message and app at once: a group's robot cannot break a muted phone
# (domain facts 10.5).
PURPOSES: Final[dict[Means, tuple[Purpose, ...]]] = {
    Means.STRONG: (Purpose.CALL, Purpose.SMS, Purpose.APP),
    Means.CALL: (Purpose.CALL,),
    Means.APP: (Purpose.APP, Purpose.MAIL),
    Means.TASK: (Purpose.APP, Purpose.MAIL),
}


class Planned(msgspec.Struct, frozen=True):
    """One delivery to be made, or (``trouble``) why it cannot be."""

    recipient: str
    channel: str
    due_at: Instant
    trouble: str | None = None


def plan(notice: Notice, settings: NotifySettings, now: Instant) -> list[Planned]:
    """The deliveries of a notice. A simulated one goes to screens and nowhere else."""
    screen = Planned(EVERYBODY, SCREEN, now)
    if notice.simulated or not settings.channel:
        return [screen]
    shared = [
        Planned(EVERYBODY, name, _due(notice, channel, settings, now))
        for name, channel in settings.channel.items()
        if channel.purpose not in PERSONAL and _concerns(channel, notice)
    ]
    if not any(channel.purpose in PERSONAL for channel in settings.channel.values()):
        return [screen, *shared]  # the site reaches nobody in person: its choice, and no news with every alert
    personal = [planned for recipient in _recipients(notice) for planned in _reach(recipient, notice, settings, now)]
    return [screen, *shared, *personal]


def idempotency_key(notification: str, recipient: str, channel: str) -> str:
    """The same over every attempt at one delivery; receivers that remember it do each once."""
    return f"msg_{uuid5(_NAMESPACE, f'{notification} {recipient} {channel}').hex}"


def address_of(recipient: str, unit: str, settings: NotifySettings) -> Address:
    """Where a recipient is reached; an empty one when the file does not say.

    A role may have an address at one unit ("family@bed-007"), and one for all others.
    """
    kind, _, role = recipient.partition(":")
    if kind != "role":
        return settings.account.get(recipient, Address())
    return settings.role.get(f"{role}@{unit}") or settings.role.get(role, Address())


def _recipients(notice: Notice) -> tuple[str, ...]:
    """Accounts on duty; a role without accounts (the family, a hotline) is reached as such."""
    return notice.recipients or (f"role:{notice.role}",)


def _concerns(channel: Channel, notice: Notice) -> bool:
    at_site = not channel.sites or not notice.site or notice.site in channel.sites
    return at_site and (not channel.priorities or notice.priority in channel.priorities)


def _reach(recipient: str, notice: Notice, settings: NotifySettings, now: Instant) -> Iterator[Planned]:
    address, wanted, reached = address_of(recipient, notice.unit, settings), PURPOSES[notice.means], False
    for name, channel in settings.channel.items():
        if channel.purpose in wanted and address.for_(channel.purpose):
            reached = True
            yield Planned(recipient, name, _due(notice, channel, settings, now))
    if not reached:
        trouble = f"no channel and address for {' or '.join(wanted)} in notify.toml"
        yield Planned(recipient, NO_CHANNEL, now, trouble)


def _due(notice: Notice, channel: Channel, settings: NotifySettings, now: Instant) -> Instant:
    """Now, or when the quiet hours that hold it back are over."""
    if notice.priority is Priority.HIGH:
        return now
    zone = ZoneInfo(settings.timezone)
    ends = [
        _quiet_until(quiet, zone, now)
        for quiet in settings.quiet
        if channel.purpose in quiet.purposes and notice.priority in quiet.priorities
    ]
    return max(ends, default=now)


def _quiet_until(quiet: Quiet, zone: ZoneInfo, now: Instant) -> Instant:
    """The end of the quiet hours that ``now`` lies in; ``now`` when it lies outside."""
    local = datetime.fromtimestamp(now / 1e6, UTC).astimezone(zone)
    clock = local.strftime("%H:%M")
    over_midnight = quiet.start > quiet.end
    inside = clock >= quiet.start or clock < quiet.end if over_midnight else quiet.start <= clock < quiet.end
    if not inside:
        return now
    hour, minute = map(int, quiet.end.split(":"))
    end = local.replace(hour=hour, minute=minute, second=0, microsecond=0)
    if end <= local:
        end += timedelta(days=1)
    return round(end.timestamp() * 1e6)
