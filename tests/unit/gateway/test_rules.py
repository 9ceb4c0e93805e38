"""Which value counts, and the catalogue as a whole."""

import pytest

from gateway.contract.quantity import QUANTITIES, SECOND
from gateway.contract.topic import UnitKind
from gateway.derive.population import Population
from gateway.rules.catalogue import CATALOGUE, ROWS, Direction, Kind, Priority, Row, Threshold
from gateway.rules.condition import Combined
from gateway.rules.engine import BLIND, Rules
from gateway.rules.hold import Edge
from gateway.rules.threshold import Finding, Thresholds
from tests.unit.gateway.builders import NOW


def find(rules: Rules, second: int, value: float, *, derived: bool = False, age: int = 0) -> list[Finding]:
    device = "gateway" if derived else "monitor"
    at = NOW + second * SECOND
    return rules.value("amb-001", device, "heart-rate", value, at, age, derived=derived, simulated=True)


def feed(rules: Rules, second: int, value: float, *, derived: bool = False, age: int = 0) -> list[Edge]:
    """The edges of the two medium rows; the severe ones have tests of their own."""
    found = find(rules, second, value, derived=derived, age=age)
    return [one.edge for one in found if one.row.code in ("heart-rate-high", "heart-rate-low")]


def edges(rules: Rules, values: list[float], start: int = 0, **how: object) -> list[Edge]:
    return [edge for n, value in enumerate(values) for edge in feed(rules, start + n, value, **how)]  # type: ignore[arg-type]


def limits_of(row: Row) -> list[Threshold]:
    if isinstance(row.condition, Combined):
        return [part.threshold for part in row.condition.parts]
    return [row.threshold] if row.threshold else []


@pytest.mark.parametrize("row", [row for row in ROWS if limits_of(row)], ids=lambda row: row.code)
def test_every_limit_raises_beyond_it_and_clears_inside_its_hysteresis(row: Row) -> None:
    for threshold in limits_of(row):
        sign = 1 if threshold.direction is Direction.ABOVE else -1
        assert threshold.breached(threshold.limit) is threshold.inclusive
        assert threshold.breached(threshold.limit + sign * 0.1)
        assert not threshold.breached(threshold.limit - sign * 0.1)
        if threshold.hysteresis:
            assert not threshold.cleared(threshold.limit - sign * (threshold.hysteresis - 0.1))
        assert threshold.cleared(threshold.limit - sign * (threshold.hysteresis or 0.1))
    assert set(row.quantities) <= QUANTITIES.keys()


@pytest.mark.parametrize("row", [row for row in ROWS if row.threshold], ids=lambda row: row.code)
def test_the_quiet_band_ends_where_the_limit_begins(row: Row) -> None:
    threshold = row.threshold
    assert threshold is not None
    low, high = threshold.quiet(threshold.quantity)
    edge = high if threshold.direction is Direction.ABOVE else low
    assert not threshold.breached(edge)
    assert (edge == threshold.limit) is not threshold.inclusive


def test_heart_rate_is_raised_within_ten_seconds() -> None:
    """IEC 60601-2-27: at most ten seconds from the step to the alarm."""
    assert edges(Rules(Thresholds()), [140.0] * 11) == [Edge.RAISE]
    assert edges(Rules(Thresholds()), [30.0] * 11) == [Edge.RAISE]
    assert edges(Rules(Thresholds()), [140.0] * 10) == []


def test_the_graver_row_of_a_ladder_is_raised_too_and_ends_first() -> None:
    """Two rows, two alerts: a new graver condition breaks through what somebody has acknowledged."""
    rules = Rules(Thresholds())
    found = [one for second in range(11) for one in find(rules, second, 170.0)]
    assert [(one.row.code, one.row.priority) for one in found] == [
        ("heart-rate-high", Priority.MEDIUM), ("heart-rate-severe-high", Priority.HIGH),
    ]  # fmt: skip
    assert "heart-rate-severe-high" in CATALOGUE["heart-rate-high"].inhibited_by
    ended = [one for second in range(11, 30) for one in find(rules, second, 140.0)]
    assert [(one.row.code, one.edge) for one in ended] == [("heart-rate-severe-high", Edge.CLEAR)]
    ended = [one for second in range(30, 60) for one in find(rules, second, 100.0)]
    assert [(one.row.code, one.edge) for one in ended] == [("heart-rate-high", Edge.CLEAR)]


def test_the_devices_own_value_goes_before_a_derived_one() -> None:
    rules = Rules(Thresholds())
    for second in range(30):
        assert find(rules, second, 80.0) == []
        assert find(rules, second, 190.0, derived=True) == []


def test_a_derived_value_counts_when_the_device_is_silent() -> None:
    rules = Rules(Thresholds())
    feed(rules, 0, 80.0)
    assert edges(rules, [190.0] * 20, 1, derived=True) == [Edge.RAISE]


