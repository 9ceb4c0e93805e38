"""A foreign message on its way into the log, and a refusal on its way to the gateway's rejects."""

import base64
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.bridge.codec import Codec, Origin
from gateway.bridge.config import Translation
from gateway.bridge.flat_json import FlatJson, Timestamp
from gateway.bridge.store import Draft, Notice, Waiting
from gateway.bridge.topic_map import Route, TopicPattern
from gateway.bridge.translate import Translator, carried_already, same_record, sent_again
from gateway.contract import wire
from gateway.contract.observation import Observation
from gateway.contract.refusal import MAX_KEPT_BYTES
from gateway.contract.topic import Channel, UnitAddress, UnitKind
from gateway.ports import LogMessage
from gateway.unpack import Refused, Unpacked, Unpacker

NOW = 1_700_000_000_000_000
SECOND = 1_000_000
MINUTE = 60 * SECOND
EPOCH = "00000000000000aa"
BED = UnitAddress("site-a", UnitKind.HOMECARE_BED, "bed-1")
FLAT = FlatJson(timestamp=Timestamp("ts", "us"), quantities={"hr": "heart-rate"})


class Failing:
    """A codec with a bug."""

    def decode(self, origin: Origin, payload: bytes) -> list[wire.Numbered]:
        raise ZeroDivisionError(f"{origin} {payload!r}")


def translator(codec: Codec = FLAT) -> Translator:
    route = Route(pattern=TopicPattern("wards/{unit}/v"), kind=UnitKind.HOMECARE_BED, site="site-a", unit="",
                  device="monitor", units={})  # fmt: skip
    return Translator([Translation(route, codec)], "bridge-1")


def reading(at: int = NOW) -> bytes:
    return json.dumps({"ts": at, "hr": 72}).encode()


def as_received(each: Draft | Notice) -> Unpacked | Refused:
    """What the gateway makes of it, under number 5."""
    if isinstance(each, Notice):
        return Unpacker().unpack(LogMessage(1, NOW, *each))
    return Unpacker().unpack(LogMessage(1, NOW, each.address.subject(each.channel), each.build(EPOCH, 5)))


def observation(each: Draft | Notice) -> Observation:
    received = as_received(each)
    assert isinstance(received, Unpacked)
    assert isinstance(received.body, Observation)
    return received.body


def test_a_reading_becomes_a_numbered_record() -> None:
    [draft] = translator().open("wards/bed-1/v", reading(), NOW)
    record = observation(draft)
    assert (record.epoch, record.seq, record.device, record.values) == (EPOCH, 5, "monitor", {"heart-rate": 72.0})
    assert not record.backfill


@pytest.mark.parametrize(
    ("topic", "payload", "reason", "unit"),
    [
        ("wards/bed-1/v", b"\x00", "bad-syntax", "bed-1"),
        ("wards/bed-1/v", b'{"hr":72}', "bad-timestamp", "bed-1"),
        ("wards/Bed 1/v", reading(), "bad-id", "bridge-1"),
        ("elsewhere", reading(), "unmapped-topic", "bridge-1"),
        ("", b"", "unmapped-topic", "bridge-1"),
    ],
)
def test_a_refused_message_reaches_the_rejects_as_it_came(topic: str, payload: bytes, reason: str, unit: str) -> None:
    [each] = translator().open(topic, payload, NOW)
    refused = as_received(each)
    assert isinstance(refused, Refused)
    assert (refused.reason, refused.unit, refused.log.payload) == (reason, unit, payload)
    numbered = unit != "bridge-1"
    assert (refused.epoch, refused.seq) == ((EPOCH, 5) if numbered else (None, None))


def test_a_bug_in_a_codec_stops_nothing() -> None:
    [each] = translator(Failing()).open("wards/bed-1/v", b"x", NOW)
    refused = as_received(each)
    assert isinstance(refused, Refused)
    assert refused.reason == "codec-failed"


