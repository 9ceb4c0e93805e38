"""Whom a limit is made for: populations, the oxygen target, limits of one patient."""

from typing import Any

import pytest

from gateway.contract.quantity import HOUR, MINUTE, SECOND
from gateway.contract.topic import UnitKind
from gateway.derive.population import Placed, Population
from gateway.rules.catalogue import CATALOGUE
from gateway.rules.engine import Rules
from gateway.rules.hold import Edge
from gateway.rules.patient import LimitRefused, Patient, PersonLimit, check_limit
from gateway.rules.threshold import Finding, Thresholds
from tests.unit.gateway.builders import NOW

LATER = NOW + 24 * HOUR


def patient(population: Population = Population.ADULT, **more: Any) -> Patient:
    return Patient("person-1", Placed(population), **more)


def own(rule: str, limit: float) -> dict[str, PersonLimit]:
    return {rule: PersonLimit("limit-1", rule, limit, "dr.li", LATER)}


def rules_for(who: Patient | None) -> Rules:
    rules = Rules(Thresholds(None, lambda _: UnitKind.AMBULANCE))
    rules.set_patients({} if who is None else {"u": who})
    return rules


def feed(rules: Rules, quantity: str, value: float, seconds: int = 70, start: int = 0) -> list[Finding]:
    found = []
    for second in range(start, start + seconds):
        at = NOW + second * SECOND
        found += rules.value("u", "m", quantity, value, at, 0, derived=False, simulated=False)
    return found


def codes(who: Patient | None, quantity: str, value: float) -> set[str]:
    return {one.row.code for one in feed(rules_for(who), quantity, value)}


@pytest.mark.parametrize(
    ("population", "value", "expected"),
    [
        (Population.ADULT, 150, {"heart-rate-high"}),
        (Population.PREGNANT, 150, {"heart-rate-high"}),
        (Population.CHILD, 150, {"heart-rate-high"}),
        (Population.TODDLER, 150, set()),
        (Population.INFANT, 150, set()),
        (Population.NEONATE, 85, {"heart-rate-low"}),
        (Population.ADULT, 85, set()),
        (Population.NEONATE, 65, {"heart-rate-low", "heart-rate-severe-low"}),
    ],
)
def test_each_population_has_its_own_limits(population: Population, value: float, expected: set[str]) -> None:
    assert codes(patient(population), "heart-rate", value) == expected


def test_a_row_refuses_outside_its_population_and_says_why() -> None:
    assert codes(patient(Population.INFANT), "news2-at-least", 9) == set()
    assert codes(patient(Population.PREGNANT), "news2-at-least", 9) == set()
    assert codes(patient(), "news2-at-least", 9) == {"news2-medium", "news2-high"}
    assert codes(patient(Population.INFANT), "bp-systolic", 200) == set()
    why = CATALOGUE["news2-high"].refuses(Population.INFANT)
    assert why == "made for adult; not for infant"
    assert codes(patient(Population.PREGNANT), "bp-systolic", 165) == {"bp-systolic-high", "bp-urgent-maternal"}


@pytest.mark.parametrize(
    ("population", "quantity", "value", "expected"),
    [
        (Population.INFANT, "pews-at-least", 8, {"pews-high"}),
        (Population.INFANT, "pews-at-least", 7, set()),
        (Population.ADULT, "pews-at-least", 8, set()),
        (Population.PREGNANT, "meows-at-least", 2, {"meows-trigger"}),
        (Population.PREGNANT, "meows-at-least", 1, set()),
        (Population.ADULT, "meows-at-least", 9, set()),
    ],
)
def test_children_and_mothers_have_a_score_of_their_own(
    population: Population, quantity: str, value: float, expected: set[str]
) -> None:
    assert codes(patient(population), quantity, value) == expected


def test_an_unknown_age_counts_as_adult_and_is_marked() -> None:
    [found] = feed(rules_for(None), "heart-rate", 140)
    assert (found.details["population"], found.details["assumed"]) == ("adult", True)
    [found] = feed(rules_for(patient()), "heart-rate", 140)
    assert found.details["population"] == "adult"
    assert "assumed" not in found.details
    assert found.details["person"] == "person-1"


