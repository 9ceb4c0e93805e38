"""What beds and chairs say of a person, and what detectors find in an ECG: events that become alerts."""

from typing import Any

import pytest

from gateway.contract.quantity import HOUR, MINUTE, SECOND
from gateway.derive.population import CHILDREN, Placed, Population
from gateway.rules.catalogue import CATALOGUE, Priority
from gateway.rules.engine import BLIND, Rules
from gateway.rules.hold import Edge
from gateway.rules.patient import Patient
from gateway.rules.sign_rows import RHYTHM
from gateway.rules.switches import BadCondition
from gateway.rules.threshold import Finding, Thresholds
from tests.unit.gateway.builders import NOW

STRETCH = {"lead": "II", "from": NOW - 4 * SECOND, "to": NOW}


def say(
    rules: Rules, device: str, name: str, details: dict[str, Any], second: int = 0, *, age: int = 0,
    muted: frozenset[str] = frozenset(),
) -> list[Finding]:  # fmt: skip
    at = NOW + second * SECOND
    return rules.report(
        "u", device, name, details, at, simulated=False, mutes=lambda device: device in muted, age=age
    )  # fmt: skip


def rhythm(code: str, state: str = "on") -> dict[str, Any]:
    return {"code": code, "state": state, "device": "monitor", **STRETCH}


@pytest.mark.parametrize("code", [row.code for row in RHYTHM])
def test_a_rhythm_is_about_the_person_and_explains_itself(code: str) -> None:
    rules = Rules(Thresholds())
    [begun] = say(rules, "gateway", "rhythm", rhythm(code))
    assert (begun.row.code, begun.edge, begun.subject, begun.device) == (code, Edge.RAISE, "unit/u", "monitor")
    assert STRETCH.items() <= begun.details.items()
    assert begun.details["rules_version"] == rules.version
    [ended] = say(rules, "gateway", "rhythm", rhythm(code, "off"), 1)
    assert (ended.edge, ended.subject) == (Edge.CLEAR, "unit/u")
    assert say(rules, "gateway", "rhythm", rhythm(code), 0) == [], "older than the last word"


def test_only_a_detector_of_ours_speaks_of_rhythm() -> None:
    assert say(Rules(Thresholds()), "monitor", "rhythm", rhythm("asystole")) == []
    assert say(Rules(Thresholds()), "monitor", "st-criteria", {"device": "monitor"}) == []


@pytest.mark.parametrize(
    "details",
    [rhythm("murmur"), rhythm("asystole", "perhaps"), {"code": "asystole", "state": "on"}, rhythm("lead-off"), {}],
)
def test_a_rhythm_that_does_not_say_what_or_whether_is_refused(details: dict[str, Any]) -> None:
    with pytest.raises(BadCondition):
        say(Rules(Thresholds()), "gateway", "rhythm", details)


def test_a_rhythm_of_a_monitor_in_service_waits() -> None:
    assert say(Rules(Thresholds()), "gateway", "rhythm", rhythm("asystole"), muted=frozenset({"monitor"})) == []


def test_a_lethal_rhythm_that_comes_too_late_is_missed_while_blind_and_a_medium_one_is_history() -> None:
    rules = Rules(Thresholds())
    [missed] = say(rules, "gateway", "rhythm", rhythm("ventricular-fibrillation"), age=31 * SECOND)
    assert (missed.row.code, missed.subject) == (BLIND, "unit/u/ventricular-fibrillation")
    assert missed.details["rule"] == "ventricular-fibrillation"
    assert STRETCH.items() <= missed.details.items()
    assert say(rules, "gateway", "rhythm", rhythm("irregular-rhythm"), age=31 * SECOND) == []
    [on_time] = say(rules, "gateway", "rhythm", rhythm("ventricular-fibrillation"), age=30 * SECOND)
    assert on_time.row.code == "ventricular-fibrillation"


def test_criteria_of_st_open_a_task_to_read_each_time() -> None:
    rules = Rules(Thresholds())
    for second in range(3):
        [found] = say(rules, "gateway", "st-criteria", {"device": "monitor", "leads": "V2 V3"}, second)
        assert (found.row.code, found.edge, found.row.priority) == ("ecg-read", Edge.RAISE, Priority.MEDIUM)
        assert found.details["leads"] == "V2 V3"
    assert rules.take_dirty() == [], "what happens at an instant leaves no state behind"


