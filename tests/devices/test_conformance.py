"""What holds for every device: run over each module of edge_agents/devices.

A device's own test file offers ``READINGS`` (a hypothesis strategy of what it can say) and ``agrees(sent, got)``. One
that gathers what it hears before it says something also offers ``FLUSH``: frames after which it has said all.
"""

import importlib
from itertools import pairwise
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agents import kinds
from edge_agents.device import FrameError, FrameReason, Numeric, Occurrence, Reading, Waveform
from edge_agents.protocol import is_whole
from gateway.contract.condition import CONDITIONS, EVENT, split
from gateway.contract.quantity import LEADS, QUANTITIES
from scripts.devices import DOCUMENT, text
from tests.devices import golden

KINDS = kinds.names()
STREAMS = [kind for kind in KINDS if not is_whole(kinds.load(kind).PROTOCOL)]
GOLDEN = [(kind, row) for kind in KINDS for row in golden.frames(kind)]
INSTANTS = st.integers(-(2**62), 2**62)
# whole frames whose last field goes on to the end of the frame: one that is cut says less, and only the link could tell
OPEN_ENDED = {"ecg_patch": "its samples are counted by nothing but the length of the value"}
each_kind = pytest.mark.parametrize("kind", KINDS)
each_stream = pytest.mark.parametrize("kind", STREAMS)
few = settings(max_examples=60, deadline=None)


def device(kind: str) -> ModuleType:
    return importlib.import_module(f"edge_agents.devices.{kind}")


OWN_TESTS = {kind: importlib.import_module(f"tests.devices.test_{kind}") for kind in KINDS}


def own_tests(kind: str) -> ModuleType:
    return OWN_TESTS[kind]


def read(kind: str, *pieces: bytes) -> list[Reading | FrameError]:
    decoder = device(kind).Decoder()
    return [item for piece in pieces for item in decoder.feed(piece, golden.ARRIVES_AT)]


def flush(kind: str) -> tuple[bytes, ...]:
    return getattr(own_tests(kind), "FLUSH", ())


def readings(items: list[Reading | FrameError]) -> list[Reading]:
    return [item for item in items if not isinstance(item, FrameError)]


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


@each_kind
def test_exports_what_the_seam_asks_for(kind: str) -> None:
    module = device(kind)
    assert kind == module.KIND
    assert callable(module.encode)
    assert module.Decoder().feed(b"", 0) == []
    assert len((module.__doc__ or "").split()) > 10, "says what it is and where the layout comes from"
    assert set(module.YIELDS.quantities) <= QUANTITIES.keys()
    assert set(module.YIELDS.leads) <= LEADS.keys()
    assert set(module.YIELDS.conditions) <= CONDITIONS.keys()


@each_kind
def test_can_be_simulated(kind: str) -> None:
    simulator = importlib.import_module(f"firmware_sims.devices.{kind}")
    assert simulator.Decoder is device(kind).Decoder
    assert callable(simulator.encode)
    assert callable(simulator.readings)


@each_kind
def test_has_golden_frames(kind: str) -> None:
    rows = golden.frames(kind)
    assert len(rows) >= 3
    assert all(row["source"] for row in rows)


@pytest.mark.parametrize(("kind", "row"), GOLDEN, ids=[f"{kind}: {row['name']}" for kind, row in GOLDEN])
def test_golden_frames_mean_what_they_meant(kind: str, row: dict[str, Any]) -> None:
    items = read(kind, *golden.bytes_of(row), *flush(kind))
    if "error" in row:
        assert readings(items) == []
        assert golden.reason(items) == row["error"]
        return
    found = readings(items)
    assert len(found) == len(items), "no part of a golden frame is refused"
    assert [golden.meaning(*pair) for pair in zip(found, golden.expected(row), strict=True)] == golden.expected(row)


@each_kind
@given(data=st.data())
@few
def test_what_is_encoded_decodes_to_the_same(kind: str, data: st.DataObject) -> None:
    module, sent = device(kind), data.draw(own_tests(kind).READINGS)
    got = [item for item in said(kind, module.encode(sent)) if own_tests(kind).agrees(sent, item)]
    assert len(got) == 1
    assert got[0] in said(kind, module.encode(got[0])), "once rounded to the device's steps, exactly the same"


