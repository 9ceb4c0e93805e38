"""Windows of 10 s out of a stream: whole, in time, never across a gap or a lead that was off."""

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sims.condition import Condition
from firmware_sims.dipole import FS, STEP_MV
from gateway.contract.quantity import SECOND
from gateway.contract.waveform import NO_SAMPLE, WaveFrame
from gateway.derive.ecg.st import measure
from gateway.derive.ecg.twelve_lead_window import TwelveLeads, TwelveLeadWindow
from tests.unit.ecg.st_builders import frames, recorded

STREAM = frames(recorded(Condition(), seconds=140))
STEP = FS // 5


def fed(stream: list[WaveFrame], window: TwelveLeadWindow | None = None) -> list[TwelveLeads]:
    window = window or TwelveLeadWindow()
    return [found for frame in stream if (found := window.feed(frame, frame.observed_at)) is not None]


def without_sample(frame: WaveFrame, lead: str) -> WaveFrame:
    rows = np.frombuffer(frame.samples, "<i2").reshape(len(frame.leads), -1).copy()
    rows[frame.leads.index(lead), 3] = NO_SAMPLE
    return msgspec.structs.replace(frame, samples=rows.tobytes())


def test_a_window_every_minute_with_the_last_10_s() -> None:
    found = fed(STREAM)
    assert [window.n0 for window in found] == [0, 60 * FS, 120 * FS]
    assert [window.start for window in found] == [0, 60 * SECOND, 120 * SECOND]
    for window in found:
        assert window.low_cut_hz == 0.05
        assert {row.size for row in window.leads.values()} == {10 * FS}


def test_the_samples_are_those_that_were_sent() -> None:
    (window,) = fed(STREAM[:60])
    sent = np.concatenate([np.frombuffer(frame.samples, "<i2").reshape(12, -1) for frame in STREAM[:50]], axis=1)
    for row, lead in zip(sent, STREAM[0].leads, strict=True):
        assert np.array_equal(window.leads[lead], row * STEP_MV)
    assert measure(window.leads, window.fs, window.low_cut_hz).refused == ()


def test_asked_for_it_comes_at_once_and_only_once() -> None:
    window = TwelveLeadWindow()
    assert len(fed(STREAM[:100], window)) == 1
    window.ask()
    (found,) = fed(STREAM[100:150], window)
    assert found.n0 == 101 * STEP - 10 * FS


def test_asked_for_too_early_it_comes_when_it_is_whole() -> None:
    window = TwelveLeadWindow(every=10**12)
    assert len(fed(STREAM[:60], window)) == 1
    window.ask()
    (found,) = fed(STREAM[70:140], window)
    assert found.n0 == 70 * STEP, "the gap of frames 60 to 69 starts it anew"


@pytest.mark.parametrize("lead", ["I", "II", "V1", "V6"])
def test_lead_off_starts_anew(lead: str) -> None:
    stream = [without_sample(frame, lead) if i == 30 else frame for i, frame in enumerate(STREAM[:90])]
    (found,) = fed(stream)
    assert found.n0 == 31 * STEP


def test_an_extra_lead_that_is_off_is_left_out() -> None:
    extra = [
        msgspec.structs.replace(frame, leads=[*frame.leads, "V7"], samples=frame.samples + bytes(2 * STEP))
        for frame in STREAM[:50]
    ]
    assert "V7" in fed(extra)[0].leads
    (found,) = fed([without_sample(frame, "V7") for frame in extra])
    assert "V7" not in found.leads
    assert len(found.leads) == 12


@pytest.mark.parametrize("change", [{"filter": "0.5-40 Hz"}, {"scale": 0.005}, {"epoch": "2" * 16}])
def test_another_kind_of_recording_starts_anew(change: dict[str, object]) -> None:
    stream = STREAM[:30] + [msgspec.structs.replace(frame, **change) for frame in STREAM[30:90]]
    (found,) = fed(stream)
    assert found.n0 == 30 * STEP


def test_old_signal_in_between_does_not_disturb() -> None:
    old = [msgspec.structs.replace(frame, backfill=True) for frame in STREAM[400:420]]
    mixed = [frame for i in range(50) for frame in ([STREAM[i], old[i % 20]])]
    (found,) = fed(mixed)
    assert found.n0 == 0


def test_the_rhythm_lead_alone_is_no_12_lead() -> None:
    lead_two = [
        msgspec.structs.replace(frame, leads=["II"], samples=frame.samples[2 * STEP : 4 * STEP])
        for frame in STREAM[:60]
    ]
    assert fed(lead_two) == []


@settings(max_examples=30)
@given(st.sets(st.integers(0, 199), max_size=6))
def test_no_window_crosses_a_missing_frame(missing: set[int]) -> None:
    window = TwelveLeadWindow(every=0)
    found = fed([frame for i, frame in enumerate(STREAM[:200]) if i not in missing], window)
    covered = [range(window.n0 // STEP, window.n0 // STEP + 50) for window in found]
    assert all(not missing & set(frames_) for frames_ in covered)
    whole = [i for i in range(151) if not missing & set(range(i, i + 50))]
    assert [frames_[0] for frames_ in covered] == whole, "and every whole stretch is offered"