def test_a_bed_is_left_once_whichever_of_its_sensors_says_so() -> None:
    rules = Rules(Thresholds())
    found = say(rules, "bed", "bed-exit", {}) + say(rules, "mat", "bed-exit", {"in_bed_s": 60}, 1)
    assert {(one.row.code, one.subject, one.edge) for one in found} == {("bed-exit", "unit/u", Edge.RAISE)}
    [back] = say(rules, "mat", "bed-return", {}, 60)
    assert (back.edge, back.subject) == (Edge.CLEAR, "unit/u")
    again = Rules(Thresholds())
    for subject, code, state in rules.switches.take_dirty():
        again.switches.restore(subject, code, state)
    assert say(again, "bed", "bed-exit", {}, 30) == [], "a restart forgets no later word"


@pytest.mark.parametrize("name", ["tip-over", "help-button"])
def test_a_fall_or_a_call_for_help_still_pages_within_the_hour(name: str) -> None:
    rules = Rules(Thresholds())
    assert CATALOGUE[name].priority is Priority.HIGH
    assert CATALOGUE[name].latching
    [found] = say(rules, "chair", name, {}, age=59 * MINUTE)
    assert (found.row.code, found.subject, found.edge) == (name, "device/u/chair", Edge.RAISE)
    [missed] = say(rules, "chair", name, {}, age=HOUR + SECOND)
    assert (missed.row.code, missed.details["rule"]) == (BLIND, name)


# ---- whom a rhythm's limits are made for ----------------------------------------------------------------------------

ADULT_RHYTHMS = {"extreme-bradycardia", "extreme-tachycardia", "irregular-rhythm", "premature-beats"}


def rules_of(population: Population) -> Rules:
    rules = Rules(Thresholds())
    rules.set_patients({"u": Patient("person-1", Placed(population))})
    return rules


@pytest.mark.parametrize("population", sorted(CHILDREN))
def test_an_adults_limits_say_nothing_of_a_child_and_what_kills_is_told_of_everybody(population: Population) -> None:
    rules = rules_of(population)
    told = {row.code for row in RHYTHM if say(rules, "gateway", "rhythm", rhythm(row.code))}
    assert told == {row.code for row in RHYTHM} - ADULT_RHYTHMS
    for code in sorted(ADULT_RHYTHMS):
        assert say(rules, "gateway", "rhythm", rhythm(code), 1, age=31 * SECOND) == [], "nor when it comes too late"
        assert f"not for {population}" in str(CATALOGUE[code].refuses(population))


@pytest.mark.parametrize("population", [Population.ADULT, Population.PREGNANT, Population.POSTPARTUM])
def test_every_rhythm_is_told_of_the_grown(population: Population) -> None:
    rules = rules_of(population)
    for row in RHYTHM:
        [found] = say(rules, "gateway", "rhythm", rhythm(row.code))
        assert (found.details["population"], found.details["person"]) == (str(population), "person-1")
        assert "assumed" not in found.details


def test_of_an_unknown_age_a_rhythm_is_told_as_of_an_adult_and_marked() -> None:
    [found] = say(Rules(Thresholds()), "gateway", "rhythm", rhythm("extreme-tachycardia"))
    assert (found.details["population"], found.details["assumed"]) == ("adult", True)


def test_a_rhythm_told_before_the_person_was_known_ends_and_says_why() -> None:
    rules = Rules(Thresholds())
    for code in ("extreme-tachycardia", "asystole"):
        assert say(rules, "gateway", "rhythm", rhythm(code))
    assert rules.check(NOW) == []
    rules.set_patients({"u": Patient("person-1", Placed(Population.INFANT))})
    [ended] = rules.check(NOW + SECOND)
    assert (ended.row.code, ended.edge, ended.subject) == ("extreme-tachycardia", Edge.CLEAR, "unit/u")
    assert ended.details["why"] == "made for adult, postpartum, pregnant; not for infant"
    assert rules.check(NOW + 2 * SECOND) == []
    [over] = say(rules, "gateway", "rhythm", rhythm("extreme-tachycardia", "off"), 3)
    assert over.edge is Edge.CLEAR, "its own end is an end as well"


def test_a_monitors_own_alarm_is_told_whoever_lies_there() -> None:
    rules = rules_of(Population.INFANT)
    [found] = say(rules, "monitor", "device-alarm-on", {"alarm": "extreme-tachycardia", "priority": "high"})
    assert (found.row.code, found.edge) == ("extreme-tachycardia", Edge.RAISE)
