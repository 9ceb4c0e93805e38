"""decode() of anything: a message, or a WireError with a reason; nothing else, for any bytes on any channel."""

from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.contract.digest import digest
from gateway.contract.envelope import Ack, Hello
from gateway.contract.observation import Command, Event, Observation, Reply
from gateway.contract.topic import Channel
from gateway.contract.waveform import WaveFrame
from gateway.contract.wire import MAX_MESSAGE_BYTES, Message, WireError, WireReason, decode, encode
from tests.unit.contract.strategies import events, frames, messages, observations

CHANNEL_OF: dict[type[Message], Channel] = {
    Observation: Channel.OBS,
    Event: Channel.EVENT,
    WaveFrame: Channel.WAVE,
    Hello: Channel.HELLO,
    Reply: Channel.REPLY,
    Ack: Channel.ACK,
    Command: Channel.CMD,
}
INT64 = 2**63

OBSERVATION: dict[str, Any] = {
    "epoch": "0123456789abcdef", "seq": 7, "device": "monitor", "observed_at": 1_700_000_000_000_000,
    "values": {"heart-rate": 71.0},
}  # fmt: skip
FRAME: dict[str, Any] = {
    "epoch": "0123456789abcdef", "seq": 7, "device": "monitor", "observed_at": 1_700_000_000_000_000,
    "n0": 0, "fs": 500.0, "leads": ["II"], "scale": 0.005, "samples": b"\x01\x00",
}  # fmt: skip
HELLO: dict[str, Any] = {"presence": "online", "epoch": "0123456789abcdef", "sent_at": 1_700_000_000_000_000}
LANE: dict[str, Any] = {"epoch": "0123456789abcdef", "lane": "obs", "first": 0, "next": 9}


def reason(channel: Channel, payload: bytes) -> WireReason | None:
    try:
        decode(channel, payload)
    except WireError as error:
        return error.reason
    return None


@given(messages)
def test_what_is_encoded_is_decoded(message: Message) -> None:
    assert decode(CHANNEL_OF[type(message)], encode(message)) == message


@given(st.sampled_from(Channel), st.binary(max_size=400))
@example(Channel.EVENT, b"[" * 200_000)
@example(Channel.EVENT, b'{"a":' * 40_000)
@example(Channel.WAVE, b"\x91" * 200_000)
@example(Channel.WAVE, b"\x81\xa1a" * 60_000)
@example(Channel.OBS, b"\xff\xfe{}")
@example(Channel.OBS, b'{"epoch":"\\ud800"}')
def test_any_bytes_are_a_message_or_a_wire_error(channel: Channel, payload: bytes) -> None:
    assert reason(channel, payload) in {*WireReason, None}


@given(st.data(), messages)
def test_damaged_messages_are_a_message_or_a_wire_error(data: st.DataObject, message: Message) -> None:
    """Cut, flip and insert in the bytes of a good message: closer to real damage than random bytes."""
    payload = bytearray(encode(message))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(payload)))
        payload[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    for channel in Channel:
        reason(channel, bytes(payload))


def changed(message: dict[str, Any], **fields: Any) -> bytes:
    encoder = msgspec.msgpack.encode if "samples" in message else msgspec.json.encode
    return encoder({**message, **fields})


@pytest.mark.parametrize("field", list(OBSERVATION))
def test_a_missing_field_is_a_schema_error(field: str) -> None:
    body = {name: value for name, value in OBSERVATION.items() if name != field}
    assert reason(Channel.OBS, msgspec.json.encode(body)) is WireReason.SCHEMA


def test_an_unknown_field_is_ignored() -> None:
    assert reason(Channel.OBS, changed(OBSERVATION, colour="blue")) is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("epoch", "0123456789ABCDEF"),
        ("epoch", "0123456789abcde"),
        ("epoch", "0123456789abcdef\n"),
        ("seq", -1),
        ("seq", 2**48),
        ("seq", 1.0),
        ("seq", "1"),
        ("seq", True),
        ("device", ""),
        ("device", "Monitor"),
        ("device", "monitor\n"),
        ("device", "a" * 49),
        ("observed_at", 2**63),
        ("observed_at", "2026-01-01"),
        ("values", {"heart-rate": "71"}),
        ("values", ["heart-rate"]),
        ("values", {"x" * 65: 1}),
        ("backfill", 1),
    ],
)
def test_a_wrong_envelope_is_a_schema_error(field: str, value: object) -> None:
    assert reason(Channel.OBS, changed(OBSERVATION, **{field: value})) is WireReason.SCHEMA


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("fs", 0.0, WireReason.SCHEMA),
        ("fs", float("nan"), WireReason.SCHEMA),
        ("fs", float("inf"), WireReason.SCHEMA),
        ("fs", 1e-300, WireReason.SCHEMA),  # would put the frame's end beyond every integer column
        ("scale", 0.0, WireReason.SCHEMA),
        ("scale", float("nan"), WireReason.SCHEMA),
        ("scale", float("inf"), WireReason.SCHEMA),
        ("n0", -1, WireReason.SCHEMA),
        ("leads", [], WireReason.SCHEMA),
        ("leads", ["II"] * 33, WireReason.SCHEMA),
        ("leads", ["XYZ"], WireReason.UNKNOWN_LEAD),
        ("samples", b"", WireReason.SAMPLE_COUNT),
        ("samples", b"\x01", WireReason.SAMPLE_COUNT),
        ("samples", "text", WireReason.SCHEMA),
    ],
)
def test_a_wrong_frame(field: str, value: object, expected: WireReason) -> None:
    assert reason(Channel.WAVE, changed(FRAME, **{field: value})) is expected


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("outbox_records", -1),
        ("outbox_bytes", -1),
        ("outbox_bytes", 2**64),
        ("clock_offset", 2**64),
        ("clock_error", -1),
        ("lanes", [{**LANE, "first": 10}]),  # oldest number beyond the next one
        ("lanes", [{**LANE, "shed": [[5, 2]]}]),  # backwards
        ("lanes", [{**LANE, "gone": [[5, 2]]}]),
        ("lanes", [{**LANE, "shed": [[5]]}]),
        ("lanes", [{**LANE, "lane": "hello"}]),
    ],
)
def test_a_wrong_hello_is_a_schema_error(field: str, value: object) -> None:
    assert reason(Channel.HELLO, changed(HELLO, **{field: value})) is WireReason.SCHEMA


