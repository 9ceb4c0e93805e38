"""What a bridge could not translate: refused before it was a record, handed on so that it ends where all rejects do.

Of a unit the bridge knows: in the place of a record, on the unit's channel, numbered like one, so that the gateway
accounts for its number. Of none: without a number, on the subject for what the broker refused.
"""

from enum import StrEnum
from typing import Annotated, Final

import msgspec

from gateway.contract.envelope import Record
from gateway.contract.topic import Channel

MAX_KEPT_BYTES: Final = 128 * 1024  # of the foreign payload; base64 and envelope stay below wire.MAX_MESSAGE_BYTES
MAX_TOPIC: Final = 1024  # characters of the foreign topic
MAX_DETAIL: Final = 1024


class RefusalReason(StrEnum):
    """Why a foreign message became no record."""

    TOPIC = "unmapped-topic"  # no pattern of the bridge's map fits
    ID = "bad-id"  # topic or payload names a unit, site or device that cannot be one
    SYNTAX = "bad-syntax"
    SCHEMA = "bad-schema"
    TIMESTAMP = "bad-timestamp"  # missing, or not a time
    NOTHING = "no-quantity"  # nothing in it that the map knows
    CARRIED = "carried-already"  # another bridge has put the same message into the log
    CODEC = "codec-failed"  # our fault: the codec raised something else


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """A foreign message as it came, and why it went no further."""

    reason: RefusalReason
    detail: Annotated[str, msgspec.Meta(max_length=MAX_DETAIL)]
    topic: Annotated[str, msgspec.Meta(max_length=MAX_TOPIC)]
    payload: bytes  # base64 in JSON


class RefusedRecord(Record, frozen=True, kw_only=True, omit_defaults=True):
    """A refusal in the place of a record."""

    refused: Refusal


_json: Final = msgspec.json.Decoder(RefusedRecord)
_msgpack: Final = msgspec.msgpack.Decoder(RefusedRecord)
_refusal: Final = msgspec.json.Decoder(Refusal)


def encode_refused_record(channel: Channel, record: RefusedRecord) -> bytes:
    """As records of the channel travel."""
    return msgspec.msgpack.encode(record) if channel is Channel.WAVE else msgspec.json.encode(record)


def decode_refused_record(channel: Channel, payload: bytes) -> Refusal | None:
    """The refusal a numbered message holds; None when it is none."""
    try:
        return (_msgpack if channel is Channel.WAVE else _json).decode(payload).refused
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def decode_refusal(payload: bytes) -> Refusal | None:
    """The refusal an unnumbered message holds; None when it is none."""
    try:
        return _refusal.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
