"""A scanner of beacons: what it hears of iBeacon, AltBeacon and Eddystone, gathered second by second.

===================  ===================================================================================================
beacon-sightings     {window_ms, sightings: [{id, kind, rssi (median), rssi_max, n, power_1m}]} and, if there are any,
                     ``others`` (reports that are no such beacon) and ``dropped`` (beacons beyond the most of a window)
beacon-telemetry     {id, battery_mv, temperature, adv_count, uptime_s}; a null the beacon does not measure. At most one
                     a minute and beacon, and one more when it restarts or its battery becomes low
tag-seen, tag-lost,  {id, kind, rssi}; see edge_agents.devices._presence
beacon-settled ...
===================  ===================================================================================================

``observed_at`` of sightings is the beginning of their window; windows begin at whole seconds of the agent's clock, so
that those of several scanners can be compared. A TLM frame does not say whose it is: it belongs to the beacon heard
from the same address in the last minute, and waits for one as long. Conditions: ``battery-low/<id>`` below 2.4 V until
it is 2.5 V again or nothing was heard of it for a day, ``scanner-silent`` when nothing at all was heard for 30 s.

Frames and sources: edge_agents.devices._adverts.
"""

from statistics import median
from typing import Any, Final, NamedTuple

from edge_agents.device import FrameError, Numeric, Occurrence, Reading, Yields
from edge_agents.devices import _adverts, _presence
from edge_agents.devices._adverts import Report, Sighting, Telemetry
from edge_agents.devices._presence import Ear, Heard, Presence
from edge_agents.protocol import Advert
from gateway.contract.envelope import Instant

KIND: Final = "beacon_scanner"
PROTOCOL: Final = Advert()
SIGHTINGS: Final = "beacon-sightings"
TELEMETRY: Final = "beacon-telemetry"
YIELDS: Final = Yields(events=(SIGHTINGS, TELEMETRY, *_presence.EVENTS), conditions=("battery-low", "scanner-silent"))

SECOND: Final = _presence.SECOND
WINDOW: Final = SECOND
LATE: Final = SECOND // 2  # how long a window that has ended waits for reports that are still on their way
MAX_BEACONS: Final = 256  # of one window
MAX_SAMPLES: Final = 64  # RSSI values of one beacon in one window; more do not change a median
MAX_ADDRESSES: Final = 1024
MAX_FIXED: Final = _presence.MAX_TRACKS // 2
SAME_ADDRESS: Final = 60.0  # s that an address stands for the beacon heard from it: much less than it takes to rotate
TELEMETRY_EVERY: Final = 60.0  # s
SCANNER_SILENT: Final = 30.0  # s
BATTERY_LOW: Final = 2400  # mV; a lithium coin cell has little left
BATTERY_GOOD: Final = 2500
BATTERY_FORGOTTEN: Final = 86_400.0  # s; a tag whose battery another scanner has heard of since


def encode(reading: Reading) -> bytes:
    """The report of one sighting or of telemetry, from an address that is always the same for one id.

    Raises:
        ValueError: neither of the two, or several sightings at once.
    """
    match reading:
        case Occurrence(name="beacon-sightings", details={"sightings": [one]}):
            data = _adverts.write_sighting(Sighting(one["id"], one["kind"], one["power_1m"]))
            return _adverts.write_report(Report(_adverts.address_of(one["id"]), data, one["rssi"]))
        case Occurrence(name="beacon-telemetry", details={"id": identity, **values}):
            data = _adverts.write_telemetry(Telemetry(**values))
            return _adverts.write_report(Report(_adverts.address_of(identity), data, None))
        case _:
            raise ValueError(f"a beacon does not say {reading!r}")


class _Beacon:
    """One beacon in the window that is open."""

    def __init__(self, sighting: Sighting) -> None:
        self.sighting = sighting
        self.n = 0
        self.rssi: list[int] = []

    def add(self, rssi: int | None) -> None:
        self.n += 1
        if rssi is not None and len(self.rssi) < MAX_SAMPLES:
            self.rssi.append(rssi)

    @property
    def median(self) -> float | None:
        return median(self.rssi) if self.rssi else None

    def details(self) -> dict[str, Any]:
        identity, kind, power = self.sighting
        strongest = max(self.rssi, default=None)
        return {
            "id": identity, "kind": kind, "rssi": self.median, "rssi_max": strongest, "n": self.n, "power_1m": power,
        }  # fmt: skip


class _Window:
    """What is heard in one second; bounded."""

    def __init__(self) -> None:
        self.start: Instant | None = None
        self.beacons: dict[str, _Beacon] = {}
        self.others = 0
        self.dropped: set[str] = set()

    def covers(self, at: Instant) -> bool:
        return self.start is not None and self.start <= at < self.start + WINDOW

    def add(self, sighting: Sighting, rssi: int | None) -> None:
        if sighting.id not in self.beacons:
            if len(self.beacons) >= MAX_BEACONS:
                if len(self.dropped) < MAX_BEACONS:
                    self.dropped.add(sighting.id)
                return
            self.beacons[sighting.id] = _Beacon(sighting)
        self.beacons[sighting.id].add(rssi)

    def reading(self) -> list[Reading]:
        if self.start is None or not self.beacons:
            return []
        details: dict[str, Any] = {
            "window_ms": WINDOW // 1000,
            "sightings": [beacon.details() for beacon in self.beacons.values()],
        }
        details |= {"others": self.others} if self.others else {}
        details |= {"dropped": len(self.dropped)} if self.dropped else {}
        return [Occurrence(observed_at=self.start, name=SIGHTINGS, details=details)]


class _Owner(NamedTuple):
    """Whose telemetry an address sends."""

    id: str
    since: float  # s of Ear.awake


