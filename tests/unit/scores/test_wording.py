"""What readings are called: row by row, for whom not, and which of several counts."""

from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config import DeriveSettings
from gateway.contract.quantity import MINUTE, SECOND
from gateway.derive.plans import CarePlan, Content, Plans
from gateway.derive.population import Pregnancy
from gateway.derive.scores import blood_pressure, glucose, peak_flow, rehab
from gateway.derive.scores.score import Person
from gateway.derive.wording import QUANTITIES, Measured, Wording, Wordings, measured_of
from gateway.fleet import Latest
from tests.unit.scores.tables import ADULT, NOW, PREGNANT, UNKNOWN, child

TRAINING = rehab.Plan(resting=60, maximum=160)  # 100 to 140
BEST = peak_flow.Plan(personal_best=500)


def plan(content: Content, kind: str) -> Plans:
    return {kind: CarePlan("plan-1", content, "dr.li", NOW, NOW + MINUTE)}


def one(device: str, quantity: str, value: float, ago: int = 0) -> Measured:
    return Measured(device, quantity, value, NOW - ago)


def pressure(systolic: float, diastolic: float, device: str = "cuff", ago: int = 0) -> list[Measured]:
    return [one(device, "bp-systolic", systolic, ago), one(device, "bp-diastolic", diastolic, ago)]


def only(measured: list[Measured], person: Person = ADULT, plans: Plans | None = None, **how: Any) -> Wording:
    [found] = Wordings(**how).of(measured, person, plans or {})
    return found


@pytest.mark.parametrize(
    ("systolic", "diastolic", "code", "urgent"),
    [
        (118, 76, "normal", False), (128, 76, "high-normal", False), (142, 88, "grade-1", False),
        (165, 88, "grade-2", False), (182, 88, "grade-3", True), (84, 50, "hypotension", False),
    ],
)  # fmt: skip
def test_a_blood_pressure(systolic: float, diastolic: float, code: str, urgent: bool) -> None:
    found = only(pressure(systolic, diastolic))
    assert (found.name, found.code, found.urgent, found.source) == (
        "bp-category", code, urgent, blood_pressure.CHINA.source,
    )  # fmt: skip
    assert (found.at, found.device, found.numbers) == (NOW, "cuff", {"systolic": systolic, "diastolic": diastolic})


def test_a_site_may_have_another_table() -> None:
    found = only(pressure(128, 76), pressures=blood_pressure.AHA)
    assert (found.code, found.source) == ("elevated", blood_pressure.AHA.source)


def test_two_numbers_belong_together_only_from_one_device_at_one_instant() -> None:
    assert Wordings().of([one("a", "bp-systolic", 150), one("b", "bp-diastolic", 80)], ADULT, {}) == []
    assert Wordings().of([one("a", "bp-systolic", 150), one("a", "bp-diastolic", 80, ago=1)], ADULT, {}) == []
    earlier, later = pressure(165, 80, "a", ago=MINUTE), pressure(118, 76, "b")
    assert only([*earlier, *later]).code == only([*later, *earlier]).code == "normal"
    assert only([*earlier, one("b", "bp-systolic", 118)]).code == "grade-2", "the newest that is whole"


@pytest.mark.parametrize(
    ("person", "refused", "reason"),
    [
        (PREGNANT, "population", "made for adult; this person is pregnant"),
        (child(9), "population", "made for adult; this person is child"),
    ],
)
def test_outside_its_population_it_says_why(person: Person, refused: str, reason: str) -> None:
    found = only(pressure(142, 88), person)
    assert (found.code, found.refused, found.reason) == (None, refused, reason)
    assert found.population == person.placed.population


def test_somebody_of_unknown_age_is_taken_for_an_adult_and_marked() -> None:
    assert (only(pressure(142, 88), UNKNOWN).code, only(pressure(142, 88), UNKNOWN).assumed) == ("grade-1", True)