@given(st.text(max_size=3000), st.binary(max_size=300) | st.just(bytes(300_000)), st.booleans())
def test_whatever_comes_is_accounted_for(rest: str, payload: bytes, mapped: bool) -> None:
    topic = "wards/bed-1/v" if mapped else rest
    [each] = translator().open(topic, payload, NOW)
    refused = as_received(each)
    assert isinstance(refused, Refused)
    assert refused.log.payload == payload[:MAX_KEPT_BYTES]
    assert (refused.seq is not None) == isinstance(each, Draft)
    if isinstance(each, Draft):
        again = carried_already(Waiting(1, EPOCH, BED.subject(Channel.OBS), each.build(EPOCH, 5), ""))
        kept = Unpacker().unpack(LogMessage(1, NOW, again.subject, again.payload))
        assert isinstance(kept, Refused)
        assert (kept.reason, kept.seq) == ("carried-already", 5)


def test_old_readings_are_backfill_while_the_queue_drains() -> None:
    """Afterwards an old time is a wrong clock, which admission judges."""
    subject = translator()
    old = reading(NOW - 10 * MINUTE)
    [waited] = subject.open("wards/bed-1/v", old, NOW)
    [fresh] = subject.open("wards/bed-1/v", reading(), NOW)
    [wrong] = subject.open("wards/bed-1/v", old, NOW)
    assert [observation(each).backfill for each in (waited, fresh, wrong)] == [True, False, False]


def test_a_slow_clock_is_no_queue() -> None:
    """A monitor that is 90 s behind and measures every second: soon admission judges its clock, and it can alert."""
    subject, skew = translator(), 90 * SECOND
    marked: list[bool] = []
    for now in range(NOW, NOW + MINUTE, SECOND):
        [draft] = subject.open("wards/bed-1/v", reading(now - skew), now)
        marked.append(observation(draft).backfill)
    assert marked == [True] * 30 + [False] * 30


def test_what_is_sent_again_is_backfill_and_tells_by_its_number() -> None:
    [draft] = translator().open("wards/bed-1/v", reading(), NOW)
    assert isinstance(draft, Draft)
    row = Waiting(1, EPOCH, BED.subject(Channel.OBS), draft.build(EPOCH, 5), "key.0")
    again = sent_again(row)
    assert again.once == "key.0"
    assert same_record(row, again.payload)
    assert not same_record(row, draft.build(EPOCH, 6))
    assert not same_record(row, draft.build("00000000000000bb", 5))
    assert wire.decode(Channel.OBS, again.payload) == msgspec.structs.replace(observation(draft), backfill=True)
    notice = Waiting(2, None, "lm.denied.bridge-1", b"{}", "key.1")
    assert sent_again(notice) == notice


def test_another_bridge_was_first() -> None:
    [draft] = translator().open("wards/bed-1/v", reading(), NOW)
    assert isinstance(draft, Draft)
    row = Waiting(1, EPOCH, BED.subject(Channel.OBS), draft.build(EPOCH, 5), "key.0")
    refused = Unpacker().unpack(LogMessage(1, NOW, row.subject, carried_already(row).payload))
    assert isinstance(refused, Refused)
    assert (refused.reason, refused.epoch, refused.seq) == ("carried-already", EPOCH, 5)
    assert json.loads(refused.log.payload)["values"] == {"heart-rate": 72.0}


def test_what_stands_in_is_not_taken_for_the_record_again() -> None:
    """After a restart the stand-in is sent by its number alone."""
    [draft] = translator().open("wards/bed-1/v", reading(), NOW)
    assert isinstance(draft, Draft)
    row = Waiting(1, EPOCH, BED.subject(Channel.OBS), draft.build(EPOCH, 5), "key.0")
    stand_in = carried_already(row)
    assert stand_in.once == ""
    assert sent_again(stand_in) == stand_in


def test_an_agent_cannot_smuggle_bytes_past_the_reasons() -> None:
    """A refusal with a reason that is none of ours is refused for its form."""
    record = {"epoch": EPOCH, "seq": 0, "device": "m", "observed_at": 0}
    refusal = {"reason": "because", "detail": "", "topic": "", "payload": base64.b64encode(b"x").decode()}
    payload = json.dumps(record | {"refused": refusal}).encode()
    refused = Unpacker().unpack(LogMessage(1, NOW, BED.subject(Channel.OBS), payload))
    assert isinstance(refused, Refused)
    assert (refused.reason, refused.seq, refused.log.payload) == ("bad-schema", 0, payload)
