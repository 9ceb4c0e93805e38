"""LMM-1: what conformance does not cover."""

import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agents.device import FrameError, FrameReason, Numeric, Occurrence, Reading, Waveform
from edge_agents.devices.patient_monitor import (
    ALARMS,
    EVENT_LAYOUT,
    NUMERIC_LAYOUT,
    PRIORITIES,
    SENSORS,
    SIGNAL_LAYOUT,
    SPECIAL,
    SYNC,
    Decoder,
    encode,
)
from gateway.contract.quantity import ECG_LEADS_12, LEADS, QUANTITIES
from gateway.contract.waveform import NO_SAMPLE

INSTANTS = st.integers(-(2**62), 2**62)


@st.composite
def numerics(draw: st.DrawFn) -> Numeric:
    values: dict[str, float | None] = {}
    invalid: dict[str, str] = {}
    fields = draw(st.sampled_from(list(NUMERIC_LAYOUT.values())))
    for quantity, divisor in draw(st.lists(st.sampled_from(fields), unique=True, min_size=1)):
        row = QUANTITIES[quantity]
        raw = draw(st.none() | st.integers(round(row.low * divisor), round(row.high * divisor)))
        values[quantity] = None if raw is None else raw / divisor
        if raw is None:
            invalid[quantity] = draw(st.sampled_from(list(SPECIAL.values())))
    return Numeric(observed_at=draw(INSTANTS), values=values, invalid=invalid, test=draw(st.booleans()))


@st.composite
def waveforms(draw: st.DrawFn) -> Waveform:
    signal = draw(st.sampled_from(list(SIGNAL_LAYOUT.values())))
    n = draw(st.integers(1, 5))
    rows = [draw(st.lists(st.integers(-32768, 32767), min_size=n, max_size=n)) for _ in signal.leads]
    return Waveform(
        observed_at=draw(INSTANTS),
        n0=draw(st.integers(0, 2**62 - 1)),
        fs=float(draw(st.integers(1, 65535))),
        leads=signal.leads,
        scale=signal.scale,
        samples=b"".join(struct.pack(f"<{n}h", *row) for row in rows),
        filter=signal.filter,
        test=draw(st.booleans()),
    )


LEAD_LISTS = st.sets(st.sampled_from(ECG_LEADS_12)).map(lambda some: [lead for lead in ECG_LEADS_12 if lead in some])
DETAILS: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "lead": st.fixed_dictionaries({"leads": LEAD_LISTS}),
    "sensor": st.fixed_dictionaries({"sensor": st.sampled_from(list(SENSORS.values()))}),
    "device": st.fixed_dictionaries(
        {"alarm": st.sampled_from(list(ALARMS.values())), "priority": st.sampled_from(list(PRIORITIES.values()))}
    ),
    "clock": st.fixed_dictionaries({"step": st.integers(-(2**63), 2**63 - 1)}),
}


@st.composite
def occurrences(draw: st.DrawFn) -> Occurrence:
    name = draw(st.sampled_from([name for name, _ in EVENT_LAYOUT.values()]))
    details = draw(DETAILS[name.partition("-")[0]])
    return Occurrence(observed_at=draw(INSTANTS), name=name, details=details, test=draw(st.booleans()))


READINGS = st.one_of(numerics(), waveforms(), occurrences())


def agrees(sent: Reading, got: Reading) -> bool:
    return sent == got


VITALS = Numeric(observed_at=1, values={"heart-rate": 72.0})


def test_layout_uses_only_names_of_the_contract() -> None:
    assert {field.quantity for fields in NUMERIC_LAYOUT.values() for field in fields} <= QUANTITIES.keys()
    assert {lead for signal in SIGNAL_LAYOUT.values() for lead in signal.leads} <= LEADS.keys()


def test_no_plausible_value_is_taken_for_a_special_one() -> None:
    for fields in NUMERIC_LAYOUT.values():
        assert all(QUANTITIES[field.quantity].high * field.divisor < min(SPECIAL) for field in fields)


@pytest.mark.parametrize(
    "reading",
    [
        Numeric(observed_at=0, values={"glucose": 5.0}),
        Numeric(observed_at=0, values={"heart-rate": 70.0, "bp-systolic": 120.0}),
        Numeric(observed_at=0, values={"temperature": 1e9}),
        Numeric(observed_at=0, values={"heart-rate": -1.0}),
        Numeric(observed_at=0, values={"heart-rate": None}, invalid={"heart-rate": "bored"}),
        Numeric(observed_at=2**63, values={"heart-rate": 1.0}),
        Occurrence(observed_at=0, name="coffee"),
        Occurrence(observed_at=0, name="lead-off"),
        Waveform(observed_at=0, n0=0, fs=500.0, leads=("V9",), scale=1.0, samples=b"\0\0"),
        Waveform(observed_at=0, n0=0, fs=60.0, leads=("pleth",), scale=0.001, samples=b"\0\0\0"),
    ],
    ids=repr,
)
def test_what_has_no_place_in_the_layout_is_not_sent(reading: Reading) -> None:
    with pytest.raises(ValueError, match=r"."):
        encode(reading)


def test_a_lead_that_is_off_holds_no_sample_and_the_others_stay() -> None:
    rows = [[i] * 3 for i in range(12)]
    rows[6] = [NO_SAMPLE] * 3
    samples = b"".join(struct.pack("<3h", *row) for row in rows)
    signal = SIGNAL_LAYOUT[3]
    sent = Waveform(
        observed_at=0, n0=0, fs=500.0, leads=signal.leads, scale=signal.scale, samples=samples, filter=signal.filter
    )
    frame = encode(sent)
    assert struct.unpack_from("<H", frame, 10 + 20)[0] == 1 << ECG_LEADS_12.index("V1")
    assert Decoder().feed(frame, 0) == [sent]


def test_a_damaged_length_does_not_swallow_the_next_frames() -> None:
    broken = bytearray(encode(VITALS, 0))
    broken[6:8] = b"\xff\x1f"  # 8191 bytes to come, says the header
    items = Decoder().feed(bytes(broken) + encode(VITALS, 1), 0)
    assert items[-1] == VITALS
    assert isinstance(items[0], FrameError)
    assert items[0].reason is FrameReason.CHECKSUM


def test_a_frame_that_lost_bytes_does_not_cost_the_frame_behind_it() -> None:
    whole = encode(VITALS)
    for missing in range(1, 14):
        torn = whole[:-20] + whole[-20 + missing :]
        items = Decoder().feed(torn + whole + whole, 0)
        assert [item for item in items if not isinstance(item, FrameError)] == [VITALS, VITALS]


def test_every_refused_byte_is_accounted_for() -> None:
    noise = b"\x00\x01" + SYNC + b"garbage that looks like a frame"
    items = Decoder().feed(noise + encode(VITALS), 0)
    assert b"".join(item.frame for item in items if isinstance(item, FrameError)) == noise
    assert items[-1] == VITALS


@given(bit=st.integers(0, 8 * len(encode(VITALS)) - 1))
@settings(deadline=None)
def test_no_flipped_bit_gets_through(bit: int) -> None:
    frame = bytearray(encode(VITALS))
    frame[bit // 8] ^= 1 << bit % 8
    items = Decoder().feed(bytes(frame) + encode(VITALS), 0)
    assert [item for item in items if not isinstance(item, FrameError)] == [VITALS]


def test_counts_the_frames_the_line_lost() -> None:
    decoder = Decoder()
    for sequence in (65534, 65535, 0, 3, 4):
        decoder.feed(encode(VITALS, sequence), 0)
    assert decoder.lost == 2
