"""Bytes to typed messages and back. Every failure is a reason.

JSON for observations, events and control; MessagePack for waveform frames. Unknown fields are ignored, missing
ones are refused. Released versions are decoded for ever: tests/golden/wire pins them.
"""

from enum import StrEnum
from typing import Final

import msgspec

from gateway.contract.envelope import Ack, Hello, Record, bad_id
from gateway.contract.observation import Command, Event, Observation, Reply
from gateway.contract.quantity import LEADS, QUANTITIES
from gateway.contract.topic import Channel
from gateway.contract.waveform import MAX_SAMPLES, WaveFrame

MAX_MESSAGE_BYTES: Final = 256 * 1024

Uplink = Observation | Event | WaveFrame | Hello | Reply
Numbered = Observation | Event | WaveFrame
Message = Uplink | Ack | Command


class WireReason(StrEnum):
    """Why bytes from the wire could not become a message."""

    TOPIC = "bad-topic"  # not lm/v1/site/kind/unit/channel
    TOO_LARGE = "too-large"
    SYNTAX = "bad-syntax"  # not JSON / MessagePack
    SCHEMA = "bad-schema"  # parses, but a field is missing or has the wrong type or form
    UNKNOWN_QUANTITY = "unknown-quantity"
    UNKNOWN_LEAD = "unknown-lead"
    SAMPLE_COUNT = "bad-sample-count"  # samples do not divide into the leads
    CHANNEL = "wrong-channel"  # a channel that only the gateway may publish


class WireError(ValueError):
    """Bytes that are not a valid message; ``reason`` is counted and shown."""

    def __init__(self, reason: WireReason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


_DECODERS: Final[dict[Channel, msgspec.json.Decoder[Message] | msgspec.msgpack.Decoder[WaveFrame]]] = {
    Channel.OBS: msgspec.json.Decoder(Observation),
    Channel.EVENT: msgspec.json.Decoder(Event),
    Channel.WAVE: msgspec.msgpack.Decoder(WaveFrame),
    Channel.HELLO: msgspec.json.Decoder(Hello),
    Channel.REPLY: msgspec.json.Decoder(Reply),
    Channel.ACK: msgspec.json.Decoder(Ack),
    Channel.CMD: msgspec.json.Decoder(Command),
}
_ENVELOPE_DECODERS: Final[dict[Channel, msgspec.json.Decoder[Record] | msgspec.msgpack.Decoder[Record]]] = {
    Channel.OBS: msgspec.json.Decoder(Record),
    Channel.EVENT: msgspec.json.Decoder(Record),
    Channel.WAVE: msgspec.msgpack.Decoder(Record),
}
_json = msgspec.json.Encoder()
_msgpack = msgspec.msgpack.Encoder()


def encode(message: Message) -> bytes:
    """The message as it travels: MessagePack for waveform frames, JSON for all else."""
    return _msgpack.encode(message) if isinstance(message, WaveFrame) else _json.encode(message)


def decode(channel: Channel, payload: bytes) -> Message:
    """The message the bytes hold.

    Raises:
        WireError: with the reason; nothing else is raised for any input.
    """
    if len(payload) > MAX_MESSAGE_BYTES:
        raise WireError(WireReason.TOO_LARGE, f"{len(payload)} bytes, at most {MAX_MESSAGE_BYTES}")
    try:
        message = _DECODERS[channel].decode(payload)
    except msgspec.ValidationError as error:
        raise WireError(WireReason.SCHEMA, str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise WireError(WireReason.SYNTAX, str(error)) from error
    if isinstance(message, Record):
        _check_record(message)
    return message


def decode_envelope(channel: Channel, payload: bytes) -> Record | None:
    """The envelope of a numbered record whose body was refused, or None when not even that can be read.

    A refused record is accounted for by its number, so that its agent does not send it for ever.
    """
    decoder = _ENVELOPE_DECODERS.get(channel)
    if decoder is None or len(payload) > MAX_MESSAGE_BYTES:
        return None
    try:
        envelope = decoder.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return envelope if bad_id(envelope.epoch, envelope.device) is None else None


def _check_record(message: Record) -> None:
    """What the decoder leaves to us: the two ids, and words of the vocabulary."""
    if (why := bad_id(message.epoch, message.device)) is not None:
        raise WireError(WireReason.SCHEMA, why)
    if isinstance(message, Observation):
        if not message.values.keys() <= QUANTITIES.keys():
            raise WireError(WireReason.UNKNOWN_QUANTITY, min(message.values.keys() - QUANTITIES.keys()))
    elif isinstance(message, WaveFrame):
        _check_samples(message)


def _check_samples(frame: WaveFrame) -> None:
    for name in frame.leads:
        if name not in LEADS:
            raise WireError(WireReason.UNKNOWN_LEAD, name)
    row = 2 * len(frame.leads)
    count, rest = divmod(len(frame.samples), row)
    if rest or not 0 < count <= MAX_SAMPLES:
        raise WireError(WireReason.SAMPLE_COUNT, f"{len(frame.samples)} bytes for {len(frame.leads)} leads")
