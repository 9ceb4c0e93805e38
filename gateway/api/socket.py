"""The WebSocket of the live feed: ``/api/v1/live``."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from sqlalchemy.exc import SQLAlchemyError

from gateway.api.auth import TheServices, UnitViewer
from gateway.api.live import LiveHub, Screen
from gateway.api.services import Services
from gateway.contract.topic import ID_PATTERN

router = APIRouter()
_log = logging.getLogger(__name__)

CLOSE_BAD_MESSAGE: Final = 4400
RECENT_US: Final = 10_000_000  # of waveform, sent first
MAX_WAVES: Final = 64  # units whose waveforms one screen may watch
MAX_UNITS: Final = 1024
MAX_SILENT_MS: Final = 366 * 86_400_000
CHECK_SECONDS: Final = 1.0
CLOSE_SECONDS: Final = 2.0

_Unit = Annotated[str, msgspec.Meta(pattern=rf"^(\*|{ID_PATTERN})$")]


class Subscribe(msgspec.Struct, frozen=True, tag_field="type", tag="subscribe"):
    """What a screen asks for; each one replaces the one before."""

    units: Annotated[list[_Unit], msgspec.Meta(max_length=MAX_UNITS)]
    waves: Annotated[list[_Unit], msgspec.Meta(max_length=MAX_WAVES)] = []
    since: int | None = None


class Sound(msgspec.Struct, frozen=True, tag_field="type", tag="sound"):
    """What a screen says of itself when it has connected, and when it changes; one that never does is no board."""

    board: bool  # it shows a board: people wait to be called there
    silent_ms: Annotated[int, msgspec.Meta(ge=0, le=MAX_SILENT_MS)] | None = None  # for how long; None: it sounds


_decoder: Final = msgspec.json.Decoder(Subscribe | Sound)


@router.websocket("/live")
async def live(socket: WebSocket, actor: UnitViewer, services: TheServices) -> None:
    """Serves one screen until either side closes.

    ```
     receive --subscribe--> hub ==> screen's rings (256 frames, 1,024 texts) ==> send
    ```
    """
    await socket.accept()
    screen = services.hub.open(actor)
    tasks = [
        asyncio.create_task(_receive(socket, screen, services), name="live-receive"),
        asyncio.create_task(_send(socket, screen, services.hub), name="live-send"),
        asyncio.create_task(screen.closing.wait(), name="live-closing"),
    ]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        services.hub.leave(screen)
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    for task, result in zip(tasks, results, strict=True):
        if task in done and isinstance(result, BaseException) and not isinstance(result, WebSocketDisconnect):
            raise result
    if screen.close_code is not None:
        await _close(socket, screen.close_code)


async def _close(socket: WebSocket, code: int) -> None:
    """Says goodbye if the connection takes it; a screen that reads nothing is left to the server's ping."""
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await socket.close(code)
    except (TimeoutError, WebSocketDisconnect):
        return


async def _receive(socket: WebSocket, screen: Screen, services: Services) -> None:
    while True:
        try:
            message = _decoder.decode(await socket.receive_text())
        except (msgspec.DecodeError, KeyError):  # KeyError: a binary message
            screen.close(CLOSE_BAD_MESSAGE)
            return
        if isinstance(message, Sound):
            silent_us = None if message.silent_ms is None else message.silent_ms * 1000
            services.hub.sound(screen, board=message.board, silent_us=silent_us)
            continue
        new = services.hub.subscribe(screen, units=message.units, waves=message.waves, since=message.since)
        for unit in sorted(new):
            services.hub.prepend_frames(screen, unit, await _recent(services, unit))


async def _recent(services: Services, unit: str) -> Sequence[bytes]:
    since = services.clock() - RECENT_US
    return await services.read(lambda db: services.history.recent_frames(db, unit, since))


async def _send(socket: WebSocket, screen: Screen, hub: LiveHub) -> None:
    while True:
        await screen.wake.wait()
        for message in screen.take():
            with hub.send_seconds.time():
                if isinstance(message, str):
                    await socket.send_text(message)
                else:
                    await socket.send_bytes(message)


async def run(services: Services) -> None:
    """Ticks every second and closes the screens of sessions that ended; runs as long as the application does."""
    try:
        while True:
            services.hub.tick(services.lag(), services.canary_at())
            await close_ended(services)
            await asyncio.sleep(CHECK_SECONDS)
    finally:
        services.hub.close()


async def close_ended(services: Services) -> None:
    """Closes the screens of sessions that expired or were revoked."""
    sessions = services.hub.sessions()
    if not sessions:
        return
    now = services.clock()
    try:
        alive = await services.read(lambda db: services.accounts.live_sessions(db, sessions, now))
    except SQLAlchemyError:
        _log.exception("sessions of the live feed could not be checked; next try in a second")
        return
    services.hub.close_sessions(sessions - alive)