def test_the_recorded_oxygen_target_shifts_both_limits() -> None:
    target = patient(oxygen_target="88-92")
    assert codes(target, "spo2", 89) == set()
    assert codes(patient(), "spo2", 89) == {"spo2-low"}
    assert codes(target, "spo2", 87) == {"spo2-low"}
    for who, expected in ((target, {"spo2-above-target"}), (patient(), set())):
        rules = rules_for(who)
        feed(rules, "oxygen-flow", 4, 1)
        assert {one.row.code for one in feed(rules, "spo2", 95)} == expected
    assert codes(target, "spo2", 95) == set(), "on air 95 % is no excess"


def test_a_limit_of_ones_own_goes_before_everything_and_the_alert_names_it() -> None:
    who = patient(Population.ADULT, limits=own("heart-rate-high", 150.0))
    assert codes(who, "heart-rate", 145) == set()
    [found] = feed(rules_for(who), "heart-rate", 155)
    assert (found.limit, found.details["person_limit"], found.details["limit_by"]) == (150.0, "limit-1", "dr.li")


def test_a_limit_that_has_ended_counts_no_more_at_once() -> None:
    rules = rules_for(patient(limits=own("heart-rate-high", 150.0)))
    assert rules.thresholds.limits("u")["heart-rate"] == {"low": 45, "high": 150}
    assert feed(rules, "heart-rate", 145) == []
    assert rules.set_patients({"u": patient()}) == ["u"]
    assert rules.thresholds.limits("u")["heart-rate"] == {"low": 45, "high": 130}
    assert [one.edge for one in feed(rules, "heart-rate", 145, start=70)] == [Edge.RAISE]


def test_an_open_alert_of_a_row_that_no_longer_speaks_of_the_patient_ends_and_says_why() -> None:
    rules = rules_for(None)
    assert [one.row.code for one in feed(rules, "bp-systolic", 200, 1)] == ["bp-systolic-high"]
    assert [one for one in rules.check(NOW) if one.edge is Edge.CLEAR] == []
    rules.set_patients({"u": patient(Population.INFANT)})
    [ended] = rules.check(NOW + SECOND)
    assert (ended.row.code, ended.edge, ended.subject) == ("bp-systolic-high", Edge.CLEAR, "unit/u")
    assert "does not count" in ended.details["why"]
    assert rules.check(NOW + 2 * SECOND) == []


@pytest.mark.parametrize(
    ("who", "code", "limit", "reason"),
    [
        (patient(), "heart-rate-high", 150, None),
        (patient(), "heart-rate-low", 38, None),
        (patient(), "heart-rate-hihg", 150, LimitRefused.UNKNOWN_ALERT),
        (patient(), "asystole", 3, LimitRefused.NO_LIMIT),
        (patient(), "bp-urgent", 170, LimitRefused.NO_LIMIT),
        (patient(), "heart-rate-high", 400, LimitRefused.OUT_OF_RANGE),
        (patient(Population.INFANT), "bp-systolic-high", 150, LimitRefused.OTHER_POPULATION),
        (patient(), "heart-rate-high", 161, LimitRefused.BEYOND_GRAVER),
        (patient(limits=own("heart-rate-severe-high", 180.0)), "heart-rate-high", 161, None),
        (patient(), "spo2-low", 84, LimitRefused.BEYOND_GRAVER),
        (patient(), "heart-rate-high", 45, LimitRefused.CROSSES),
        (patient(), "heart-rate-low", 135, LimitRefused.CROSSES),
    ],
)
def test_which_limits_can_be_set(who: Patient, code: str, limit: float, reason: LimitRefused | None) -> None:
    refused = check_limit(CATALOGUE, who, code, limit)
    assert (refused.reason if refused else None) == reason


# ---- cargo ----------------------------------------------------------------------------------------------------------


