"""The bridge: foreign messages into the log, each taken once and none forgotten before the log has it.

    batch -> translate -> take (fsync) -> publish, until JetStream confirms -> PUBACK, in the order received
                                             acks of the gateway -> delete, resend what it misses

A batch is what arrived while the one before was on its way. What the guarantee is, and is not: docs/adr/0014-bridge.md.
"""

import asyncio
import random
import secrets
import sqlite3
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import msgspec
import structlog

from gateway.adapters import clock
from gateway.bridge.config import BridgeConfig, translations
from gateway.bridge.drain import QUIET_SECONDS
from gateway.bridge.foreign import ForeignConnection, ForeignLostError, ForeignMessage
from gateway.bridge.sink import Sink
from gateway.bridge.store import Parcel, Store, Waiting, decode_ack, message_key
from gateway.bridge.translate import Translator, carried_already, sent_again
from gateway.contract.envelope import Instant
from gateway.contract.quantity import HOUR, SECOND

T = TypeVar("T")

RETRY_SECONDS: Final = (0.25, 1.0, 2.0, 5.0, 10.0)
STABLE: Final = 10 * SECOND  # a connection that lasted this long is tried again quickly
HOUSE_SECONDS: Final = 60.0
RESEND: Final = 5 * SECOND  # between two answers to a unit's acks: what it misses may be on its way
RESEND_BATCH: Final = 500
MEBIBYTE: Final = 1024 * 1024

log = structlog.get_logger("bridge")