def test_an_unknown_quantity_is_named() -> None:
    with pytest.raises(WireError, match="karma") as caught:
        decode(Channel.OBS, changed(OBSERVATION, values={"karma": 1}))
    assert caught.value.reason is WireReason.UNKNOWN_QUANTITY


@pytest.mark.parametrize("literal", [b"NaN", b"Infinity", b"1e999", b"-1e999"])
def test_no_number_that_is_none(literal: bytes) -> None:
    payload = msgspec.json.encode(OBSERVATION).replace(b"71.0", literal)
    assert reason(Channel.OBS, payload) in {WireReason.SYNTAX, WireReason.SCHEMA}


def test_the_size_limit_is_exact() -> None:
    largest = msgspec.json.encode(OBSERVATION).ljust(MAX_MESSAGE_BYTES)
    assert reason(Channel.OBS, largest) is None
    assert reason(Channel.OBS, largest + b" ") is WireReason.TOO_LARGE


@given(observations | events | frames())
def test_every_time_of_a_record_fits_an_integer_column(message: Observation | Event | WaveFrame) -> None:
    assert abs(message.observed_at) < INT64
    if isinstance(message, WaveFrame):
        assert abs(message.end_at) < INT64


# ---- digest ----------------------------------------------------------------------------------------------------------
@given(observations | events | frames(), st.integers(0, 2**40), st.booleans())
def test_the_digest_says_nothing_about_the_number(
    message: Observation | Event | WaveFrame, seq: int, backfill: bool
) -> None:
    again = msgspec.structs.replace(message, epoch="f" * 16, seq=seq, backfill=backfill)
    assert digest(again) == digest(message)


@given(observations | events | frames())
def test_the_digest_survives_the_wire(message: Observation | Event | WaveFrame) -> None:
    decoded = decode(CHANNEL_OF[type(message)], encode(message))
    assert isinstance(decoded, Observation | Event | WaveFrame)
    assert digest(decoded) == digest(message)


def test_the_digest_is_pinned() -> None:
    """Stored beside records and in ledgers: it may never change."""
    observation = msgspec.convert(OBSERVATION, Observation)
    frame = msgspec.convert(FRAME, WaveFrame)
    event = Event(epoch="0" * 16, seq=0, device="crew", observed_at=5, name="boarded", details={"b": 1, "a": 2})
    assert (digest(observation), digest(frame), digest(event)) == (1550877998, 2110813114, 3900543088)


def test_the_digest_sees_every_part_of_the_content() -> None:
    observation = msgspec.convert(OBSERVATION, Observation)
    changes: list[dict[str, Any]] = [
        {"device": "gnss"},
        {"observed_at": 0},
        {"values": {"heart-rate": 72.0}},
        {"values": {}},
    ]
    assert (
        len({digest(observation), *(digest(msgspec.structs.replace(observation, **change)) for change in changes)}) == 5
    )
