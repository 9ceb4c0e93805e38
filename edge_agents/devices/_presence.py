"""Who is in range of a scanner, and who is no longer: learned from what is heard, one window after the other.

::

                 heard in 3 windows              steady for a minute
    arriving -----------------------> present -----------------------> settled <--------------.
        |                                | ^                             | |                   | heard in 3 windows
        | 30 s nothing         tag-lost  | '-- moved: another level -----' | beacon-silent     | beacon-seen-again
        v                                v                                 v                   |
      (gone)                           (gone)                            silent ---------------'

Nobody need tell the scanner what is fixed: what keeps its level for a minute is taken for a fixed beacon, and what then
falls silent without having moved has failed or was taken away. A tag that leaves gets weaker first, which makes it
move. Three windows to come in and several missed intervals to go keep a tag at the edge of the range from flickering.
A site may name its fixed beacons: they are settled from the first, missed also when they were never heard, and stay
fixed when they are moved.
"""

from enum import Enum, auto
from typing import Any, Final, NamedTuple

from edge_agents.device import Occurrence
from gateway.contract.envelope import Instant

SECOND: Final = 1_000_000
MAX_STEP: Final = 5.0  # s that one step of time counts at most
MAX_TRACKS: Final = 512

ARRIVE_WINDOWS: Final = 3
ARRIVE_WITHIN: Final = 30.0  # s
LOST_INTERVALS, LOST_LEAST, LOST_MOST = 4.0, 10.0, 60.0  # of its own intervals; s
SILENT_INTERVALS, SILENT_LEAST, SILENT_MOST = 10.0, 15.0, 300.0

UNKNOWN_GAP: Final = 6.0  # s; of a beacon that was named and not heard yet

SETTLE_SECONDS: Final = 60.0
SETTLE_WINDOWS: Final = 6
STEADY: Final = 6.0  # dB between the short and the long mean
MOVED: Final = 8.0  # dB
MOVED_WINDOWS: Final = 5
# At the edge of the range every signal looks steady, because only its peaks are heard.
STRONG_ENOUGH: Final = -85.0  # dBm, to be taken for a fixed beacon
TOO_WEAK: Final = -90.0  # dBm, to stay one
_SHORT, _LONG, _SETTLED_LONG = 0.3, 0.05, 0.02  # weight of the newest window in each mean
_LONGER, _SHORTER = 0.2, 0.05  # of a gap: one that is often missed soon gets more time, and loses it slowly

EVENTS: Final = (
    "tag-seen",
    "tag-lost",
    "beacon-settled",
    "beacon-moved",
    "beacon-silent",
    "beacon-seen-again",
)


class Heard(NamedTuple):
    """One beacon in one window."""

    kind: str
    rssi: float | None


class Ear:
    """How long we have been listening, in the scanner's own seconds.

    A wall clock that is set, or a process that was suspended, is not silence: one step counts five seconds at most.
    """

    def __init__(self) -> None:
        self.awake = 0.0  # s
        self.hearing = 0.0  # s in which the scanner heard anybody: in these alone a beacon can be missed
        self._now: Instant | None = None
        self._heard_at = 0.0

    def pass_to(self, now: Instant) -> None:
        """It is now."""
        if self._now is not None:
            self.awake += min(max(now - self._now, 0) / SECOND, MAX_STEP)
        self._now = now

    def hear(self, now: Instant) -> None:
        """Somebody was heard."""
        self.pass_to(now)
        self.hearing += min(self.awake - self._heard_at, MAX_STEP)
        self._heard_at = self.awake

    @property
    def deaf(self) -> float:
        """Seconds since anybody was heard."""
        return self.awake - self._heard_at


class _State(Enum):
    ARRIVING = auto()
    PRESENT = auto()
    SETTLED = auto()
    SILENT = auto()


