"""Which value counts, and the catalogue as a whole."""

import pytest

from gateway.contract.quantity import QUANTITIES, SECOND
from gateway.rules.catalogue import CATALOGUE, THRESHOLDS, Direction, Kind, Row
from gateway.rules.engine import Rules
from gateway.rules.hold import Edge
from gateway.rules.threshold import Thresholds
from tests.unit.gateway.builders import NOW


def feed(rules: Rules, second: int, value: float, *, derived: bool = False, age: int = 0) -> list[Edge]:
    device = "gateway" if derived else "monitor"
    at = NOW + second * SECOND
    found = rules.value("amb-001", device, "heart-rate", value, at, age, derived=derived, simulated=True)
    return [finding.edge for finding in found]


def edges(rules: Rules, values: list[float], start: int = 0, **how: object) -> list[Edge]:
    return [edge for n, value in enumerate(values) for edge in feed(rules, start + n, value, **how)]  # type: ignore[arg-type]


@pytest.mark.parametrize("row", [row for rows in THRESHOLDS.values() for row in rows], ids=lambda row: row.code)
def test_every_limit_raises_beyond_it_and_clears_inside_its_hysteresis(row: Row) -> None:
    threshold = row.threshold
    assert threshold is not None
    sign = 1 if threshold.direction is Direction.ABOVE else -1
    assert not threshold.breached(threshold.limit)
    assert threshold.breached(threshold.limit + sign * 0.1)
    assert not threshold.cleared(threshold.limit - sign * (threshold.hysteresis - 0.1))
    assert threshold.cleared(threshold.limit - sign * threshold.hysteresis)
    assert threshold.quantity in QUANTITIES
    assert row.kind is Kind.PHYSIOLOGICAL


def test_heart_rate_is_raised_within_ten_seconds() -> None:
    """IEC 60601-2-27: at most ten seconds from the step to the alarm."""
    assert edges(Rules(Thresholds()), [140.0] * 11) == [Edge.RAISE]
    assert edges(Rules(Thresholds()), [30.0] * 11) == [Edge.RAISE]
    assert edges(Rules(Thresholds()), [140.0] * 10) == []


def test_the_devices_own_value_goes_before_a_derived_one() -> None:
    rules = Rules(Thresholds())
    for second in range(30):
        assert feed(rules, second, 80.0) == []
        assert feed(rules, second, 190.0, derived=True) == []


def test_a_derived_value_counts_when_the_device_is_silent() -> None:
    rules = Rules(Thresholds())
    feed(rules, 0, 80.0)
    assert edges(rules, [190.0] * 20, 1, derived=True) == [Edge.RAISE]


def test_a_value_past_its_clinical_validity_neither_raises_nor_clears() -> None:
    rules = Rules(Thresholds())
    assert edges(rules, [190.0] * 20, age=31 * SECOND) == []
    assert edges(rules, [190.0] * 11, 20) == [Edge.RAISE]
    assert edges(rules, [80.0] * 20, 31, age=31 * SECOND) == []


def test_every_row_says_where_it_comes_from() -> None:
    assert all(row.source and row.code == code for code, row in CATALOGUE.items())
