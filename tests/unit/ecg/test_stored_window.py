"""Windows out of stored signal: what is fit is cut whole, what is not says why when it is measured."""

from itertools import pairwise

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from firmware_sims.condition import Condition
from firmware_sims.dipole import FS, STEP_MV
from gateway.contract.quantity import ECG_LEADS_12, SECOND
from gateway.contract.waveform import NO_SAMPLE
from gateway.derive.ecg.st import examine, measure
from gateway.derive.ecg.st_report import TWELVE
from gateway.derive.ecg.stored_window import NEAR, whole_windows, window_before
from gateway.derive.ecg.twelve_lead_window import TwelveLeads
from tests.unit.ecg.st_builders import recorded

START = 1_790_000_000 * SECOND
TWENTY = recorded(Condition(), seconds=20)
RAW = np.rint(np.stack([TWENTY[name] for name in ECG_LEADS_12]) / STEP_MV).astype(np.int16)


class Stored(msgspec.Struct, frozen=True):
    """A stretch as the store gives it."""

    samples: NDArray[np.int16] = RAW
    start_at: int = START
    fs: float = FS
    scale: float = STEP_MV
    leads: tuple[str, ...] = ECG_LEADS_12
    n0: int = 0
    filter: str = "0.05-150 Hz"

    @property
    def end_at(self) -> int:
        return self.start_at + int(self.samples.shape[1]) * SECOND // FS


def without(lead: str, first: int, last: int) -> NDArray[np.int16]:
    raw = RAW.copy()
    raw[ECG_LEADS_12.index(lead), first:last] = NO_SAMPLE
    return raw


def refused(window: TwelveLeads | None) -> tuple[str, ...]:
    assert window is not None
    return measure(window.leads, window.fs, window.low_cut_hz).refused


def test_the_last_ten_seconds_are_measured_as_they_were_when_they_came() -> None:
    stored = Stored()
    window = window_before([stored], stored.end_at)
    assert window is not None
    assert (window.n0, window.start, window.low_cut_hz) == (10 * FS, START + 10 * SECOND, 0.05)
    live = {name: RAW[row, 10 * FS :] * STEP_MV for row, name in enumerate(ECG_LEADS_12)}
    assert measure(window.leads, window.fs, 0.05) == measure(live, FS, 0.05)


def test_a_report_comes_with_the_beat_it_was_read_from() -> None:
    window = next(whole_windows([Stored()]))
    report, beat = examine(window.leads, window.fs, window.low_cut_hz)
    assert beat is not None
    assert tuple(lead.lead for lead in report.leads) == TWELVE
    assert beat.mv.shape[0] == len(TWELVE)
    assert [round(float(level), 4) for level in beat.at(beat.j, 0.008)] == [lead.j for lead in report.leads]


def test_an_interrupted_one_is_short_and_a_shorter_hole_too() -> None:
    stored = Stored(samples=RAW[:, : 9 * FS])
    assert refused(window_before([stored], stored.end_at)) == ("shorter-than-10-s",)


def test_the_newest_frame_may_be_on_its_way_but_no_more() -> None:
    stored = Stored()
    assert window_before([stored], stored.end_at + NEAR) is not None
    assert window_before([stored], stored.end_at + NEAR + 1) is None
    assert window_before([], START) is None


def test_all_leads_go_before_the_rhythm_lead_alone() -> None:
    """On a weak link lead II goes on by itself where the rest has not come yet."""
    alone = Stored(samples=RAW[1:2], leads=("II",))
    both = window_before([alone, Stored()], Stored().end_at)
    assert both is not None
    assert len(both.leads) == 12
    assert refused(window_before([alone], alone.end_at)) == ("not-12-lead",)


def test_other_signals_of_the_device_are_none() -> None:
    pleth = Stored(samples=RAW[:1], leads=("pleth",))
    assert window_before([pleth], pleth.end_at) is None
    assert list(whole_windows([pleth])) == []


@pytest.mark.parametrize(("lead", "why"), [("V3", ("lead-off",)), ("I", ("lead-off",)), ("aVF", ())])
def test_an_electrode_that_was_off_is_named_and_a_calculated_lead_does_without(lead: str, why: tuple[str, ...]) -> None:
    stored = Stored(samples=without(lead, 15 * FS, 15 * FS + 3))
    window = window_before([stored], stored.end_at)
    assert refused(window) == why
    assert window is not None
    assert (lead in window.leads) is bool(why)


def test_the_filter_is_that_of_the_stretch() -> None:
    stored = Stored(filter="0.5-40 Hz")
    assert refused(window_before([stored], stored.end_at)) == ("filter-not-fit-for-st",)
    unsaid = window_before([Stored(filter="")], stored.end_at)
    assert unsaid is not None
    assert unsaid.low_cut_hz is None


def test_whole_windows_cover_a_stretch_to_its_end() -> None:
    stored = Stored(samples=RAW[:, : 17 * FS])
    found = list(whole_windows([Stored(samples=RAW[:, : 9 * FS]), stored]))
    assert [window.n0 for window in found] == [0, 5 * FS, 7 * FS]
    assert all(row.size == 10 * FS for window in found for row in window.leads.values())
    assert all(one.start < other.start for one, other in pairwise(found))


def test_a_recording_of_exactly_ten_seconds_is_one_window() -> None:
    assert [window.n0 for window in whole_windows([Stored(samples=RAW[:, : 10 * FS])])] == [0]
