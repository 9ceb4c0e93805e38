"""Codec ``flat-json``: one JSON object a message, key to number: ``{"device": "m1", "ts": 1.5, "hr": 72}``.

Keys the map does not name are ignored, as unknown fields are everywhere; ``null`` says "cannot be measured now".
"""

import math
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Literal

import msgspec

from gateway.bridge.codec import UNNUMBERED, CodecError, Origin
from gateway.contract.envelope import RESERVED_DEVICE, Instant
from gateway.contract.observation import Observation
from gateway.contract.refusal import RefusalReason
from gateway.contract.topic import is_id
from gateway.contract.wire import Numbered

_PER_SECOND: Final = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FURTHEST: Final = 2**61  # us either way, as the contract's Instant
Key = Annotated[str, msgspec.Meta(min_length=1)]


class Timestamp(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which key holds the time of measurement, and how it is written."""

    key: Key
    unit: Literal["s", "ms", "us", "ns", "iso8601"]


class Scaled(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A quantity sent in another unit: ours = theirs x scale + offset."""

    quantity: str
    scale: float = 1.0
    offset: float = 0.0


class FlatJson(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="name", tag="flat-json"
):
    """The codec, and how it is written in the map.

    The time of measurement is not optional: with it a message is recognisable when a broker delivers it again.
    """

    timestamp: Timestamp
    quantities: dict[str, str | Scaled]
    device_key: str = ""  # key that names the device when the topic does not

    def decode(self, origin: Origin, payload: bytes) -> list[Numbered]:
        """See gateway.bridge.codec.Codec."""
        body = _parse(payload)
        observed_at = _time(body, self.timestamp)
        values = {
            name: value
            for key, target in self.quantities.items()
            if key in body
            for name, value in [_value(key, body[key], target)]
        }
        if not values:
            raise CodecError(RefusalReason.NOTHING, f"none of the keys {', '.join(sorted(self.quantities))}")
        device = self._device(origin, body)
        return [Observation(epoch=UNNUMBERED, seq=0, device=device, observed_at=observed_at, values=values)]

    @property
    def targets(self) -> list[str]:
        """Every quantity the map names."""
        return [target.quantity if isinstance(target, Scaled) else target for target in self.quantities.values()]

    def _device(self, origin: Origin, body: dict[str, Any]) -> str:
        name = body.get(self.device_key) if self.device_key else origin.device
        if not isinstance(name, str) or not is_id(name) or name == RESERVED_DEVICE:
            raise CodecError(RefusalReason.ID, f"device {str(name)[:100]!r}")
        return name


def _parse(payload: bytes) -> dict[str, Any]:
    try:
        body = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CodecError(RefusalReason.SYNTAX, str(error)) from error
    if not isinstance(body, dict):
        raise CodecError(RefusalReason.SCHEMA, f"expected an object, got {type(body).__name__}")
    return body


def _time(body: dict[str, Any], said: Timestamp) -> Instant:
    raw = body.get(said.key)
    try:
        at = _instant(raw, said.unit)
    except (ValueError, TypeError, OverflowError) as error:
        why = f"{said.key}: expected {said.unit}, got {str(raw)[:100]!r}"
        raise CodecError(RefusalReason.TIMESTAMP, why) from error
    if abs(at) > _FURTHEST:
        raise CodecError(RefusalReason.TIMESTAMP, f"{said.key}: {at} us is out of range")
    return at


def _instant(raw: object, unit: str) -> Instant:
    if unit == "iso8601":
        moment = datetime.fromisoformat(raw)  # type: ignore[arg-type]  # another type is a TypeError, as is no zone
        return (moment - _EPOCH) // timedelta(microseconds=1)
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        raise TypeError(f"a number of {unit}")
    per_second = _PER_SECOND[unit]
    if isinstance(raw, int):
        return raw * 1_000_000 // per_second
    return round(raw * (1_000_000 / per_second))


def _value(key: str, raw: object, target: str | Scaled) -> tuple[str, float | None]:
    quantity, scale, offset = (
        (target.quantity, target.scale, target.offset) if isinstance(target, Scaled) else (target, 1.0, 0.0)
    )
    if raw is None:
        return quantity, None
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        raise CodecError(RefusalReason.SCHEMA, f"{key}: expected a number, got {type(raw).__name__}")
    try:
        value = raw * scale + offset
    except OverflowError:  # an integer no float can hold
        value = math.inf
    if not math.isfinite(value):
        raise CodecError(RefusalReason.SCHEMA, f"{key}: {str(raw)[:100]} is beyond any measurement")
    return quantity, value
