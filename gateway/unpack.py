"""Log messages to typed ones: which unit and channel, and what the bytes say. A refusal carries reason and bytes."""

from typing import Final

import msgspec

from gateway.contract.envelope import Lane
from gateway.contract.refusal import Refusal, decode_refusal, decode_refused_record
from gateway.contract.topic import UPLINK, Channel, TopicError, UnitAddress, parse_topic
from gateway.contract.wire import Uplink, WireError, WireReason, decode, decode_envelope
from gateway.ports import LogMessage

DENIED: Final = "lm.denied."  # where the broker's supervisor reports publishes the broker refused
_MAX_ROUTES: Final = 100_000
_LANES: Final = {Channel.EVENT: Lane.EVENT, Channel.OBS: Lane.OBS, Channel.WAVE: Lane.WAVE}


class Route(msgspec.Struct, frozen=True):
    """What a subject means, worked out once."""

    address: UnitAddress
    channel: Channel
    lane: Lane | None


class Unpacked(msgspec.Struct, frozen=True, gc=False):
    """A message with its route and body."""

    log: LogMessage
    route: Route
    body: Uplink


class Refused(msgspec.Struct, frozen=True, gc=False):
    """Input that goes no further; kept with its payload. With ``epoch`` and ``seq`` when it was numbered."""

    log: LogMessage
    reason: str
    detail: str
    route: Route | None = None
    epoch: str | None = None
    seq: int | None = None
    whole: bool = True  # False: one value of a record was refused, the record itself goes on

    @property
    def unit(self) -> str | None:
        """The unit that sent it, or tried to, when the subject names one."""
        if self.route is not None:
            return self.route.address.unit
        return self.log.subject.removeprefix(DENIED) if self.log.subject.startswith(DENIED) else None


class Unpacker:
    """Remembers the routes of the subjects it has seen (bounded)."""

    def __init__(self) -> None:
        self._routes: dict[str, Route] = {}

    def unpack(self, log: LogMessage) -> Unpacked | Refused:
        """One message opened; never raises for bad input."""
        route = self._routes.get(log.subject)
        if route is None:
            if log.subject.startswith(DENIED):
                if (refusal := decode_refusal(log.payload)) is not None:
                    return Refused(_as_it_came(log, refusal), refusal.reason, refusal.detail)
                return Refused(log, "denied-by-broker", log.payload.decode(errors="replace"))
            try:
                route = self._learn(log.subject)
            except TopicError as error:
                return Refused(log, WireReason.TOPIC, str(error))
        try:
            return Unpacked(log, route, decode(route.channel, log.payload))  # type: ignore[arg-type]
        except WireError as error:
            return self._refuse(log, route, error)

    def _learn(self, subject: str) -> Route:
        address, channel = parse_topic(subject, ".")
        if channel not in UPLINK:
            raise TopicError(f"{channel} is the gateway's to publish")
        if len(self._routes) >= _MAX_ROUTES:
            self._routes.clear()
        route = self._routes[subject] = Route(address, channel, _LANES.get(channel))
        return route

    def _refuse(self, log: LogMessage, route: Route, error: WireError) -> Refused:
        envelope = decode_envelope(route.channel, log.payload)
        if envelope is None:
            return Refused(log, error.reason, error.detail, route)
        if (refusal := decode_refused_record(route.channel, log.payload)) is not None:
            kept = _as_it_came(log, refusal)
            return Refused(kept, refusal.reason, refusal.detail, route, envelope.epoch, envelope.seq)
        return Refused(log, error.reason, error.detail, route, envelope.epoch, envelope.seq)


def _as_it_came(log: LogMessage, refusal: Refusal) -> LogMessage:
    """What a bridge refused, with the bytes its foreign broker delivered."""
    return msgspec.structs.replace(log, payload=refusal.payload)