class _Track:
    """What is known about one beacon."""

    def __init__(self, kind: str, ear: Ear, *, named: bool = False) -> None:
        self.kind = kind
        self.named = named
        self.state = _State.SETTLED if named else _State.ARRIVING
        self.windows = 0
        self.since = ear.awake  # the first of the windows that count
        self.heard_awake = ear.awake
        self.heard_hearing = ear.hearing
        self.gap = UNKNOWN_GAP if named else 1.0  # s from one window in which it is heard to the next
        self.short: float | None = None  # dBm
        self.level: float | None = None  # dBm
        self.steady_since = ear.awake
        self.away = 0  # windows in a row at another level

    def hear(self, ear: Ear, rssi: float | None) -> None:
        if self.windows and self.state in {_State.PRESENT, _State.SETTLED}:
            longer = ear.awake - self.heard_awake - self.gap
            self.gap += (_LONGER if longer > 0 else _SHORTER) * longer
        if self.state in {_State.ARRIVING, _State.SILENT} and ear.awake - self.heard_awake > ARRIVE_WITHIN:
            self.windows, self.since = 0, ear.awake
        self.windows += 1
        self.heard_awake, self.heard_hearing = ear.awake, ear.hearing
        if rssi is not None:
            self._level(ear, rssi)

    def _level(self, ear: Ear, rssi: float) -> None:
        if self.short is None or self.level is None:
            self.short = self.level = rssi
            return
        self.short += _SHORT * (rssi - self.short)
        self.level += (_SETTLED_LONG if self.state is _State.SETTLED else _LONG) * (rssi - self.level)
        off = abs(self.short - self.level)
        self.away = self.away + 1 if off > MOVED or self.short < TOO_WEAK else 0
        if self.state is not _State.SETTLED and off > STEADY:
            self.begin(ear)

    def begin(self, ear: Ear) -> None:
        """From here on it must be steady again."""
        self.level, self.steady_since, self.away = self.short, ear.awake, 0

    def settles(self, ear: Ear) -> bool:
        is_strong = self.level is None or self.level >= STRONG_ENOUGH
        return is_strong and self.windows >= SETTLE_WINDOWS and ear.awake - self.steady_since >= SETTLE_SECONDS

    def details(self, identity: str) -> dict[str, Any]:
        rssi = None if self.short is None else round(self.short, 1)
        return {"id": identity, "kind": self.kind, "rssi": rssi}


class Presence:
    """All beacons of one scanner."""

    def __init__(self, fixed: frozenset[str], ear: Ear) -> None:
        """``fixed``: ids of beacons that are known not to move."""
        self._tracks = {identity: _Track("", ear, named=True) for identity in sorted(fixed)}

    def window(self, ear: Ear, at: Instant, heard: dict[str, Heard]) -> list[Occurrence]:
        """A window has ended in which these were heard."""
        found = []
        for identity, (kind, rssi) in heard.items():
            track = self._tracks.get(identity) or self._admit(identity, kind, ear)
            if track is None:
                continue
            track.kind = kind
            track.hear(ear, rssi)
            if name := _step(track, ear):
                found.append(Occurrence(observed_at=at, name=name, details=track.details(identity)))
        return found

    def check(self, ear: Ear, at: Instant) -> list[Occurrence]:
        """Who has not been heard for too long."""
        found = []
        for identity, track in list(self._tracks.items()):
            missed, missed_hearing = ear.awake - track.heard_awake, ear.hearing - track.heard_hearing
            details = track.details(identity) | {"silent_s": round(missed)}
            if track.state is _State.ARRIVING and missed > ARRIVE_WITHIN:
                del self._tracks[identity]
            elif track.state is _State.PRESENT and missed > _clamp(track.gap * LOST_INTERVALS, LOST_LEAST, LOST_MOST):
                del self._tracks[identity]
                # nothing else was heard either: it may be the scanner and not the tag that is gone
                details |= {} if missed_hearing > 0 else {"scanner_silent": True}
                found.append(Occurrence(observed_at=at, name="tag-lost", details=details))
            elif track.state is _State.SETTLED and missed_hearing > _patience(track):
                track.state, track.windows = _State.SILENT, 0
                found.append(Occurrence(observed_at=at, name="beacon-silent", details=details))
        return found

    def _admit(self, identity: str, kind: str, ear: Ear) -> _Track | None:
        """A new track; when there is no room, in place of the one that is arriving longest. Known ones are kept."""
        if len(self._tracks) >= MAX_TRACKS:
            arriving = next((each for each, track in self._tracks.items() if track.state is _State.ARRIVING), None)
            if arriving is None:
                return None
            del self._tracks[arriving]
        track = self._tracks[identity] = _Track(kind, ear)
        return track


def _step(track: _Track, ear: Ear) -> str:
    """Moves a track that was just heard; the event's name, "" for none."""
    match track.state:
        case _State.ARRIVING if track.windows >= ARRIVE_WINDOWS:
            track.state = _State.PRESENT
            track.gap = max(track.gap, (ear.awake - track.since) / (track.windows - 1))
            return "tag-seen"
        case _State.PRESENT if track.settles(ear):
            track.state = _State.SETTLED
            return "beacon-settled"
        case _State.SETTLED if track.away >= MOVED_WINDOWS:
            track.state = _State.SETTLED if track.named else _State.PRESENT
            track.begin(ear)
            return "beacon-moved"
        case _State.SILENT if track.windows >= ARRIVE_WINDOWS:
            track.state = _State.SETTLED
            return "beacon-seen-again"
        case _:
            return ""


def _patience(track: _Track) -> float:
    return _clamp(track.gap * SILENT_INTERVALS, SILENT_LEAST, SILENT_MOST)


def _clamp(value: float, least: float, most: float) -> float:
    return min(max(value, least), most)
