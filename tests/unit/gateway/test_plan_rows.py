"""Limits that follow from care plans: whose, how high, and that nobody else has them."""

import pytest

from gateway.contract.quantity import MINUTE
from gateway.derive.plans import CarePlan, Content, PlanKind, refusal
from gateway.derive.population import Placed, Population
from gateway.derive.scores import peak_flow, rehab, uploads
from gateway.derive.scores.score import Person
from gateway.rules.catalogue import CATALOGUE
from gateway.rules.patient import LimitRefused, Patient, check_limit, row_for, silent_on
from gateway.rules.plan_rows import PEAK_FLOW_RED, PEAK_FLOW_YELLOW, PLANNED, REHAB_STOP, UPLOADS, limits_of
from gateway.rules.ruleset import RulesError, default_ruleset, read_ruleset
from tests.unit.scores.tables import ADULT, NOW, PREGNANT, child

TRAINING = rehab.Plan(resting=70, early="infarction")
BEST = peak_flow.Plan(personal_best=450)
DAILY = uploads.Plan(every_minutes=1440)


def planned(kind: PlanKind, content: Content) -> dict[str, CarePlan]:
    return {kind: CarePlan("plan-1", content, "dr.li", NOW, NOW + MINUTE)}


def patient(person: Person, kind: PlanKind, content: Content) -> Patient:
    plans = planned(kind, content)
    return Patient("p", person.placed, None, limits_of(plans, person), person, plans)


def test_a_training_gives_the_stop_its_limit_and_its_author() -> None:
    limit = limits_of(planned(PlanKind.REHAB, TRAINING), ADULT)[REHAB_STOP]
    assert (limit.limit, limit.id, limit.set_by, limit.expires_at) == (90, "plan-1", "dr.li", NOW + MINUTE)
    row = row_for(CATALOGUE[REHAB_STOP], patient(ADULT, PlanKind.REHAB, TRAINING))
    assert row is not None
    assert row.threshold is not None
    assert row.threshold.limit == 90


def test_a_personal_best_gives_both_zones_their_limit() -> None:
    limits = limits_of(planned(PlanKind.PEAK_FLOW, BEST), ADULT)
    assert {code: limit.limit for code, limit in limits.items()} == {PEAK_FLOW_YELLOW: 360, PEAK_FLOW_RED: 225}


@pytest.mark.parametrize("flow", [0, 224.9, 225, 225.1, 359.9, 360, 450])
def test_the_alerts_and_the_zones_agree(flow: float) -> None:
    found = peak_flow.zone(flow, BEST.personal_best, ADULT.placed, ADULT.age_days)
    assert isinstance(found, peak_flow.PeakFlow)
    whose = patient(ADULT, PlanKind.PEAK_FLOW, BEST)
    told = {}
    for code in (PEAK_FLOW_YELLOW, PEAK_FLOW_RED):
        row = row_for(CATALOGUE[code], whose)
        assert row is not None
        assert row.threshold is not None
        told[code] = row.threshold.breached(flow)
    assert told == {PEAK_FLOW_YELLOW: found.zone != "green", PEAK_FLOW_RED: found.zone == "red"}


@pytest.mark.parametrize(
    ("person", "kind", "content", "code"),
    [
        (PREGNANT, PlanKind.REHAB, TRAINING, "population"),
        (child(12), PlanKind.REHAB, TRAINING, "population"),
        (Person(), PlanKind.REHAB, rehab.Plan(resting=60), "no-maximum"),
        (child(4), PlanKind.PEAK_FLOW, BEST, "too-young"),
    ],
)
def test_nothing_follows_from_a_plan_that_is_not_for_them(
    person: Person, kind: PlanKind, content: Content, code: str
) -> None:
    refused = refusal(content, person)
    assert refused is not None
    assert refused.code == code
    assert limits_of(planned(kind, content), person) == {}


def test_uploads_are_for_everybody_and_give_no_limit() -> None:
    assert refusal(DAILY, child(1)) is None
    assert limits_of(planned(PlanKind.UPLOADS, DAILY), ADULT) == {}


@pytest.mark.parametrize("code", [REHAB_STOP, PEAK_FLOW_YELLOW, PEAK_FLOW_RED])
def test_without_a_plan_the_row_is_silent_and_nobody_can_set_its_limit(code: str) -> None:
    nobody = Patient("p", Placed(Population.ADULT))
    assert row_for(CATALOGUE[code], nobody) is None
    assert silent_on(CATALOGUE[code], nobody) == "no care plan of this person gives it a limit"
    refused = check_limit(CATALOGUE, nobody, code, 100)
    assert refused is not None
    assert (refused.reason, "care plan" in refused.detail) == (LimitRefused.NO_LIMIT, True)
    with pytest.raises(RulesError, match="care plan"):
        read_ruleset(f"[alert.{code}]\nlimit = 100".encode())
    delayed = read_ruleset(f"[alert.{code}]\nfor = 20".encode()).rows[code].condition
    assert delayed is not None
    assert delayed.for_ == 20_000_000


def test_what_stands_on_a_derivation_is_off_with_it() -> None:
    for row in PLANNED:
        off = default_ruleset([row.derivation])
        assert not off.rows[row.code].enabled
        assert off.version != default_ruleset().version
        assert not read_ruleset(b"", [row.derivation]).rows[row.code].enabled
    assert [row.code for row in PLANNED if default_ruleset(["news2"]).rows[row.code].enabled] == [
        row.code for row in PLANNED
    ]


def test_each_tier_mutes_the_milder_ones() -> None:
    codes = [row.code for row in UPLOADS]
    assert codes == ["uploads-remind-person", "uploads-nurse-calls", "uploads-second-contact", "uploads-visit"]
    assert [row.inhibited_by for row in UPLOADS] == [tuple(codes[n + 1 :]) for n in range(4)]
