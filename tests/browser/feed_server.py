"""A stand-in for the gateway's API that can be pushed into states which are hard to reach with the real one.

It serves the built web app and speaks the page's side of ``/api/v1`` with scripted, deterministic content: N units,
synthetic leads, alerts, cut or silent links, refused acknowledgements. The real gateway has its own tests.
Run it for development with ``python -m tests.browser.feed_server --port 8080 --units 3``.
"""

import argparse
import asyncio
import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any, Final

import uvicorn
from fastapi import WebSocket, WebSocketDisconnect
from fastapi.responses import JSONResponse

from tests.browser.feed_routes import application
from tests.browser.signals import FrameSource
from tests.browser.world import SECOND, Alert, Unit, example_units, now_us

FRAME: Final = 0.2  # s
RECENT_FRAMES: Final = 50  # 10 s
HISTORY_BEATS: Final = 60


@dataclass(eq=False)
class Screen:
    """One open WebSocket: what waits for it and what it asked for."""

    socket: WebSocket
    out: asyncio.Queue[str | bytes] = field(default_factory=lambda: asyncio.Queue(4096))
    waves: frozenset[str] = frozenset()
    subscribed: bool = False


class FeedServer:
    """The scripted gateway. Methods without ``_`` may be called from the test's thread."""

    def __init__(self, units: int = 3, *, demo: bool = True, lag: int = 12_000) -> None:
        self.started = now_us() - HISTORY_BEATS * SECOND // 5  # as if it had run for a while
        self.units: dict[str, Unit] = {u.id: u for u in example_units(units, now_us())}
        self.alerts: dict[str, Alert] = {}
        self.source = FrameSource(self.started)
        self.demo = demo
        self.lag = lag
        self.canary_age: int | None = 2 * SECOND  # of the watcher's newest word; none = none came through
        self.details: dict[str, dict[str, Any]] = {}  # alert: what GET /alerts/<id> tells beside its body
        self.serial: dict[str, dict[str, Any]] = {}  # unit: its ECG beside earlier ones
        self.pending: list[Alert] = []
        self.sounds: SimpleQueue[dict[str, Any]] = SimpleQueue()  # what screens said of their sound
        self.silences: list[dict[str, Any]] = []
        self.shifts: list[dict[str, Any]] = []
        self.cut = False  # nothing answers, sockets are closed
        self.silent = False  # sockets stay open and say nothing (half-open link)
        self.silent_units: set[str] = set()  # send nothing, though their link is up
        self.silent_waves: set[str] = set()
        self.hold_waves = False  # waveforms wait, and come all at once afterwards
        self.refuse: tuple[int, str, str] | None = None  # status, reason, detail of the next acknowledgements
        self.devices: list[dict[str, Any]] = []  # as GET /devices lists them
        self.sittings: dict[str, list[dict[str, Any]]] = {}
        self.plans: list[dict[str, Any]] = []  # care plans that count
        self.planned: list[dict[str, Any]] = []  # bodies of plans that were set
        self.happened: dict[str, list[dict[str, Any]]] = {}  # events from before the page was opened
        self.commanded: list[dict[str, Any]] = []  # bodies of commands that were taken
        self.lying: dict[str, dict[str, Any]] = {}  # unit: how somebody lies there, as the gateway last told
        self.turned: list[tuple[str, str]] = []  # unit, who recorded it
        self.confirmed: list[tuple[str, int, str]] = []  # unit, which proposal, why
        self.subscriptions: list[dict[str, Any]] = []
        self.acknowledged: list[tuple[str, str]] = []
        self.sessions: dict[str, str] = {}
        self.port = 0
        self._id = self.started
        self._held: list[tuple[str, bytes]] = []
        self._history: list[dict[str, Any]] = []
        self._screens: set[Screen] = set()
        self.beats = HISTORY_BEATS
        self._loop: asyncio.AbstractEventLoop | None = None
        self.app = application(self)

    # ---- what tests do -----------------------------------------------------------------------------------------------
    def do(self, act: Callable[[], None]) -> None:
        """Runs ``act`` on the server's thread and waits for it."""
        loop = self._loop
        assert loop is not None
        done = threading.Event()

        def run() -> None:
            act()
            done.set()

        loop.call_soon_threadsafe(run)
        assert done.wait(5), "the feed server hangs"

    def raise_alert(self, alert: Alert) -> None:
        """Puts an alert into the book and tells every screen."""
        self.alerts[alert["id"]] = alert
        self.do(lambda: self.notify({"type": "alert", "alert": alert}))

    def change_alert(self, alert: Alert, happened: dict[str, Any], **changes: Any) -> None:
        """Changes an alert, writes a line of its history and tells every screen; only on the server's thread."""
        alert.update(changes, updated_at=now_us())
        self.details.setdefault(alert["id"], {}).setdefault("history", []).append(happened)
        self.notify({"type": "alert", "alert": alert})

    def change_unit(self, unit: str, **changes: Any) -> None:
        """Changes a unit's state and tells every screen."""
        self.units[unit].state.update(changes)
        self.do(lambda: self.notify({"type": "unit", "unit": self.units[unit].shown()}))

    def say(self, message: dict[str, Any]) -> None:
        """Sends a message with the next id."""
        self.do(lambda: self.notify(message))

    def cut_link(self) -> None:
        """Closes every socket and answers nothing until `restore`."""
        self.cut = True
        self.do(self.close_screens)

    def forget_history(self) -> None:
        """As after a restart: whoever comes back gets a snapshot."""
        self.do(self._history.clear)
        self._id += 10_000

    def restore(self) -> None:
        """Answers again."""
        self.cut = self.silent = False

    def tell_lying(self, unit: str, care: dict[str, Any]) -> None:
        """Tells how somebody lies there from now on; only on the server's thread."""
        self.lying[unit] = care
        said = {"unit": unit, "device": "gateway", "at": care["at"], "name": "pressure-care", "details": care}
        self.notify({"type": "event", **said})

    # ---- feed --------------------------------------------------------------------------------------------------------
    def notify(self, message: dict[str, Any]) -> None:
        """Numbers a message, remembers it and queues it for every screen."""
        self._id += 1
        message = {**message, "id": self._id}
        self._history.append(message)
        self._send(message)

    def _send(self, message: dict[str, Any]) -> None:
        if self.silent:
            return
        text = JSONResponse(message).body
        for screen in self._screens:
            if screen.subscribed:
                screen.out.put_nowait(bytes(text).decode())

    def snapshot(self) -> dict[str, Any]:
        """Everything, now."""
        return {
            "type": "snapshot",
            "id": self._id,
            "now": now_us(),
            "units": [unit.shown() for unit in self.units.values()],
            "alerts": list(self.alerts.values()),
        }

    def subscribe(self, screen: Screen, message: dict[str, Any]) -> None:
        """Answers a subscription: what was missed, or a snapshot; then the last ten seconds of new waveforms."""
        self.subscriptions.append(message)
        if self.silent:
            return
        since = message.get("since")
        first = self._history[0]["id"] if self._history else self._id + 1
        if since is not None and first - 1 <= since <= self._id:
            missed = [m for m in self._history if m["id"] > since]
        else:
            missed = [self.snapshot()]
        for item in missed:
            screen.out.put_nowait(bytes(JSONResponse(item).body).decode())
        screen.subscribed = True
        new = frozenset(message["waves"]) - screen.waves
        screen.waves = frozenset(message["waves"])
        for unit in new & self.units.keys():
            for beat in range(max(0, self.beats - RECENT_FRAMES), self.beats):
                for frame in self._frames(unit, beat):
                    screen.out.put_nowait(frame)

    def _frames(self, unit: str, beat: int) -> list[bytes]:
        if unit in self.silent_waves:
            return []
        return self.source.frames(self.units[unit], beat)

    def close_screens(self) -> None:
        """Ends every open socket; only on the server's thread (see `do`)."""
        for screen in list(self._screens):
            screen.out.put_nowait("")  # an empty text ends the sender

    def _beat(self) -> None:
        """Every 200 ms: waveforms; every second: numbers and a tick."""
        watched = frozenset[str]().union(*(screen.waves for screen in self._screens))
        for unit in watched & (self.units.keys() - self.silent_units):
            self._held += [(unit, frame) for frame in self._frames(unit, self.beats)]
        if not self.hold_waves:
            for unit, frame in self._held:
                self._send_frame(unit, frame)
            self._held.clear()
        if self.beats % 5 == 0:
            for unit_state in self.units.values():
                if unit_state.id not in self.silent_units and unit_state.state["link"] == "online":
                    for message in unit_state.observe(now_us()):
                        self.notify(message)
            sent_out = None if self.canary_age is None else now_us() - self.canary_age
            self._send({"type": "tick", "now": now_us(), "lag_us": self.lag, "canary_at": sent_out})
        self.beats += 1

    def _send_frame(self, unit: str, frame: bytes) -> None:
        for screen in self._screens:
            if unit in screen.waves and not self.silent:
                screen.out.put_nowait(frame)

    # ---- life --------------------------------------------------------------------------------------------------------
    async def pump(self) -> None:
        """Beats at the pace of the clock until cancelled."""
        self._loop = asyncio.get_running_loop()
        due = self._loop.time()
        while True:
            self._beat()
            due += FRAME
            wait = asyncio.Event()
            self._loop.call_at(due, wait.set)
            await wait.wait()

    async def serve_screen(self, socket: WebSocket) -> None:
        """One screen until it goes or the link is cut."""
        await socket.accept()
        screen = Screen(socket)
        self._screens.add(screen)
        sender = asyncio.create_task(_drain(screen))
        try:
            while True:
                message = await socket.receive_json()
                if message["type"] == "sound":
                    self.sounds.put(message)
                else:
                    self.subscribe(screen, message)
        except (WebSocketDisconnect, RuntimeError):
            pass  # the screen went away, or its link was cut
        finally:
            self._screens.discard(screen)
            sender.cancel()


async def _drain(screen: Screen) -> None:
    while True:
        item = await screen.out.get()
        if item == "":
            await screen.socket.close()
            return
        if isinstance(item, str):
            await screen.socket.send_text(item)
        else:
            await screen.socket.send_bytes(item)


@contextlib.contextmanager
def running(world: FeedServer, port: int = 0) -> Iterator[str]:
    """Serves ``world`` on a thread; gives its address."""
    config = uvicorn.Config(world.app, host="127.0.0.1", port=port, log_level="warning", ws="websockets-sansio")
    ready = threading.Event()

    class Told(uvicorn.Server):
        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            ready.set()

    server = Told(config)
    thread = threading.Thread(target=server.run, name="feed-server", daemon=True)
    thread.start()
    try:
        assert ready.wait(10), "the feed server did not start"
        world.port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{world.port}"
    finally:
        world.do(world.close_screens)
        server.should_exit = True
        thread.join(10)


def main() -> None:
    """Serves until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--units", type=int, default=3)
    options = parser.parse_args()
    with running(FeedServer(options.units), options.port) as url, contextlib.suppress(KeyboardInterrupt):
        sys.stdout.write(f"{url}\n")
        threading.Event().wait()


if __name__ == "__main__":
    main()