def test_a_value_past_its_clinical_validity_neither_raises_nor_clears() -> None:
    rules = Rules(Thresholds())
    assert edges(rules, [190.0] * 20, age=31 * SECOND) == []
    assert edges(rules, [190.0] * 11, 20) == [Edge.RAISE]
    assert edges(rules, [80.0] * 20, 31, age=31 * SECOND) == []


def test_a_tachycardia_of_six_hours_ago_does_not_page_but_is_a_soundless_task_with_owner_and_deadline() -> None:
    rules, age = Rules(Thresholds()), 6 * 3600 * SECOND
    found = [one for second in range(30) for one in find(rules, second, 170.0, age=age)]
    [missed] = found
    assert (missed.row.code, missed.row.priority, missed.edge) == (BLIND, Priority.LOW, Edge.RAISE)
    assert missed.subject == "unit/amb-001/heart-rate-severe-high"
    received_at = missed.at + age
    assert missed.details["rule"] == "heart-rate-severe-high"
    assert (missed.details["sound"], missed.details["late"], missed.details["measured_at"]) == (False, True, missed.at)
    assert missed.details["owner"]
    assert missed.details["received_at"] == received_at < missed.details["deadline"]


def test_what_would_have_been_medium_leaves_no_task() -> None:
    rules = Rules(Thresholds())
    assert [one for second in range(30) for one in find(rules, second, 140.0, age=3600 * SECOND)] == []


def test_a_late_value_inside_its_validity_alerts_and_says_when_it_was_measured() -> None:
    """A glucose of 2.1 mmol/L uploaded 40 minutes late."""
    rules = Rules(Thresholds())
    found = rules.value("kiosk-1", "meter", "glucose", 2.1, NOW, 2400 * SECOND, derived=False, simulated=False)
    assert [one.row.code for one in found] == ["glucose-severe-low", "glucose-low"]
    assert all(one.details["late"] and one.details["measured_at"] == NOW for one in found)


def test_a_late_value_does_not_clear_what_a_newer_one_has_raised() -> None:
    rules = Rules(Thresholds())
    rules.value("h", "meter", "spo2", 80, NOW, 0, derived=False, simulated=False)
    for second in range(1, 20):
        rules.value("h", "meter", "spo2", 80, NOW + second * SECOND, 0, derived=False, simulated=False)
    for second in range(20):
        late = NOW - 60 * SECOND + second * SECOND
        assert rules.value("h", "meter", "spo2", 99, late, 80 * SECOND, derived=False, simulated=False) == []


def test_two_devices_that_measure_the_same_are_both_heard_though_one_lags() -> None:
    rules, found = Rules(Thresholds()), []
    for second in range(20):
        at = NOW + second * SECOND
        for device, lag in (("monitor", 0), ("finger", 800_000)):
            found += rules.value("amb-001", device, "spo2", 86, at - lag, lag, derived=False, simulated=False)
    assert [(one.row.code, one.edge, one.device) for one in found] == [
        ("spo2-low", Edge.RAISE, "monitor"), ("spo2-low", Edge.RAISE, "finger"),
    ]  # fmt: skip


def test_every_row_says_where_it_comes_from_in_both_languages() -> None:
    assert all(row.source and row.code == code and row.zh and row.en for code, row in CATALOGUE.items())
    assert [row.code for row in ROWS] == list(CATALOGUE), "no code twice"


def test_what_inhibits_a_row_is_a_row() -> None:
    assert {code for row in ROWS for code in row.inhibited_by} <= CATALOGUE.keys()


def test_lethal_rows_are_high_and_latch() -> None:
    lethal = [row for row in ROWS if row.lethal]
    assert {row.code for row in lethal} == {"asystole", "ventricular-fibrillation", "ventricular-tachycardia"}
    assert all(row.priority is Priority.HIGH and row.latching for row in lethal)


def test_limits_of_populations_are_of_populations_the_row_is_made_for() -> None:
    for row in ROWS:
        assert all(row.refuses(population) is None for population in row.limits), row.code
        assert row.kind is Kind.PHYSIOLOGICAL or row.populations is None
    assert "child" in (CATALOGUE["news2-high"].refuses(Population.CHILD) or "")


def test_a_row_of_a_kind_of_place_is_of_no_other() -> None:
    kinds = {"bed-1": UnitKind.HOMECARE_BED, "amb-1": UnitKind.AMBULANCE}
    rules = Rules(Thresholds(None, kinds.get))

    def codes(unit: str) -> list[str]:
        found = rules.value(unit, "m", "bp-systolic", 185, NOW, 0, derived=False, simulated=False)
        return [one.row.code for one in found]

    assert codes("bed-1") == ["bp-systolic-high", "bp-urgent"]
    assert codes("amb-1") == ["bp-systolic-high"]
