"""Where the API hands in what people do. Each act waits here for its place in the path, then for its commit."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from sqlalchemy import select

from gateway.adapters import tables
from gateway.adapters.sql import Database
from gateway.alerts.alert import IllegalMove, UnknownAlert
from gateway.alerts.silence import Silence
from gateway.api.ports import AlertNotFound, IllegalTransition
from gateway.care.window import ServiceWindow
from gateway.commands.command import RemoteCommand
from gateway.contract.envelope import Instant
from gateway.moves import (
    Acknowledgement,
    CommandRequest,
    Confirmation,
    PersonsMove,
    SilenceEnd,
    SilenceStart,
    TurnEntry,
    WindowEnd,
    WindowStart,
)

T = TypeVar("T")


class FrontDesk:
    """Implements the ports `Alerts`, `Commands`, `Windows`, `Silences` and `Turns` of the API; on the event loop."""

    def __init__(self, database: Database, wake: Callable[[], None]) -> None:
        """``wake`` makes the path take its next batch at once: a person waits."""
        self._database = database
        self._wake = wake
        self._moves: list[PersonsMove[Any]] = []

    def take(self) -> list[PersonsMove[Any]]:
        """What has been handed in since the last call."""
        moves, self._moves = self._moves, []
        return moves

    async def acknowledge(self, alert_id: str, actor: str) -> dict[str, Any]:
        """The alert after ``actor`` acknowledged it, committed."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        try:
            alert = await self._hand_in(Acknowledgement(alert_id, actor, future))
        except IllegalMove as refusal:
            raise IllegalTransition(refusal.state, refusal.owner) from refusal
        except UnknownAlert as refusal:
            raise await self._ended(alert_id) from refusal
        body: dict[str, Any] = msgspec.to_builtins(alert)
        return body

    async def silence(self, wanted: Silence) -> Silence:
        """The silence, committed and audited; what it covers is marked."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        return await self._hand_in(SilenceStart(wanted, future))

    async def unsilence(self, silence_id: str, actor: str) -> Silence:
        """The silence, ended."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        return await self._hand_in(SilenceEnd(silence_id, actor, future))

    async def request(self, wanted: RemoteCommand) -> RemoteCommand:
        """The command, committed; it is sent and answered later."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        return await self._hand_in(CommandRequest(wanted, future))

    async def turned(self, unit: str, at: Instant, actor: str) -> None:
        """The turn, committed and audited."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        await self._hand_in(TurnEntry(unit, at, actor, future))

    async def confirm(self, proposed_at: Instant, wanted: RemoteCommand) -> RemoteCommand:
        """The proposal as a command, committed; it is sent and answered later."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        return await self._hand_in(Confirmation(proposed_at, wanted, future))

    async def start(self, wanted: ServiceWindow) -> ServiceWindow:
        """Service mode or training, committed and audited."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        return await self._hand_in(WindowStart(wanted, future))

    async def end(self, unit: str, device: str, actor: str) -> ServiceWindow:
        """What was on there, ended."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        return await self._hand_in(WindowEnd(unit, device, actor, future))

    async def _hand_in(self, move: PersonsMove[T]) -> T:
        self._moves.append(move)
        self._wake()
        return await move.future

    async def _ended(self, alert_id: str) -> Exception:
        """An alert that is not open: resolved (409) or never heard of (404)."""
        query = select(tables.alert.c.state, tables.alert.c.acknowledged_by).where(tables.alert.c.id == alert_id)
        found = await asyncio.wrap_future(self._database.submit(lambda connection: connection.execute(query).first()))
        return IllegalTransition(found.state, found.acknowledged_by) if found else AlertNotFound(alert_id)
