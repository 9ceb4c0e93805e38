"""Blood pressure, glucose, peak flow, training, uploads and the fetal trace, at every boundary."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.contract.quantity import HOUR, MINUTE, SECOND
from gateway.derive.population import Placed, Population
from gateway.derive.scores import blood_pressure, fetal, glucose, peak_flow, rehab, uploads
from gateway.derive.scores.score import Person, Refused
from tests.unit.scores.tables import ADULT, NOW, PREGNANT, UNKNOWN, child

GROWN = ADULT.placed
SOMEBODY = UNKNOWN.placed

CHINA = [(119, 79, "normal"), (120, 79, "high-normal"), (119, 80, "high-normal"), (139, 89, "high-normal"),
         (140, 70, "grade-1"), (100, 90, "grade-1"), (159, 99, "grade-1"), (160, 70, "grade-2"), (120, 100, "grade-2"),
         (179, 109, "grade-2"), (180, 70, "grade-3"), (130, 110, "grade-3"), (139.4, 70, "high-normal"),
         (139.5, 70, "grade-1")]  # fmt: skip
ESC = [(129, 84, "normal"), (130, 70, "high-normal"), (120, 85, "high-normal"), (139, 89, "high-normal"),
       (140, 89, "grade-1"), (160, 89, "grade-2"), (180, 89, "grade-3"), (150, 110, "grade-3")]  # fmt: skip
AHA = [(119, 79, "normal"), (120, 79, "elevated"), (129, 79, "elevated"), (119, 80, "stage-1"), (129, 89, "stage-1"),
       (130, 70, "stage-1"), (139, 89, "stage-1"), (140, 70, "stage-2"), (120, 90, "stage-2"), (180, 120, "stage-2"),
       (181, 80, "severe"), (150, 121, "severe")]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "systolic", "diastolic", "code"),
    [(name, *row) for name, rows in (("china", CHINA), ("esc", ESC), ("aha", AHA)) for row in rows],
)
def test_blood_pressure(name: str, systolic: float, diastolic: float, code: str) -> None:
    found = blood_pressure.categorise(systolic, diastolic, GROWN, blood_pressure.TABLES[name])
    assert isinstance(found, blood_pressure.Category)
    assert (found.code, found.table) == (code, name)


@pytest.mark.parametrize(
    ("systolic", "diastolic", "urgent", "hypotension"),
    [(179, 109, False, False), (180, 80, True, False), (150, 110, True, False), (90, 50, False, False),
     (89, 50, False, True)],
)  # fmt: skip
def test_china_is_the_default_and_urgent_readings_are_marked(
    systolic: float, diastolic: float, urgent: bool, hypotension: bool
) -> None:
    found = blood_pressure.categorise(systolic, diastolic, SOMEBODY)
    assert isinstance(found, blood_pressure.Category)
    assert (found.table, found.urgent, found.hypotension, found.assumed) == ("china", urgent, hypotension, True)


def test_no_category_for_what_is_no_pressure_or_for_children() -> None:
    with pytest.raises(ValueError, match="no blood pressure"):
        blood_pressure.categorise(80, 120, GROWN)
    assert isinstance(blood_pressure.categorise(120, 80, child(9).placed), Refused)
    assert isinstance(blood_pressure.categorise(120, 80, PREGNANT.placed), Refused)


@given(
    systolic=st.integers(61, 300), more=st.integers(0, 50), diastolic=st.integers(20, 60),
    name=st.sampled_from(sorted(blood_pressure.TABLES)),
)  # fmt: skip
def test_more_pressure_is_never_a_lower_category(systolic: int, more: int, diastolic: int, name: str) -> None:
    table = blood_pressure.TABLES[name]
    order = ["normal", *(grade.code for grade in table.grades)]
    less = blood_pressure.categorise(systolic, diastolic, GROWN, table)
    higher = blood_pressure.categorise(systolic + more, diastolic, GROWN, table)
    assert isinstance(less, blood_pressure.Category)
    assert isinstance(higher, blood_pressure.Category)
    assert order.index(less.code) <= order.index(higher.code)


@pytest.mark.parametrize(
    ("mmol", "code", "urgent"),
    [
        (2.9, "hypo-2", True), (2.94, "hypo-2", True), (2.95, "hypo-1", True), (3.0, "hypo-1", True),
        (3.8, "hypo-1", True), (3.9, "in-range", True), (4.0, "in-range", False), (10.0, "in-range", False),
        (10.04, "in-range", False), (10.05, "hyper-1", False), (10.1, "hyper-1", False), (13.9, "hyper-1", False),
        (14.0, "hyper-2", False), (16.6, "hyper-2", False), (16.7, "hyper-2", True),
    ],
)  # fmt: skip
def test_glucose(mmol: float, code: str, urgent: bool) -> None:
    assert glucose.classify(mmol, GROWN) == glucose.Glucose(code, urgent, False)


def test_glucose_of_others() -> None:
    assert isinstance(glucose.classify(5, Placed(Population.NEONATE)), Refused)
    assert isinstance(glucose.classify(5, PREGNANT.placed), Refused)
    assert glucose.classify(5, child(8).placed) == glucose.Glucose("in-range", False, False)
    assert glucose.to_mmol(180) == pytest.approx(9.99, abs=0.005)


@pytest.mark.parametrize(
    ("flow", "zone", "percent"),
    [
        (500, "green", 100),
        (400, "green", 80),
        (399, "yellow", 80),
        (250, "yellow", 50),
        (249, "red", 50),
        (0, "red", 0),
    ],
)
def test_peak_flow(flow: float, zone: str, percent: float) -> None:
    assert peak_flow.zone(flow, 500, GROWN, ADULT.age_days) == peak_flow.PeakFlow(zone, percent, False)


def test_peak_flow_needs_a_best_and_five_years() -> None:
    with pytest.raises(ValueError, match="personal best"):
        peak_flow.zone(400, 0, GROWN, None)
    four, five = child(4.99), child(5)
    assert isinstance(peak_flow.zone(100, 150, child(0).placed, 0), Refused)
    assert isinstance(peak_flow.zone(100, 150, four.placed, four.age_days), Refused)
    assert isinstance(peak_flow.zone(100, 150, five.placed, five.age_days), peak_flow.PeakFlow)
    unknown = peak_flow.zone(400, 500, SOMEBODY, None)
    assert isinstance(unknown, peak_flow.PeakFlow)
    assert unknown.assumed


def range_of(plan: rehab.Plan, person: Person = ADULT) -> rehab.Limits:
    found = rehab.limits(plan, person)
    assert isinstance(found, rehab.Limits), found
    return found


def test_training_as_an_outpatient() -> None:
    found = range_of(rehab.Plan(resting=60, maximum=160))
    assert (found.low, found.stop, found.estimated) == (100, 140, False)
    assert [rehab.judge(rate, found) for rate in (99, 100, 140, 140.5)] == ["below", "within", "within", "stop"]


def test_without_a_test_the_maximum_is_estimated_and_marked() -> None:
    found = range_of(rehab.Plan(resting=65))  # 50 years: 208 - 35 = 173
    assert found.estimated
    assert found.stop == pytest.approx(65 + 0.8 * 108, abs=0.05)


@pytest.mark.parametrize(
    ("plan", "stop"),
    [
        (rehab.Plan(resting=70, early="infarction"), 90),
        (rehab.Plan(resting=70, early="surgery"), 100),
        (rehab.Plan(resting=95, early="surgery"), 120),
        (rehab.Plan(resting=60, maximum=160, ischaemic_threshold=130), 120),
        (rehab.Plan(resting=60, maximum=160, ischaemic_threshold=150), 140),
        (rehab.Plan(resting=60, maximum=160, ischaemic_threshold=151), 140),
    ],
)
def test_the_lowest_ceiling_holds(plan: rehab.Plan, stop: float) -> None:
    assert range_of(plan).stop == stop


@pytest.mark.parametrize(
    ("plan", "person", "why"),
    [
        (rehab.Plan(resting=60), UNKNOWN, "unknown age"),
        (rehab.Plan(resting=60, beta_blocker=True), ADULT, "beta blocker"),
        (rehab.Plan(resting=125, early="surgery"), ADULT, "no room"),
        (rehab.Plan(resting=80, maximum=160, ischaemic_threshold=90), ADULT, "no room"),
        (rehab.Plan(resting=60, maximum=160), PREGNANT, "made for adult"),
        (rehab.Plan(resting=60, maximum=160), child(12), "made for adult"),
    ],
)
def test_no_range_is_a_reason(plan: rehab.Plan, person: Person, why: str) -> None:
    found = rehab.limits(plan, person)
    assert isinstance(found, Refused)
    assert why in found.reason


DAY = 24 * HOUR


@pytest.mark.parametrize(
    ("late", "count", "act"),
    [
        (0, 0, None), (DAY + 2 * HOUR - 1, 0, None), (DAY + 2 * HOUR, 1, "remind-person"),
        (2 * DAY + 2 * HOUR - 1, 1, "remind-person"), (2 * DAY + 2 * HOUR, 2, "nurse-calls"),
        (4 * DAY + 2 * HOUR - 1, 3, "nurse-calls"), (4 * DAY + 2 * HOUR, 4, "second-contact"),
        (7 * DAY + 2 * HOUR, 7, "visit"), (30 * DAY, 29, "visit"),
    ],
)  # fmt: skip
def test_missed_uploads(late: int, count: int, act: str | None) -> None:
    found = uploads.judge(NOW, NOW + late, every=DAY, grace=2 * HOUR)
    assert (found.count, found.act) == (count, act)
    assert found.since == (NOW + DAY + 2 * HOUR if count else None)
    assert uploads.judge(NOW, found.next_at, every=DAY, grace=2 * HOUR).count == count + 1
    assert uploads.judge(NOW, found.next_at - 1, every=DAY, grace=2 * HOUR).count == count


def test_a_plan_needs_an_interval() -> None:
    with pytest.raises(ValueError, match="every 0"):
        uploads.judge(NOW, NOW, every=0, grace=0)


def trace(rate: float | None, seconds: int = 600, every: int = 1) -> tuple[fetal.FetalTrace, int]:
    found = fetal.FetalTrace()
    for second in range(0, seconds + 1, every):
        found.feed(rate, NOW + second * SECOND)
    return found, NOW + seconds * SECOND


@pytest.mark.parametrize(
    ("rate", "code"),
    [(109, "bradycardia"), (109.4, "bradycardia"), (109.5, "normal"), (110, "normal"), (160, "normal"),
     (160.4, "normal"), (161, "tachycardia")],
)  # fmt: skip
def test_fetal_baseline(rate: float, code: str) -> None:
    found, now = trace(rate)
    state = found.state(PREGNANT.placed, now)
    assert isinstance(state, fetal.FetalState)
    assert (state.code, state.loss) == (code, 0)


@pytest.mark.parametrize(
    ("heard", "loss", "code"),
    [(600, 0, "normal"), (480, 0.2, "normal"), (479, 121 / 600, "signal-loss"), (0, 1, "signal-loss")],
)
def test_a_trace_with_more_than_a_fifth_lost_has_no_baseline(heard: int, loss: float, code: str) -> None:
    found = fetal.FetalTrace()
    for second in range(601):
        found.feed(140 if 0 < second < heard else None, NOW + second * SECOND)  # a value stands for two seconds
    state = found.state(PREGNANT.placed, NOW + 601 * SECOND)
    assert isinstance(state, fetal.FetalState)
    assert state.loss == pytest.approx(loss, abs=1e-9)
    assert (state.code, state.baseline) == (code, 140 if code == "normal" else None)


def test_a_trace_that_has_just_begun_is_filling() -> None:
    found, now = trace(140, seconds=599)
    state = found.state(PREGNANT.placed, now)
    assert isinstance(state, fetal.FetalState)
    assert (state.code, state.baseline) == ("filling", None)
    assert isinstance(found.state(GROWN, now), Refused)


def test_a_trace_of_which_nobody_asks_holds_no_more_than_its_window() -> None:
    """Hours of the heart of somebody who is not known to be pregnant."""
    tracemalloc.start()
    try:
        found, _ = trace(140, seconds=1200)
        before, _ = tracemalloc.get_traced_memory()
        for second in range(1201, 20_000):
            found.feed(140, NOW + second * SECOND)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after < 2 * before, "thirty windows have passed"


def test_silence_after_a_good_trace_becomes_loss() -> None:
    found, now = trace(140)
    codes = []
    for minutes in range(1, 4):
        state = found.state(PREGNANT.placed, now + minutes * MINUTE)
        assert isinstance(state, fetal.FetalState)
        codes.append(state.code)
    assert codes == ["normal", "normal", "signal-loss"]
