"""Who may say it, is it new, when did it happen."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.admit import (
    Admission,
    Admitted,
    Answered,
    Clock,
    Duplicate,
    Greeting,
    RegisteredUnit,
    implausible,
    judge_time,
)
from gateway.contract.envelope import Hello, Presence
from gateway.contract.identity import ClockQuality, Provenance
from gateway.contract.observation import Observation, Reply
from gateway.contract.quantity import HOUR, MINUTE, SECOND
from gateway.contract.topic import Channel, UnitAddress, UnitKind
from gateway.contract.wire import encode
from gateway.ledger import IdSource, Ledger
from gateway.ports import LogMessage, RecordFlag
from gateway.unpack import Refused, Unpacker

NOW = 1_790_000_000 * SECOND
UNIT = UnitAddress("linyi", UnitKind.AMBULANCE, "amb-001")
EPOCH = "ab" * 8


def admission() -> Admission:
    units = {"amb-001": RegisteredUnit(UNIT, "A", Provenance.LIVE)}
    return Admission(Ledger(IdSource(), IdSource()), units, {})


def observation(seq: int = 0, at: int = NOW, *, backfill: bool = False, **values: float) -> Observation:
    return Observation(
        epoch=EPOCH, seq=seq, device="monitor", observed_at=at, backfill=backfill, values=dict(values) or {"spo2": 97.0}
    )


def take(stage: Admission, payload: bytes, address: UnitAddress = UNIT, channel: Channel = Channel.OBS) -> object:
    message = Unpacker().unpack(LogMessage(1, NOW, address.subject(channel), payload))
    return message if isinstance(message, Refused) else stage.admit(message)


def test_a_number_is_taken_once() -> None:
    stage = admission()
    payload = encode(observation())
    assert isinstance(take(stage, payload), Admitted)
    assert isinstance(take(stage, payload), Duplicate)


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        (UnitAddress("linyi", UnitKind.AMBULANCE, "amb-002"), "unknown-unit"),
        (UnitAddress("wenling", UnitKind.AMBULANCE, "amb-001"), "foreign-topic"),
        (UnitAddress("linyi", UnitKind.DELIVERY_VAN, "amb-001"), "foreign-topic"),
    ],
)
def test_strangers_are_refused(address: UnitAddress, reason: str) -> None:
    outcome = take(admission(), encode(observation()), address)
    assert isinstance(outcome, Refused)
    assert outcome.reason == reason


def test_a_refused_record_is_accounted_for_by_its_number() -> None:
    stage = admission()
    payload = encode(observation()).replace(b"spo2", b"blood-colour")
    outcome = take(stage, payload)
    assert isinstance(outcome, Refused)
    assert (outcome.reason, outcome.epoch, outcome.seq) == ("unknown-quantity", EPOCH, 0)
    lane = stage.account(outcome)
    assert lane is not None
    assert lane.watermark == 1
    assert stage.account(outcome) is None, "its number counts once"


def test_a_reply_goes_on_to_the_command_desk() -> None:
    reply = Reply(id="c1", epoch=EPOCH, accepted=True)
    outcome = take(admission(), encode(reply), channel=Channel.REPLY)
    assert isinstance(outcome, Answered)
    assert (outcome.route.address.unit, outcome.body) == ("amb-001", reply)


def test_garbage_has_no_number() -> None:
    stage = admission()
    outcome = take(stage, b"\x00garbage")
    assert isinstance(outcome, Refused)
    assert stage.account(outcome) is None


def test_a_hello_tells_the_clock() -> None:
    stage = admission()
    hello = Hello(presence=Presence.ONLINE, epoch=EPOCH, sent_at=NOW, clock_offset=-3 * SECOND, clock_error=4000)
    assert isinstance(take(stage, encode(hello), channel=Channel.HELLO), Greeting)
    assert stage.clocks["amb-001"].quality is ClockQuality.CORRECTED


def test_values_out_of_their_plausible_range_are_named() -> None:
    plain = observation()
    body = msgspec.structs.replace(
        plain, values={"spo2": 140.0, "heart-rate": 80.0, "temperature": -3.0, "etco2": None}
    )
    assert implausible(body) == {"spo2": 140.0, "temperature": -3.0}


# ---- time -----------------------------------------------------------------------------------------------------------

GOOD = Clock(0, 1000)


@pytest.mark.parametrize(
    ("observed_at", "backfill", "clock", "event_at", "flags"),
    [
        (NOW, False, None, NOW, 0),
        (NOW - 30 * SECOND, False, GOOD, NOW - 30 * SECOND, 0),
        (NOW - 2 * MINUTE, False, GOOD, NOW - 2 * MINUTE, RecordFlag.LATE),
        (NOW - SECOND, True, GOOD, NOW - SECOND, RecordFlag.LATE | RecordFlag.BACKFILL),
        (NOW - HOUR, True, GOOD, NOW - HOUR, RecordFlag.LATE | RecordFlag.BACKFILL | RecordFlag.HISTORICAL),
        # 1970: measured, it is put right; not measured, received time stands in and the reading still counts
        (0, False, Clock(NOW, 1000), NOW, RecordFlag.CLOCK_CORRECTED),
        (0, False, None, NOW, RecordFlag.CLOCK_UNTRUSTED),
        # older than any outbox: a wrong clock, whatever it says of itself; kept, and not retired as thirty years old
        (0, True, GOOD, NOW, RecordFlag.CLOCK_UNTRUSTED | RecordFlag.BACKFILL | RecordFlag.LATE),
        # ahead of us: never in the future
        (NOW + 2 * 24 * HOUR, False, None, NOW, RecordFlag.CLOCK_UNTRUSTED),
        (NOW + 2 * 24 * HOUR, False, Clock(-2 * 24 * HOUR, 1000), NOW, RecordFlag.CLOCK_CORRECTED),
        (NOW + 3 * SECOND, False, GOOD, NOW + 3 * SECOND, 0),
    ],
)
def test_when_it_happened(observed_at: int, backfill: bool, clock: Clock | None, event_at: int, flags: int) -> None:
    body = observation(at=observed_at, backfill=backfill)
    assert judge_time(body, NOW, clock) == (event_at, flags)


@given(st.integers(-(2**62), 2**62), st.booleans(), st.none() | st.integers(-(2**60), 2**60))
def test_event_time_is_never_far_in_the_future(observed_at: int, backfill: bool, offset: int | None) -> None:
    clock = None if offset is None else Clock(offset, 0)
    event_at, flags = judge_time(observation(at=observed_at, backfill=backfill), NOW, clock)
    assert event_at <= NOW + 5 * SECOND
    assert bool(flags & RecordFlag.BACKFILL) == backfill


def test_glucose_forty_minutes_late_is_late_but_not_historical() -> None:
    body = observation(at=NOW - 40 * MINUTE, backfill=True, glucose=2.1)
    _, flags = judge_time(body, NOW, GOOD)
    assert flags & RecordFlag.LATE
    assert not flags & RecordFlag.HISTORICAL
