"""What holds for every device: run over each module of edge_agents/devices.

A device's own test file offers ``READINGS`` (a hypothesis strategy of what it can say) and ``agrees(sent, got)``.
"""

import importlib
import pkgutil
from itertools import pairwise
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import edge_agents.devices
from edge_agents.device import FrameError, Reading
from tests.devices import golden

KINDS = [row.name for row in pkgutil.iter_modules(edge_agents.devices.__path__) if not row.name.startswith("_")]
GOLDEN = [(kind, row) for kind in KINDS for row in golden.frames(kind)]
INSTANTS = st.integers(-(2**62), 2**62)
each_kind = pytest.mark.parametrize("kind", KINDS)
few = settings(max_examples=60, deadline=None)


def device(kind: str) -> ModuleType:
    return importlib.import_module(f"edge_agents.devices.{kind}")


def own_tests(kind: str) -> ModuleType:
    return importlib.import_module(f"tests.devices.test_{kind}")


def read(kind: str, *pieces: bytes) -> list[Reading | FrameError]:
    decoder = device(kind).Decoder()
    return [item for piece in pieces for item in decoder.feed(piece, golden.ARRIVES_AT)]


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


@pytest.mark.parametrize(("kind", "row"), GOLDEN, ids=[f"{kind}: {row['name']}" for kind, row in GOLDEN])
def test_golden_frames_mean_what_they_meant(kind: str, row: dict[str, Any]) -> None:
    assert row["source"]
    items = read(kind, golden.bytes_of(row))
    if "error" in row:
        assert readings(items) == []
        assert golden.reason(items) == row["error"]
    else:
        assert [golden.meaning(item, row["reading"]) for item in readings(items)] == [row["reading"]]
        assert len(items) == 1


@each_kind
@given(data=st.data())
@few
def test_what_is_encoded_decodes_to_the_same(kind: str, data: st.DataObject) -> None:
    module, sent = device(kind), data.draw(own_tests(kind).READINGS)
    (got,) = read(kind, module.encode(sent))
    assert own_tests(kind).agrees(sent, got)
    assert read(kind, module.encode(got)) == [got], "once rounded to the device's steps, exactly the same"


@each_kind
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
        assert readings(decoder.feed(piece, received_at)) == []


@each_kind
@given(data=st.data(), received_at=INSTANTS)
@settings(max_examples=150, deadline=None)
def test_no_damage_to_good_frames_makes_it_raise(kind: str, data: st.DataObject, received_at: int) -> None:
    frames = [device(kind).encode(reading) for reading in data.draw(st.lists(own_tests(kind).READINGS, min_size=1))]
    stream = bytearray(b"".join(frames))
    for _ in range(data.draw(st.integers(1, 5))):
        start, size = data.draw(st.integers(0, len(stream))), data.draw(st.integers(0, 5))
        stream[start : start + size] = data.draw(st.binary(max_size=5))
    device(kind).Decoder().feed(bytes(stream), received_at)


@each_kind
@given(data=st.data())
@few
def test_finds_its_way_back_after_garbage(kind: str, data: st.DataObject) -> None:
    frame = device(kind).encode(data.draw(own_tests(kind).READINGS))
    (expected,) = read(kind, frame)
    garbage = data.draw(st.one_of(st.binary(max_size=3000), st.integers(1, len(frame) - 1).map(lambda n: frame[:n])))
    assert expected in read(kind, garbage + 3 * frame)


@each_kind
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
