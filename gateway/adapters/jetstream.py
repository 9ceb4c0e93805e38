"""The inbox: the broker's log, read from the position in the database.

An AckPolicy.NONE consumer at position + 1; the broker's own idea of what was delivered is never relied on. A jump in
the sequence reopens it; a wiped broker, or a log that has dropped what we had not read, becomes a note (a technical
alert) and reading goes on: the agents' outboxes still hold what was never acked.
"""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
import nats
import structlog
from nats.aio.client import Client

from gateway.adapters import clock
from gateway.adapters.nats_reader import NatsReader, open_reader
from gateway.changes import Batch, Position
from gateway.contract.envelope import Instant
from gateway.contract.quantity import SECOND
from gateway.contract.topic import UPLINK
from gateway.ports import LogMessage

STREAM: Final = "LASTMILE"
PARTITIONS: Final = 16
DENIED_SUBJECTS: Final = "lm.denied.*"
WARM_SECONDS: Final = 9  # the longest window of a detector, and a frame
WARM_SUBJECT: Final = "lm.*.v1.*.*.*.wave"  # what fills detectors
TICK_SECONDS: Final = clock.machine_seconds(0.5 * SECOND)
WINDOW_SECONDS: Final = 0.008  # between two batches: a commit writes the same dozen pages for one record as for twenty
RETRY_SECONDS: Final = 0.25
STALE_SECONDS: Final = 6.0  # three heartbeats missed: the consumer is gone though the socket is not

log = structlog.get_logger("inbox")


class BrokerAddress(msgspec.Struct, frozen=True):
    """Where the broker listens for us and how we log in (as written in DIR/broker.json and DIR/secrets.json)."""

    host: str
    nats: int
    user: str
    password: str


class StreamLimits(msgspec.Struct, frozen=True):
    """The log is a cache: what it may keep."""

    max_age_hours: float = 72
    max_bytes: int = 8 << 30


def stream_config(limits: StreamLimits) -> dict[str, Any]:
    """The stream: every uplink channel, stored under a partition token that depends on the unit alone."""
    return {
        "name": STREAM,
        "subjects": [*(f"lm.v1.*.*.*.{channel}" for channel in UPLINK), DENIED_SUBJECTS],
        "subject_transform": {
            "src": "lm.v1.*.*.*.*",
            "dest": f"lm.{{{{partition({PARTITIONS},3)}}}}.v1.{{{{wildcard(1)}}}}.{{{{wildcard(2)}}}}"
            ".{{wildcard(3)}}.{{wildcard(4)}}",
        },
        "retention": "limits",
        "discard": "old",
        "storage": "file",
        "max_age": int(limits.max_age_hours * 3600 * 1e9),
        "max_bytes": limits.max_bytes,
        "num_replicas": 1,
    }


class JetStreamError(ConnectionError):
    """The broker refused an API call; ``code`` is JetStream's own (ADR-7)."""

    def __init__(self, verb: str, error: dict[str, Any]) -> None:
        super().__init__(f"{verb}: {error.get('description')}")
        self.code = int(error.get("err_code", 0))


NO_MESSAGE_FOUND: Final = 10037
STREAM_NOT_FOUND: Final = 10059
TROUBLE: Final = (OSError, nats.errors.Error, TimeoutError, JetStreamError)  # what a broker that is away looks like


