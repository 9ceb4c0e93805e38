"""Writes what a batch changes, again and again until the disk has it. Part of the composition root."""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog
from prometheus_client import Counter
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from gateway.adapters import clock
from gateway.adapters.commit import commit
from gateway.changes import Changes
from gateway.pipeline import Conflict
from gateway.ports import Writer

log = structlog.get_logger("gateway")

RETRY_SECONDS: Final = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


class Committer:
    """The pipeline's commit. ``seconds``: what the last one took.

    Args:
        writer: the one thread that writes.
        troubles: where the database's trouble is named, for readyz.
        failures: counts commits that had to be tried again.
        on_notices: called after a commit that asks for somebody to be told.
    """

    def __init__(
        self, writer: Writer, troubles: dict[str, str], failures: Counter, on_notices: Callable[[], None]
    ) -> None:
        self._writer = writer
        self._troubles = troubles
        self._failures = failures
        self._on_notices = on_notices
        self.seconds = 0.0

    async def commit(self, changes: Changes) -> list[Conflict]:
        """Nothing goes on before the disk has it.

        Raises:
            IntegrityError: memory and disk disagree: only a restart from the disk puts that right.
        """
        if changes.empty and changes.position is None:
            return []
        began = clock.now()
        for attempt in range(1_000_000):
            try:
                conflicts = await asyncio.wrap_future(self._writer.submit(lambda db: commit(db, changes)))
            except IntegrityError:
                raise
            except SQLAlchemyError as error:
                await self._wait(error, attempt)
            else:
                self._troubles.pop("database", None)
                self.seconds = clock.machine_seconds(clock.now() - began)
                if changes.notices:
                    self._on_notices()
                return conflicts
        raise RuntimeError("the database has refused a commit a million times")

    async def _wait(self, error: SQLAlchemyError, attempt: int) -> None:
        self._troubles["database"] = str(error).splitlines()[0]
        self._failures.inc()
        log.warning("commit failed, trying again", error=self._troubles["database"], attempt=attempt)
        await asyncio.sleep(RETRY_SECONDS[min(attempt, len(RETRY_SECONDS) - 1)])
