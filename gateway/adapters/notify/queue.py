"""The queue of deliveries: rows of the database. Each function runs in a transaction of the one writer, or reads."""

from collections.abc import Callable, Collection, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, bindparam, false, func, or_, select, update
from sqlalchemy.dialects.sqlite import insert as insert_new

from gateway.adapters import tables
from gateway.adapters.notify.pace import hopeless, pause
from gateway.adapters.notify.plan import plan
from gateway.adapters.notify.rows import RANK, Delivery, DeliveryState, from_row
from gateway.adapters.notify.settings import SCREEN, NotifySettings
from gateway.alerts.notice import Notice
from gateway.contract.envelope import Instant
from gateway.rules.catalogue import Priority

_alert, _notification, _delivery = tables.alert, tables.notification, tables.delivery
_PLAN_AT_ONCE: Final = 100  # notices a transaction: after a long stop the writer stays free for ingest
_THE = (  # one delivery, by its key
    (_delivery.c.notification == bindparam("n")) & (_delivery.c.recipient == bindparam("r"))
    & (_delivery.c.channel == bindparam("c"))
)  # fmt: skip
_FINISH = (
    update(_delivery)
    .where(_THE)
    .values(
        state=bindparam("to"), next_at=bindparam("again"), sent_at=bindparam("sent"),
        provider_id=bindparam("provider"), last_error=bindparam("error"),
    )
)  # fmt: skip


# Nobody is called about what somebody has taken since, what is muted, or (again) what is over.
_SETTLED: Final = func.coalesce(
    or_(
        _alert.c.acknowledged_at >= _notification.c.at,
        (_alert.c.resolved_at >= _notification.c.at) & (_delivery.c.attempts > 0),
        _alert.c.silenced_by.is_not(None),
        _alert.c.inhibited_by.is_not(None),
    ),
    false(),
).label("settled")


class Outcome(msgspec.Struct, frozen=True):
    """How an attempt ended. ``error``: why the message was not handed over; None = it was."""

    error: str | None = None
    provider_id: str | None = None


class Ended(msgspec.Struct, frozen=True):
    """An attempt that is over and not yet written down."""

    delivery: Delivery
    outcome: Outcome
    at: Instant


class Standing(msgspec.Struct, frozen=True):
    """What ops staff watch."""

    waiting: int = 0
    dead: int = 0
    oldest_due_at: Instant | None = None  # of what should have gone out and has not


def restore(connection: Connection) -> int:
    """After a start: attempts that were under way when the process before ended are made again. How many."""
    under_way = _delivery.c.state == DeliveryState.SENDING
    return connection.execute(update(_delivery).where(under_way).values(state=DeliveryState.PENDING)).rowcount


def prepare(connection: Connection, settings: NotifySettings, now: Instant) -> bool:
    """Makes the deliveries of new notices. Whether there are more of them."""
    order = (_notification.c.priority != Priority.HIGH, _notification.c.at)
    fresh = select(_notification).where(_notification.c.planned_at.is_(None)).order_by(*order)
    notices = [from_row(row) for row in connection.execute(fresh.limit(_PLAN_AT_ONCE)).mappings()]
    if notices:
        rows = [row for notice in notices for row in _delivery_rows(notice, settings, now)]
        connection.execute(insert_new(_delivery).on_conflict_do_nothing(), rows)
        done = update(_notification).where(_notification.c.id == bindparam("n")).values(planned_at=now)
        connection.execute(done, [{"n": notice.id} for notice in notices])
    _bury_strays(connection, {SCREEN, *settings.channel})
    return len(notices) == _PLAN_AT_ONCE


def _delivery_rows(notice: Notice, settings: NotifySettings, now: Instant) -> list[dict[str, Any]]:
    return [
        {
            "notification": notice.id,
            "recipient": planned.recipient,
            "channel": planned.channel,
            "state": DeliveryState.DEAD if planned.trouble else DeliveryState.PENDING,
            "rank": RANK[notice.priority],
            "attempts": 0,
            "due_at": planned.due_at,
            "next_at": planned.due_at,
            "last_error": planned.trouble,
        }
        for planned in plan(notice, settings, now)
    ]


