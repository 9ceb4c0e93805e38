"""Sends what the commits have asked for: at least once, high priority first, each attempt counted before it is made.

    commit --notification rows--+
                                v
    turn (one transaction): note outcomes, make deliveries, claim what is due --> senders, IN_FLIGHT threads a channel
      ^                                                                              |
      +-----------------------------------outcomes-----------------------------------+

A turn runs when a commit, an outcome or a clock asks for it; there is no polling but the heartbeat.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from random import SystemRandom
from typing import Final

import msgspec
import structlog
from prometheus_client import CollectorRegistry
from sqlalchemy import Connection

from gateway.adapters.clock import machine_seconds
from gateway.adapters.notify import queue, text, threads
from gateway.adapters.notify.metrics import NotifyMetrics
from gateway.adapters.notify.pace import TokenBucket
from gateway.adapters.notify.plan import address_of, idempotency_key
from gateway.adapters.notify.queue import Ended, Outcome, Standing
from gateway.adapters.notify.rows import Delivery, DeliveryState
from gateway.adapters.notify.sending import Message, NotSent, Sender
from gateway.adapters.notify.settings import PERSONAL, SCREEN, NotifySettings, Purpose
from gateway.contract.envelope import Instant
from gateway.contract.quantity import SECOND
from gateway.failpoint import failpoint
from gateway.ports import LiveFeed, Writer

log = structlog.get_logger("notify")

IN_FLIGHT: Final = 2  # a channel: one that hangs holds up nobody but itself
SCREENFUL: Final = 50  # deliveries to the screens, lines of a digest, at once
HEARTBEAT_SECONDS: Final = 5.0
_TITLED: Final = {Purpose.APP, Purpose.MAIL}  # the others have no room for one
_COUNT_EVERY: Final = SECOND
_DRAIN_SECONDS: Final = 2.0
_RANDOM: Final = SystemRandom()
_RETRY_SECONDS: Final = 2.0  # when the database refuses


class Turn(msgspec.Struct, frozen=True):
    """What one transaction found."""

    claimed: list[Delivery]
    states: list[DeliveryState]  # of what had ended
    more: bool  # notices that had no room in it
    next_due: dict[str, Instant]  # of channels that take something
    standing: Standing | None  # None: it has been counted a moment ago


class Notifier:
    """One worker, on the event loop. ``beat_at``: its last turn; the watcher looks at it."""

    def __init__(
        self,
        *,
        writer: Writer,
        settings: NotifySettings,
        senders: Mapping[str, Sender],
        feed: LiveFeed,
        clock: Callable[[], Instant],
        metrics: CollectorRegistry,
        random: Callable[[], float] = _RANDOM.random,
    ) -> None:
        self._writer = writer
        self._settings = settings
        self._senders = senders
        self._feed = feed
        self._clock = clock
        self._random = random
        self._metrics = NotifyMetrics(metrics)
        self._awake = asyncio.Event()
        self._fresh = True  # there may be notices without deliveries
        self._restored = False
        self._in_flight: Counter[str] = Counter()
        self._ended: list[Ended] = []
        now = clock()
        self._buckets = {
            name: TokenBucket(channel.per_minute, now)
            for name, channel in settings.channel.items()
            if channel.purpose is Purpose.GROUP
        }
        self._counted_at = 0
        self.beat_at = now

    def wake(self) -> None:
        """A commit has written notices, or somebody asked for a retry."""
        self._fresh = True
        self._awake.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Turns until ``stop`` is set and :meth:`wake` called. What does not land in time is sent again later."""
        while not stop.is_set():
            self._awake.clear()
            try:
                wait = await self.turn()
            except Exception:  # whatever it is, ingest goes on; nothing is forgotten, and the beat stands still
                log.exception("the notifier's turn failed, trying again")
                wait = _RETRY_SECONDS
            await self._sleep(wait)
        await self._drain()

    async def _sleep(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._awake.wait()

    async def _drain(self) -> None:
        """What is on its way gets a moment to land, so that an ordinary stop sends nothing twice."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_SECONDS):
                while any(self._in_flight.values()):
                    self._awake.clear()
                    await self._awake.wait()
        if self._ended:
            await self.turn(claim=False)

    async def turn(self, *, claim: bool = True) -> float:
        """One turn, which begins nothing unless ``claim``. How long the next one may wait, s of this machine."""
        now, ended, fresh = self._clock(), list(self._ended), self._fresh and claim
        room = self._room(now) if claim else {}
        self._fresh = False
        try:
            turn = await asyncio.wrap_future(
                self._writer.submit(lambda connection: self._work(connection, now, ended, room, fresh))
            )
        except BaseException:
            self._fresh = self._fresh or fresh
            raise
        del self._ended[: len(ended)]
        self._restored = True
        self._fresh = self._fresh or turn.more
        self.beat_at = now
        if turn.standing is not None:
            self._counted_at = now
        self._metrics.observe(now, turn.standing, zip(ended, turn.states, strict=True), self._purpose)
        self._launch(turn.claimed, now)
        return self._pause(turn, now)

    def _work(
        self, connection: Connection, now: Instant, ended: list[Ended], room: Mapping[str, int], fresh: bool
    ) -> Turn:
        """The transaction, in the writer's thread."""
        if not self._restored:
            queue.restore(connection)
        states = queue.finish(connection, ended, self._random)
        more = queue.prepare(connection, self._settings, now) if fresh else False
        claimed, next_due = [], {}
        for channel, limit in room.items():
            found = queue.claim(connection, channel, now, limit) if limit else []
            claimed += found
            at = now if found and len(found) == limit else queue.next_due(connection, channel)
            if at is not None:
                next_due[channel] = at
        idle = not claimed and not more
        count = idle or now - self._counted_at >= _COUNT_EVERY
        return Turn(claimed, states, more, next_due, queue.standing(connection, now) if count else None)

    def _room(self, now: Instant) -> dict[str, int]:
        """How many deliveries each channel takes now; those that wait for an outcome are not in it."""
        room = {SCREEN: SCREENFUL}
        for name in filter(self._takes, self._senders):
            if name in self._buckets:
                room[name] = SCREENFUL if self._free_at(name, now) <= now else 0
            else:
                room[name] = IN_FLIGHT - self._in_flight[name]
        return room

    def _launch(self, claimed: list[Delivery], now: Instant) -> None:
        digests: dict[str, list[Delivery]] = {}
        for delivery in claimed:
            if delivery.channel == SCREEN:
                self._show(delivery, now)
            elif delivery.channel in self._buckets:
                digests.setdefault(delivery.channel, []).append(delivery)
            else:
                self._start([delivery])
        for channel, deliveries in digests.items():
            self._buckets[channel].take(now)
            self._start(deliveries)

    def _show(self, delivery: Delivery, now: Instant) -> None:
        """On the screens that are open; one that opens later gets the alert itself with its snapshot."""
        notice = delivery.notice
        self._feed.notify("notification", notice.unit, {"notification": msgspec.to_builtins(notice)})
        self._end([delivery], Outcome(), now)

    def _start(self, deliveries: list[Delivery]) -> None:
        channel = deliveries[0].channel
        sender, message = self._senders[channel], self._message(deliveries)
        self._in_flight[channel] += 1
        future = threads.start(channel, lambda: _attempt(sender, message, self._clock()))
        future.add_done_callback(lambda done: self._landed(channel, deliveries, done.result()))

    def _landed(self, channel: str, deliveries: list[Delivery], outcome: Outcome) -> None:
        self._in_flight[channel] -= 1
        if outcome.error is not None:
            first = deliveries[0]
            log.warning("not sent", channel=channel, notification=first.notice.id, error=outcome.error)
        self._end(deliveries, outcome, self._clock())

    def _end(self, deliveries: list[Delivery], outcome: Outcome, now: Instant) -> None:
        self._ended += [Ended(delivery, outcome, now) for delivery in deliveries]
        self._awake.set()

    def _message(self, deliveries: list[Delivery]) -> Message:
        first, language, link = deliveries[0], self._settings.language, self._settings.link
        notices = tuple(delivery.notice for delivery in deliveries)
        purpose = self._settings.channel[first.channel].purpose
        return Message(
            key=idempotency_key(*first.key),
            notices=notices,
            title=text.title(first.notice, language) if purpose in _TITLED else "",
            text=text.digest(notices, language, link) if len(notices) > 1 else text.line(notices[0], language, link),
            address=address_of(first.recipient, first.notice.unit, self._settings).for_(purpose)
            if purpose in PERSONAL
            else "",
        )

    def _purpose(self, channel: str) -> str:
        """The label of a channel: names are the site's, so purposes are counted."""
        known = self._settings.channel.get(channel)
        return known.purpose if known else SCREEN

    def _pause(self, turn: Turn, now: Instant) -> float:
        """Until the next delivery a channel takes, and no longer than a heartbeat; outcomes wake it anyway."""
        if self._fresh or self._ended:
            return 0.0
        times = [max(at, self._free_at(name, now)) for name, at in turn.next_due.items() if self._takes(name)]
        return min([*(machine_seconds(max(0, at - now)) for at in times), HEARTBEAT_SECONDS])

    def _takes(self, channel: str) -> bool:
        """Whether it has room as far as what is under way goes."""
        return self._in_flight[channel] < (1 if channel in self._buckets else IN_FLIGHT)

    def _free_at(self, channel: str, now: Instant) -> Instant:
        bucket = self._buckets.get(channel)
        return bucket.ready_at(now) if bucket else now


def _attempt(sender: Sender, message: Message, now: Instant) -> Outcome:
    """In the thread: whatever goes wrong is an outcome; a text that may hold a secret is not kept."""
    failpoint("notify-before-send")
    try:
        outcome = Outcome(provider_id=sender.send(message, now))
    except NotSent as refusal:
        outcome = Outcome(error=str(refusal))
    except Exception as error:  # noqa: BLE001 - the traceback may quote a secret, so the kind of error has to do
        outcome = Outcome(error=type(error).__name__)
    failpoint("notify-after-send")
    return outcome
