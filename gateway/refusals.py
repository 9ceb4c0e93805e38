"""What becomes of a record, or a part of one, that could not be used: kept with its reason, accounted for."""

from typing import Final

import msgspec

from gateway.admit import Admitted
from gateway.changes import Rejection
from gateway.contract.envelope import Instant
from gateway.contract.observation import Event, Observation
from gateway.contract.waveform import WaveFrame
from gateway.ports import LogMessage, RecordFlag
from gateway.unpack import Refused, Unpacked

INTERNAL_ERROR: Final = "internal-error"  # our fault, not the sender's


def number_of(message: Unpacked | Refused) -> tuple[str | None, int | None]:
    """Epoch and number of a message that has them."""
    if isinstance(message, Refused):
        return message.epoch, message.seq
    body = message.body
    return (body.epoch, body.seq) if isinstance(body, Observation | Event | WaveFrame) else (None, None)


def in_part(record: Admitted, reason: str, detail: str) -> Rejection:
    """A stored record of which something was not used."""
    subject = record.route.address.subject(record.route.channel)
    log = LogMessage(0, record.received_at, subject, record.payload)
    body = record.body
    return Rejection(Refused(log, reason, detail, record.route, body.epoch, body.seq, whole=False), record.lane)


def of_time(part: str, error: Exception, now: Instant) -> Rejection:
    """A part that failed at what the time of day brings: no record is to blame."""
    log = LogMessage(0, now, "gateway", b"")
    return Rejection(Refused(log, INTERNAL_ERROR, f"{part}: {error!r}", whole=False))


def without(record: Admitted, bad: dict[str, float]) -> Admitted:
    """The record with the implausible values left out of what rules and screens see; the payload stays as it came."""
    assert isinstance(record.body, Observation)
    values = {name: value for name, value in record.body.values.items() if name not in bad}
    invalid = record.body.invalid | dict.fromkeys(bad, "out-of-range")
    body = msgspec.structs.replace(record.body, values=values, invalid=invalid)
    return msgspec.structs.replace(record, body=body, flags=record.flags | RecordFlag.VALUE_REFUSED)