def _bury_strays(connection: Connection, channels: Collection[str]) -> None:
    """What waits for a channel that is configured no more would wait for ever, unseen."""
    stray = (_delivery.c.state == DeliveryState.PENDING) & _delivery.c.channel.not_in(channels)
    gone = {"state": DeliveryState.DEAD, "last_error": "the channel is no longer in notify.toml"}
    connection.execute(update(_delivery).where(stray).values(gone))


def claim(connection: Connection, channel: str, now: Instant, limit: int) -> list[Delivery]:
    """What a channel is to send now, high priority first, then the oldest; what is obsolete by now is withdrawn.

    The attempt counts from here: even if it takes the process with it, so none is made for ever.
    """
    query = (
        select(_notification, _delivery.c.recipient, _delivery.c.attempts, _delivery.c.due_at, _SETTLED)
        .join(_notification, _notification.c.id == _delivery.c.notification)
        .join(_alert, _alert.c.id == _notification.c.alert)
        .where(_delivery.c.state == DeliveryState.PENDING, _delivery.c.channel == channel, _delivery.c.next_at <= now)
        .order_by(_delivery.c.rank, _delivery.c.next_at)
        .limit(limit)
    )
    wanted: list[Delivery] = []
    settled: list[Delivery] = []
    for row in connection.execute(query).mappings().all():
        delivery = Delivery(from_row(row), row["recipient"], channel, row["attempts"] + 1, row["due_at"])
        (settled if row["settled"] and channel != SCREEN else wanted).append(delivery)
    sending = {"state": DeliveryState.SENDING, "attempts": _delivery.c.attempts + 1}
    for deliveries, change in ((wanted, sending), (settled, {"state": DeliveryState.OBSOLETE})):
        if deliveries:
            connection.execute(
                update(_delivery).where(_THE).values(change), [_key(delivery) for delivery in deliveries]
            )
    return wanted


def finish(connection: Connection, ended: Sequence[Ended], random: Callable[[], float]) -> list[DeliveryState]:
    """After attempts: sent, again later, or given up. What each has become."""
    results = [_result(one, random) for one in ended]
    if results:
        connection.execute(_FINISH, results)
    return [DeliveryState(result["to"]) for result in results]


def _result(ended: Ended, random: Callable[[], float]) -> dict[str, Any]:
    delivery, outcome, now = ended.delivery, ended.outcome, ended.at
    if outcome.error is None:
        state, next_at = DeliveryState.SENT, now
    elif hopeless(delivery.attempts, delivery.due_at, now):
        state, next_at = DeliveryState.DEAD, now
    else:
        state, next_at = DeliveryState.PENDING, now + pause(delivery.attempts, random)
    return _key(delivery) | {
        "to": state,
        "again": next_at,
        "sent": now if outcome.error is None else None,
        "provider": outcome.provider_id,
        "error": outcome.error,
    }


def _key(delivery: Delivery) -> dict[str, str]:
    return dict(zip("nrc", delivery.key, strict=True))


def next_due(connection: Connection, channel: str) -> Instant | None:
    """When a channel has to send next."""
    waiting = (_delivery.c.state == DeliveryState.PENDING) & (_delivery.c.channel == channel)
    at: Instant | None = connection.execute(select(func.min(_delivery.c.next_at)).where(waiting)).scalar_one()
    return at


def standing(connection: Connection, now: Instant) -> Standing:
    """Counts for the metrics."""
    unfinished = _delivery.c.state.in_([DeliveryState.PENDING, DeliveryState.SENDING])
    late = func.min(_delivery.c.due_at).filter(_delivery.c.due_at <= now)
    waiting, oldest = connection.execute(select(func.count(), late).where(unfinished)).one()
    dead = select(func.count()).select_from(_delivery).where(_delivery.c.state == DeliveryState.DEAD)
    return Standing(waiting, connection.execute(dead).scalar_one(), oldest)
