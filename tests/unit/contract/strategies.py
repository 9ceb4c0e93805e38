"""Hypothesis strategies for every message of the contract."""

from typing import Any

from hypothesis import strategies as st

from gateway.contract.envelope import (
    MAX_SEQ,
    Ack,
    DeviceLink,
    DeviceState,
    Hello,
    Lane,
    LaneAck,
    LaneState,
    LinkMode,
    Presence,
    SeqRange,
)
from gateway.contract.observation import Command, Event, Observation, Reply
from gateway.contract.quantity import LEADS, QUANTITIES
from gateway.contract.topic import ID_PATTERN
from gateway.contract.waveform import WaveFrame
from gateway.contract.wire import Message

ids = st.from_regex(ID_PATTERN, fullmatch=True)
epochs = st.from_regex("[0-9a-f]{16}", fullmatch=True)
numbers = st.integers(0, MAX_SEQ - 1)
instants = st.integers(-(2**61), 2**61)
words = st.text(min_size=1, max_size=64)
finite = st.floats(allow_nan=False, allow_infinity=False)
anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | finite | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(st.text(max_size=10), anything, max_size=3)
envelope: dict[str, st.SearchStrategy[Any]] = {
    "epoch": epochs,
    "seq": numbers,
    "device": ids,
    "observed_at": instants,
    "backfill": st.booleans(),
    "test": st.booleans(),
}

observations = st.builds(
    Observation,
    **envelope,
    values=st.dictionaries(st.sampled_from(list(QUANTITIES)), st.none() | finite, max_size=6),
    invalid=st.dictionaries(st.sampled_from(list(QUANTITIES)), words, max_size=2),
)
events = st.builds(Event, **envelope, name=words, details=objects)


@st.composite
def frames(draw: st.DrawFn) -> WaveFrame:
    leads = draw(st.lists(st.sampled_from(list(LEADS)), min_size=1, max_size=12))
    return WaveFrame(
        **{name: draw(strategy) for name, strategy in envelope.items()},
        n0=draw(st.integers(0, 2**61)),
        fs=draw(st.floats(1, 20_000)),
        leads=leads,
        scale=draw(st.floats(1e-6, 10)),
        samples=draw(st.binary(min_size=2, max_size=40))[:2] * len(leads) * draw(st.integers(1, 50)),
        filter=draw(st.text(max_size=20)),
    )


@st.composite
def ranges(draw: st.DrawFn) -> SeqRange:
    first = draw(numbers)
    return SeqRange(first, draw(st.integers(first, MAX_SEQ - 1)))


@st.composite
def lane_states(draw: st.DrawFn) -> LaneState:
    first = draw(numbers)
    lists = st.lists(ranges(), max_size=3)
    following = draw(st.integers(first, MAX_SEQ - 1))
    return LaneState(
        epoch=draw(epochs),
        lane=draw(st.sampled_from(Lane)),
        first=first,
        next=following,
        shed=draw(lists),
        gone=draw(lists),
    )


device_states = st.builds(
    DeviceState,
    device=ids,
    kind=st.text(max_size=20),
    link=st.none() | st.sampled_from(DeviceLink),
    firmware=st.text(max_size=20),
)
hellos = st.builds(
    Hello,
    presence=st.sampled_from(Presence),
    epoch=epochs,
    sent_at=instants,
    lanes=st.lists(lane_states(), max_size=4),
    profile=st.text(max_size=30),
    firmware=st.text(max_size=30),
    battery=st.none() | st.floats(0, 100),
    outbox_records=st.integers(0, 2**40),
    outbox_bytes=st.integers(0, 2**40),
    link_mode=st.sampled_from(LinkMode),
    clock_offset=st.none() | instants,
    clock_error=st.none() | st.integers(0, 2**61),
    simulated=st.booleans(),
    devices=st.lists(device_states, max_size=3),
)
lane_acks = st.builds(
    LaneAck, epoch=epochs, lane=st.sampled_from(Lane), watermark=numbers, missing=st.lists(ranges(), max_size=3)
)
acks = st.builds(
    Ack,
    server_time=instants,
    lanes=st.lists(lane_acks, max_size=4),
    hello_sent_at=st.none() | instants,
    hello_received_at=st.none() | instants,
)
commands = st.builds(Command, id=words, name=words, arguments=objects, expires_at=instants, device=st.just("") | ids)
replies = st.builds(Reply, id=words, epoch=epochs, accepted=st.booleans(), reason=st.text(max_size=20), result=objects)

messages: st.SearchStrategy[Message] = st.one_of(observations, events, frames(), hellos, acks, commands, replies)