class _Said(NamedTuple):
    """The telemetry of a beacon that was last passed on."""

    at: float  # s of Ear.awake
    adv_count: int


class Decoder:
    """Reports of one scanner to sightings, telemetry and who comes and goes."""

    def __init__(self, fixed: str = "") -> None:
        """``fixed``: ids of the beacons in reach that are known not to move, separated by spaces.

        Raises:
            ValueError: too many.
        """
        named = frozenset(fixed.lower().split())
        if len(named) > MAX_FIXED:
            raise ValueError(f"expected at most {MAX_FIXED} fixed beacons")
        self._ear = Ear()
        self._window = _Window()
        self._presence = Presence(named, self._ear)
        self._owners: dict[str, _Owner] = {}  # by address, the latest last
        self._waiting: dict[str, tuple[float, Telemetry]] = {}  # by address
        self._said: dict[str, _Said] = {}
        self._low: dict[str, float] = {}  # id to when it was last said, s of Ear.awake
        self._conditions: frozenset[str] = frozenset()

    def feed(self, data: bytes, received_at: Instant) -> list[Reading | FrameError]:
        """See edge_agents.device.Decoder. An empty frame ends the window: nothing more of it will come."""
        if not data:
            return [*self._end()]
        try:
            report = _adverts.read_report(data)
        except FrameError as error:
            return [error]
        found = self._hear(received_at)
        try:
            said = _adverts.beacon(_adverts.structures(report.data))
        except FrameError as error:
            return [*found, *self._judge(received_at), error]
        match said:
            case Sighting():
                self._window.add(said, report.rssi)
                found += self._own(report.address, said, received_at)
            case Telemetry():
                found += self._telemetry(report.address, said, received_at)
            case None:
                self._window.others += 1
        return [*found, *self._judge(received_at)]

    def tick(self, now: Instant) -> list[Reading]:
        """See edge_agents.device.Ticking."""
        self._ear.pass_to(now)
        ended = self._window.start is not None and not self._window.covers(now - LATE)
        found = self._end() if ended else []
        return [*found, *self._presence.check(self._ear, now), *self._judge(now)]

    # ---- windows and presence

    def _hear(self, at: Instant) -> list[Reading]:
        """A report came. Ends the window when it lies outside, also before it: clocks are set; and opens the next."""
        if self._window.covers(at):
            self._ear.hear(at)
            return []
        found = self._end()
        self._ear.hear(at)
        self._window.start = at // WINDOW * WINDOW
        return [*found, *self._presence.check(self._ear, at)]

    def _end(self) -> list[Reading]:
        window, self._window = self._window, _Window()
        if window.start is None:
            return []
        if not window.beacons:  # what is not told yet is told with the next sightings
            self._window.others = window.others
        heard = {identity: Heard(beacon.sighting.kind, beacon.median) for identity, beacon in window.beacons.items()}
        return [*window.reading(), *self._presence.window(self._ear, window.start + WINDOW, heard)]

    # ---- telemetry and conditions

    def _own(self, address: str, sighting: Sighting, at: Instant) -> list[Reading]:
        """The address is this beacon's; a frame of telemetry that has waited for it is passed on."""
        self._owners.pop(address, None)
        self._owners[address] = _Owner(sighting.id, self._ear.awake)
        _bound(self._owners)
        since, telemetry = self._waiting.pop(address, (0.0, None))
        if telemetry is None or self._ear.awake - since > SAME_ADDRESS:
            return []
        return self._pass_on(sighting.id, telemetry, at)

    def _telemetry(self, address: str, telemetry: Telemetry, at: Instant) -> list[Reading]:
        owner = self._owners.get(address)
        if owner is not None and self._ear.awake - owner.since <= SAME_ADDRESS:
            return self._pass_on(owner.id, telemetry, at)
        self._waiting.pop(address, None)
        self._waiting[address] = (self._ear.awake, telemetry)
        _bound(self._waiting)
        return []

    def _pass_on(self, identity: str, telemetry: Telemetry, at: Instant) -> list[Reading]:
        turned_low = self._turns_low(identity, telemetry.battery_mv)
        said = self._said.get(identity)
        restarted = said is not None and telemetry.adv_count < said.adv_count
        if said and self._ear.awake - said.at < TELEMETRY_EVERY and not restarted and not turned_low:
            return []
        self._said.pop(identity, None)
        self._said[identity] = _Said(self._ear.awake, telemetry.adv_count)
        _bound(self._said)
        return [Occurrence(observed_at=at, name=TELEMETRY, details={"id": identity, **telemetry._asdict()})]

    def _turns_low(self, identity: str, battery_mv: int | None) -> bool:
        """Remembers it; whether it was not known."""
        known = identity in self._low
        if battery_mv is not None and battery_mv < (BATTERY_GOOD if known else BATTERY_LOW):
            self._low.pop(identity, None)
            self._low[identity] = self._ear.awake
            _bound(self._low)
            return not known
        if battery_mv is not None:
            self._low.pop(identity, None)
        return False

    def _judge(self, at: Instant) -> list[Reading]:
        """What is wrong, when that has changed."""
        oldest = self._ear.awake - BATTERY_FORGOTTEN
        self._low = {identity: since for identity, since in self._low.items() if since > oldest}
        now = frozenset(f"battery-low/{identity}" for identity in self._low)
        if self._ear.deaf > SCANNER_SILENT:
            now |= {"scanner-silent"}
        if now == self._conditions:
            return []
        self._conditions = now
        return [Numeric(observed_at=at, values={}, conditions=now)]


def _bound(known: dict[str, Any]) -> None:
    """Forgets the oldest when there are too many."""
    if len(known) > MAX_ADDRESSES:
        del known[next(iter(known))]
