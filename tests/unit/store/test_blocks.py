"""A block opens to the very rows it was folded from, and a damaged one never opens."""

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.adapters import blocks
from gateway.adapters.samples import pack_leads, unpack_leads
from gateway.contract import wire
from gateway.contract.digest import digest
from gateway.contract.envelope import Lane
from gateway.contract.quantity import ECG_LEADS_12
from gateway.contract.waveform import NO_SAMPLE, WaveFrame
from gateway.ports import RecordFlag, RecordRow
from tests.unit.store.records import SECOND, START, ecg, event, frames, observation, row


def opened(lane: Lane, rows: list[RecordRow]) -> list[RecordRow]:
    folded = blocks.fold(lane, rows)
    return blocks.unfold(rows[0].lane_id, lane, rows[0].device, folded.header, folded.data)


def with_payload(one: RecordRow, payload: bytes) -> RecordRow:
    return msgspec.structs.replace(one, payload=payload)


def test_waveforms_open_bit_exact() -> None:
    rows = [row(7, frame, flags=RecordFlag.LATE if frame.seq % 3 else 0) for frame in frames(300)]
    assert opened(Lane.WAVE, rows) == rows


def test_waveforms_shrink_to_a_third() -> None:
    rows = [row(7, frame) for frame in frames(300)]
    folded = blocks.fold(Lane.WAVE, rows)
    assert len(folded.header) + len(folded.data) < sum(len(one.payload) for one in rows) / 3


def test_numerics_and_events_open_bit_exact() -> None:
    numerics = [row(7, observation(seq)) for seq in range(0, 1200, 2)]
    assert opened(Lane.OBS, numerics) == numerics
    events = [row(7, event(seq, name)) for seq, name in enumerate(["boarded", "departed", "arrived"])]
    assert opened(Lane.EVENT, events) == events


def test_numerics_take_few_bytes_a_record() -> None:
    folded = blocks.fold(Lane.OBS, [row(7, observation(seq)) for seq in range(600)])
    assert (len(folded.header) + len(folded.data)) / 600 < 12


def test_frames_of_different_signals_and_lengths_share_a_block() -> None:
    mixed: list[WaveFrame] = []
    for seq, frame in enumerate(frames(30)):
        pleth = {"leads": ["pleth"], "fs": 60.0, "samples": b"\0\1" * 12, "scale": 0.1, "filter": "0.5-8 Hz"}
        mixed.append(msgspec.structs.replace(frame, **pleth) if seq % 2 else frame)
    rows = [row(7, frame) for frame in mixed]
    assert opened(Lane.WAVE, rows) == rows


def test_a_payload_the_encoder_would_not_write_is_kept_as_it_came() -> None:
    frame = frames(1)[0]
    foreign = msgspec.msgpack.encode(msgspec.to_builtins(frame, builtin_types=(bytes,)) | {"fs": 500, "extra": [1, 2]})
    rows = [row(7, frame), with_payload(row(7, msgspec.structs.replace(frame, seq=1)), foreign)]
    assert opened(Lane.WAVE, rows) == rows
    text = (
        b'{"values": {"heart-rate": 72}, "seq": 3, "device": "monitor", "observed_at": 5, "epoch": "00000000000000ab"}'
    )
    spaced = [with_payload(row(7, observation(3)), text)]
    assert opened(Lane.OBS, spaced) == spaced
    nonsense = [with_payload(row(7, observation(3)), b"\xff\x00 no JSON")]
    assert opened(Lane.OBS, nonsense) == nonsense


def test_a_foreign_frame_is_still_compressed() -> None:
    rows = [
        with_payload(
            row(7, frame),
            msgspec.msgpack.encode(msgspec.to_builtins(frame, builtin_types=(bytes,)) | {"fs": 500}),
        )
        for frame in frames(300)
    ]
    folded = blocks.fold(Lane.WAVE, rows)
    assert len(folded.data) < sum(len(one.payload) for one in rows) / 3


