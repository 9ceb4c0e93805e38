"""Runs every derivation over the records of a batch; what comes out are observations like any other."""

from zlib import crc32

from gateway.admit import ECG_VALIDITY, Admitted
from gateway.contract.envelope import RESERVED_EPOCH, Lane
from gateway.contract.observation import Observation
from gateway.contract.quantity import SECOND
from gateway.contract.topic import Channel
from gateway.contract.waveform import WaveFrame
from gateway.contract.wire import encode
from gateway.derive.heart_rate import HeartRate
from gateway.fleet import GATEWAY_DEVICE
from gateway.ledger import Ledger
from gateway.ports import RecordFlag
from gateway.unpack import Route

DERIVED_EPOCH = RESERVED_EPOCH
_SKIP = RecordFlag.HISTORICAL | RecordFlag.SERVICE


class Derivation:
    """One heart-rate estimator for each device that sends an ECG."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._rates: dict[tuple[str, str], HeartRate] = {}
        self.ready = True  # False while the detector is being loaded: frames are kept, nothing is derived

    def fill(self, unit: str, frame: WaveFrame) -> None:
        """Takes in a frame already evaluated before a restart."""
        self._rate(unit, frame.device).fill(frame)

    def derive(self, record: Admitted) -> Admitted | None:
        """The observation one record gives rise to, numbered and ready to be stored."""
        frame = record.body
        if not isinstance(frame, WaveFrame) or frame.test or record.flags & _SKIP:
            return None
        if record.received_at - record.event_at > ECG_VALIDITY:
            return None
        if not self.ready:
            self.fill(record.route.address.unit, frame)
            return None
        rate = self._rate(record.route.address.unit, frame.device).feed(frame, record.event_at)
        return None if rate is None else self._number(record, {"heart-rate": rate}, frame.end_at - frame.observed_at)

    def _rate(self, unit: str, device: str) -> HeartRate:
        key = (unit, device)
        found = self._rates.get(key)
        if found is None:
            found = self._rates[key] = HeartRate(crc32(f"{unit}/{device}".encode()) % SECOND)
        return found

    def _number(self, source: Admitted, values: dict[str, float | None], delay: int) -> Admitted:
        address = source.route.address
        lane = self._ledger.lane(address.unit, DERIVED_EPOCH, Lane.OBS)
        event_at = source.event_at + delay
        body = Observation(
            epoch=DERIVED_EPOCH, seq=lane.next, device=GATEWAY_DEVICE, observed_at=event_at, values=values
        )
        self._ledger.receive(lane, body.seq, source.received_at)
        route = Route(address, Channel.OBS, Lane.OBS)
        flags = source.flags & RecordFlag.TEST  # what is derived from practice is practice
        return Admitted(route, lane, body, event_at, source.received_at, flags, encode(body), source.simulated)
