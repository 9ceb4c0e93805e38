"""Watches the live feed as a screen does, and counts: latency as somebody in front of the page would have it."""

import asyncio
import json
import time
import urllib.request
from collections import deque
from contextlib import suppress
from http.cookiejar import CookieJar
from typing import Any, Final

import msgspec
import websockets

from gateway.contract.topic import Channel
from gateway.contract.waveform import WaveFrame
from gateway.contract.wire import decode

LATENCIES: Final = 20_000  # newest ones kept
METRICS_SECONDS: Final = 1.0


class Figures(msgspec.Struct):
    """What has been counted by now."""

    online: int = 0
    stored: int = 0
    outbox: int = 0
    gaps: int = 0
    alerts_open: int = 0
    alerts_seen: int = 0
    latencies: deque[float] = msgspec.field(default_factory=lambda: deque(maxlen=LATENCIES))

    def latency(self, quantile: float) -> float | None:
        """Milliseconds from a frame's last sample (clock of this machine) to its bytes here; None without frames."""
        if not self.latencies:
            return None
        ordered = sorted(self.latencies)
        return round(ordered[min(len(ordered) - 1, int(quantile * len(ordered)))], 1)


class FeedWatcher:
    """Signs in with the demo's login and reads until cancelled; comes back by itself when the gateway restarts."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.figures = Figures()
        self._cookies = CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self._cookies))
        self._alerts: set[str] = set()
        self._last_stored = self._stored_before = 0

    async def run(self) -> None:
        """Feed and metrics, side by side."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._read_feed())
            tasks.create_task(self._read_metrics())

    async def _read_feed(self) -> None:
        while True:
            with suppress(OSError, ValueError, websockets.WebSocketException):
                await asyncio.to_thread(self._sign_in)
                await self._follow()
            await asyncio.sleep(1)

    def _sign_in(self) -> None:
        login = self._get_json("api/v1/about")["demo_login"]
        request = urllib.request.Request(  # noqa: S310 - our own loopback URL
            f"{self.url}api/v1/session",
            data=json.dumps(login).encode(),
            headers={"Content-Type": "application/json", "Origin": self.url.rstrip("/")},
        )
        self._opener.open(request, timeout=5).close()

    def _get_json(self, path: str) -> dict[str, Any]:
        with self._opener.open(self.url + path, timeout=5) as answer:
            body: dict[str, Any] = json.load(answer)
            return body

    async def _follow(self) -> None:
        address = self.url.replace("http://", "ws://") + "api/v1/live"
        cookie = "; ".join(f"{one.name}={one.value}" for one in self._cookies)
        headers = {"Cookie": cookie, "Origin": self.url.rstrip("/")}
        async with websockets.connect(address, additional_headers=headers, max_size=None, compression=None) as feed:
            units = [unit["id"] for unit in (await asyncio.to_thread(self._get_json, "api/v1/units"))["items"]]
            await feed.send(json.dumps({"type": "subscribe", "units": ["*"], "waves": units, "since": None}))
            started_at = time.time_ns() // 1000
            async for message in feed:
                if isinstance(message, bytes):
                    self._take_frame(message, started_at)
                else:
                    self._take_text(json.loads(message))

    def _take_frame(self, message: bytes, started_at: int) -> None:
        frame = decode(Channel.WAVE, message[1 + message[0] :])
        if isinstance(frame, WaveFrame) and not frame.backfill and frame.observed_at > started_at:
            self.figures.latencies.append((time.time_ns() // 1000 - frame.end_at) / 1000)

    def _take_text(self, message: dict[str, Any]) -> None:
        match message:
            case {"type": "snapshot", "alerts": alerts}:
                self._alerts |= {alert["id"] for alert in alerts}
            case {"type": "alert", "alert": alert}:
                self._alerts.add(alert["id"])
        self.figures.alerts_seen = len(self._alerts)

    async def _read_metrics(self) -> None:
        while True:
            with suppress(OSError, ValueError):
                self._take_metrics(await asyncio.to_thread(self._get_text, "metrics"))
            await asyncio.sleep(METRICS_SECONDS)

    def _get_text(self, path: str) -> str:
        with self._opener.open(self.url + path, timeout=5) as answer:
            text: str = answer.read().decode()
            return text

    def _take_metrics(self, text: str) -> None:
        values: dict[str, float] = {}
        for line in text.splitlines():
            if not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                key = name.partition("{")[0]
                values[key] = values.get(key, 0.0) + float(value)
        figures = self.figures
        figures.online = int(values.get("lastmile_units_online", 0))
        self._count_stored(int(values.get("lastmile_records_total", 0)))
        figures.outbox = int(values.get("lastmile_outbox_records", 0))
        figures.gaps = int(values.get("lastmile_gaps_open", 0))
        figures.alerts_open = int(values.get("lastmile_alerts_open", 0))

    def _count_stored(self, since_start: int) -> None:
        """The gateway counts from its own start; a smaller number than before means that it was started again."""
        if since_start < self._last_stored:
            self._stored_before += self._last_stored
        self._last_stored = since_start
        self.figures.stored = self._stored_before + since_start
