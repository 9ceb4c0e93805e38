"""Recordings of a resting electrocardiograph: what conformance does not cover."""

import struct
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import strategies as st

from edge_agents.device import FrameError, Numeric, Occurrence, Reading, Waveform
from edge_agents.devices.resting_ecg import FILTER, LAYOUTS, SCALE, Decoder, encode, first_sample
from gateway.contract.quantity import ECG_LEADS_12
from gateway.contract.waveform import NO_SAMPLE
from tests.devices.played import NEW_YEAR, SECOND, play, said, step

TIMES = st.integers(0, 2**52)


@st.composite
def waves(draw: st.DrawFn) -> Waveform:
    leads, at, n = draw(st.sampled_from(list(LAYOUTS.values()))), draw(TIMES), draw(st.integers(1, 4))
    fs = draw(st.sampled_from([250, 500, 1000, 977]))
    rows = [draw(st.lists(st.integers(-32768, 32767), min_size=n, max_size=n)) for _ in leads]
    return wave(at, leads, rows, fs, test=draw(st.booleans()))


def wave(at: int, leads: tuple[str, ...], rows: list[list[int]], fs: int = 500, *, test: bool = False) -> Waveform:
    samples = b"".join(struct.pack(f"<{len(row)}h", *row) for row in rows)
    return Waveform(
        observed_at=at, n0=first_sample(at, fs), fs=float(fs), leads=leads, scale=SCALE, samples=samples, filter=FILTER,
        test=test,
    )  # fmt: skip


@st.composite
def begins(draw: st.DrawFn) -> Occurrence:
    about = {"recording": draw(st.integers(0, 2**32 - 1)), "leads": draw(st.sampled_from([1, 12])), "fs": 500}
    seconds = draw(st.integers(0, 10_000)) / 500
    return Occurrence(
        observed_at=draw(TIMES), name="ecg-started", details=about | {"seconds": seconds}, test=draw(st.booleans())
    )


READINGS = st.one_of(waves(), begins())


def agrees(sent: Reading, got: Reading) -> bool:
    return sent == got


def recorded(found: list[Reading]) -> np.ndarray:
    waves = [reading for reading in found if isinstance(reading, Waveform)]
    return np.concatenate([np.frombuffer(one.samples, "<i2").reshape(len(one.leads), -1) for one in waves], axis=1)


def test_a_simulated_recording_is_ten_whole_seconds_of_twelve_leads() -> None:
    found = play("resting_ecg", step(2, record="12-lead"))
    waves = [reading for reading in found if isinstance(reading, Waveform)]
    assert recorded(found).shape == (12, 5000)
    assert waves[0].observed_at == NEW_YEAR + 2 * SECOND
    for one, next_one in pairwise(waves):
        n = len(one.samples) // 24
        assert next_one.n0 == one.n0 + n
        assert next_one.observed_at == one.observed_at + n * 2000
    about = {"recording": 1, "leads": 12, "fs": 500, "seconds": 10.0}
    assert said(found) == [(2, "ecg-started", about), (2, "ecg-recorded", about | {"missing": 0})]


def test_it_shows_the_beats_that_the_monitor_shows() -> None:
    """One patient: both see the same beats at the same time, each with the noise of its own electrodes."""
    monitor = play("patient_monitor", seconds=13, rates={"pleth": False, "vitals_hz": 0, "nibp_first": 999})
    bedside = recorded(monitor)[:, 1000:6000]  # from 2 s on
    resting = recorded(play("resting_ecg", step(2, record="12-lead")))
    for lead in ("I", "II", "V2", "V5"):
        row = ECG_LEADS_12.index(lead)
        assert np.corrcoef(bedside[row], resting[row])[0, 1] > 0.95


def test_a_single_lead_is_lead_one_of_the_twelve() -> None:
    twelve = recorded(play("resting_ecg", step(2, record="12-lead")))
    single = recorded(play("resting_ecg", step(2, record="single-lead")))
    assert np.array_equal(single[0], twelve[0])


def test_a_lead_that_is_off_has_no_samples() -> None:
    found = play("resting_ecg", step(2, record="12-lead"), sensor_off=[{"at": 0, "until": 99, "sensors": ["V2"]}])
    rows = recorded(found)
    assert (rows[ECG_LEADS_12.index("V2")] == NO_SAMPLE).all()
    assert (rows[ECG_LEADS_12.index("V3")] != NO_SAMPLE).all()


def test_a_damaged_chunk_costs_its_own_samples_and_is_counted() -> None:
    blocks = [
        encode(
            Occurrence(
                observed_at=0, name="ecg-started", details={"recording": 1, "leads": 1, "fs": 500, "seconds": 0.008}
            )
        ),
        encode(wave(0, ("I",), [[1, 2]])),
        encode(wave(4000, ("I",), [[3, 4]])),
        encode(
            Occurrence(
                observed_at=0, name="ecg-recorded", details={"recording": 1, "leads": 1, "fs": 500, "seconds": 0.008}
            )
        ),
    ]
    blocks[1] = blocks[1][:-3] + bytes([blocks[1][-3] ^ 1]) + blocks[1][-2:]
    items = Decoder().feed(b"".join(blocks), 0)
    assert [type(item).__name__ for item in items] == ["Occurrence", "FrameError", "Waveform", "Occurrence"]
    assert isinstance(items[-1], Occurrence)
    assert items[-1].details["missing"] == 2


def test_a_chunk_that_comes_twice_is_counted_once() -> None:
    end = Occurrence(
        observed_at=0, name="ecg-recorded", details={"recording": 1, "leads": 1, "fs": 500, "seconds": 0.008}
    )
    chunk = encode(wave(0, ("I",), [[1, 2]]))
    items = Decoder().feed(chunk + chunk + encode(end), 0)
    assert isinstance(items[-1], Occurrence)
    assert items[-1].details["missing"] == 2


@pytest.mark.parametrize(
    "reading",
    [
        Numeric(observed_at=0, values={"heart-rate": 1.0}),
        Occurrence(observed_at=0, name="coffee"),
        wave(0, ("II",), [[1]]),
        Waveform(observed_at=0, n0=9, fs=500.0, leads=("I",), scale=SCALE, samples=b"\0\0"),
    ],
    ids=["numeric", "event", "lead", "n0"],
)
def test_what_is_no_recording_is_not_sent(reading: Reading) -> None:
    with pytest.raises(ValueError, match=r"."):
        encode(reading)


def test_nothing_of_a_long_noise_is_kept() -> None:
    decoder = Decoder()
    assert all(isinstance(item, FrameError) for item in decoder.feed(b"\x4c" * 20_000, 0))
