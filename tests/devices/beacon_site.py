"""A scanner and the beacons around it, second by second: shared by the tests of beacons."""

from edge_agents.device import FrameError, Numeric, Occurrence, Reading
from edge_agents.devices import _adverts
from edge_agents.devices._adverts import Report, Sighting, Telemetry
from edge_agents.devices.beacon_scanner import SIGHTINGS, TELEMETRY, Decoder

SECOND = 1_000_000
START = 1_790_000_000  # s

TAG = Sighting("e2c56db5-dffb-48d2-b060-d0f5a71096e0:1:7", "ibeacon", -59)
FIXED = Sighting("00112233445566778899:0000000000aa", "eddystone-uid", -59)
OTHER = Sighting("2f234454cf6d4a0fadf2f4911ba9ffa600010002", "altbeacon", -59)


def report(who: Sighting, rssi: int | None, address: str = "") -> bytes:
    return _adverts.write_report(Report(address or _adverts.address_of(who.id), _adverts.write_sighting(who), rssi))


def telemetry(who: Sighting, battery_mv: int | None, count: int = 1, address: str = "") -> bytes:
    data = _adverts.write_telemetry(Telemetry(battery_mv, 20.0, count, count / 10))
    return _adverts.write_report(Report(address or _adverts.address_of(who.id), data, -60))


class Site:
    """A scanner whose agent ticks once a second."""

    def __init__(self, fixed: str = "") -> None:
        self.decoder = Decoder(fixed)
        self.now = START * SECOND
        self.said: list[Reading | FrameError] = []

    def second(self, *frames: bytes) -> None:
        """One second in which these are heard at equal distances."""
        for n, frame in enumerate(frames):
            self.said += self.decoder.feed(frame, self.now + (n + 1) * SECOND // (len(frames) + 1))
        self.now += SECOND
        self.said += self.decoder.tick(self.now)

    def seconds(self, n: int, *frames: bytes) -> None:
        for _ in range(n):
            self.second(*frames)

    def events(self) -> list[tuple[str, str]]:
        """(event, id) of everything but sightings and telemetry."""
        said = [item for item in self.said if isinstance(item, Occurrence)]
        return [(item.name, item.details["id"]) for item in said if item.name not in {SIGHTINGS, TELEMETRY}]

    def named(self, name: str) -> list[Occurrence]:
        return [item for item in self.said if isinstance(item, Occurrence) and item.name == name]

    @property
    def conditions(self) -> list[set[str]]:
        return [set(item.conditions or ()) for item in self.said if isinstance(item, Numeric)]