def said(kind: str, frame: bytes) -> list[Reading]:
    """What the device says in a good frame; nothing it did not declare."""
    items = read(kind, frame, *flush(kind))
    found, words = readings(items), device(kind).YIELDS
    assert len(found) == len(items)
    for reading in found:
        match reading:
            case Numeric(values=values, conditions=conditions):
                assert values.keys() <= set(words.quantities)
                assert {split(condition)[0] for condition in conditions or ()} <= set(words.conditions)
            case Waveform(leads=leads):
                assert set(leads) <= set(words.leads)
            case Occurrence(name=name, details=details):
                assert name in words.events or (name == EVENT and details["code"] in words.conditions)
    return found


@each_stream
@given(data=st.data())
@few
def test_it_does_not_matter_how_the_bytes_arrive(kind: str, data: st.DataObject) -> None:
    sent = data.draw(st.lists(own_tests(kind).READINGS, min_size=1, max_size=4))
    noise = data.draw(st.binary(max_size=20))
    stream = noise.join([b"", *(device(kind).encode(reading) for reading in sent)])
    pieces = cut(stream, data.draw(st.lists(st.integers(0, 10_000), max_size=30)))
    at_once, in_pieces = read(kind, stream), read(kind, *pieces)
    assert readings(in_pieces) == readings(at_once)


@each_kind
@given(pieces=st.lists(st.binary(max_size=400), max_size=10), received_at=INSTANTS)
@settings(max_examples=150, deadline=None)
def test_no_bytes_make_it_raise(kind: str, pieces: list[bytes], received_at: int) -> None:
    decoder = device(kind).Decoder()
    for piece in pieces:
        found = readings(decoder.feed(piece, received_at))
        assert not found or kind not in STREAMS, "a stream's frames have checks that noise does not pass"


@each_kind
@given(data=st.data(), received_at=INSTANTS)
@settings(max_examples=150, deadline=None)
def test_no_damage_to_good_frames_makes_it_raise(kind: str, data: st.DataObject, received_at: int) -> None:
    frames = [device(kind).encode(reading) for reading in data.draw(st.lists(own_tests(kind).READINGS, min_size=1))]
    decoder = device(kind).Decoder()
    for frame in [b"".join(frames)] if kind in STREAMS else frames:
        decoder.feed(damaged(frame, data), received_at)


def damaged(frame: bytes, data: st.DataObject) -> bytes:
    """With a few bytes lost, changed or inserted."""
    stream = bytearray(frame)
    for _ in range(data.draw(st.integers(1, 5))):
        start, size = data.draw(st.integers(0, len(stream))), data.draw(st.integers(0, 5))
        stream[start : start + size] = data.draw(st.binary(max_size=5))
    return bytes(stream)


@each_kind
@given(data=st.data(), received_at=INSTANTS)
@few
def test_a_frame_cut_short_is_refused_or_waited_for(kind: str, data: st.DataObject, received_at: int) -> None:
    frame = device(kind).encode(data.draw(own_tests(kind).READINGS))
    whole = device(kind).Decoder().feed(frame, received_at)
    piece = frame[: data.draw(st.integers(0, len(frame) - 1))]
    for item in device(kind).Decoder().feed(piece, received_at):
        assert isinstance(item, FrameError) or kind in OPEN_ENDED or item in whole
        if isinstance(item, FrameError):
            assert item.reason in FrameReason


@each_stream
@given(data=st.data())
@few
def test_finds_its_way_back_after_garbage(kind: str, data: st.DataObject) -> None:
    frame = device(kind).encode(data.draw(own_tests(kind).READINGS))
    expected = readings(read(kind, frame))[0]
    garbage = data.draw(st.one_of(st.binary(max_size=3000), st.integers(1, len(frame) - 1).map(lambda n: frame[:n])))
    assert expected in read(kind, garbage + 3 * frame)


@each_stream
def test_a_flood_of_rubbish_is_not_hoarded(kind: str) -> None:
    """One megabyte without a frame, whatever it looks like, leaves less than one long frame in memory."""
    for rubbish in (b"\xa5", b"$", b"L", b"\x00", b"\xa5\x5a", b"LMB1,"):
        decoder = device(kind).Decoder()
        for _ in range(256):
            decoder.feed(rubbish * (4096 // len(rubbish)), 0)
        assert sum(_held(value) for value in vars(decoder).values()) < 10_000


def _held(value: Any) -> int:
    if isinstance(value, bytes | bytearray | list | dict | set):
        return len(value)
    return sum(_held(inner) for inner in vars(value).values()) if hasattr(value, "__dict__") else 0


def test_the_table_in_the_documents_is_this_one() -> None:
    assert DOCUMENT.read_text("utf-8") == text(), "run: make docs"
