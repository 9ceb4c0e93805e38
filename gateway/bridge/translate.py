"""A foreign message to what goes into the log: records, or a refusal that ends among the gateway's rejects."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

import msgspec

from gateway.adapters.broker import DENIED_PREFIX
from gateway.bridge.codec import Codec, CodecError, Origin
from gateway.bridge.config import Translation
from gateway.bridge.drain import Drain
from gateway.bridge.store import Draft, Notice, Waiting
from gateway.contract import wire
from gateway.contract.envelope import Epoch, Instant, Record, Seq
from gateway.contract.observation import Event
from gateway.contract.refusal import (
    MAX_DETAIL,
    MAX_KEPT_BYTES,
    MAX_TOPIC,
    Refusal,
    RefusalReason,
    RefusedRecord,
    encode_refused_record,
)
from gateway.contract.topic import Channel, is_id
from gateway.contract.waveform import WaveFrame

FOREIGN_DEVICE: Final = "foreign"  # of a refused message that names no device

_json: Final = msgspec.json.Encoder()


class Translator:
    """The map at work. ``drain``: whether what comes may have waited at the foreign broker while we were away."""

    def __init__(self, translations: Sequence[Translation], name: str) -> None:
        self._translations = translations
        self._name = name
        self.drain = Drain()
        self.refused: Counter[str] = Counter()

    def open(self, topic: str, payload: bytes, now: Instant) -> list[Draft | Notice]:
        """What is to be published for one message; never empty, never raises."""
        origin: Origin | None = None
        try:
            origin, codec = self._find(topic)
            records = codec.decode(origin, payload)
        except CodecError as error:
            return [self._refuse(origin, topic, payload, now, error)]
        except Exception as error:  # noqa: BLE001 - one message must not stop the others; it is kept with its reason
            return [self._refuse(origin, topic, payload, now, CodecError(RefusalReason.CODEC, repr(error)))]
        return [self._draft(origin, record, now) for record in records]

    def _find(self, topic: str) -> tuple[Origin, Codec]:
        for row in self._translations:
            if (origin := row.route.origin(topic)) is not None:
                return origin, row.codec
        raise CodecError(RefusalReason.TOPIC, "no pattern of the map fits")

    def _draft(self, origin: Origin, record: wire.Numbered, now: Instant) -> Draft:
        if self.drain.waited((origin.address, record.device), now - record.observed_at, now):
            record = msgspec.structs.replace(record, backfill=True)  # else its clock is wrong: admission judges that
        return Draft(origin.address, _channel(record), lambda epoch, seq: _numbered(record, epoch, seq))

    def _refuse(
        self, origin: Origin | None, topic: str, payload: bytes, now: Instant, error: CodecError
    ) -> Draft | Notice:
        self.refused[f"refused_{error.reason}"] += 1
        kept, detail = payload[:MAX_KEPT_BYTES], f"{topic[:200]}: {error.detail}"
        if len(kept) < len(payload):
            detail = f"first {len(kept)} of {len(payload)} bytes; {detail}"
        refusal = Refusal(reason=error.reason, detail=detail[:MAX_DETAIL], topic=topic[:MAX_TOPIC], payload=kept)
        if origin is None:
            return Notice(f"{DENIED_PREFIX}.{self._name}", _json.encode(refusal))
        device = origin.device if is_id(origin.device) else FOREIGN_DEVICE

        def build(epoch: Epoch, seq: Seq) -> bytes:
            record = RefusedRecord(epoch=epoch, seq=seq, device=device, observed_at=now, refused=refusal)
            return encode_refused_record(Channel.OBS, record)

        return Draft(origin.address, Channel.OBS, build)


def sent_again(row: Waiting) -> Waiting:
    """The row marked as backfill, as agents mark what they send a second time; a refusal stays as it is."""
    if row.epoch is None:
        return row
    try:
        message = wire.decode(_channel_of(row), row.payload)
    except wire.WireError:
        return row
    assert isinstance(message, Record), "our own record"
    return row._replace(payload=wire.encode(msgspec.structs.replace(message, backfill=True)))


def carried_already(row: Waiting) -> Waiting:
    """What takes the row's number when another bridge has carried its message: a refusal, so that no number is missing.

    A row without a number needs no such thing.
    """
    channel = _channel_of(row)
    record = wire.decode_envelope(channel, row.payload)
    assert record is not None, "our own record"
    refusal = Refusal(
        reason=RefusalReason.CARRIED, detail="another bridge has carried this message", topic="", payload=row.payload
    )
    instead = RefusedRecord(
        epoch=record.epoch, seq=record.seq, device=record.device, observed_at=record.observed_at, refused=refusal
    )
    return row._replace(payload=encode_refused_record(channel, instead), once="")


def same_record(row: Waiting, payload: bytes) -> bool:
    """Whether bytes from the log are this row's, under this row's number (a row without one: they are)."""
    if row.epoch is None:
        return True
    ours, theirs = (wire.decode_envelope(_channel_of(row), each) for each in (row.payload, payload))
    return ours is not None and theirs is not None and (ours.epoch, ours.seq) == (theirs.epoch, theirs.seq)


def _channel_of(row: Waiting) -> Channel:
    return Channel(row.subject.rpartition(".")[2])


def _channel(record: wire.Numbered) -> Channel:
    if isinstance(record, WaveFrame):
        return Channel.WAVE
    return Channel.EVENT if isinstance(record, Event) else Channel.OBS


def _numbered(record: wire.Numbered, epoch: Epoch, seq: Seq) -> bytes:
    return wire.encode(msgspec.structs.replace(record, epoch=epoch, seq=seq))