class Bridge:
    """One foreign broker, one session; ``run`` is its whole life."""

    def __init__(self, config: BridgeConfig, data: Path, state: Path) -> None:
        """Opens the state file; raises StoreError."""
        self._config = config
        self._store = Store(state, secrets.token_hex(8))
        self._thread = ThreadPoolExecutor(1, "bridge-store")
        self._sink = Sink(data)
        self._translator = Translator(translations(config), config.name)
        self._filters = sorted({row.route.pattern.filter for row in translations(config)})
        self._units: set[str] = set()  # that have something waiting
        self._answered: dict[str, Instant] = {}  # unit: when its ack was last answered with a resend
        self.totals: Counter[str] = Counter()

    async def run(self) -> None:
        """Carries messages until cancelled."""
        try:
            await self._sink.connect(self._heed)
            await self._resend_all()  # before anything new: what is known to have been taken has then been published
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._stay_connected(), name="foreign")
                tasks.create_task(self._watch_log(), name="log")
                tasks.create_task(self._keep_house(), name="house")
        finally:
            await self._sink.close()
            await asyncio.to_thread(self._thread.shutdown)
            self._store.close()
            log.info("bridge ends", **self.totals)

    # ---- foreign broker ---------------------------------------------------------------------------------------------

    async def _stay_connected(self) -> None:
        attempt = 0
        while True:
            connection = ForeignConnection(self._config.broker, self._config.name, self._filters)
            began = clock.now()
            try:
                await connection.open()
                log.info("connected", broker=self._address, session_kept=connection.session_present)
                self._begin_drain(connection)
                while True:
                    await self._forward(connection, await self._batch(connection))
            except ForeignLostError as lost:
                log.warning("foreign broker away", broker=self._address, reason=str(lost))
            finally:
                await connection.close()
                self.totals["dropped_qos0"] += connection.dropped
            attempt = 0 if clock.now() - began > STABLE else attempt + 1
            await _pause(attempt)

    @property
    def _address(self) -> str:
        return f"{self._config.broker.host}:{self._config.broker.port}"

    def _begin_drain(self, connection: ForeignConnection) -> None:
        """A new session has no queue, except that of the group whose share it is."""
        if connection.session_present or self._config.broker.share:
            self._translator.drain.begin()
        else:
            self._translator.drain.end()

    async def _batch(self, connection: ForeignConnection) -> list[ForeignMessage]:
        """The next batch; a broker that sends nothing for a while has nothing left that waited."""
        if self._translator.drain.active:
            with suppress(TimeoutError):
                async with asyncio.timeout(QUIET_SECONDS):
                    return await connection.batch()
            self._translator.drain.end()
        return await connection.batch()

    async def _forward(self, connection: ForeignConnection, messages: Sequence[ForeignMessage]) -> None:
        now = clock.now()
        parcels = [Parcel(message_key(m.topic, m.payload), self._translator.open(m.topic, m.payload, now))
                   for m in messages]  # fmt: skip
        rows = await self._durably(lambda: self._store.take(parcels, now))
        self._units.update(row.subject.split(".")[4] for row in rows if row.epoch is not None)
        await self._publish(rows)
        connection.acknowledge(messages)
        self.totals["messages"] += len(messages)
        self.totals["records"] += len(rows)

    # ---- the log ----------------------------------------------------------------------------------------------------

    async def _publish(self, rows: Sequence[Waiting], *, again: bool = False) -> None:
        """Returns when the log has confirmed every one; ``again``: one more time, even if it has them."""
        left, attempt = [sent_again(row) for row in rows] if again else list(rows), 0
        while left:
            failed, carried, known = await self._sink.publish(left)
            left = [sent_again(row) for row in failed] + await self._stand_in(carried)
            if again:
                left += [row._replace(once="") for row in known]  # the number tells, and whoever missed it gets it
            if failed:
                attempt += 1
                self._translator.drain.begin()  # what the foreign broker holds meanwhile is getting old
                await _pause(attempt)
        if any(row.epoch is None for row in rows):
            await self._durably(lambda: self._store.published(rows))

    async def _stand_in(self, carried: Sequence[Waiting]) -> list[Waiting]:
        """Another bridge was first: what is to go into the log under their numbers instead."""
        instead = [carried_already(row) for row in carried if row.epoch is not None]
        if instead:
            await self._durably(lambda: self._store.replace(instead))
            self.totals["carried_by_another"] += len(instead)
        return instead

    async def _resend_all(self) -> None:
        """Everything the gateway has not acknowledged, oldest first; what it has already is a duplicate to it."""
        last = 0
        while rows := await self._durably(partial(self._store.waiting, last, RESEND_BATCH)):
            self._units.update(row.subject.split(".")[4] for row in rows if row.epoch is not None)
            await self._publish(rows, again=True)
            self.totals["resent"] += len(rows)
            last = rows[-1].id

    async def _watch_log(self) -> None:
        """A broker that was away may have lost what it had confirmed (a wiped store, a power cut)."""
        while True:
            await self._sink.returned.wait()
            self._sink.returned.clear()
            await self._resend_all()

    async def _heed(self, unit: str, payload: bytes) -> None:
        """An ack of the gateway: see Store.acknowledge."""
        if unit not in self._units:
            return
        try:
            ack = decode_ack(payload)
        except msgspec.MsgspecError as error:
            log.warning("an ack that is none", unit=unit, error=str(error))
            return
        missed = await self._durably(lambda: self._store.acknowledge(unit, ack))
        now = clock.now()
        if missed and abs(now - self._answered.get(unit, 0)) >= RESEND:
            self._answered[unit] = now
            self.totals["resent"] += len(missed)
            await self._publish(missed, again=True)

    # ---- housekeeping -----------------------------------------------------------------------------------------------

    async def _keep_house(self) -> None:
        memory = self._config.memory
        while True:
            await asyncio.sleep(HOUSE_SECONDS)
            now = clock.now()
            # What waits at the foreign broker was taken long ago, if at all: nothing is forgotten before it has come.
            seen_before = None if self._translator.drain.active else now - int(memory.remember_hours * HOUR)
            kept_before, max_bytes = now - int(memory.keep_hours * HOUR), int(memory.max_megabytes * MEBIBYTE)
            forget = partial(self._store.forget, seen_before=seen_before, kept_before=kept_before, max_bytes=max_bytes)
            self.totals["left_to_the_log"] += await self._durably(forget)
            waiting = await self._durably(lambda: self._store.depth)
            log.info("carried", waiting=waiting, **self.totals, **self._translator.refused)

    async def _durably(self, job: Callable[[], T]) -> T:
        """Runs a job on the file, again and again while the disk is full: until then nothing is acknowledged."""
        attempt = 0
        while True:
            try:
                return await asyncio.get_running_loop().run_in_executor(self._thread, job)
            except sqlite3.OperationalError as error:
                attempt += 1
                log.warning("the state file cannot be written, trying again", error=str(error))
                await _pause(attempt)


async def _pause(attempt: int) -> None:
    seconds = RETRY_SECONDS[min(attempt, len(RETRY_SECONDS) - 1)]
    await asyncio.sleep(seconds * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