class Inbox:
    """Batches from the log. ``committed`` is the position in the database; only ``batch`` advances past it."""

    def __init__(self, locate: Callable[[], BrokerAddress], limits: StreamLimits, clock: Callable[[], Instant]) -> None:
        self._locate = locate
        self._limits = limits
        self._clock = clock
        self.client: Client = Client()
        self._reader: NatsReader | None = None
        self._stream_created = ""
        self._next = 1  # sequence we expect
        self._notes: list[tuple[str, str]] = []
        self._wake = asyncio.Event()
        self.trouble: str | None = None  # why the broker cannot be read now
        self._batch_at = 0.0  # when the last batch was handed over (loop time)

    # ---- connection -------------------------------------------------------------------------------------------------

    async def connect(self) -> None:
        """Connects for control messages and acks; waits for the broker as long as it takes."""
        broker = await self.find_broker()
        self.client = await nats.connect(
            f"nats://{broker.host}:{broker.nats}",
            user=broker.user,
            password=broker.password,
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.25,
            allow_reconnect=True,
            error_cb=_log_error,
            name="lastmile-gateway",
        )

    async def find_broker(self) -> BrokerAddress:
        """Where the broker listens; waits until it has been started for the first time."""
        while True:
            try:
                return self._locate()
            except FileNotFoundError:
                await asyncio.sleep(RETRY_SECONDS)

    async def close(self) -> None:
        if self._reader is not None:
            self._reader.close()
        await self.client.close()

    async def open(self, committed: Position | None) -> list[LogMessage]:
        """Starts reading behind ``committed``, as soon as the broker can be read.

        Returns the last seconds before it, for the detectors to warm up on.
        """
        while True:
            try:
                return await self._open(committed)
            except TROUBLE as error:
                log.warning("broker not ready", error=repr(error))
                await asyncio.sleep(RETRY_SECONDS)

    async def _open(self, committed: Position | None) -> list[LogMessage]:
        info = await self._ensure_stream()
        created, state = info["created"], info["state"]
        self._stream_created = created
        if committed is None or committed.stream_created != created:
            if committed is not None:
                self._notes.append(("broker-log-lost", "the broker's log is a new one: it was wiped"))
            self._next = max(1, int(state["first_seq"]))
            warm: list[LogMessage] = []
        else:
            self._next = committed.sequence + 1
            self._check_loss(int(state["first_seq"]), int(state["last_seq"]))
            warm = await self._read_warm(committed, int(state["first_seq"]), int(state["last_seq"]))
        await self._open_reader(self._next)
        return warm

    def _check_loss(self, first: int, last: int) -> None:
        if first > self._next and last >= self._next:
            self._notes.append(("broker-log-lost", f"log starts at {first}, we had read to {self._next - 1}"))
            self._next = first
        elif last < self._next - 1:
            self._notes.append(("broker-log-lost", f"log ends at {last}, we had read to {self._next - 1}"))
            self._next = last + 1

    async def _ensure_stream(self) -> dict[str, Any]:
        config = stream_config(self._limits)
        try:
            info = await self._api(f"STREAM.INFO.{STREAM}", {})
        except JetStreamError as error:
            if error.code != STREAM_NOT_FOUND:
                raise
            return await self._api(f"STREAM.CREATE.{STREAM}", config)
        if any(info["config"][key] != config[key] for key in ("max_age", "max_bytes")):
            return await self._api(f"STREAM.UPDATE.{STREAM}", config)
        return info

    async def _api(self, verb: str, request: dict[str, Any]) -> dict[str, Any]:
        reply = await self.client.request(f"$JS.API.{verb}", json.dumps(request).encode(), timeout=5)
        answer: dict[str, Any] = json.loads(reply.data)
        if "error" in answer:
            raise JetStreamError(verb, answer["error"])
        return answer

    async def _consumer(self, start: dict[str, Any]) -> dict[str, Any]:
        config = {"ack_policy": "none", "mem_storage": True, "inactive_threshold": 60_000_000_000, **start}
        return await self._api(f"CONSUMER.CREATE.{STREAM}", {"stream_name": STREAM, "config": config})

    async def _open_reader(self, sequence: int) -> None:
        if self._reader is not None:
            self._reader.close()
        consumer = await self._consumer({"deliver_policy": "by_start_sequence", "opt_start_seq": sequence})
        self._reader = await self._connect_reader(consumer)

    async def _connect_reader(self, consumer: dict[str, Any]) -> NatsReader:
        broker = await self.find_broker()
        return await open_reader(broker.host, broker.nats, broker.user, broker.password, STREAM, consumer)

    async def _read_warm(self, committed: Position, first: int, last: int) -> list[LogMessage]:
        """Waveform frames of the seconds up to the committed one."""
        end = min(committed.sequence, last)
        if end < first:
            return []
        since = clock.in_log(committed.logged_at - WARM_SECONDS * SECOND) * 1000
        start = {
            "deliver_policy": "by_start_time", "opt_start_time": _rfc3339(since), "filter_subject": WARM_SUBJECT
        }  # fmt: skip
        consumer = await self._consumer(start)
        if not consumer["num_pending"]:
            return []
        reader = await self._connect_reader(consumer)
        warm: list[LogMessage] = []
        try:
            async with asyncio.timeout(5):
                while reader.lost is None and reader.pending != 0 and not (warm and warm[-1].sequence >= end):
                    await reader.arrived.wait()
                    warm += _on_our_clock(reader.drain())
        except TimeoutError:
            log.warning("warm start incomplete", read=len(warm))
        finally:
            reader.close()
        return [message for message in warm if message.sequence <= end]

    # ---- batches ----------------------------------------------------------------------------------------------------

    def wake(self) -> None:
        """Makes the next ``batch`` return at once: a person waits."""
        self._wake.set()
        if self._reader is not None:
            self._reader.arrived.set()

    async def batch(self) -> Batch:
        """What has arrived since the last call; waits for the first message, a wake-up or a tick.

        Never raises for a broker that is away: then the batch is empty and says so, and the next call tries again.
        """
        try:
            reader = await self._connected()
            with suppress(TimeoutError):  # a tick: rules and acks also run when nothing arrives
                async with asyncio.timeout(TICK_SECONDS):
                    await reader.arrived.wait()
            await self._gather()
            messages = await self._in_order(_on_our_clock(reader.drain()))
        except TROUBLE as error:
            return await self._without_broker(error)
        reopened = reader is not self._reader  # a jump: what the new reader will bring has not been looked at
        self.trouble = None if reopened else reader.lost
        notes, self._notes = self._notes, []
        position = None
        if messages:
            last = messages[-1]
            position = Position(self._stream_created, last.sequence, last.logged_at)
        now = messages[-1].logged_at if messages else self._clock()
        caught_up = not reopened and reader.pending == 0 and reader.lost is None
        return Batch(messages, now, position, caught_up, notes, self.trouble)

    async def _gather(self) -> None:
        """The first batch after a pause goes at once; under load a window's worth goes together: fewer commits."""
        loop = asyncio.get_running_loop()
        left = self._batch_at + WINDOW_SECONDS - loop.time()
        if left > 0:
            await asyncio.sleep(left)
        self._batch_at = loop.time()

    async def _connected(self) -> NatsReader:
        reader = self._reader
        if reader is None or reader.lost is not None or self._is_stale(reader):
            await self._reopen(reader)
            reader = self._reader
            assert reader is not None
        return reader

    async def _without_broker(self, error: Exception) -> Batch:
        """The time goes on without the broker: silence is judged and people's moves are made."""
        if self._reader is not None:
            self._reader.lost = self._reader.lost or repr(error)
        self.trouble = repr(error)
        log.warning("broker not ready", error=self.trouble)
        with suppress(TimeoutError):
            async with asyncio.timeout(RETRY_SECONDS):
                await self._wake.wait()
        self._wake.clear()
        return Batch([], self._clock(), trouble=self.trouble)

    def _is_stale(self, reader: NatsReader) -> bool:
        return asyncio.get_running_loop().time() - reader.heard_at > STALE_SECONDS

    async def _in_order(self, messages: list[LogMessage]) -> list[LogMessage]:
        """Drops what we have had; a jump means the delivery lost something: read again from there."""
        kept: list[LogMessage] = []
        for message in messages:
            if message.sequence == self._next or (
                message.sequence > self._next and await self._is_hole(message.sequence)
            ):
                kept.append(message)
                self._next = message.sequence + 1
            elif message.sequence > self._next:
                await self._open_reader(self._next)
                break
        return kept

    async def _is_hole(self, sequence: int) -> bool:
        """Whether the log really has nothing between the expected number and ``sequence`` (purged or deleted)."""
        for missing in range(self._next, min(sequence, self._next + 100)):
            try:
                await self._api(f"STREAM.MSG.GET.{STREAM}", {"seq": missing})
            except JetStreamError as error:
                if error.code != NO_MESSAGE_FOUND:
                    raise
            else:
                return False
        self._notes.append(("broker-log-lost", f"log jumps from {self._next - 1} to {sequence}"))
        return True

    async def _reopen(self, reader: NatsReader | None) -> None:
        """Finds the log again, and reads on from where we were."""
        log.warning("reopening the log", why=reader.lost if reader else "not open")
        info = await self._ensure_stream()
        if info["created"] != self._stream_created:
            self._notes.append(("broker-log-lost", "the broker's log is a new one: it was wiped"))
            self._stream_created, self._next = info["created"], 1
        self._check_loss(int(info["state"]["first_seq"]), int(info["state"]["last_seq"]))
        await self._open_reader(self._next)


def _on_our_clock(messages: list[LogMessage]) -> list[LogMessage]:
    """In a scenario run the log's time stamps become the scenario's; else they are our time already."""
    if not clock.SCALED:
        return messages
    return [msgspec.structs.replace(message, logged_at=clock.of_log(message.logged_at)) for message in messages]


async def _log_error(error: Exception) -> None:
    log.warning("broker connection", error=repr(error))


def _rfc3339(nanoseconds: int) -> str:
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"
