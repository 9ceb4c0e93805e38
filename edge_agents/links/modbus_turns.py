"""Who speaks next on a shared line: one at a time, the most urgent first, equals in order of arrival."""

import asyncio
import heapq
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from enum import IntEnum


class Rank(IntEnum):
    """How urgent a request is."""

    WRITE = 0  # a person waits for it
    LIVE = 1
    DOUBTFUL = 2  # the unit did not answer the last time: those that do come first, for ever if they fill the line


class Turns:
    """A lock with ranks."""

    def __init__(self) -> None:
        self._taken = False
        self._waiting: list[tuple[Rank, int, asyncio.Future[None]]] = []
        self._arrivals = 0

    @asynccontextmanager
    async def take(self, rank: Rank) -> AsyncGenerator[None, None]:
        """Waits for its turn and has it until the end of the block."""
        await self._wait(rank)
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, rank: Rank) -> None:
        if not self._taken:
            self._taken = True
            return
        turn = asyncio.get_running_loop().create_future()
        self._arrivals += 1
        heapq.heappush(self._waiting, (rank, self._arrivals, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._pass_on()  # the turn had come in the same moment
            raise

    def _pass_on(self) -> None:
        while self._waiting:
            _, _, turn = heapq.heappop(self._waiting)
            if not turn.done():
                turn.set_result(None)
                return
        self._taken = False
