"""The live feed: what arrives, handed to every screen that asked for it.

```
 pipeline --wave()--->  one encoded frame  --->  screen: ring of 256 frames (oldest falls out, counted)   ---\
          --notify()->  one encoded text   --->  screen: ring of 1,024 texts (full: the screen is cut off)  ---> socket
                        history: last 4,096 messages (resume)
```
Everything here runs on the event loop's thread and neither waits nor raises towards the pipeline: a screen that does
not keep up loses waveform frames and is told so, or is cut off and comes back with a snapshot. It never loses an alert.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from gateway.api.permissions import SIGHT, Sight, see_person
from gateway.api.ports import Actor, Snapshot
from gateway.contract.envelope import Instant
from gateway.ports import MuteBoard

WAVE_RING: Final = 256
TEXT_RING: Final = 1024
HISTORY: Final = 4096
TAIL_US: Final = 1_000_000  # frames this young are remembered: the database may not have committed them yet
TAIL_FRAMES: Final = 16_384
SNAPSHOT_US: Final = 100_000  # screens that come back together share one snapshot
EVERY_UNIT: Final = "*"
RESUME_US: Final = 60_000_000  # after the last screen has left, observations are still kept for its return

CLOSE_SIGNED_OUT: Final = 4401
CLOSE_TOO_SLOW: Final = 4408
CLOSE_GOING_AWAY: Final = 1001

_encoder: Final = msgspec.json.Encoder()


def frame_bytes(unit: str, payload: bytes) -> bytes:
    """A binary message of the feed: length of the unit's id, the id, the frame as it was published."""
    name = unit.encode("ascii")
    return bytes((len(name),)) + name + payload


class Message:
    """One JSON message, encoded at most once per `Sight` and shared by all screens."""

    __slots__ = ("_body", "_texts", "id", "unit")

    def __init__(self, id_: int, unit: str, body: dict[str, Any]) -> None:
        self.id = id_
        self.unit = unit
        self._body = body
        self._texts: dict[Sight, str] = {}

    def text(self, sight: Sight) -> str:
        """The message as somebody with this sight may read it."""
        if not names_somebody(self._body):
            sight = Sight.FULL
        if (text := self._texts.get(sight)) is None:
            text = self._texts[sight] = encode(see(self._body, sight))
        return text


def encode(body: dict[str, Any]) -> str:
    """JSON text."""
    return _encoder.encode(body).decode()


def names_somebody(body: dict[str, Any]) -> bool:
    """Whether the message says anything of a person."""
    unit = body.get("unit")
    return isinstance(unit, dict) and unit.get("subject") is not None


def see(body: dict[str, Any], sight: Sight) -> dict[str, Any]:
    """The message with the unit's subject as far as ``sight`` goes."""
    if sight is Sight.FULL or not names_somebody(body):
        return body
    return {**body, "unit": see_unit(body["unit"], sight)}


def see_unit(unit: dict[str, Any], sight: Sight) -> dict[str, Any]:
    """A UnitState with its subject as far as ``sight`` goes."""
    subject = unit.get("subject")
    return unit if subject is None else {**unit, "subject": see_person(subject, sight)}


@dataclass(eq=False)
class Screen:
    """One open socket: what it asked for, what it may see, and what waits to be sent to it."""

    actor: Actor
    sight: Sight = field(init=False)
    units: frozenset[str] = frozenset()  # ids, or "*"
    waves: frozenset[str] = frozenset()
    texts: deque[str] = field(default_factory=deque)
    frames: deque[tuple[str, bytes]] = field(default_factory=deque)
    dropped: dict[str, int] = field(default_factory=dict)  # unit: frames lost since the last "dropped" message
    tick: str | None = None  # only the newest matters
    close_code: int | None = None
    board: bool = False  # it shows a board, at which people wait to be called
    silent_since: Instant | None = None  # None: it sounds
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.sight = SIGHT[self.actor.role]

    def wants(self, unit: str) -> bool:
        """Whether it subscribed to messages about ``unit``; those about the gateway itself ("") go to everybody."""
        return not unit or EVERY_UNIT in self.units or unit in self.units

    def add_text(self, text: str) -> None:
        """Queues a message that must arrive; without room the screen is cut off instead."""
        if len(self.texts) >= TEXT_RING:
            self.close(CLOSE_TOO_SLOW)
        elif self.close_code is None:
            self.texts.append(text)
            self.wake.set()

    def add_frame(self, unit: str, frame: bytes) -> int:
        """Queues a waveform frame; the number of older frames (0 or 1) that had to go for it."""
        lost = 0
        if len(self.frames) >= WAVE_RING:
            oldest, _ = self.frames.popleft()
            self.dropped[oldest] = self.dropped.get(oldest, 0) + 1
            lost = 1
        self.frames.append((unit, frame))
        self.wake.set()
        return lost

    def set_tick(self, text: str) -> None:
        """Replaces a tick that was not sent yet."""
        self.tick = text
        self.wake.set()

    def close(self, code: int) -> None:
        """Asks the socket to close; nothing more is sent."""
        if self.close_code is None:
            self.close_code = code
            self.texts.clear()
            self.frames.clear()
            self.closing.set()

    def take(self) -> list[str | bytes]:
        """What to send now: all texts, then news of lost frames, then up to 8 frames (texts overtake the rest)."""
        out: list[str | bytes] = list(self.texts)
        self.texts.clear()
        if self.tick is not None:
            out.append(self.tick)
            self.tick = None
        out += [encode({"type": "dropped", "unit": unit, "frames": n}) for unit, n in self.dropped.items()]
        self.dropped.clear()
        out += [self.frames.popleft()[1] for _ in range(min(8, len(self.frames)))]
        if not self.frames:
            self.wake.clear()
        return out