def cargo(set_point: float | None, value: float, minutes: int) -> list[tuple[str, str]]:
    rules = Rules(Thresholds(None, lambda _: UnitKind.DELIVERY_VAN))
    found = []
    for second in range(0, minutes * 60 + 1, 10):
        at = NOW + second * SECOND
        values = {"set-point-temperature": set_point, "cargo-temperature-1": value, "cargo-temperature-2": 5.0}
        for name, one in values.items():
            if one is not None:
                found += rules.value("van-1", "logger", name, one, at, 0, derived=False, simulated=False)
    return [(one.row.code, one.subject) for one in found]


FIRST = "unit/van-1/cargo-temperature-1"


@pytest.mark.parametrize(
    ("set_point", "value", "minutes", "expected"),
    [
        (4.0, 8.1, 10, [("cargo-warm", FIRST)]),
        (4.0, 8.1, 9, []),
        (4.0, 8.0, 60, []),
        (None, 8.1, 10, [("cargo-warm", FIRST)]),
        (4.0, 16.0, 2, [("cargo-hot", FIRST)]),
        (4.0, 1.9, 10, [("cargo-cold", FIRST)]),
        (4.0, 0.0, 2, [("cargo-frozen", FIRST)]),
        (20.0, 8.1, 60, []),
        (20.0, 30.5, 59, []),
        (20.0, 30.5, 60, [("room-cargo-warm", FIRST)]),
        (20.0, 40.0, 2, [("room-cargo-hot", FIRST)]),
        (20.0, 4.9, 30, [("room-cargo-cold", FIRST)]),
        (None, 30.5, 2, [("cargo-hot", FIRST)]),
    ],
)
def test_the_set_point_says_which_goods_a_van_carries_and_each_probe_is_an_alert(
    set_point: float | None, value: float, minutes: int, expected: list[tuple[str, str]]
) -> None:
    assert cargo(set_point, value, minutes) == expected


def test_an_alert_that_the_set_point_completes_is_about_the_cargo() -> None:
    rules = Rules(Thresholds(None, lambda _: UnitKind.DELIVERY_VAN))

    def told(second: int, device: str, quantity: str, value: float) -> list[Finding]:
        return rules.value("van-1", device, quantity, value, NOW + second * SECOND, 0, derived=False, simulated=False)

    assert not [one for second in range(0, 600, 10) for one in told(second, "logger", "cargo-temperature-1", 8.4)]
    [found] = told(601, "fridge", "set-point-temperature", 4.0)
    assert (found.row.code, found.device, found.value, found.limit) == ("cargo-warm", "logger", 8.4, 8)
    assert found.details["quantity"] == "cargo-temperature-1"


# ---- blood pressure at a kiosk --------------------------------------------------------------------------------------


def measured(readings: list[tuple[float, float]], minutes: int = 5) -> list[str]:
    """What the readings of one adult, so many minutes apart, raise."""
    rules, found = Rules(Thresholds(None, lambda _: UnitKind.HEALTH_KIOSK)), []
    rules.set_patients({"u": patient()})
    for n, reading in enumerate(readings):
        at = NOW + n * minutes * MINUTE
        for quantity, value in zip(("bp-systolic", "bp-diastolic"), reading, strict=True):
            found += rules.value("u", "cuff", quantity, value, at, 0, derived=False, simulated=False)
    return [one.row.code for one in found if one.edge is Edge.RAISE]


def test_two_raised_readings_are_told_by_either_pressure() -> None:
    assert measured([(130, 95), (130, 95)]) == ["bp-diastolic-raised"]
    assert measured([(130, 90), (130, 90)]) == ["bp-diastolic-raised"], "the limit is beyond it"
    assert measured([(145, 80), (145, 80)]) == ["bp-raised"]
    assert measured([(130, 95)]) == [], "one is none"
    assert measured([(130, 95), (130, 85), (130, 95)]) == [], "not running"
    assert measured([(130, 95), (130, 95)], minutes=31) == [], "too far apart"
    assert measured([(130, 110)]) == ["bp-urgent"], "the limit of urgent referral needs no second one"
