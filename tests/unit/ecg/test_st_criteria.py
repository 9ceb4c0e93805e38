"""The published table row by row at its boundary, every contiguous pair, and what is asked of the reader."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.derive.ecg.st_criteria import (
    REQUEST_STATEMENT,
    STATEMENT,
    StFinding,
    contiguous,
    criteria,
    threshold,
    why_silent,
)
from gateway.derive.ecg.st_report import StReport
from tests.unit.ecg.st_builders import lead, report

V2_V3, POSTERIOR, RIGHT = ("V2", "V3"), ("V7", "V8", "V9"), ("V3R", "V4R")
OTHER = ("I", "II", "III", "aVL", "aVF", "V1", "V4", "V5", "V6")
# Fourth Universal Definition, typed from domain-facts 1.4: leads, sex, ages, mV
TABLE = [
    (V2_V3, "male", (18, 30, 39, 39.9), 0.25),
    (V2_V3, "male", (40, 41, 90), 0.20),
    (V2_V3, "female", (18, 39, 40, 90), 0.15),
    (OTHER, "male", (18, 39, 40, 90), 0.10),
    (OTHER, "female", (18, 39, 40, 90), 0.10),
    (POSTERIOR, "male", (18, 39), 0.10),
    (POSTERIOR, "male", (40, 90), 0.05),
    (POSTERIOR, "female", (18, 39, 40, 90), 0.05),
    (RIGHT, "male", (18, 29), 0.10),
    (RIGHT, "male", (30, 39, 40, 90), 0.05),
    (RIGHT, "female", (18, 29, 30, 90), 0.05),
]
ROWS = [(name, sex, age, mv) for leads, sex, ages, mv in TABLE for name in leads for age in ages]
# every pair that is contiguous, from the groups and the two orders of leads
PAIRS = {
    frozenset(pair)
    for group in (("II", "III", "aVF"), ("I", "aVL", "V5", "V6"), ("V1", "V2", "V3", "V4"), POSTERIOR, RIGHT)
    for pair in combinations(group, 2)
} | {frozenset(pair) for pair in (("I", "-aVR"), ("-aVR", "II"), ("V4", "V5"), ("V6", "V7"))}
LEADS = ("I", "II", "III", "-aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6", "V7", "V8", "V9", "V3R", "V4R")


def found(made: StReport, sex: str | None = "male", age: float | None = 60) -> StFinding:
    finding = criteria(made, sex, age)
    assert finding is not None
    return finding


@pytest.mark.parametrize(("name", "sex", "age", "mv"), ROWS)
def test_a_row_of_the_table_at_its_boundary(name: str, sex: str, age: float, mv: float) -> None:
    assert threshold(name, sex, age) == mv
    partner = next(other for other in (*OTHER, *V2_V3, *POSTERIOR, *RIGHT) if frozenset((name, other)) in PAIRS)
    at = criteria(report({partner: 0.5, name: mv}), sex, age)
    below = criteria(report({partner: 0.5, name: mv - 0.0001}), sex, age)
    assert at is not None
    assert at.criteria_met
    assert below is None or not below.criteria_met


@pytest.mark.parametrize(("one", "other"), list(combinations(LEADS, 2)))
def test_every_pair_of_leads_is_contiguous_or_not(one: str, other: str) -> None:
    assert bool(contiguous([one, other])) == (frozenset((one, other)) in PAIRS)


def test_avr_counts_upside_down_and_only_so() -> None:
    assert found(report({"II": 0.12, "aVR": -0.1})).groups[0].leads == ("-aVR", "II")
    assert criteria(report({"II": 0.12, "aVR": 0.3}), "male", 60) is None


def test_one_lead_is_not_enough_however_high() -> None:
    assert criteria(report({"V5": 0.9}), "female", 60) is None


def test_the_finding_explains_itself() -> None:
    finding = found(report({"II": 0.15, "III": 0.2, "aVF": 0.18, "aVL": -0.12, "V2": 0.19}, j_sample=731))
    assert finding.criteria_met
    assert finding.code == "st-criteria"
    assert [(group.name, group.leads) for group in finding.groups] == [("inferior", ("II", "III", "aVF"))]
    rows = {row.lead: row for row in finding.judged}
    assert (rows["III"].mv, rows["III"].threshold, rows["III"].met) == (0.2, 0.1, True)
    assert (rows["V2"].mv, rows["V2"].threshold, rows["V2"].met) == (0.19, 0.2, False)
    assert len(rows) == 12
    assert finding.j_sample == 731
    assert (finding.confidence, finding.cautions, finding.assumed) == ("usual", (), ())


@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_diagnosis_is_stated(language: str) -> None:
    for text in (STATEMENT[language], REQUEST_STATEMENT[language]):
        assert not any(word in text.lower() for word in ("stemi", "infarct", "心肌梗死", "心梗"))
    assert STATEMENT["en"] == "meets published ST criteria, needs physician reading"


@pytest.mark.parametrize(
    ("sex", "age", "assumed"),
    [
        (None, None, ("sex-unknown", "age-unknown")),
        ("unknown", 60, ("sex-unknown",)),
        ("other", 60, ("sex-unknown",)),
        ("male", None, ("age-unknown",)),
    ],
)
def test_unknown_sex_or_age_takes_the_lowest_threshold_and_says_so(
    sex: str | None, age: float | None, assumed: tuple[str, ...]
) -> None:
    level = 0.20 if sex == "male" else 0.15
    finding = found(report({"V2": level, "V3": level}), sex, age)
    assert finding.criteria_met
    assert finding.assumed == assumed
    assert criteria(report({"V2": level - 0.001, "V3": level - 0.001}), sex, age) is None


def test_children_are_outside_the_population() -> None:
    raised = report({"II": 0.3, "III": 0.3})
    assert criteria(raised, "male", 17) is None
    assert why_silent(raised, 17) == ("outside-population",)
    assert why_silent(raised, None) == ()
    assert found(raised, "male", 18).criteria_met


def test_a_refused_report_says_nothing() -> None:
    refused = report({"II": 0.3, "III": 0.3}, refused=("filter-not-fit-for-st",))
    assert criteria(refused, "male", 60) is None
    assert why_silent(refused, 60) == ("filter-not-fit-for-st",)


def test_inferior_elevation_asks_for_the_right_side() -> None:
    inferior = {"II": 0.15, "III": 0.15}
    (request,) = found(report(inferior)).requests
    assert (request.leads, request.because) == (("V3R", "V4R"), ("II", "III"))
    assert found(report(inferior | {"V4R": 0.0, "V3R": 0.0})).requests == ()


def test_depression_with_an_upright_t_asks_for_the_back() -> None:
    finding = found(report({"V1": -0.05, "V2": -0.05}))
    assert not finding.criteria_met
    assert finding.statement == REQUEST_STATEMENT
    assert [(request.leads, request.because) for request in finding.requests] == [(("V7", "V8", "V9"), ("V1", "V2"))]


@pytest.mark.parametrize(
    "made",
    [
        report({"V1": -0.049, "V2": -0.2}),
        report({"V1": -0.2, "V3": -0.2}),
        report(None, *(lead(name, j=-0.2, t=-0.3, t_terminal=-0.3) for name in ("V1", "V2", "V3"))),
        report({"V1": -0.2, "V2": -0.2, "V7": 0.0, "V8": 0.0, "V9": 0.0}),
    ],
    ids=["too small", "not neighbours", "T inverted", "already recorded"],
)
def test_no_request_without_its_reason(made: StReport) -> None:
    assert criteria(made, "male", 60) is None


def checks(made: StReport) -> dict[str, tuple[str, ...]]:
    return {item.code: item.leads for item in found(made).checks}


def test_the_reader_gets_all_four_items_even_without_a_value_that_fits() -> None:
    assert checks(report({"II": 0.2, "III": 0.2})) == {
        "de-winter": (), "wellens": (), "avr-elevation": (), "modified-sgarbossa": (),
    }  # fmt: skip


def test_values_that_fit_an_item_name_their_leads() -> None:
    inferior = {"II": 0.2, "III": 0.2}
    de_winter = report(inferior, lead("V3", j=-0.1, j60=0.0, t=0.6), lead("V4", j=-0.15, j60=-0.2, t=0.6))
    assert checks(de_winter)["de-winter"] == ("V3",)
    wellens = report(inferior, lead("V2", t_wave="biphasic", t_terminal=-0.1), lead("V3", t=-0.2, t_wave="inverted"))
    assert checks(wellens)["wellens"] == ("V2", "V3")
    depressed = dict.fromkeys(("I", "aVL", "V3", "V4", "V5", "V6"), -0.1)
    assert checks(report(inferior | depressed | {"aVR": 0.1}))["avr-elevation"] == (
        "aVR", "I", "aVL", "V3", "V4", "V5", "V6",
    )  # fmt: skip
    assert checks(report(inferior | depressed | {"aVR": 0.1, "V6": -0.09}))["avr-elevation"] == ()


@pytest.mark.parametrize(
    ("row", "fits"),
    [
        (lead("V5", j=0.1, r=1.0, s=-0.2), True),  # concordant elevation
        (lead("V2", j=-0.1, r=0.2, s=-1.0), True),  # concordant depression
        (lead("V3", j=0.5, r=0.2, s=-2.0), True),  # a quarter of the S wave
        (lead("V3", j=0.49, r=0.2, s=-2.0), False),
        (lead("V5", j=-0.3, r=1.0, s=-0.2), False),  # what a left bundle branch block does by itself
    ],
)
def test_modified_sgarbossa_needs_a_wide_or_paced_qrs(row: object, fits: bool) -> None:
    inferior = (lead("II", j=0.2, r=0.1, s=-2), lead("III", j=0.2, r=0.1, s=-2))
    for about in ({"qrs_ms": 120.0}, {"pacing": True}):
        assert checks(report(None, *inferior, row, **about))["modified-sgarbossa"] == (  # type: ignore[arg-type]
            (row.lead,) if fits else ()  # type: ignore[attr-defined]
        )
    assert checks(report(None, *inferior, row))["modified-sgarbossa"] == ()  # type: ignore[arg-type]


LEVELS = st.fixed_dictionaries({name: st.floats(-0.6, 0.6) for name in ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")})
SEXES = st.sampled_from(["male", "female"])
AGES = st.floats(18, 100)


def met(levels: dict[str, float], sex: str | None, age: float | None) -> set[str]:
    finding = criteria(report(levels), sex, age)
    return set() if finding is None else {name for group in finding.groups for name in group.leads}


@given(LEVELS, SEXES, AGES)
def test_knowing_less_never_makes_us_see_less(levels: dict[str, float], sex: str, age: float) -> None:
    known = met(levels, sex, age)
    assert known <= met(levels, None, age) <= met(levels, None, None)
    assert known <= met(levels, sex, None) <= met(levels, None, None)


@given(LEVELS, SEXES, AGES, st.floats(0, 0.5))
def test_more_elevation_never_clears_a_finding(levels: dict[str, float], sex: str, age: float, more: float) -> None:
    assert met(levels, sex, age) <= met({name: level + more for name, level in levels.items()}, sex, age)


@given(LEVELS, st.floats(18, 100))
def test_a_caution_never_suppresses(levels: dict[str, float], age: float) -> None:
    """The same levels with everything wrong that can lower confidence."""
    doubtful = report(levels, qrs_ms=160.0, heart_rate=170.0, pacing=True, beats_used=3, low_cut_hz=None)
    finding = criteria(doubtful, "male", age)
    named = set() if finding is None else {name for group in finding.groups for name in group.leads}
    assert named == met(levels, "male", age)
    if finding is not None:
        assert finding.confidence == "lowered"
        assert {"wide-qrs", "fast-heart-rate", "pacing", "beats-differ", "filter-unknown"} <= {
            caution.code for caution in finding.cautions
        }