class LiveHub:
    """Implements `gateway.ports.LiveFeed`; all methods are called on the event loop's thread.

    Args:
        clock: now, in us.
        snapshot: the full state, of all units and open alerts.
        site_of: the site of a unit; none when it is unknown (then only those who may see every site get it).
        metrics: where its counters are registered.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], Instant],
        snapshot: Callable[[], Snapshot],
        site_of: Callable[[str], str | None],
        metrics: CollectorRegistry,
    ) -> None:
        self._clock = clock
        self._snapshot = snapshot
        self._site_of = site_of
        # Ids start at the time of the start and grow by one, so an id of an earlier run is always older than ours.
        self._last_id = clock()
        self._history: deque[Message] = deque(maxlen=HISTORY)
        self._tail: deque[tuple[Instant, str, bytes]] = deque(maxlen=TAIL_FRAMES)
        self._screens: set[Screen] = set()
        self._by_wave: dict[str, set[Screen]] = {}
        self._snapshots: dict[tuple[Any, ...], str] = {}
        self._snapshots_of = (0, 0)  # feed id and time of what is in there
        self._left_at = -RESUME_US  # when the last screen left
        self._gauge = Gauge("lastmile_live_screens", "Screens watching the live feed", registry=metrics)
        self._lost = Counter(
            "lastmile_live_dropped_frames_total", "Waveform frames that slow screens lost", registry=metrics
        )
        self.send_seconds = Histogram(
            "lastmile_live_send_seconds",
            "Time to hand one message to a screen's connection",
            buckets=(0.0001, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5),
            registry=metrics,
        )

    # ---- from the pipeline -------------------------------------------------------------------------------------------
    def wave(self, unit: str, payload: bytes) -> None:
        """A waveform frame, as published: framed once, the same bytes to every screen that watches the unit."""
        now = self._clock()
        self._tail.append((now, unit, payload))
        while self._tail[0][0] < now - TAIL_US:
            self._tail.popleft()
        screens = self._by_wave.get(unit)
        if screens:
            frame = frame_bytes(unit, payload)
            lost = sum(screen.add_frame(unit, frame) for screen in screens)
            if lost:
                self._lost.inc(lost)

    def notify(self, kind: str, unit: str, body: dict[str, Any]) -> None:
        """A JSON message: type, id, the unit it is about (unless ``body`` says more of it), and ``body``."""
        self._last_id += 1
        about = {} if kind == "alert" else {"unit": unit}
        message = Message(self._last_id, unit, {"type": kind, "id": self._last_id, **about, **body})
        self._history.append(message)
        for screen in self._screens:
            if screen.wants(unit) and self.may_see(screen.actor, unit):
                screen.add_text(message.text(screen.sight))

    @property
    def watched(self) -> bool:
        """Whether a screen is open, or was within ``RESUME_US``; if not, observations may be left out of the feed."""
        return bool(self._screens) or self._clock() - self._left_at < RESUME_US

    # ---- from the sockets --------------------------------------------------------------------------------------------
    def may_see(self, actor: Actor, unit: str) -> bool:
        """Whether ``unit`` stands at one of the actor's sites."""
        scope = actor.scope
        return scope is None or not unit or self._site_of(unit) in scope

    def open(self, actor: Actor) -> Screen:
        """A new screen, not subscribed to anything yet."""
        if not self.watched:  # the history has holes: whoever resumes from before gets a snapshot
            self._history.clear()
            self._last_id += 1
        screen = Screen(actor)
        self._screens.add(screen)
        self._gauge.set(len(self._screens))
        return screen

    def leave(self, screen: Screen) -> None:
        """Forgets a screen."""
        self._screens.discard(screen)
        self._left_at = self._clock()
        self._watch(screen, frozenset())
        self._gauge.set(len(self._screens))

    def subscribe(
        self, screen: Screen, *, units: Collection[str], waves: Collection[str], since: int | None
    ) -> frozenset[str]:
        """Changes what the screen gets, from now on without a hole; the units whose waveforms it newly watches.

        Messages after ``since`` come first when they are all still here (and fit), else a snapshot does.
        """
        before = screen.waves
        screen.units = frozenset(units)
        self._watch(screen, frozenset(unit for unit in waves if self.may_see(screen.actor, unit)))
        missed = self._missed(screen, since)
        screen.texts.clear()  # not sent yet, so after ``since``: it is all in what follows
        if missed is None:
            screen.add_text(self._snapshot_text(screen))
        else:
            for message in missed:
                screen.add_text(message.text(screen.sight))
        return screen.waves - before

    def prepend_frames(self, screen: Screen, unit: str, stored: Iterable[bytes]) -> None:
        """Puts the unit's recent frames before those that came since it subscribed; none twice.

        ``stored`` are the committed ones, in order; those too young for the database are remembered here.
        """
        recent = [frame_bytes(unit, payload) for payload in stored]
        recent += [frame_bytes(unit, payload) for _, name, payload in self._tail if name == unit]
        waiting = {frame for _, frame in screen.frames}
        fresh = [(unit, frame) for frame in dict.fromkeys(recent) if frame not in waiting]
        room = max(0, WAVE_RING - len(screen.frames))
        screen.frames.extendleft(reversed(fresh[len(fresh) - min(room, len(fresh)) :]))
        screen.wake.set()

    def sound(self, screen: Screen, *, board: bool, silent_us: int | None) -> None:
        """What a screen says of itself: whether it is a board, and for how long it has made no sound (None: it can)."""
        screen.board = board
        screen.silent_since = None if silent_us is None else self._clock() - silent_us

    def mute_boards(self) -> list[MuteBoard]:
        """The accounts none of whose boards can be heard, and since when that is so of all of them."""
        boards: dict[str, list[Screen]] = {}
        for screen in self._screens:
            if screen.board:
                boards.setdefault(screen.actor.name, []).append(screen)
        found = []
        for account, screens in sorted(boards.items()):
            silent = [screen.silent_since for screen in screens if screen.silent_since is not None]
            if len(silent) == len(screens):
                found.append(MuteBoard(account, screens[0].actor.scope, max(silent)))
        return found

    def _watch(self, screen: Screen, waves: frozenset[str]) -> None:
        for unit in screen.waves - waves:
            self._by_wave[unit].discard(screen)
            if not self._by_wave[unit]:
                del self._by_wave[unit]
        for unit in waves - screen.waves:
            self._by_wave.setdefault(unit, set()).add(screen)
        screen.waves = waves
        screen.frames = deque(item for item in screen.frames if item[0] in waves)

    def _missed(self, screen: Screen, since: int | None) -> list[Message] | None:
        """What the screen missed after ``since``; none when only a snapshot can tell."""
        oldest = self._history[0].id if self._history else self._last_id + 1
        if since is None or not oldest - 1 <= since <= self._last_id:
            return None
        missed = [
            message
            for message in self._history
            if message.id > since and screen.wants(message.unit) and self.may_see(screen.actor, message.unit)
        ]
        return missed if len(missed) <= TEXT_RING // 2 else None

    def _snapshot_text(self, screen: Screen) -> str:
        """Encoded once for all screens that ask at about the same time and may see the same."""
        now = self._clock()
        if self._snapshots_of[0] != self._last_id or now - self._snapshots_of[1] > SNAPSHOT_US:
            self._snapshots.clear()
            self._snapshots_of = (self._last_id, now)
        key = (screen.sight, screen.actor.scope, screen.units)
        if (text := self._snapshots.get(key)) is None:
            text = self._snapshots[key] = self._make_snapshot(screen, now)
        return text

    def _make_snapshot(self, screen: Screen, now: Instant) -> str:
        state = self._snapshot()

        def shown(unit: str) -> bool:
            return screen.wants(unit) and self.may_see(screen.actor, unit)

        return encode(
            {
                "type": "snapshot",
                "id": self._last_id,
                "now": now,
                "units": [see_unit(unit, screen.sight) for unit in state.units if shown(unit["id"])],
                "alerts": [alert for alert in state.alerts if shown(alert["unit"])],
            }
        )

    # ---- from the clock and the accounts -----------------------------------------------------------------------------
    def tick(self, lag: int, canary_at: Instant | None) -> None:
        """Tells every screen the time, how far ingest is behind (us), and when the newest canary set out."""
        text = encode({"type": "tick", "now": self._clock(), "lag_us": lag, "canary_at": canary_at})
        for screen in self._screens:
            screen.set_tick(text)

    def sessions(self) -> set[str]:
        """Sessions with an open screen."""
        return {screen.actor.session for screen in self._screens}

    def close_sessions(self, ended: Collection[str], code: int = CLOSE_SIGNED_OUT) -> None:
        """Closes the screens of sessions that ended."""
        for screen in self._screens:
            if screen.actor.session in ended:
                screen.close(code)

    def close(self) -> None:
        """Closes every screen: the gateway stops."""
        self.close_sessions(self.sessions(), CLOSE_GOING_AWAY)