def test_the_header_tells_what_a_chart_needs() -> None:
    rows = [row(7, observation(seq, heart_rate=value)) for seq, value in enumerate([60.0, None, 80.0, 9999.0])]
    header = blocks.read_header(blocks.fold(Lane.OBS, rows).header)
    assert header.signals == [blocks.Signal("heart-rate", 2, 60.0, 80.0, 140.0)], "null and implausible values counted"
    wave = frames(2)
    silent = msgspec.structs.replace(wave[1], samples=np.full(1200, NO_SAMPLE, "<i2").tobytes())
    header = blocks.read_header(blocks.fold(Lane.WAVE, [row(7, wave[0]), row(7, silent)]).header)
    lead = np.frombuffer(wave[0].samples, "<i2").reshape(12, -1)[1] * 0.005
    signal = next(s for s in header.signals if s.name == "II")
    assert signal.n == 100
    assert [signal.min, signal.max] == pytest.approx([lead.min(), lead.max()])


def test_the_header_knows_each_record_s_digest() -> None:
    sent = [observation(seq) for seq in (3, 5, 9)]
    header = blocks.read_header(blocks.fold(Lane.OBS, [row(7, one) for one in sent]).header)
    assert [header.digest_of(seq) for seq in (3, 4, 5, 9, 10)] == [
        digest(sent[0]),
        None,
        digest(sent[1]),
        digest(sent[2]),
        None,
    ]


def test_times_of_the_block_are_those_of_its_signals() -> None:
    folded = blocks.fold(Lane.WAVE, [row(7, frame) for frame in frames(5)])
    assert (folded.start_at, folded.end_at) == (START, START + SECOND)


@pytest.mark.parametrize("part", ["header", "data"])
@pytest.mark.parametrize("damage", ["flip", "truncate", "empty"])
def test_a_damaged_block_never_opens(part: str, damage: str) -> None:
    folded = blocks.fold(Lane.OBS, [row(7, observation(seq)) for seq in range(40)])
    whole = {"header": folded.header, "data": folded.data}
    size = len(whole[part])
    for at in range(0, size, max(1, size // 60)):
        broken = bytearray(whole[part])
        if damage == "flip":
            broken[at] ^= 1 << at % 8
        else:
            del broken[0 if damage == "empty" else at :]
        with pytest.raises(blocks.BlockError):
            blocks.unfold(7, Lane.OBS, "monitor", **(whole | {part: bytes(broken)}))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 12), st.integers(0, 40), st.integers(0, 2**32), st.sampled_from([16, 12, 3]))
def test_any_samples_come_back(leads: int, count: int, seed: int, bits: int) -> None:
    random = np.random.default_rng(seed)
    samples = (random.integers(-(2**15), 2**15, (leads, count)) >> (16 - bits)).astype(np.int16)
    samples[random.random(samples.shape) < 0.1] = NO_SAMPLE
    names = ECG_LEADS_12[:leads]
    assert np.array_equal(unpack_leads(names, pack_leads(names, samples), count), samples)


def test_derived_leads_cost_nearly_nothing() -> None:
    samples = ecg()
    named = sum(map(len, pack_leads(ECG_LEADS_12, samples)))
    unnamed = sum(map(len, pack_leads(["ECG"] * 12, samples)))
    assert named < 0.8 * unnamed


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 2**40), st.integers(-(2**61), 2**61), st.binary(max_size=40)), min_size=1, max_size=30
    )
)
def test_any_rows_come_back(content: list[tuple[int, int, bytes]]) -> None:
    rows = [
        RecordRow(7, seq, "x", at, at // 2, -at, seq % 128, payload)
        for seq, (_, at, payload) in enumerate(sorted(content))
    ]
    for lane in Lane:
        assert opened(lane, rows) == rows


def test_wire_is_what_makes_payloads() -> None:
    assert row(7, observation(1)).payload == wire.encode(observation(1))
