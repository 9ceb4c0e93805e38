"""The one thread that touches the outbox file, and its asyncio face.

    agent --append()--> [pending, bounded by bytes] --group commit--> Outbox --on_stored(entries)--> uplink
    uplink --call(job)--> [jobs] -------------------------^                  (both on the event loop)

Group commit: the first record after a pause is committed at once, then at most one commit per ``window`` seconds takes
all that has gathered. A quiet agent has the latency of one fsync, a busy one few fsyncs a second.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final, TypeVar

from edge_agents.outbox import Entry, Outbox
from edge_agents.outbox_file import DamagedOutboxError, DiskFullError
from edge_agents.outbox_ledger import Stream
from edge_agents.ports import Losses
from edge_agents.ranges import RangeSet
from gateway.contract import wire
from gateway.contract.envelope import Lane, Seq

T = TypeVar("T")

MAX_PENDING_BYTES: Final = 4 * 1024 * 1024  # not yet committed; beyond it readers wait, or shed when the disk is full
MAX_BATCH: Final = 2000
RETRY_SECONDS: Final = 0.5  # between tries while the disk is full
LIFT_SECONDS: Final = 60.0  # after a full disk, until the configured size is tried again

OnStored = Callable[[list[Entry]], None]
OnShed = Callable[[dict[Lane, int]], None]  # records shed by one commit


class OutboxWriter:
    """Numbers records, commits them in groups and runs jobs on the outbox between commits."""

    def __init__(
        self,
        outbox: Outbox,
        *,
        window: float,
        on_stored: OnStored,
        on_shed: OnShed,
        repair: Callable[[DamagedOutboxError], Outbox] | None = None,
    ) -> None:
        """Start the thread; ``on_stored`` and ``on_shed`` are called on the running event loop, in commit order.

        ``repair`` is called in the thread when the file turns out to be broken and returns an open one.
        """
        self._outbox = outbox
        self._window = window
        self._on_stored = on_stored
        self._on_shed = on_shed
        self._repair = repair
        self._loop = asyncio.get_running_loop()
        self._changed = threading.Condition()
        self._pending: deque[Entry] = deque()
        self._unborn: dict[Stream, RangeSet] = {}
        self._jobs: deque[tuple[Callable[[Outbox], object], Future[object]]] = deque()
        self._pending_bytes = 0
        self._stopping = False
        self._notified = False
        self._next: dict[Stream, Seq] = {}
        self._appended = 0  # entries given to `append`, and those of them that are committed
        self._committed_total = 0
        self.losses = Losses()
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()  # for so many to be committed
        self._room = asyncio.Event()
        self._room.set()
        self.disk_full = False
        self.failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)
        self._thread.start()

    # ---- on the event loop

    def append(self, stream: Stream, build: Callable[[Seq], wire.Numbered], *, now: float, live: bool = True) -> Seq:
        """Number the record ``build`` makes and queue it for the next commit; returns its number.

        ``now``: monotonic seconds. While the disk is full, records that cannot wait in memory are shed, declared;
        events are kept.
        """
        seq = self._next.get(stream, 0)
        entry = Entry(stream, seq, wire.encode(build(seq)), live, now)
        self._next[stream] = seq + 1
        with self._changed:
            if self.disk_full and self._pending_bytes > MAX_PENDING_BYTES and stream.lane is not Lane.EVENT:
                self._unborn.setdefault(stream, RangeSet()).add(seq)
                self.losses = self.losses._replace(shed=self.losses.shed + 1)
                return seq
            self._pending.append(entry)
            self._pending_bytes += len(entry.payload)
            self._appended += 1
        if self._pending_bytes > MAX_PENDING_BYTES and not self.disk_full:
            self._room.clear()
        if not self._notified:  # once per turn of the loop: what arrived together is committed together
            self._notified = True
            self._loop.call_soon(self._notify)
        return seq

    async def room(self) -> None:
        """Wait until there is room for more (while the disk is full records are shed instead); lets others run."""
        await asyncio.sleep(0)
        await self._room.wait()

    async def kept(self) -> None:
        """Wait until all that was appended before is on the disk; while that is full, for as long as it is.

        All but what ``losses`` counts.
        """
        if self._committed_total < self._appended:
            future: asyncio.Future[None] = self._loop.create_future()
            self._waiting.append((self._appended, future))
            await future

    @property
    def all_kept(self) -> bool:
        """Whether nothing waits for its commit; once closed, whether nothing was given up with a full disk."""
        return self._committed_total == self._appended

    async def call(self, job: Callable[[Outbox], T]) -> T:
        """Run ``job`` in the thread, after the commit under way.

        Raises:
            whatever ``job`` raises.
        """
        future: Future[object] = Future()
        with self._changed:
            if self.failure is not None:
                raise RuntimeError("the outbox thread has stopped") from self.failure
            self._jobs.append((job, future))
            self._changed.notify()
        return await asyncio.wrap_future(future)  # type: ignore[arg-type]  # a Future[T], through the deque of objects

    async def close(self) -> None:
        """Commit what is pending, stop the thread and close the file."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        await asyncio.to_thread(self._thread.join)

    def _note_committed(self, entries: int, dropped: int) -> None:
        self._committed_total += entries
        self.losses = self.losses._replace(dropped=self.losses.dropped + dropped)
        while self._waiting and self._waiting[0][0] <= self._committed_total:
            _, future = self._waiting.popleft()
            if not future.done():
                future.set_result(None)

    def _notify(self) -> None:
        self._notified = False
        with self._changed:
            self._changed.notify()

    # ---- in the thread

    def _run(self) -> None:
        try:
            while self._step():
                pass
        except BaseException as error:  # handed to whoever waits or calls next
            self.failure = error
            self._fail_jobs(error)
            raise
        finally:
            self._outbox.close()

    def _step(self) -> bool:
        """One commit and the jobs that wait; False when it is time to stop."""
        batch, unborn, jobs = self._gather()
        if batch or unborn:
            self._commit(batch, unborn)
        for job, future in jobs:
            self._do(job, future)
        with self._changed:
            return not self._stopping or bool(self._pending and not self.disk_full) or bool(self._jobs)

    def _gather(
        self,
    ) -> tuple[list[Entry], dict[Stream, RangeSet], list[tuple[Callable[[Outbox], object], Future[object]]]]:
        with self._changed:
            while not (self._pending or self._jobs or self._stopping):
                self._changed.wait()
            due = self._retry_at if self.disk_full else self._due
            while not (self._jobs or self._stopping) and (left := due - time.monotonic()) > 0:
                self._changed.wait(left)
            jobs = list(self._jobs)
            self._jobs.clear()
            batch: list[Entry] = []
            if time.monotonic() >= due or self._stopping:
                batch = [self._pending.popleft() for _ in range(min(MAX_BATCH, len(self._pending)))]
            unborn, self._unborn = (self._unborn, {}) if batch else ({}, self._unborn)
            return batch, unborn, jobs

    _due = 0.0  # when the next commit may start
    _retry_at = 0.0  # the same while the disk is full
    _lift_at = float("inf")  # when to try the configured size again

    def _commit(self, batch: list[Entry], unborn: dict[Stream, RangeSet]) -> None:
        now = time.monotonic()
        self._due = now + self._window
        if now >= self._lift_at:
            self._lift_at = float("inf")
            self._outbox.lift_limit()
        self._outbox.shed_counts.clear()
        try:
            stored = self._outbox.append_batch(batch, unborn)
        except DiskFullError:
            self._put_back(batch, unborn, now)
            return
        except DamagedOutboxError as error:
            if self._repair is None:
                raise
            self._outbox.close()  # so that the new one gets the lock
            self._outbox = self._repair(error)
            self._put_back(batch, unborn, now)
            return
        self._committed(batch, stored)
        if self._outbox.shed_counts:
            self._loop.call_soon_threadsafe(self._on_shed, dict(self._outbox.shed_counts))

    def _committed(self, batch: list[Entry], stored: list[Entry]) -> None:
        with self._changed:
            self._pending_bytes -= sum(len(entry.payload) for entry in batch)
            roomy = self._pending_bytes < MAX_PENDING_BYTES // 2
            self.disk_full = False
        if stored:
            self._loop.call_soon_threadsafe(self._on_stored, stored)
        self._loop.call_soon_threadsafe(self._note_committed, len(batch), _observations(batch) - _observations(stored))
        if roomy:
            self._loop.call_soon_threadsafe(self._room.set)

    def _put_back(self, batch: list[Entry], unborn: dict[Stream, RangeSet], now: float) -> None:
        """The disk is full (or the file was replaced): keep the records in memory and try again soon."""
        with self._changed:
            self._pending.extendleft(reversed(batch))
            for stream, ranges in unborn.items():
                self._unborn.setdefault(stream, RangeSet()).update(ranges)
            self.disk_full = True
        self._retry_at = now + RETRY_SECONDS
        self._lift_at = now + LIFT_SECONDS
        self._loop.call_soon_threadsafe(self._room.set)

    def _do(self, job: Callable[[Outbox], object], future: Future[object]) -> None:
        if not future.set_running_or_notify_cancel():
            return
        try:
            result = job(self._outbox)
        except Exception as error:  # noqa: BLE001  it belongs to the caller
            future.set_exception(error)
        else:
            future.set_result(result)

    def _fail_jobs(self, error: BaseException) -> None:
        with self._changed:
            jobs, self._jobs = self._jobs, deque()
        for _, future in jobs:
            future.set_exception(RuntimeError(f"the outbox thread has stopped: {error}"))


def _observations(entries: list[Entry]) -> int:
    return sum(entry.stream.lane is Lane.OBS for entry in entries)
