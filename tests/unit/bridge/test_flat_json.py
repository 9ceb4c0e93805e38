"""Codec flat-json: what it makes of good, odd and malformed payloads."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.bridge.codec import UNNUMBERED, CodecError, Origin
from gateway.bridge.flat_json import FlatJson, Scaled, Timestamp
from gateway.contract import wire
from gateway.contract.observation import Observation
from gateway.contract.refusal import RefusalReason
from gateway.contract.topic import Channel, UnitAddress, UnitKind

ORIGIN = Origin(UnitAddress("site-a", UnitKind.HOMECARE_BED, "bed-1"), "monitor")
CODEC = FlatJson(
    timestamp=Timestamp("ts", "ms"),
    quantities={"hr": "heart-rate", "spo2": "spo2", "f": Scaled("temperature", 5 / 9, -160 / 9)},
)


def decode(payload: bytes, codec: FlatJson = CODEC, origin: Origin = ORIGIN) -> Observation:
    [record] = codec.decode(origin, payload)
    assert isinstance(record, Observation)
    return record


def body(**fields: Any) -> bytes:
    return json.dumps({"ts": 1_700_000_000_123, "hr": 72} | fields).encode()


def test_keys_become_quantities() -> None:
    record = decode(body(spo2=None, f=98.6, firmware="9.1", nested={"a": 1}))
    assert record.values == {"heart-rate": 72.0, "spo2": None, "temperature": pytest.approx(37.0)}
    assert (record.device, record.observed_at, record.epoch) == ("monitor", 1_700_000_000_123_000, UNNUMBERED)


def test_device_may_stand_in_the_payload() -> None:
    codec = FlatJson(timestamp=CODEC.timestamp, quantities=CODEC.quantities, device_key="id")
    assert decode(body(id="pump-7"), codec).device == "pump-7"
    for bad in ("Pump 7", 7, None, "", "gateway"):
        with pytest.raises(CodecError) as caught:
            decode(body(id=bad), codec)
        assert caught.value.reason is RefusalReason.ID


@pytest.mark.parametrize(
    ("unit", "raw", "at"),
    [
        ("s", 1_700_000_000, 1_700_000_000_000_000),
        ("s", 1_700_000_000.123456, 1_700_000_000_123_456),
        ("ms", 1_700_000_000_123, 1_700_000_000_123_000),
        ("ms", -1, -1_000),
        ("us", 1_700_000_000_123_456, 1_700_000_000_123_456),
        ("ns", 1_700_000_000_123_456_789, 1_700_000_000_123_456),
        ("iso8601", "2023-11-14T22:13:20.123456Z", 1_700_000_000_123_456),
        ("iso8601", "2023-11-15T06:13:20+08:00", 1_700_000_000_000_000),
    ],
)
def test_times_are_read_to_the_microsecond(unit: Any, raw: object, at: int) -> None:
    codec = FlatJson(timestamp=Timestamp("ts", unit), quantities=CODEC.quantities)
    assert decode(body(ts=raw), codec).observed_at == at


@pytest.mark.parametrize("raw", [None, "1700000000123", True, [], 1e300, 2**70, "2023-11-14T22:13:20"])
@pytest.mark.parametrize("unit", ["ms", "iso8601"])  # an iso8601 time without a zone is none
def test_what_is_no_time_is_refused(unit: Any, raw: object) -> None:
    codec = FlatJson(timestamp=Timestamp("ts", unit), quantities=CODEC.quantities)
    with pytest.raises(CodecError) as caught:
        decode(body(ts=raw), codec)
    assert caught.value.reason is RefusalReason.TIMESTAMP


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", RefusalReason.SYNTAX),
        (b"\xff\xfe", RefusalReason.SYNTAX),
        (b"[" * 100_000, RefusalReason.SYNTAX),
        (b'{"ts": 1, "hr": NaN}', RefusalReason.SYNTAX),
        (b"null", RefusalReason.SCHEMA),
        (body(hr=True), RefusalReason.SCHEMA),
        (body(hr="72"), RefusalReason.SCHEMA),
        (body(hr=10**400), RefusalReason.SCHEMA),
        (body(f=1e308, hr=10**308), None),
        (b'{"ts": 1, "hrr": 72}', RefusalReason.NOTHING),
    ],
)
def test_malformed_payloads_have_their_reason(payload: bytes, reason: RefusalReason | None) -> None:
    if reason is None:
        assert all(math.isfinite(value or 0) for value in decode(payload).values.values())
        return
    with pytest.raises(CodecError) as caught:
        decode(payload)
    assert caught.value.reason is reason


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["ts", "hr", "spo2", "f", "x"]), inner),
    max_leaves=12,
)


@given(st.binary() | _json.map(lambda value: json.dumps(value).encode()), st.sampled_from(["s", "ms", "ns", "iso8601"]))
def test_any_bytes_are_a_record_of_the_contract_or_refused(payload: bytes, unit: Any) -> None:
    codec = FlatJson(timestamp=Timestamp("ts", unit), quantities=CODEC.quantities)
    try:
        record = decode(payload, codec)
    except CodecError:
        return
    assert wire.decode(Channel.OBS, wire.encode(record)) == record
