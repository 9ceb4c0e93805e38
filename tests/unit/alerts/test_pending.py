"""What is shown of a half-elapsed duration: whose limit it is, and at which device."""

from gateway.alerts.pending import pending
from gateway.contract.quantity import MINUTE, SECOND
from gateway.derive.population import Placed, Population
from gateway.rules.engine import Rules
from gateway.rules.patient import Patient, PersonLimit
from gateway.rules.ruleset import read_ruleset
from gateway.rules.threshold import Thresholds
from tests.unit.gateway.builders import NOW

ADULT = Placed(Population.ADULT, assumed=False)
OWN = PersonLimit("l", "heart-rate-high", 110, "doctor", NOW + 60 * MINUTE)


def shown(rules: Rules, now: int) -> list[tuple[str, float | None, str | None]]:
    return [(one.rule, one.limit, one.device) for one in pending(rules.thresholds, now)]


def feed(rules: Rules, rate: float, start: int, end: int, device: str = "monitor") -> int:
    for second in range(start, end):
        rules.value("u", device, "heart-rate", rate, NOW + second * SECOND, 0, derived=False, simulated=False)
    return NOW + (end - 1) * SECOND


def test_the_limit_is_the_patients_own() -> None:
    rules = Rules(Thresholds())
    rules.set_patients({"u": Patient("p", ADULT, limits={"heart-rate-high": OWN})})
    assert shown(rules, feed(rules, 115, 0, 5)) == [("heart-rate-high", 110, "monitor")]


def test_the_limit_is_that_of_the_population() -> None:
    rules = Rules(Thresholds())
    rules.set_patients({"u": Patient("p", Placed(Population.CHILD, assumed=False))})
    now = feed(rules, 150, 0, 5)
    assert shown(rules, now) == [("heart-rate-high", 140, "monitor")]
    rules.set_patients({"u": Patient("p", ADULT, limits={"heart-rate-high": OWN})})
    assert shown(rules, now) == [("heart-rate-high", 110, "monitor")], "as soon as it changes"


def test_the_limit_is_the_sites() -> None:
    rules = Rules(Thresholds(read_ruleset(b"[alert.heart-rate-high]\nlimit = 100\nfor = 300\n")))
    now = feed(rules, 105, 0, 5)
    assert shown(rules, now) == [("heart-rate-high", 100, "monitor")]
    assert shown(rules, now + 151 * SECOND) == [], "its data have stopped"


def test_what_does_not_speak_of_the_patient_any_more_is_not_shown() -> None:
    rules = Rules(Thresholds())
    for second in range(5):
        rules.value("u", "monitor", "news2-at-least", 9, NOW + second * SECOND, 0, derived=False, simulated=False)
    assert {rule for rule, _, _ in shown(rules, NOW + 5 * SECOND)} == {"news2-medium", "news2-high"}
    rules.set_patients({"u": Patient("p", Placed(Population.CHILD, assumed=False))})
    assert shown(rules, NOW + 5 * SECOND) == []


def test_of_two_devices_the_one_that_began_first_and_neither_once_it_is_raised() -> None:
    rules = Rules(Thresholds())
    feed(rules, 140, 0, 3, "late")
    assert shown(rules, feed(rules, 140, 1, 4, "later")) == [("heart-rate-high", 130, "late")]
    now = feed(rules, 140, 3, 15, "late")
    feed(rules, 140, 10, 15, "later")
    assert shown(rules, now) == []