def test_what_is_no_pressure_is_said_and_spoils_nothing_else() -> None:
    found = Wordings().of([*pressure(80, 120), one("meter", "glucose", 5.5)], ADULT, {})
    assert [(word.name, word.code, word.refused) for word in found] == [
        ("bp-category", None, "no-pressure"), ("glucose-class", "in-range", None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("mmol", "code", "urgent"),
    [(2.1, "hypo-2", True), (3.5, "hypo-1", True), (5.5, "in-range", False), (11, "hyper-1", False),
     (17, "hyper-2", True)],
)  # fmt: skip
def test_a_glucose(mmol: float, code: str, urgent: bool) -> None:
    found = only([one("meter", "glucose", mmol)])
    assert (found.name, found.code, found.urgent, found.source) == ("glucose-class", code, urgent, glucose.SOURCE)
    assert only([one("meter", "glucose", mmol)], PREGNANT).refused == "population"


@pytest.mark.parametrize(
    ("flow", "zone", "urgent"), [(450, "green", False), (399, "yellow", False), (249, "red", True)]
)
def test_a_peak_flow_against_the_personal_best(flow: float, zone: str, urgent: bool) -> None:
    found = only([one("meter", "peak-flow", flow)], plans=plan(BEST, "peak-flow"))
    assert (found.name, found.code, found.urgent) == ("peak-flow-zone", zone, urgent)
    assert found.numbers["best"] == 500
    assert Wordings().of([one("meter", "peak-flow", flow)], ADULT, {}) == [], "without a personal best there is none"


def test_a_small_child_blows_for_nobody() -> None:
    found = only([one("meter", "peak-flow", 100)], child(4), plan(BEST, "peak-flow"))
    assert (found.code, found.refused) == (None, "too-young")


@pytest.mark.parametrize(("rate", "code"), [(99, "below"), (120, "within"), (140, "within"), (141, "stop")])
def test_a_heart_rate_in_training(rate: float, code: str) -> None:
    found = only([one("patch", "heart-rate", rate)], plans=plan(TRAINING, "rehab"))
    assert (found.name, found.code, found.urgent) == ("rehab-heart-rate", code, code == "stop")
    assert found.numbers == {"low": 100, "stop": 140}
    assert not found.estimated
    assert Wordings().of([one("patch", "heart-rate", rate)], ADULT, {}) == []


def test_the_range_stands_before_the_first_beat_and_says_when_it_is_a_formulas() -> None:
    found = only([], plans=plan(rehab.Plan(resting=65), "rehab"))
    assert (found.code, found.at, found.estimated) == (None, None, True)
    assert found.numbers["stop"] == pytest.approx(65 + 0.8 * 108, abs=0.05)


@pytest.mark.parametrize(
    ("content", "person", "refused"),
    [
        (TRAINING, PREGNANT, "population"),
        (rehab.Plan(resting=60), UNKNOWN, "no-maximum"),
        (rehab.Plan(resting=125, early="surgery"), ADULT, "no-room"),
    ],
)
def test_a_plan_that_is_not_for_them_any_more_is_no_range(content: rehab.Plan, person: Person, refused: str) -> None:
    found = only([one("patch", "heart-rate", 120)], person, plan(content, "rehab"))
    assert (found.code, found.numbers, found.refused) == (None, {}, refused)


def trace(baseline: float | None, loss: float) -> list[Measured]:
    told = [one("gateway", "fetal-signal-loss", loss)]
    return told if baseline is None else [*told, one("gateway", "fetal-baseline", baseline)]


@pytest.mark.parametrize(
    ("baseline", "loss", "code", "urgent"),
    [(109, 0, "bradycardia", True), (140, 3.5, "normal", False), (161, 0, "tachycardia", True),
     (None, 25, "signal-loss", False)],
)  # fmt: skip
def test_a_fetal_heart(baseline: float | None, loss: float, code: str, urgent: bool) -> None:
    found = only(trace(baseline, loss), PREGNANT)
    assert (found.name, found.code, found.urgent, found.numbers["loss"]) == ("fetal-heart-rate", code, urgent, loss)
    stale = one("gateway", "fetal-baseline", 150, ago=MINUTE)
    assert only([*trace(baseline, loss), stale], PREGNANT).code == code, "a baseline of before says nothing of now"


def test_a_fetal_heart_that_was_just_found_and_one_of_nobody() -> None:
    assert only([one("ctg", "fetal-heart-rate", 140)], PREGNANT).code == "filling"
    refused = only([one("ctg", "fetal-heart-rate", 140)], ADULT)
    assert (refused.code, refused.refused) == (None, "population")
    assert "made for pregnant" in str(refused.reason)


@pytest.mark.parametrize("name", ["bp-category", "glucose-class", "peak-flow-zone", "rehab-heart-rate"])
def test_what_is_off_is_not_said(name: str) -> None:
    measured = [*pressure(142, 88), one("m", "glucose", 5), one("p", "peak-flow", 450), one("e", "heart-rate", 120)]
    plans = {**plan(BEST, "peak-flow"), **plan(TRAINING, "rehab")}
    every = [word.name for word in Wordings().of(measured, ADULT, plans)]
    assert every == ["bp-category", "glucose-class", "peak-flow-zone", "rehab-heart-rate"]
    assert [word.name for word in Wordings(off=[name]).of(measured, ADULT, plans)] == [n for n in every if n != name]


def test_a_sites_settings_name_the_tables_there_are() -> None:
    [allowed] = [field.type for field in msgspec.structs.fields(DeriveSettings) if field.name == "blood_pressure"]
    assert set(get_args(allowed)) == blood_pressure.TABLES.keys()


@given(
    values=st.lists(st.tuples(st.sampled_from(sorted(QUANTITIES)), st.floats(-1e6, 1e6), st.integers(0, 3))),
    age=st.none() | st.integers(-5, 40_000),
    pregnancy=st.sampled_from(Pregnancy),
    training=st.builds(
        rehab.Plan,
        resting=st.floats(30, 150), maximum=st.none() | st.floats(60, 240), beta_blocker=st.booleans(),
        early=st.sampled_from([None, "infarction", "surgery"]), ischaemic_threshold=st.none() | st.floats(60, 240),
    ),
    best=st.floats(50, 1000),
)  # fmt: skip
def test_whatever_comes_there_is_a_word_or_a_reason_and_never_both(
    values: list[tuple[str, float, int]], age: int | None, pregnancy: Pregnancy, training: rehab.Plan, best: float
) -> None:
    """A screen's whole state hangs on it: one bad reading must not take a unit off every screen."""
    plans = {**plan(training, "rehab"), **plan(peak_flow.Plan(best), "peak-flow")}
    measured = [one("device", name, value, ago) for name, value, ago in values]
    for word in Wordings().of(measured, Person(age_days=age, pregnancy=pregnancy), plans):
        assert (word.refused is None) == (word.reason is None)
        assert word.code is None or word.refused is None
        assert word.code is not None or word.refused is not None or word.numbers


def test_it_is_news_once() -> None:
    words = Wordings()
    first = words.of([one("e", "heart-rate", 120)], ADULT, plan(TRAINING, "rehab"))
    assert words.news("u", first)
    assert not words.news("u", words.of([one("e", "heart-rate", 121)], ADULT, plan(TRAINING, "rehab")))
    assert words.news("u", words.of([one("e", "heart-rate", 141)], ADULT, plan(TRAINING, "rehab")))
    assert words.news("u", [])
    assert not words.news("other", [])


def latest(value: float | None, at: int, *, derived: bool = False) -> Latest:
    return Latest(value, at, at, derived)


def test_a_derived_rate_counts_while_no_device_has_one_as_new() -> None:
    state = {
        ("gateway", "heart-rate"): latest(150, NOW, derived=True),
        ("monitor", "heart-rate"): latest(80, NOW - SECOND),
    }
    assert [one.device for one in measured_of(state)] == ["monitor"]
    state["monitor", "heart-rate"] = latest(80, NOW - MINUTE)
    assert {one.device for one in measured_of(state)} == {"gateway", "monitor"}
    assert only(measured_of(state), plans=plan(TRAINING, "rehab")).code == "stop"


def test_what_could_not_be_measured_is_no_reading() -> None:
    state = {("cuff", "bp-systolic"): latest(None, NOW), ("cuff", "bp-diastolic"): latest(80, NOW)}
    assert Wordings().of(measured_of(state), ADULT, {}) == []
